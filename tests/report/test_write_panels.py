import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.params import ReportParams
from pipeline.report.write_panels import write_panels
from tests.browser import Browser, needs_browser, running_browser
from tests.report.page_reading import Page

Build = Callable[..., ReportSources]


@pytest.fixture(scope="module")
def sources(standard_run: ReportSources) -> ReportSources:
    return replace(standard_run, config={**standard_run.config, "prediction": {"method": "default"}})


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> ReportParams:
    """Parameters that name one true edge of slide s00."""
    truth = tmp_path_factory.mktemp("truth")
    edges = pd.DataFrame({"x_l0": [64], "y_l0": [64], "other_x_l0": [128], "other_y_l0": [64]})
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
        assert tab.run("byId('true-label').hidden") is False
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
def test_methods_switch_and_those_without_graph_say_so(written: Path, browser: Browser) -> None:
    with browser.tab() as tab:
        tab.open((written / "s00.html").as_uri())
        tab.run("byId('method').value = 'mean_pool'; byId('method').dispatchEvent(new Event('change'))")
        assert "no graph" in tab.run("byId('no-edges').textContent")
        assert "mean_pool (seed 0" in tab.run("byId('verdict').textContent")
        assert tab.faults == []


@needs_browser
@pytest.mark.parametrize("width", [420, 1400])
@pytest.mark.parametrize("slide", ["s00", "x00", "u00"])
def test_panels_fit_their_window(written: Path, browser: Browser, width: int, slide: str) -> None:
    with browser.tab() as tab:
        tab.open((written / f"{slide}.html").as_uri(), width=width, scheme="dark")
        assert tab.run("document.documentElement.scrollWidth") <= width
        assert tab.faults == []


def test_nuclei_are_told_where_they_lie(written: Path) -> None:
    closeups = content(written, "s00")["closeups"]
    assert isinstance(closeups, list)
    assert len(closeups) == 4
    for closeup in closeups:
        assert closeup["picture"] is not None
        assert 0 < closeup["sideUm"] <= 200
        assert len(np.frombuffer(base64.b64decode(closeup["axis"]["data"]), "<u2")) > 0
