import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.slides.reader import open_slide
from pipeline.viewer.tissue import deep_zoom
from pipeline.viewer.tissue.deep_zoom import DeepZoom


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """1300 x 700 px: red grows to the right, green downwards."""
    red, green = np.meshgrid(np.linspace(0, 250, 1300), np.linspace(0, 250, 700))
    Image.fromarray(np.stack([red, green, np.full_like(red, 90)], axis=-1).astype(np.uint8)).save(tmp_path / "s.png")
    return tmp_path / "s.png"


def whole(zoom: DeepZoom, level: int) -> np.ndarray:
    """All tiles of a level, put together."""
    rows = []
    for row in range(100):
        parts = []
        for col in range(100):
            try:
                parts.append(np.asarray(Image.open(io.BytesIO(zoom.tile(level, col, row)))))
            except IndexError:
                break
        if not parts:
            break
        rows.append(np.concatenate(parts, axis=1))
    return np.concatenate(rows).astype(float)


@pytest.mark.parametrize("most", [deep_zoom.MOST_SOURCE_PIXELS, 1000])
def test_tiles_of_every_level_make_the_slide(picture: Path, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deep_zoom, "MOST_SOURCE_PIXELS", most)
    with open_slide(picture, slide_id="s", mpp=0.5) as slide:
        zoom = DeepZoom(slide)
        assert zoom.n_levels == 12
        for level in (11, 9, 6):
            scale = 2 ** (11 - level)
            found = whole(zoom, level)
            assert found.shape[:2] == (-(-700 // scale), -(-1300 // scale))
            middle = found[found.shape[0] // 2, found.shape[1] // 2]
            assert middle[:2] == pytest.approx([125, 125], abs=8)
            assert found[-1, -1, 0] > 210
            assert found[0, 0, 0] < 40
        assert Image.open(io.BytesIO(zoom.tile(0, 0, 0))).size == (1, 1)


def test_there_is_no_tile_beyond_the_slide(picture: Path) -> None:
    with open_slide(picture, slide_id="s", mpp=0.5) as slide:
        for level, col, row in ((12, 0, 0), (11, 3, 0), (11, 0, 2), (-1, 0, 0)):
            with pytest.raises(IndexError):
                DeepZoom(slide).tile(level, col, row)
