"""What a method asks of slides before it is used on them: so many patches at most, and where those are."""

from collections.abc import Iterable

from pipeline.errors import NotApplicableError
from pipeline.training.cohort.cohort_nodes import CohortNodes
from pipeline.training.methods.presets import MethodSpec


def check_applicable(cohort: CohortNodes, slide_ids: Iterable[str], spec: MethodSpec) -> None:
    """Check that a method can be used on every slide.

    Raises
    ------
    NotApplicableError
        Naming the first slide that has too many patches for a method without sparse mode,
        or no positions, which a graph in space is made of.
    """
    for slide_id in slide_ids:
        if spec.needs_positions:
            _check_positions(cohort, slide_id, spec)
        _check_size(cohort, slide_id, spec)


def _check_size(cohort: CohortNodes, slide_id: str, spec: MethodSpec) -> None:
    limit, n_patches = spec.dense_limit, cohort.n_patches(slide_id)
    if limit is not None and not spec.has_sparse_mode and n_patches > limit:
        raise NotApplicableError(
            f"slide {slide_id}: {spec.name} holds a number for every pair of patches, hence takes images of at most "
            f"{limit} (training.dense_limit); found {n_patches}. Raise that if memory allows, make larger tiles, "
            "or choose another method."
        )


def _check_positions(cohort: CohortNodes, slide_id: str, spec: MethodSpec) -> None:
    """Patches that all lie in one place were written by who does not know where they are."""
    coords = cohort.slides[slide_id].coords
    if len(coords) > 1 and (coords == coords[0]).all():
        raise NotApplicableError(
            f"slide {slide_id}: {spec.name} joins patches that are near in space and needs to know where they are; "
            f"found all {len(coords)} patches in one place. Give coordinates of tiles, or choose another method."
        )
