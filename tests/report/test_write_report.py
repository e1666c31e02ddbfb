import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from pipeline.errors import ArtefactError
from pipeline.report.contents.report_contents import ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.contents.slide_selection import drawn_test_images
from pipeline.report.params import ReportParams
from pipeline.report.write_report import build_sections, write_report
from tests.report.page_reading import Page, captions, frame, tables

FIRST_SECTIONS = ["verdict", "cautions", "calls", "results"]
PLAIN = ReportParams(n_overlays=0)
Build = Callable[..., ReportSources]


@pytest.fixture
def bare_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures as the page has them alone, since formats for print take long."""
    monkeypatch.setattr("pipeline.report.write_report.figure_files", lambda f: {f"{f.name}.{f.kind}": f.content})


@pytest.fixture(scope="module")
def written(standard_run: ReportSources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    params = ReportParams(n_overlays=2, title="A <b>title</b> & more")
    write_report(standard_run, folder / "index.html", folder / "figures", params=params, source="abcd")
    return folder


def test_the_page_loads_nothing(written: Path) -> None:
    text = (written / "index.html").read_text()
    for tag, attributes in Page(text).elements:
        for name in ("src", "href", "xlink:href", "srcset", "data", "action", "poster"):
            value = attributes.get(name)
            if tag == "a" and value is not None and value.startswith("figures/"):
                assert (written / value).is_file(), value
            elif value is not None and not (tag == "a" and value == "https://arxiv.org/abs/2510.13188"):
                assert value.startswith(("data:", "#")), (tag, value)
        assert tag not in ("iframe", "object", "embed", "base")
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_the_page_has_every_section_and_navigates_to_it(written: Path, standard: ReportContents) -> None:
    elements = Page((written / "index.html").read_text()).elements
    anchors = [a["id"] for tag, a in elements if tag == "section"]
    assert anchors == [section.anchor for section in build_sections(standard)]
    assert anchors[: len(FIRST_SECTIONS)] == FIRST_SECTIONS
    links = [a["href"] for tag, a in elements if tag == "a"]
    assert links[: len(anchors) + 1] == ["#main", *(f"#{name}" for name in anchors)]


def test_every_id_of_the_page_is_its_own_and_every_reference_is_met(written: Path) -> None:
    text = (written / "index.html").read_text()
    elements = Page(text).elements
    ids = [a["id"] for _, a in elements if "id" in a]
    assert len(ids) == len(set(ids))
    references = {a["xlink:href"][1:] for _, a in elements if (a.get("xlink:href") or "").startswith("#")} | set(
        re.findall(r"url\(#([^)]+)\)", text)
    )
    assert references <= set(ids)


def test_every_figure_is_in_the_folder_and_has_a_caption_and_a_description(written: Path) -> None:
    page = (written / "index.html").read_text()
    figures = set(re.findall(r'<figure id="figure-([^"]+)">', page))
    assert figures == {path.stem for path in (written / "figures").iterdir()}
    for expected in (
        "fold_dots",
        "confusion_default",
        "learning_default",
        "graph_default_s00",
        "nuclei_s00",
        "overview_s00",
    ):
        assert expected in figures
    assert "<figcaption></figcaption>" not in page
    assert 'aria-label=""' not in page


def test_plots_are_kept_for_print_with_what_they_show(written: Path) -> None:
    kinds = {path.suffix for path in (written / "figures").glob("confusion_default.*")}
    assert kinds == {".svg", ".png", ".pdf", ".csv"}
    with Image.open(written / "figures/confusion_default.png") as plot:
        assert plot.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    counts = pd.read_csv(written / "figures/confusion_default.csv", index_col=0)
    assert counts.to_numpy().sum() == 8
    assert {path.suffix for path in (written / "figures").glob("nuclei_s00.*")} == {".png"}


def test_the_page_is_small(written: Path) -> None:
    """Pictures go in as WebP; 300 slides may take 15 MB, of which their rows are less than a kilobyte each."""
    page = (written / "index.html").read_text()
    assert '<img src="data:image/png' not in page
    assert len(page) < 1_000_000


def test_texts_are_escaped(written: Path) -> None:
    page = (written / "index.html").read_text()
    assert "<title>A &lt;b&gt;title&lt;/b&gt; &amp; more" in page


def test_the_page_carries_its_provenance(written: Path, standard_run: ReportSources) -> None:
    page = (written / "index.html").read_text()
    record = json.loads(re.search(r'id="provenance-record">(.*?)</script>', page, re.DOTALL).group(1))  # type: ignore[union-attr]
    assert record["source"] == "abcd"
    assert record["params"]["n_overlays"] == 2
    metrics = {f"metrics/{method}/seed_0" for method in standard_run.methods}
    assert set(record["upstream"]) == {"splits", "excluded", "comparison", "predictions", *metrics}
    assert str(standard_run.training) not in page


def test_same_inputs_same_bytes(
    written: Path, standard_run: ReportSources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = re.search(r"<td>this page</td><td>([-\d]+ [:\d]+) UTC</td>", (written / "index.html").read_text())
    assert then is not None
    monkeypatch.setattr("pipeline.report.write_report.now", lambda: then[1])
    params = ReportParams(n_overlays=2, title="A <b>title</b> & more")
    write_report(standard_run, tmp_path / "index.html", tmp_path / "figures", params=params, source="abcd")
    for path in [written / "index.html", *(written / "figures").iterdir()]:
        assert (tmp_path / path.relative_to(written)).read_bytes() == path.read_bytes(), path.name


def test_pictures_of_all_sections_are_of_the_same_test_images(standard: ReportContents) -> None:
    shown = {section.anchor: section for section in build_sections(standard)}
    drawn = drawn_test_images(standard.one_seed("default"), 3)
    for anchor, kind in (("slides", "overview_"), ("nuclei", "nuclei_"), ("graphs", "graph_default_")):
        of_kind = [name.removeprefix(kind) for name in captions(shown[anchor]) if name.startswith(kind)]
        assert of_kind == drawn, anchor


@pytest.mark.usefixtures("bare_figures")
def test_figures_of_an_earlier_report_go(build: Build, tmp_path: Path) -> None:
    sources = build(with_pictures=False)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/old.svg").touch()
    write_report(sources, tmp_path / "page.html", tmp_path / "figures", params=PLAIN, source="abcd")
    assert not (tmp_path / "figures/old.svg").exists()
    assert (tmp_path / "figures/fold_dots.svg").exists()


@pytest.mark.usefixtures("bare_figures")
def test_a_fold_without_a_test_image_is_told_of_and_the_rest_is_shown(build: Build, tmp_path: Path) -> None:
    sources = build(with_pictures=False, lost_folds=(2,))
    write_report(sources, tmp_path / "page.html", tmp_path / "figures", params=PLAIN, source="abcd")
    words = " ".join(Page((tmp_path / "page.html").read_text()).words)
    assert "1 fold of 3 left out" in words
    assert "8 images in 2 folds" in words


def test_a_missing_fold_is_named(build: Build, tmp_path: Path) -> None:
    sources = build(with_pictures=False)
    (sources.fold_folder("default", 0, 1) / "predictions.csv").unlink()
    with pytest.raises(ArtefactError, match=r"default/seed_0/fold_1/predictions\.csv"):
        write_report(sources, tmp_path / "page.html", tmp_path / "figures", params=PLAIN, source="abcd")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.usefixtures("bare_figures")
def test_a_class_that_is_excluded_as_a_whole_is_warned_of_and_the_rest_is_shown(build: Build, tmp_path: Path) -> None:
    sources = build(with_pictures=False, lost_class="rare")
    write_report(sources, tmp_path / "r/index.html", tmp_path / "r/figures", params=PLAIN, source="abcd")
    words = " ".join(Page((tmp_path / "r/index.html").read_text()).words)
    assert "1 class is missing from the results" in words
    shown = {section.anchor: section for section in build_sections(read_contents(sources, PLAIN))}
    rows = frame(tables(shown["cohort"])[0]).set_index("class")
    assert rows.loc["rare", ["slides", "in folds", "excluded"]].tolist() == ["1", "0", "1"]
    assert rows.loc["all classes", ["slides", "in folds", "excluded"]].tolist() == ["10", "8", "2"]


@pytest.mark.parametrize("label", ["benign", "unheard of"])
def test_a_new_slide_with_a_label_is_predicted_and_neither_trained_on_nor_excluded(build: Build, label: str) -> None:
    sources = build(with_pictures=False, new_label=label, n_unlabelled=0)
    shown = {section.anchor: section for section in build_sections(read_contents(sources, PLAIN))}
    rows = frame(tables(shown["cohort"])[0]).set_index("class")
    assert list(rows.index) == ["benign", "malignant", "all classes"]
    assert rows.loc["all classes", "slides"] == "9"
    status = frame(tables(shown["slides"])[0]).set_index("slide")["status"]
    assert status["n00"] == "new slide, whose label nobody trained on"
    predicted = frame(tables(shown["predictions"])[0])
    assert predicted[["slide", "label in the sheet"]].to_numpy().tolist() == [["n00", label]]
    assert set(predicted["predicted"]) <= {"benign", "malignant"}
