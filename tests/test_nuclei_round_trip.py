"""Nuclei that leave for QuPath and come back give the same features."""

from typing import get_args

import numpy as np
import pytest

from pipeline.artefacts.features import read_features
from pipeline.artefacts.nuclei import COLUMNS, read_nuclei
from pipeline.artefacts.tables import write_table
from pipeline.artefacts.tiles import TileHeader, read_tiles, write_tiles
from pipeline.cellgraph.build_cell_graphs import build_cell_graphs
from pipeline.cellgraph.cache_features import SlideArtefacts, cache_features
from pipeline.cellgraph.params import CellGraphParams, FeatureBlock, FeatureParams
from pipeline.nuclei.import_nuclei import import_nuclei
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segment_nuclei import segment_nuclei
from pipeline.report.export_geojson import export_geojson
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tile_slide import tile_slide
from tests.nuclei.conftest import *  # noqa: F403

BLOCKS = get_args(FeatureBlock)


@pytest.fixture
def found(tissue_png, tmp_path, bounds):
    """Tiles and typed nuclei of a painted slide, whose scanned part has ``bounds``."""
    tiles, nuclei = tmp_path / "t.parquet", tmp_path / "n.parquet"
    params = TilingParams(tile_px=64, qc_min_focus=0, min_tissue_fraction=0)
    reading = {"slide_id": "s", "on_bad_slide": "stop", "source": "x"}
    tile_slide(tissue_png, tiles, None, mpp=0.5, mask_path=None, params=params, **reading)
    if bounds is not None:
        table = read_tiles(tiles)
        header = {name: value for name, value in table.header.items() if name not in ("kind", "format_version")}
        write_tiles(tiles, table.frame, TileHeader(**header | {"bounds_l0": bounds}))
    segment_nuclei(tissue_png, tiles, nuclei, params=NucleiParams(segmenter="watershed"), **reading)
    table = read_nuclei(nuclei)
    types = np.resize(np.array(["Neoplastic", "Dead", None], dtype=object), len(table.frame))
    write_table(nuclei, table.frame.assign(type=types), COLUMNS, table.header)
    return tiles, nuclei


def features(tiles, nuclei, folder, kind):
    graphs = folder / "g.zarr"
    build_cell_graphs(tiles, nuclei, graphs, slide_id="s", params=CellGraphParams(kind=kind), source="x")
    artefacts = SlideArtefacts("s", tiles, nuclei, graphs)
    cache_features(artefacts, folder / "f.zarr", FeatureParams(min_nuclei=3, blocks=BLOCKS), "x")
    return read_features(folder / "f.zarr")


@pytest.mark.parametrize("bounds", [None, (13, 7, 200, 200)])
@pytest.mark.parametrize("kind", ["orientation", "paper"])
def test_the_features_are_the_same_to_the_sixth_digit(found, tmp_path, kind):
    tiles, nuclei = found
    sent, back = tmp_path / "n.geojson.gz", tmp_path / "back.parquet"
    export_geojson(tiles, nuclei, None, sent, tmp_path / "p.geojson", slide_id="s")
    import_nuclei(tiles, sent, back, slide_id="s", source="x")
    assert len(read_nuclei(back).frame) == len(read_nuclei(nuclei).frame) > 40
    before = features(tiles, nuclei, tmp_path / "before", kind)
    after = features(tiles, back, tmp_path / "after", kind)
    assert after.feature_names == before.feature_names
    np.testing.assert_array_equal(after.coords, before.coords)
    np.testing.assert_allclose(after.features, before.features, rtol=1e-6, atol=1e-6)
