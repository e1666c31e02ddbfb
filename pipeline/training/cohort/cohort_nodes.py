"""Node features of a cohort, read from feature caches.

Coordinate legend: caches hold level-0 (x, y) of each tile's top-left corner; here
``coords`` are those divided by the tile's side, so neighbouring tiles are 1 apart.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from pipeline.artefacts.features import FeatureStore, read_features
from pipeline.errors import ArtefactError, CohortError
from pipeline.logs import progress
from pipeline.training.methods.presets import MethodSpec


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

    x: npt.NDArray[np.float32]
    coords: npt.NDArray[np.float32]
    reason: str | None = None


@dataclass(frozen=True)
class CohortNodes:
    """Images with the same features.

    Attributes
    ----------
    slides
        Nodes by slide, in the order asked for.
    feature_names
        d names.
    """

    slides: Mapping[str, SlideNodes]
    feature_names: tuple[str, ...]

    def digest(self) -> str:
        """Digest of names, features and coordinates, 16 hex digits."""
        digest = hashlib.sha256("\0".join(self.feature_names).encode())
        for slide_id, nodes in sorted(self.slides.items()):
            digest.update(f"\0{slide_id}\0{nodes.x.shape}".encode())
            digest.update(nodes.x.tobytes() + nodes.coords.tobytes())
        return digest.hexdigest()[:16]


def feature_path(features: Path | Mapping[str, Path], slide_id: str) -> Path:
    """Feature file of a slide: as mapped, or ``{slide_id}.zarr`` or ``.h5`` in a folder.

    Raises
    ------
    ArtefactError
        If there is none, or a folder holds both.
    """
    if isinstance(features, Mapping):
        if slide_id not in features:
            raise ArtefactError(f"slide {slide_id}: no feature file was given for it.")
        return Path(features[slide_id])
    candidates = [Path(features) / f"{slide_id}.{suffix}" for suffix in ("zarr", "h5")]
    found = [path for path in candidates if path.exists()]
    if len(found) != 1:
        names = " and ".join(path.name for path in found) or "neither"
        raise ArtefactError(
            f"slide {slide_id}: expected one of {candidates[0].name} and {candidates[1].name} in {features}; "
            f"found {names}."
        )
    return found[0]


def load_nodes(
    features: Path | Mapping[str, Path], slide_ids: Sequence[str], embeddings: Sequence[str] = ()
) -> CohortNodes:
    """Read the nodes of ``slide_ids``.

    Parameters
    ----------
    embeddings
        Names of embeddings whose columns follow those of the features, as ``{name}/{column}``.

    Raises
    ------
    ArtefactError
        If a file is missing or damaged.
    CohortError
        If two images with nodes have different features, or one lacks an embedding.
    """
    slides, names = {}, {}
    for slide_id in progress(slide_ids, description="reading features", unit="slides", total=len(slide_ids)):
        store = read_features(feature_path(features, slide_id))
        slides[slide_id] = _nodes(store)
        if len(store.features):
            slides[slide_id], names[slide_id] = _beside(store, embeddings, slide_id)
    return CohortNodes(slides, common_feature_names(names))


def common_feature_names(names: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Feature names that all of ``names`` (by slide) share; none without slides.

    Raises
    ------
    CohortError
        Naming the slide that differs from the first one, and the first difference.
    """
    if not names:
        return ()
    first_id, first = next(iter(names.items()))
    for slide_id, found in names.items():
        check_feature_names(found, first, f"slide {slide_id}", f"slide {first_id}")
    return first


def check_feature_names(found: Sequence[str], expected: Sequence[str], found_in: str, expected_in: str) -> None:
    """Check that two lists of feature names are equal.

    Raises
    ------
    CohortError
        With the numbers of features and the first place where they differ.
    """
    if tuple(found) == tuple(expected):
        return
    pairs = zip([*expected, *[None] * len(found)], [*found, *[None] * len(expected)], strict=False)
    place, (wanted, got) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
    raise CohortError(
        f"{found_in}: its {len(found)} features are not the {len(expected)} of {expected_in}: feature {place} is "
        f"{got or 'missing'!r} instead of {wanted or 'nothing'!r}. "
        "Compute the features of all slides with one configuration."
    )


def nonempty(cohort: CohortNodes, slide_ids: Iterable[str]) -> None:
    """Check that every slide has nodes.

    Raises
    ------
    CohortError
        Naming the first slide without; the splits are then older than its cache.
    """
    for slide_id in slide_ids:
        nodes = cohort.slides[slide_id]
        if not len(nodes.x):
            raise CohortError(
                f"slide {slide_id}: it has no patch ({nodes.reason}), but the splits use it; split again."
            )


def check_sizes(cohort: CohortNodes, slide_ids: Iterable[str], spec: MethodSpec) -> None:
    """Check that a method takes every slide's number of patches.

    Raises
    ------
    CohortError
        Naming the first slide that has too many for a method without sparse mode.
    """
    limit = spec.dense_limit
    if limit is None or spec.has_sparse_mode:
        return
    for slide_id in slide_ids:
        n_patches = len(cohort.slides[slide_id].x)
        if n_patches > limit:
            raise CohortError(
                f"slide {slide_id}: {spec.name} scores every pair of patches, hence takes images of at most {limit} "
                f"(training.dense_limit); found {n_patches}. Raise that if memory allows, make larger tiles, "
                "or choose another method."
            )


def _nodes(store: FeatureStore) -> SlideNodes:
    width = store.tile_width_l0 or nearest_distance(store.coords)
    return SlideNodes(store.features, (store.coords / width).astype(np.float32), store.reason)


def _beside(store: FeatureStore, embeddings: Sequence[str], slide_id: str) -> tuple[SlideNodes, tuple[str, ...]]:
    """Nodes of a slide and the names of their columns, embeddings after features."""
    nodes, names = _nodes(store), list(store.feature_names)
    blocks = [nodes.x]
    for name in embeddings:
        if name not in store.embeddings:
            found = ", ".join(store.embeddings) or "none"
            raise CohortError(
                f"slide {slide_id}: its cache has no embedding {name!r} (training.embeddings); found {found}. "
                "Add it with features.embedding or `abignet import-h5 --beside`."
            )
        blocks.append(store.embeddings[name])
        names += [f"{name}/{column}" for column in range(store.embeddings[name].shape[1])]
    return replace(nodes, x=np.concatenate(blocks, axis=1)), tuple(names)


def nearest_distance(coords: npt.NDArray[np.int64]) -> float:
    """Median distance of a tile to its nearest other one, in the unit of ``coords``; 1 below two tiles.

    Stands for the tile's side where an imported file does not tell it.
    """
    if len(coords) < 2:
        return 1.0
    distance, _ = KDTree(coords).query(coords, k=2)
    median = float(np.median(distance[:, 1]))
    return median if median > 0 else 1.0
