from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts import tiles as tile_table
from pipeline.artefacts.tables import empty_frame
from pipeline.artefacts.tile_coords import read_tile_coords
from pipeline.errors import ArtefactError
from pipeline.provenance import record
from pipeline.report.coordinates.coords_files import write_clam_coords, write_trident_coords

WIDTH, HEIGHT = 30_000, 20_000


def grid(slide_mpp: float, *, tile_px: int = 512, mpp: float = 0.5, columns: int = 4) -> pd.DataFrame:
    """A row of tiles of which the second is dropped."""
    width_l0 = tile_px * mpp / slide_mpp
    number = np.arange(columns)
    frame = empty_frame(tile_table.COLUMNS).reindex(range(columns))
    return frame.assign(
        tile_id=number,
        x_l0=np.rint(number * width_l0).astype(np.int64),
        y_l0=0,
        width_l0=width_l0,
        tile_px=tile_px,
        mpp=mpp,
        tissue_fraction=1.0,
        kept=number != 1,
        reason=np.where(number != 1, "", "no tissue"),
        row=0,
        col=number,
    )


def header_of(slide_mpp: float | None, **changes: object) -> dict[str, object]:
    header = tile_table.TileHeader(
        slide_id="s1",
        slide_mpp=slide_mpp,
        width_l0=WIDTH,
        height_l0=HEIGHT,
        reason=None,
        provenance=record(params={}, source="t"),
    )
    return header.plain() | changes


def attributes(path: Path) -> dict[str, object]:
    with h5py.File(path) as file:
        return dict(file["coords"].attrs)


def test_trident_file_of_a_40x_slide_has_the_attributes_and_types_that_trident_writes(tmp_path):
    path = tmp_path / "s1_patches.h5"
    write_trident_coords(path, grid(0.25), header_of(0.25, overlap_px=64))
    with h5py.File(path) as file:
        assert list(file) == ["coords"]
        assert file["coords"].dtype == np.int64
        assert file["coords"][:].tolist() == [[0, 0], [2048, 0], [3072, 0]]
    expected = {
        "patch_size": 512,
        "patch_size_level0": 1024,
        "level0_magnification": 40,
        "target_magnification": 20,
        "overlap": 64,
        "name": "s1",
        "level0_width": WIDTH,
        "level0_height": HEIGHT,
    }
    attrs = attributes(path)
    assert {name: attrs[name] for name in expected} == expected
    assert "savetodir" in attrs
    assert all(np.asarray(attrs[name]).dtype.kind == "i" for name, value in expected.items() if name != "name")


@pytest.mark.parametrize("slide_mpp", [0.1721, 0.2201, 0.2502, 0.265, 0.4658, 0.5021, 1.01])
@pytest.mark.parametrize(("tile_px", "mpp"), [(512, 0.5), (256, 1.0), (224, 0.5)])
def test_tissue_that_trident_reads_is_that_of_the_tile_on_any_scanner(tmp_path, slide_mpp, tile_px, mpp):
    path = tmp_path / "s1.h5"
    write_trident_coords(path, grid(slide_mpp, tile_px=tile_px, mpp=mpp), header_of(slide_mpp))
    attrs = attributes(path)
    side_read = round(attrs["patch_size"] * (10 / attrs["target_magnification"]) / (10 / attrs["level0_magnification"]))
    assert side_read == attrs["patch_size_level0"]
    assert side_read * slide_mpp == pytest.approx(tile_px * mpp, abs=0.5 * slide_mpp)


def test_nominal_magnifications_would_have_shown_six_per_cent_more(tmp_path):
    write_trident_coords(tmp_path / "s1.h5", grid(0.265), header_of(0.265))
    attrs = attributes(tmp_path / "s1.h5")
    assert attrs["level0_magnification"] == pytest.approx(37.7358, abs=1e-4)
    assert (attrs["target_magnification"], attrs["patch_size_level0"]) == (20, 966)


@pytest.mark.parametrize("slide_mpp", [0.2201, 0.25, 0.265])
def test_trident_file_comes_back_exact(tmp_path, slide_mpp):
    tiles = grid(slide_mpp)
    write_trident_coords(tmp_path / "s1.h5", tiles, header_of(slide_mpp, overlap_px=64))
    read = read_tile_coords(tmp_path / "s1.h5")
    assert read.coords.tolist() == tiles.loc[tiles["kept"], ["x_l0", "y_l0"]].to_numpy().tolist()
    assert read.coords.dtype == np.int64
    assert read.width_l0 == pytest.approx(tiles["width_l0"][0], rel=1e-12)
    assert (read.tile_px, read.mpp, read.overlap_px, read.style) == (512, 0.5, 64, "trident")


def test_clam_file_names_level_0_where_no_level_has_the_tiles_resolution(tmp_path):
    write_clam_coords(tmp_path / "s1.h5", grid(0.265), header_of(0.265), [(WIDTH, HEIGHT), (7500, 5000)])
    attrs = attributes(tmp_path / "s1.h5")
    assert (attrs["patch_level"], attrs["patch_size"], attrs["name"]) == (0, 966, "s1")
    assert attrs["downsample"].tolist() == [1, 1]
    assert attrs["level_dim"].tolist() == attrs["downsampled_level_dim"].tolist() == [WIDTH, HEIGHT]
    assert "save_path" in attrs
    read = read_tile_coords(tmp_path / "s1.h5")
    assert (read.width_l0, read.tile_px, read.style) == (966.0, 512, "clam")


def test_clam_file_names_the_level_that_fits(tmp_path):
    levels = [(WIDTH, HEIGHT), (WIDTH // 2, HEIGHT // 2), (WIDTH // 8, HEIGHT // 8)]
    write_clam_coords(tmp_path / "s1.h5", grid(0.25), header_of(0.25), levels)
    attrs = attributes(tmp_path / "s1.h5")
    assert (attrs["patch_level"], attrs["patch_size"]) == (1, 512)
    assert attrs["downsample"].tolist() == [2, 2]
    assert attrs["level_dim"].tolist() == [15_000, 10_000]
    read = read_tile_coords(tmp_path / "s1.h5")
    assert (read.width_l0, read.tile_px) == (1024.0, 512)
    assert read.coords.tolist() == [[0, 0], [2048, 0], [3072, 0]]


@pytest.mark.parametrize("write", [write_trident_coords, write_clam_coords])
def test_the_same_table_gives_the_same_bytes(tmp_path, write):
    for name in ("a.h5", "b.h5"):
        write(tmp_path / name, grid(0.265), header_of(0.265))
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.h5"]


@pytest.mark.parametrize("write", [write_trident_coords, write_clam_coords])
@pytest.mark.parametrize("tiles", [grid(0.25).assign(kept=False), empty_frame(tile_table.COLUMNS)])
def test_a_slide_without_tiles_gives_a_file_of_none(tmp_path, write, tiles, caplog):
    unread = {} if len(tiles) else {"width_l0": 0, "height_l0": 0}
    write(tmp_path / "s1.h5", tiles, header_of(0.25 if len(tiles) else None, reason="no tissue found", **unread))
    assert read_tile_coords(tmp_path / "s1.h5").coords.shape == (0, 2)
    assert "slide s1: no tile is kept (no tissue found)" in caplog.text


def test_tiles_of_two_sizes_do_not_fit_in_one_file(tmp_path):
    tiles = grid(0.25)
    tiles.loc[3, "width_l0"] = 2048.0
    with pytest.raises(ArtefactError, match="slide s1: expected tiles of one size and resolution, found 2 kinds"):
        write_trident_coords(tmp_path / "s1.h5", tiles, header_of(0.25))
    assert not (tmp_path / "s1.h5").exists()
