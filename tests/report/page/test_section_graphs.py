import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.artefacts.learned_graphs import read_learned_graph
from pipeline.report.contents.report_contents import ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.page.section_graphs import graphs
from pipeline.report.params import ReportParams
from tests.report.page_reading import captions, frame, tables, texts

PLAIN = ReportParams(n_overlays=0)


def kept_edges(contents: ReportContents, slide_id: str) -> int:
    predictions = contents.one_seed("default").set_index("slide_id")
    folder = contents.sources.fold_folder("default", 0, int(predictions.loc[slide_id, "fold"]))
    return int(read_learned_graph(folder / "graphs.zarr", slide_id).kept.sum())


def test_numbers_are_means_over_the_images_of_a_class(standard: ReportContents) -> None:
    (table,) = tables(graphs(standard, []))
    rows = frame(table).set_index("class")
    assert table.marked == {2}, "all classes"
    assert list(rows.index) == ["benign", "malignant", "all classes"]
    assert rows["images"].tolist() == ["4", "4", "8"]
    assert rows["patches"].tolist() == ["9.0"] * 3
    for label in ("benign", "malignant"):
        kept = [kept_edges(standard, slide.row.slide_id) for slide in standard.tested if slide.row.label == label]
        assert rows.loc[label, "kept edges per patch"] == f"{np.mean(kept) / 9:.2f}"
        assert rows.loc[label, "share kept"] == f"{np.mean(kept) / 72:.3f}"


def test_methods_without_edges_are_named(standard: ReportContents, build: Callable[..., ReportSources]) -> None:
    section = graphs(standard, [])
    assert "Without edges, and so without a graph: mean_pool." in texts(section)
    assert set(frame(tables(section)[0])["method"]) == {"default"}
    none = read_contents(build(methods=("mean_pool",), with_pictures=False), PLAIN)
    assert texts(graphs(none, [])) == "No method of this run kept an edge between patches: there is no graph to show."


def test_the_histogram_counts_the_edges_of_every_test_image(standard: ReportContents) -> None:
    total = sum(kept_edges(standard, slide.row.slide_id) for slide in standard.tested)
    caption = captions(graphs(standard, []))["edge_weights_default"]
    assert f"n = {total:,} edges (both directions) of 8 test images" in caption


def test_a_picture_says_what_was_true_and_predicted_and_drawn(standard: ReportContents) -> None:
    predicted = standard.one_seed("default").set_index("slide_id")
    drawn = captions(graphs(replace(standard, params=ReportParams(max_edges=3)), ["s00", "s05", "unknown"]))
    assert list(drawn) == ["edge_weights_default", "node_strength", "graph_default_s00", "graph_default_s05"]
    for slide_id in ("s00", "s05"):
        label, answer = predicted.loc[slide_id, ["label", "predicted"]]
        verdict = "right" if label == answer else "wrong"
        assert drawn[f"graph_default_{slide_id}"] == (
            f"{slide_id}: true {label}, predicted {answer} ({verdict}). 9 patches, 3 of "
            f"{kept_edges(standard, slide_id) // 2} kept pairs drawn."
        )


def test_true_edges_stand_beside_the_learned_ones(standard: ReportContents, tmp_path: Path) -> None:
    (tmp_path / "s00.edges.csv").write_text("x_l0,y_l0,other_x_l0,other_y_l0\n")
    params = ReportParams(true_edges=str(tmp_path))
    drawn = captions(graphs(replace(standard, params=params), ["s00", "s05"]))
    assert list(drawn)[2:] == ["graph_default_s00", "graph_true_s00", "graph_default_s05"]
    assert drawn["graph_true_s00"].startswith("s00: the 0 true edges, 0% of all pairs. 0% of the learned weight")


def test_pictures_have_the_size_asked_for_and_can_be_switched_off(standard: ReportContents) -> None:
    *_, figure = graphs(replace(standard, params=ReportParams(graph_px=200)), ["s00"]).figures
    assert Image.open(io.BytesIO(figure.content)).size == (200, 200)
    section = graphs(replace(standard, params=PLAIN), [])
    assert "No graph is drawn over the tissue: they are switched off (report: n_overlays)." in texts(section)


def test_a_slide_that_cannot_be_read_is_drawn_on_white_and_named(standard: ReportContents) -> None:
    first, *others = standard.cohort
    gone = replace(first, row=replace(first.row, path=standard.sources.training / "gone.png"))
    section = graphs(replace(standard, cohort=(gone, *others)), ["s00"])
    assert "Drawn on white, because the slide could not be read: s00 (" in texts(section)
    assert captions(section)["graph_default_s00"].endswith("No picture of the slide.")


def test_images_of_features_alone_are_drawn_on_white_without_a_word_of_faults(
    build: Callable[..., ReportSources],
) -> None:
    section = graphs(read_contents(build(with_pictures=False), ReportParams()), ["s00"])
    assert captions(section)["graph_default_s00"].endswith("No picture of the slide.")
    assert "could not be read" not in texts(section)


def test_a_reference_without_graph_gives_its_place_to_the_best_method_with_one(
    build: Callable[..., ReportSources],
) -> None:
    contents = read_contents(build(with_pictures=False, methods=("mean_pool", "joint")), ReportParams())
    assert contents.reference == "mean_pool"
    assert list(captions(graphs(contents, ["s00"])))[-1] == "graph_joint_s00"


@pytest.mark.parametrize("n_seeds", [1, 2])
def test_every_image_counts_once_however_many_seeds(build: Callable[..., ReportSources], n_seeds: int) -> None:
    sources = build(with_pictures=False, methods=("default",), seeds=tuple(range(n_seeds)), lost_folds=(4,))
    rows = frame(tables(graphs(read_contents(sources, PLAIN), []))[0])
    assert rows["images"].tolist() == ["4", "4", "8"]
