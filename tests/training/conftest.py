from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.artefacts.sheet import SlideRow
from pipeline.synthetic.planted import PlantedParams, plant_images, write_planted_cohort
from pipeline.training.cohort.cohort_nodes import CohortNodes, SlideNodes
from pipeline.training.cohort.fold_plan import LabelledSlide
from pipeline.training.cohort.role_tables import split_table
from pipeline.training.evaluation import bootstrap
from pipeline.training.fitting.steps import TrainingImages
from pipeline.training.graphs.image_batches import NodeImage, PaddedBatch
from pipeline.training.params import SplitParams
from pipeline.training.split_cohort import SplitJob, split_cohort

SMALL = PlantedParams(n_images=36, n_pairs=3, n_distractors=2, key_dim=3, nuisance_dim=2)


def draw_images(sizes, n_features=5, seed=0):
    rng = np.random.default_rng(seed)
    return [
        NodeImage(
            torch.from_numpy(rng.normal(size=(n, n_features)).astype(np.float32)),
            torch.from_numpy(rng.integers(0, 9, size=(n, 2)).astype(np.float32)),
            position % 2,
        )
        for position, n in enumerate(sizes)
    ]


@pytest.fixture
def few_draws(monkeypatch):
    """A bootstrap that is over soon."""
    monkeypatch.setattr(bootstrap, "BOOTSTRAP_DRAWS", 200)


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """More threads only wait for each other on networks this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def random_images():
    """Images with normal features: ``random_images(sizes, n_features=5, seed=0)``."""
    return draw_images


@pytest.fixture
def images():
    return draw_images([6, 9, 1, 4])


@pytest.fixture
def batch(images):
    return PaddedBatch.of(images)


@pytest.fixture(scope="session")
def cohort():
    """Thirty-six small planted images and their rows of one fold."""
    planted = plant_images(SMALL, seed=3)
    nodes = {i.slide_id: SlideNodes(i.features, (i.coords / 256).astype(np.float32)) for i in planted}
    slides = [LabelledSlide(i.slide_id, i.case_id, i.label) for i in planted]
    rows = split_table(slides, SplitParams(folds=3), seeds=[0])
    names = tuple(f"f{column}" for column in range(SMALL.n_features))
    return CohortNodes(nodes, names), rows[rows["fold"] == 0].reset_index(drop=True)


@pytest.fixture(scope="session")
def stored(tmp_path_factory):
    """The same cohort as feature caches: (rows of the sheet, feature file by slide)."""
    root: Path = tmp_path_factory.mktemp("planted")
    write_planted_cohort(root, SMALL, seed=3)
    planted = plant_images(SMALL, seed=3)
    rows = [SlideRow(slide_id=i.slide_id, label=i.label, case_id=i.case_id, case_given=True) for i in planted]
    return rows, {row.slide_id: root / "features" / f"{row.slide_id}.zarr" for row in rows}


@pytest.fixture(scope="session")
def splits(stored, tmp_path_factory):
    """``splits.csv`` of the stored cohort: three folds, one seed."""
    folder = tmp_path_factory.mktemp("splits")
    split_cohort(*stored, folder, SplitJob(SplitParams(folds=3), seeds=(0,), source="s"))
    return folder / "splits.csv"


@pytest.fixture
def roles(random_images):
    return TrainingImages(random_images([5] * 10), random_images([5] * 6, seed=1), random_images([5] * 4, seed=2))
