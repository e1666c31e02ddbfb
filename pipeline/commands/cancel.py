"""``abignet cancel``."""

from pathlib import Path

import click

from pipeline.cluster import queue
from pipeline.cluster.job_names import folder_digest, plain_run, read_name
from pipeline.commands.options import NEW_DIRECTORY
from pipeline.errors import ClusterError


@click.command("cancel")
@click.argument("run")
@click.option("--outdir", type=NEW_DIRECTORY, help="Only jobs that write to this results folder.")
@click.option("--dry-run", is_flag=True, help="List the jobs and leave them.")
def command(run: str, outdir: Path | None, dry_run: bool) -> None:
    """End the jobs of a RUN that wait or run in SLURM.

    RUN is the name in the configuration (run: main).  Jobs outlive their Snakemake only when it was killed; Ctrl-C ends
    them by itself.  Then unlock the folder (`snakemake --unlock`) and start the run again: what is finished is kept.
    """
    found = [
        (job, read)
        for job in queue.my_jobs()
        if (read := read_name(job.name)) is not None
        and read.run == plain_run(run)
        and (outdir is None or read.folder == folder_digest(outdir))
    ]
    folders = sorted({f"{read.folder} (from {job.folder})" for job, read in found})
    if len(folders) > 1:
        raise ClusterError(
            f"run {run}: its jobs write to {len(folders)} results folders: {', '.join(folders)}. "
            "Expected one; name it with --outdir."
        )
    for job, _ in found:
        click.echo(f"{job.job_id} {job.state}")
    if not dry_run:
        queue.cancel(job.job_id for job, _ in found)
    click.echo(f"{len(found)} jobs of run {run} {'found' if dry_run else 'cancelled'}", err=True)
