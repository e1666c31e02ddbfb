"""What the patient executor makes of the plugin's silence; tests/workflow/test_slurm.py has a real SLURM."""

import asyncio
import logging
import threading
import time
from types import SimpleNamespace

import pytest
from snakemake_executor_plugin_slurm import Executor as SlurmExecutor
from snakemake_executor_plugin_slurm import SubmittedJobInfo, WorkflowError

from pipeline.cluster import slurm_executor
from pipeline.cluster.job_names import run_jobs
from pipeline.cluster.slurm_executor import PatientSlurmExecutor


class Job:
    """A job of Snakemake as far as the executor looks at it."""

    restart_times = 1
    attempt = 1
    jobid = 7
    rule = SimpleNamespace(name="tile_slide")
    wildcards = ("s01",)

    @property
    def resources(self):
        return {"mem_mb": 100 * 2 ** (self.attempt - 1), "runtime": 60}

    def is_group(self):
        return False


@pytest.fixture
def executor(tmp_path, caplog):
    """An executor that was never started, with the names of a run in a folder of its own."""
    caplog.set_level(logging.INFO)
    made = PatientSlurmExecutor.__new__(PatientSlurmExecutor)
    made.names = run_jobs(tmp_path, "main")
    made.logger = logging.getLogger("executor")
    made.run_uuid = f"{made.names.prefix}_0f8fad5b-d9cb-469f-a165-70867728950e"
    made._settled, made._missing_since, made._silent_since = set(), {}, None
    made._is_ending = threading.Event()
    made._next_seconds_between_status_checks = 180
    made.workflow = SimpleNamespace(executor_settings=SimpleNamespace(init_seconds_before_status_checks=10))
    made.failed = []
    made.on_failure = made.failed.extend
    return made


@pytest.fixture
def ended(executor, monkeypatch):
    """Jobs that were handed on as ended badly."""
    handed = []
    monkeypatch.setattr(SlurmExecutor, "report_job_error", lambda self, job, msg=None, **_: handed.append(job))
    monkeypatch.setattr(SlurmExecutor, "report_job_success", lambda self, job: None)
    return handed


def checked(executor, jobs):
    async def check():
        return [job async for job in executor.check_active_jobs(jobs)]

    return asyncio.run(check())


def submitted(*numbers):
    return [SubmittedJobInfo(Job(), external_jobid=str(number), aux={}) for number in numbers]


def plugin_that(report, keep):
    async def check(self, jobs):
        for job in jobs:
            if job.external_jobid in report:
                self.report_job_success(job)
            elif job.external_jobid in keep:
                yield job

    return check


@pytest.mark.parametrize("name", [name for name, value in vars(PatientSlurmExecutor).items() if callable(value)])
def test_the_plugin_has_every_method_that_is_overridden(name):
    ours = {"_refuse_orphans", "_await_controller", "_tell_silence", "_still_known"}
    assert hasattr(SlurmExecutor, name) != (name in ours)


def test_jobs_of_which_nothing_is_learned_are_kept(executor, ended, slurm, monkeypatch, caplog):
    slurm("scontrol", "Slurmctld(primary) at a is DOWN")
    slurm("squeue", "Unable to contact slurm controller", code=1)
    monkeypatch.setattr(SlurmExecutor, "check_active_jobs", plugin_that(report={"1"}, keep={"2"}))
    jobs = submitted(1, 2, 3, 4)
    assert [job.external_jobid for job in checked(executor, jobs)] == ["2", "3", "4"]
    assert "2 submitted jobs are kept" in caplog.text
    assert "nothing is to be done while it restarts" in caplog.text
    assert not ended


def test_the_end_of_a_run_waits_for_no_further_question(executor):
    executor._is_ending.set()
    began = time.monotonic()
    asyncio.run(executor.sleep())
    assert time.monotonic() - began < 30
    assert executor.next_seconds_between_status_checks == 180


def test_where_only_accounting_is_silent_the_message_says_so(executor, ended, slurm, monkeypatch, caplog):
    slurm("scontrol", "Slurmctld(primary) at a is UP")
    slurm("squeue", "1\n")
    monkeypatch.setattr(SlurmExecutor, "check_active_jobs", plugin_that(report=(), keep=()))
    assert len(checked(executor, submitted(1))) == 1
    assert "slurm-status-command: squeue" in caplog.text


def test_a_job_that_slurm_has_forgotten_fails_in_the_end(executor, ended, slurm, monkeypatch):
    slurm("squeue", "2\n")
    slurm("scontrol", "Invalid job id specified", code=1)
    monkeypatch.setattr(SlurmExecutor, "check_active_jobs", plugin_that(report=(), keep={"1", "2"}))
    jobs = submitted(1, 2)
    assert checked(executor, jobs) == jobs
    monkeypatch.setattr(slurm_executor, "FORGOTTEN_S", 0)
    assert checked(executor, jobs) == jobs[1:]
    assert ended == jobs[:1]
    assert executor.next_seconds_between_status_checks == 10
    assert executor.failed == [jobs[0].job]


def test_a_failure_names_its_reason_and_what_comes_next(executor, ended, slurm, caplog, tmp_path):
    slurm("scontrol", "JobId=1 JobState=FAILED ExitCode=0:125")
    log = tmp_path / "1.log"
    job = SubmittedJobInfo(Job(), external_jobid="1", aux={"slurm_logfile": log})
    executor.report_job_error(job)
    assert "it went over its memory: it had asked for mem_mb=100, runtime=60" in caplog.text
    assert "The next attempt asks for mem_mb=200" in caplog.text
    assert str(log) in caplog.text
    job.job.attempt = 2
    executor.report_job_error(job)
    assert "No attempt is left" in caplog.text
    assert job.job.attempt == 2


def test_jobs_of_an_earlier_start_on_the_same_folder_are_refused(executor, slurm, tmp_path):
    other = run_jobs(tmp_path / "elsewhere", "main").prefix
    slurm(
        "squeue",
        f"5|RUNNING|{executor.run_uuid}|/a\n6|RUNNING|{executor.run_uuid.replace(executor.names.prefix, other)}|/b\n",
    )
    with pytest.raises(WorkflowError, match=r"1 jobs .*\(5\).*abignet cancel main"):
        executor._refuse_orphans()


def test_what_stops_a_submission_fails_the_job(executor, slurm, monkeypatch):
    slurm("scontrol", "Slurmctld(primary) at a is UP")

    def refuse(self, job):
        raise WorkflowError("no such account")

    told = []
    monkeypatch.setattr(SlurmExecutor, "run_job", refuse)
    monkeypatch.setattr(SlurmExecutor, "_report_job_error_threadsafe", lambda self, job, msg: told.append(msg))
    executor.run_job(Job())
    assert told == ["submission failed: no such account"]


@pytest.mark.parametrize(
    ("resources", "partition"),
    [
        ({"gpu": 1, "gpu_partition": "a100", "slurm_partition": "normal"}, " -p a100"),
        ({"gpu": 0, "gpu_partition": "a100", "slurm_partition": "normal"}, " -p normal"),
    ],
)
def test_the_partition_is_that_of_the_kind_of_job(executor, monkeypatch, resources, partition):
    monkeypatch.setattr(SlurmExecutor, "get_partition_arg", lambda self, job: f" -p {job.resources.slurm_partition}")
    job = SimpleNamespace(resources=Resources(resources))
    assert executor.get_partition_arg(job) == partition


class Resources(dict):
    __getattr__ = dict.__getitem__
