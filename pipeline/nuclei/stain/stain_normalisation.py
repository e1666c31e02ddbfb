"""Make the colours of a slide those of a reference staining; arrays in, arrays out.

Macenko et al. 2009 (A method for normalizing histology slides for quantitative analysis,
ISBI): the two stains of the slide are found in optical density and exchanged for the
reference's.  Reinhard et al. 2001 (Color transfer between images, IEEE CG&A 21:34): means
and standard deviations of the decorrelated colours l, alpha, beta are made the reference's.

Both are fitted on stained pixels only and leave white white.  A sample that does not carry
the fit leaves the slide as it is, with the reason: a guess would change colours silently.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Bools, Float32s, Float64s, Rgb
from pipeline.nuclei.params import StainMethod
from pipeline.nuclei.stain.stain_channels import optical_density

MACENKO_STAINS = np.array([[0.5626, 0.7201, 0.4062], [0.2159, 0.8012, 0.5581]])
"""Optical density of haematoxylin and eosin in red, green and blue, and ..."""

MACENKO_CONCENTRATIONS = np.array([1.9705, 1.0308])
"""... the 99th percentiles of their concentrations: reference of the widely used implementation of Macenko et
al. 2009 by M. Veta (staining-normalization), natural logarithm.  Not a property of any slide at hand."""

REINHARD_MEAN = np.array([8.80, -0.194, 0.040])
REINHARD_SD = np.array([0.427, 0.129, 0.018])
"""l, alpha and beta (natural logarithm of 8-bit intensities) of stained pixels: median over CRCHistoPhenotypes, GlaS,
LC25000, CPM-15, TCGA-LGG and DSB 2018 of the median over the images of each.  The published colour standard of Amgad
et al. 2019 (Bioinformatics 35:3461; 8.74, -0.124, 0.044 and 0.614, 0.110, 0.029) is of a whole region with its glass;
given to stained pixels it overdoes contrast, and fewer nuclei are found (F1 at IoU 0.5 of 0.57 for 0.63 on CPM-15)."""

LMS_FROM_RGB = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
"""Cone responses (Reinhard et al. 2001, eq. 4)."""

LAB_FROM_LOG_LMS = np.diag(1 / np.sqrt([3.0, 6.0, 2.0])) @ np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])
"""Decorrelated axes (Reinhard et al. 2001, eq. 6)."""

STAINED_DENSITY = 0.15
"""Mean optical density above which a pixel is stained (Macenko et al. 2009: beta)."""

EXTREME_PERCENT = 1.0
"""Percentile of the angles in the stain plane at which the two stains lie (Macenko et al. 2009: alpha)."""

TOP_PERCENT = 99.0
"""Percentile of a stain's concentration that counts as its largest (Macenko et al. 2009)."""

SAMPLE_MPP = 2.0
"""Resolution at which a slide is sampled, um/px: coarse enough to average noise, fine enough to resolve nuclei."""

MIN_STAINED_PX = 500
"""Guard: fewer stained pixels than this do not tell a slide's staining."""

MAX_DENSITY = 4.0
"""Guard: ink, folds and black filling are darker than tissue in every channel and are not stain."""

MIN_STAIN_ANGLE_RAD = 0.2
"""Guard: two stains nearer than half the reference's 0.39 are one, of which Macenko's method makes two by chance."""

MAX_STAIN_ANGLE_RAD = 0.9
"""Guard: in H&E images of six public sets the stains are at most 0.76 apart; blue ink beside eosin is beyond 0.97."""

MAX_GAIN = 8.0
"""Guard: stain is not amplified by more than this."""

MIN_SD = 1e-3
"""Guard: a colour that does not vary is shifted, not stretched."""


@dataclass(frozen=True)
class Unchanged:
    """The slide as it is.

    Attributes
    ----------
    reason
        Why the sample did not carry a fit; None where no normalisation was asked for.
    """

    reason: str | None = None

    def apply(self, rgb: Rgb) -> Rgb:
        """``rgb`` itself."""
        return rgb


@dataclass(frozen=True)
class MacenkoNormaliser:
    """Exchange of two stains.

    Attributes
    ----------
    stains
        float64 (2, 3), unit optical density of the slide's haematoxylin and eosin.
    concentrations
        float64 (2,), their 99th percentiles in stained pixels.
    factors
        float32 (3, 3, 256): ``[i, j, v]`` is what intensity v of channel i contributes to the
        transmittance of channel j.  In optical density the exchange is linear, hence a product here.
    """

    stains: Float64s
    concentrations: Float64s
    factors: Float32s

    def apply(self, rgb: Rgb) -> Rgb:
        """Normalised colours of ``rgb`` (h, w, 3)."""
        red, green, blue = (rgb[..., channel] for channel in range(3))
        normalised = np.empty(rgb.shape, np.uint8)
        for channel, (of_red, of_green, of_blue) in enumerate(self.factors.transpose(1, 0, 2)):
            transmittance = of_red[red] * of_green[green]
            transmittance *= of_blue[blue]
            normalised[..., channel] = _grey_levels(transmittance)
        return normalised


@dataclass(frozen=True)
class ReinhardNormaliser:
    """Change of mean and spread of l, alpha and beta, fading out towards glass.

    Attributes
    ----------
    mean, sd
        float64 (3,), l, alpha and beta of the slide's stained pixels.
    """

    mean: Float64s
    sd: Float64s

    def apply(self, rgb: Rgb) -> Rgb:
        """Normalised colours of ``rgb`` (h, w, 3).

        Pixels thinner than ``STAINED_DENSITY``, on which nothing was fitted, keep a share of
        their own colour, so that glass stays glass without an edge around tissue.
        """
        gain = REINHARD_SD / np.maximum(self.sd, MIN_SD)
        inverse = np.linalg.inv(LAB_FROM_LOG_LMS)
        slope = inverse @ np.diag(gain) @ LAB_FROM_LOG_LMS
        shift = inverse @ (REINHARD_MEAN - gain * self.mean)
        lms = np.exp(_mixed(_log_lms(rgb), slope) + shift.astype(np.float32))
        changed = _mixed(lms, np.linalg.inv(LMS_FROM_RGB)) - 1
        share = np.minimum(_mean_density(rgb) / np.float32(STAINED_DENSITY), 1)[..., None]
        return np.asarray(np.clip(np.rint(rgb + share * (changed - rgb)), 0, 255), np.uint8)


StainNormaliser = Unchanged | MacenkoNormaliser | ReinhardNormaliser


def fit_stain_normaliser(method: StainMethod, rgb_sample: Rgb) -> StainNormaliser:
    """What turns the colours of a slide into the reference's.

    The order of pixels does not matter.  Haematoxylin is the stain that absorbs the larger
    share of red.

    Parameters
    ----------
    method
        ``none`` changes nothing.
    rgb_sample
        uint8 (..., 3), pixels of the slide's tissue; glass and black filling may be among them.

    Returns
    -------
    ``Unchanged`` with its reason where the sample holds too few stained pixels or, for
    Macenko, not just the two stains.
    """
    if method == "none":
        return Unchanged()
    pixels = rgb_sample.reshape(-1, 3)
    stained = pixels[_is_stained(pixels)]
    if len(stained) < MIN_STAINED_PX:
        return Unchanged(f"{len(stained)} of {len(pixels)} sampled pixels are stained, fewer than {MIN_STAINED_PX}")
    return _fit_reinhard(stained) if method == "reinhard" else _fit_macenko(stained)


def _fit_reinhard(stained: Rgb) -> StainNormaliser:
    lab = _mixed(_log_lms(stained), LAB_FROM_LOG_LMS).astype(np.float64)
    return ReinhardNormaliser(mean=lab.mean(axis=0), sd=lab.std(axis=0))


def _fit_macenko(stained: Rgb) -> StainNormaliser:
    density = optical_density(stained).astype(np.float64)
    stains = _stain_vectors(density)
    angle = float(np.arccos(np.clip(stains[0] @ stains[1], -1, 1)))
    if not MIN_STAIN_ANGLE_RAD <= angle <= MAX_STAIN_ANGLE_RAD:
        found = "only one stain" if angle < MIN_STAIN_ANGLE_RAD else "another colour beside haematoxylin and eosin"
        return Unchanged(f"{found}: the two extremes of colour are {angle:.2f} rad apart")
    concentrations = np.percentile(density @ np.linalg.pinv(stains), TOP_PERCENT, axis=0)
    if (concentrations * MAX_GAIN < MACENKO_CONCENTRATIONS).any():
        found = " and ".join(f"{value:.2f}" for value in concentrations)
        return Unchanged(f"hardly any stain: haematoxylin and eosin reach {found}")
    return MacenkoNormaliser(stains, concentrations, _factors(stains, concentrations))


def _stain_vectors(density: Float64s) -> Float64s:
    """Unit vectors (2, 3) of haematoxylin and eosin: the robust extremes of colour in the plane of most variance."""
    _, axes = np.linalg.eigh(np.cov(density, rowvar=False))
    # Of eigenvectors the sign is free: densities are positive, so the first axis shall point to them.
    first, second = axes[:, 2] * np.sign(axes[:, 2].sum() or 1), axes[:, 1]
    angles = np.arctan2(density @ second, density @ first)
    extremes = np.percentile(angles, (EXTREME_PERCENT, 100 - EXTREME_PERCENT))
    pair = np.cos(extremes)[:, None] * first + np.sin(extremes)[:, None] * second
    red_share = pair[:, 0] / np.abs(pair).sum(axis=1)
    return np.asarray(pair if red_share[0] >= red_share[1] else pair[::-1], np.float64)


def _factors(stains: Float64s, concentrations: Float64s) -> Float32s:
    """``MacenkoNormaliser.factors``; what the two stains cannot explain is lost, as in the paper."""
    reference = MACENKO_STAINS / np.linalg.norm(MACENKO_STAINS, axis=1, keepdims=True)
    gain = MACENKO_CONCENTRATIONS / concentrations
    exchange = np.linalg.pinv(stains) @ np.diag(gain) @ reference
    levels = -np.log((np.arange(256) + 1) / 256)
    return np.asarray(np.exp(-exchange[:, :, None] * levels), np.float32)


def _is_stained(pixels: Rgb) -> Bools:
    density = optical_density(pixels)
    stained: Bools = (density.mean(axis=1) >= STAINED_DENSITY) & (density.min(axis=1) < MAX_DENSITY)
    return stained


def _mean_density(rgb: Rgb) -> Float32s:
    return np.asarray(optical_density(rgb).mean(axis=-1), np.float32)


def _log_lms(rgb: Rgb) -> Float32s:
    # As for optical density: black stays finite.
    return np.asarray(np.log(_mixed(rgb.astype(np.float32) + 1, LMS_FROM_RGB)), np.float32)


def _mixed(channels: Float32s, matrix: Float64s) -> Float32s:
    return np.asarray(channels @ matrix.T.astype(np.float32), np.float32)


def _grey_levels(transmittance: Float32s) -> Rgb:
    transmittance *= 256
    transmittance -= 0.5  # one for the offset of optical density, half for rounding
    np.clip(transmittance, 0, 255.5, out=transmittance)
    return np.asarray(transmittance, np.uint8)
