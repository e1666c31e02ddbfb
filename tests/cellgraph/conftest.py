import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts import nuclei as nuclei_artefact
from pipeline.artefacts import tiles as tiles_artefact
from pipeline.artefacts.nuclei import PAPER_MEASURES
from pipeline.artefacts.tables import empty_frame
from pipeline.provenance import record

TILE_PX, MPP, SLIDE_MPP = 100, 0.5, 0.25
TILE_UM = TILE_PX * MPP


@pytest.fixture
def tile_frame():
    """A row of tiles of 50 um; ``kept`` says which."""

    def make(kept):
        n = len(kept)
        width_l0 = TILE_UM / SLIDE_MPP
        return pd.DataFrame(
            {
                "tile_id": np.arange(n),
                "x_l0": (np.arange(n) * width_l0).astype(int),
                "y_l0": np.zeros(n, int),
                "width_l0": np.full(n, width_l0),
                "tile_px": np.full(n, TILE_PX),
                "mpp": np.full(n, MPP),
                "tissue_fraction": np.ones(n),
                **dict.fromkeys(tiles_artefact.QC_COLUMNS, np.nan),
                "kept": np.array(kept, bool),
                "reason": ["" if k else "tissue" for k in kept],
                "row": np.zeros(n, int),
                "col": np.arange(n),
            }
        )

    return make


@pytest.fixture
def nucleus_frame():
    """``counts[t]`` nuclei at random in tile t, of random shape, from a seed; rows shuffled over the tiles."""

    def make(counts, seed=0):
        random = np.random.default_rng(seed)
        tile = random.permutation(np.repeat(np.arange(len(counts)), counts))
        n = len(tile)
        frame = pd.DataFrame({name: random.uniform(1.0, 9.0, n) for name in PAPER_MEASURES})
        return frame.assign(
            nucleus_id=np.arange(n),
            tile_id=tile,
            x_um=tile * TILE_UM + random.uniform(0, TILE_UM, n),
            y_um=random.uniform(0, TILE_UM, n),
            orientation_rad=random.uniform(0, np.pi, n),
            orientation_reliability=random.uniform(0, 1, n),
            convexity=random.uniform(0.9, 1, n),
            mean_haematoxylin=random.uniform(0.1, 1, n),
            sd_haematoxylin=random.uniform(0, 0.2, n),
            eccentricity=random.uniform(0.3, 0.95, n),
            solidity=0.9,
            contour_um=b"",
        )

    return make


@pytest.fixture
def write_slide(tmp_path):
    """Write a tile and a nucleus table (None: empty with ``reason``) and return their paths."""

    def write(tiles, nuclei, *, slide_id="S1", tiles_reason=None, nuclei_reason=None, unreadable=()):
        paths = tmp_path / "tiles.parquet", tmp_path / "nuclei.parquet"
        tiles = empty_frame(tiles_artefact.COLUMNS) if tiles is None else tiles
        nuclei = empty_frame(nuclei_artefact.COLUMNS) if nuclei is None else nuclei
        tiles_artefact.write_tiles(
            paths[0],
            tiles,
            tiles_artefact.TileHeader(
                slide_id=slide_id,
                slide_mpp=SLIDE_MPP,
                width_l0=1000,
                height_l0=200,
                reason=tiles_reason,
                provenance=record(params={"tile_px": TILE_PX}, source="t"),
            ),
        )
        nuclei_artefact.write_nuclei(
            paths[1],
            nuclei,
            nuclei_artefact.NucleusHeader(
                slide_id=slide_id,
                slide_mpp=SLIDE_MPP,
                mpp=MPP,
                weights="none",
                weights_digest="0",
                reason=nuclei_reason,
                unreadable_tiles=unreadable,
                provenance=record(params={"flow_threshold": 0.4}, source="n"),
            ),
        )
        return paths

    return write
