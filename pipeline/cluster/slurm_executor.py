"""Snakemake's executor for SLURM, made patient: it outlives the controller and says what became of a job.

The only module of the package that knows Snakemake.  The plugin (``snakemake_executor_plugin_slurm``) forgets every
submitted job when all queries of a round fail, loses jobs whose submission raises, and never hears of a job that SLURM
has forgotten; each makes a run wait for ever.
"""

import asyncio
import os
import shlex
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from snakemake_executor_plugin_slurm import Executor as SlurmExecutor
from snakemake_executor_plugin_slurm import SubmittedJobInfo, WorkflowError

from pipeline.cluster import queue
from pipeline.cluster.failures import end_of_log, why_it_ended
from pipeline.cluster.job_names import RunJobs, read_name, run_jobs
from pipeline.errors import ClusterError

FORGOTTEN_S = float(os.environ.get("ABIGNET_SLURM_FORGOTTEN_S", "300"))
"""Time for which SLURM knows nothing of a job before it is taken for lost; accounting may lag by minutes."""

ASK_AGAIN_S = 15
"""Pause between questions to a controller that does not answer."""

TELL_AGAIN_S = 120
"""Pause between messages that it does not."""

AWAY = "Unable to contact slurm controller"
"""What SLURM says when its controller is away; nothing was submitted then."""


def patient_executor(outdir: str, run: str, on_failure: Callable[[Iterable[Any]], None]) -> type[SlurmExecutor]:
    """The class that takes the place of the plugin's executor.

    Parameters
    ----------
    outdir, run
        Results folder and name of the run, by which its jobs are named.
    on_failure
        Called with the jobs of a failed submission before Snakemake removes what they made.
    """
    settings = {"names": run_jobs(outdir, run), "on_failure": staticmethod(on_failure)}
    return type("RunSlurmExecutor", (PatientSlurmExecutor,), settings)


class PatientSlurmExecutor(SlurmExecutor):  # type: ignore[misc]
    """The plugin's executor with nothing forgotten.

    Attributes
    ----------
    names
        How the jobs of the run are named.
    on_failure
        Called with the jobs of a failed submission.

    Raises
    ------
    WorkflowError
        If jobs of an earlier start on the same results still wait or run.
    """

    names: ClassVar[RunJobs]
    on_failure: Callable[[Iterable[Any]], None]

    def __init__(self, workflow: Any, logger: Any) -> None:
        self._settled: set[str] = set()
        self._missing_since: dict[str, float] = {}
        self._silent_since: float | None = None
        self._told_at = 0.0
        self._is_ending = threading.Event()
        super().__init__(workflow, logger)

    def __post_init__(self, test_mode: bool = False) -> None:
        """Refuse a queue in which an earlier start lives on, and name the jobs."""
        self._refuse_orphans()
        self.workflow.executor_settings.jobname_prefix = self.names.prefix
        super().__post_init__(test_mode)

    def _refuse_orphans(self) -> None:
        try:
            jobs = queue.my_jobs()
        except ClusterError as error:
            raise WorkflowError(str(error)) from error
        found = {job.job_id: read for job in jobs if (read := read_name(job.name)) and read.folder == self.names.folder}
        if found:
            runs = " ".join(sorted({read.run for read in found.values()}))
            raise WorkflowError(
                f"{len(found)} jobs of an earlier start on these results still wait or run in SLURM "
                f"({', '.join(sorted(found)[:10])}{', ...' if len(found) > 10 else ''}): its Snakemake was killed. "
                f"Wait until they have ended, or end them with `abignet cancel {runs}`, then start again."
            )

    # Submission

    def run_job(self, job: Any) -> None:
        """Submit a job as soon as the controller answers; whatever stops the submission is an error of the job."""
        try:
            self._await_controller()
            if job.attempt > 1:
                self.logger.info(f"Attempt {job.attempt} of {_title(job)} asks for {_asked(job)}.")
            super().run_job(job)
        except Exception as error:  # the plugin submits in a thread that keeps errors to itself
            self._report_job_error_threadsafe(SubmittedJobInfo(job), f"submission failed: {error}")

    def _await_controller(self) -> None:
        while not (self._is_ending.is_set() or queue.controller_answers()):
            self._tell_silence("submissions wait")
            self._is_ending.wait(ASK_AGAIN_S)

    def _report_job_error_threadsafe(self, job_info: SubmittedJobInfo, msg: str) -> None:
        if AWAY in msg and not self._is_ending.is_set():
            self._job_submission_executor.submit(self.run_job, job_info.job)
        else:
            super()._report_job_error_threadsafe(job_info, msg)

    def get_account_arg(self, job: Any) -> Iterator[str]:
        """Option that names the account; none where none is given, and SLURM takes the user's own."""
        if job.resources.get("slurm_account"):
            yield from super().get_account_arg(job)
        else:
            yield ""

    def get_partition_arg(self, job: Any) -> str:
        """Option that names the partition: ``gpu_partition`` for jobs that ask for a GPU, if it is given."""
        if job.resources.get("gpu") and job.resources.get("gpu_partition"):
            return f" -p {shlex.quote(str(job.resources.gpu_partition))}"
        return str(super().get_partition_arg(job))

    def additional_general_args(self) -> str:
        """Arguments of the Snakemake inside a job.

        The batch script is that Snakemake.  The plugin's would start ``srun`` to start another one, which reads the
        whole workflow twice and fails where the controller is away at that moment.
        """
        return str(super().additional_general_args()) if self.workflow.executor_settings.array_jobs else ""

    # Status

    async def check_active_jobs(self, active_jobs: Sequence[SubmittedJobInfo]) -> AsyncGenerator[SubmittedJobInfo]:
        """Report ended jobs; yield all others, also those of which nothing could be learned."""
        self._settled.clear()
        kept = [job async for job in super().check_active_jobs(active_jobs)]
        handled = self._settled | {job.external_jobid for job in kept}
        unlearned = [job for job in active_jobs if job.external_jobid not in handled]
        if unlearned:
            await asyncio.to_thread(self._tell_silence, f"{len(unlearned)} submitted jobs are kept")
        elif active_jobs:
            self._silent_since = None
        kept = [*await self._still_known(kept), *unlearned]
        if self._settled:
            # The plugin asks less and less often while jobs fail.
            self.next_seconds_between_status_checks = self.workflow.executor_settings.init_seconds_before_status_checks
        for job in kept:
            yield job

    async def sleep(self) -> None:
        """Wait until the next question, which may be minutes, or until the run ends."""
        left_s = float(self.next_seconds_between_status_checks)
        while left_s > 0:
            await asyncio.sleep(min(left_s, 0.5))
            left_s = 0 if self._is_ending.is_set() else left_s - 0.5

    def _tell_silence(self, meanwhile: str) -> None:
        """Say that SLURM does not answer and what to do, now and then."""
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since, self._told_at = now, -TELL_AGAIN_S
        if now - self._told_at < TELL_AGAIN_S:
            return
        self._told_at = now
        silent = f"SLURM tells nothing of the jobs ({now - self._silent_since:.0f} s so far); {meanwhile}."
        if queue.controller_answers():
            todo = (
                "Its controller answers, its accounting does not: where there is none, keep `slurm-status-command: "
                "squeue` in the profile and slurm-init-seconds-before-status-checks below a third of MinJobAge "
                "(`scontrol show config`)."
            )
        else:
            todo = (
                "Its controller does not answer: nothing is to be done while it restarts; if it stays away ask those "
                "who run it. This run goes on by itself, or stop it with Ctrl-C and start it again later."
            )
        self.logger.warning(f"{silent} {todo}")

    async def _still_known(self, jobs: Sequence[SubmittedJobInfo]) -> Sequence[SubmittedJobInfo]:
        """Jobs without those that SLURM has long known nothing of, which are reported as failed."""
        if not jobs:
            return jobs
        try:
            known = await asyncio.to_thread(queue.known_numbers, self.run_uuid)
        except ClusterError:
            return jobs
        now, still = time.monotonic(), []
        for job in jobs:
            if job.external_jobid.partition("_")[0] in known:
                self._missing_since.pop(job.external_jobid, None)
                still.append(job)
            elif now - self._missing_since.setdefault(job.external_jobid, now) < FORGOTTEN_S:
                still.append(job)
            else:
                self.report_job_error(job, msg="SLURM knows nothing of this job any more; it counts as failed.")
        return still

    def report_job_success(self, job_info: SubmittedJobInfo) -> None:
        """Hand on that a job has ended well."""
        self._settled.add(job_info.external_jobid)
        super().report_job_success(job_info)

    def report_job_error(self, job_info: SubmittedJobInfo, msg: str | None = None, **kwargs: Any) -> None:
        """Hand on that a job has failed, and say why and what comes next."""
        self._settled.add(job_info.external_jobid)
        with ThreadPoolExecutor(max_workers=1) as apart:  # resources are not to be had inside an event loop
            coming = apart.submit(_next, job_info.job).result()
        told = [f"{_title(job_info.job)}:", msg, _why(job_info), coming]
        self.logger.error(" ".join(filter(None, told)))
        self.on_failure(job_info.job.jobs if job_info.job.is_group() else [job_info.job])
        super().report_job_error(job_info, msg=msg, **kwargs)

    # End

    def cancel_jobs(self, active_jobs: Sequence[SubmittedJobInfo]) -> None:
        """End all jobs of this start, also those that are being asked for at the moment."""
        try:
            queue.cancel_named(self.run_uuid)
        except ClusterError as error:
            self.logger.error(
                f"{error} Jobs of this run may live on: `abignet cancel {self.names.run}` ends them later."
            )

    def cancel(self) -> None:
        """End all jobs and the executor."""
        self._is_ending.set()
        super().cancel()

    def shutdown(self) -> None:
        """End the executor."""
        self._is_ending.set()
        super().shutdown()


def _title(job: Any) -> str:
    """A job or a group of jobs in a message."""
    if job.is_group():
        return f"group {job.groupid} ({len(list(job.jobs))} jobs)"
    return " ".join([f"job {job.jobid} ({job.rule.name})", *job.wildcards])


def _asked(job: Any) -> str:
    """What a job asks SLURM for, by the names of the resources."""
    asked = {name: job.resources.get(name) for name in ("mem_mb", "runtime")}
    return ", ".join(f"{name}={value}" for name, value in asked.items() if value) or "what the cluster gives"


def _why(job_info: SubmittedJobInfo) -> str:
    """Why a submitted job failed, what it had asked for, and the log of SLURM."""
    if job_info.external_jobid is None:
        return ""
    path = (job_info.aux or {}).get("slurm_logfile")
    reason = why_it_ended(queue.job_record(job_info.external_jobid), end_of_log(None if path is None else Path(path)))
    why = "" if reason is None else f"In all likelihood {reason}: it had asked for {_asked(job_info.job)}. "
    return f"{why}Log: {path}."


def _next(job: Any) -> str:
    """What the next attempt of a failed job asks for, or what to do where there is none."""
    if job.attempt > job.restart_times:
        return "No attempt is left; give it more with set-resources in the profile, or mend what its log names."
    job.attempt += 1  # resources depend on it
    try:
        return f"The next attempt asks for {_asked(job)}."
    finally:
        job.attempt -= 1
