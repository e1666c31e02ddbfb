"""SLURM's own commands: what is in the queue, what became of a job, ending jobs.

Only the standard library is imported here: the Snakefile asks.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.errors import ClusterError

ANSWER_S = 60
"""Longest that SLURM may take for an answer."""


@dataclass(frozen=True)
class QueuedJob:
    """A job that waits or runs.

    Attributes
    ----------
    job_id
        SLURM's number.
    state
        ``PENDING``, ``RUNNING`` and so on, as SLURM writes it.
    name
        Its name; see ``job_names``.
    folder
        Its working directory.
    """

    job_id: str
    state: str
    name: str
    folder: str


def ask(*command: str) -> str:
    """What a command of SLURM prints.

    Raises
    ------
    ClusterError
        If there is no such command, it ends in an error or does not answer in a minute.
    """
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ANSWER_S)
    except FileNotFoundError as error:
        raise ClusterError(f"{command[0]}: no such command. SLURM is not on this machine; use a login node.") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{command[0]}: no answer in {ANSWER_S} s. Try again when SLURM answers.") from error
    if asked.returncode != 0:
        said = asked.stderr.strip() or asked.stdout.strip() or f"exit code {asked.returncode}"
        raise ClusterError(f"{command[0]}: {said}. Try again when SLURM answers.")
    return asked.stdout


def controller_answers() -> bool:
    """Whether SLURM takes submissions now."""
    try:
        return " UP" in ask("scontrol", "ping")
    except ClusterError:
        return False


def my_jobs() -> list[QueuedJob]:
    """Jobs of this user that wait or run, in SLURM's order; see ``ask`` for errors."""
    lines = ask("squeue", "--noheader", f"--user={os.getuid()}", "--format=%i|%T|%j|%Z").splitlines()
    return [QueuedJob(*line.split("|", 3)) for line in lines if line.count("|") >= 3]


def known_numbers(job_name: str) -> set[str]:
    """Numbers of the jobs of a name that SLURM knows, also ended ones, without their place in an array."""
    lines = ask("squeue", "--noheader", "--states=all", f"--name={job_name}", "--format=%i").split()
    return {line.partition("_")[0] for line in lines}


def cancel(job_ids: Iterable[str]) -> None:
    """End jobs, waiting or running ones; see ``ask`` for errors."""
    if ids := sorted(job_ids):
        ask("scancel", *ids)


def cancel_named(job_name: str) -> None:
    """End all jobs of this user with a name; see ``ask`` for errors."""
    ask("scancel", f"--user={os.getuid()}", f"--name={job_name}")


def job_record(job_id: str) -> Mapping[str, str]:
    """What SLURM still knows of a job, by its own keys (``JobState``, ``ExitCode``); empty of an old job."""
    try:
        return dict(re.findall(r"(\w+)=(\S*)", ask("scontrol", "--oneliner", "show", "job", job_id)))
    except ClusterError:
        return {}
