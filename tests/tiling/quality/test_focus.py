import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage

from pipeline.errors import UnreadableRegionError
from pipeline.slides.reader import open_slide
from pipeline.synthetic.painting.tissue import TissueSpec, paint_tissue
from pipeline.tiling.params import TilingParams
from pipeline.tiling.quality.focus import NOISE_VARIANCE, focus_of, measure_focus

DEFAULT = TilingParams().qc_min_focus


def checked(cell_px: int, side_px: int = 64, contrast: float = 60.0) -> np.ndarray:
    """Chessboard of cells, the same in all channels."""
    row, col = np.indices((side_px, side_px)) // cell_px
    grey = 128 + contrast * (2 * ((row + col) % 2) - 1)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def painted(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return paint_tissue(TissueSpec(), width_px=512, height_px=512, mpp=0.5, rng=rng).rgb


def at_one_um(rgb: np.ndarray, blur_um: float = 0.0) -> np.ndarray:
    blurred = ndimage.gaussian_filter(rgb.astype(np.float32), (blur_um / 0.5, blur_um / 0.5, 0)) if blur_um else rgb
    picture = Image.fromarray(np.clip(np.rint(blurred), 0, 255).astype(np.uint8))
    return np.asarray(picture.resize((256, 256), Image.Resampling.LANCZOS))


def test_detail_of_one_pixel_is_all_fine_and_of_four_pixels_none() -> None:
    # The mean of a chessboard's 2 x 2 blocks is constant: all variance lies at the first scale, but nothing coarser.
    rgb = checked(1)
    rgb[:32] = np.clip(rgb[:32].astype(int) + 20, 0, 255)
    assert focus_of(rgb) > 0.99
    assert focus_of(checked(4)) == 0.0


def test_share_of_the_fine_scale_by_hand() -> None:
    # Two chessboards of 1 and 2 pixels: variances 10^2 and 20^2 lie at the first and second scale.
    fine = checked(1, contrast=10).astype(int) - 128
    rgb = (checked(2, contrast=20) + fine).astype(np.uint8)
    rgb[:, :32] += 20
    noise = 0.75 * NOISE_VARIANCE
    assert focus_of(rgb) == pytest.approx((100 - noise) / (500 - noise - noise / 4), rel=1e-3)


def test_stain_and_share_of_tissue_do_not_count() -> None:
    rgb = checked(2, contrast=30) // 2 + checked(1, contrast=30) // 2
    rgb[:, ::8] //= 2
    pale = (255 - (255 - rgb.astype(np.float32)) / 2).astype(np.uint8)
    half = rgb.copy()
    half[:, 32:] = 128
    assert focus_of(pale) == pytest.approx(focus_of(rgb), abs=0.01)
    assert focus_of(half) == pytest.approx(focus_of(rgb), abs=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_painted_tissue_is_sharp_and_blurred_is_not(seed: int) -> None:
    focus = [focus_of(at_one_um(painted(seed), blur)) for blur in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)]
    assert focus[0] > DEFAULT + 0.03
    assert focus[0] > focus[1] > focus[2]
    assert max(focus[3:]) < DEFAULT


def test_blurred_tissue_under_noise_is_still_blurred() -> None:
    blurred = at_one_um(painted(), 6.0)
    noise = np.random.default_rng(0).normal(0, 0.8, blurred.shape[:2])[..., None]
    assert focus_of(np.clip(np.rint(blurred + noise), 0, 255).astype(np.uint8)) < DEFAULT


def test_where_nothing_is_there_is_no_focus() -> None:
    assert math.isnan(focus_of(np.full((64, 64, 3), 200, np.uint8)))
    noise = np.random.default_rng(0).normal(200, 2, (64, 64, 3))
    assert math.isnan(focus_of(noise.astype(np.uint8)))


def test_tiles_of_a_slide(make_slide: Any) -> None:
    """A tile of fine detail beside a blurred one, read at 1 um/px of 0.5 um/px."""
    rgb = painted()
    blurred = ndimage.gaussian_filter(rgb.astype(np.float32), (6, 6, 0)).astype(np.uint8)
    path = make_slide("a.png", 16, 16)
    Image.fromarray(np.hstack([rgb, blurred])).save(path)
    tiles = pd.DataFrame({"x_l0": [0, 512], "y_l0": 0, "width_l0": 512.0, "tile_px": 512, "mpp": 0.5})
    with open_slide(path, slide_id="s1", mpp=0.5) as slide:
        focus = measure_focus(slide, tiles, TilingParams())
        assert focus[0] > DEFAULT > focus[1]
        assert focus[0] == pytest.approx(focus_of(at_one_um(rgb)), abs=0.01)
        assert measure_focus(slide, tiles.iloc[:0], TilingParams()).shape == (0,)


def test_a_slide_coarser_than_asked_for_is_measured_at_its_own_pixels(make_slide: Any) -> None:
    path = make_slide("a.png", 16, 16)
    Image.fromarray(painted()).save(path)
    tiles = pd.DataFrame({"x_l0": [0], "y_l0": 0, "width_l0": 256.0, "tile_px": 512, "mpp": 1.0})
    with open_slide(path, slide_id="s1", mpp=2.0) as slide:
        native = slide.read_box(0, 0, 256, 256, width_px=256, height_px=256)
        assert measure_focus(slide, tiles, TilingParams())[0] == pytest.approx(focus_of(native))


def test_unreadable_tiles_are_reported_or_raise(damaged_slide: Any) -> None:
    tiles = pd.DataFrame({"x_l0": [0, 512], "y_l0": [0, 512], "width_l0": 256.0, "tile_px": 256, "mpp": 0.5})
    params = TilingParams(qc_focus_mpp=0.5)
    seen: list[int] = []
    with open_slide(damaged_slide, slide_id="s1") as slide:
        measure_focus(slide, tiles, params, on_unreadable=lambda position, _: seen.append(position))
        assert seen == [1]
        with pytest.raises(UnreadableRegionError, match="slide s1"):
            measure_focus(slide, tiles, params)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_the_sharp_edge_of_filling_makes_no_blurred_tile_sharp(grey: int) -> None:
    filled = np.zeros((256, 256), bool)
    filled[:, 90:110] = filled[120:150] = True
    blurred, sharp = at_one_um(painted(), blur_um=3.0), at_one_um(painted())
    for rgb, is_sharp in ((blurred, False), (sharp, True)):
        whole = focus_of(rgb)
        shown = rgb.copy()
        shown[filled] = grey
        assert (whole >= DEFAULT) is is_sharp
        assert focus_of(shown, filled) == pytest.approx(whole, abs=0.03)
        assert (focus_of(shown, filled) >= DEFAULT) is is_sharp


def test_focus_of_nothing_but_filling_is_not_known() -> None:
    rgb = at_one_um(painted())
    assert math.isnan(focus_of(rgb, np.ones((256, 256), bool)))
    almost = np.ones((256, 256), bool)
    almost[:6, :6] = False
    assert math.isnan(focus_of(rgb, almost))
