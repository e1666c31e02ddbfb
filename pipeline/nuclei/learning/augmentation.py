"""Training crops from outlined images: turned, rescaled, restained, blurred; arrays in, arrays out.

Numbers without another source were chosen by judgement; none was measured.

Frame: pixels of the rescaled image, (row, col) in arrays and (x, y) in warp matrices.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.arrays import Float32s, Float64s, Rgb
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.learning.restaining import hed_from_rgb, rgb_from_hed
from pipeline.nuclei.stain.stain_channels import NetworkInput, StainScale, estimate_stain_scale, network_input

NETWORK_INPUT: NetworkInput = "haematoxylin_luminance"
"""What the networks that are trained here see."""

SCALE_RANGE = (0.55, 1.8)
"""Factors on an image's size, drawn on a logarithmic scale: from lymphocytes to tumour nuclei."""

CENTRE_REACH = 0.8
"""Share of half a crop by which its centre stays inside the image, so that little white is seen."""

STAIN_GAIN = 0.3
"""Largest relative change of a stain's concentration (HED augmentation, Tellez et al. 2018, IEEE TMI 37:2126)."""

STAIN_SHIFT = 0.06
"""Largest change of a stain's concentration by addition (of the same)."""

THICKNESS_LOG = 0.35
"""Largest logarithm of the one gain of all stains that stands for the thickness of the section."""

STAIN_SPAN_LOG = (-0.4, 0.5)
"""Range of the logarithm of the slide's stain span over the crop's: other tissue is darker or paler."""

LEAST_SPAN = 0.1
"""Guard: least span of a stain scale."""

P_COUNTERSTAIN = 0.4
"""Share of the crops that are given eosin, for images stained with haematoxylin alone."""

COUNTERSTAIN = 0.9
"""Largest concentration of that eosin."""

EOSIN_MEAN = 0.6
"""Mean of uneven eosin, as a share of its concentration."""

EOSIN_COARSE, COARSE_CELLS = 0.3, (3, 10)
"""SD of its coarse unevenness, and the range of the cells a side of that noise."""

EOSIN_FINE, FINE_CELLS = 0.2, (12, 50)
"""The same of its fine unevenness."""

NUCLEAR_PALENESS = (0.3, 1.0)
"""Range of the share of eosin that nuclei do not take."""

NUCLEAR_EDGE_PX = 1.0
"""Gaussian radius of the edge between eosin and nucleus."""

CONTRAST = 0.1
"""Largest relative change of a scanner's contrast."""

LIGHT_LOSS = 0.1
"""Largest share of light lost."""

P_BLUR, BLUR_SIGMA_PX = 0.3, (0.3, 2.0)
"""Share of the crops out of focus, and the range of the Gaussian radius."""

P_NOISE, NOISE_SIGMA = 0.25, (1.0, 8.0)
"""Share of the crops with a camera's noise, and the range of its SD, grey levels."""

P_JPEG, JPEG_QUALITY = 0.3, (25, 95)
"""Share of the crops that are compressed, and the range of the quality."""

GLASS_GREY = (200.0, 255.0)
"""Range of the grey level of empty glass."""

GLASS_TINT = 6.0
"""SD of each of its colours about that grey."""

GLASS_GRAIN = (0.5, 6.0)
"""Range of the SD of its noise, grey levels."""

GLASS_BLUR_PX = (0.3, 3.0)
"""Range of the Gaussian radius over that noise."""

GLASS_STAIN_LOW, GLASS_STAIN_HIGH = (0.0, 0.1), (0.6, 1.6)
"""Ranges of the two ends of the stain scale of a slide with such glass."""


@dataclass(frozen=True)
class OutlinedImage:
    """An image at the training scale with its nuclei.

    Attributes
    ----------
    rgb
        (h, w, 3).
    labels
        (h, w), 0 = background.
    stain
        Stain scale of the whole image.
    """

    rgb: Rgb
    labels: Labels
    stain: StainScale


def median_diameter_px(labels: npt.NDArray[np.integer[Any]]) -> float:
    """Median diameter of the circles with the areas of the nuclei of ``labels`` (h, w); 0 without nuclei."""
    areas = np.bincount(labels.ravel())[1:]
    areas = areas[areas > 0]
    return float(np.median(np.sqrt(4 * areas / np.pi))) if areas.size else 0.0


def rescaled(rgb: Rgb, labels: npt.NDArray[np.integer[Any]], diameter_px: float) -> OutlinedImage:
    """Image (h, w, 3) and labels (h, w) whose median nucleus has ``diameter_px``; without nuclei as they are."""
    median_px = median_diameter_px(labels)
    factor = diameter_px / median_px if median_px else 1.0
    height, width = (max(1, round(side * factor)) for side in labels.shape)
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    image = cv2.resize(rgb, (width, height), interpolation=way)
    outlines = cv2.resize(labels.astype(np.int32), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return OutlinedImage(image.astype(np.uint8), outlines.astype(np.int32), estimate_stain_scale([rgb]))


def random_crop(image: OutlinedImage, size_px: int, generator: np.random.Generator) -> tuple[Float32s, Labels]:
    """One augmented crop as network channels (2, size, size) and labels (size, size).

    What lies outside the image is white and without nuclei.
    """
    matrix = _random_warp(image.labels.shape, size_px, generator)
    size = (size_px, size_px)
    rgb = cv2.warpAffine(image.rgb, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(255, 255, 255))
    outlines = cv2.warpAffine(image.labels, matrix, size, flags=cv2.INTER_NEAREST, borderValue=0)
    labels = np.asarray(outlines, np.int32)
    coloured, stain = _restain(np.asarray(rgb, np.uint8), labels, image.stain, generator)
    degraded = _degrade(coloured, generator)
    return network_input(degraded, stain, NETWORK_INPUT), labels


def blank_crop(size_px: int, generator: np.random.Generator) -> tuple[Float32s, Labels]:
    """Empty glass or faint even stain with noise: channels (2, size_px, size_px), and labels without a nucleus."""
    colour = generator.uniform(*GLASS_GREY) + generator.normal(0, GLASS_TINT, 3)
    tint = np.clip(generator.normal(colour, generator.uniform(*GLASS_GRAIN), (size_px, size_px, 3)), 0, 255)
    sigma = generator.uniform(*GLASS_BLUR_PX)
    rgb = cv2.GaussianBlur(tint.astype(np.float32), (0, 0), sigma)
    scale = StainScale(generator.uniform(*GLASS_STAIN_LOW), generator.uniform(*GLASS_STAIN_HIGH))
    channels = network_input(np.clip(rgb, 0, 255).astype(np.uint8), scale, NETWORK_INPUT)
    return channels, np.zeros((size_px, size_px), dtype=np.int32)


def _random_warp(shape: Sequence[int], size_px: int, generator: np.random.Generator) -> Float64s:
    height, width = shape
    factor = np.exp(generator.uniform(*np.log(SCALE_RANGE)))
    angle = generator.uniform(0, 2 * np.pi)
    mirror = generator.choice((-1.0, 1.0))
    linear = factor * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = linear @ np.diag([mirror, 1.0])
    # A crop that reaches past the image on both sides is centred; else its centre stays inside.
    reach = size_px / factor / 2 * CENTRE_REACH
    centre = np.array([_inner_point(side, reach, generator) for side in (width, height)])
    shift = size_px / 2 - linear @ centre
    return np.column_stack([linear, shift])


def _inner_point(side: float, reach: float, generator: np.random.Generator) -> float:
    low, high = min(reach, side / 2), max(side - reach, side / 2)
    return float(generator.uniform(low, high))


def _restain(rgb: Rgb, labels: Labels, stain: StainScale, generator: np.random.Generator) -> tuple[Rgb, StainScale]:
    gain = generator.uniform(1 - STAIN_GAIN, 1 + STAIN_GAIN, 3).astype(np.float32)
    # One gain for all stains stands for the thickness of the section.
    gain *= np.float32(np.exp(generator.uniform(-THICKNESS_LOG, THICKNESS_LOG)))
    shift = generator.uniform(-STAIN_SHIFT, STAIN_SHIFT, 3).astype(np.float32)
    hed = hed_from_rgb(rgb) * gain + shift
    if generator.random() < P_COUNTERSTAIN:
        hed[..., 1] += _counterstain(labels, generator)
    coloured = rgb_from_hed(hed)
    low = max(0.0, stain.low * float(gain[0]) + float(shift[0]))
    high = stain.high * float(gain[0]) + float(shift[0])
    # A slide's scale is estimated from other tissue than the crop's: glass lowers one end, few nuclei the other.
    low *= generator.uniform(0, 1)
    high = low + max(high - low, LEAST_SPAN) * float(np.exp(generator.uniform(*STAIN_SPAN_LOG)))
    return coloured, StainScale(low, high)


def _counterstain(labels: Labels, generator: np.random.Generator) -> Float32s:
    """Uneven eosin (h, w), fainter in nuclei."""
    n_cells = generator.integers(*np.transpose([COARSE_CELLS, FINE_CELLS]))
    coarse, fine = (_smooth_noise(labels.shape, int(n), generator) for n in n_cells)
    strength = generator.uniform(0, COUNTERSTAIN)
    uneven = np.clip(EOSIN_MEAN + EOSIN_COARSE * coarse + EOSIN_FINE * fine, 0, None)
    nuclear = cv2.GaussianBlur((labels > 0).astype(np.float32), (0, 0), NUCLEAR_EDGE_PX)
    outside = 1 - generator.uniform(*NUCLEAR_PALENESS) * nuclear
    return np.asarray(strength * uneven * outside, np.float32)


def _smooth_noise(shape: Sequence[int], cells: int, generator: np.random.Generator) -> Float32s:
    grid = generator.standard_normal((cells, cells)).astype(np.float32)
    smooth: Float32s = cv2.resize(grid, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return smooth


def _degrade(rgb: Rgb, generator: np.random.Generator) -> Rgb:
    contrast = generator.uniform(1 - CONTRAST, 1 + CONTRAST)
    light = 255 - (255 - rgb.astype(np.float32)) * contrast
    light *= generator.uniform(1 - LIGHT_LOSS, 1)
    chances = generator.random(3)
    if chances[0] < P_BLUR:
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), generator.uniform(*BLUR_SIGMA_PX)))
    if chances[1] < P_NOISE:
        light = light + generator.normal(0, generator.uniform(*NOISE_SIGMA), light.shape)
    degraded = np.asarray(np.clip(light, 0, 255), np.uint8)
    return _compress(degraded, int(generator.integers(*JPEG_QUALITY))) if chances[2] < P_JPEG else degraded


def _compress(rgb: Rgb, quality: int) -> Rgb:
    """Image as JPEG of that quality shows it."""
    memory = io.BytesIO()
    Image.fromarray(rgb).save(memory, format="JPEG", quality=quality)
    return np.asarray(Image.open(memory), np.uint8)
