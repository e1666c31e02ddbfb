import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from pipeline.artefacts.metrics import read_comparison, read_metrics
from pipeline.artefacts.predictions import read_predictions
from pipeline.errors import ArtefactError
from pipeline.report.contents.report_data import read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.page.page_elements import FoldedTable, Section, Table, Text
from pipeline.report.page.section_cohort import slides
from pipeline.report.page.section_graphs import graphs
from pipeline.report.page.section_nuclei import nuclei
from pipeline.report.page.section_results import results
from pipeline.report.page.section_training import training
from pipeline.report.params import ReportParams
from pipeline.report.write_report import build_sections, write_report

SECTIONS = (
    "summary",
    "cautions",
    "cohort",
    "slides",
    "nuclei",
    "results",
    "training",
    "graphs",
    "predictions",
    "provenance",
)
PLAIN = ReportParams(n_overlays=0)
Build = Callable[..., ReportSources]


class Page(HTMLParser):
    """Elements of a page: (tag, attributes), and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def written(standard_run: ReportSources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    params = ReportParams(n_overlays=2, title="A <b>title</b> & more")
    write_report(standard_run, folder / "index.html", folder / "figures", params=params, source="abcd")
    return folder


@pytest.fixture(scope="module")
def sections(standard_run: ReportSources) -> dict[str, Section]:
    return {s.anchor: s for s in build_sections(read_contents(standard_run, PLAIN), "abcd")}


def tables(section: Section) -> list[Table]:
    shown = [block.table if isinstance(block, FoldedTable) else block for block in section.blocks]
    return [block for block in shown if isinstance(block, Table)]


def frame(table: Table) -> pd.DataFrame:
    return pd.DataFrame(list(table.rows), columns=[column.title for column in table.columns])


def texts(section: Section) -> str:
    return " ".join(str(block.text) for block in section.blocks if isinstance(block, Text))


def test_the_page_loads_nothing(written: Path) -> None:
    text = (written / "index.html").read_text()
    for tag, attributes in Page(text).elements:
        for name in ("src", "href", "xlink:href", "srcset", "data", "action", "poster"):
            value = attributes.get(name)
            if value is not None and not (tag == "a" and value == "https://arxiv.org/abs/2510.13188"):
                assert value.startswith(("data:", "#")), (tag, value)
        assert tag not in ("iframe", "object", "embed", "base")
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_the_page_has_every_section_and_navigates_to_it(written: Path) -> None:
    elements = Page((written / "index.html").read_text()).elements
    assert [a["id"] for tag, a in elements if tag == "section"] == list(SECTIONS)
    assert [a["href"] for tag, a in elements if tag == "a"][: len(SECTIONS)] == [f"#{name}" for name in SECTIONS]


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


def test_texts_are_escaped(written: Path) -> None:
    page = (written / "index.html").read_text()
    assert "<title>A &lt;b&gt;title&lt;/b&gt; &amp; more" in page


def test_the_page_carries_its_provenance(written: Path, standard_run: ReportSources) -> None:
    page = (written / "index.html").read_text()
    record = json.loads(re.search(r'id="provenance-record">(.*?)</script>', page, re.DOTALL).group(1))  # type: ignore[union-attr]
    assert record["source"] == "abcd"
    assert record["params"]["n_overlays"] == 2
    assert {"splits", "comparison", "metrics/default/seed_0"} <= set(record["upstream"])
    assert str(standard_run.training) not in page


def test_same_inputs_same_bytes(written: Path, standard_run: ReportSources, tmp_path: Path) -> None:
    params = ReportParams(n_overlays=2, title="A <b>title</b> & more")
    write_report(standard_run, tmp_path / "index.html", tmp_path / "figures", params=params, source="abcd")
    for path in [written / "index.html", *(written / "figures").iterdir()]:
        assert (tmp_path / path.relative_to(written)).read_bytes() == path.read_bytes(), path.name


def test_metrics_shown_are_those_of_the_files(sections: dict[str, Section], standard_run: ReportSources) -> None:
    _, shown, folds = (frame(table) for table in tables(sections["results"]))
    for place, method in enumerate(standard_run.methods):
        metrics = read_metrics(standard_run.metrics(method, 0))
        low, high = metrics["ci95"]["auroc"]
        value = f"{metrics['mean']['auroc']:.3f} ± {metrics['sd']['auroc']:.3f}\n[{low:.3f}, {high:.3f}]"
        assert shown.loc[place, ["method", "AUROC"]].tolist() == [method, value]
        of_method = folds[folds["method"] == method]
        assert of_method["Brier score"].tolist() == [f"{fold['brier']:.3f}" for fold in metrics["folds"]]
        assert of_method["n"].tolist() == [str(fold["n"]) for fold in metrics["folds"]]


def test_comparison_shown_is_that_of_the_file(sections: dict[str, Section], standard_run: ReportSources) -> None:
    shown, file = frame(tables(sections["results"])[0]), read_comparison(standard_run.comparison)
    assert shown["method"].tolist() == file["method"].tolist()
    assert shown["accuracy difference"].tolist() == ["–", "-0.125"]
    assert shown["p (Holm)"].tolist() == ["–", "0.500"]
    assert shown["macro F1"].tolist() == [
        f"{m:.3f} ± {s:.3f}" for m, s in zip(file["macro_f1_mean"], file["macro_f1_sd"], strict=True)
    ]
    assert "no method differs from default" in texts(sections["results"])


def test_cohort_and_slides_are_those_of_the_sheet(sections: dict[str, Section], standard_run: ReportSources) -> None:
    classes, excluded = (frame(table) for table in tables(sections["cohort"]))
    assert classes.to_numpy().tolist() == [
        ["benign", "5", "4", "1", "2", "9"],
        ["malignant", "4", "4", "0", "2", "9"],
        ["all classes", "9", "8", "1", "4", "9"],
    ]
    assert excluded.to_numpy().tolist() == [["x00", "benign", "no tissue"]]
    table = frame(tables(sections["slides"])[0]).set_index("slide")
    assert list(table.index) == [row.slide_id for row in standard_run.slides]
    expected = ["benign", "p0benign", "0.24", "0.24", "0.5000", "9", "25", "108", "9", "in the folds"]
    assert table.loc["s00"].tolist() == expected
    assert table.loc["x00", "status"] == "excluded: no tissue"
    assert table.loc["u00", "class"] == "–"


def test_predictions_shown_are_those_of_the_file(sections: dict[str, Section], standard_run: ReportSources) -> None:
    shown = frame(tables(sections["predictions"])[0])
    file = read_predictions(standard_run.predictions)  # type: ignore[arg-type]
    assert shown["predicted"].tolist() == file["predicted"].tolist()
    assert shown["p benign"].tolist() == [f"{value:.3f}" for value in file["p_benign"]]


def test_graphs_of_methods_without_edges_are_named(sections: dict[str, Section]) -> None:
    assert "without a graph: mean_pool" in texts(sections["graphs"])
    assert "switched off" in texts(sections["graphs"])
    assert set(frame(tables(sections["graphs"])[0])["method"]) == {"default"}


def test_provenance_names_sources_weights_and_the_paper(sections: dict[str, Section]) -> None:
    stages = frame(tables(sections["provenance"])[0]).set_index("stage")
    assert stages.loc["cache_features", "source digest"] == "fedcba9876543210"
    assert "weights painted" in stages.loc["segment_nuclei", "note"]
    assert stages.loc["write_report", "source digest"] == "abcd"
    assert "arXiv:2510.13188" in texts(sections["provenance"])


def test_features_alone_one_fold_one_method_no_unlabelled_slide(build: Build, tmp_path: Path) -> None:
    sources = build(
        with_pictures=False, folds=(0,), methods=("default",), n_unlabelled=0, n_excluded=0, with_comparison=False
    )
    sections = {s.anchor: s for s in build_sections(read_contents(sources, ReportParams(n_overlays=1)), "abcd")}
    assert "features, so none were segmented" in texts(sections["nuclei"])
    assert "No overview pictures" in texts(sections["slides"])
    assert "nothing to compare it with" in texts(sections["results"])
    assert "every slide of the sheet has a label" in texts(sections["predictions"])
    assert "No labelled slide was excluded" in texts(sections["cohort"])
    (picture,) = (figure for figure in sections["graphs"].figures if figure.kind == "png")
    assert picture.caption.endswith("No picture of the slide.")
    assert " ± " not in frame(tables(sections["results"])[0]).loc[0, "accuracy"]


def test_slides_that_cannot_be_read_are_named(standard_run: ReportSources) -> None:
    sources = standard_run
    broken = [replace(row, path=sources.training / "gone.png") if row.path else row for row in sources.slides]
    contents = read_contents(replace(sources, slides=broken), ReportParams(n_overlays=1))
    assert "the slide could not be read: s00" in texts(nuclei(contents, ["s00"]))
    assert "Drawn on white" in texts(graphs(contents, ["s00"]))


def test_no_method_with_a_graph(build: Build) -> None:
    sources = build(methods=("mean_pool",), with_pictures=False)
    assert "no graph to show" in texts(graphs(read_contents(sources, PLAIN), []))


def test_a_history_without_epochs_has_no_curve(build: Build) -> None:
    sources = build(methods=("default", "logistic"), with_pictures=False)
    for fold in sources.folds:
        path = sources.fold_folder("logistic", 0, fold) / "history.csv"
        path.write_text(path.read_text().splitlines()[0] + "\n")
    section = training(read_contents(sources, PLAIN))
    assert [figure.name for figure in section.figures] == ["learning_default"]
    assert "no loss by epoch was kept: logistic" in texts(section)


def test_a_missing_fold_is_named(build: Build, tmp_path: Path) -> None:
    sources = build(with_pictures=False)
    (sources.fold_folder("default", 0, 1) / "predictions.csv").unlink()
    with pytest.raises(ArtefactError, match=r"default/seed_0/fold_1/predictions\.csv"):
        write_report(sources, tmp_path / "page.html", tmp_path / "figures", params=PLAIN, source="abcd")
    assert not (tmp_path / "page.html").exists()


def test_class_names_with_signs_stay_as_they_are(build: Build) -> None:
    sources = build(classes=("<b>$x$</b>", "y & z"), with_pictures=False, methods=("default",))
    drawn = {figure.name: figure.content.decode() for figure in results(read_contents(sources, PLAIN)).figures}
    assert "&lt;b&gt;$x$&lt;/b&gt;" in drawn["confusion_default"]
    assert "y &amp; z" in drawn["confusion_default"]


def test_pictures_have_the_sizes_asked_for(standard_run: ReportSources) -> None:
    params = ReportParams(n_overlays=1, overview_px=100, closeup_px=120, graph_px=200)
    contents = read_contents(standard_run, params)
    drawn = [section(contents, ["s00"]).figures for section in (slides, nuclei, graphs)]
    sizes = {f.name: Image.open(io.BytesIO(f.content)).size for figures in drawn for f in figures if f.kind == "png"}
    assert sizes == {"overview_s00": (100, 100), "nuclei_s00": (120, 120), "graph_default_s00": (200, 200)}


def test_a_class_that_is_excluded_as_a_whole_is_warned_of_and_the_rest_is_shown(build: Build, tmp_path: Path) -> None:
    sources = build(with_pictures=False, lost_class="rare")
    write_report(sources, tmp_path / "r/index.html", tmp_path / "r/figures", params=PLAIN, source="abcd")
    words = " ".join(Page((tmp_path / "r/index.html").read_text()).words)
    assert "1 class is missing from the results" in words
    shown = {section.anchor: section for section in build_sections(read_contents(sources, PLAIN), "abcd")}
    rows = frame(tables(shown["cohort"])[0]).set_index("class")
    assert rows.loc["rare", ["slides", "in folds", "excluded"]].tolist() == ["1", "0", "1"]
    assert rows.loc["all classes", ["slides", "in folds", "excluded"]].tolist() == ["10", "8", "2"]


@pytest.mark.parametrize("label", ["benign", "unheard of"])
def test_a_new_slide_with_a_label_is_predicted_and_neither_trained_on_nor_excluded(build: Build, label: str) -> None:
    sources = build(with_pictures=False, new_label=label, n_unlabelled=0)
    shown = {section.anchor: section for section in build_sections(read_contents(sources, PLAIN), "abcd")}
    rows = frame(tables(shown["cohort"])[0]).set_index("class")
    assert list(rows.index) == ["benign", "malignant", "all classes"]
    assert rows.loc["all classes", "slides"] == "9"
    status = frame(tables(shown["slides"])[0]).set_index("slide")["status"]
    assert status["n00"] == "new slide, whose label nobody trained on"
    predicted = frame(tables(shown["predictions"])[0])
    assert predicted[["slide", "label in the sheet"]].to_numpy().tolist() == [["n00", label]]
    assert set(predicted["predicted"]) <= {"benign", "malignant"}
