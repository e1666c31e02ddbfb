"""Outlined nuclei cut out of real images and laid, crowded, onto real tissue; arrays in, arrays out.

Frame: pixels at the training scale, (row, col) in arrays and (x, y) in warp matrices.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipeline.nuclei.learning.augmentation import Labels, OutlinedImage
from pipeline.nuclei.stain.stain_channels import (
    Floats,
    Rgb,
    estimate_stain_scale,
    haematoxylin,
    hed_from_rgb,
    rgb_from_hed,
)

MARGIN_PX = 4
"""Rim of a cutout, which holds the nucleus' blurred edge."""

MIN_AREA_PX = 30
"""Smaller pieces are parts of nuclei cut by the image's border."""

MAX_HIDDEN = 0.4
"""Share of a nucleus that others may hide."""

SURROUNDINGS_PX = 24.0
"""Gaussian radius over which a canvas' haematoxylin is compared: some nuclei wide."""

NUCLEUS_Z = 0.7
"""Standard deviations above its surroundings' haematoxylin from which a pixel may be a nucleus."""

MIN_TISSUE = 0.5
"""Share of a picture that is tissue, if it can be found."""

GLASS_DENSITY = 0.15
"""Haematoxylin and eosin together below which a pixel is empty glass."""

P_OFF_TISSUE = 0.9
"""Share of the nuclei meant for empty glass that are left out."""

CANVAS_GAIN = (0.35, 1.25)
"""Range of the factors on a canvas' haematoxylin and eosin."""

VEIL_SIGMA_PX = 6.0
"""Reach of the cytoplasm's haematoxylin around nuclei."""

EDGE_SIGMA_PX = 0.8
"""Softness of a nucleus' edge in the collage."""

DENSE_PERCENTILE, LEAST_SPAN, DENSEST = 95, 0.1, 1.5
"""A nucleus' haematoxylin is given over this percentile of its image's nuclei, which is at least so far above the
background (guard), and cut at this many times it."""

CANVAS_BLUR_PX = 1.0
"""Gaussian radius before a canvas' nuclei are sought."""

RIM_PX, INPAINT_RADIUS_PX = 5, 4
"""What is filled on a canvas is widened by a square of this side, and filled from so far (Telea 2004)."""

TISSUE_BLUR_PX = 4.0
"""Gaussian radius over which tissue is told from glass."""

STRENGTH = (0.9, 2.2)
"""Range of the density of a picture's nuclei, and of single ones about it (logarithmic SD):"""
STRENGTH_SPREAD = 0.15

SIZE, SIZE_SPREAD = (0.6, 1.3), 0.1
"""The same of their size."""

KINDS = (5, 60)
"""Nuclei of which a picture's are copies, as in tissue."""

VEIL = 0.8
"""Largest share of a nucleus' density that its cytoplasm takes."""

PIECES_TRIED = 20
"""Places on a canvas that are looked at for enough tissue."""

N_SCATTERED, N_ROWS, N_CLUSTERS = (5, 160), (0, 7), (0, 4)
"""Nuclei alone, rows (palisades) and clusters of a picture."""

ROW_NUCLEI, ROW_PITCH_PX, ROW_BEND, ROW_DEPTHS_PX, ROW_AXIS_SD = (10, 60), (4.0, 13.0), 0.01, (4, 20, 40), 0.15
"""Nuclei of a row, their distance, its largest bend a pixel of it (rad), its depth (one layer to several) and the SD of
its axes about the normal, rad."""

CLUSTER_NUCLEI, CLUSTER_PITCH_PX, CLUSTER_AXIS_SD = (10, 90), (4.5, 8.0), (0.2, 3.0)
"""Nuclei of a cluster, its spread over the root of their number, and the SD of its axes, rad."""

UNDER_HAEMATOXYLIN, UNDER_EOSIN = 0.25, 0.6
"""Shares of a canvas' stains that a nucleus on it hides.

All numbers without a source were chosen by eye beside palisaded and crowded epithelium.
"""


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

    density: Floats
    mask: npt.NDArray[np.bool_]
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
    relative = (np.clip((stain - background) / span, 0, DENSEST)).astype(np.float32)
    height, width = image.labels.shape
    whole = []
    for label, box in enumerate(ndimage.find_objects(image.labels), start=1):
        if box is None or box[0].start == 0 or box[1].start == 0 or box[0].stop == height or box[1].stop == width:
            continue
        mask = np.pad(image.labels[box] == label, MARGIN_PX)
        if mask.sum() >= MIN_AREA_PX:
            whole.append(_cutout(np.pad(relative[box], MARGIN_PX), mask))
    return whole


def _cutout(density: Floats, mask: npt.NDArray[np.bool_]) -> Cutout:
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
    strength = generator.uniform(*STRENGTH)
    scale = float(np.exp(generator.uniform(*np.log(SIZE))))
    # Few kinds of nuclei a picture, as in tissue.
    kinds = generator.choice(len(nuclei), size=int(generator.integers(*KINDS)))
    for x, y, angle in _places(size_px, generator):
        inside = 0 <= x < size_px and 0 <= y < size_px
        if inside and not tissue[int(y), int(x)] and generator.random() < P_OFF_TISSUE:
            continue
        kind = nuclei[int(generator.choice(kinds))]
        gain = strength * np.exp(generator.normal(0, STRENGTH_SPREAD))
        _paste(hed, labels, kind, _Pose(x, y, angle, scale * np.exp(generator.normal(0, SIZE_SPREAD)), gain))
    nuclear = (labels > 0).astype(np.float32)
    veil = cv2.GaussianBlur(nuclear, (0, 0), VEIL_SIGMA_PX) * (1 - cv2.GaussianBlur(nuclear, (0, 0), EDGE_SIGMA_PX))
    hed[..., 0] += generator.uniform(0, VEIL) * strength * veil
    return rgb_from_hed(hed), labels


def _piece(canvas: Rgb, size_px: int, generator: np.random.Generator) -> Floats:
    """Stain concentrations of a piece of ``canvas`` with enough tissue, mirrored and restained."""
    for _ in range(PIECES_TRIED):
        row, col = (int(generator.integers(0, side - size_px + 1)) for side in canvas.shape[:2])
        hed = hed_from_rgb(canvas[row : row + size_px, col : col + size_px])
        if (hed[..., :2].sum(axis=2) > GLASS_DENSITY).mean() > MIN_TISSUE:
            break
    if generator.random() < 0.5:
        hed = hed[:, ::-1].copy()
    hed[..., :2] *= generator.uniform(*CANVAS_GAIN, 2)
    return hed


def _places(size_px: int, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """Positions x, y and turns of the major axis (n, 3), in the order of laying."""
    parts = [_scattered(size_px, int(generator.integers(*N_SCATTERED)), generator)]
    parts += [_row(size_px, generator) for _ in range(int(generator.integers(*N_ROWS)))]
    parts += [_cluster(size_px, generator) for _ in range(int(generator.integers(*N_CLUSTERS)))]
    return np.concatenate(parts[::-1])


def _scattered(size_px: int, count: int, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    return np.column_stack([generator.uniform(0, size_px, (count, 2)), generator.uniform(0, np.pi, count)])


def _row(size_px: int, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """Nuclei side by side along an arc, in one layer or several, their major axes across it."""
    count, pitch = int(generator.integers(*ROW_NUCLEI)), generator.uniform(*ROW_PITCH_PX)
    bend = generator.uniform(-ROW_BEND, ROW_BEND) * pitch
    direction = generator.uniform(0, 2 * np.pi) + bend * np.arange(count)
    along = np.column_stack([np.cos(direction), np.sin(direction)])
    depth_px = generator.uniform(-0.5, 0.5, (count, 1)) * generator.choice(ROW_DEPTHS_PX)
    xy = generator.uniform(0, size_px, 2) + np.cumsum(pitch * along, axis=0) + depth_px * along[:, ::-1] * (-1, 1)
    return np.column_stack([xy, direction + np.pi / 2 + generator.normal(0, ROW_AXIS_SD, count)])


def _cluster(size_px: int, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    count = int(generator.integers(*CLUSTER_NUCLEI))
    spread = generator.uniform(*CLUSTER_PITCH_PX) * np.sqrt(count)
    xy = generator.uniform(0, size_px, 2) + generator.normal(0, spread, (count, 2))
    axis = generator.uniform(0, np.pi) + generator.normal(0, generator.uniform(*CLUSTER_AXIS_SD), count)
    return np.column_stack([xy, axis])


def _paste(hed: Floats, labels: Labels, nucleus: Cutout, pose: _Pose) -> None:
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
    hed[window][..., 0] += cover * (pose.gain * density - UNDER_HAEMATOXYLIN * hed[window][..., 0])
    hed[window][..., 1] *= 1 - UNDER_EOSIN * cover


def _turned(nucleus: Cutout, angle: float, scale: float) -> tuple[npt.NDArray[np.bool_], Floats]:
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
