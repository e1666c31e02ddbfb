"""Headers of nucleus tables."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.artefacts.nuclei import header
from pipeline.nuclei.params import NucleiParams
from pipeline.provenance import digests, file_digest, record


def nucleus_header(
    *,
    slide_id: str,
    slide_mpp: float | None,
    mpp: float,
    reason: str | None,
    params: NucleiParams,
    weights_path: Path | None,
    source: str,
    upstream: Mapping[str, str | Path],
    reader: str | None = None,
    bounds_l0: Sequence[int] | None = None,
    unreadable_tiles: Sequence[int] = (),
) -> dict[str, Any]:
    """Header of a nucleus table; the weights are stated by name and digest, not by their place on this machine.

    Parameters
    ----------
    weights_path
        None of a segmenter without network.
    upstream
        Paths of the files read, by role; see ``artefacts.nuclei.header`` for the others.
    """
    weights = None if weights_path is None else weights_path.stem
    named = params if weights is None else replace(params, weights=weights)
    roles = upstream if weights_path is None else {**upstream, "weights": weights_path}
    return header(
        slide_id=slide_id,
        slide_mpp=slide_mpp,
        mpp=mpp,
        weights=weights,
        weights_digest=None if weights_path is None else file_digest(weights_path),
        reason=reason,
        reader=reader,
        bounds_l0=bounds_l0,
        unreadable_tiles=unreadable_tiles,
        provenance=record(params=named, source=source, upstream=digests(roles)),
    )
