import io

import numpy as np
import pytest
from PIL import Image

from pipeline.slides.filling import filled_in, with_white_filling
from pipeline.slides.source import over_white
from pipeline.synthetic.painting.tissue import TissueSpec, paint_tissue

SIDE = 160

MPP = 0.5

LEAST = 12
"""Side of the least square at that resolution."""


def tissue(seed: int = 0) -> np.ndarray:
    """Painted H&E, uint8 (160, 160, 3)."""
    rng = np.random.default_rng(seed)
    return paint_tissue(TissueSpec(), width_px=SIDE, height_px=SIDE, mpp=MPP, rng=rng).rgb


def fillings() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    plain = {
        name: np.full((SIDE, SIDE, 3), grey, np.uint8) for name, grey in (("black", 0), ("white", 255), ("grey", 128))
    }
    return {
        **plain,
        "dark grey": np.full((SIDE, SIDE, 3), 28, np.uint8),
        "tinted grey": np.full((SIDE, SIDE, 3), (120, 122, 128), np.uint8),
        "noisy black": rng.integers(0, 7, (SIDE, SIDE, 3)).astype(np.uint8),
        "noisy dark": rng.integers(10, 19, (SIDE, SIDE, 3)).astype(np.uint8),
    }


def places() -> dict[str, np.ndarray]:
    row, col = np.indices((SIDE, SIDE))
    return {
        "strip": col >= 130,
        "narrow strip": (row >= 70) & (row < 70 + LEAST),
        "corner wedge": row + 0.2 * col < 50,
        "gap": (abs(row - 80) < 20) & (abs(col - 60) < 15),
        "frame": (np.minimum(row, col) < 14) | (np.maximum(row, col) >= SIDE - 14),
        "all": np.ones((SIDE, SIDE), bool),
    }


@pytest.mark.parametrize("filling", fillings())
@pytest.mark.parametrize("place", places())
def test_filling_is_found_to_the_pixel_whatever_its_grey_and_form(filling: str, place: str) -> None:
    rgb, where = tissue(), places()[place]
    rgb[where] = fillings()[filling][where]
    found = filled_in(rgb, MPP)
    assert found is not None
    np.testing.assert_array_equal(found, where)
    shown = with_white_filling(rgb, found)
    assert (shown[where] == 255).all()
    np.testing.assert_array_equal(shown[~where], rgb[~where])


def test_tissue_is_itself_and_copied_nowhere() -> None:
    rgb = tissue()
    assert filled_in(rgb, MPP) is None
    assert with_white_filling(rgb, None) is rgb


@pytest.mark.parametrize(
    "colour",
    [(243, 243, 243), (246, 243, 243), (255, 255, 253), (210, 205, 212), (222, 150, 190), (30, 60, 180), (92, 60, 138)],
)
def test_plain_glass_stroma_and_ink_are_no_filling(colour: tuple[int, int, int]) -> None:
    rgb = tissue()
    rgb[40:120, 40:120] = colour
    assert filled_in(rgb, MPP) is None


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_what_is_smaller_than_a_square_is_no_filling(grey: int) -> None:
    rgb = tissue()
    rgb[40 : 40 + LEAST - 1, 20:140] = grey
    rgb[100:140, 100 : 100 + LEAST - 1] = grey
    assert filled_in(rgb, MPP) is None


def test_dark_nuclei_are_blue_and_no_filling() -> None:
    rgb = tissue()
    rgb[40:60, 40:60] = np.random.default_rng(0).integers((0, 0, 0), (4, 4, 34), (20, 20, 3))
    assert filled_in(rgb, MPP) is None


def test_squares_are_smaller_in_pictures_that_are_means_and_larger_in_magnified_ones() -> None:
    rgb = tissue()
    rgb[40:48, 40:48] = 0
    assert filled_in(rgb, MPP) is None
    assert filled_in(rgb, 0.25) is None
    found = filled_in(rgb, 1.0)
    assert found is not None
    assert found.sum() == 64
    found = filled_in(rgb[38:, 38:], 50.0)
    assert found is not None


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_most_of_it_is_found_after_jpeg_and_after_turning(grey: int) -> None:
    rgb = tissue()
    where = places()["strip"]
    rgb[where] = grey
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=75)
    found = filled_in(np.asarray(Image.open(stream).convert("RGB")), MPP)
    assert found is not None
    # JPEG with colours at half resolution carries the edge up to 16 pixels into the filling.
    assert found[:, 130:].mean() > 0.5
    assert found[:, 146:].mean() > 0.98
    assert not found[:, :128].any()
    turned = np.asarray(Image.fromarray(tissue()).rotate(15, Image.Resampling.BICUBIC, fillcolor=(grey,) * 3))
    truth = np.asarray(Image.new("L", (SIDE, SIDE), 1).rotate(15)) == 0
    found = filled_in(turned, MPP)
    assert found is not None
    assert found[truth].mean() > 0.98
    assert found[~truth].mean() < 0.01


def test_transparent_pixels_are_filled_in() -> None:
    where = places()["corner wedge"]
    alpha = np.where(where, 0, 255).astype(np.uint8)
    picture = Image.fromarray(np.dstack([tissue(), alpha]))
    np.testing.assert_array_equal(filled_in(over_white(picture), MPP), where)


def test_pictures_smaller_than_a_square_are_read() -> None:
    for shape in ((1, 1), (1, 40), (5, 3), (LEAST, LEAST)):
        rgb = np.zeros((*shape, 3), np.uint8)
        found = filled_in(rgb, MPP)
        assert (found is not None) == (min(shape) >= LEAST)
