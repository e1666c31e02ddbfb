"""What is known of a nucleus table before its nuclei are found."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.artefacts.nuclei import NucleusHeader
from pipeline.nuclei.network.weights_files import weights_of
from pipeline.nuclei.params import NucleiParams
from pipeline.provenance import digests, file_digest, record


@dataclass(frozen=True)
class SegmentedSlide:
    """The slide whose nuclei are looked for.

    Attributes
    ----------
    slide_mpp
        um per level-0 pixel; None only when it could not be opened.
    mpp
        Resolution at which nuclei are segmented, um/px.
    upstream
        Paths of the files read, by role.
    bounds_l0
        See ``NucleusHeader``.
    """

    slide_id: str
    slide_mpp: float | None
    mpp: float
    upstream: Mapping[str, str | Path]
    bounds_l0: tuple[int, ...] | None = None


def nucleus_header(slide: SegmentedSlide, params: NucleiParams, source: str) -> NucleusHeader:
    """Header without anything found yet; weights are stated by name and digest, not by their place on this machine.

    Raises
    ------
    WeightsError
        If the weights that ``params`` ask for cannot be found.
    """
    weights_path = weights_of(params)
    weights = None if weights_path is None else weights_path.stem
    named = params if weights is None else replace(params, weights=weights)
    roles = slide.upstream if weights_path is None else {**slide.upstream, "weights": weights_path}
    return NucleusHeader(
        slide_id=slide.slide_id,
        slide_mpp=slide.slide_mpp,
        mpp=slide.mpp,
        weights=weights,
        weights_digest=None if weights_path is None else file_digest(weights_path),
        reason=None,
        bounds_l0=slide.bounds_l0,
        provenance=record(params=named, source=source, upstream=digests(roles)),
    )
