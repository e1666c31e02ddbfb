"""``features/{slide}.zarr``: the feature cache, version 1, and the ``.h5`` files of other tools.

Frame of ``coords``: level-0 pixels, (x, y) of the tile's top-left corner, y down.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import zarr

from pipeline.artefacts.tile_coords import tile_size
from pipeline.artefacts.zarr_store import open_store, read_array, write_store
from pipeline.errors import ArtefactError
from pipeline.provenance import FORMAT_VERSION

KIND = "features"
EMBEDDINGS = "embeddings"


@dataclass(frozen=True)
class FeatureStore:
    """Node features of the patches of one image.

    Attributes
    ----------
    slide_id
        The image.
    features
        float32 (n_tiles, n_features); NaN exactly where ``valid`` is False.
    feature_names
        n_features names.
    coords
        int64 (n_tiles, 2), level-0 (x, y) of the top-left corner.
    tile_id
        int64 (n_tiles,), rows of the tile table.
    mpp
        Working resolution in um/px; None when imported without it.
    tile_px
        Side of a tile in pixels at ``mpp``; None when imported without it.
    tile_width_l0
        Side of a tile in level-0 pixels; None when imported without it.
    valid
        bool (n_tiles, n_features), or None when every value is defined.
    embeddings
        Further node features by name, float32 (n_tiles, d).
    reason
        Why there is no tile, else None.
    dropped
        Number of tiles that were left out here, by reason.
    params, source, upstream
        Provenance: all parameters by stage, source digest, digests of inputs.
    """

    slide_id: str
    features: npt.NDArray[np.float32]
    feature_names: tuple[str, ...]
    coords: npt.NDArray[np.int64]
    tile_id: npt.NDArray[np.int64]
    mpp: float | None = None
    tile_px: int | None = None
    tile_width_l0: float | None = None
    valid: npt.NDArray[np.bool_] | None = None
    embeddings: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    reason: str | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    upstream: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)


def check_features(store: FeatureStore, path: str | Path) -> FeatureStore:
    """Return ``store`` when its parts fit together.

    Raises
    ------
    ArtefactError
        If shapes disagree, values are infinite, or NaN is not marked in ``valid``.
    """
    n_tiles, n_features = store.features.shape if store.features.ndim == 2 else (-1, -1)
    expectations = {
        "features must be two-dimensional": store.features.ndim == 2,
        f"feature_names must hold {n_features} names, found {len(store.feature_names)}": len(store.feature_names)
        == n_features,
        f"coords must be ({n_tiles}, 2), found {store.coords.shape}": store.coords.shape == (n_tiles, 2),
        f"tile_id must be ({n_tiles},), found {store.tile_id.shape}": store.tile_id.shape == (n_tiles,),
        "features must not be infinite": not np.isinf(store.features).any(),
        "valid must have the shape of features": store.valid is None or store.valid.shape == store.features.shape,
        "a store without tiles must say its reason": n_tiles != 0 or bool(store.reason),
    }
    for expectation, holds in expectations.items():
        if not holds:
            raise ArtefactError(f"{path}: {expectation}.")
    missing = np.isnan(store.features)
    marked = np.zeros_like(missing) if store.valid is None else ~store.valid
    if (missing & ~marked).any():
        raise ArtefactError(
            f"{path}: {int((missing & ~marked).sum())} values are NaN without valid = False beside them."
        )
    return store


def write_features(path: str | Path, store: FeatureStore) -> None:
    """Write a feature cache, atomically.

    Raises
    ------
    ArtefactError
        See ``check_features``.
    """
    check_features(store, path)
    arrays: dict[str, npt.NDArray[Any]] = {
        "features": np.asarray(store.features, np.float32),
        "coords": np.asarray(store.coords, np.int64),
        "tile_id": np.asarray(store.tile_id, np.int64),
    }
    if store.valid is not None:
        arrays["valid"] = np.asarray(store.valid, np.bool_)
    arrays |= {f"{EMBEDDINGS}/{name}": np.asarray(values, np.float32) for name, values in store.embeddings.items()}
    attributes = {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        "slide_id": store.slide_id,
        "feature_names": list(store.feature_names),
        "mpp": store.mpp,
        "tile_px": store.tile_px,
        "tile_width_l0": store.tile_width_l0,
        "params": dict(store.params),
        "source": store.source,
        "upstream": dict(store.upstream),
        "packages": dict(store.packages),
        "reason": store.reason,
        "dropped": dict(store.dropped),
    }
    write_store(path, arrays, attributes)


def read_features(path: str | Path) -> FeatureStore:
    """Read node features from our cache (``.zarr``) or a TRIDENT or CLAM file (``.h5``).

    Raises
    ------
    ArtefactError
        If the file is missing, of another kind or version, damaged or inconsistent.
    """
    if Path(path).suffix == ".h5":
        return check_features(_read_h5(Path(path)), path)
    return check_features(_read_zarr(path), path)


def _read_zarr(path: str | Path) -> FeatureStore:
    group = open_store(path, KIND)
    attributes: dict[str, Any] = dict(group.attrs)
    version = attributes.get("format_version")
    if version != FORMAT_VERSION:
        raise ArtefactError(
            f"{path}: expected a feature cache of format version {FORMAT_VERSION}, found {version}. "
            "Make it again, or import it with `abignet import-h5`."
        )
    features = read_array(group, "features", path).astype(np.float32)
    names = attributes.get("feature_names")
    embeddings = group[EMBEDDINGS] if EMBEDDINGS in group else None
    embedding_names = sorted(embeddings.array_keys()) if isinstance(embeddings, zarr.Group) else []
    return FeatureStore(
        slide_id=str(attributes.get("slide_id") or Path(path).stem),
        features=features,
        feature_names=tuple(names) if isinstance(names, list) else _anonymous(features.shape[-1]),
        coords=read_array(group, "coords", path).astype(np.int64),
        tile_id=read_array(group, "tile_id", path).astype(np.int64),
        mpp=attributes.get("mpp"),
        tile_px=attributes.get("tile_px"),
        tile_width_l0=attributes.get("tile_width_l0"),
        valid=read_array(group, "valid", path).astype(np.bool_) if "valid" in group else None,
        embeddings={name: read_array(group, f"{EMBEDDINGS}/{name}", path) for name in embedding_names},
        reason=attributes.get("reason"),
        dropped=attributes.get("dropped") or {},
        params=attributes.get("params") or {},
        source=str(attributes.get("source") or ""),
        upstream=attributes.get("upstream") or {},
        packages=attributes.get("packages") or {},
    )


def _read_h5(path: Path) -> FeatureStore:
    try:
        with h5py.File(path, "r") as file:
            features = np.asarray(file["features"], np.float32)
            coords = np.asarray(file["coords"], np.int64)
            attributes = dict(file["coords"].attrs)
    except (OSError, KeyError) as error:
        raise ArtefactError(
            f"{path}: expected an HDF5 file of TRIDENT or CLAM with datasets 'features' (N, D) and 'coords' (N, 2); "
            f"{error}."
        ) from error
    # Some encoders' files carry a leading batch axis of one.
    features = features[0] if features.ndim == 3 and features.shape[0] == 1 else features
    coords = coords[0] if coords.ndim == 3 and coords.shape[0] == 1 else coords
    size = tile_size(attributes, path)
    return FeatureStore(
        slide_id=path.stem,
        features=features,
        feature_names=_anonymous(features.shape[-1]),
        coords=coords,
        tile_id=np.arange(len(features), dtype=np.int64),
        mpp=size.mpp,
        tile_px=size.tile_px,
        tile_width_l0=size.width_l0,
        reason=None if len(features) else "the imported file holds no tile",
    )


def _anonymous(n_features: int) -> tuple[str, ...]:
    return tuple(f"feature_{index}" for index in range(n_features))
