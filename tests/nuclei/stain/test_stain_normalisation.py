import math
import os
import statistics
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.nuclei.stain.stain_normalisation import (
    LMS_FROM_RGB,
    MACENKO_CONCENTRATIONS,
    MACENKO_STAINS,
    REINHARD_MEAN,
    REINHARD_SD,
    MacenkoNormaliser,
    ReinhardNormaliser,
    Unchanged,
    fit_stain_normaliser,
)

DATA = Path(os.environ.get("ABIGNET_REAL_DATA", ""))

BLUISH = np.array([[0.75, 0.60, 0.28], [0.12, 0.95, 0.28]])
REDDISH = np.array([[0.45, 0.80, 0.40], [0.22, 0.85, 0.48]])


def tissue(seed: int = 0, side: int = 96) -> np.ndarray:
    """Haematoxylin and eosin (side, side, 2), 0 to 1: stroma, nuclei upon it, glass, pure patches of each."""
    rng = np.random.default_rng(seed)
    row, col = np.mgrid[:side, :side]
    eosin = 0.35 + 0.25 * np.sin(row / 9) * np.cos(col / 13) + rng.uniform(-0.05, 0.05, (side, side))
    nuclei = ((row % 12 - 6) ** 2 + (col % 12 - 6) ** 2) < 14
    amounts = np.stack([np.where(nuclei, rng.uniform(0.6, 1.0, (side, side)), 0.1), eosin], axis=-1)
    amounts[: side // 4, : side // 4] = 0
    amounts[-8:, :24] = (0.7, 0)
    amounts[-8:, 24:48] = (0, 0.7)
    return amounts


def stained(amounts: np.ndarray, stains: np.ndarray, strengths: tuple[float, float]) -> np.ndarray:
    """RGB of amounts of two stains of which 1 has ``strengths`` in optical density."""
    density = (amounts * strengths) @ (stains / np.linalg.norm(stains, axis=1, keepdims=True))
    return np.rint(256 * np.exp(-density) - 1).clip(0, 255).astype(np.uint8)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference in grey levels."""
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


def test_macenko_makes_two_stainings_of_one_tissue_the_same():
    pair = stained(tissue(), BLUISH, (2.6, 0.9)), stained(tissue(), REDDISH, (1.3, 1.6))
    same = [fit_stain_normaliser("macenko", rgb).apply(rgb) for rgb in pair]
    assert distance(*pair) > 20
    assert distance(*same) < 1


def test_reinhard_makes_a_thin_section_in_warm_light_like_a_thick_one_in_white():
    thick = stained(tissue(), BLUISH, (2.4, 1.2))
    warm = (stained(tissue(), BLUISH, (1.5, 0.75)) * np.array([1.0, 0.96, 0.9])).astype(np.uint8)
    same = [fit_stain_normaliser("reinhard", rgb).apply(rgb) for rgb in (thick, warm)]
    assert distance(thick, warm) > 20
    assert distance(*same) < 0.3 * distance(thick, warm)


def test_reinhard_brings_the_mean_colours_of_two_stainings_together():
    """Three numbers a colour cannot undo a change of both stains, but their mean."""
    pair = stained(tissue(), BLUISH, (2.6, 0.9)), stained(tissue(), REDDISH, (1.3, 1.6))
    same = [fit_stain_normaliser("reinhard", rgb).apply(rgb) for rgb in pair]
    before, after = (np.abs(np.subtract(*[rgb.mean(axis=(0, 1)) for rgb in both])).sum() for both in (pair, same))
    assert before > 50
    assert after < 0.4 * before


@pytest.mark.parametrize("method", ["macenko", "reinhard"])
def test_glass_stays_white_and_a_tile_is_normalised_as_its_slide_is(method):
    rgb = stained(tissue(), BLUISH, (2.6, 0.9))
    normaliser = fit_stain_normaliser(method, rgb)
    whole = normaliser.apply(rgb)
    assert (whole[:20, :20] >= 254).all()
    np.testing.assert_array_equal(normaliser.apply(rgb[40:60, 30:70]), whole[40:60, 30:70])


def test_macenko_finds_the_stains_that_were_used_haematoxylin_first():
    for amounts in (tissue(), tissue()[..., ::-1] * [1, 0.4]):
        found = fit_stain_normaliser("macenko", stained(amounts, BLUISH, (2.0, 1.2)))
        assert isinstance(found, MacenkoNormaliser)
        expected = BLUISH / np.linalg.norm(BLUISH, axis=1, keepdims=True)
        np.testing.assert_allclose(found.stains, expected, atol=0.02)
        assert found.stains[0, 0] > found.stains[1, 0]


def test_a_slide_stained_like_the_reference_stays_as_it_is():
    amounts = tissue()
    top = [np.percentile(amounts[amounts.sum(axis=-1) > 0.3][:, stain], 99) for stain in (0, 1)]
    rgb = stained(amounts, MACENKO_STAINS, tuple(MACENKO_CONCENTRATIONS / top))
    assert distance(fit_stain_normaliser("macenko", rgb).apply(rgb), rgb) < 2
    same = ReinhardNormaliser(REINHARD_MEAN, REINHARD_SD).apply(rgb)
    assert np.abs(same.astype(int) - rgb).max() <= 1


@pytest.mark.parametrize("method", ["macenko", "reinhard"])
def test_the_order_of_pixels_does_not_matter(method):
    rgb = stained(tissue(), REDDISH, (1.5, 1.2))
    shuffled = np.random.default_rng(3).permutation(rgb.reshape(-1, 3))
    one, other = (fit_stain_normaliser(method, sample).apply(rgb) for sample in (rgb, shuffled))
    assert np.abs(one.astype(int) - other).max() <= 1
    assert (one != other).mean() < 1e-3


def slow_macenko(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stain vectors and normalised colours, pixel by pixel, by singular values and least squares."""
    density = [[-math.log((int(v) + 1) / 256) for v in pixel] for pixel in rgb.reshape(-1, 3)]
    kept = np.array([d for d in density if sum(d) / 3 >= 0.15])
    _, _, axes = np.linalg.svd(kept - kept.mean(axis=0))
    first = axes[0] if axes[0].sum() > 0 else -axes[0]
    angles = sorted(math.atan2(d @ axes[1], d @ first) for d in kept)
    ends = []
    for share in (0.01, 0.99):
        place = share * (len(angles) - 1)
        low = math.floor(place)
        angle = angles[low] + (place - low) * (angles[min(low + 1, len(angles) - 1)] - angles[low])
        ends.append(math.cos(angle) * first + math.sin(angle) * axes[1])
    stains = np.array(sorted(ends, key=lambda v: -v[0] / np.abs(v).sum()))
    amounts = np.array([np.linalg.lstsq(stains.T, d, rcond=None)[0] for d in kept])
    gain = MACENKO_CONCENTRATIONS / np.percentile(amounts, 99, axis=0)
    reference = MACENKO_STAINS / np.linalg.norm(MACENKO_STAINS, axis=1, keepdims=True)
    out = [
        256 * np.exp(-(np.linalg.lstsq(stains.T, np.array(d), rcond=None)[0] * gain) @ reference) - 1 for d in density
    ]
    return stains, np.clip(np.array(out), 0, 255).reshape(rgb.shape)


def test_macenko_agrees_with_the_definition_pixel_by_pixel():
    rgb = stained(tissue(side=48), BLUISH, (2.2, 1.1))
    found = fit_stain_normaliser("macenko", rgb)
    stains, expected = slow_macenko(rgb)
    assert isinstance(found, MacenkoNormaliser)
    np.testing.assert_allclose(found.stains, stains, atol=1e-5)
    assert np.abs(found.apply(rgb) - expected).max() < 0.51


def slow_reinhard(rgb: np.ndarray) -> np.ndarray:
    """Eqs. 4 to 11 of the paper for stained pixels, pixel by pixel; thinner ones are left out (NaN)."""

    def lab(pixel: np.ndarray) -> tuple[float, float, float]:
        long, middle, short = (math.log(row @ (pixel + 1.0)) for row in LMS_FROM_RGB)
        return (
            (long + middle + short) / math.sqrt(3),
            (long + middle - 2 * short) / math.sqrt(6),
            (long - middle) / math.sqrt(2),
        )

    def is_stained(pixel: np.ndarray) -> bool:
        return bool(np.mean([-math.log((v + 1) / 256) for v in pixel.tolist()]) >= 0.15)

    colours = [lab(pixel) if is_stained(pixel) else None for pixel in rgb.reshape(-1, 3)]
    columns = list(zip(*[colour for colour in colours if colour], strict=True))
    mean, sd = [statistics.fmean(c) for c in columns], [statistics.pstdev(c) for c in columns]
    out = []
    for colour in colours:
        if colour is None:
            out.append([math.nan] * 3)
            continue
        light, alpha, beta = (np.array(colour) - mean) / sd * REINHARD_SD + REINHARD_MEAN
        light, alpha, beta = light / math.sqrt(3), alpha / math.sqrt(6), beta / math.sqrt(2)
        lms = np.exp([light + alpha + beta, light + alpha - beta, light - 2 * alpha])
        out.append(np.linalg.solve(LMS_FROM_RGB, lms) - 1)
    return np.clip(np.array(out), 0, 255).reshape(rgb.shape)


def test_reinhard_agrees_with_the_definition_pixel_by_pixel():
    rgb = stained(tissue(side=48), BLUISH, (2.2, 1.1))
    expected = slow_reinhard(rgb)
    thick = np.isfinite(expected)
    assert 0.5 < thick.mean() < 1
    difference = np.abs(fit_stain_normaliser("reinhard", rgb).apply(rgb)[thick] - expected[thick])
    assert difference.max() < 0.51


def noisy(colour: tuple[int, int, int], spread: int, side: int = 64) -> np.ndarray:
    noise = np.random.default_rng(1).integers(-spread, spread + 1, (side, side, 3))
    return (np.array(colour) + noise).clip(0, 255).astype(np.uint8)


def only_haematoxylin() -> np.ndarray:
    return stained(tissue() * [1, 0], BLUISH, (2.0, 1.0))


@pytest.mark.parametrize("method", ["macenko", "reinhard"])
@pytest.mark.parametrize(
    "sample",
    [
        np.empty((0, 3), np.uint8),
        np.full((64, 64, 3), 255, np.uint8),
        np.zeros((64, 64, 3), np.uint8),
        noisy((243, 241, 244), 3),
        stained(tissue(), BLUISH, (2.0, 1.0))[-6:, :40],
    ],
    ids=["empty", "white", "black", "glass", "too little"],
)
def test_a_sample_without_enough_stain_leaves_the_slide_as_it_is(method, sample):
    normaliser = fit_stain_normaliser(method, sample)
    assert isinstance(normaliser, Unchanged)
    assert "sampled pixels are stained, fewer than 500" in str(normaliser.reason)
    rgb = stained(tissue(), BLUISH, (2.0, 1.0))
    np.testing.assert_array_equal(normaliser.apply(rgb), rgb)


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        (only_haematoxylin(), "only one stain"),
        (np.full((64, 64, 3), (150, 90, 160), np.uint8), "only one stain"),
        (noisy((150, 90, 160), 4), "only one stain"),
        (np.concatenate([noisy((40, 90, 220), 5), noisy((230, 110, 150), 5)]), "another colour beside"),
    ],
    ids=["haematoxylin", "uniform", "noise", "blue ink"],
)
def test_macenko_needs_just_two_stains(sample, reason):
    normaliser = fit_stain_normaliser("macenko", sample)
    assert isinstance(normaliser, Unchanged)
    assert reason in str(normaliser.reason)


@pytest.mark.parametrize("method", ["macenko", "reinhard"])
def test_no_colour_breaks_the_arithmetic(method):
    rgb = stained(tissue(), REDDISH, (1.5, 1.2))
    colours = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3), axis=-1).reshape(1, -1, 3).astype(np.uint8)
    for sample in (rgb, noisy((150, 90, 160), 60), noisy((60, 20, 60), 40)):
        with np.errstate(invalid="raise", divide="raise", over="raise"):
            result = fit_stain_normaliser(method, sample).apply(colours)
        assert result.dtype == np.uint8
        assert result.shape == colours.shape


def test_without_a_method_nothing_is_changed_and_no_reason_given():
    assert fit_stain_normaliser("none", np.zeros((9, 3), np.uint8)) == Unchanged(None)


@pytest.mark.skipif(not os.environ.get("ABIGNET_REAL_DATA"), reason="ABIGNET_REAL_DATA names no folder")
@pytest.mark.parametrize("folder", ["crchistophenotypes", "glas_subset"])
@pytest.mark.parametrize(("method", "share"), [("macenko", 0.75), ("reinhard", 0.5)])
def test_real_images_differ_less_in_colour_afterwards(folder, method, share):
    before, after = [], []
    for path in sorted((DATA / folder / "images").iterdir())[:30]:
        picture = Image.open(path).convert("RGB")
        normaliser = fit_stain_normaliser(method, np.asarray(picture.reduce(4)))
        rgb = np.asarray(picture.reduce(2))
        for colours, statistic in ((rgb, before), (normaliser.apply(rgb), after)):
            density = -np.log((colours.reshape(-1, 3).astype(float) + 1) / 256)
            statistic.append(density[density.mean(axis=1) >= 0.15].mean(axis=0))
    assert len(before) >= 22
    assert np.var(after, axis=0).sum() < share * np.var(before, axis=0).sum()
