import pytest

from pipeline.cluster.failures import READ_BYTES, end_of_log, why_it_ended


@pytest.mark.parametrize(
    ("record", "log", "why"),
    [
        ({"JobState": "OUT_OF_MEMORY"}, "", "it went over its memory"),
        ({"JobState": "FAILED", "ExitCode": "0:125"}, "", "it went over its memory"),
        ({}, "slurmstepd: error: Detected 1 oom_kill event in StepId=5.0.", "it went over its memory"),
        ({}, "slurmstepd: error: Job 6 exceeded memory limit (71 > 60), being killed", "it went over its memory"),
        ({}, "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 9 GiB", "it went over its memory"),
        ({"JobState": "TIMEOUT", "TimeLimit": "01:00:00"}, "", "it went over its time (01:00:00)"),
        ({"JobState": "CANCELLED"}, "", "it was cancelled"),
        ({"JobState": "FAILED", "ExitCode": "0:9"}, "", "it was killed, most often for its memory"),
        ({"JobState": "FAILED", "ExitCode": "1:0"}, "error: s01.tif cannot be read", None),
        ({}, "", None),
    ],
)
def test_why_a_job_ended(record, log, why):
    assert why_it_ended(record, log) == why


def test_only_the_end_of_a_log_is_read(tmp_path):
    path = tmp_path / "1.log"
    path.write_text("begin" + "x" * READ_BYTES + "end")
    assert end_of_log(path).endswith("end")
    assert "begin" not in end_of_log(path)
    assert end_of_log(tmp_path / "none") == end_of_log(None) == ""
