"""Which small images share a job.

Only the standard library is imported here, because the Snakefile asks in a launcher that may hold nothing but
Snakemake.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from pipeline.artefacts.input_files import FOLDER_FORMATS

SMALL_BYTES = 32 << 20
"""Largest file of a small image: a region of 3,000 pixels square without compression, 10,000 with."""

LEAST_BATCHES = 8
"""Batches that a cohort has at least, where it has as many images: a workstation has about as many cores."""


def is_small(path: Path) -> bool:
    """Whether an image is so small that it may share a job; a missing one and a slide of several files are not."""
    if path.suffix.lower() in FOLDER_FORMATS:
        return False
    try:
        return path.is_file() and path.stat().st_size <= SMALL_BYTES
    except OSError:
        return False


def batches_of(slide_ids: Iterable[str], rois_per_job: int) -> dict[str, tuple[str, ...]]:
    """Batches of small images by name, none of them empty.

    An image stays in its batch whatever becomes of others: membership is a hash of its id, and the number of batches
    is a power of two, so that a cohort which outgrows it only halves every batch.

    Parameters
    ----------
    slide_ids
        Ids of the small images.
    rois_per_job
        Images of a batch on average, at most; 1 makes no batches.
    """
    ids = sorted(slide_ids)
    if rois_per_job == 1:
        return {}
    n_batches = LEAST_BATCHES
    while n_batches * rois_per_job < len(ids):
        n_batches *= 2
    batches: dict[str, list[str]] = {}
    for slide_id in ids:
        batches.setdefault(f"{_hash(slide_id) % n_batches:03x}", []).append(slide_id)
    return {name: tuple(members) for name, members in sorted(batches.items())}


def _hash(slide_id: str) -> int:
    return int.from_bytes(hashlib.sha256(slide_id.encode()).digest()[:8], "big")
