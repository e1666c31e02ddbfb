"""Everything that the panel of one slide carries, and its pictures.

Frame of what a panel carries: shares of its field from the field's top-left corner, y down.
"""

from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.arrays import Float64s, Int64s
from pipeline.artefacts.feature_parts import PatchPlaces, open_features, read_patch_places
from pipeline.artefacts.learned_graphs import LearnedGraph, LearnedGraphs
from pipeline.artefacts.tiles import read_tiles
from pipeline.errors import MissingMppError, SlideError
from pipeline.report.contents.graph_statistics import ImageGraph, kept_pairs
from pipeline.report.contents.true_edges import read_true_graph
from pipeline.report.figures.colour_wheel import orientation_colours
from pipeline.report.figures.field_of_view import FieldOfView, read_field
from pipeline.report.panels.graph_pairs import ShownGraph, most_joined
from pipeline.report.panels.nuclei_fields import read_nuclei_fields
from pipeline.report.panels.packed import packed, packed_places, packed_shares
from pipeline.report.panels.panel_pictures import (
    PATCH_PX,
    PATCH_QUALITY,
    PATCHES_ABREAST,
    TISSUE_QUALITY,
    field_of_boxes,
    first_of_each,
    patch_sheet,
    webp,
)
from pipeline.report.panels.panel_subjects import ModelView, PanelSubject
from pipeline.report.panels.patch_values import STEPS_PER_SD, packed_features, standardised
from pipeline.report.params import ReportParams
from pipeline.slides.mpp_ranges import ANY_MPP
from pipeline.slides.reader import SlideReader, open_slide

MOST_FEATURES = 320
"""Features beyond which they are left out: embeddings, whose names say nothing."""

GALLERY = 8
"""Patches shown on either side of a prediction."""

CLOSEUPS = 4
"""Patches whose nuclei are shown at full zoom."""

MOST_DROPPED = 4000
"""Dropped tiles that are drawn; those without tissue are not."""

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
    return _Making(subject, params).panel()


class _Making:
    """A panel being made: what is read of a slide, each once."""

    def __init__(self, subject: PanelSubject, params: ReportParams) -> None:
        self.subject, self.params = subject, params
        self.row = subject.summary.row
        self.pictures: dict[str, bytes] = {}
        self.fault = ""

    def panel(self) -> SlidePanel:
        with ExitStack() as stack:
            slide = self.opened()
            if slide is not None:
                stack.enter_context(slide)
            pictured = self.pictured(slide)
            content = {**self.facts(), **pictured, "fault": self.fault}
        return SlidePanel(content, self.pictures)

    def opened(self) -> SlideReader | None:
        """The slide; None of one that came without, or (noted) that cannot be read."""
        if self.row.path is None:
            return None
        mpp = self.subject.summary.slide_mpp or self.row.mpp
        try:
            return open_slide(self.row.path, slide_id=self.row.slide_id, mpp=mpp, mpp_range=ANY_MPP)
        except (SlideError, MissingMppError) as error:
            self.fault = str(error)
            return None

    def facts(self) -> dict[str, Any]:
        """The slide in words and numbers, and its patches."""
        summary, row = self.subject.summary, self.row
        return {
            "slide": row.slide_id,
            "run": self.subject.run,
            "label": row.label,
            "patient": row.case_id if row.case_given else None,
            "status": summary.status,
            "reason": summary.reason,
            "nTiles": summary.n_tiles,
            "nKept": summary.n_kept,
            "nNuclei": summary.n_nuclei,
            "axisColours": _axis_colours(),
        }

    @cached_property
    def places(self) -> PatchPlaces | None:
        return None if self.subject.features is None else read_patch_places(self.subject.features)

    @property
    def corners(self) -> Int64s:
        return np.zeros((0, 2), np.int64) if self.places is None else self.places.coords

    @property
    def side(self) -> float:
        """Side of a patch, level-0 pixels; 0 where it is not known."""
        return 0.0 if self.places is None else self.places.tile_width_l0 or 0.0

    @cached_property
    def dropped(self) -> pd.DataFrame:
        """Tiles with tissue that are not used."""
        if self.subject.tiles is None:
            return pd.DataFrame({"x_l0": [], "y_l0": [], "width_l0": [], "reason": []})
        frame = read_tiles(self.subject.tiles).frame
        return frame[~frame["kept"] & (frame["tissue_fraction"] > 0)].head(MOST_DROPPED)

    @cached_property
    def graphs(self) -> list[ShownGraph | None]:
        """Graph of each view; None where no store or none of its edges is kept."""
        return [self._graph(view) for view in self.subject.views]

    def _graph(self, view: ModelView) -> ShownGraph | None:
        if not view.graphs.is_dir():
            return None
        graph = LearnedGraphs(view.graphs).of(self.row.slide_id)
        shown = ShownGraph(graph, len(self.corners))
        return shown if shown.n_pairs else None

    def field(self, slide: SlideReader | None) -> FieldOfView | None:
        """What is shown: all patches and dropped tiles, or the whole slide; None where there is neither."""
        boxes = np.concatenate([self.corners.astype(np.float64), self.dropped[["x_l0", "y_l0"]].to_numpy(np.float64)])
        widths = np.concatenate([np.full(len(self.corners), self.side), self.dropped["width_l0"].to_numpy(np.float64)])
        if not len(boxes):
            if slide is None:
                return None
            x, y, width, height = slide.bounds_l0
            scale = min(self.params.panel_px / max(width, height), 1.0)
            return FieldOfView(x, y, width, height, scale)
        return field_of_boxes(boxes, widths, self.params.panel_px)

    def pictured(self, slide: SlideReader | None) -> dict[str, Any]:
        """All that lies in the field."""
        shown = self.field(slide)
        if shown is None:
            return {"field": None, "views": []}
        tissue = self.picture("tissue", slide, shown)
        described = self.described()
        sheet = self.patch_pictures(slide, described)
        dropped = self.dropped
        reasons = sorted(set(dropped["reason"]))
        return {
            "field": {"width": shown.width_l0, "height": shown.height_l0, "mpp": self.subject.summary.slide_mpp},
            "tissue": tissue,
            "patches": {"places": self.shares(shown, self.corners), "side": self.side},
            "dropped": {
                "places": self.shares(shown, dropped[["x_l0", "y_l0"]].to_numpy(np.float64)),
                "side": float(dropped["width_l0"].max()) if len(dropped) else 0.0,
                "reasons": reasons,
                "reason": packed([reasons.index(reason) for reason in dropped["reason"]], "u2"),
            },
            "views": [self.view(view, graph) for view, graph in zip(self.subject.views, self.graphs, strict=True)],
            "described": {"nodes": packed_places(described), **self.features(described), "sheet": sheet},
            "trueEdges": self.true_edges(),
            "closeups": self.closeups(slide),
        }

    def shares(self, shown: FieldOfView, points_l0: Float64s | Int64s) -> dict[str, str]:
        size = np.array([shown.width_l0, shown.height_l0])
        return packed_shares((points_l0 - np.array([shown.x_l0, shown.y_l0])) / size)

    def picture(self, name: str, slide: SlideReader | None, shown: FieldOfView) -> str | None:
        """Name of the picture of a field; None, and the fault noted, where there is none."""
        if slide is None:
            return None
        try:
            self.pictures[name] = webp(read_field(slide, shown), TISSUE_QUALITY)
        except SlideError as error:
            self.fault = self.fault or str(error)
            return None
        return name

    def view(self, view: ModelView, graph: ShownGraph | None) -> dict[str, Any]:
        return {
            "method": view.method,
            "seed": view.seed,
            "fold": view.fold,
            "predicted": view.predicted,
            "probabilities": dict(view.probabilities),
            "graph": None if graph is None else graph.plain(),
            "joined": [] if graph is None else most_joined(graph.strength, GALLERY).tolist(),
        }

    def described(self) -> Int64s:
        """Patches whose picture and features the panel carries: the most joined, then the ends of heaviest pairs."""
        graphs = [graph for graph in self.graphs if graph is not None]
        joined = [most_joined(graph.strength, GALLERY).tolist() for graph in graphs]
        ends = [graph.pairs.ravel().tolist() for graph in graphs]
        longest = max(map(len, ends), default=0)
        in_turn = [[of_graph[place] for of_graph in ends if place < len(of_graph)] for place in range(longest)]
        rest = [list(range(min(len(self.corners), self.params.panel_patches)))]
        chosen = first_of_each([*joined, *in_turn, *rest], self.params.panel_patches)
        return np.sort(np.array(chosen, np.int64))

    def patch_pictures(self, slide: SlideReader | None, described: Int64s) -> dict[str, Any] | None:
        if slide is None or not self.side or not len(described):
            return None
        try:
            self.pictures["patches"] = webp(patch_sheet(slide, self.corners[described], self.side), PATCH_QUALITY)
        except SlideError as error:
            self.fault = self.fault or str(error)
            return None
        return {"name": "patches", "px": PATCH_PX, "abreast": PATCHES_ABREAST}

    def features(self, described: Int64s) -> dict[str, Any]:
        """Standardised features of the described patches."""
        if self.subject.features is None or not len(described):
            return {"names": [], "features": None, "stepsPerSd": STEPS_PER_SD}
        stored = open_features(self.subject.features)
        if len(stored.feature_names) > MOST_FEATURES:
            return {"names": [], "features": None, "stepsPerSd": STEPS_PER_SD}
        values = packed_features(standardised(stored.read()), described)
        return {"names": list(stored.feature_names), "features": values, "stepsPerSd": STEPS_PER_SD}

    def true_edges(self) -> dict[str, str] | None:
        if not self.params.true_edges or not self.side:
            return None
        nothing = LearnedGraph(np.zeros((2, 0), np.int64), np.zeros(0, np.float32), np.zeros(0, np.bool_))
        image = ImageGraph(self.row.slide_id, self.row.label or "", "", nothing, self.corners, self.side)
        true = read_true_graph(Path(self.params.true_edges), image)
        return None if true is None else packed_places(kept_pairs(true.graph)[0])

    def closeups(self, slide: SlideReader | None) -> list[dict[str, Any]]:
        """Nuclei of the patches of the first view's gallery."""
        mpp = self.subject.summary.slide_mpp
        if slide is None or mpp is None or self.subject.nuclei is None or not self.side:
            return []
        squares = [(node, self.square(node, mpp)) for node in self.closeup_nodes()]
        shown = []
        for place, nuclei in enumerate(read_nuclei_fields(self.subject.nuclei, mpp, squares)):
            name = self.picture(f"nuclei_{place}", slide, nuclei.field)
            shown.append({"picture": name, **nuclei.plain(mpp)})
        return shown

    def closeup_nodes(self) -> list[int]:
        for graph in self.graphs:
            if graph is not None:
                return [int(node) for node in most_joined(graph.strength, CLOSEUPS)]
        return list(range(min(CLOSEUPS, len(self.corners))))

    def square(self, node: int, mpp: float) -> FieldOfView:
        """The middle of a patch."""
        side = min(self.side, self.params.closeup_um / mpp)
        x, y = (float(corner) + (self.side - side) / 2 for corner in self.corners[node])
        return FieldOfView(x, y, side, side, min(CLOSEUP_PX / side, 2.0))


CLOSEUP_PX = 384
"""Side of a picture of nuclei; at 0.5 um per pixel a field of 200 um has 400."""


def _axis_colours() -> list[str]:
    angles = (np.arange(AXIS_COLOURS) + 0.5) * np.pi / AXIS_COLOURS
    rgb = np.rint(255 * orientation_colours(angles)).astype(int)
    return ["#{:02x}{:02x}{:02x}".format(*colour) for colour in rgb.tolist()]
