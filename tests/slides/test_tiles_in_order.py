import threading
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import SlideError
from pipeline.slides.reader import SlideReader, open_slide
from pipeline.slides.tiles_in_order import iterate_tiles


@pytest.fixture
def tiles() -> pd.DataFrame:
    corners = [(x, y) for y in range(0, 600, 100) for x in range(0, 800, 100)]
    return pd.DataFrame(corners, columns=["x_l0", "y_l0"]).assign(width_l0=100.0, tile_px=100)[::-1]


@pytest.mark.parametrize("prefetch", [0, 1, 3, 100])
def test_every_tile_once_in_order_whatever_the_prefetch(
    pyramid: Path, picture: np.ndarray, tiles: pd.DataFrame, prefetch: int
) -> None:
    with open_slide(pyramid, slide_id="a") as slide:
        found = list(iterate_tiles(slide, tiles, prefetch=prefetch))
    assert [position for position, _ in found] == list(range(len(tiles)))
    for (_, pixels), x, y in zip(found, tiles["x_l0"], tiles["y_l0"], strict=True):
        np.testing.assert_array_equal(pixels, picture[y : y + 100, x : x + 100])


def test_halo_surrounds_the_tile(pyramid: Path, picture: np.ndarray) -> None:
    tiles = pd.DataFrame({"x_l0": [100, 0], "y_l0": [200, 0], "width_l0": 100.0, "tile_px": 50})
    with open_slide(pyramid, slide_id="a") as slide:
        (_, inner), (_, corner) = iterate_tiles(slide, tiles, halo_px=8)
        direct = slide.read_box(84, 184, 132, 132, width_px=66, height_px=66)
    assert inner.shape == (66, 66, 3)
    np.testing.assert_array_equal(inner, direct)
    assert (corner[:8] == 255).all()
    assert (corner[:, :8] == 255).all()


def test_no_tiles(pyramid: Path, tiles: pd.DataFrame) -> None:
    with open_slide(pyramid, slide_id="a") as slide:
        assert list(iterate_tiles(slide, tiles.iloc[:0])) == []


def test_never_more_than_prefetch_are_read_ahead(
    pyramid: Path, tiles: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []
    read_box = SlideReader.read_box

    def counted(self: SlideReader, *place: float, **size: int) -> np.ndarray:
        begun.append(place)
        return read_box(self, *place, **size)

    monkeypatch.setattr(SlideReader, "read_box", counted)
    with open_slide(pyramid, slide_id="a") as slide:
        for position, _ in iterate_tiles(slide, tiles, prefetch=3):
            assert len(begun) <= position + 3
            if position == 5:
                break
    assert len(begun) <= 8


def test_an_error_reaches_the_caller(pyramid: Path, tiles: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: SlideReader, *place: float, **size: int) -> np.ndarray:
        raise SlideError("damaged")

    monkeypatch.setattr(SlideReader, "read_box", fail)
    with open_slide(pyramid, slide_id="a") as slide, pytest.raises(SlideError, match="damaged"):
        list(iterate_tiles(slide, tiles))


def test_tiles_left_half_way_can_be_let_go_by_a_thread_that_reads_them() -> None:
    """Garbage is collected in whatever thread makes the next object."""
    done: Future[None] = Future()

    class Slide:
        def read_box(self, x_l0: float, *_: float, width_px: int, height_px: int) -> np.ndarray:
            if x_l0 > 0:
                left.wait(10)
                try:
                    done.set_result(tiles.close())
                except BaseException as error:
                    done.set_exception(error)
            return np.zeros((height_px, width_px, 3), np.uint8)

    left = threading.Event()
    table = pd.DataFrame({"x_l0": [0, 64], "y_l0": [0, 0], "width_l0": [64, 64], "tile_px": [64, 64]})
    tiles = iterate_tiles(Slide(), table, prefetch=2)  # type: ignore[arg-type]
    assert next(tiles)[0] == 0
    left.set()
    assert done.result(10) is None
