"""Zarr v3 stores, written whole by one writer, consolidated, with checksums of chunks and digests of arrays."""

import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.errors import ZarrUserWarning

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.header import check_header
from pipeline.errors import ArtefactError

DIGESTS = "digests"
"""Attribute of a store that holds the digest of each of its arrays.

Zarr's checksums cover the bytes that are there; an absent chunk reads as zeros, and an
absent array as none.  The digests cover what must be there.
"""

UNREADABLE = (OSError, ValueError, RuntimeError)
"""What Zarr and its codecs raise on a damaged store."""

CHUNK_ROWS = 1024
"""Rows in an inner chunk; a shard holds a whole array, since it has one writer."""


def write_store(path: str | Path, arrays: Mapping[str, npt.NDArray[Any]], attributes: Mapping[str, Any]) -> None:
    """Write a group of arrays (names may hold ``/``) with its attributes, atomically."""
    with writing(path) as temporary, warnings.catch_warnings():
        # Consolidated metadata is not in the v3 specification yet; readers fall back without it.
        warnings.simplefilter("ignore", ZarrUserWarning)
        group = zarr.open_group(temporary, mode="w", zarr_format=3)
        for name, array in arrays.items():
            _create(group, name, np.ascontiguousarray(array))
        group.attrs.update({**attributes, DIGESTS: {name: array_digest(array) for name, array in arrays.items()}})
        zarr.consolidate_metadata(group.store)


def _create(group: zarr.Group, name: str, array: npt.NDArray[Any]) -> None:
    # The long axis is the last of edge_index (2, E) and the first of everything else.
    long_axis = array.ndim - 1 if array.shape[0] == 2 and array.ndim == 2 else 0
    chunks = tuple(
        min(max(size, 1), CHUNK_ROWS) if axis == long_axis else max(size, 1) for axis, size in enumerate(array.shape)
    )
    shards = tuple(-(-max(size, 1) // chunk) * chunk for size, chunk in zip(array.shape, chunks, strict=True))
    created = group.create_array(
        name,
        shape=array.shape,
        dtype=array.dtype,
        chunks=chunks,
        shards=shards,
        compressors=(BloscCodec(cname="zstd", clevel=3), Crc32cCodec()),
    )
    if array.size:
        created[...] = array


def array_digest(array: npt.NDArray[Any]) -> str:
    """SHA-256 of an array's dtype, shape and values, 16 hex digits."""
    whole = np.ascontiguousarray(array)
    digest = hashlib.sha256(f"{whole.dtype.str}{whole.shape}".encode())
    digest.update(whole.data.cast("B") if whole.size else b"")
    return digest.hexdigest()[:16]


def open_store(path: str | Path, kind: str) -> zarr.Group:
    """Open a store for reading.

    Raises
    ------
    ArtefactError
        If there is no readable Zarr group at ``path``, or one of the arrays that it names is missing.
    """
    if not Path(path).is_dir():
        raise ArtefactError(f"{path}: expected a Zarr store of {kind}; there is no such folder.")
    try:
        group = zarr.open_group(Path(path), mode="r")
    except (OSError, ValueError, KeyError) as error:
        raise ArtefactError(
            f"{path}: expected a Zarr store of {kind}; it cannot be opened ({error}). Make it again."
        ) from error
    missing = [name for name in expected_digests(group) if not (Path(path) / name / "zarr.json").is_file()]
    if missing:
        raise ArtefactError(
            f"{path}: array {missing[0]!r} is missing; the store is half-written or damaged. Make it again."
        )
    return group


def open_headed_store(path: str | Path, kind: str) -> tuple[zarr.Group, dict[str, Any]]:
    """Open a store whose attributes are a header, and the header.

    Raises
    ------
    ArtefactError
        See ``open_store`` and ``header.check_header``.
    """
    group = open_store(path, kind)
    header: dict[str, Any] = dict(group.attrs)
    check_header(header, kind, path)
    return group, header


def expected_digests(group: zarr.Group) -> dict[str, str]:
    """Digest of each array as it was written; none in a store that was written without."""
    digests = group.attrs.get(DIGESTS)
    return {str(name): str(digest) for name, digest in digests.items()} if isinstance(digests, dict) else {}


def read_array(group: zarr.Group, name: str, path: str | Path) -> npt.NDArray[Any]:
    """Read one whole array of an open store.

    Raises
    ------
    ArtefactError
        If the array is missing or damaged.
    """
    try:
        array = group.get(name)
    except UNREADABLE as error:
        raise _damaged(path, name, str(error)) from error
    if not isinstance(array, zarr.Array):
        raise ArtefactError(f"{path}: array {name!r} is missing.")
    return read_values(array, expected_digests(group).get(name), name, path)


def read_values(array: "zarr.Array[Any]", expected: str | None, name: str, path: str | Path) -> npt.NDArray[Any]:
    """Read one whole array and check that it holds what was written; ``expected`` is None where nothing was said.

    Raises
    ------
    ArtefactError
        If it is damaged, or holds anything else, such as the zeros of a chunk that is gone.
    """
    try:
        values = np.asarray(array[...])
    except (*UNREADABLE, KeyError) as error:
        raise _damaged(path, name, str(error)) from error
    if expected is not None and array_digest(values) != expected:
        raise _damaged(path, name, "its values are not those that were written; a chunk may be missing")
    return values


def _damaged(path: str | Path, name: str, why: str) -> ArtefactError:
    return ArtefactError(f"{path}: array {name!r} is damaged ({why}). Make the store again.")
