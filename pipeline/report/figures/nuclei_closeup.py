"""Nuclei outlined at full zoom."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb

from pipeline.arrays import Float64s, Rgb
from pipeline.artefacts.nuclei import TYPE
from pipeline.pictures import LUMA
from pipeline.report.figures.colour_wheel import orientation_colours
from pipeline.report.figures.field_of_view import FieldOfView, Ground, draw_scale_bar, read_field
from pipeline.report.figures.figure_style import house_style, picture_canvas, png_bytes

OTHER_TYPE = "#8c8c8c"
"""Colour of nuclei of no known type, or of one without a colour of its own."""

SETTING_OFF = (0.05, 0.05, 0.1, 0.6)
"""Colour below outlines."""

DOT_PT2 = 16.0
"""Size of a nucleus without an outline, points squared."""

PALE = 0.4
"""Share of its own grey laid over tissue below outlines, which would drown in its colours."""


def densest_field(
    slide: Ground, tiles: pd.DataFrame, nuclei: pd.DataFrame, *, side_um: float, side_px: int
) -> FieldOfView | None:
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
    return FieldOfView(float(corner[0]), float(corner[1]), side_l0, side_l0, side_px / side_l0)


@house_style()
def nuclei_picture(
    slide: Ground, field: FieldOfView, nuclei: pd.DataFrame, type_colours: Mapping[str, str] | None = None
) -> tuple[bytes, int]:
    """PNG of a field with its nuclei outlined in the colour of their axis or type, and the number outlined.

    A nucleus without an outline is a dot.

    Parameters
    ----------
    nuclei
        Rows of the slide's nucleus table; those with a centroid in the field are drawn.
    type_colours
        Colour of each type; None colours by axis.
    """
    drawn = nuclei_in(field, nuclei, slide.mpp)
    if type_colours is None:
        colours = orientation_colours(drawn["orientation_rad"].to_numpy(np.float64))
    else:
        names = drawn[TYPE] if TYPE in drawn else [None] * len(drawn)
        rgb = [to_rgb(OTHER_TYPE if name is None else type_colours.get(name, OTHER_TYPE)) for name in names]
        colours = np.array(rgb, np.float64).reshape(-1, 3)
    figure, axes = picture_canvas(paled(read_field(slide, field)))
    draw_outlines(axes, field, drawn, slide.mpp, colours)
    draw_scale_bar(axes, field, slide.mpp)
    return png_bytes(figure), len(drawn)


def nuclei_in(field: FieldOfView, nuclei: pd.DataFrame, slide_mpp: float) -> pd.DataFrame:
    """Nuclei whose centroid lies in a field, its left and upper sides included.

    Parameters
    ----------
    slide_mpp
        um per level-0 pixel.
    """
    points = field.px_from_l0(nuclei[["x_um", "y_um"]].to_numpy(np.float64) / slide_mpp)
    height, width = field.shape
    inside: pd.DataFrame = nuclei.loc[((points >= 0) & (points < [width, height])).all(axis=1)]
    return inside


def draw_outlines(axes: Axes, field: FieldOfView, nuclei: pd.DataFrame, slide_mpp: float, colours: Float64s) -> None:
    """Draw contours, and dots where there is none, on a dark line that sets them off from tissue.

    Parameters
    ----------
    axes
        In pixels of the picture of ``field``.
    slide_mpp
        um per level-0 pixel.
    colours
        RGB (n, 3) in [0, 1] of each nucleus.
    """
    rings = [_rings(shape) for shape in shapely.from_wkb(nuclei["contour_um"].to_numpy(object))]
    outlines = [field.px_from_l0(ring / slide_mpp) for of_nucleus in rings for ring in of_nucleus]
    n_rings = np.array([len(of_nucleus) for of_nucleus in rings], np.int64)
    of_ring = list(map(tuple, np.repeat(colours, n_rings, 0)))
    for line_width, colour in ((2.9, SETTING_OFF), (1.8, of_ring)):
        axes.add_collection(PolyCollection(outlines, facecolors="none", edgecolors=colour, linewidths=line_width))
    bare = n_rings == 0
    if bare.any():
        x, y = field.px_from_l0(nuclei[["x_um", "y_um"]].to_numpy(np.float64)[bare] / slide_mpp).T
        axes.scatter(x, y, s=DOT_PT2, c=colours[bare], edgecolors=[SETTING_OFF], linewidths=0.6)


def paled(pixels: Rgb) -> Rgb:
    """The picture with ``PALE`` of its colour taken away."""
    grey = (pixels @ np.array(LUMA))[..., None]
    return np.asarray((1 - PALE) * pixels + PALE * grey, np.uint8)


def _rings(shape: object) -> list[Float64s]:
    parts = shapely.get_parts(shape)
    return [shapely.get_coordinates(shapely.get_exterior_ring(part)) for part in parts if part.geom_type == "Polygon"]
