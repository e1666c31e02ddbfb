"""Jobs of a real run and their cards; a script stands in for ``nvidia-smi``, and stages note what they see and wait."""

import os
import re

import pytest

from tests.workflow.conftest import Run
from tests.workflow.noting_stages import most_at_once, noted, noting_checkout

LISTED = "GPU {number}: NVIDIA A100-SXM4-40GB (UUID: {uuid})\n"
CARDS = ("GPU-aaaa", "GPU-bbbb")
SLIDES = ("a", "b", "c")
CONDA = """\
case "$*" in
  "info --json") echo '{"conda_prefix": "/none", "platform": "linux-64"}' ;;
  --version) echo "conda 24.7.1" ;;
  *) echo '{"get": {"channel_priority": "strict"}}' ;;
esac
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy whose first stages only note and wait, with a PyTorch for CUDA that nothing imports."""
    folder = noting_checkout(tmp_path_factory.mktemp("checkout_cards"))
    (folder / "beside/torch").mkdir(parents=True)
    (folder / "beside/torch/__init__.py").touch()
    (folder / "beside/torch/version.py").write_text("cuda = '13.0'\n")
    return folder


@pytest.fixture
def machine(checkout, tmp_path):
    """Variables of a machine with some cards, and with a conda that solves nothing."""
    programs = tmp_path / "bin"
    programs.mkdir()

    def with_cards(n_cards, **more):
        listing = "".join(LISTED.format(number=i, uuid=uuid) for i, uuid in enumerate(CARDS[:n_cards]))
        for name, body in {"nvidia-smi": f"cat <<END\n{listing}END\n", "conda": CONDA}.items():
            (programs / name).write_text(f"#!/bin/sh\n{body}")
            (programs / name).chmod(0o755)
        beside = f"{checkout / 'beside'}:{checkout}"
        return {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": beside, "TMPDIR": str(tmp_path), **more}

    return with_cards


@pytest.fixture
def run(checkout, tmp_path):
    """A folder with three slides that no stage reads."""
    (tmp_path / "slides").mkdir()
    for name in SLIDES:
        (tmp_path / f"slides/{name}.svs").write_text(name)
    rows = "".join(f"{name},{name}.svs\n" for name in SLIDES)
    (tmp_path / "slides/slides.csv").write_text(f"slide_id,path\n{rows}")
    return Run(checkout, tmp_path)


@pytest.fixture
def start(run, machine):
    """Make the nuclei of the slides on a machine with some cards; the run, and what its jobs noted."""

    def make(n_cards, *arguments, variables=(), **changed):
        targets = [f"results/nuclei/{name}.parquet" for name in SLIDES]
        one_core = ["--max-threads", "1"]  # a stage that waits needs no more, nor keeps others from starting
        keys = {"rois_per_job": 1, **changed}
        done = run.snakemake(
            *targets, *one_core, *arguments, changed=keys, cores=3, environment=machine(n_cards, **dict(variables))
        )
        return done, noted(run.results)

    return make


def test_two_cards_run_two_jobs_each_on_its_own(start):
    done, seen = start(2, variables={"NUCLEI_TOGETHER": "2"})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    nuclei = seen["nuclei"]
    assert {job["visible"] for job in nuclei} == {"GPU-aaaa", "GPU-bbbb"}
    assert {job["device"] for job in nuclei} == {"cuda"}
    assert most_at_once(nuclei) == 2
    for a in nuclei:
        assert not [b for b in nuclei if b["visible"] == a["visible"] and a["began"] < b["began"] < a["ended"]]
    assert {job["visible"] for job in seen["tiles"]} == {None}


def test_a_card_that_is_shown_is_one_jobs_even_where_more_jobs_are_let_in(start, tmp_path):
    done, seen = start(2, "--resources", "gpu=3", variables={"CUDA_VISIBLE_DEVICES": "1"})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert {job["visible"] for job in seen["nuclei"]} == {"GPU-bbbb"}
    assert most_at_once(seen["nuclei"]) == 1
    logs = [file.read_text() for file in (tmp_path / "results/logs/segment_nuclei").iterdir()]
    assert all("card GPU-bbbb, memory asked for: all" in log for log in logs)


def test_images_of_a_batch_share_the_card_of_their_job(start):
    done, seen = start(1, rois_per_job=32, gpus=1)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert [(job["visible"], job["device"]) for job in seen["nuclei"]] == [("GPU-aaaa", "cuda")] * 3


def test_a_network_without_a_card_runs_on_the_processor_where_auto_finds_none(start):
    done, seen = start(0)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert {(job["visible"], job["device"]) for job in seen["nuclei"]} == {(None, "cpu")}


def test_too_few_cards_are_refused_before_any_job_where_one_wants_a_card(start):
    refused, seen = start(1, gpus=2)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert "gpus: 2 want 2 of this machine's cards, and jobs may take 1: nvidia-smi lists no more." in said
    assert "Traceback" not in said
    assert seen == {"tiles": [], "nuclei": []}
    done, seen = start(1, gpus=2, nuclei={"segmenter": "watershed"})
    assert done.returncode == 0, "no job of this run wants a card"
    assert {(job["visible"], job["device"]) for job in seen["nuclei"]} == {(None, "cpu")}


@pytest.mark.parametrize(
    ("n_cards", "profile", "changed", "environment"),
    [
        (1, "default", {}, "nuclei-cuda"),
        (1, "default", {"nuclei": {"segmenter": "watershed"}}, "nuclei"),
        (1, "slurm", {}, "nuclei"),
        (0, "slurm", {"gpus": 1}, "nuclei-cuda"),
    ],
)
def test_the_environment_is_one_for_cuda_exactly_where_jobs_ask_for_a_card(
    run, machine, n_cards, profile, changed, environment
):
    profiles = ["--workflow-profile", str(run.checkout / "profiles" / profile)]
    variables = machine(n_cards, CONDA_OVERRIDE_CUDA="12.8")
    listed = run.snakemake(
        "nuclei", "--use-conda", "--list-conda-envs", *profiles, changed=changed, environment=variables
    )
    assert listed.returncode == 0, listed.stderr[-3000:]
    assert sorted(set(re.findall(r"envs/([\w-]+)\.yaml", listed.stdout))) == sorted({environment, "tiling"})
