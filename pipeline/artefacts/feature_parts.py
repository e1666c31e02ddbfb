"""Parts of a feature cache, for readers that need not hold all of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from pipeline.arrays import Float32s, Int64s
from pipeline.artefacts.feature_making import Making, making_of
from pipeline.artefacts.features import EMBEDDINGS, KIND, feature_names_of, open_cache, read_features, slide_id_of
from pipeline.artefacts.remedies import damaged
from pipeline.artefacts.zarr_store import expected_digests, read_array, read_unverified, read_values


@dataclass(frozen=True)
class LazyFeatures:
    """A cache whose values are read when asked for.

    Attributes
    ----------
    path
        The store.
    slide_id
        The image.
    feature_names
        n_features names.
    array
        float32 (n_tiles, n_features), on disk; NaN where undefined.
    digest
        Of these values as they were written; None of a store that does not say.
    """

    path: Path
    slide_id: str
    feature_names: tuple[str, ...]
    array: zarr.Array[Any] = field(repr=False, compare=False)
    digest: str | None = None

    @property
    def n_tiles(self) -> int:
        """Number of tiles; 0 for an image without any."""
        return int(self.array.shape[0])

    def read(self) -> Float32s:
        """The features alone, float32 (n_tiles, n_features); NaN where undefined.

        Raises
        ------
        ArtefactError
            If they are damaged.
        """
        return read_values(self.array, self.digest, self.path, KIND).astype(np.float32)


@dataclass(frozen=True)
class PatchPlaces:
    """Where the patches of a cache lie, who made it and how; of its features nothing.

    Attributes
    ----------
    coords
        int64 (n_tiles, 2), level-0 (x, y) of the top-left corner.
    tile_width_l0
        Side of a patch in level-0 pixels; None when imported without it.
    reason
        Why there is no patch, else None.
    source
        Source digest of the stage that made the cache.
    slide_id
        The image.
    making
        How its features were made, see ``feature_making``.
    """

    coords: Int64s
    tile_width_l0: float | None
    reason: str | None
    source: str
    slide_id: str = ""
    making: Making = field(default_factory=dict)


def read_patch_places(path: str | Path) -> PatchPlaces:
    """Coordinates and attributes of a cache; its features stay unread, embeddings of a cohort do not fit a memory.

    Raises
    ------
    ArtefactError
        If the store is missing, of another kind or version, or its coordinates are damaged.
    """
    group = open_cache(path)
    attributes: dict[str, Any] = dict(group.attrs)
    side = attributes.get("tile_width_l0")
    return PatchPlaces(
        coords=read_array(group, "coords", path, KIND).astype(np.int64),
        tile_width_l0=None if side is None else float(side),
        reason=attributes.get("reason"),
        source=str(attributes.get("source") or ""),
        slide_id=slide_id_of(group, path),
        making=making_of(attributes),
    )


def open_features(path: str | Path) -> LazyFeatures:
    """Open a cache without reading its values.

    Raises
    ------
    ArtefactError
        If the store is missing, of another kind or version, or lacks its features.
    """
    group = open_cache(path)
    features = group.get("features")
    if not isinstance(features, zarr.Array) or features.ndim != 2:
        raise damaged(KIND, path, "array 'features' is missing; the store is half-written")
    return LazyFeatures(
        path=Path(path),
        slide_id=slide_id_of(group, path),
        feature_names=feature_names_of(group, features.shape[1]),
        array=features,
        digest=expected_digests(group).get("features"),
    )


def read_node_values(path: str | Path, embeddings: Sequence[str] = ()) -> Float32s:
    """Features of a cache and beside them its ``embeddings``, float32 (n_tiles, d); NaN where undefined.

    For who has read them before and knows their digest: it is not compared here.

    Raises
    ------
    ArtefactError
        If an array is missing or cannot be decoded.
    """
    if Path(path).suffix == ".h5":
        return read_features(path).features
    group = open_cache(path)
    names = ["features", *(f"{EMBEDDINGS}/{name}" for name in embeddings)]
    parts = [read_unverified(group, name, path, KIND).astype(np.float32, copy=False) for name in names]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
