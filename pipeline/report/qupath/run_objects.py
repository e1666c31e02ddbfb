"""What a training says of a slide, as QuPath objects: patches as tiles, learned edges as lines.

QuPath colours tiles by any of their measurements (Measure > Show measurement maps).
Frame: level-0 pixels as QuPath counts them; see ``geojson``.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.arrays import Float32s, Int64s
from pipeline.artefacts.evidence import Evidence
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.pictures import type_colour
from pipeline.report.contents.graph_statistics import kept_pairs, node_strength
from pipeline.report.qupath.geojson import TABLE_ORIGIN, classified, feature_text, square

MOST_EDGES = 2000
"""Heaviest kept edges of a slide that become lines; QuPath is slow with many annotations."""

EDGE_CLASS = "Learned edge"
EDGE_COLOUR = (230, 159, 0)
PATCH_COLOUR = (150, 150, 150)


@dataclass(frozen=True)
class SlideOfRun:
    """A test image and what is said of it.

    Attributes
    ----------
    slide_id
        The slide.
    corners_l0, width_l0
        Top-left corners of its patches, int64 (n, 2), and their side, level-0 pixels in the frame of the tables.
    graph
        Its learned graph.
    probabilities
        Of the slide, by class.
    evidence
        What spoke for them; None of a method that was not explained.
    origin
        See ``geojson.origin_l0``.
    classes
        Of the columns of the evidence; none without it.
    """

    slide_id: str
    corners_l0: Int64s
    width_l0: float
    graph: LearnedGraph
    probabilities: Mapping[str, float]
    evidence: Evidence | None = None
    origin: tuple[int, int] = TABLE_ORIGIN
    classes: tuple[str, ...] = ()


def run_features(slide: SlideOfRun) -> Iterator[str]:
    """Patches as ``tile`` objects, then kept edges as line ``annotation`` objects, heaviest first."""
    yield from _patches(slide)
    yield from _edges(slide)


def _patches(slide: SlideOfRun) -> Iterator[str]:
    """One tile a patch, classed by the class it speaks for most, or without evidence as ``Patch``.

    Measurements: ``graph_node``, ``strength`` (summed weight of kept edges), ``p_{class}`` of the slide and
    ``evidence_{class}`` of the patch.
    """
    corners = slide.corners_l0 - np.asarray(slide.origin)
    strength = node_strength(*kept_pairs(slide.graph), len(corners))
    node = np.zeros((len(corners), 0), np.float32) if slide.evidence is None else slide.evidence.node
    for number, (x, y) in enumerate(corners.tolist()):
        said = dict(zip(slide.classes, node[number].tolist(), strict=False))
        spoken = max(said, key=lambda name: said[name]) if said else None
        ring = square(x, y, x + slide.width_l0, y + slide.width_l0)
        yield feature_text(
            identity=f"{slide.slide_id}:run:patch:{number}",
            object_type="tile",
            geometry=json.dumps({"type": "Polygon", "coordinates": [ring]}),
            classification=_spoken_class(spoken),
            name=f"patch {number}",
            numbers={
                "graph_node": float(number),
                "strength": float(strength[number]),
                **{f"p_{name}": value for name, value in slide.probabilities.items()},
                **{f"evidence_{name}": value for name, value in said.items()},
            },
        )


def _edges(slide: SlideOfRun) -> Iterator[str]:
    """One line a kept edge between the centres of its patches, with its weight and, of the call, its evidence."""
    centres = slide.corners_l0 - np.asarray(slide.origin) + slide.width_l0 / 2
    pairs, weight = kept_pairs(slide.graph)
    said = None if slide.evidence is None else _evidence_of(slide.graph, slide.evidence.edge, pairs, len(centres))
    for place, (one, other) in enumerate(pairs[:MOST_EDGES].tolist()):
        line = [[round(x, 2), round(y, 2)] for x, y in centres[[one, other]].tolist()]
        yield feature_text(
            identity=f"{slide.slide_id}:run:edge:{one}:{other}",
            object_type="annotation",
            geometry=json.dumps({"type": "LineString", "coordinates": line}),
            classification=classified(EDGE_CLASS, EDGE_COLOUR),
            name=f"edge {one}-{other}",
            numbers={"weight": float(weight[place])} | ({} if said is None else {"evidence": float(said[place])}),
        )


def _evidence_of(graph: LearnedGraph, edge: Float32s, pairs: Int64s, n_patches: int) -> Float32s:
    """Evidence of each of ``pairs`` (m, 2), whose directions hold the same."""
    low, high = np.sort(graph.edge_index, axis=0)
    names, first = np.unique(low * n_patches + high, return_index=True)
    return np.asarray(edge[first[np.searchsorted(names, pairs[:, 0] * n_patches + pairs[:, 1])]], np.float32)


def _spoken_class(spoken: str | None) -> dict[str, Any]:
    """Classification of a patch by the class it speaks for; a class has the same colour on every slide."""
    return (
        classified("Patch", PATCH_COLOUR) if spoken is None else classified(f"Speaks for {spoken}", type_colour(spoken))
    )
