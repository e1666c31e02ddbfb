import numpy as np
import pytest

from pipeline.nuclei.learning.augmentation import OutlinedImage, rescaled
from pipeline.nuclei.learning.collage import cleared_canvas, collage, collages, cutouts
from pipeline.nuclei.stain.stain_channels import StainScale, haematoxylin
from pipeline.synthetic.painting.tissue import PaintedTissue

PINK, PURPLE = (225, 150, 190), (90, 60, 140)


def ellipses(*centres: tuple[int, int]) -> OutlinedImage:
    """Purple ellipses of 20 x 10 px along x on pink."""
    rows, cols = np.mgrid[:80, :120]
    labels = np.zeros(rows.shape, np.int32)
    for number, (row, col) in enumerate(centres, start=1):
        labels[((cols - col) / 10) ** 2 + ((rows - row) / 5) ** 2 <= 1] = number
    rgb = np.where(labels[..., None] > 0, PURPLE, PINK).astype(np.uint8)
    return OutlinedImage(rgb, labels, StainScale(0.0, 1.0))


def pink_canvas(side: int = 200) -> np.ndarray:
    return np.full((side, side, 3), PINK, np.uint8)


def test_cutouts_are_whole_nuclei() -> None:
    image = ellipses((20, 30), (60, 60), (40, 3))
    found = cutouts(image)
    assert [int(nucleus.mask.sum()) for nucleus in found] == [int((image.labels == number).sum()) for number in (1, 2)]
    assert found[0].axis_rad == pytest.approx(0, abs=1e-6)
    assert found[0].density[found[0].mask] == pytest.approx(1, abs=1e-4)
    assert cutouts(ellipses()) == []


def test_a_canvas_loses_its_nuclei() -> None:
    image = ellipses((20, 30), (60, 60), (30, 90))
    cleared = cleared_canvas(image.rgb)
    stain = haematoxylin(cleared)
    assert np.abs(stain[image.labels > 0] - haematoxylin(pink_canvas(1)).item()).max() < 0.1


def test_nuclei_of_a_collage_are_dark_where_their_labels_are() -> None:
    nuclei = cutouts(ellipses((20, 30), (60, 60)))
    for seed in range(5):
        rgb, labels = collage(pink_canvas(), nuclei, 128, np.random.default_rng(seed))
        stain = haematoxylin(rgb)
        assert rgb.shape == (128, 128, 3)
        assert labels.max() > 3
        assert stain[labels > 0].mean() > stain[labels == 0].mean() + 0.2


def test_none_is_laid_on_glass_but_few() -> None:
    canvas = pink_canvas(128)
    canvas[:, 64:] = 245
    nuclei = cutouts(ellipses((20, 30)))
    left = right = 0
    for seed in range(6):
        _, labels = collage(canvas, nuclei, 128, np.random.default_rng(seed))
        sides = sorted([len(np.unique(labels[:, :54])), len(np.unique(labels[:, 74:]))])
        left, right = left + sides[0], right + sides[1]
    assert left < 0.35 * right


def test_same_seed_same_collages(tissue: PaintedTissue) -> None:
    images = [rescaled(tissue.rgb, tissue.labels, 16.0)]
    first, again = (collages(images, pink_canvas(), 2, 96, seed=3) for _ in range(2))
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].rgb, first[1].rgb)
