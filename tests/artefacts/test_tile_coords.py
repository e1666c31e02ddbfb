from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts import tiles as tile_table
from pipeline.artefacts.tables import empty_frame
from pipeline.artefacts.tile_coords import read_tile_coords, write_clam_coords, write_trident_coords
from pipeline.errors import ArtefactError
from pipeline.provenance import record

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


def write_coords(path: Path, coords: object, **attrs: object) -> Path:
    with h5py.File(path, "w") as file:
        file["coords"] = np.asarray(coords)
        file["coords"].attrs.update(attrs)
    return path


TWO = [[0, 0], [1024, 512]]


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
    found = attributes(path)
    assert {name: found[name] for name in expected} == expected
    assert "savetodir" in found
    assert all(np.asarray(found[name]).dtype.kind == "i" for name, value in expected.items() if name != "name")


@pytest.mark.parametrize("slide_mpp", [0.1721, 0.2201, 0.2502, 0.265, 0.4658, 0.5021, 1.01])
@pytest.mark.parametrize(("tile_px", "mpp"), [(512, 0.5), (256, 1.0), (224, 0.5)])
def test_tissue_that_trident_reads_is_that_of_the_tile_on_any_scanner(tmp_path, slide_mpp, tile_px, mpp):
    path = tmp_path / "s1.h5"
    write_trident_coords(path, grid(slide_mpp, tile_px=tile_px, mpp=mpp), header_of(slide_mpp))
    found = attributes(path)
    side_read = round(found["patch_size"] * (10 / found["target_magnification"]) / (10 / found["level0_magnification"]))
    assert side_read == found["patch_size_level0"]
    assert side_read * slide_mpp == pytest.approx(tile_px * mpp, abs=0.5 * slide_mpp)


def test_nominal_magnifications_would_have_shown_six_per_cent_more(tmp_path):
    write_trident_coords(tmp_path / "s1.h5", grid(0.265), header_of(0.265))
    found = attributes(tmp_path / "s1.h5")
    assert found["level0_magnification"] == pytest.approx(37.7358, abs=1e-4)
    assert (found["target_magnification"], found["patch_size_level0"]) == (20, 966)


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
    found = attributes(tmp_path / "s1.h5")
    assert (found["patch_level"], found["patch_size"], found["name"]) == (0, 966, "s1")
    assert found["downsample"].tolist() == [1, 1]
    assert found["level_dim"].tolist() == found["downsampled_level_dim"].tolist() == [WIDTH, HEIGHT]
    assert "save_path" in found
    read = read_tile_coords(tmp_path / "s1.h5")
    assert (read.width_l0, read.tile_px, read.style) == (966.0, 512, "clam")


def test_clam_file_names_the_level_that_fits(tmp_path):
    levels = [(WIDTH, HEIGHT), (WIDTH // 2, HEIGHT // 2), (WIDTH // 8, HEIGHT // 8)]
    write_clam_coords(tmp_path / "s1.h5", grid(0.25), header_of(0.25), levels)
    found = attributes(tmp_path / "s1.h5")
    assert (found["patch_level"], found["patch_size"]) == (1, 512)
    assert found["downsample"].tolist() == [2, 2]
    assert found["level_dim"].tolist() == [15_000, 10_000]
    read = read_tile_coords(tmp_path / "s1.h5")
    assert (read.width_l0, read.tile_px) == (1024.0, 512)
    assert read.coords.tolist() == [[0, 0], [2048, 0], [3072, 0]]


@pytest.mark.parametrize(
    ("attrs", "width_l0", "tile_px", "style"),
    [
        # TRIDENT, 40x slide to 20x.
        (
            {"patch_size": 256, "patch_size_level0": 512, "level0_magnification": 40, "target_magnification": 20},
            512,
            256,
            "trident",
        ),
        # It cuts the side to whole pixels: 256 * 40 / 15 = 682.67.
        (
            {"patch_size": 256, "patch_size_level0": 682, "level0_magnification": 40, "target_magnification": 15},
            256 * 40 / 15,
            256,
            "trident",
        ),
        # Forks: magnifications unset; um/px instead of them; neither side nor magnification.
        (
            {"patch_size": 224, "patch_size_level0": 448, "level0_magnification": -1, "target_magnification": -1},
            448,
            224,
            "trident",
        ),
        ({"patch_size": 512, "target_mpp": 0.5, "level0_mpp": 0.265}, 512 * 0.5 / 0.265, 512, "other"),
        ({"patch_size": 512, "level0_magnification": 40, "target_magnification": 10}, 2048, 512, "trident"),
        ({"patch_size_level0": 300}, 300, None, "trident"),
        # CLAM: level 1 of a pyramid of 4, with the downsample for x and y, as one number, and at level 0 without it.
        ({"patch_size": 256, "patch_level": 1, "downsample": (4.0, 4.0)}, 1024, 256, "clam"),
        ({"patch_size": 256, "patch_level": 1, "downsample": 4.0}, 1024, 256, "clam"),
        ({"patch_size": 256, "patch_level": 0}, 256, 256, "clam"),
        ({"patch_size": 256, "patch_level": 0, "custom_downsample": 2}, 512, 256, "clam"),
    ],
)
def test_files_of_others_tell_how_much_tissue_a_tile_shows(tmp_path, attrs, width_l0, tile_px, style):
    read = read_tile_coords(write_coords(tmp_path / "s.h5", TWO, **attrs))
    assert read.coords.tolist() == TWO
    assert read.width_l0 == pytest.approx(width_l0)
    assert (read.tile_px, read.style) == (tile_px, style)


@pytest.mark.parametrize(
    "attrs",
    [
        {},
        {"patch_size": 256},
        {"patch_size": 256, "patch_level": 1},
        {"patch_size": 256, "level0_magnification": 40},
        {"patch_size": 256, "level0_magnification": -1, "target_magnification": 20},
    ],
)
def test_a_size_that_cannot_be_known_is_refused(tmp_path, attrs):
    path = write_coords(tmp_path / "s.h5", TWO, **attrs)
    with pytest.raises(ArtefactError, match=r"s\.h5: how much tissue a tile shows cannot be known"):
        read_tile_coords(path)


def test_a_side_that_contradicts_the_magnifications_is_taken_and_told(tmp_path, caplog):
    attrs = {"patch_size": 512, "patch_size_level0": 966, "level0_magnification": 40, "target_magnification": 20}
    read = read_tile_coords(write_coords(tmp_path / "s.h5", TWO, **attrs))
    assert read.width_l0 == 966
    assert "patch_size_level0 is 966 px, the magnifications say 1024" in caplog.text


@pytest.mark.parametrize("coords", [[[0.5, 0]], [0, 1, 2], [[1, 2, 3]], [[b"a", b"b"]]])
def test_coordinates_that_are_not_level_0_pixels_are_refused(tmp_path, coords):
    path = write_coords(tmp_path / "s.h5", coords, patch_size_level0=256)
    with pytest.raises(ArtefactError, match=r"'coords' \(N, 2\) in whole level-0 pixels"):
        read_tile_coords(path)


def test_whole_numbers_stored_as_fractions_and_a_batch_axis_are_read(tmp_path):
    path = write_coords(tmp_path / "s.h5", np.array([TWO], np.float32), patch_size_level0=256)
    assert read_tile_coords(path).coords.tolist() == TWO


def test_a_missing_and_a_foreign_file_are_refused(tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["features"] = np.zeros((2, 2))
    for name in ("none.h5", "text.h5", "other.h5"):
        with pytest.raises(ArtefactError, match="TRIDENT or CLAM with the dataset 'coords'"):
            read_tile_coords(tmp_path / name)


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
