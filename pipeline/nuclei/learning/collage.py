"""Outlined nuclei cut out of real images and laid, crowded, onto real tissue; arrays in, arrays out.

Numbers without another source were chosen by judgement; none was measured.

Frame: pixels at the training scale, (row, col) in arrays and (x, y) in warp matrices.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from pipeline.arrays import Bools, Float32s, Float64s, Rgb
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.learning.augmentation import OutlinedImage
from pipeline.nuclei.learning.restaining import hed_from_rgb, rgb_from_hed
from pipeline.nuclei.stain.stain_channels import estimate_stain_scale, haematoxylin

MARGIN_PX = 4
"""Rim of a cutout, which holds the nucleus' blurred edge."""

MIN_AREA_PX = 30
"""Smaller pieces are parts of nuclei cut by the image's border."""

DENSE_PERCENTILE = 95
"""Percentile of the haematoxylin of an image's nuclei that becomes 1 in a cutout."""

LEAST_SPAN = 0.1
"""Guard: it is at least so far above the background."""

MAX_DENSITY = 1.5
"""Denser pixels of a cutout count as this: pigment and folds."""

CANVAS_BLUR_PX = 1.0
"""Gaussian radius before a canvas' nuclei are looked for."""

SURROUNDINGS_PX = 24.0
"""Gaussian radius over which a canvas' haematoxylin is compared: some nuclei wide."""

NUCLEUS_Z = 0.7
"""Standard deviations above its surroundings' haematoxylin from which a pixel may be a nucleus."""

RIM_PX = 5
"""Side of the square by which what is filled on a canvas is widened."""

INPAINT_RADIUS_PX = 4
"""Distance from which it is filled (Telea 2004)."""

GLASS_DENSITY = 0.15
"""Haematoxylin and eosin together below which a pixel is empty glass."""

TISSUE_BLUR_PX = 4.0
"""Gaussian radius over which tissue is told from glass."""

MIN_TISSUE = 0.5
"""Share of a picture that is tissue, if it can be had."""

PLACES_TRIED = 20
"""Places on a canvas that are looked at for so much tissue."""

P_MIRRORED = 0.5
"""Share of the pictures whose canvas is mirrored."""

CANVAS_GAIN = (0.35, 1.25)
"""Range of the factors on a canvas' haematoxylin and eosin."""

P_OFF_TISSUE = 0.9
"""Share of the nuclei meant for empty glass that are left out."""

DENSITY, DENSITY_LOG_SD = (0.9, 2.2), 0.15
"""Range of the density of a picture's nuclei, and the logarithmic SD of single ones about it."""

SIZE, SIZE_LOG_SD = (0.6, 1.3), 0.1
"""The same of their size over that of the cutouts."""

N_KINDS = (5, 60)
"""Range of the number of cutouts that a picture's nuclei are copies of: few kinds, as in tissue."""

N_SCATTERED, N_ROWS, N_CLUSTERS = (5, 160), (0, 7), (0, 4)
"""Ranges of a picture's nuclei that lie alone, of its rows (palisades) and of its clusters."""

ROW_NUCLEI = (10, 60)
"""Range of the nuclei of a row."""

ROW_PITCH_PX = (4.0, 13.0)
"""Range of the distance between two of them."""

ROW_BEND = 0.01
"""Largest bend of a row for each pixel of that distance, rad."""

ROW_DEPTHS_PX = (4, 20, 40)
"""Depths of a row: one layer or several."""

ROW_AXIS_SD = 0.15
"""SD of the axes of a row's nuclei about the normal of the row, rad."""

CLUSTER_NUCLEI = (10, 90)
"""Range of the nuclei of a cluster."""

CLUSTER_PITCH_PX = (4.5, 8.0)
"""Range of a cluster's SD over the square root of its nuclei."""

CLUSTER_AXIS_SD = (0.2, 3.0)
"""Range of the SD of the axes of a cluster's nuclei, rad: from aligned to any direction."""

MAX_HIDDEN = 0.4
"""Share of a nucleus that others may hide."""

EDGE_SIGMA_PX = 0.8
"""Softness of a nucleus' edge in the collage."""

HIDDEN_HAEMATOXYLIN, HIDDEN_EOSIN = 0.25, 0.6
"""Shares of a canvas' stains that a nucleus on it hides."""

VEIL, VEIL_SIGMA_PX = 0.8, 6.0
"""Largest share of the nuclei's density that the cytoplasm around them takes, and how far it reaches."""


@dataclass(frozen=True)
class Cutout:
    """A nucleus without its background.

    Attributes
    ----------
    density
        Haematoxylin (h, w) above the background of its image, 1 in the densest nuclei there;
        beyond the outline that of the nearest pixel within, so that turning makes no pale edge.
    mask
        (h, w).
    centre_xy, axis_rad
        Its centroid, pixels, and the angle of its major axis from +x towards +y.
    """

    density: Float32s
    mask: Bools
    centre_xy: tuple[float, float]
    axis_rad: float


@dataclass(frozen=True)
class _Pose:
    """Where and how a nucleus is laid: centre, px; angle of its major axis; factors on its size and its density."""

    x: float
    y: float
    angle_rad: float
    scale: float
    gain: float


def cutouts(image: OutlinedImage) -> list[Cutout]:
    """Nuclei of ``image`` that its border does not cut."""
    stain = haematoxylin(image.rgb)
    inside = image.labels > 0
    if not inside.any():
        return []
    background = float(np.median(stain[~inside])) if (~inside).any() else 0.0
    span = max(float(np.percentile(stain[inside], DENSE_PERCENTILE)) - background, LEAST_SPAN)
    relative = (np.clip((stain - background) / span, 0, MAX_DENSITY)).astype(np.float32)
    height, width = image.labels.shape
    whole = []
    for label, box in enumerate(ndimage.find_objects(image.labels), start=1):
        if box is None or box[0].start == 0 or box[1].start == 0 or box[0].stop == height or box[1].stop == width:
            continue
        mask = np.pad(image.labels[box] == label, MARGIN_PX)
        if mask.sum() >= MIN_AREA_PX:
            whole.append(_cutout(np.pad(relative[box], MARGIN_PX), mask))
    return whole


def _cutout(density: Float32s, mask: Bools) -> Cutout:
    nearest = ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True)
    rows, cols = np.nonzero(mask)
    spread = np.cov(np.stack([cols, rows]))
    axis = 0.5 * np.arctan2(2 * spread[0, 1], spread[0, 0] - spread[1, 1])
    return Cutout(density[tuple(nearest)], mask, (float(cols.mean()), float(rows.mean())), float(axis))


def cleared_canvas(rgb: Rgb) -> Rgb:
    """Tissue without nuclei: what is darker in haematoxylin than most of its surroundings is filled from its rim."""
    stain = cv2.GaussianBlur(haematoxylin(rgb), (0, 0), CANVAS_BLUR_PX)
    around = cv2.GaussianBlur(stain, (0, 0), SURROUNDINGS_PX)
    spread = np.sqrt(cv2.GaussianBlur((stain - around) ** 2, (0, 0), SURROUNDINGS_PX))
    dark = (stain > around + NUCLEUS_Z * spread) & (stain > np.median(stain))
    mask = cv2.dilate(dark.astype(np.uint8), np.ones((RIM_PX, RIM_PX), np.uint8))
    return np.asarray(cv2.inpaint(rgb, mask, INPAINT_RADIUS_PX, cv2.INPAINT_TELEA), np.uint8)


def collage(canvas: Rgb, nuclei: Sequence[Cutout], size_px: int, generator: np.random.Generator) -> tuple[Rgb, Labels]:
    """Lay nuclei onto a piece of ``canvas``: scattered, in clusters and in rows across a wavy line.

    Parameters
    ----------
    canvas
        Tissue without nuclei (h, w, 3), ``size_px`` or larger on both sides.
    nuclei
        To draw from.
    size_px
        Side of the picture.

    Returns
    -------
    Picture (size, size, 3) and its nuclei (size, size).
    """
    hed = _piece(canvas, size_px, generator)
    tissue = cv2.GaussianBlur(hed[..., :2].sum(axis=2), (0, 0), TISSUE_BLUR_PX) > GLASS_DENSITY
    labels = np.zeros((size_px, size_px), np.int32)
    density = generator.uniform(*DENSITY)
    scale = float(np.exp(generator.uniform(*np.log(SIZE))))
    kinds = generator.choice(len(nuclei), size=int(generator.integers(*N_KINDS)))
    for x, y, angle in _places(size_px, generator):
        inside = 0 <= x < size_px and 0 <= y < size_px
        if inside and not tissue[int(y), int(x)] and generator.random() < P_OFF_TISSUE:
            continue
        kind = nuclei[int(generator.choice(kinds))]
        gain = density * np.exp(generator.normal(0, DENSITY_LOG_SD))
        _paste(hed, labels, kind, _Pose(x, y, angle, scale * np.exp(generator.normal(0, SIZE_LOG_SD)), gain))
    nuclear = (labels > 0).astype(np.float32)
    veil = cv2.GaussianBlur(nuclear, (0, 0), VEIL_SIGMA_PX) * (1 - cv2.GaussianBlur(nuclear, (0, 0), EDGE_SIGMA_PX))
    hed[..., 0] += generator.uniform(0, VEIL) * density * veil
    return rgb_from_hed(hed), labels


def _piece(canvas: Rgb, size_px: int, generator: np.random.Generator) -> Float32s:
    """Stain concentrations of a piece of ``canvas`` with enough tissue, mirrored and restained."""
    for _ in range(PLACES_TRIED):
        row, col = (int(generator.integers(0, side - size_px + 1)) for side in canvas.shape[:2])
        hed = hed_from_rgb(canvas[row : row + size_px, col : col + size_px])
        if (hed[..., :2].sum(axis=2) > GLASS_DENSITY).mean() > MIN_TISSUE:
            break
    if generator.random() < P_MIRRORED:
        hed = hed[:, ::-1].copy()
    hed[..., :2] *= generator.uniform(*CANVAS_GAIN, 2)
    return hed


def _places(size_px: int, generator: np.random.Generator) -> Float64s:
    """Positions x, y and turns of the major axis (n, 3), in the order of laying."""
    parts = [_scattered(size_px, int(generator.integers(*N_SCATTERED)), generator)]
    parts += [_row(size_px, generator) for _ in range(int(generator.integers(*N_ROWS)))]
    parts += [_cluster(size_px, generator) for _ in range(int(generator.integers(*N_CLUSTERS)))]
    return np.concatenate(parts[::-1])


def _scattered(size_px: int, count: int, generator: np.random.Generator) -> Float64s:
    return np.column_stack([generator.uniform(0, size_px, (count, 2)), generator.uniform(0, np.pi, count)])


def _row(size_px: int, generator: np.random.Generator) -> Float64s:
    """Nuclei side by side along an arc, in one layer or several, their major axes across it."""
    count, pitch = int(generator.integers(*ROW_NUCLEI)), generator.uniform(*ROW_PITCH_PX)
    bend = generator.uniform(-ROW_BEND, ROW_BEND) * pitch
    direction = generator.uniform(0, 2 * np.pi) + bend * np.arange(count)
    along = np.column_stack([np.cos(direction), np.sin(direction)])
    depth_px = generator.uniform(-0.5, 0.5, (count, 1)) * generator.choice(ROW_DEPTHS_PX)
    xy = generator.uniform(0, size_px, 2) + np.cumsum(pitch * along, axis=0) + depth_px * along[:, ::-1] * (-1, 1)
    return np.column_stack([xy, direction + np.pi / 2 + generator.normal(0, ROW_AXIS_SD, count)])


def _cluster(size_px: int, generator: np.random.Generator) -> Float64s:
    count = int(generator.integers(*CLUSTER_NUCLEI))
    spread = generator.uniform(*CLUSTER_PITCH_PX) * np.sqrt(count)
    xy = generator.uniform(0, size_px, 2) + generator.normal(0, spread, (count, 2))
    axis = generator.uniform(0, np.pi) + generator.normal(0, generator.uniform(*CLUSTER_AXIS_SD), count)
    return np.column_stack([xy, axis])


def _paste(hed: Float32s, labels: Labels, nucleus: Cutout, pose: _Pose) -> None:
    """Lay one nucleus, in place, unless it would hide or be hidden by others too much."""
    mask, density = _turned(nucleus, pose.angle_rad, pose.scale)
    top, left = round(pose.y) - mask.shape[0] // 2, round(pose.x) - mask.shape[1] // 2
    window, own = _overlap((top, left), mask.shape, labels.shape)
    mask, density = mask[own], density[own]
    area = mask.sum()
    under = labels[window]
    if not area or (under[mask] > 0).sum() > MAX_HIDDEN * area:
        return
    free = mask & (under == 0)
    under[free] = labels.max() + 1
    cover = cv2.GaussianBlur(free.astype(np.float32), (0, 0), EDGE_SIGMA_PX)
    hed[window][..., 0] += cover * (pose.gain * density - HIDDEN_HAEMATOXYLIN * hed[window][..., 0])
    hed[window][..., 1] *= 1 - HIDDEN_EOSIN * cover


def _turned(nucleus: Cutout, angle: float, scale: float) -> tuple[Bools, Float32s]:
    """Mask and density with the major axis at ``angle`` from +x towards +y."""
    side = int(np.ceil(math.hypot(*nucleus.mask.shape) * scale)) + 2
    turn = angle - nucleus.axis_rad
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shift = np.full(2, side / 2) - linear @ np.array(nucleus.centre_xy)
    matrix = np.column_stack([linear, shift])
    density = cv2.warpAffine(nucleus.density, matrix, (side, side), flags=cv2.INTER_LINEAR)
    mask = cv2.warpAffine(nucleus.mask.astype(np.float32), matrix, (side, side), flags=cv2.INTER_LINEAR) > 0.5
    return np.asarray(mask, np.bool_), np.asarray(density, np.float32)


def _overlap(
    corner: tuple[int, int], shape: Sequence[int], bounds: Sequence[int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Part of the picture under a pasted array, and the part of the array that lies on it."""
    window, own = [], []
    for start, length, bound in zip(corner, shape, bounds, strict=True):
        first, last = max(start, 0), max(min(start + length, bound), max(start, 0))
        window.append(slice(first, last))
        own.append(slice(first - start, last - start))
    return (window[0], window[1]), (own[0], own[1])


def collages(images: Sequence[OutlinedImage], canvas: Rgb, count: int, size_px: int, seed: int) -> list[OutlinedImage]:
    """``count`` collages of the nuclei of ``images`` on ``canvas``, each by its own seed ``(seed, i)``."""
    nuclei = [cutout for image in images for cutout in cutouts(image)]
    cleared = cleared_canvas(canvas)
    made = []
    for index in range(count):
        rgb, labels = collage(cleared, nuclei, size_px, np.random.default_rng((seed, index)))
        made.append(OutlinedImage(rgb, labels, estimate_stain_scale([rgb])))
    return made
