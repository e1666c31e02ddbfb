from dataclasses import dataclass

import numpy as np
import pytest

from pipeline.arrays import Rgb
from pipeline.errors import UnreadableRegionError
from pipeline.slides.source import Level
from pipeline.slides.thumbnail import SMALLEST_BLOCK_PX, Thumbnail


@dataclass
class Slide:
    """A slide of one level whose pixels tell their column, and that is damaged left of ``damaged_l0``."""

    width_l0: int = 4096
    height_l0: int = 2048
    bounds_l0: tuple[int, int, int, int] = (0, 0, 4096, 2048)
    damaged_l0: float = 0.0
    levels: tuple[Level, ...] = (Level(4096, 2048, 1.0),)

    def best_level(self, downsample: float) -> int:
        return 0

    def read_box(
        self, x_l0: float, y_l0: float, width_l0: float, height_l0: float, *, width_px: int, height_px: int
    ) -> Rgb:
        if x_l0 < self.damaged_l0:
            raise UnreadableRegionError(f"damaged at {x_l0}")
        columns = (x_l0 + np.arange(width_px) * width_l0 / width_px) / 32
        return np.broadcast_to(columns.astype(np.uint8)[None, :, None], (height_px, width_px, 3))


def test_blocks_make_one_picture() -> None:
    picture = Thumbnail(Slide(), 128, 64, None).filled()  # type: ignore[arg-type]
    assert picture.shape == (64, 128, 3)
    assert (picture[..., 0] == np.arange(128)).all()


def test_only_the_scanned_part_is_read() -> None:
    picture = Thumbnail(Slide(bounds_l0=(1024, 512, 1024, 512)), 128, 64, None).filled()  # type: ignore[arg-type]
    assert (picture[16:32, 32:64, 0] == np.arange(32, 64)).all()
    outside = np.ones((64, 128), bool)
    outside[16:32, 32:64] = False
    assert (picture[outside] == 255).all()


def test_damage_stops_or_is_told_as_small_as_a_stored_tile_and_left_white() -> None:
    slide = Slide(damaged_l0=100.0)
    with pytest.raises(UnreadableRegionError):
        Thumbnail(slide, 128, 64, None).filled()  # type: ignore[arg-type]
    told: list[tuple[int, int, int, int]] = []
    picture = Thumbnail(slide, 128, 64, told.append).filled()  # type: ignore[arg-type]
    assert told
    assert all(width <= SMALLEST_BLOCK_PX and x < 100 for x, _, width, _ in told)
    assert sum(width * height for _, _, width, height in told) == SMALLEST_BLOCK_PX * slide.height_l0
    n_white = SMALLEST_BLOCK_PX // 32
    assert (picture[:, :n_white] == 255).all()
    assert (picture[:, n_white:, 0] == np.arange(n_white, 128)).all()
