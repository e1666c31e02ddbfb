"""Zarr v3 stores, written whole by one writer, consolidated, with checksums of chunks and digests of arrays."""

import hashlib
import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.errors import ZarrUserWarning

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.header import check_header
from pipeline.artefacts.remedies import damaged, remedy
from pipeline.errors import ArtefactError, first_line
from pipeline.logs import get_logger

log = get_logger("artefacts")

DIGESTS = "digests"
"""Attribute of a store that holds the digest of each of its arrays.

Zarr's checksums cover the bytes that are there; an absent chunk reads as zeros, and an
absent array as none.  The digests cover what must be there.
"""

DIGEST = "digest"
"""Attribute of a store that holds the digest of its metadata: of all attributes, ``DIGESTS`` among them, and of the
consolidated metadata of all arrays."""

METADATA = "zarr.json"
"""Name of the metadata of a store, and of an array or group in it."""

CHUNK_ROWS = 1024
"""Rows in an inner chunk; a shard holds a whole array, since it has one writer."""


def write_store(
    path: str | Path,
    arrays: Mapping[str, npt.NDArray[Any]] | Iterable[tuple[str, npt.NDArray[Any]]],
    attributes: Mapping[str, Any],
) -> None:
    """Write a group of arrays (names may hold ``/``) with its attributes, atomically.

    Pairs of name and array are taken one after the other, so that they need not be in memory together.
    """
    digests = {}
    with writing(path) as temporary, warnings.catch_warnings():
        # Consolidated metadata is not in the v3 specification yet; readers fall back without it.
        warnings.simplefilter("ignore", ZarrUserWarning)
        group = zarr.open_group(temporary, mode="w", zarr_format=3)
        for name, array in arrays.items() if isinstance(arrays, Mapping) else arrays:
            _create(group, name, np.ascontiguousarray(array))
            digests[name] = array_digest(array)
        # All at once: a mapping's own `update` writes the metadata anew for each attribute.
        group.update_attributes({**attributes, DIGESTS: digests})
        zarr.consolidate_metadata(group.store)
        _seal(temporary / METADATA)


def _seal(metadata: Path) -> None:
    document = json.loads(metadata.read_text(encoding="utf-8"))
    document["attributes"][DIGEST] = metadata_digest(document)
    metadata.write_text(json.dumps(document, indent=2), encoding="utf-8")


def metadata_digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of a store's metadata but for the attribute ``DIGEST``, 16 hex digits, in any order of keys."""
    attributes = {name: value for name, value in document["attributes"].items() if name != DIGEST}
    plain = json.dumps({**document, "attributes": attributes}, sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


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
    """Open a store for reading, its metadata checked where they carry a digest; see ``is_sealed``.

    Raises
    ------
    ArtefactError
        If there is no readable Zarr group at ``path``, its metadata are not those that were written, or one of
        the arrays that it names is missing.
    """
    if not Path(path).is_dir():
        raise ArtefactError(f"{path}: expected a Zarr store of {kind}; there is no such folder.")
    try:
        metadata_holds = _metadata_hold(Path(path) / METADATA)
        group = zarr.open_group(Path(path), mode="r")
    except Exception as error:  # metadata that no digest vouches for fail in any way
        raise ArtefactError(
            f"{path}: expected a Zarr store of {kind}; it cannot be opened ({first_line(error)}). {remedy(kind, path)}"
        ) from error
    if not metadata_holds:
        raise damaged(
            kind, path, f"the store is half-written, damaged or edited: its {METADATA} is not the one that was written"
        )
    missing = [name for name in expected_digests(group) if not (Path(path) / name / METADATA).is_file()]
    if missing:
        raise damaged(kind, path, f"array {missing[0]!r} is missing; the store is half-written or damaged")
    return group


def _metadata_hold(metadata: Path) -> bool:
    """Whether a store's metadata are what their digest says; so are those without one, and those of another Zarr."""
    if not metadata.is_file():
        return True
    document = json.loads(metadata.read_text(encoding="utf-8"))
    stated = document["attributes"].get(DIGEST)
    return stated is None or stated == metadata_digest(document)


def is_sealed(group: zarr.Group) -> bool:
    """Whether an open store carries digests of its metadata and arrays."""
    return DIGEST in group.attrs


def open_headed_store(path: str | Path, kind: str) -> tuple[zarr.Group, dict[str, Any]]:
    """Open a store whose attributes are a header, and the header.

    Raises
    ------
    ArtefactError
        See ``open_store`` and ``header.check_header``.
    """
    group = open_store(path, kind)
    header: dict[str, Any] = dict(group.attrs)
    check_header(header, kind, path, sealed=is_sealed(group))
    return group, header


def expected_digests(group: zarr.Group) -> dict[str, str]:
    """Digest of each array as it was written; none in a store that was written without."""
    digests = group.attrs.get(DIGESTS)
    return {str(name): str(digest) for name, digest in digests.items()} if isinstance(digests, dict) else {}


def read_array(group: zarr.Group, name: str, path: str | Path, kind: str) -> npt.NDArray[Any]:
    """Read one whole array of an open store of ``kind``.

    Raises
    ------
    ArtefactError
        If the array is missing or damaged.
    """
    return read_values(_array_of(group, name, path, kind), expected_digests(group).get(name), path, kind)


def read_unverified(group: zarr.Group, name: str, path: str | Path, kind: str) -> npt.NDArray[Any]:
    """``read_array`` without a look at its digest, for who compares the values with one of their own.

    Raises
    ------
    ArtefactError
        If the array is missing or cannot be decoded.
    """
    array = _array_of(group, name, path, kind)
    try:
        return np.asarray(array[...])
    except Exception as error:  # a damaged chunk fails in its codecs in any way
        raise _damaged_array(path, kind, name, first_line(error)) from error


def read_slice(group: zarr.Group, name: str, at: tuple[int, int], path: str | Path, kind: str) -> npt.NDArray[Any]:
    """A part of one array along its last axis, from the first of ``at`` to before the second.

    What is read is checked by the checksums of its chunks, not by the digest of the whole.

    Raises
    ------
    ArtefactError
        If the array is missing or a chunk cannot be decoded.
    """
    array = _array_of(group, name, path, kind)
    try:
        return np.asarray(array[..., slice(*at)])
    except Exception as error:  # a damaged chunk fails in its codecs in any way
        raise _damaged_array(path, kind, name, first_line(error)) from error


def _array_of(group: zarr.Group, name: str, path: str | Path, kind: str) -> "zarr.Array[Any]":
    try:
        array = group.get(name)
    except Exception as error:  # metadata that no digest vouches for fail in any way
        raise _damaged_array(path, kind, name, first_line(error)) from error
    if not isinstance(array, zarr.Array):
        raise damaged(kind, path, f"array {name!r} is missing")
    return array


def read_values(array: "zarr.Array[Any]", expected: str | None, path: str | Path, kind: str) -> npt.NDArray[Any]:
    """Read one whole array and check that it holds what was written; ``expected`` is None where nothing was said.

    Raises
    ------
    ArtefactError
        If it is damaged, or holds anything else, such as the zeros of a chunk that is gone.
    """
    name = array.path
    try:
        values = np.asarray(array[...])
        if expected is None:
            _warn_of_missing_chunks(array, path)
    except Exception as error:  # a damaged chunk fails in its codecs in any way
        raise _damaged_array(path, kind, name, first_line(error)) from error
    if expected is not None and array_digest(values) != expected:
        why = "its values are not those that were written; a chunk may be missing"
        raise _damaged_array(path, kind, name, why)
    return values


def _warn_of_missing_chunks(array: "zarr.Array[Any]", path: str | Path) -> None:
    """Say that chunks are not there, which may be damage; Zarr leaves out those that hold nothing but zeros."""
    there, all_chunks = array.nchunks_initialized, array.nchunks
    if array.size and there < all_chunks:
        log.warning(
            "%s: %d of %d chunks of array %r are not in the store and read as %s. Nothing says whether they were "
            "left out as such or lost.",
            path,
            all_chunks - there,
            all_chunks,
            array.path,
            array.fill_value,
        )


def _damaged_array(path: str | Path, kind: str, name: str, why: str) -> ArtefactError:
    return damaged(kind, path, f"array {name!r} is damaged ({why})")
