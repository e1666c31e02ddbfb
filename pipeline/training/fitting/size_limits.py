"""How many patches of an image a method takes."""

from collections.abc import Iterable

from pipeline.errors import CohortError
from pipeline.training.cohort.cohort_nodes import CohortNodes
from pipeline.training.methods.presets import MethodSpec


def check_sizes(cohort: CohortNodes, slide_ids: Iterable[str], spec: MethodSpec) -> None:
    """Check that a method takes every slide's number of patches.

    Raises
    ------
    CohortError
        Naming the first slide that has too many for a method without sparse mode.
    """
    limit = spec.dense_limit
    if limit is None or spec.has_sparse_mode:
        return
    for slide_id in slide_ids:
        n_patches = cohort.n_patches(slide_id)
        if n_patches > limit:
            raise CohortError(
                f"slide {slide_id}: {spec.name} scores every pair of patches, hence takes images of at most {limit} "
                f"(training.dense_limit); found {n_patches}. Raise that if memory allows, make larger tiles, "
                "or choose another method."
            )
