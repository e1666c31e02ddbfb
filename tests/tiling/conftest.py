from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.synthetic.painting.pyramid import write_pyramid

PINK = (222, 150, 190)
GLASS = (243, 242, 244)


def block_slide(height: int, width: int, *blocks: tuple[int, int, int, int]) -> np.ndarray:
    """Glass with noise, and pink blocks given as x0, y0, x1, y1."""
    rgb = np.empty((height, width, 3), np.float32)
    rgb[:] = GLASS
    for x0, y0, x1, y1 in blocks:
        rgb[y0:y1, x0:x1] = PINK
    noise = np.random.default_rng(0).normal(0, 2, rgb.shape)
    return np.clip(rgb + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def make_slide(tmp_path: Path) -> Any:
    """Write a slide of 0.5 um/px with pink blocks; returns its path."""

    def make(name: str, height: int, width: int, *blocks: tuple[int, int, int, int], mpp: float = 0.5) -> Path:
        path = tmp_path / name
        rgb = block_slide(height, width, *blocks)
        if path.suffix == ".tif":
            write_pyramid(path, rgb, mpp)
        else:
            Image.fromarray(rgb).save(path)
        return path

    return make


@pytest.fixture
def damaged_slide(make_slide: Any) -> Path:
    """A slide of 1024 px, pink all over, whose level-0 tile at (512, 512) to (768, 768) is no image."""
    path: Path = make_slide("damaged.tif", 1024, 1024, (0, 0, 1024, 1024))
    with tifffile.TiffFile(path) as file:
        # Four tiles of 256 px a row: the third of the third row.
        number = 2 * 4 + 2
        start, length = file.pages[0].dataoffsets[number], file.pages[0].databytecounts[number]
    content = bytearray(path.read_bytes())
    content[start : start + length] = b"\xff" * length
    path.write_bytes(content)
    return path
