import numpy as np
import pytest

from pipeline.errors import CohortError
from pipeline.training.cohort.cohort_nodes import CohortNodes, SlideNodes
from pipeline.training.fitting.size_limits import check_sizes
from pipeline.training.methods.presets import method_spec
from pipeline.training.params import TrainingParams


def cohort(**sizes):
    nodes = {s: SlideNodes(np.zeros((n, 1), np.float32), np.zeros((n, 2), np.float32)) for s, n in sizes.items()}
    return CohortNodes(nodes, ("x",))


def test_a_method_of_all_pairs_takes_images_up_to_its_limit():
    spec = method_spec("paper_a", TrainingParams(dense_limit=6))
    images = cohort(small=5, full=6, large=7)
    check_sizes(images, ["small", "full"], spec)
    with pytest.raises(CohortError, match=r"slide large: paper_a .* at most 6 \(training.dense_limit\); found 7"):
        check_sizes(images, ["small", "full", "large"], spec)


@pytest.mark.parametrize("method", ["default", "mean_pool", "spatial_graph"])
def test_methods_with_another_way_take_any_image(method):
    check_sizes(cohort(large=7), ["large"], method_spec(method, TrainingParams(dense_limit=6)))
