"""Node features of a cohort, read from feature caches.

Coordinate legend: caches hold level-0 (x, y) of each tile's top-left corner; here
``coords`` are those divided by the tile's side, so neighbouring tiles are 1 apart.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

from pipeline.arrays import Float32s, Int64s
from pipeline.artefacts.feature_files import feature_path
from pipeline.artefacts.feature_making import Making, making_of
from pipeline.artefacts.feature_parts import read_node_values
from pipeline.artefacts.features import FeatureStore, check_store_slide, read_features
from pipeline.artefacts.zarr_store import array_digest
from pipeline.errors import ArtefactError, CohortError
from pipeline.logs import get_logger, progress
from pipeline.training.cohort.feature_names import common_feature_names
from pipeline.training.params import DEFAULT_READING, ReadingParams

COPIES = 2
"""Copies of an image's features in a training that holds them: as read, and standardised."""

log = get_logger("training")


@dataclass(frozen=True)
class SlideNodes:
    """Nodes of one image as measured.

    Attributes
    ----------
    x
        float32 (n, d); NaN where undefined.
    coords
        float32 (n, 2), in tile sides.
    reason
        Why there is no node, else None.
    """

    x: Float32s
    coords: Float32s
    reason: str | None = None

    @property
    def digest(self) -> str:
        """Digest of the features, 16 hex digits."""
        return array_digest(self.x)


@dataclass(frozen=True)
class StoredNodes:
    """Nodes of one image whose features stay in their file until they are asked for.

    Attributes
    ----------
    path
        The feature file.
    embeddings
        Names of the embeddings whose columns follow those of the features.
    coords
        As in ``SlideNodes``.
    digest
        Of the features, as they were first read.
    readers
        Threads in which they may be read; None for none.
    """

    path: Path
    embeddings: tuple[str, ...]
    coords: Float32s
    digest: str
    readers: Executor | None = None
    reason: None = None

    @property
    def x(self) -> Float32s:
        """float32 (n, d), read anew each time; NaN where undefined.

        Raises
        ------
        ArtefactError
            If they can no longer be read, or are not those that were read first.
        """
        x = read_node_values(self.path, self.embeddings)
        if array_digest(x) != self.digest:
            raise ArtefactError(
                f"{self.path}: its features changed while a training or prediction was using them; expected those that "
                "it had read at its start. Leave feature files alone until it has ended, and start it again."
            )
        return x


Nodes = SlideNodes | StoredNodes


@dataclass(frozen=True)
class CohortNodes:
    """Images with the same features.

    Attributes
    ----------
    slides
        Nodes by slide, in the order asked for.
    feature_names
        d names.
    makings
        How the features of each image with nodes were made, as far as it is recorded.
    reading
        How much of it may be held, and where.
    """

    slides: Mapping[str, Nodes]
    feature_names: tuple[str, ...]
    makings: Mapping[str, Making] = field(default_factory=dict)
    reading: ReadingParams = DEFAULT_READING

    @cached_property
    def digest(self) -> str:
        """Digest of names, features and coordinates, 16 hex digits."""
        digest = hashlib.sha256("\0".join(self.feature_names).encode())
        for slide_id, nodes in sorted(self.slides.items()):
            digest.update(f"\0{slide_id}\0{nodes.digest}".encode() + nodes.coords.tobytes())
        return digest.hexdigest()[:16]

    def n_patches(self, slide_id: str) -> int:
        """Number of patches of an image."""
        return len(self.slides[slide_id].coords)


def load_nodes(
    features: Path | Mapping[str, Path],
    slide_ids: Sequence[str],
    embeddings: Sequence[str] = (),
    reading: ReadingParams = DEFAULT_READING,
) -> CohortNodes:
    """Read the nodes of ``slide_ids``; features beyond the memory of ``reading`` are checked and stay in their files.

    Parameters
    ----------
    embeddings
        Names of embeddings whose columns follow those of the features, as ``{name}/{column}``.

    Raises
    ------
    ArtefactError
        If a file is missing, damaged or of another slide.
    CohortError
        If two images with nodes have different features, or one lacks an embedding.
    """
    slides: dict[str, Nodes] = {}
    names: dict[str, tuple[str, ...]] = {}
    makings: dict[str, Making] = {}
    n_bytes = 0
    readers = ThreadPoolExecutor(reading.reading_threads, "reader") if reading.reading_threads else None
    for slide_id in progress(slide_ids, description="reading features", unit="slides", total=len(slide_ids)):
        path = feature_path(features, slide_id)
        store = read_features(path)
        check_store_slide(store.slide_id, slide_id, path)
        coords = tile_coords(store)
        if not len(coords):
            slides[slide_id] = SlideNodes(store.features, coords, store.reason)
            continue
        _check_embeddings(store, embeddings, slide_id)
        names[slide_id] = _column_names(store, embeddings)
        makings[slide_id] = making_of(vars(store), embeddings)
        x = node_features(store, embeddings)
        n_bytes += COPIES * x.nbytes
        held = n_bytes <= reading.most_held_bytes
        slides[slide_id] = (
            SlideNodes(x, coords) if held else StoredNodes(path, tuple(embeddings), coords, array_digest(x), readers)
        )
    _say_stored(slides.values(), reading)
    return CohortNodes(slides, common_feature_names(names), makings, reading)


def _say_stored(slides: Collection[Nodes], reading: ReadingParams) -> None:
    n_stored = sum(isinstance(nodes, StoredNodes) for nodes in slides)
    if n_stored:
        log.info(
            "%d of %d images are read from their caches at every use: features held in memory are bounded by "
            "training.memory_gib, %g GiB",
            *(n_stored, len(slides), reading.memory_gib),
        )


def node_features(store: FeatureStore, embeddings: Sequence[str]) -> Float32s:
    """Features of a store and beside them its ``embeddings``, float32 (n, d)."""
    return np.concatenate([store.features, *(store.embeddings[name] for name in embeddings)], axis=1)


def tile_coords(store: FeatureStore) -> Float32s:
    """Top-left corners of the tiles of a store in tile sides, float32 (n, 2)."""
    width = store.tile_width_l0 or nearest_distance(store.coords)
    return (store.coords / width).astype(np.float32)


def nonempty(cohort: CohortNodes, slide_ids: Iterable[str]) -> None:
    """Check that every slide has nodes.

    Raises
    ------
    CohortError
        Naming the first slide without; the splits are then older than its cache.
    """
    for slide_id in slide_ids:
        if not cohort.n_patches(slide_id):
            reason = cohort.slides[slide_id].reason
            raise CohortError(f"slide {slide_id}: it has no patch ({reason}), but the splits use it; split again.")


def nearest_distance(coords: Int64s) -> float:
    """Median distance of a tile to its nearest other one, in the unit of ``coords`` (n, 2); 1 below two tiles.

    Stands for the tile's side where an imported file does not tell it.
    """
    if len(coords) < 2:
        return 1.0
    distance, _ = KDTree(coords).query(coords, k=2)
    median = float(np.median(distance[:, 1]))
    return median if median > 0 else 1.0


def _check_embeddings(store: FeatureStore, embeddings: Sequence[str], slide_id: str) -> None:
    for name in embeddings:
        if name not in store.embeddings:
            there = ", ".join(store.embeddings) or "none"
            raise CohortError(
                f"slide {slide_id}: its cache has no embedding {name!r} (training.embeddings); found {there}. "
                "Add it with features.embedding or `abignet import-h5 --beside`."
            )


def _column_names(store: FeatureStore, embeddings: Sequence[str]) -> tuple[str, ...]:
    beside = (f"{name}/{column}" for name in embeddings for column in range(store.embeddings[name].shape[1]))
    return (*store.feature_names, *beside)
