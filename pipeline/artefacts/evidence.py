"""``evidence.zarr/{slide_id}``: what spoke for which class in each test image of a fold.

Evidence is in log-odds of a class against the rest (nats): positive speaks for the class.
Row i of ``node`` and ``feature`` is row i of the slide's feature store, and value e of
``edge`` belongs to edge e of the slide in ``graphs.zarr``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Float32s
from pipeline.artefacts.consistency import all_finite, check_consistent
from pipeline.artefacts.remedies import damaged
from pipeline.artefacts.zarr_store import open_headed_store, read_array, write_store
from pipeline.provenance import FORMAT_VERSIONS

KIND = "evidence"

EVIDENCE = "evidence.zarr"

OCCLUSION, INTEGRATED_GRADIENTS = "occlusion", "integrated_gradients"
"""How evidence of edges was found: each silenced alone, or shares of what all of them do together."""


@dataclass(frozen=True)
class EvidenceFacts:
    """What is told of one image beside its arrays.

    Attributes
    ----------
    predicted
        The most probable class.
    log_odds
        Log-odds of the predicted class by the whole model.
    without_edges
        The same where no patch hears another; None of methods whose edges cannot be silenced.
    graph_share
        Of what patches say for the predicted class, the share that the graph path says, 0 to 1; None
        of methods without a pooled path beside their graph.
    edge_method
        ``occlusion``, ``integrated_gradients``, or empty where no edge has evidence.
    edge_reason
        Why no edge has evidence, else None.
    patches_together
        Most patches that were left out at once and share their evidence equally; 1: each by itself.
    feature_gap
        What the evidence of features leaves unexplained of the log-odds between this image and one
        of average patches.
    """

    predicted: str
    log_odds: float
    without_edges: float | None
    graph_share: float | None
    edge_method: str
    edge_reason: str | None
    patches_together: int
    feature_gap: float


@dataclass(frozen=True)
class Evidence:
    """Evidence in one image.

    Attributes
    ----------
    node
        float32 (n_tiles, n_classes), for each class: its log-odds, less those of the image without the patch.
    edge
        float32 (E,), for the predicted class, of the two patches hearing each other; both directions
        of a pair hold the same value, and edges that are not kept 0.
    feature
        float32 (n_tiles, n_features), for the predicted class: integrated gradients from the average
        patch of the training (Sundararajan et al. 2017).
    facts
        What is told beside them.
    """

    node: Float32s
    edge: Float32s
    feature: Float32s
    facts: EvidenceFacts


ARRAYS = ("node", "edge", "feature")


@dataclass(frozen=True)
class EvidenceHeader:
    """What all images of a store share.

    Attributes
    ----------
    classes, feature_names
        What the columns of ``node`` and of ``feature`` are.
    method
        The method whose model was asked.
    reason
        Why there is no image, else None.
    """

    classes: tuple[str, ...]
    feature_names: tuple[str, ...]
    method: str
    reason: str | None = None


def write_evidence(
    path: str | Path, header: EvidenceHeader, images: Iterable[tuple[str, Evidence]], provenance: Mapping[str, Any]
) -> None:
    """Write slide and evidence of a fold's test images, one group a slide, each as it comes."""
    facts: dict[str, Any] = {}

    def arrays() -> Iterable[tuple[str, Float32s]]:
        for slide_id, evidence in images:
            facts[slide_id] = asdict(evidence.facts)
            for name in ARRAYS:
                yield f"{slide_id}/{name}", np.asarray(getattr(evidence, name), np.float32)

    attributes = {"kind": KIND, "format_version": FORMAT_VERSIONS[KIND], "provenance": dict(provenance)}
    # Facts fill while the arrays are written, before the attributes are.
    write_store(path, arrays(), {**attributes, **asdict(header), "images": facts})


class EvidenceStore:
    """Evidence in the test images of a fold, read one by one from a store that is opened once.

    Attributes
    ----------
    header
        What all images share.
    provenance
        How the store was made.

    Raises
    ------
    ArtefactError
        If the store is missing, foreign or damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._group, attributes = open_headed_store(path, KIND)
        try:
            self._facts = {str(slide): EvidenceFacts(**facts) for slide, facts in attributes["images"].items()}
            classes, names = (tuple(map(str, attributes[key])) for key in ("classes", "feature_names"))
            self.header = EvidenceHeader(classes, names, attributes["method"], attributes["reason"])
            self.provenance: dict[str, Any] = dict(attributes["provenance"])
        except (AttributeError, KeyError, TypeError) as error:
            raise damaged(KIND, path, f"its header is damaged or of another build ({error})") from error

    @property
    def slide_ids(self) -> list[str]:
        """The images, sorted."""
        return sorted(self._facts)

    def of(self, slide_id: str) -> Evidence:
        """Evidence in one image.

        Raises
        ------
        ArtefactError
            If it is not there or damaged.
        """
        if slide_id not in self._facts:
            raise damaged(KIND, self._path, f"expected evidence in slide {slide_id}, found {_some(self.slide_ids)}")
        arrays = {name: read_array(self._group, f"{slide_id}/{name}", self._path, KIND) for name in ARRAYS}
        evidence = Evidence(**arrays, facts=self._facts[slide_id])
        n_tiles = len(evidence.node)
        n_classes, n_features = len(self.header.classes), len(self.header.feature_names)
        expectations = {
            f"{slide_id}/node of {n_classes} classes": evidence.node.shape == (n_tiles, n_classes),
            f"{slide_id}/feature of {n_tiles} patches": evidence.feature.shape == (n_tiles, n_features),
            f"{slide_id}/edge of one value an edge": evidence.edge.ndim == 1,
            f"finite evidence in {slide_id}": all(all_finite(array) for array in arrays.values()),
            f"a class of the model predicted for {slide_id}": evidence.facts.predicted in self.header.classes,
        }
        check_consistent(KIND, self._path, expectations)
        return evidence


def _some(slide_ids: Sequence[str]) -> str:
    shown = ", ".join(slide_ids[:5]) or "none"
    return f"{shown}, ..." if len(slide_ids) > 5 else shown
