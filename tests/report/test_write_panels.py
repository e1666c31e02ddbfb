import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.evidence import Evidence, EvidenceFacts, EvidenceHeader, write_evidence
from pipeline.artefacts.learned_graphs import LearnedGraphs, write_learned_graphs
from pipeline.artefacts.predictions import read_predictions
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.params import ReportParams
from pipeline.report.write_panels import write_panels
from tests.axe import violations
from tests.browser import Browser, needs_browser, running_browser
from tests.report.page_reading import Page
from tests.report.results_tree import Recipe, Tree
from tests.report.slide_tables import MADE

Build = Callable[..., ReportSources]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> ReportSources:
    """The standard run with evidence of its reference method and graphs of predictions."""
    made = Tree(tmp_path_factory.mktemp("run"), Recipe()).build()
    for fold in made.folds:
        write_evidence_of(made.fold_folder("default", 0, fold))
    assert made.predictions is not None
    graph = LearnedGraphs(made.fold_folder("default", 0, 0) / "graphs.zarr").of("s00")
    write_learned_graphs(made.predictions.with_suffix(".graphs.zarr"), [("u00", graph)], MADE)
    return replace(made, config={**made.config, "prediction": {"method": "default"}})


def write_evidence_of(fold: Path) -> None:
    """Evidence of nine patches a slide: patch i speaks i - 4 for the first class, an edge as much as its weight.

    Half of what patches say comes by the graph, of s01 nothing.
    """
    graphs = LearnedGraphs(fold / "graphs.zarr")
    predicted = read_predictions(fold / "predictions.csv").set_index("slide_id")["predicted"]
    node = np.arange(9, dtype=np.float32)[:, None] - 4
    images = [
        (
            slide_id,
            Evidence(
                np.hstack([node, -node]),
                graphs.of(slide_id).weight * graphs.of(slide_id).kept,
                np.tile(np.array([[0.5, -1.0, 0.0]], np.float32), (9, 1)),
                EvidenceFacts(predicted[slide_id], 1.0, 0.25, 0.5 * (slide_id != "s01"), "occlusion", None, 1, 0.0),
            ),
        )
        for slide_id in graphs.slide_ids
    ]
    header = EvidenceHeader(("benign", "malignant"), ("first", "second", "third"), "default")
    write_evidence(fold / "evidence.zarr", header, images, MADE)


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> ReportParams:
    """Parameters that name one true edge of slide s00."""
    truth = tmp_path_factory.mktemp("truth")
    edges = pd.DataFrame({"x_l0": [96], "y_l0": [96], "other_x_l0": [192], "other_y_l0": [96]})
    edges.to_csv(truth / "s00.edges.csv", index=False)
    return ReportParams(true_edges=str(truth))


@pytest.fixture(scope="module")
def written(sources: ReportSources, params: ReportParams, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "panels"
    write_panels(sources, folder, params=params, source="abcd")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


def content(folder: Path, slide_id: str) -> dict[str, object]:
    text = (folder / f"{slide_id}.html").read_text()
    found = re.search(r'id="content">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return dict(json.loads(found.group(1)))


def test_every_slide_of_the_sheet_has_a_panel(written: Path, sources: ReportSources) -> None:
    assert {path.stem for path in written.glob("*.html")} == {row.slide_id for row in sources.slides}


def test_a_panel_loads_nothing_but_files_of_its_folder(written: Path) -> None:
    for tag, attributes in Page((written / "s00.html").read_text()).elements:
        for name in ("src", "href"):
            value = attributes.get(name)
            if value is not None and not value.startswith(("data:", "#", "../index.html")):
                assert (written / value).is_file(), (tag, value)
    assert "http" not in re.sub(r'lang="en"', "", (written / "_shared/panel.js").read_text())


def test_panels_of_small_slides_are_small(written: Path) -> None:
    own = [*written.glob("s00.html"), *written.glob("_pictures/s00.*")]
    assert sum(path.stat().st_size for path in own) < 200_000


def test_same_inputs_same_bytes_whatever_the_number_of_processes(
    written: Path, sources: ReportSources, params: ReportParams, tmp_path: Path
) -> None:
    write_panels(sources, tmp_path / "again", params=params, source="abcd", threads=2)
    files = {path.relative_to(written) for path in written.rglob("*.*")}
    assert files == {path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*.*")}
    for name in files:
        assert (tmp_path / "again" / name).read_bytes() == (written / name).read_bytes(), name


def test_a_slide_without_patch_says_why(written: Path) -> None:
    shown = content(written, "x00")
    assert shown["reason"] == "no tissue"
    assert shown["views"] == []


def test_panels_of_slides_that_came_as_features_have_no_picture(build: Build, tmp_path: Path) -> None:
    sources = replace(build(with_pictures=False), config={"prediction": {"method": "default"}})
    write_panels(sources, tmp_path / "panels", params=ReportParams(), source="abcd")
    shown = content(tmp_path / "panels", "s00")
    assert shown["tissue"] is None
    assert not list((tmp_path / "panels/_pictures").iterdir())
    assert shown["views"]


@needs_browser
def test_a_panel_draws_its_graph_and_its_slider_thins_it(written: Path, browser: Browser) -> None:
    with browser.tab() as tab:
        tab.open((written / "s00.html").as_uri())
        tab.wait("tissue.naturalWidth > 0 && stage !== null")
        assert "predicts" in tab.run("byId('verdict').textContent")
        many = tab.run("shownPairs()")
        tab.run("byId('weight').value = 0; byId('weight').dispatchEvent(new Event('input'))")
        assert (many > 3, tab.run("shownPairs()")) == (True, 1)
        assert tab.run("byId('weight-says').textContent").startswith("1 of ")
        assert tab.run("[byId('true-label').hidden, trueEdges]") == [False, [[0, 1]]]
        assert tab.faults == []


@needs_browser
def test_pointing_at_an_edge_tells_its_weight_patches_and_features(written: Path, browser: Browser) -> None:
    with browser.tab() as tab:
        tab.open((written / "s00.html").as_uri())
        tab.wait("tissue.naturalWidth > 0 && patchSheet.naturalWidth > 0 && stage.scale > 0")
        x, y = tab.run(
            "(() => { const [a, b] = views[0].pairs[0].map(centre).map(onCanvas), c = bend(a, b);"
            "const box = stage.canvas.getBoundingClientRect(); return [(a[0] + 2 * c[0] + b[0]) / 4 + box.x,"
            "(a[1] + 2 * c[1] + b[1]) / 4 + box.y]; })()"
        )
        tab.mouse("mouseMoved", x, y)
        tab.wait("byId('card').textContent.includes('Weight')")
        text = tab.run("byId('card').textContent")
        assert "number 1 of" in text
        assert "second" in text
        assert tab.run("byId('card').querySelectorAll('canvas').length") == 2
        assert tab.faults == []


@needs_browser
def test_a_panel_shows_what_spoke_for_and_against(written: Path, browser: Browser) -> None:
    with browser.tab() as tab:
        tab.open((written / "s00.html").as_uri())
        tab.wait("stage.scale > 0")
        is_first = tab.run("views[0].predicted") == "benign"
        shown = tab.run("[...document.querySelectorAll('.patch span')].map((words) => words.textContent)")
        nodes = [int(re.findall(r"\d+", words)[0]) for words in shown]
        spoke = [float(words.split(": ")[1].replace("−", "-")) for words in shown]
        assert nodes == [node if is_first else 8 - node for node in (8, 7, 6, 5, 0, 1, 2, 3)]
        # A byte tells evidence to 1/127 of the largest.
        assert spoke == pytest.approx([4, 3, 2, 1, -4, -3, -2, -1], abs=4 / 127)
        tab.run("document.querySelector('.patch').click()")
        assert "second−1.00" in tab.run("byId('card').textContent")
        assert "if no patch heard another they would be +0.25" in tab.run("byId('gallery').textContent")
        assert tab.faults == []


@needs_browser
def test_a_slide_without_label_shows_the_graph_of_the_final_model_and_no_evidence(
    written: Path, browser: Browser
) -> None:
    with browser.tab() as tab:
        tab.open((written / "u00.html").as_uri())
        tab.wait("stage.scale > 0")
        assert "final model" in tab.run("byId('verdict').textContent")
        assert tab.run("shownPairs()") > 3
        assert "No evidence" in tab.run("byId('gallery').textContent")


@needs_browser
def test_methods_switch_and_those_without_graph_say_so(written: Path, browser: Browser) -> None:
    with browser.tab() as tab:
        tab.open((written / "s00.html").as_uri())
        tab.run("byId('method').value = 'mean_pool'; byId('method').dispatchEvent(new Event('change'))")
        assert "no graph" in tab.run("byId('no-edges').textContent")
        assert "mean_pool (seed 0" in tab.run("byId('verdict').textContent")
        assert tab.faults == []


@needs_browser
def test_a_graph_that_the_prediction_does_not_use_is_drawn_when_asked_for(written: Path, browser: Browser) -> None:
    with browser.tab() as tab:
        tab.open((written / "s00.html").as_uri())
        assert tab.run("byId('edges').checked && shownPairs() > 0 && byId('no-edges').textContent === ''")
        tab.open((written / "s01.html").as_uri())
        assert "its prediction uses no edge" in tab.run("byId('no-edges').textContent")
        assert tab.run("shownPairs()") == 0
        tab.run("byId('edges').click()")
        assert tab.run("shownPairs()") > 0
        assert tab.faults == []


@needs_browser
@pytest.mark.parametrize("width", [420, 1400])
@pytest.mark.parametrize("slide", ["s00", "x00", "u00"])
def test_panels_fit_their_window(written: Path, browser: Browser, width: int, slide: str) -> None:
    with browser.tab() as tab:
        tab.open((written / f"{slide}.html").as_uri(), width=width, scheme="dark")
        assert tab.run("document.documentElement.scrollWidth") <= width
        assert tab.faults == []
        assert violations(tab) == []


def test_nuclei_are_told_where_they_lie(written: Path) -> None:
    closeups = content(written, "s00")["closeups"]
    assert isinstance(closeups, list)
    assert len(closeups) == 4
    for closeup in closeups:
        assert closeup["picture"] is not None
        assert 0 < closeup["sideUm"] <= 200
        assert len(np.frombuffer(base64.b64decode(closeup["axis"]["data"]), "<u2")) > 0
