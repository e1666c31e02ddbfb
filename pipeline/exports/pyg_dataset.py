"""Datasets of PyTorch Geometric over the artefacts of a cohort; a slide is read when it is asked for.

See ``docs/exports.md``.
"""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from torch_geometric.data import Dataset

from pipeline.artefacts.sheet import read_sheet
from pipeline.exports.graphs.cohort_slides import (
    CohortSlide,
    class_names,
    slides_of_sheet,
    slides_of_splits,
    with_roles,
)
from pipeline.exports.graphs.graph_files import read_graph
from pipeline.exports.graphs.node_transforms import KeptEdges, Standardise
from pipeline.exports.graphs.slide_files import SlideFiles
from pipeline.exports.graphs.slide_graph import LEVELS, N_NEAREST, Graph, GraphSources, labelled_graph
from pipeline.exports.graphs.trained_folds import folds_of_folder

__all__ = ["CellGraphs", "HeteroGraphs", "KeptEdges", "PatchGraphs", "SlideGraphs", "Standardise", "read_graph"]

Transform = Callable[[Any], Any]


class SlideGraphs(Dataset):  # type: ignore[misc]
    """One graph a slide of a sheet, in its order; slides without patch are graphs of 0 nodes.

    Each says ``slide_id``, ``case_id``, ``label``, ``y`` and ``class_names``, see
    ``CohortSlide.attributes``, and ``reason``, why it is empty.

    Parameters
    ----------
    level
        One of ``LEVELS`` that gives a single graph.
    sheet
        The sheet of slides.
    sources
        What the graphs are made from.
    transform
        Applied to each graph when it is asked for.

    Raises
    ------
    SheetError
        If the sheet has faults.
    ArtefactError
        If a slide's artefact is missing; here, or when a damaged one is asked for.
    """

    def __init__(
        self, level: str, sheet: str | Path, sources: GraphSources, transform: Transform | None = None
    ) -> None:
        super().__init__(transform=transform)
        self.level = level
        self.sources = sources
        self.all_slides: tuple[CohortSlide, ...] = slides_of_sheet(sheet)
        self.class_names = class_names(self.all_slides)
        sources.files.require(LEVELS[level].needs, [slide.slide_id for slide in self.all_slides])

    @property
    def slides(self) -> list[CohortSlide]:
        """Slides of this dataset or of this part of one: id, patient, label and, after ``with_roles``, role."""
        return [self.all_slides[place] for place in self.indices()]

    @property
    def num_classes(self) -> int:
        """Classes of the whole sheet."""
        return len(self.class_names)

    def len(self) -> int:
        """Slides before any part is taken."""
        return len(self.all_slides)

    def get(self, idx: int) -> Graph:
        """Graph of slide ``idx``, read now."""
        return labelled_graph(self.level, self.all_slides[idx], self.sources, self.class_names)

    def with_roles(self, splits: str | Path, *, seed: int = 0, fold: int = 0) -> Self:
        """Slides that have a role in a fold of ``splits.csv``; their graphs also say ``fold`` and ``role``.

        Raises
        ------
        ArtefactError, CohortError
            If the table cannot be read, has no such fold, or names other patients or labels.
        """
        dataset = copy.copy(self)
        dataset.all_slides = with_roles(self.slides, slides_of_splits(splits, seed, fold), splits)
        dataset._indices = None
        return dataset

    def in_role(self, *roles: str) -> Self:
        """Part of ``with_roles`` whose role is among ``train``, ``structure``, ``select``, ``test``."""
        part: Self = self.index_select([place for place, slide in enumerate(self.slides) if slide.role in roles])
        return part


class PatchGraphs(SlideGraphs):
    """Patches of each slide, joined to their nearest or, with ``trained``, by the learned graph.

    See ``patch_nodes``, ``near_edges`` and ``learned_edges``.

    Parameters
    ----------
    sheet
        The sheet of slides.
    features
        Folder of ``{slide_id}.zarr`` or ``.h5``; None takes the sheet's column ``features``.
    trained
        ``training/{run}/{method}/seed_{s}``, or ``--out`` of ``abignet train``.
    n_nearest
        Nearest patches that one is joined to.
    transform
        Applied to each graph when it is asked for.
    """

    def __init__(
        self,
        sheet: str | Path,
        features: str | Path | None = None,
        *,
        trained: str | Path | None = None,
        n_nearest: int = N_NEAREST,
        transform: Transform | None = None,
    ) -> None:
        if features is None:
            files = SlideFiles(given={row.slide_id: row.features for row in read_sheet(sheet) if row.features})
        else:
            files = SlideFiles(features=Path(features))
        folds = None if trained is None else folds_of_folder(trained)
        level = "patches" if trained is None else "learned"
        super().__init__(level, sheet, GraphSources(files, folds, n_nearest), transform)


class CellGraphs(SlideGraphs):
    """Nuclei of each slide, joined as its cell graphs say; see ``nucleus_graph``.

    Parameters
    ----------
    sheet
        The sheet of slides.
    results
        ``outdir`` of a run, or ``--out`` of ``abignet features``.
    transform
        Applied to each graph when it is asked for.
    """

    def __init__(self, sheet: str | Path, results: str | Path, *, transform: Transform | None = None) -> None:
        super().__init__("cells", sheet, GraphSources(SlideFiles(Path(results))), transform)


class HeteroGraphs(SlideGraphs):
    """Nuclei and patches of each slide; see ``tissue_graph``.

    Parameters
    ----------
    sheet
        The sheet of slides.
    results
        ``outdir`` of a run, or ``--out`` of ``abignet features``.
    trained
        As in ``PatchGraphs``; adds the relation ``learned``.
    n_nearest
        Nearest patches that one is joined to.
    transform
        Applied to each graph when it is asked for.
    """

    def __init__(
        self,
        sheet: str | Path,
        results: str | Path,
        *,
        trained: str | Path | None = None,
        n_nearest: int = N_NEAREST,
        transform: Transform | None = None,
    ) -> None:
        folds = None if trained is None else folds_of_folder(trained)
        super().__init__("hetero", sheet, GraphSources(SlideFiles(Path(results)), folds, n_nearest), transform)
