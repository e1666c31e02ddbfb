"""The card of a job, on a machine that has one; tests/cards proves the rest without."""

import json
import os
import subprocess
import sys

import pytest
import torch

from pipeline.cards.visible_cards import cards_of_jobs

pytestmark = pytest.mark.gpu
JOB = """
import json, logging, sys, torch
from pipeline.cards.card_of_job import card_of_job

logging.basicConfig(level=logging.INFO)
seen = {}
with card_of_job("auto", {"gpu": 1, "gpu_mem_mb": 1000}) as device:
    seen["n_cards"], seen["uuid"] = torch.cuda.device_count(), str(torch.cuda.get_device_properties(0).uuid)
    torch.ones(2**20, device=device)
    try:
        torch.empty(2 * 10**9, dtype=torch.uint8, device=device)
    except torch.cuda.OutOfMemoryError:
        seen["is_bounded"] = True
print(json.dumps(seen))
"""


def test_a_job_sees_its_card_alone_and_holds_no_more_of_it_than_it_asked_for(tmp_path) -> None:
    cards = cards_of_jobs(torch_of_jobs_is_here=True).names
    assert cards
    variables = {"ABIGNET_CARDS": cards[-1], "TMPDIR": str(tmp_path)}
    job = subprocess.run(
        [sys.executable, "-c", JOB], capture_output=True, text=True, check=True, env=os.environ | variables
    )
    seen = json.loads(job.stdout)
    assert (seen["n_cards"], seen.get("is_bounded")) == (1, True)
    assert cards[-1].startswith("MIG-") or cards[-1] == f"GPU-{seen['uuid']}"
    assert "MB held of 1000 MB asked for; gpu_mem_mb=" in job.stderr


def test_cards_of_jobs_are_those_that_pytorch_sees() -> None:
    names = cards_of_jobs(torch_of_jobs_is_here=True).names
    assert any(name.startswith("MIG-") for name in names) or len(names) == torch.cuda.device_count()
