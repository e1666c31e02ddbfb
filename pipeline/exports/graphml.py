"""Command ``export-graphml``: learned patch graphs as GraphML, for networkx, igraph, Gephi and Cytoscape."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from pipeline.arrays import Int64s
from pipeline.artefacts.atomic import writing
from pipeline.artefacts.features import FeatureStore
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.errors import ArtefactError
from pipeline.exports.graphs.cohort_slides import CohortSlide
from pipeline.exports.graphs.patch_graphs import centres_um
from pipeline.exports.graphs.slide_graph import GraphSources
from pipeline.exports.graphs.tile_calls import tile_calls
from pipeline.logs import get_logger, progress

log = get_logger("exports")

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
"""

Values = Sequence[float | int | bool | str]


def export_graphml(slides: Sequence[CohortSlide], sources: GraphSources, out_dir: str | Path) -> int:
    """Write ``{slide_id}.graphml`` of each slide; return the number of edges.

    The graph is undirected.  A node is a patch, its id the row of the feature cache, with ``x_l0``, ``y_l0`` (top-left
    corner, level-0 pixels), ``x_um``, ``y_um`` (centre; left out where the pixel size is not known), ``tile_id``
    and the columns of ``tile_calls``.  An edge that the classifier used has ``weight`` and, of explained slides,
    ``evidence`` for the predicted class.

    Raises
    ------
    ArtefactError, CohortError
        If there is no training, or an artefact is missing, damaged, or does not fit another.
    """
    if sources.trained is None:
        raise ArtefactError("export to GraphML needs a training, found none; give --run or --trained.")
    sources.files.require(["features"], [slide.slide_id for slide in slides])
    n_edges = 0
    for slide in progress(slides, description="graphs", unit="slides", total=len(slides)):
        store = sources.files.patches(slide.slide_id)
        graph = sources.trained.graph(slide.slide_id, len(store.coords))
        once = np.flatnonzero(graph.kept & (graph.edge_index[0] < graph.edge_index[1]))
        found = sources.trained.evidence(slide.slide_id)
        edges: dict[str, Values] = {"weight": graph.weight[once].tolist()}
        if found is not None:
            edges["evidence"] = found[1].edge[once].tolist()
        calls = tile_calls(slide.slide_id, len(store.coords), sources.trained)
        nodes = {**_places(store), **{str(name): calls[name].tolist() for name in calls.columns}}
        told = {"slide_id": slide.slide_id, "case_id": slide.case_id, "label": slide.label or ""}
        with writing(Path(out_dir) / f"{slide.slide_id}.graphml") as temporary:
            temporary.write_text("".join(_document(told, nodes, edges, _pairs(graph, once))), encoding="utf-8")
        n_edges += len(once)
    log.info("%d graphs in %s", len(slides), out_dir)
    return n_edges


def _pairs(graph: LearnedGraph, once: Int64s) -> list[tuple[int, int]]:
    return [(int(source), int(target)) for source, target in graph.edge_index[:, once].T.tolist()]


def _places(store: FeatureStore) -> dict[str, Values]:
    columns: dict[str, Values] = {
        "x_l0": store.coords[:, 0].tolist(),
        "y_l0": store.coords[:, 1].tolist(),
        "tile_id": store.tile_id.tolist(),
    }
    centres = centres_um(store)
    if np.isfinite(centres).all():
        columns |= {"x_um": centres[:, 0].tolist(), "y_um": centres[:, 1].tolist()}
    return columns


def _document(
    graph: Mapping[str, str],
    nodes: Mapping[str, Values],
    edges: Mapping[str, Values],
    pairs: Sequence[tuple[int, int]],
) -> Iterator[str]:
    yield HEAD
    keys: dict[tuple[str, str], str] = {}
    for domain, columns in (
        ("graph", {name: [value] for name, value in graph.items()}),
        ("node", nodes),
        ("edge", edges),
    ):
        for name, values in columns.items():
            keys[domain, name] = f"d{len(keys)}"
            kind = _kind(values)
            yield f'  <key id="{keys[domain, name]}" for="{domain}" attr.name={quoteattr(name)} attr.type="{kind}"/>\n'
    yield '  <graph edgedefault="undirected">\n'
    yield "".join(_datum(keys["graph", name], value) for name, value in graph.items()) + "\n"
    for row in range(len(next(iter(nodes.values())))):
        data = "".join(_datum(keys["node", name], values[row]) for name, values in nodes.items())
        yield f'    <node id="{row}">{data}</node>\n'
    for row, (source, target) in enumerate(pairs):
        data = "".join(_datum(keys["edge", name], values[row]) for name, values in edges.items())
        yield f'    <edge source="{source}" target="{target}">{data}</edge>\n'
    yield "  </graph>\n</graphml>\n"


def _kind(values: Values) -> str:
    first = values[0] if values else 0.0
    return "string" if isinstance(first, str) else "long" if isinstance(first, int) else "double"


def _datum(key: str, value: float | int | bool | str) -> str:
    text = value if isinstance(value, str) else f"{value:.9g}" if isinstance(value, float) else str(value)
    return f'<data key="{key}">{escape(text)}</data>'
