import numpy as np
import pytest

from pipeline.errors import NotApplicableError
from pipeline.training.cohort.cohort_nodes import CohortNodes, SlideNodes
from pipeline.training.fitting.applicability import check_applicable
from pipeline.training.methods.presets import METHODS, method_spec
from pipeline.training.params import TrainingParams


def cohort(apart=True, **sizes):
    coords = {n: np.arange(2 * n, dtype=np.float32).reshape(n, 2) * apart for n in sizes.values()}
    nodes = {s: SlideNodes(np.zeros((n, 1), np.float32), coords[n]) for s, n in sizes.items()}
    return CohortNodes(nodes, ("x",))


@pytest.mark.parametrize("method", ["paper_a", "gtp"])
def test_a_method_of_all_pairs_takes_images_up_to_its_limit(method):
    spec = method_spec(method, TrainingParams(dense_limit=6))
    images = cohort(small=5, full=6, large=7)
    check_applicable(images, ["small", "full"], spec)
    with pytest.raises(
        NotApplicableError, match=rf"slide large: {method} .* at most 6 \(training.dense_limit\); found 7"
    ):
        check_applicable(images, ["small", "full", "large"], spec)


@pytest.mark.parametrize("method", ["default", "mean_pool", "spatial_graph", "wikg", "patch_gcn"])
def test_methods_with_another_way_take_any_image(method):
    check_applicable(cohort(large=7), ["large"], method_spec(method, TrainingParams(dense_limit=6)))


@pytest.mark.parametrize("method", METHODS)
def test_patches_in_one_place_have_no_neighbours_in_space(method):
    images = cohort(apart=False, one=1, many=5)
    check_applicable(images, ["one"], METHODS[method])
    if method in ("spatial_graph", "gtp", "patch_gcn"):
        with pytest.raises(NotApplicableError, match=f"slide many: {method} .* found all 5 patches in one place"):
            check_applicable(images, ["one", "many"], METHODS[method])
    else:
        check_applicable(images, ["one", "many"], METHODS[method])
