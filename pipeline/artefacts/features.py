"""``features/{slide}.zarr``: the feature cache, which also reads the ``.h5`` files of other tools.

Frame of ``coords``: level-0 pixels, (x, y) of the tile's top-left corner, y down.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from pipeline.arrays import Bools, Float32s, Int64s
from pipeline.artefacts.consistency import all_distinct
from pipeline.artefacts.feature_h5 import read_features_h5
from pipeline.artefacts.feature_making import NODE_FEATURES
from pipeline.artefacts.header import check_version
from pipeline.artefacts.remedies import damaged
from pipeline.artefacts.unverified import FOREIGN, say_unverified
from pipeline.artefacts.zarr_store import is_sealed, open_store, read_array, write_store
from pipeline.errors import ArtefactError
from pipeline.provenance import FORMAT_VERSIONS

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
        Further node features by name, float32 (n_tiles, d); a tile that has none is a row of NaN.
    unmatched
        By name of the embedding: ``tiles`` of this store without it and ``imported`` tiles that found no place here.
    reason
        Why there is no tile, else None.
    dropped
        Number of tiles that were left out here, by reason.
    params, source, upstream
        Provenance: all parameters by stage, source digest, digests of inputs.
    networks
        What ``nuclei`` were found with (digest of the weights), and what made imported ``features`` and
        ``embeddings/{name}`` (name of the encoder), as far as it is known.
    """

    slide_id: str
    features: Float32s
    feature_names: tuple[str, ...]
    coords: Int64s
    tile_id: Int64s
    mpp: float | None = None
    tile_px: int | None = None
    tile_width_l0: float | None = None
    valid: Bools | None = None
    embeddings: Mapping[str, Float32s] = field(default_factory=dict)
    unmatched: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    reason: str | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    upstream: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)


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
        "each tile_id must stand once": all_distinct(store.tile_id),
        "each feature name must stand once": len(set(store.feature_names)) == len(store.feature_names),
        f"embeddings must have {n_tiles} rows": all(
            values.ndim == 2 and len(values) == n_tiles for values in store.embeddings.values()
        ),
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


def check_store_slide(recorded: str, slide_id: str, path: str | Path) -> None:
    """Check that the features at ``path`` are those of ``slide_id``.

    A store that is named for the slide it says it is of (``recorded``) passes: a sheet may know that slide under
    another id.

    Raises
    ------
    ArtefactError
        If they are of another slide.
    """
    if recorded not in (slide_id, Path(path).stem):
        raise damaged(KIND, path, f"expected features of slide {slide_id}, found those of {recorded!r}")


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
        "format_version": FORMAT_VERSIONS[KIND],
        "slide_id": store.slide_id,
        "feature_names": list(store.feature_names),
        "mpp": store.mpp,
        "tile_px": store.tile_px,
        "tile_width_l0": store.tile_width_l0,
        "params": dict(store.params),
        "source": store.source,
        "upstream": dict(store.upstream),
        "packages": dict(store.packages),
        "unmatched": {name: dict(counts) for name, counts in store.unmatched.items()},
        "reason": store.reason,
        "dropped": dict(store.dropped),
        "networks": dict(store.networks),
    }
    write_store(path, arrays, attributes)


def read_features(path: str | Path, *, slide_mpp: float | None = None) -> FeatureStore:
    """Read node features from our cache (``.zarr``) or a file of TRIDENT, CLAM or STAMP (``.h5``).

    Parameters
    ----------
    path
        The cache or file.
    slide_mpp
        um per level-0 pixel; needed for STAMP files only, whose coordinates are in um.

    Raises
    ------
    ArtefactError
        If the file is missing, of another kind or version, damaged or inconsistent.
    """
    if Path(path).suffix == ".h5":
        say_unverified(path, FOREIGN)
        return check_features(_from_h5(Path(path), slide_mpp), path)
    return check_features(_read_zarr(path), path)


def open_cache(path: str | Path) -> zarr.Group:
    """Open a feature cache without reading its arrays.

    Raises
    ------
    ArtefactError
        If there is no store, it is half-written, or of another version.
    """
    group = open_store(path, KIND)
    check_version(dict(group.attrs), KIND, path, sealed=is_sealed(group))
    return group


def _read_zarr(path: str | Path) -> FeatureStore:
    group = open_cache(path)
    attributes: dict[str, Any] = dict(group.attrs)
    features = read_array(group, "features", path, KIND).astype(np.float32)
    embeddings = group[EMBEDDINGS] if EMBEDDINGS in group else None
    embedding_names = sorted(embeddings.array_keys()) if isinstance(embeddings, zarr.Group) else []
    return FeatureStore(
        slide_id=slide_id_of(group, path),
        features=features,
        feature_names=feature_names_of(group, features.shape[-1]),
        coords=read_array(group, "coords", path, KIND).astype(np.int64),
        tile_id=read_array(group, "tile_id", path, KIND).astype(np.int64),
        mpp=attributes.get("mpp"),
        tile_px=attributes.get("tile_px"),
        tile_width_l0=attributes.get("tile_width_l0"),
        valid=read_array(group, "valid", path, KIND).astype(np.bool_) if "valid" in group else None,
        embeddings={name: read_array(group, f"{EMBEDDINGS}/{name}", path, KIND) for name in embedding_names},
        unmatched=attributes.get("unmatched") or {},
        reason=attributes.get("reason"),
        dropped=attributes.get("dropped") or {},
        params=attributes.get("params") or {},
        source=str(attributes.get("source") or ""),
        upstream=attributes.get("upstream") or {},
        packages=attributes.get("packages") or {},
        networks=attributes.get("networks") or {},
    )


def slide_id_of(group: zarr.Group, path: str | Path) -> str:
    """The image of an open cache; its file's name where the cache does not say."""
    return str(group.attrs.get("slide_id") or Path(path).stem)


def feature_names_of(group: zarr.Group, n_features: int) -> tuple[str, ...]:
    """Names of the features of an open cache; numbered where the cache does not say."""
    names = group.attrs.get("feature_names")
    return tuple(map(str, names)) if isinstance(names, list) else _anonymous(n_features)


def _from_h5(path: Path, slide_mpp: float | None) -> FeatureStore:
    file = read_features_h5(path, slide_mpp=slide_mpp)
    return FeatureStore(
        slide_id=path.stem,
        features=file.features,
        feature_names=_anonymous(file.features.shape[-1]),
        coords=file.coords,
        tile_id=np.arange(len(file.features), dtype=np.int64),
        mpp=file.mpp,
        tile_px=file.tile_px,
        tile_width_l0=file.tile_width_l0,
        reason=None if len(file.features) else "the imported file holds no tile",
        networks={} if file.encoder is None else {NODE_FEATURES: file.encoder},
    )


def _anonymous(n_features: int) -> tuple[str, ...]:
    return tuple(f"feature_{index}" for index in range(n_features))
