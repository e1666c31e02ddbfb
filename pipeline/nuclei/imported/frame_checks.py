"""Whether nuclei from elsewhere can lie where a file says: on the slide, on its tissue, as large as nuclei are.

Frame: that of the slide's tables, um.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from pipeline.arrays import Bools, Float64s
from pipeline.artefacts.foreign_nuclei.found_nuclei import FoundNuclei
from pipeline.artefacts.tables import HeadedTable
from pipeline.errors import ImportedFileError

MOST_OUTSIDE = 0.01
"""Share of nuclei beyond the slide's border that is told and left out; more is a wrong frame."""

LOOKED_AT = 20_000
"""Nuclei of which places are compared with tissue, evenly taken."""

ON_TISSUE, OFF_TISSUE = 0.8, 0.5
"""Another reading of a file is told when it puts this share on tissue and the file's own less than the other."""

DIAMETERS_UM = (2.5, 30.0)
"""Median diameters of nuclei that raise no question; those of lymphocytes to large tumour cells lie well inside."""

PLAUSIBLE_UM = (4.0, 20.0)
"""The same that make another unit the likelier one."""

LEAST_DISTANCE_UM = 0.5
"""Median distance to the nearest other nucleus below which places cannot be in um."""

FILLED, LEAST_FILLED, NEAR_CORNER = 1.02, 0.85, 0.15
"""Shares of the slide: nuclei in the wrong unit end where the slide would, and begin near its corner."""

SAME_UNIT = 1.25
"""Pixels of a size nearer to 1 um than this factor cannot be told from micrometres by where they end."""

OTHER_UNIT = {"um": "pixels of level 0", "px": "micrometres"}
REMEDY = {"um": "name the columns x_px and y_px", "px": "name the columns x_um and y_um"}


@dataclass(frozen=True)
class PlacedNuclei:
    """Nuclei of a file in the frame of the slide's tables.

    Attributes
    ----------
    found
        As the file has them.
    path
        The file.
    xy_um
        Centroids (n, 2).
    diameter_um
        (n,) of circles of the same area; NaN where no area is known.
    """

    found: FoundNuclei
    path: str | Path
    xy_um: Float64s
    diameter_um: Float64s


def check_sizes(nuclei: PlacedNuclei) -> tuple[str, ...]:
    """Cautions on the size of nuclei and on nuclei at one place.

    Raises
    ------
    ImportedFileError
        If they lie nearer to each other than nuclei can.
    """
    cautions = []
    distinct = np.unique(nuclei.xy_um, axis=0)
    repeated = len(nuclei.xy_um) - len(distinct)
    if repeated:
        cautions.append(f"{repeated} nuclei lie at exactly the place of another")
    if len(distinct) > 1:
        distance, _ = cKDTree(distinct).query(_some(distinct), k=2)
        median = float(np.median(distance[:, 1]))
        if median < LEAST_DISTANCE_UM:
            raise ImportedFileError(
                f"{nuclei.path}: nuclei lie {median:.2g} um from the next one (median), expected at least "
                f"{LEAST_DISTANCE_UM:g}. Are places in millimetres? Give them in micrometres."
            )
    diameter = _median(nuclei.diameter_um)
    if diameter is not None and not DIAMETERS_UM[0] <= diameter <= DIAMETERS_UM[1]:
        cautions.append(
            f"the median nucleus is {diameter:.3g} um wide, expected {DIAMETERS_UM[0]:g} to {DIAMETERS_UM[1]:g}: check "
            "the unit and the size of a pixel"
        )
    return tuple(cautions)


def check_frame(nuclei: PlacedNuclei, tiles: HeadedTable) -> Bools:
    """Which nuclei (n,) lie on the slide; all but a few must.

    Parameters
    ----------
    tiles
        Tile table of the slide.

    Raises
    ------
    ImportedFileError
        If many lie outside, or another reading of the file fits the slide's tissue and this one does not.
    """
    slide = _Slide(tiles)
    inside = slide.holds(nuclei.xy_um)
    n_outside = int((~inside).sum())
    if n_outside > MOST_OUTSIDE * len(inside):
        (x0, y0), (x1, y1) = nuclei.xy_um.min(axis=0), nuclei.xy_um.max(axis=0)
        remedy = _better_reading(nuclei, slide) or "Give the nuclei of this slide, in its own frame."
        raise ImportedFileError(
            f"{nuclei.path}: {n_outside} of {len(inside)} nuclei lie outside slide {slide.slide_id}, which is "
            f"{slide.size_um[0]:.0f} x {slide.size_um[1]:.0f} um: x is {x0:.0f} to {x1:.0f} um, y is {y0:.0f} to "
            f"{y1:.0f} um. {remedy}"
        )
    looked_at = _some(nuclei.xy_um[inside])
    if slide.share_on_tissue(looked_at) < OFF_TISSUE and (better := _better_reading(nuclei, slide)):
        raise ImportedFileError(
            f"{nuclei.path}: only {slide.share_on_tissue(looked_at):.0%} of the nuclei lie on tissue of slide "
            f"{slide.slide_id}. {better}"
        )
    if found := _looks_like_other_unit(nuclei, slide):
        raise ImportedFileError(f"{nuclei.path}: {found}; {REMEDY[nuclei.found.unit]}, or convert them.")
    return inside


class _Slide:
    """Extent and tissue of a slide, from its tile table."""

    def __init__(self, tiles: HeadedTable) -> None:
        header, frame = tiles.header, tiles.frame
        self.slide_id = header["slide_id"]
        self.mpp = float(header["slide_mpp"])
        self.size_um = np.array([header["width_l0"], header["height_l0"]], np.float64) * self.mpp
        self.bounds_um = np.array(header["bounds_l0"][:2], np.float64) * self.mpp
        # Imported tiles are kept wherever they lie: whoever chose them has seen tissue there.
        tissue = frame[frame["kept"] | (frame["tissue_fraction"] > 0)]
        side = tissue["width_l0"].to_numpy(np.float64) * self.mpp
        corner = tissue[["x_l0", "y_l0"]].to_numpy(np.float64) * self.mpp
        self._half_side = float(side.max(initial=0)) / 2
        self._tissue = cKDTree(corner + side[:, None] / 2) if len(tissue) else None

    def holds(self, xy_um: Float64s) -> Bools:
        """Which points (n,) lie on the slide."""
        on_slide: Bools = ((xy_um >= 0) & (xy_um <= self.size_um)).all(axis=1)
        return on_slide

    def share_on_tissue(self, xy_um: Float64s) -> float:
        """Share of points in tiles with tissue; 1 where there is no such tile."""
        if self._tissue is None or not len(xy_um):
            return 1.0
        distance, _ = self._tissue.query(xy_um, p=np.inf, distance_upper_bound=self._half_side + self.mpp)
        return float(np.isfinite(distance).mean())


def _better_reading(nuclei: PlacedNuclei, slide: _Slide) -> str | None:
    """What else the file may mean, in words, where that fits the slide's tissue; else None."""
    for xy_um, words in _readings(nuclei, slide):
        looked_at = _some(xy_um)
        if slide.holds(looked_at).mean() >= 1 - MOST_OUTSIDE and slide.share_on_tissue(looked_at) >= ON_TISSUE:
            return words
    return None


def _readings(nuclei: PlacedNuclei, slide: _Slide) -> Iterator[tuple[Float64s, str]]:
    xy, unit = nuclei.xy_um, nuclei.found.unit
    if nuclei.found.magnification is None:
        other = xy * slide.mpp if unit == "um" else xy / slide.mpp
        yield other, f"Taken as {OTHER_UNIT[unit]} they would lie on its tissue: {REMEDY[unit]}, or convert them."
    yield xy[:, ::-1], "With x and y exchanged they would lie on its tissue: exchange them."
    if slide.bounds_um.any():
        shift = slide.bounds_um * (-1 if nuclei.found.origin == "scanned part" else 1)
        corner = "level 0" if nuclei.found.origin == "scanned part" else "the scanned part, as QuPath counts,"
        yield xy + shift, f"Counted from the corner of {corner} they would lie on its tissue: move them."


def _looks_like_other_unit(nuclei: PlacedNuclei, slide: _Slide) -> str | None:
    """Why a table's places or outlines are in the other unit than it says, or None."""
    unit, ratio = nuclei.found.unit, slide.mpp
    ratio = ratio if unit == "um" else 1 / ratio
    if nuclei.found.kind != "table" or 1 / SAME_UNIT < ratio < SAME_UNIT:
        return None
    diameter = _median(nuclei.diameter_um)
    if diameter is not None:
        is_odd = not DIAMETERS_UM[0] <= diameter <= DIAMETERS_UM[1]
        if is_odd and PLAUSIBLE_UM[0] <= diameter * ratio <= PLAUSIBLE_UM[1]:
            return (
                f"the median nucleus would be {diameter:.3g} um wide, and taken as {OTHER_UNIT[unit]} "
                f"{diameter * ratio:.3g} um"
            )
        return None
    low, high = (nuclei.xy_um.min(axis=0) * ratio, nuclei.xy_um.max(axis=0) * ratio) / slide.size_um
    if (high >= LEAST_FILLED).all() and (high <= FILLED).all() and (low <= NEAR_CORNER).all():
        return (
            f"the nuclei would lie in a corner of slide {slide.slide_id}, and taken as {OTHER_UNIT[unit]} they would "
            "fill it"
        )
    return None


def _median(values: Float64s) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else None


def _some(points: Float64s) -> Float64s:
    """At most about ``LOOKED_AT`` of the points, evenly taken."""
    some: Float64s = points[:: max(1, len(points) // LOOKED_AT)]
    return some
