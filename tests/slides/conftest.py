from pathlib import Path

import numpy as np
import pytest

from pipeline.synthetic.painting.pyramid import write_pyramid


def gradient(height: int, width: int) -> np.ndarray:
    """RGB whose red is the column and green the row (mod 256), so that a pixel tells its place."""
    row, col = np.indices((height, width))
    return np.stack([col % 256, row % 256, (col // 256) * 16 + row // 256], axis=2).astype(np.uint8)


@pytest.fixture
def picture() -> np.ndarray:
    return gradient(700, 900)


@pytest.fixture
def pyramid(tmp_path: Path, picture: np.ndarray) -> Path:
    path = tmp_path / "slide.tif"
    write_pyramid(path, picture, 0.25)
    return path
