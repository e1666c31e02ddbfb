"""``abignet doctor``."""

import platform
import shutil
import sys
from importlib import import_module, metadata
from itertools import product
from typing import get_args

import click

from pipeline import __version__
from pipeline.cards.card_plan import CardPlan, Place, plan_cards
from pipeline.cards.visible_cards import cards_of_jobs
from pipeline.commands.third_party import distribution_of, third_party_imports
from pipeline.config_keys import Device
from pipeline.errors import AbignetError
from pipeline.provenance import source_digest
from pipeline.reachability import package_modules

WORKFLOW_PACKAGE = "snakemake"
"""What the rules need and no module imports."""

OPTIONAL_PACKAGES = {
    "anndata": "features export-anndata",
    "torchmil": "the methods abmil, clam_sb, dsmil, transmil, gtp",
}
PROGRAMS = {"conda": "--use-conda", "sbatch": "profiles/slurm"}
"""What is not always needed, and what needs it."""


@click.command("doctor")
def command() -> None:
    """Check this machine: packages and their versions, weights, devices, programs.

    Ends with exit code 2 when a package is missing or broken, or the nucleus weights are.
    """
    source = source_digest(*package_modules())
    click.echo(f"abignet {__version__} (source {source}), Python {platform.python_version()}, {platform.platform()}")
    imported = {*third_party_imports(*package_modules()), WORKFLOW_PACKAGE} - OPTIONAL_PACKAGES.keys()
    packages = sorted(imported, key=distribution_of)
    faults = [fault for package in packages if (fault := _package_fault(package)) is not None]
    for package, needed_for in OPTIONAL_PACKAGES.items():
        click.echo(f"  {package:24} {_version(package)} (needed only for {needed_for})")
    if not faults:
        faults = _weights_faults()
        _report_devices()
    for program, needed_for in PROGRAMS.items():
        click.echo(f"{program}: {shutil.which(program) or f'not found (needed only for {needed_for})'}")
    if faults:
        raise AbignetError("; ".join(faults))
    click.echo("all that the default configuration needs is here")


def _package_fault(package: str) -> str | None:
    """Say the version of a package, and return why it cannot be imported, if so."""
    distribution = distribution_of(package)
    click.echo(f"  {distribution:24} {_version(distribution)}")
    try:
        import_module(package)
    except Exception as error:  # a package that is there and broken fails in any way
        return (
            f"{package} cannot be imported ({type(error).__name__}: {error}); "
            f"install it with `{sys.executable} -m pip install {distribution}`"
        )
    return None


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _weights_faults() -> list[str]:
    from pipeline.config import load_config, params
    from pipeline.nuclei.network.weights_files import weights_of
    from pipeline.nuclei.params import NucleiParams

    try:
        weights = weights_of(params(load_config(), "nuclei", NucleiParams))
    except AbignetError as error:
        return [str(error)]
    if weights is not None:
        click.echo(f"nucleus weights: {weights} ({weights.stat().st_size / 1e6:.1f} MB)")
    return []


def _report_devices() -> None:
    """Say which cards there are and what jobs of a workflow on this machine do by each value of ``device``."""
    import torch

    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    click.echo(
        f"CUDA: {', '.join(devices) or 'none; networks run on the CPU'}; torch threads: {torch.get_num_threads()}"
    )
    cards = cards_of_jobs(torch_of_jobs_is_here=True)
    click.echo(f"cards that jobs may take: {', '.join(cards.names) or 'none'} ({cards.why_no_more})")
    places = {"here": Place(True, len(cards.names), cards.why_no_more)}
    if shutil.which("sbatch"):
        places["in SLURM"] = Place(False)
    for (where, place), device in product(places.items(), get_args(Device)):
        click.echo(f"  device: {device:4} {where:8}  {_said(plan_cards(device, 0, place))}")


def _said(plan: CardPlan) -> str:
    """What jobs of a network get by a plan, in words."""
    if plan.fault is not None:
        return "refused before the first job: too few cards"
    if plan.per_job == 0:
        return "jobs run on the processor"
    return f"one card a job, {plan.at_once or 'as many as there are'} at once"
