import cv2
import numpy as np
import pytest

from pipeline.nuclei.learning import augmentation
from pipeline.nuclei.learning.augmentation import OutlinedImage, blank_crop, median_diameter_px, random_crop, rescaled
from pipeline.nuclei.stain.stain_channels import StainScale, darkness, haematoxylin
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


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing but turning, mirroring and shifting is left to chance."""
    for name in ("STAIN_GAIN", "STAIN_SHIFT", "THICKNESS_LOG", "CONTRAST", "LIGHT_LOSS"):
        monkeypatch.setattr(augmentation, name, 0.0)
    for name in ("P_COUNTERSTAIN", "P_BLUR", "P_NOISE", "P_JPEG"):
        monkeypatch.setattr(augmentation, name, 0.0)
    monkeypatch.setattr(augmentation, "SCALE_RANGE", (1.0, 1.0))
    monkeypatch.setattr(augmentation, "STAIN_SPAN_LOG", (0.0, 0.0))
    return monkeypatch


def three_spots() -> OutlinedImage:
    """Spots of 9 x 9 px in the corners of a right angle of 40 and 20 px, numbered from its corner on."""
    labels = np.zeros((101, 101), np.int32)
    for number, (row, col) in enumerate([(50, 50), (50, 90), (30, 50)], start=1):
        labels[row - 4 : row + 5, col - 4 : col + 5] = number
    rgb = np.where(labels[..., None] > 0, (90, 60, 140), (230, 200, 220)).astype(np.uint8)
    return OutlinedImage(rgb, labels, StainScale(0.0, 0.5))


def middles(labels: np.ndarray) -> np.ndarray:
    return np.array([np.argwhere(labels == number).mean(axis=0) for number in (1, 2, 3)])


def drawn(seeds: int) -> list[np.ndarray]:
    """Label crops that are so large that all of the picture is seen."""
    return [random_crop(three_spots(), 300, np.random.default_rng(seed))[1] for seed in range(seeds)]


@pytest.mark.usefixtures("still")
def test_crops_are_turned_and_mirrored_but_not_bent() -> None:
    sides, turns, directions = [], set(), []
    for labels in drawn(60):
        corner, first, second = middles(labels)
        (row_1, col_1), (row_2, col_2) = first - corner, second - corner
        sides.append((np.hypot(row_1, col_1), np.hypot(row_2, col_2), row_1 * row_2 + col_1 * col_2))
        turns.add(bool(row_1 * col_2 - col_1 * row_2 > 0))
        directions.append(np.arctan2(row_1, col_1))
    first_side, second_side, product = np.array(sides).T
    assert first_side == pytest.approx(40, abs=0.6)
    assert second_side == pytest.approx(20, abs=0.6)
    assert product == pytest.approx(0, abs=25)
    assert turns == {True, False}
    assert np.hypot(np.cos(directions).mean(), np.sin(directions).mean()) < 0.3


def test_sizes_lie_within_their_range_and_reach_its_ends(still: pytest.MonkeyPatch) -> None:
    still.setattr(augmentation, "SCALE_RANGE", (0.5, 2.0))
    factors = [np.hypot(*(middles(labels)[1] - middles(labels)[0])) / 40 for labels in drawn(100)]
    assert 0.48 < min(factors) < 0.55
    assert 1.8 < max(factors) < 2.05
    # On a logarithmic scale as many are larger as smaller.
    assert 0.8 < np.median(factors) < 1.25


@pytest.mark.usefixtures("still")
def test_crops_lie_mostly_inside_their_image() -> None:
    everywhere = OutlinedImage(np.full((400, 300, 3), 120, np.uint8), np.ones((400, 300), np.int32), StainScale(0, 1))
    shares = [(random_crop(everywhere, 100, np.random.default_rng(seed))[1] > 0).mean() for seed in range(100)]
    assert min(shares) > 0.6
    assert np.mean(shares) > 0.9


@pytest.mark.usefixtures("still")
def test_left_alone_a_crop_has_the_colours_of_its_image_and_white_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    image = three_spots()
    monkeypatch.setattr(augmentation, "LEAST_SPAN", 0.0)
    inputs, labels = random_crop(image, 160, np.random.default_rng(2))
    background, nucleus = (
        float(darkness(np.array([[colour]], np.uint8))[0, 0]) for colour in ((230, 200, 220), (90, 60, 140))
    )
    assert inputs[1][labels > 0].max() == pytest.approx(nucleus, abs=0.01)
    seen = inputs[1][labels == 0]
    assert (np.abs(seen) < 0.01).mean() > 0.3
    assert (np.abs(seen - background) < 0.01).mean() > 0.2
    # The scale's low end falls by chance towards 0, which it was; its span stays.
    stain = float(haematoxylin(np.array([[(90, 60, 140)]], np.uint8))[0, 0])
    assert inputs[0][labels > 0].max() == pytest.approx(stain / 0.5, abs=0.03)


def test_eosin_is_laid_around_nuclei(still: pytest.MonkeyPatch) -> None:
    """Painted in every crop and not at all in nuclei: these keep their darkness, what lies around grows darker."""
    crops = {}
    for share in (0.0, 1.0):
        still.setattr(augmentation, "P_COUNTERSTAIN", share)
        still.setattr(augmentation, "NUCLEAR_PALENESS", (1.0, 1.0))
        crops[share] = [random_crop(three_spots(), 100, np.random.default_rng(seed)) for seed in range(8)]
    added = {"nuclei": [], "around": []}
    for (plain, labels), (stained, _) in zip(crops[0.0], crops[1.0], strict=True):
        difference = stained[1] - plain[1]
        inner = cv2.erode((labels > 0).astype(np.uint8), np.ones((7, 7))) > 0
        added["nuclei"] += difference[inner].tolist()
        added["around"] += difference[labels == 0].tolist()
    assert np.mean(added["nuclei"]) < 0.1 * np.mean(added["around"])
    assert 0.02 < np.mean(added["around"]) < 0.3


def test_light_and_contrast_never_leave_their_ranges(still: pytest.MonkeyPatch) -> None:
    """White stays white but for the loss of light: darkness up to a tenth."""
    still.setattr(augmentation, "CONTRAST", 0.1)
    still.setattr(augmentation, "LIGHT_LOSS", 0.1)
    white = OutlinedImage(np.full((60, 60, 3), 255, np.uint8), np.zeros((60, 60), np.int32), StainScale(0, 1))
    darks = [random_crop(white, 40, np.random.default_rng(seed))[0][1] for seed in range(30)]
    levels = np.array([float(dark.mean()) for dark in darks])
    assert 0 <= levels.min() < 0.02
    assert 0.07 < levels.max() <= 0.105
    assert max(float(np.ptp(dark)) for dark in darks) < 1e-6


@pytest.mark.parametrize("name", ["P_BLUR", "P_NOISE", "P_JPEG"])
def test_each_degradation_changes_a_crop_when_it_is_its_turn(still: pytest.MonkeyPatch, name: str) -> None:
    plain = random_crop(three_spots(), 100, np.random.default_rng(1))
    still.setattr(augmentation, name, 1.0)
    degraded = random_crop(three_spots(), 100, np.random.default_rng(1))
    assert np.array_equal(plain[1], degraded[1])
    assert np.abs(plain[0] - degraded[0]).max() > 0.02


def test_glass_is_pale_and_of_every_grey() -> None:
    """Grey levels of 200 to 255 are a darkness of 0 to 0.22, but for tint."""
    darks = np.array([float(blank_crop(48, np.random.default_rng(seed))[0][1].mean()) for seed in range(60)])
    assert darks.min() < 0.03
    assert 0.17 < darks.max() < 0.26
