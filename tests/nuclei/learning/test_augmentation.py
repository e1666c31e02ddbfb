import numpy as np
import pytest

from pipeline.nuclei.learning.augmentation import OutlinedImage, blank_crop, median_diameter_px, random_crop, rescaled
from pipeline.nuclei.stain.stain_channels import StainScale
from pipeline.synthetic.painting.tissue import PaintedTissue


def test_median_diameter_of_squares() -> None:
    labels = np.zeros((30, 30), np.int32)
    labels[:4, :4], labels[10:18, 10:18], labels[20:26, 20:26] = 1, 4, 9
    assert median_diameter_px(labels) == pytest.approx(np.sqrt(4 * 36 / np.pi))
    assert median_diameter_px(0 * labels) == 0


def test_rescaled_has_the_wanted_diameter(tissue: PaintedTissue) -> None:
    image = rescaled(tissue.rgb, tissue.labels, 10.0)
    assert median_diameter_px(image.labels) == pytest.approx(10, rel=0.03)
    assert image.rgb.shape[:2] == image.labels.shape
    assert image.stain.high > image.stain.low


def test_without_nuclei_the_size_stays() -> None:
    rgb = np.full((20, 30, 3), 240, np.uint8)
    assert rescaled(rgb, np.zeros((20, 30), np.int32), 16.0).rgb.shape == (20, 30, 3)


def test_crops_depend_on_the_generator_only(tissue: PaintedTissue) -> None:
    image = rescaled(tissue.rgb, tissue.labels, 16.0)
    first, again, other = (random_crop(image, 64, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_crops_keep_image_and_outlines_together() -> None:
    """Dark discs on white stay dark where the labels are, however turned, stained and degraded."""
    rows, cols = np.mgrid[:200, :200]
    disc = (((rows % 40) - 20) ** 2 + ((cols % 40) - 20) ** 2 < 100) * (1 + rows // 40 * 5 + cols // 40)
    rgb = np.where(disc[..., None] > 0, (90, 60, 140), (235, 225, 235)).astype(np.uint8)
    image = OutlinedImage(rgb, disc.astype(np.int32), StainScale(0.0, 1.0))
    for seed in range(10):
        inputs, labels = random_crop(image, 96, np.random.default_rng(seed))
        assert inputs.shape == (2, 96, 96)
        assert inputs.dtype == np.float32
        assert inputs[0][labels > 0].mean() > inputs[0][labels == 0].mean() + 0.3


def test_blank_crops_hold_no_nucleus() -> None:
    inputs, labels = blank_crop(64, np.random.default_rng(0))
    assert inputs.shape == (2, 64, 64)
    assert not labels.any()
    assert inputs[1].max() < 0.4
