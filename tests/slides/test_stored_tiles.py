from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline.slides.stored_tiles import NotDirectlyReadableError, StoredLevel, StoredTiles, check_layout, stored_level

WIDTH, HEIGHT, TILE = 70, 50, 32


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture
def path(tmp_path: Path, rgb: np.ndarray) -> Path:
    tifffile.imwrite(tmp_path / "t.tif", rgb, tile=(TILE, TILE), photometric="rgb", compression="deflate")
    return tmp_path / "t.tif"


@pytest.fixture
def level(path: Path) -> StoredLevel:
    with tifffile.TiffFile(path) as file:
        check_layout(file.pages[0])
        return stored_level(file.pages[0])


@pytest.fixture
def tiles(path: Path, level: StoredLevel) -> Iterator[StoredTiles]:
    opened = StoredTiles(path, [level, None])
    yield opened
    opened.close()


@pytest.mark.parametrize("box", [(0, 0, WIDTH, HEIGHT), (31, 31, 2, 2), (60, 40, 10, 10), (5, 7, 1, 1)])
def test_a_box_is_cut_from_its_tiles(tiles: StoredTiles, rgb: np.ndarray, box: tuple[int, int, int, int]) -> None:
    x, y, width, height = box
    assert np.array_equal(tiles.read(0, *box), rgb[y : y + height, x : x + width])


def test_beyond_the_level_is_white(tiles: StoredTiles, rgb: np.ndarray) -> None:
    box = tiles.read(0, -5, 45, 10, 10)
    assert (box[:, :5] == 255).all()
    assert (box[5:] == 255).all()
    assert np.array_equal(box[:5, 5:], rgb[45:, :5])
    assert (tiles.read(0, 500, 500, 3, 3) == 255).all()


def test_only_tiles_that_meet_the_box_are_wanted(level: StoredLevel) -> None:
    assert list(level.tiles_of(0, 0, 32, 32)) == [(0, 0, 0)]
    assert list(level.tiles_of(31, 31, 33, 33)) == [(0, 0, 0), (1, 32, 0), (3, 0, 32), (4, 32, 32)]
    assert list(level.tiles_of(64, 0, 70, 1)) == [(2, 64, 0)]
    assert list(level.tiles_of(5, 5, 5, 9)) == []


def test_a_level_of_strips_and_a_missing_tile_are_not_stored(
    path: Path, tiles: StoredTiles, level: StoredLevel
) -> None:
    with pytest.raises(LookupError, match="level 1"):
        tiles.read(1, 0, 0, 1, 1)
    level.byte_counts[4] = 0
    assert tiles.read(0, 0, 0, 5, 5).shape == (5, 5, 3)
    with pytest.raises(LookupError, match="tile 4 is missing"):
        tiles.read(0, 40, 40, 5, 5)


def test_a_file_cut_within_a_tile(path: Path, level: StoredLevel) -> None:
    last = int(level.offsets.max())
    with path.open("r+b") as file:
        file.truncate(last + 3)
    cut = StoredTiles(path, [level])
    with pytest.raises(EOFError, match="ends within tile"):
        cut.read(0, 0, 0, WIDTH, HEIGHT)
    cut.close()


@pytest.mark.parametrize(
    "layout",
    [{"photometric": "minisblack"}, {"photometric": "rgb", "planarconfig": "separate"}],
    ids=["grey", "planes"],
)
def test_other_samples_than_rgb_are_left_to_openslide(tmp_path: Path, layout: dict[str, str]) -> None:
    planes = np.zeros((3, 64, 64) if "planarconfig" in layout else (64, 64), np.uint8)
    tifffile.imwrite(tmp_path / "t.tif", planes, tile=(TILE, TILE), **layout)
    with tifffile.TiffFile(tmp_path / "t.tif") as file, pytest.raises(NotDirectlyReadableError, match="8-bit samples"):
        check_layout(file.pages[0])
