"""Where the artefacts of a slide are, and reading those together that belong together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pipeline.artefacts.cell_graphs import CellGraphs, read_cell_graphs
from pipeline.artefacts.feature_files import features_in
from pipeline.artefacts.features import FeatureStore, read_features
from pipeline.artefacts.nuclei import read_nuclei
from pipeline.artefacts.tiles import read_tiles
from pipeline.errors import ArtefactError
from pipeline.exports.graphs.cohort_slides import MOST_NAMED
from pipeline.provenance import file_digest

RUN_LAYOUT = {
    "tiles": "tiles/{slide}.parquet",
    "nuclei": "nuclei/{slide}.parquet",
    "cell_graphs": "cell_graphs/{slide}.zarr",
    "features": "features/{slide}.zarr",
}
"""Artefacts of a slide below ``outdir`` of a run of the pipeline."""

FEATURES_LAYOUT = {
    "tiles": "work/{slide}.tiles.parquet",
    "nuclei": "work/{slide}.nuclei.parquet",
    "cell_graphs": "work/{slide}.cell_graphs.zarr",
    "features": "{slide}.zarr",
}
"""The same below ``--out`` of ``abignet features``."""


@dataclass(frozen=True)
class SlideFiles:
    """Artefacts by slide.

    Attributes
    ----------
    results
        ``outdir`` of a run, or ``--out`` of ``abignet features``.
    features
        Folder of ``{slide_id}.zarr`` or ``.h5`` in place of that of ``results``.
    given
        Feature file by slide; beats both.
    """

    results: Path | None = None
    features: Path | None = None
    given: dict[str, Path] = field(default_factory=dict)

    def path(self, kind: str, slide_id: str) -> Path:
        """Artefact of a slide, whether it is there or not.

        Raises
        ------
        ArtefactError
            If no folder was given that could hold it, or one holds the slide's features twice.
        """
        if kind == "features" and slide_id in self.given:
            return self.given[slide_id]
        if kind == "features" and self.features is not None:
            return features_in(self.features, slide_id) or self.features / f"{slide_id}.zarr"
        if self.results is None:
            raise ArtefactError(f"slide {slide_id}: nothing was given that could hold its {kind}; give a folder.")
        return self.results / self._layout()[kind].format(slide=slide_id)

    def require(self, kinds: Iterable[str], slide_ids: Sequence[str]) -> None:
        """Check that every slide has its artefacts.

        Raises
        ------
        ArtefactError
            Naming the slides without.
        """
        for kind in kinds:
            missing = [slide_id for slide_id in slide_ids if not self.path(kind, slide_id).exists()]
            if missing:
                more = ", ..." if len(missing) > MOST_NAMED else ""
                raise ArtefactError(
                    f"{self.path(kind, missing[0]).parent}: expected {kind} of {len(slide_ids)} slides, "
                    f"{len(missing)} lack them: {', '.join(missing[:MOST_NAMED])}{more}. Make them first."
                )

    def slide_ids(self, kind: str) -> list[str]:
        """Slides that have an artefact of ``kind``, sorted."""
        sample = self.path(kind, "*")
        before, after = sample.name.split("*")
        names = [path.name for path in sample.parent.glob(sample.name)]
        return sorted(name[len(before) : len(name) - len(after)] for name in names)

    def tiles(self, slide_id: str) -> pd.DataFrame:
        """Tile table."""
        return read_tiles(self.path("tiles", slide_id)).frame

    def cells(self, slide_id: str) -> tuple[pd.DataFrame, CellGraphs, str | None]:
        """Nucleus table, cell graphs, and why there are none, else None.

        Raises
        ------
        ArtefactError
            If one cannot be read, or the graphs were made from another table.
        """
        nuclei_path, graphs_path = self.path("nuclei", slide_id), self.path("cell_graphs", slide_id)
        graphs, header = read_cell_graphs(graphs_path)
        if header["provenance"]["upstream"].get("nuclei") != file_digest(nuclei_path):
            raise ArtefactError(
                f"{graphs_path}: made from another table than {nuclei_path}. Build the cell graphs again."
            )
        return read_nuclei(nuclei_path).frame, graphs, header["reason"]

    def patches(self, slide_id: str) -> FeatureStore:
        """Feature cache."""
        return read_features(self.path("features", slide_id))

    def _layout(self) -> dict[str, str]:
        is_of_command = self.results is not None and (self.results / "work").is_dir()
        return FEATURES_LAYOUT if is_of_command else RUN_LAYOUT
