import pytest

from pipeline.cluster import queue
from pipeline.errors import ClusterError


def test_jobs_are_read_with_bars_in_their_folder(slurm):
    slurm("squeue", "12|RUNNING|abignet_x|/data/a|b\n13|PENDING|other|/home\n\n")
    assert queue.my_jobs() == [
        queue.QueuedJob("12", "RUNNING", "abignet_x", "/data/a|b"),
        queue.QueuedJob("13", "PENDING", "other", "/home"),
    ]


def test_numbers_of_arrays_are_those_of_the_whole(slurm):
    slurm("squeue", "12\n13_4\n13_[5-9]\n")
    assert queue.known_numbers("name") == {"12", "13"}


def test_an_error_of_slurm_is_told(slurm):
    slurm("squeue", "slurm_load_jobs error: Unable to contact slurm controller", code=1)
    with pytest.raises(ClusterError, match="squeue: slurm_load_jobs error: Unable to contact"):
        queue.my_jobs()


def test_no_slurm_at_all_is_told(slurm):
    with pytest.raises(ClusterError, match="squeue: no such command"):
        queue.my_jobs()


@pytest.mark.parametrize(
    ("answer", "code", "answers"),
    [
        ("Slurmctld(primary) at a is UP", 0, True),
        ("Slurmctld(primary) at a is DOWN", 0, False),
        ("Slurmctld(primary) at a is DOWN\nSlurmctld(backup) at b is UP", 0, True),
        ("no", 1, False),
    ],
)
def test_whether_a_controller_answers(slurm, answer, code, answers):
    slurm("scontrol", answer, code)
    assert queue.controller_answers() is answers


def test_nothing_is_cancelled_without_jobs(slurm):
    slurm("scancel")
    queue.cancel([])
    queue.cancel(["2", "1"])
    assert slurm.calls() == ["scancel 1 2"]


def test_a_record_has_what_slurm_says(slurm):
    slurm("scontrol", "JobId=3 JobState=FAILED Reason=NonZeroExitCode ExitCode=0:125 Command=(null)\n")
    assert queue.job_record("3")["ExitCode"] == "0:125"
    slurm("scontrol", "Invalid job id specified", code=1)
    assert queue.job_record("3") == {}
