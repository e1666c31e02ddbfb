"""The training part of the workflow on ready features: jobs side by side change nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.provenance import file_digest
from pipeline.synthetic.planted import PlantedParams, write_planted_cohort
from pipeline.training.methods.presets import METHODS

ROOT = Path(__file__).parents[3]
SNAKEMAKE = Path(sys.executable).parent / "snakemake"
PATCHES = PlantedParams(n_images=24, n_pairs=3, n_distractors=2, key_dim=3, nuisance_dim=2)
CONFIG = {
    "sheet": "slides.csv",
    "device": "cpu",
    "run": "all",
    "methods": [*METHODS],
    "splits": {"folds": 2},
    "training": {"epochs": 2, "pretraining_steps": 20},
}


@pytest.mark.slow
def test_every_method_gives_the_same_bytes_on_one_core_and_on_two(tmp_path):
    trained = []
    for cores in ("1", "2"):
        folder = tmp_path / cores
        write_planted_cohort(folder, PATCHES, seed=3)
        (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
        where = ["-s", str(ROOT / "Snakefile"), "--directory", str(folder), "--configfile", str(folder / "config.yaml")]
        command = [str(SNAKEMAKE), "results/training/all/comparison.csv", "--cores", cores, *where]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        trained.append(folder / "results/training/all")
    assert len(list(trained[0].glob("*/seed_0/fold_*/model.pt"))) == 2 * len(METHODS)
    assert file_digest(trained[0]) == file_digest(trained[1])
