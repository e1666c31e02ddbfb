"""The workflow on a real SLURM: the profile as it is shipped, on one node without accounting.

`apt-get install slurmctld slurmd slurm-client munge`, then `pytest -m slurm`.
"""

import re
import shutil
import signal
import subprocess
import time

import pytest

from tests.workflow.conftest import ABIGNET, ROOT, SNAKEMAKE
from tests.workflow.noting_stages import noted, noting_checkout
from tests.workflow.slurm_node import SlurmNode, missing_programs

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(missing_programs()), reason=f"no SLURM here: {', '.join(missing_programs())}"),
]
LONGEST_S = 600


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    made = SlurmNode(tmp_path_factory.mktemp("slurm"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """Three tiny images and their sheet."""
    folder = tmp_path_factory.mktemp("painted")
    options = ["--slides", "2", "--slides-per-patient", "1", "--size-px", "256", "--seed", "5"]
    subprocess.run([str(ABIGNET), "synth", "slides", "--out", str(folder), *options], check=True)
    names = sorted(path.stem for path in (folder / "slides").glob("*.tif"))[:3]
    rows = [f"{name},slides/{name}.tif,{'xyx'[i]}" for i, name in enumerate(names)]
    (folder / "slides.csv").write_text("\n".join(["slide_id,path,label", *rows]) + "\n")
    return folder, names


class Started:
    """A Snakemake that submits to the node, in a folder of its own."""

    def __init__(self, node, folder, *arguments, checkout=ROOT):
        self.folder, self.log = folder, folder / f"run_{len(list(folder.glob('run_*')))}.log"
        where = ["-s", str(checkout / "Snakefile"), "--directory", str(folder)]
        profile = ["--workflow-profile", str(checkout / "profiles/slurm")]
        config = ["--configfile", str(checkout / "config/test/config.yaml"), str(folder / "small.yaml")]
        command = [str(SNAKEMAKE), *arguments, *where, *profile, *config]
        with self.log.open("w") as log:
            environment = node.environment | {"PYTHONPATH": str(checkout)}
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)

    @property
    def told(self):
        return self.log.read_text()

    def until(self, happened):
        """Wait until something has happened."""
        end = time.monotonic() + LONGEST_S
        while not (found := happened()):
            assert self.process.poll() is None, self.told[-3000:]
            assert time.monotonic() < end, self.told[-3000:]
            time.sleep(0.2)
        return found

    def end(self):
        """Exit code."""
        try:
            return self.process.wait(timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@pytest.fixture
def start(node, painted, tmp_path):
    """Start Snakemake on a copy of the images with some keys of the configuration; a file may take a folder's place."""
    shutil.copytree(painted[0], tmp_path / "slides")
    started = []

    def run(*arguments, rois_per_job=1, taken=None, changed="nuclei: {segmenter: watershed}", checkout=ROOT):
        if taken is not None:
            (tmp_path / "results").mkdir()
            (tmp_path / "results" / taken).touch()
        (tmp_path / "small.yaml").write_text(f"rois_per_job: {rois_per_job}\n{changed}\n")
        started.append(Started(node, tmp_path, *arguments, checkout=checkout))
        return started[-1]

    yield run
    for one in started:
        one.process.kill()


def test_stages_of_a_batch_are_one_submission_and_outlive_their_controller(node, painted, start):
    run = start("cell_graphs", rois_per_job=32)
    run.until(lambda: node.jobs("RUNNING"))
    node.stop_controller()
    run.until(lambda: "SLURM tells nothing of the jobs" in run.told)
    node.start_controller()
    assert run.end() == 0, run.told[-3000:]
    made = sorted(path.stem for path in (run.folder / "results/cell_graphs").iterdir())
    assert made == painted[1]
    n_batches = len(list((run.folder / "results/logs/tile_slide").glob("batch_*.log")))
    assert len(re.findall("has been submitted with SLURM jobid", run.told)) == n_batches <= len(painted[1])
    assert "Its controller does not answer: nothing is to be done while it restarts" in run.told


def test_jobs_over_their_memory_and_cancelled_ones_come_back(node, painted, start):
    targets = [f"results/tiles/{name}.parquet" for name in painted[1][:2]]
    run = start(*targets, "--set-resources", "tile_slide:mem_mb=40*16**(attempt-1)")
    submitted = re.compile("has been submitted with SLURM jobid ([0-9]+)")
    third = run.until(lambda: submitted.findall(run.told)[2:3])
    run.until(lambda: third[0] in node.jobs("RUNNING"))
    node.run("scancel", third[0])
    assert run.end() == 0, run.told[-3000:]
    assert all((run.folder / target).is_file() for target in targets)
    assert len(re.findall("it went over its memory: it had asked for mem_mb=40, runtime=60", run.told)) == 2
    assert "The next attempt asks for mem_mb=640" in run.told
    assert "it was cancelled" in run.told
    assert "Attempt 3 of job" in run.told


def test_a_stage_that_fails_in_a_group_costs_the_earlier_ones_nothing(painted, start):
    name = painted[1][0]
    run = start(f"results/cell_graphs/{name}.zarr", "--restart-times", "1", rois_per_job=32, taken="cell_graphs")
    assert run.end() != 0
    assert "No attempt is left" in run.told
    for stage in ("tile_slide", "segment_nuclei"):
        log = next((run.folder / f"results/logs/{stage}").glob("batch_*.log")).read_text()
        assert re.search("0 made, [1-3] kept, 0 failed", log), log


def test_what_a_killed_snakemake_leaves_is_found_and_cancelled(node, painted, start):
    target = f"results/tiles/{painted[1][0]}.parquet"
    node.set_state("drain")
    try:
        killed = start(target)
        left = killed.until(lambda: node.jobs("PENDING"))
        killed.process.kill()
        killed.process.wait()
        assert start("--unlock").end() == 0
        again = start(target)
        assert again.end() != 0
        assert f"({left[0]})" in again.told
        assert "`abignet cancel test`" in again.told
        assert "Traceback" not in again.told
        cancelled = subprocess.run(
            [str(ABIGNET), "cancel", "test", "--outdir", str(killed.folder / "results")],
            env=node.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert cancelled.stdout == f"{left[0]} PENDING\n"
        assert node.jobs() == []
        interrupted = start(target)
        interrupted.until(lambda: node.jobs("PENDING"))
        interrupted.process.send_signal(signal.SIGINT)
        assert interrupted.end() != 0
        assert node.jobs() == []
    finally:
        node.set_state("resume")
    assert start(target).end() == 0
    assert (killed.folder / target).is_file()


def test_jobs_of_networks_are_given_cards_and_no_others(painted, start, tmp_path, tmp_path_factory):
    checkout = noting_checkout(tmp_path_factory.mktemp("checkout_cards"))
    *tiled, untiled = painted[1]
    (tmp_path / "results/tiles").mkdir(parents=True)
    for name in tiled:
        for end in ("parquet", "png"):
            (tmp_path / f"results/tiles/{name}.{end}").write_text("{}")
    targets = [*(f"results/nuclei/{name}.parquet" for name in tiled), f"results/tiles/{untiled}.parquet"]
    small = ["--max-threads", "1"]  # the node has two cores, less than segmentation wants beside a card
    soon = ["--slurm-init-seconds-before-status-checks", "2"]
    run = start(*targets, *soon, *small, changed="device: auto\ngpus: 2", checkout=checkout)
    assert run.end() == 0, run.told[-3000:]
    seen = noted(run.folder / "results")
    for job in seen["nuclei"]:
        assert job["visible"] in ("0", "1")
        assert (job["slurm"], job["device"]) == (["1", job["visible"]], "cuda")
    (other,) = filter(None, seen["tiles"])
    assert (other["visible"], other["slurm"]) == (None, [None, None])
