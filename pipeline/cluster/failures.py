"""Why SLURM ended a job, said in words."""

import re
from collections.abc import Mapping
from pathlib import Path

MEMORY_EXIT = "0:125"
"""Exit code by which SLURM tells that a job went over its memory."""

MEMORY_WORDS = re.compile(
    r"oom[-_ ]kill|OUT_OF_MEMORY|out of memory|exceeded (job |step )?memory limit|MemoryError|bad_alloc|"
    r"Unable to allocate",
    re.IGNORECASE,
)
"""What SLURM, the kernel, Python and C++ write when memory runs out."""

KILLED_WORDS = re.compile(r"SIGKILL|signal 9|\bKilled\b|exit code 137|code -9")
"""What is left of a process that the kernel killed."""

READ_BYTES = 1 << 16
"""End of a log that is looked at."""


def why_it_ended(record: Mapping[str, str], log: str) -> str | None:
    """Why a job failed, if SLURM's record of it or its log tell; None where the log is all there is.

    Parameters
    ----------
    record
        See ``queue.job_record``.
    log
        End of the job's log.
    """
    state = record.get("JobState", "")
    if state == "OUT_OF_MEMORY" or record.get("ExitCode") == MEMORY_EXIT or MEMORY_WORDS.search(log):
        return "it went over its memory"
    if state == "TIMEOUT":
        return f"it went over its time ({record.get('TimeLimit', 'unknown')})"
    if state == "CANCELLED":
        return "it was cancelled"
    if KILLED_WORDS.search(log) or record.get("ExitCode", "").endswith(":9"):
        return "it was killed, most often for its memory"
    return None


def end_of_log(path: Path | None) -> str:
    """The last lines of a job's log; nothing where there is none."""
    if path is None or not path.is_file():
        return ""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - READ_BYTES))
        return log.read().decode(errors="replace")
