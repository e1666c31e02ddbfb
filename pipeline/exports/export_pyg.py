"""Command ``export-pyg``: the graphs of a cohort as files of PyTorch Geometric, one a slide."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.artefacts.csv_files import write_csv
from pipeline.artefacts.json_files import write_provenance
from pipeline.exports.graphs.cohort_slides import CohortSlide
from pipeline.exports.graphs.graph_files import write_graph
from pipeline.exports.graphs.slide_graph import LEVELS, Graph, GraphSources, labelled_graph
from pipeline.logs import get_logger, progress
from pipeline.provenance import digests, record

log = get_logger("exports")

INDEX_COLUMNS: dict[str, str] = {
    "slide_id": "str",
    "case_id": "str",  # patient
    "label": "str",  # empty when unknown
    "fold": "str",  # empty without splits
    "role": "str",  # the slide's in that fold
    "file": "str",  # beside the index
    "n_graphs": "int64",
    "n_nodes": "int64",
    "n_edges": "int64",  # each direction counts
    "reason": "str",  # why there is no node, else empty
}


def export_pyg(
    slides: Sequence[CohortSlide],
    sources: GraphSources,
    out_dir: str | Path,
    *,
    level: str,
    class_names: tuple[str, ...],
    source: str,
) -> pd.DataFrame:
    """Write ``{slide_id}.pt`` of each slide, then ``index.csv`` and ``provenance.json``.

    Parameters
    ----------
    slides
        Slides to export.
    sources
        What their graphs are made from.
    out_dir
        Folder to write to.
    level
        One of ``LEVELS``.
    class_names
        Classes of the cohort, which ``y`` counts; more than those of ``slides`` may be there.
    source
        Source digest of this module.

    Returns
    -------
    pandas.DataFrame
        The index, see ``INDEX_COLUMNS``.

    Raises
    ------
    ArtefactError
        If an artefact is missing, damaged, or does not fit another; nothing is written when one
        is missing.
    CohortError
        If a learned graph is asked of a slide that no fold tests.
    """
    sources.files.require(LEVELS[level].needs, [slide.slide_id for slide in slides])
    out, rows = Path(out_dir), []
    inputs: dict[str, Path] = {}
    for slide in progress(slides, description="graphs", unit="slides", total=len(slides)):
        graph = labelled_graph(level, slide, sources, class_names)
        write_graph(out / f"{slide.slide_id}.pt", graph)
        rows.append(_index_row(slide, graph))
        inputs |= _inputs(slide, level, sources)
    index = pd.DataFrame(rows, columns=list(INDEX_COLUMNS))
    write_csv(out / "index.csv", index, INDEX_COLUMNS)
    settings = {"level": level, "n_nearest": sources.n_nearest, "class_names": list(class_names)}
    write_provenance(out, record(params=settings, source=source, upstream=digests(inputs)))
    log.info("%d graphs of level %s in %s", len(rows), level, out)
    return index


def _index_row(slide: CohortSlide, graph: Graph) -> dict[str, Any]:
    graphs = graph if isinstance(graph, list) else [graph]
    return {
        "slide_id": slide.slide_id,
        "case_id": slide.case_id,
        "label": slide.label or "",
        "fold": "" if slide.fold is None else str(slide.fold),
        "role": slide.role or "",
        "file": f"{slide.slide_id}.pt",
        "n_graphs": len(graphs),
        "n_nodes": sum(one.num_nodes for one in graphs),
        "n_edges": sum(one.num_edges for one in graphs),
        "reason": next((one.reason for one in graphs), "no kept tile"),
    }


def _inputs(slide: CohortSlide, level: str, sources: GraphSources) -> dict[str, Path]:
    """Artefacts that the slide's graph was made from; a fold's learned graphs share one."""
    paths = {f"{slide.slide_id}/{kind}": sources.files.path(kind, slide.slide_id) for kind in LEVELS[level].needs}
    if sources.trained is not None and level in ("learned", "hetero"):
        store = sources.trained.store(slide.slide_id)
        paths[f"learned/{store.parent.name}"] = store
    return paths
