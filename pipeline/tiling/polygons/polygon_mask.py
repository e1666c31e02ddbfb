"""A mask drawn by hand: GeoJSON polygons in level-0 pixels, as QuPath exports them.

QuPath shows only the scanned part of a slide and counts from its corner, so a slide whose
file states bounds has an offset between its polygons and its level-0 frame.

Tiles are restricted to the inside of the polygons.  A feature whose classification is
named ``exclude`` or ``ignore`` (``Ignore*`` in QuPath), or derived from it, is cut out
instead; where there are only such features, everything else stays.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pipeline.arrays import Bools
from pipeline.artefacts.geojson import NotGeoJsonError, Ring
from pipeline.errors import SheetError
from pipeline.logs import get_logger
from pipeline.tiling.grid.tile_grid import SlideSize
from pipeline.tiling.polygons.geojson_regions import read_regions

EXCLUDING = frozenset({"exclude", "ignore", "ignore*"})

logger = get_logger("tiling")


@dataclass(frozen=True)
class MaskFrame:
    """Where polygons lie on a mask: cells per level-0 pixel, and the level-0 position of their origin, in x and y."""

    scale: tuple[float, float]
    origin_l0: tuple[int, int]

    def cell(self, x: float, y: float) -> tuple[float, float]:
        """Place on the mask as Pillow counts, whose cell centres lie at integers."""
        return (x + self.origin_l0[0]) * self.scale[0] - 0.5, (y + self.origin_l0[1]) * self.scale[1] - 0.5


def read_polygon_mask(
    path: str | Path, size: SlideSize, *, shape: tuple[int, int], origin_l0: tuple[int, int] = (0, 0)
) -> Bools:
    """Rasterise the polygons of a GeoJSON file onto a mask that covers the whole slide.

    Parameters
    ----------
    path
        See ``geojson_regions``.
    size
        Of the slide.
    shape
        (rows, cols) of the mask.
    origin_l0
        Level-0 position (x, y) of the polygons' origin: the corner of the slide's bounds.

    Returns
    -------
    bool (rows, cols)

    Raises
    ------
    SheetError
        If the file is missing, is not GeoJSON or holds no region.
    """
    try:
        drawn = read_regions(path)
    except NotGeoJsonError as error:
        raise _fault(path, str(error)) from error
    if drawn.left_out:
        counts = ", ".join(f"{count} {what}" for what, count in sorted(drawn.left_out.items()))
        logger.warning("mask %s: left out are %s", path, counts)
    if not drawn.regions:
        raise _fault(path, "it holds no region with an area")
    frame = MaskFrame((shape[1] / size.width_l0, shape[0] / size.height_l0), origin_l0)
    inside, outside = np.zeros(shape, bool), np.zeros(shape, bool)
    is_excluding = [region.base_class.lower() in EXCLUDING for region in drawn.regions]
    for region, excludes in zip(drawn.regions, is_excluding, strict=True):
        target = outside if excludes else inside
        target |= _rasterised(region.rings, frame, shape)
    allowed = np.ones(shape, bool) if all(is_excluding) else inside
    return np.asarray(allowed & ~outside, np.bool_)


def _rasterised(rings: tuple[Ring, ...], frame: MaskFrame, shape: tuple[int, int]) -> Bools:
    """Interior of one polygon: the first ring less the others."""
    picture = Image.new("1", (shape[1], shape[0]), 0)
    draw = ImageDraw.Draw(picture)
    for number, ring in enumerate(rings):
        draw.polygon([frame.cell(x, y) for x, y in ring], fill=int(number == 0))
    return np.asarray(picture, np.bool_)


def _fault(path: str | Path, what: str) -> SheetError:
    return SheetError(
        str(path), [f"column `mask`: expected a GeoJSON file of polygons in level-0 pixels; {what}. Export it again."]
    )
