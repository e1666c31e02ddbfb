"""``abignet check``."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import click

from pipeline.commands.options import EXISTING_DIRECTORY
from pipeline.commands.results_layout import Product, products, to_remove
from pipeline.logs import get_logger, progress

log = get_logger("check")


@click.command("check")
@click.argument("outdir", type=EXISTING_DIRECTORY)
@click.option("--mend", is_flag=True, help="Remove what is faulty and what was made from it, so that it is made again.")
@click.pass_context
def command(context: click.Context, outdir: Path, mend: bool) -> None:
    """Read every file of a results folder and list what is damaged or stale.

    A file is damaged when it is not what was written or contradicts itself, and stale when it was made from other files
    than those that are there.  One line each, on standard output: path, then the reason.  Ends with exit code 1 when
    there is any, with --mend when one could not be removed.

    After --mend run the same snakemake command as before: it makes again what is missing.
    """
    from pipeline.commands.results_checks import ResultsChecks

    checks, everything = ResultsChecks(outdir), list(products(outdir))
    faulty: list[Product] = []
    for one in progress(everything, description="checking", unit="files", total=len(everything)):
        fault = checks.fault(one)
        if fault is not None:
            faulty.append(one)
            click.echo(f"{one.path}: {fault}")
    for one in checks.missing(everything):
        faulty.append(one)
        click.echo(f"{one.path}: missing: other files of the same job are there")
    log.info("%d files checked, %d faulty", len(everything), len(faulty))
    if faulty and mend:
        _remove(to_remove(faulty, everything, checks.learned_slides(everything)))
    elif faulty:
        click.echo(f"{len(faulty)} of {len(everything)} files; `abignet check {outdir} --mend` removes them", err=True)
        context.exit(1)


def _remove(products: Sequence[Product]) -> None:
    for one in products:
        log.info("removed %s", one.path)
        if one.path.is_dir() and not one.path.is_symlink():
            shutil.rmtree(one.path)
        else:
            one.path.unlink(missing_ok=True)
    click.echo(f"removed {len(products)} files; run the same command that made them", err=True)
