"""What a training says of its test images, for QuPath: one file a slide."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.evidence import EVIDENCE, EvidenceStore
from pipeline.artefacts.feature_files import feature_path
from pipeline.artefacts.feature_parts import read_patch_places
from pipeline.artefacts.learned_graphs import LearnedGraphs
from pipeline.artefacts.predictions import PREDICTIONS, PROBABILITY_PREFIX, read_predictions
from pipeline.artefacts.tiles import read_tiles
from pipeline.errors import ArtefactError
from pipeline.logs import get_logger
from pipeline.report.qupath.geojson import TABLE_ORIGIN, origin_l0, write_collection
from pipeline.report.qupath.run_objects import SlideOfRun, run_features

log = get_logger("report")


def export_run(
    folds: Sequence[Path],
    features: Path | Mapping[str, Path],
    out_dir: str | Path,
    *,
    tiles: Mapping[str, Path],
) -> None:
    """Write ``{slide_id}.geojson`` of the test images of ``folds``: see ``run_objects.run_features``.

    Slides whose features do not tell the side of a patch are left out, with a warning.

    Parameters
    ----------
    folds
        ``fold_{k}`` of one method and seed, with predictions, graphs and, where they were explained, evidence.
    features
        Folder of ``{slide_id}.zarr``, or the file of each slide.
    out_dir
        Folder that receives the files; what was there is replaced.
    tiles
        Tile table of each slide that has one; tells where the scanned part of a slide begins.

    Raises
    ------
    ArtefactError
        If a file is missing or damaged, or a graph has nodes beyond the features of its slide.
    """
    count = 0
    with writing(out_dir) as folder:
        folder.mkdir()
        for fold in folds:
            for slide in _slides(fold, features, tiles):
                write_collection(folder / f"{slide.slide_id}.geojson", run_features(slide))
                count += 1
    log.info("%s: %d slides", out_dir, count)


def _slides(fold: Path, features: Path | Mapping[str, Path], tiles: Mapping[str, Path]) -> Iterator[SlideOfRun]:
    predictions, graphs = read_predictions(fold / PREDICTIONS), LearnedGraphs(fold / "graphs.zarr")
    store = EvidenceStore(fold / EVIDENCE) if (fold / EVIDENCE).is_dir() else None
    probabilities = [name for name in predictions.columns if name.startswith(PROBABILITY_PREFIX)]
    for row in predictions.to_dict("records"):
        slide_id = str(row["slide_id"])
        places, graph = read_patch_places(feature_path(features, slide_id)), graphs.of(slide_id)
        if int(graph.edge_index.max(initial=-1)) >= len(places.coords):
            raise ArtefactError(
                f"{fold}/graphs.zarr/{slide_id}: its graph has nodes beyond the {len(places.coords)} patches of its "
                "features; expected those it was trained on. Train again."
            )
        if places.tile_width_l0 is None:
            log.warning("slide %s is left out: its features do not tell the side of a patch", slide_id)
            continue
        yield SlideOfRun(
            slide_id=slide_id,
            corners_l0=np.asarray(places.coords, np.int64),
            width_l0=float(places.tile_width_l0),
            graph=graph,
            probabilities={name.removeprefix(PROBABILITY_PREFIX): float(row[name]) for name in probabilities},
            evidence=None if store is None else store.of(slide_id),
            origin=origin_l0(read_tiles(tiles[slide_id]).header) if slide_id in tiles else TABLE_ORIGIN,
            classes=() if store is None else store.header.classes,
        )
