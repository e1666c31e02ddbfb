"""The learned graph of an image over its tissue."""

from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection

from pipeline.arrays import Float64s
from pipeline.report.contents.graph_statistics import ImageGraph, kept_pairs, node_strength
from pipeline.report.figures.field_of_view import FieldOfView, draw_scale_bar, read_field
from pipeline.report.figures.figure_style import SEQUENTIAL, SMALLEST_SCALE, house_style, picture_canvas, png_bytes
from pipeline.slides.reader import SlideReader

FADE = 0.5
"""Share of white laid over tissue below a graph."""

BOW = 0.07
"""Height of the arc of an edge, as a share of its length."""


def graph_field(image: ImageGraph, longer_px: int) -> FieldOfView:
    """Box round all patches of an image, half a patch of margin."""
    corners = image.corners_l0.astype(np.float64)
    side = image.width_l0 or 0.0
    low, high = corners.min(axis=0), corners.max(axis=0) + side
    margin = max(side / 2, 0.05 * float((high - low).max()), 1.0)
    width, height = (high - low) + 2 * margin
    return FieldOfView(low[0] - margin, low[1] - margin, float(width), float(height), longer_px / max(width, height))


@dataclass(frozen=True)
class GraphPicture:
    """A drawn graph.

    Attributes
    ----------
    png
        The file's bytes.
    n_drawn, n_pairs
        Pairs of patches whose edge is drawn, and all that a kept edge joins.
    """

    png: bytes
    n_drawn: int
    n_pairs: int


@house_style()
def graph_picture(
    image: ImageGraph, field: FieldOfView, slide: SlideReader | None, *, max_edges: int, strongest: float
) -> GraphPicture:
    """Picture of the heaviest kept edges over the faded tissue; see ``draw_graph``.

    Parameters
    ----------
    slide
        Open slide, or None to draw on white.
    """
    height, width = field.shape
    pixels = np.full((height, width, 3), 255, np.uint8) if slide is None else read_field(slide, field)
    figure, axes = picture_canvas(np.asarray(pixels + (255.0 - pixels) * FADE, np.uint8))
    n_drawn, n_pairs = draw_graph(axes, image, field, max_edges=max_edges, strongest=strongest)
    if slide is not None:
        draw_scale_bar(axes, field, slide.mpp)
    return GraphPicture(png_bytes(figure), n_drawn, n_pairs)


def draw_graph(
    axes: Axes, image: ImageGraph, field: FieldOfView, *, max_edges: int, strongest: float
) -> tuple[int, int]:
    """Draw patches, heaviest pairs and nodes; return the number of pairs drawn and of all pairs.

    Nodes sit at patch centres, coloured by strength; an edge's width and opacity follow
    its weight relative to the heaviest of the image.

    Parameters
    ----------
    axes
        In pixels of the picture of ``field``.
    max_edges
        Largest number of pairs drawn.
    strongest
        Strength at the upper end of the colour scale.
    """
    pairs, weight = kept_pairs(image.graph)
    centres = field.px_from_l0(image.corners_l0 + (image.width_l0 or 0.0) / 2)
    top = slice(0, max_edges)
    _draw_patches(axes, image, field)
    _draw_edges(axes, centres[pairs[top]], weight[top])
    strength = node_strength(pairs, weight, image.n_patches)
    size = float(np.clip((image.width_l0 or 0.0) * field.scale * 0.3, 7.0, 15.0))
    shades = colormaps[SEQUENTIAL](strength / max(strongest, SMALLEST_SCALE))
    axes.scatter(centres[:, 0], centres[:, 1], s=size**2, c=shades, edgecolors="white", linewidths=1.2, zorder=3)
    return len(pairs[top]), len(pairs)


def _draw_edges(axes: Axes, ends: Float64s, weight: Float64s) -> None:
    """Edges (n, 2, 2), heaviest first."""
    relative = weight[::-1] / weight.max(initial=SMALLEST_SCALE)
    # Light edges first, so that heavy ones lie on top.
    arcs = list(bowed(ends[::-1]))
    colours = [(0.05, 0.09, 0.16, 0.12 + 0.83 * share) for share in relative]
    axes.add_collection(LineCollection(arcs, colors=colours, linewidths=0.5 + 2.7 * relative, zorder=2))


def bowed(segments: Float64s, n_points: int = 13) -> Float64s:
    """Straight lines (n, 2, 2) as slight arcs (n, n_points, 2) between the same ends.

    On a grid, straight edges run through patches that they do not join and over each other.
    """
    start, end = segments[:, 0, None, :], segments[:, 1, None, :]
    along = end - start
    across = np.concatenate([-along[..., 1:], along[..., :1]], axis=2)
    share = np.linspace(0.0, 1.0, n_points)[None, :, None]
    return np.asarray(start + share * along + 4 * BOW * share * (1 - share) * across, np.float64)


def _draw_patches(axes: Axes, image: ImageGraph, field: FieldOfView) -> None:
    if image.width_l0:
        corners = field.px_from_l0(image.corners_l0.astype(np.float64))
        side = image.width_l0 * field.scale
        square = np.array([[0, 0], [side, 0], [side, side], [0, side]])
        outlines = corners[:, None, :] + square
        axes.add_collection(
            PolyCollection(list(outlines), facecolors="none", edgecolors=(0.3, 0.35, 0.45, 0.35), linewidths=0.7)
        )
