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
    weights_path: Path,
    source: str,
    upstream: Mapping[str, str | Path],
    reader: str | None = None,
    bounds_l0: Sequence[int] | None = None,
    unreadable_tiles: Sequence[int] = (),
) -> dict[str, Any]:
    """Header of a nucleus table; the weights are stated by name and digest, not by their place on this machine.

    Parameters
    ----------
    upstream
        Paths of the files read, by role; see ``artefacts.nuclei.header`` for the others.
    """
    named = replace(params, weights=weights_path.stem)
    roles = {**upstream, "weights": weights_path}
    return header(
        slide_id=slide_id,
        slide_mpp=slide_mpp,
        mpp=mpp,
        weights=weights_path.stem,
        weights_digest=file_digest(weights_path),
        reason=reason,
        reader=reader,
        bounds_l0=bounds_l0,
        unreadable_tiles=unreadable_tiles,
        provenance=record(params=named, source=source, upstream=digests(roles)),
    )
