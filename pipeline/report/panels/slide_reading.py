"""What a panel reads of its slide, each once."""

from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.arrays import Float32s, Int64s
from pipeline.artefacts.feature_parts import open_features, read_patch_places
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.artefacts.tiles import read_tiles
from pipeline.report.contents.graph_statistics import ImageGraph, kept_pairs
from pipeline.report.contents.slide_selection import in_turn
from pipeline.report.contents.true_edges import read_true_graph
from pipeline.report.panels.panel_subjects import PanelSubject
from pipeline.report.panels.shown_views import ShownView, shown_view

MOST_DROPPED = 4000
"""Dropped tiles that are drawn; those without tissue are not."""

MOST_FEATURES = 320
"""Features beyond which they are left out: embeddings, whose names say nothing."""


class SlideReading:
    """Artefacts of a slide.

    Attributes
    ----------
    corners
        int64 (n_patches, 2), level-0 (x, y) of the top-left corner of each patch.
    side
        Their side in level-0 pixels; 0 where it is not known.
    """

    def __init__(self, subject: PanelSubject) -> None:
        self._subject = subject
        places = None if subject.features is None else read_patch_places(subject.features)
        self.corners: Int64s = np.zeros((0, 2), np.int64) if places is None else places.coords
        self.side = 0.0 if places is None else places.tile_width_l0 or 0.0

    @cached_property
    def dropped(self) -> pd.DataFrame:
        """Tiles with tissue that are not used."""
        if self._subject.tiles is None:
            return pd.DataFrame({"x_l0": [], "y_l0": [], "width_l0": [], "reason": []})
        frame = read_tiles(self._subject.tiles).frame
        return frame[~frame["kept"] & (frame["tissue_fraction"] > 0)].head(MOST_DROPPED)

    @cached_property
    def views(self) -> list[ShownView]:
        """What each model says of it."""
        n_patches = len(self.corners)
        return [shown_view(view, self._subject.slide_id, n_patches) for view in self._subject.views]

    def described(self, most: int) -> Int64s:
        """Patches to show and describe: those of galleries, then ends of heaviest pairs, then others, in order."""
        wanted = [*in_turn([view.gallery for view in self.views]), *in_turn([view.ends for view in self.views])]
        chosen = list(dict.fromkeys([*wanted, *range(min(len(self.corners), most))]))[:most]
        return np.sort(np.array(chosen, np.int64))

    def closest(self, n: int) -> list[int]:
        """Patches to look at from nearest: the first of the first gallery that there is."""
        galleries = [view.gallery for view in self.views if view.gallery]
        return galleries[0][:n] if galleries else list(range(min(n, len(self.corners))))

    def named_features(self) -> tuple[tuple[str, ...], Float32s] | None:
        """Names and values (n_patches, n_features) of features; None of those that no name tells apart."""
        if self._subject.features is None or not len(self.corners):
            return None
        stored = open_features(self._subject.features)
        return None if len(stored.feature_names) > MOST_FEATURES else (stored.feature_names, stored.read())

    def true_pairs(self, folder: str) -> Int64s | None:
        """Pairs of patches that a true edge joins, int64 (n, 2); None where no file of ``folder`` names any."""
        if not folder or not len(self.corners):
            return None
        nothing = LearnedGraph(np.zeros((2, 0), np.int64), np.zeros(0, np.float32), np.zeros(0, np.bool_))
        true = read_true_graph(
            Path(folder), ImageGraph(self._subject.slide_id, "", "", nothing, self.corners, self.side)
        )
        return None if true is None else kept_pairs(true.graph)[0]
