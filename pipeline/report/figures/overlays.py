"""Pictures: nuclei outlined at full zoom, and the learned graph over the tissue.

Frame of a drawing: pixels of the picture, (x, y), y down; ``Field`` converts to it.
"""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from PIL import Image

from pipeline.pictures import LUMA, round_length_um
from pipeline.report.contents.graph_statistics import ImageGraph, kept_pairs, node_strength
from pipeline.report.figures.colour_wheel import orientation_colours
from pipeline.report.figures.figure_style import SEQUENTIAL, house_style, picture_canvas, png_bytes
from pipeline.slides.reader import SlideReader

Pixels = npt.NDArray[np.uint8]

MOST_PIXELS_AT_ONCE = 64_000_000
"""Guard: a box of more source pixels is cut from a thumbnail, which is read in blocks."""

FADE = 0.5
"""Share of white laid over tissue below a graph."""

PALE = 0.4
"""Share of its own grey laid over tissue below outlines, which would drown in its colours."""

BOW = 0.07
"""Height of the arc of an edge, as a share of its length."""

SCALE_BAR_SHARE = 0.28
"""A scale bar is at most this share of the picture's width."""


@dataclass(frozen=True)
class Field:
    """Box of a slide shown as a picture.

    Attributes
    ----------
    x_l0, y_l0, width_l0, height_l0
        The box in level-0 pixels.
    scale
        Picture pixels per level-0 pixel.
    """

    x_l0: float
    y_l0: float
    width_l0: float
    height_l0: float
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture in pixels."""
        return max(1, round(self.height_l0 * self.scale)), max(1, round(self.width_l0 * self.scale))

    def px_from_l0(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Picture (x, y) of level-0 (x, y), float64 (n, 2)."""
        moved: npt.NDArray[np.float64] = (points - np.array([self.x_l0, self.y_l0])) * self.scale
        return moved


def densest_field(
    slide: SlideReader, tiles: pd.DataFrame, nuclei: pd.DataFrame, *, side_um: float, side_px: int
) -> Field | None:
    """Square around the middle of the nuclei of the kept tile that owns most of them; None without nuclei.

    The square lies within the slide where the slide is large enough.
    """
    owned = nuclei[nuclei["tile_id"].isin(tiles.loc[tiles["kept"], "tile_id"])]
    if owned.empty:
        return None
    counts = owned["tile_id"].value_counts()
    densest = int(min(counts.index[counts == counts.max()]))
    middle_um = owned.loc[owned["tile_id"] == densest, ["x_um", "y_um"]].median().to_numpy(np.float64)
    side_l0 = side_um / slide.mpp
    limits = np.array([slide.width_l0, slide.height_l0], np.float64) - side_l0
    corner = np.clip(middle_um / slide.mpp - side_l0 / 2, 0.0, np.maximum(limits, 0.0))
    return Field(float(corner[0]), float(corner[1]), side_l0, side_l0, side_px / side_l0)


def nuclei_picture(slide: SlideReader, field: Field, nuclei: pd.DataFrame) -> tuple[bytes, int]:
    """PNG of a field with its nuclei outlined in the colour of their axis, and the number outlined.

    Parameters
    ----------
    nuclei
        Rows of the slide's nucleus table; those with a centroid in the field are drawn.
    """
    points = field.px_from_l0(nuclei[["x_um", "y_um"]].to_numpy(np.float64) / slide.mpp)
    height, width = field.shape
    inside = ((points >= 0) & (points < [width, height])).all(axis=1)
    drawn = nuclei[inside]
    shapes = shapely.from_wkb(drawn["contour_um"].to_numpy(object))
    outlines = [field.px_from_l0(ring / slide.mpp) for shape in shapes for ring in _rings(shape)]
    n_rings = [len(_rings(shape)) for shape in shapes]
    colours = np.repeat(orientation_colours(drawn["orientation_rad"].to_numpy(np.float64)), n_rings, axis=0)
    with house_style():
        figure, axes = picture_canvas(paled(read_field(slide, field)))
        axes.add_collection(
            PolyCollection(outlines, facecolors="none", edgecolors=(0.05, 0.05, 0.1, 0.6), linewidths=2.9)
        )
        axes.add_collection(
            PolyCollection(outlines, facecolors="none", edgecolors=list(map(tuple, colours)), linewidths=1.8)
        )
        _scale_bar(axes, field, slide.mpp)
        return png_bytes(figure), len(drawn)


def paled(pixels: Pixels) -> Pixels:
    """The picture with ``PALE`` of its colour taken away."""
    grey = (pixels @ np.array(LUMA))[..., None]
    return np.asarray((1 - PALE) * pixels + PALE * grey, np.uint8)


def _rings(shape: object) -> list[npt.NDArray[np.float64]]:
    parts = shapely.get_parts(shape)
    return [shapely.get_coordinates(shapely.get_exterior_ring(part)) for part in parts if part.geom_type == "Polygon"]


def graph_field(image: ImageGraph, longer_px: int) -> Field:
    """Box round all patches of an image, half a patch of margin."""
    corners = image.corners_l0.astype(np.float64)
    side = image.width_l0 or 0.0
    low, high = corners.min(axis=0), corners.max(axis=0) + side
    margin = max(side / 2, 0.05 * float((high - low).max()), 1.0)
    width, height = (high - low) + 2 * margin
    return Field(low[0] - margin, low[1] - margin, float(width), float(height), longer_px / max(width, height))


def graph_picture(
    image: ImageGraph, field: Field, slide: SlideReader | None, *, max_edges: int, strongest: float
) -> tuple[bytes, int, int]:
    """PNG of the heaviest kept edges over the faded tissue; edges drawn and kept pairs.

    Nodes sit at patch centres, coloured by strength; an edge's width and opacity follow
    its weight relative to the heaviest of the image.

    Parameters
    ----------
    slide
        Open slide, or None to draw on white.
    max_edges
        Largest number of pairs drawn.
    strongest
        Strength at the upper end of the colour scale.
    """
    pairs, weight = kept_pairs(image.graph)
    centres = field.px_from_l0(image.corners_l0 + (image.width_l0 or 0.0) / 2)
    strength = node_strength(pairs, weight, image.n_patches)
    top = slice(0, max_edges)
    relative = weight[top] / weight[0] if len(weight) else weight
    height, width = field.shape
    pixels = np.full((height, width, 3), 255, np.uint8) if slide is None else read_field(slide, field)
    with house_style():
        figure, axes = picture_canvas(np.asarray(pixels + (255.0 - pixels) * FADE, np.uint8))
        _draw_patches(axes, image, field)
        # Light edges first, so that heavy ones lie on top.
        colours = [(0.05, 0.09, 0.16, 0.12 + 0.83 * share) for share in relative[::-1]]
        segments = bowed(centres[pairs[top]][::-1])
        axes.add_collection(
            LineCollection(list(segments), colors=colours, linewidths=0.5 + 2.7 * relative[::-1], zorder=2)
        )
        shades = colormaps[SEQUENTIAL](strength / max(strongest, 1e-9))
        size = float(np.clip((image.width_l0 or 0.0) * field.scale * 0.3, 7.0, 15.0))
        axes.scatter(centres[:, 0], centres[:, 1], s=size**2, c=shades, edgecolors="white", linewidths=1.2, zorder=3)
        if slide is not None:
            _scale_bar(axes, field, slide.mpp)
        return png_bytes(figure), len(segments), len(pairs)


def bowed(segments: npt.NDArray[np.float64], n_points: int = 13) -> npt.NDArray[np.float64]:
    """Straight lines (n, 2, 2) as slight arcs (n, n_points, 2) between the same ends.

    On a grid, straight edges run through patches that they do not join and over each other.
    """
    start, end = segments[:, 0, None, :], segments[:, 1, None, :]
    along = end - start
    across = np.concatenate([-along[..., 1:], along[..., :1]], axis=2)
    share = np.linspace(0.0, 1.0, n_points)[None, :, None]
    return np.asarray(start + share * along + 4 * BOW * share * (1 - share) * across, np.float64)


def _draw_patches(axes: Axes, image: ImageGraph, field: Field) -> None:
    if image.width_l0:
        corners = field.px_from_l0(image.corners_l0.astype(np.float64))
        side = image.width_l0 * field.scale
        square = np.array([[0, 0], [side, 0], [side, side], [0, side]])
        outlines = corners[:, None, :] + square
        axes.add_collection(
            PolyCollection(list(outlines), facecolors="none", edgecolors=(0.3, 0.35, 0.45, 0.35), linewidths=0.7)
        )


def read_field(slide: SlideReader, field: Field) -> Pixels:
    """Pixels of a field, uint8 (h, w, 3).

    Raises
    ------
    SlideError
        If the slide is damaged there.
    """
    height, width = field.shape
    downsample = 1 / field.scale
    finest = max((level.downsample for level in slide.levels if level.downsample <= downsample), default=1.0)
    if field.width_l0 * field.height_l0 / finest**2 <= MOST_PIXELS_AT_ONCE:
        box = (field.x_l0, field.y_l0, field.width_l0, field.height_l0)
        return slide.read_box(*box, width_px=width, height_px=height)
    whole = Image.fromarray(slide.thumbnail(slide.mpp * downsample))
    shrink = np.array([whole.width / slide.width_l0, whole.height / slide.height_l0] * 2)
    corners = np.array([field.x_l0, field.y_l0, field.x_l0 + field.width_l0, field.y_l0 + field.height_l0])
    left, top, right, bottom = np.clip(np.rint(corners * shrink), 0, [whole.width, whole.height] * 2).tolist()
    return np.asarray(whole.crop((left, top, right, bottom)).resize((width, height)), np.uint8)


def overview_picture(pixels: Pixels, longer_px: int) -> bytes:
    """PNG of an overview, made smaller so that its longer side is at most ``longer_px``."""
    height, width = pixels.shape[:2]
    factor = min(1.0, longer_px / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    stream = io.BytesIO()
    Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _scale_bar(axes: Axes, field: Field, slide_mpp: float) -> None:
    height, width = field.shape
    px_per_um = field.scale / slide_mpp
    length_um = round_length_um(SCALE_BAR_SHARE * width / px_per_um)
    text = f"{length_um / 1000:g} mm" if length_um >= 1000 else f"{length_um:g} µm"
    left, bottom = 12.0, height - 14.0
    ends = [left, left + length_um * px_per_um]
    axes.plot(ends, [bottom, bottom], color="white", linewidth=6.0, solid_capstyle="butt", zorder=5)
    axes.plot(ends, [bottom, bottom], color="#111827", linewidth=3.0, solid_capstyle="butt", zorder=6)
    axes.text(
        left,
        bottom - 7,
        text,
        fontsize=8.5 * max(1.0, width / 480),
        fontweight="bold",
        color="#111827",
        zorder=6,
        va="bottom",
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.5},
    )
