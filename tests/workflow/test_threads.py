"""Jobs use the threads that their rules ask for, whatever libraries would take."""

import json
import sys

import pytest

TOLERANCE = 0.5
"""Threads in the mean beyond those asked for: reading ahead overlaps with work for moments."""


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads by /proc")
def test_no_job_uses_more_threads_than_its_rule_asks_for(finished):
    lines = (finished.folder / "threads.jsonl").read_text().splitlines()
    seen = [job for job in map(json.loads, lines) if job["samples"] >= 20]
    assert {"segment_nuclei", "cache_features", "train_fold", "write_report"} <= {job["rule"] for job in seen}
    assert [job for job in seen if job["mean"] > job["threads"] + TOLERANCE] == []
