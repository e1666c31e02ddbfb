from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.artefacts.tile_coords import SlideOfCoords, read_tile_coords
from pipeline.errors import ArtefactError, ImportedFileError


def write_coords(path: Path, coords: object, **attrs: object) -> Path:
    with h5py.File(path, "w") as file:
        file["coords"] = np.asarray(coords)
        file["coords"].attrs.update(attrs)
    return path


TWO = [[0, 0], [1024, 512]]


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


def test_a_side_that_contradicts_the_magnifications_is_taken_and_told(tmp_path):
    attrs = {"patch_size": 512, "patch_size_level0": 966, "level0_magnification": 40, "target_magnification": 20}
    read = read_tile_coords(write_coords(tmp_path / "s.h5", TWO, **attrs))
    assert read.width_l0 == 966
    (caution,) = read.cautions
    assert "966 level-0 px (patch_size_level0) and by its magnifications 1024" in caution


def test_what_a_file_says_of_its_slide(tmp_path):
    attrs = {"patch_size_level0": 512, "level0_mpp": 0.25, "level0_magnification": 40.0, "level0_width": 900}
    read = read_tile_coords(write_coords(tmp_path / "s.h5", TWO, **attrs, level0_height=700))
    assert read.slide == SlideOfCoords(0.25, 40.0, (900, 700))
    assert read.cautions == ()
    assert read_tile_coords(write_coords(tmp_path / "t.h5", TWO, **attrs)).slide.size_l0 is None


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


@pytest.mark.parametrize(
    ("coords", "words"),
    [
        ([[0, 0], [0, 0]], "place .0, 0. of row 0 again in row 1 of 2"),
        ([[0, 0], [np.nan, 0]], "NaN or infinity in row 1 of 2"),
        ([[0, 0, 256, 256]], "look like boxes"),
        (np.array([[2**64 - 256, 0]], np.uint64), "in an unsigned type"),
    ],
)
def test_places_are_checked_as_those_of_features(tmp_path, coords, words):
    with pytest.raises(ImportedFileError, match=words):
        read_tile_coords(write_coords(tmp_path / "s.h5", coords, patch_size_level0=256))


@pytest.mark.parametrize("level", ["None", b"None", h5py.Empty("i8"), [0, 3]])
def test_a_level_that_is_none_says_so(tmp_path, level):
    with pytest.raises(ImportedFileError, match=r"cannot be known|a number in attribute 'patch_level'"):
        read_tile_coords(write_coords(tmp_path / "s.h5", TWO, patch_size=256, patch_level=level))


def test_numbers_in_text_and_in_arrays_of_one_are_numbers(tmp_path):
    read = read_tile_coords(write_coords(tmp_path / "s.h5", TWO, patch_size=b"256", patch_level=[0]))
    assert (read.width_l0, read.tile_px) == (256, 256)


def test_the_size_of_the_slide_may_be_text(tmp_path):
    path = write_coords(tmp_path / "s.h5", TWO, patch_size_level0=256, level0_width=4000, level0_height="3000")
    assert read_tile_coords(path).slide.size_l0 == (4000, 3000)
