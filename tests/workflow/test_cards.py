"""Jobs of a real run and their cards; a script stands in for ``nvidia-smi``, and stages note what they see and wait."""

import json
import os

import pytest

from tests.workflow.conftest import Run, copy_checkout

LISTED = "GPU {number}: NVIDIA A100-SXM4-40GB (UUID: {uuid})\n"
CARDS = ("GPU-aaaa", "GPU-bbbb", "GPU-cccc")
STAGES = '''
"""Stages that note the card they see."""

import json, os, time
from pathlib import Path


def note(output, **seen):
    began = time.time()
    time.sleep(1)
    seen |= {"visible": os.environ.get("CUDA_VISIBLE_DEVICES"), "began": began, "ended": time.time()}
    Path(output).write_text(json.dumps(seen))


def tile_slide(slide, tiles, overview, **_):
    note(tiles)
    Path(overview).touch()


def segment_nuclei(slide, tiles, nuclei, *, device, **_):
    note(nuclei, device=device)
'''


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy in which the first two stages only note and wait; with a PyTorch for CUDA that nothing imports."""
    folder = copy_checkout(tmp_path_factory.mktemp("checkout_cards"))
    (folder / "pipeline/noting_stages.py").write_text(STAGES)
    for stage, room in (("tile_slide", "tiling"), ("segment_nuclei", "nuclei")):
        script = folder / f"workflow/scripts/{stage}.py"
        text = script.read_text()
        line = f"from pipeline.{room}.{stage} import {stage}"
        assert line in text
        script.write_text(text.replace(line, f"from pipeline.noting_stages import {stage}"))
    (folder / "beside/torch").mkdir(parents=True)
    (folder / "beside/torch/__init__.py").touch()
    (folder / "beside/torch/version.py").write_text("cuda = '13.0'\n")
    return folder


@pytest.fixture
def start(checkout, tmp_path):
    """Make the nuclei of three slides on a machine with some cards; the run, and what each stage of each slide saw."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "slides").mkdir()
    names = ("a", "b", "c")
    for name in names:
        (tmp_path / f"slides/{name}.svs").write_text(name)
    (tmp_path / "slides/slides.csv").write_text("slide_id,path\n" + "".join(f"{name},{name}.svs\n" for name in names))
    run = Run(checkout, tmp_path)

    def make(n_cards, *arguments, visible=None, **changed):
        script = tmp_path / "bin/nvidia-smi"
        listing = "".join(LISTED.format(number=i, uuid=uuid) for i, uuid in enumerate(CARDS[:n_cards]))
        script.write_text(f"#!/bin/sh\nprintf '{listing}'\n".replace("\n)", "\\n)"))
        script.chmod(0o755)
        environment = {
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(checkout / "beside"),
            "TMPDIR": str(tmp_path),
        }
        if visible is not None:
            environment["CUDA_VISIBLE_DEVICES"] = visible
        done = run.snakemake(
            *[f"results/nuclei/{name}.parquet" for name in names],
            *arguments,
            changed={"rois_per_job": 1, **changed},
            cores=3,
            environment=environment,
        )
        seen = {
            stage: [json.loads(file.read_text()) for file in sorted((run.results / stage).glob("*.parquet"))]
            for stage in ("tiles", "nuclei")
        }
        return done, seen

    return make


def most_at_once(seen):
    """Jobs of which one had begun and not ended when another began."""
    return max(sum(a["began"] <= b["began"] < a["ended"] for a in seen) for b in seen)


def test_two_cards_run_two_jobs_each_on_its_own(start):
    done, seen = start(2)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    nuclei = seen["nuclei"]
    assert {job["visible"] for job in nuclei} == {"GPU-aaaa", "GPU-bbbb"}
    assert {job["device"] for job in nuclei} == {"cuda"}
    assert most_at_once(nuclei) == 2
    for a in nuclei:
        assert not [b for b in nuclei if b["visible"] == a["visible"] and a["began"] < b["began"] < a["ended"]]
    assert {job["visible"] for job in seen["tiles"]} == {None}


def test_a_card_that_is_shown_is_one_jobs_even_where_more_jobs_are_let_in(start, tmp_path):
    done, seen = start(2, "--resources", "gpu=3", visible="1")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert {job["visible"] for job in seen["nuclei"]} == {"GPU-bbbb"}
    assert most_at_once(seen["nuclei"]) == 1
    logs = [file.read_text() for file in (tmp_path / "results/logs/segment_nuclei").iterdir()]
    assert sum("waits for a card: other jobs have GPU-bbbb" in log for log in logs) == 2
    assert all("card GPU-bbbb, memory asked for: all" in log for log in logs)


def test_images_of_a_batch_share_the_card_of_their_job(start):
    done, seen = start(1, rois_per_job=32, gpus=1)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert [(job["visible"], job["device"]) for job in seen["nuclei"]] == [("GPU-aaaa", "cuda")] * 3


def test_a_network_without_a_card_runs_on_the_processor_where_auto_finds_none(start):
    done, seen = start(0)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert {(job["visible"], job["device"]) for job in seen["nuclei"]} == {(None, "cpu")}


def test_too_few_cards_are_refused_before_any_job_but_not_a_dry_run(start):
    planned, _ = start(1, "--dry-run", gpus=2)
    assert planned.returncode == 0, planned.stderr[-3000:]
    refused, seen = start(1, gpus=2)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert "gpus: 2 want 2 of this machine's cards, and jobs may take 1: nvidia-smi lists no more." in said
    assert "Traceback" not in said
    assert seen == {"tiles": [], "nuclei": []}
