"""Everything that the panel of one slide carries, and its pictures.

Frame of what a panel carries: shares of its field from the field's top-left corner, y down.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.arrays import Float64s, Int64s
from pipeline.report.figures.colour_wheel import orientation_colours
from pipeline.report.figures.field_of_view import FieldOfView
from pipeline.report.panels.nuclei_fields import read_nuclei_fields
from pipeline.report.panels.packed import Packed, packed, packed_places, packed_shares
from pipeline.report.panels.panel_pictures import (
    PATCH_PX,
    PATCHES_ABREAST,
    PanelPictures,
    field_of_boxes,
    field_of_slide,
    pictures_of,
)
from pipeline.report.panels.panel_subjects import PanelSubject
from pipeline.report.panels.patch_values import STEPS_PER_SD, packed_features, standardised
from pipeline.report.panels.slide_reading import SlideReading
from pipeline.report.params import ReportParams

CLOSEUPS = 4
"""Patches whose nuclei are shown at full zoom."""

CLOSEUP_PX = 400
"""Side of a picture of nuclei: that of a field of 200 um at 0.5 um per pixel."""

ENLARGED = 2.0
"""Most pixels of such a picture per pixel of the slide."""

AXIS_COLOURS = 60
"""Colours of axes, one a 3 degrees."""


@dataclass(frozen=True)
class SlidePanel:
    """A panel.

    Attributes
    ----------
    content
        What the page reads, ready for JSON.
    pictures
        WebP by name.
    """

    content: dict[str, Any]
    pictures: dict[str, bytes] = field(default_factory=dict)


def slide_panel(subject: PanelSubject, params: ReportParams) -> SlidePanel:
    """Panel of one slide.

    Raises
    ------
    ArtefactError
        If one of its artefacts cannot be read, or they contradict each other.
    """
    reading = SlideReading(subject)
    with pictures_of(subject) as pictures:
        shown = _field(reading, pictures, params.panel_px)
        drawn = {"field": None} if shown is None else _drawn(subject, reading, pictures, shown, params)
    return SlidePanel({**_facts(subject), **drawn, "fault": pictures.fault}, pictures.files)


def _facts(subject: PanelSubject) -> dict[str, Any]:
    """The slide in words and numbers."""
    summary, row = subject.summary, subject.summary.row
    return {
        "slide": row.slide_id,
        "run": subject.run,
        "label": row.label,
        "patient": row.case_id if row.case_given else None,
        "status": summary.status,
        "reason": summary.reason,
        "nTiles": summary.n_tiles,
        "nKept": summary.n_kept,
        "nNuclei": summary.n_nuclei,
        "views": [],
    }


def _field(reading: SlideReading, pictures: PanelPictures, longer_px: int) -> FieldOfView | None:
    """What is shown: all patches and dropped tiles, or the whole slide; None where there is neither."""
    dropped = reading.dropped
    boxes = np.concatenate([reading.corners.astype(np.float64), dropped[["x_l0", "y_l0"]].to_numpy(np.float64)])
    sides = np.concatenate([np.full(len(reading.corners), reading.side), dropped["width_l0"].to_numpy(np.float64)])
    if len(boxes):
        return field_of_boxes(boxes, sides, longer_px)
    return None if pictures.slide is None else field_of_slide(pictures.slide, longer_px)


def _drawn(
    subject: PanelSubject, reading: SlideReading, pictures: PanelPictures, shown: FieldOfView, params: ReportParams
) -> dict[str, Any]:
    """All that lies in the field."""
    described = reading.described(params.panel_patches)
    true = reading.true_pairs(params.true_edges)
    return {
        "field": {"width": shown.width_l0, "height": shown.height_l0, "mpp": subject.summary.slide_mpp},
        "tissue": pictures.take("tissue", shown),
        "patches": {"places": _shares(shown, reading.corners), "side": reading.side},
        "dropped": _dropped(reading, shown),
        "views": [view.plain() for view in reading.views],
        "described": _described(reading, pictures, described),
        "trueEdges": None if true is None else packed_places(true),
        "closeups": _closeups(subject, reading, pictures, params.closeup_um),
        "axisColours": _axis_colours(),
    }


def _shares(shown: FieldOfView, points_l0: Float64s | Int64s) -> Packed:
    size = np.array([shown.width_l0, shown.height_l0])
    return packed_shares((points_l0 - np.array([shown.x_l0, shown.y_l0])) / size)


def _dropped(reading: SlideReading, shown: FieldOfView) -> dict[str, Any]:
    dropped = reading.dropped
    reasons = sorted(set(dropped["reason"]))
    return {
        "places": _shares(shown, dropped[["x_l0", "y_l0"]].to_numpy(np.float64)),
        "side": float(dropped["width_l0"].max()) if len(dropped) else 0.0,
        "reasons": reasons,
        "reason": packed([reasons.index(reason) for reason in dropped["reason"]], "u2"),
    }


def _described(reading: SlideReading, pictures: PanelPictures, described: Int64s) -> dict[str, Any]:
    """Pictures and standardised features of some patches."""
    named = reading.named_features()
    return {
        "nodes": packed_places(described),
        "names": [] if named is None else list(named[0]),
        "features": None if named is None else packed_features(standardised(named[1]), described),
        "stepsPerSd": STEPS_PER_SD,
        "sheet": pictures.take_patches("patches", reading.corners[described], reading.side),
        "sheetPx": PATCH_PX,
        "sheetAbreast": PATCHES_ABREAST,
    }


def _closeups(
    subject: PanelSubject, reading: SlideReading, pictures: PanelPictures, side_um: float
) -> list[dict[str, Any]]:
    """Nuclei of the middle of some patches."""
    mpp = subject.summary.slide_mpp
    if mpp is None or subject.nuclei is None or not reading.side:
        return []
    squares = [(node, _middle(reading, node, side_um / mpp)) for node in reading.closest(CLOSEUPS)]
    fields = read_nuclei_fields(subject.nuclei, mpp, squares)
    return [
        {"picture": pictures.take(f"nuclei_{place}", nuclei.field), **nuclei.plain(mpp)}
        for place, nuclei in enumerate(fields)
    ]


def _middle(reading: SlideReading, node: int, most_l0: float) -> FieldOfView:
    """Square of at most ``most_l0`` level-0 pixels in the middle of a patch."""
    side = min(reading.side, most_l0)
    x, y = (float(corner) + (reading.side - side) / 2 for corner in reading.corners[node])
    return FieldOfView(x, y, side, side, min(CLOSEUP_PX / side, ENLARGED))


def _axis_colours() -> list[str]:
    angles = (np.arange(AXIS_COLOURS) + 0.5) * np.pi / AXIS_COLOURS
    rgb = np.rint(255 * orientation_colours(angles)).astype(int)
    return ["#{:02x}{:02x}{:02x}".format(*colour) for colour in rgb.tolist()]
