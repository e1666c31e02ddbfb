"""``abignet doctor``."""

import platform
import shutil
import sys
from importlib import import_module

import click

from pipeline import __version__
from pipeline.errors import AbignetError
from pipeline.provenance import package_versions, source_digest

REQUIRED = (
    "cellpose.dynamics",
    "h5py",
    "imagecodecs",
    "numba",
    "openslide",
    "openvino",
    "pandas",
    "pyarrow",
    "shapely",
    "simplejpeg",
    "skimage",
    "snakemake",
    "torch",
    "zarr",
)


@click.command("doctor")
def command() -> None:
    """Check this machine: versions, weights, devices, readers.

    Ends with exit code 2 when something that the default configuration needs is missing.
    """
    source = source_digest("pipeline.cli")
    click.echo(f"abignet {__version__} (source {source}), Python {platform.python_version()}, {platform.platform()}")
    for name, version in package_versions().items():
        click.echo(f"  {name:20} {version}")
    faults = [*_import_faults(), *_weights_faults()]
    _report_devices()
    for command_name, needed_for in {"conda": "--use-conda", "sbatch": "profiles/slurm"}.items():
        found = shutil.which(command_name)
        click.echo(f"{command_name}: {found or f'not found (needed only for {needed_for})'}")
    if faults:
        raise AbignetError("; ".join(faults))
    click.echo("all that the default configuration needs is here")


def _import_faults() -> list[str]:
    faults = []
    for name in REQUIRED:
        try:
            import_module(name)
        except ImportError as error:
            faults.append(
                f"{name} cannot be imported ({error}); "
                f"install the packages of pyproject.toml with {sys.executable} -m pip"
            )
    return faults


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
    import torch

    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    click.echo(
        f"CUDA: {', '.join(devices) or 'none; networks run on the CPU'}; torch threads: {torch.get_num_threads()}"
    )
