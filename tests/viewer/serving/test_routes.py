import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.artefacts.nuclei import read_nuclei
from pipeline.viewer.serving.server import ViewerServer
from tests.report.slide_tables import SLIDE_MPP, SLIDE_PX, TILE_PX


def answer(server: ViewerServer, address: str) -> Any:
    return json.loads(server.routes.answer(address).content)


def default_model(server: ViewerServer) -> int:
    """Number of the reference method's model of slide s00."""
    return next(i for i, m in enumerate(answer(server, "slides/s00")["models"]) if m["method"] == "default")


def test_slides_are_listed_with_how_often_they_were_wrong(server: ViewerServer) -> None:
    slides = {slide["slide"]: slide for slide in answer(server, "slides")["slides"]}
    assert set(slides) == {*(f"s{number:02d}" for number in range(8)), "u00", "x00"}
    assert slides["s00"]["label"] == "benign"
    assert slides["s00"]["n_models"] == 2
    models = answer(server, "slides/s00")["models"]
    assert slides["s00"]["n_wrong"] == sum(model["predicted"] != "benign" for model in models)


def test_a_slide_tells_its_size_layers_and_models_and_no_path(server: ViewerServer, outdir: Path) -> None:
    facts = answer(server, "slides/s00")
    assert (facts["width"], facts["height"], facts["mpp"]) == (SLIDE_PX, SLIDE_PX, SLIDE_MPP)
    assert facts["layers"] == {"tiles": True, "nuclei": True, "cell_graph": True}
    assert [model["method"] for model in facts["models"]] == ["default", "mean_pool"]
    assert len(facts["patches"]["corners"]) == 9
    assert str(outdir) not in json.dumps(facts)


def test_tissue_is_the_slide(server: ViewerServer, outdir: Path) -> None:
    levels = answer(server, "slides/s00")["levels"]
    tile = server.routes.answer(f"slides/s00/tissue/{levels - 1}/0_0.jpg").content
    found = np.asarray(Image.open(io.BytesIO(tile)), float)
    expected = np.asarray(Image.open(outdir / "slides/s00.png").convert("RGB"), float)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 4
    coarse = Image.open(io.BytesIO(server.routes.answer(f"slides/s00/tissue/{levels - 3}/0_0.jpg").content))
    assert coarse.size == (SLIDE_PX // 4, SLIDE_PX // 4)


def test_nuclei_of_a_region_are_those_that_lie_in_it(server: ViewerServer, outdir: Path) -> None:
    x0, y0, side = TILE_PX, TILE_PX, TILE_PX
    nuclei = answer(server, f"slides/s00/nuclei?box={x0},{y0},{x0 + side},{y0 + side}&px=500")["nuclei"]
    frame = read_nuclei(outdir / "nuclei/s00.parquet").frame
    inside = frame["x_um"].between(x0 * SLIDE_MPP, (x0 + side) * SLIDE_MPP) & frame["y_um"].between(
        y0 * SLIDE_MPP, (y0 + side) * SLIDE_MPP
    )
    assert nuclei["row"] == frame.index[inside].tolist()
    assert len(nuclei["row"]) == 12
    assert nuclei["axis"] == pytest.approx(frame["orientation_rad"][inside].tolist(), abs=1e-3)
    for x, y, outline in zip(nuclei["x"], nuclei["y"], nuclei["outline"], strict=True):
        assert np.mean(outline, axis=0) == pytest.approx([x, y], abs=1.5)


def test_edges_of_the_cell_graph_begin_in_the_region(server: ViewerServer) -> None:
    whole = answer(server, f"slides/s00/cell_graph?box=0,0,{SLIDE_PX},{SLIDE_PX}")
    assert len(whole["x0"]) == 9 * 11
    tile = answer(server, f"slides/s00/cell_graph?box={TILE_PX},{TILE_PX},{2 * TILE_PX},{2 * TILE_PX}")
    assert len(tile["x0"]) == 11
    assert max(tile["x0"]) <= 2 * TILE_PX * SLIDE_MPP


def test_learned_edges_of_a_region_have_an_end_in_it_and_are_among_the_heaviest(server: ViewerServer) -> None:
    model = default_model(server)
    whole = answer(server, f"slides/s00/models/{model}/graph")
    assert whole["weight"] == sorted(whole["weight"], reverse=True)
    everything = answer(server, f"slides/s00/models/{model}/graph?box=0,0,{SLIDE_PX},{SLIDE_PX}&heaviest=99")
    assert len(everything["a"]) == len(whole["weight"]) == everything["n_pairs"]
    first = answer(
        server, f"slides/s00/models/{model}/graph?box={TILE_PX},{TILE_PX},{2 * TILE_PX},{2 * TILE_PX}&heaviest=99"
    )
    assert {0} <= {*first["a"]}
    assert all(0 in pair for pair in zip(first["a"], first["b"], strict=True))
    heavy = answer(server, f"slides/s00/models/{model}/graph?box=0,0,{SLIDE_PX},{SLIDE_PX}&heaviest=3")
    assert len(heavy["a"]) == 3


def test_strength_is_the_sum_of_the_weights_that_touch_a_patch(server: ViewerServer) -> None:
    model = default_model(server)
    told = answer(server, f"slides/s00/models/{model}/graph")
    pairs = answer(server, f"slides/s00/models/{model}/graph?box=0,0,{SLIDE_PX},{SLIDE_PX}&heaviest=99")
    of_first = sum(w for a, b, w in zip(pairs["a"], pairs["b"], pairs["weight"], strict=True) if 0 in (a, b))
    assert told["strength"][0] == pytest.approx(of_first, abs=1e-3)


def test_evidence_names_who_spoke(server: ViewerServer) -> None:
    told = answer(server, f"slides/s00/models/{default_model(server)}/evidence")
    order = [8, 7, 6, 5] if told["predicted"] == "benign" else [0, 1, 2, 3]
    assert told["for"] == order
    assert told["features"][str(order[0])] == [["second", -1.0], ["first", 0.5]]
    graph = answer(server, f"slides/s00/models/{default_model(server)}/graph")
    assert len(told["edge"]) == len(graph["weight"])


def test_a_method_without_graph_or_evidence_has_none(server: ViewerServer) -> None:
    other = 1 - default_model(server)
    assert answer(server, f"slides/s00/models/{other}/graph")["weight"] == []
    assert answer(server, f"slides/s00/models/{other}/evidence") is None


def test_features_in_which_two_patches_differ_come_first(server: ViewerServer) -> None:
    told = answer(server, "slides/s00/features?nodes=0,3")
    gaps = [abs(one - other) for one, other in (feature["values"] for feature in told)]
    assert gaps == sorted(gaps, reverse=True)
    assert len(told) == 3


def test_a_slide_that_nobody_predicts_has_its_tiles(server: ViewerServer) -> None:
    facts = answer(server, "slides/x00")
    assert facts["models"] == []
    assert facts["reason"] == "no tissue"
    assert not any(answer(server, "slides/x00/tiles")["kept"])
