"""Small images that share jobs come to what they would alone, and cost one another nothing."""

import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest
import yaml

from pipeline.batches.membership import LEAST_BATCHES, batches_of
from tests.workflow.conftest import ABIGNET, SNAKEMAKE, Run, copy_checkout
from tests.workflow.test_mend import check

STAGES = ("tile_slide", "segment_nuclei", "build_cell_graphs", "cache_features")
FAST = {"nuclei": {"segmenter": "watershed"}, "rois_per_job": 6}
TARGET = "features"


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """Ten tiny images in a folder of their own, and one that is cut off."""
    folder = tmp_path_factory.mktemp("painted")
    options = ["--slides", "8", "--slides-per-patient", "1", "--size-px", "256", "--seed", "5", "--bad", "truncated"]
    subprocess.run([str(ABIGNET), "synth", "slides", "--out", str(folder / "slides"), *options], check=True)
    return folder


@pytest.fixture(scope="module")
def batched(painted, tmp_path_factory):
    """A run up to the features, in batches."""
    run = Run(copy_checkout(tmp_path_factory.mktemp("checkout_batches")), painted)
    membership = run.checkout / "pipeline/batches/membership.py"
    membership.write_text(membership.read_text().replace(f"LEAST_BATCHES = {LEAST_BATCHES}", "LEAST_BATCHES = 2"))
    write_sheet(run, names(run))
    done = run.snakemake(TARGET, changed=FAST)
    assert done.returncode == 0, done.stderr[-3000:]
    return run


@pytest.fixture(autouse=True)
def _two_batches(monkeypatch):
    monkeypatch.setattr("pipeline.batches.membership.LEAST_BATCHES", 2)


@pytest.fixture
def copied(batched, tmp_path):
    """The finished run in another folder, free to be changed."""
    shutil.copytree(batched.folder, tmp_path / "run", symlinks=True)
    return Run(batched.checkout, tmp_path / "run")


def names(run):
    """The good images of a run."""
    return sorted(path.stem for path in (run.folder / "slides/slides").glob("*.tif") if "truncated" not in path.stem)


def write_sheet(run, slides):
    rows = [f"{slide},slides/{slide}.tif,{'xy'[i % 2]}" for i, slide in enumerate(slides)]
    (run.folder / "slides/slides.csv").write_text("\n".join(["slide_id,path,label", *rows]) + "\n")


def batch_names(slides, slide):
    return next(name for name, members in batches_of(slides, FAST["rois_per_job"]).items() if slide in members)


def artefacts(run, but=()):
    """Contents of all artefacts of the stages, by path below the results."""
    files = [
        path for stage in ("tiles", "nuclei", "cell_graphs", "features") for path in (run.results / stage).rglob("*")
    ]
    inside = [path for path in files if path.is_file() and path.name != ".snakemake_timestamp"]
    return {
        path.relative_to(run.results): path.read_bytes()
        for path in inside
        if not any(part.split(".")[0] in but for part in path.relative_to(run.results).parts)
    }


def outcome(run, stage, batch):
    """Images that a batch made, kept and failed in."""
    log = (run.results / f"logs/{stage}/batch_{batch}.log").read_text()
    return tuple(map(int, re.search(r"(\d+) made, (\d+) kept, (\d+) failed", log).groups()))


def finished(run, **changed):
    done = run.snakemake(TARGET, changed=FAST | changed)
    assert done.returncode == 0, done.stderr[-3000:]


def test_artefacts_are_those_of_images_alone(batched, tmp_path):
    alone = Run(batched.checkout, tmp_path)
    shutil.copytree(batched.folder / "slides", tmp_path / "slides")
    write_sheet(alone, names(alone)[:3])
    finished(alone, rois_per_job=1)
    made, together = artefacts(alone), artefacts(batched)
    assert {path: together[path] for path in made} == made
    logs = {path.name for path in (batched.results / "logs/tile_slide").iterdir()}
    assert logs > {f"{slide}.log" for slide in names(batched)}


def test_a_job_takes_a_batch_through_a_stage(batched):
    n_batches = len(batches_of(names(batched), FAST["rois_per_job"]))
    planned = batched.planned(TARGET, "--forceall", changed=FAST)
    assert sorted(planned) == sorted([TARGET, *(rule for rule in planned if rule.startswith(STAGES))])
    assert len(planned) == len(STAGES) * n_batches + 1


def test_the_stages_of_a_batch_are_one_group_of_little_time(batched):
    done = batched.snakemake(TARGET, "--forceall", "--dry-run", changed=FAST)
    n_batches = len(batches_of(names(batched), FAST["rois_per_job"]))
    assert len(re.findall("Group job images", done.stdout)) == n_batches
    assert set(re.findall(r"runtime=([0-9]+)", done.stdout)) <= {"10", "11"}


def test_a_second_run_has_nothing_to_do(batched):
    done = batched.snakemake(TARGET, changed=FAST)
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_row_added_or_removed_leaves_all_others(copied):
    before, all_names = artefacts(copied), names(copied)
    gone = all_names[0]
    batch = batch_names(all_names, gone)
    write_sheet(copied, all_names[1:])
    assert set(copied.planned(TARGET, changed=FAST)) == {TARGET, *(f"{stage}_{batch}" for stage in STAGES)}
    finished(copied)
    assert [outcome(copied, stage, batch)[0] for stage in STAGES] == [0] * 4
    for path in copied.results.glob(f"*/{gone}.*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_sheet(copied, all_names)
    finished(copied)
    assert [outcome(copied, stage, batch)[0] for stage in STAGES] == [1] * 4
    assert artefacts(copied) == before


def test_an_image_is_forced_by_the_name_of_its_file(copied):
    before, slide = artefacts(copied), names(copied)[3]
    batch = batch_names(names(copied), slide)
    forced = str((copied.results / f"nuclei/{slide}.parquet").relative_to(copied.folder))
    done = copied.snakemake(TARGET, "--forcerun", forced, changed=FAST)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [outcome(copied, stage, batch)[0] for stage in STAGES[1:]] == [1, 0, 0]
    assert artefacts(copied) == before


def test_a_stage_is_forced_by_its_name(copied):
    planned = copied.planned(TARGET, "--forcerun", "build_cell_graphs", changed=FAST)
    assert {name.rpartition("_")[0] for name in planned} - {""} == {"build_cell_graphs", "cache_features"}
    done = copied.snakemake(TARGET, "--forcerun", "build_cell_graphs", changed=FAST)
    assert done.returncode == 0, done.stderr[-3000:]
    for batch, members in batches_of(names(copied), FAST["rois_per_job"]).items():
        assert outcome(copied, "build_cell_graphs", batch) == (len(members), 0, 0)
        assert outcome(copied, "cache_features", batch) == (0, len(members), 0)


def test_resources_of_a_stage_hold_for_its_batches(batched):
    done = batched.snakemake(
        TARGET,
        "--forceall",
        "--dry-run",
        "--set-resources",
        "tile_slide:mem_mb=1234",
        "tile_slide:runtime=77",
        changed=FAST,
    )
    n_batches = len(batches_of(names(batched), FAST["rois_per_job"]))
    assert len(re.findall(r"^ +resources: .*runtime=77, mem_mb=1234,", done.stdout, re.MULTILINE)) == n_batches


def test_touching_moves_nothing(copied):
    before = artefacts(copied)
    done = copied.snakemake(TARGET, "--touch", "--forceall", changed=FAST)
    assert done.returncode == 0, done.stderr[-3000:]
    assert artefacts(copied) == before


def test_what_mend_removes_is_made_again_alone(copied):
    before, slide = artefacts(copied), names(copied)[5]
    batch = batch_names(names(copied), slide)
    (copied.results / f"tiles/{slide}.parquet").write_bytes(b"damaged")
    assert check(copied, "--mend")[0] == 0
    finished(copied)
    assert [outcome(copied, stage, batch)[0] for stage in STAGES] == [1] * 4
    assert artefacts(copied) == before


@contextmanager
def with_the_cut_off_image(run):
    cut_off = next((run.folder / "slides/slides").glob("*truncated*")).stem
    write_sheet(run, [*names(run), cut_off])
    yield cut_off
    write_sheet(run, names(run))


def test_a_bad_image_stops_its_batch_and_harms_no_other(copied):
    before = artefacts(copied)
    with with_the_cut_off_image(copied) as cut_off:
        batch = batch_names([*names(copied), cut_off], cut_off)
        done = copied.snakemake(TARGET, changed=FAST)
        assert done.returncode != 0
        assert f"  {cut_off}: " in (copied.results / f"logs/tile_slide/batch_{batch}.log").read_text()
        assert "Traceback" not in done.stderr
        made, kept, failed = outcome(copied, "tile_slide", batch)
        assert (made, failed) == (0, 1)
        assert kept
    finished(copied)
    assert artefacts(copied) == before
    assert outcome(copied, "tile_slide", batch)[0] == 0


def test_a_bad_image_that_is_excluded_goes_on_empty(copied):
    before = artefacts(copied)
    with with_the_cut_off_image(copied) as cut_off:
        finished(copied, on_bad_slide="exclude")
        assert (copied.results / f"features/{cut_off}.zarr").is_dir()
        assert {path.name for path in artefacts(copied, but={cut_off})} == {path.name for path in before}


def test_a_killed_batch_keeps_what_it_made(batched, tmp_path):
    run = Run(batched.checkout, tmp_path)
    shutil.copytree(batched.folder / "slides", tmp_path / "slides")
    one_batch = FAST | {"rois_per_job": 10_000}
    command = run_command(run, one_batch)
    done = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    records = run.results / ".batches/tile_slide"
    deadline = time.monotonic() + 120
    while len(list(records.glob("*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    done.send_signal(signal.SIGKILL)
    subprocess.run(["kill", "-KILL", "--", f"-{done.pid}"], check=False)
    done.wait()
    made = {path: path.stat().st_mtime_ns for path in records.glob("*.json")}
    assert len(made) >= 3
    unlocked = run.snakemake("--unlock", changed=one_batch)
    assert unlocked.returncode == 0, unlocked.stderr
    finished(run, rois_per_job=10_000)
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert artefacts(run) == artefacts(batched)


def run_command(run, changed):
    """The command of ``Run.snakemake``, to be started and killed."""
    overlay = run.folder / "changed.yaml"
    overlay.write_text(yaml.safe_dump(changed))
    configs = [str(run.checkout / "config/test/config.yaml"), str(overlay)]
    where = ["-s", str(run.checkout / "Snakefile"), "--directory", str(run.folder), "--cores", "1"]
    return [str(SNAKEMAKE), TARGET, *where, "--configfile", *configs]
