"""Names of a run's jobs in SLURM's queue, by which a rerun and ``abignet cancel`` find them.

    abignet_{folder}_{run}_{uuid}    folder: digest of the results folder; uuid: of one start of Snakemake

The plugin for SLURM appends the last part.  Only the standard library is imported here: the Snakefile asks.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

NAME = re.compile(r"abignet_([0-9a-f]{8})_([A-Za-z0-9-]+)_[0-9a-f-]{36}$")

LONGEST_RUN = 30
"""Letters of a run's name that are kept: the plugin takes prefixes of 50 characters."""


@dataclass(frozen=True)
class RunJobs:
    """What the names of a run's jobs say.

    Attributes
    ----------
    folder
        Digest of the results folder; see ``folder_digest``.
    run
        Name of the run; see ``plain_run``.
    """

    folder: str
    run: str

    @property
    def prefix(self) -> str:
        """What the names begin with; the plugin for SLURM adds an underscore and an identifier."""
        return f"abignet_{self.folder}_{self.run}"


def run_jobs(outdir: str | Path, run: str) -> RunJobs:
    """Name the jobs of a run by its results folder and its name in the configuration."""
    return RunJobs(folder_digest(outdir), plain_run(run))


def read_name(job_name: str) -> RunJobs | None:
    """What a job's name in the queue says; None of a job that is no run's."""
    found = NAME.search(job_name)
    return None if found is None else RunJobs(found[1], found[2])


def folder_digest(outdir: str | Path) -> str:
    """Eight hexadecimal digits for a folder, the same however it is reached."""
    return hashlib.sha256(str(Path(outdir).resolve()).encode()).hexdigest()[:8]


def plain_run(run: str) -> str:
    """A run's name in the characters that SLURM and the plugin take in the names of jobs."""
    return re.sub(r"[^A-Za-z0-9-]", "-", run)[:LONGEST_RUN]
