"""A checkout in which the first two stages only note which card their jobs see, and when they run."""

import json
from pathlib import Path

from tests.workflow.conftest import copy_checkout

STAGES = '''
"""Stages that note what they see and take a second, or until as many nuclei as a variable says have been begun."""

import json, os, time
from pathlib import Path


def note(output, n_together=0, **seen):
    began, begun = time.time(), Path(output).with_suffix(".begun")
    begun.touch()
    while time.time() < began + (60 if len(list(begun.parent.glob("*.begun"))) < n_together else 1):
        time.sleep(0.1)
    seen |= {"visible": os.environ.get("CUDA_VISIBLE_DEVICES"), "began": began, "ended": time.time()}
    seen |= {"slurm": [os.environ.get(name) for name in ("SLURM_GPUS_ON_NODE", "SLURM_JOB_GPUS")]}
    Path(output).write_text(json.dumps(seen))


def tile_slide(slide, tiles, overview, **_):
    note(tiles)
    Path(overview).touch()


def segment_nuclei(slide, tiles, nuclei, *, device, **_):
    note(nuclei, int(os.environ.get("NUCLEI_TOGETHER", "0")), device=device)
'''


def noting_checkout(folder: Path) -> Path:
    """A copy of the checkout with such stages; scripts and rules are the real ones."""
    copy_checkout(folder)
    (folder / "pipeline/noting_stages.py").write_text(STAGES)
    for stage, room in (("tile_slide", "tiling"), ("segment_nuclei", "nuclei")):
        script = folder / f"workflow/scripts/{stage}.py"
        text, line = script.read_text(), f"from pipeline.{room}.{stage} import {stage}"
        assert line in text
        script.write_text(text.replace(line, f"from pipeline.noting_stages import {stage}"))
    return folder


def noted(results: Path) -> dict[str, list[dict]]:
    """What the jobs of either stage saw, by slide."""
    return {
        stage: [json.loads(file.read_text()) for file in sorted((results / stage).glob("*.parquet"))]
        for stage in ("tiles", "nuclei")
    }


def most_at_once(jobs: list[dict]) -> int:
    """Most jobs that ran at the moment when one of them began."""
    return max(sum(a["began"] <= b["began"] < a["ended"] for a in jobs) for b in jobs)
