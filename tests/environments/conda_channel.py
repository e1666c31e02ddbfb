"""A conda channel of the installed packages: those that environment files name, and what they depend on.

    python -m tests.environments.conda_channel CHANNELS SITE_PACKAGES ENVIRONMENT.yaml...

It needs ``packaging``, ``py-rattler``, ``py-rattler-build`` and ``pyyaml``.  Every package of the channel
``conda-forge`` below CHANNELS has the name that conda-forge gives it, the version that is installed and the
dependencies that its metadata state.  Its files are links to the installed ones, so that an environment holds what was
solved and takes no space.  What conda-forge itself serves is another question.
"""

import asyncio
import os
import subprocess
import sys
from importlib.metadata import Distribution
from pathlib import Path

import yaml
from rattler.index import index_fs
from rattler_build import assemble_package

from tests.environments.installed import SITE_PACKAGES, Installed, closure, installed_in, link_files, required

CONDA_NAMES = {
    "dask": "dask-core",
    "matplotlib": "matplotlib-base",
    "opencv-python-headless": "py-opencv",
    "openslide-bin": "openslide",
    "torch": "pytorch-cpu",
    "torch-geometric": "pytorch_geometric",
}
"""What conda-forge calls a distribution where pip's name is another."""

CUDA_BUILD = ("pytorch-gpu", "torch")
"""Name of the build for CUDA, and the distribution that stands in for it."""

PLATFORM = "linux-64"
PYTHON = ".".join(map(str, sys.version_info[:3]))


def make_channel(root: Path, installed: Installed, environments: list[Path]) -> None:
    """Write the channel below ``root``."""
    channel, stage = root / "conda-forge", root / "stage"
    (channel / PLATFORM).mkdir(parents=True)
    (channel / "noarch").mkdir()
    by_conda = {conda_name(name): name for name in installed} | dict([CUDA_BUILD])
    wanted = {by_conda[name] for file in environments for name in named_packages(file)}
    add_package("python", PYTHON, bare_python(stage / "python"), [], channel)
    for name in sorted(closure(wanted, installed)):
        one = installed[name]
        depends = [f"python {PYTHON}", *map(conda_name, required(one, installed))]
        add_package(conda_name(name), public_version(one), linked(one, stage / name), depends, channel)
        if name == CUDA_BUILD[1]:
            (stage / "empty").mkdir()
            add_package(CUDA_BUILD[0], public_version(one), stage / "empty", [conda_name(name)], channel)
    asyncio.run(index_fs(channel))


def conda_name(name: str) -> str:
    return CONDA_NAMES.get(name, name)


def public_version(distribution: Distribution) -> str:
    """Version without what pip adds for a build."""
    return distribution.version.partition("+")[0]


def named_packages(environment: Path) -> set[str]:
    """Packages that an environment takes from the channel, beside Python itself."""
    entries = yaml.safe_load(environment.read_text(encoding="utf-8"))["dependencies"]
    return {entry.partition("=")[0] for entry in entries if isinstance(entry, str)} - {"python", "__cuda"}


def linked(distribution: Distribution, stage: Path) -> Path:
    link_files(distribution, stage / SITE_PACKAGES)
    return stage


def bare_python(stage: Path) -> Path:
    """The running interpreter as an environment without packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(stage)], check=True)
    for command in (stage / "bin").iterdir():
        if not command.name.startswith("python"):
            command.unlink()
    return stage


def add_package(name: str, version: str, files: Path, depends: list[str], channel: Path) -> None:
    folder = channel / PLATFORM
    assemble_package(
        name, version, PLATFORM, "0", folder, files_dir=files, depends=depends, compression_level=1, detect_prefix=False
    )


if __name__ == "__main__":
    make_channel(Path(sys.argv[1]), installed_in(Path(sys.argv[2])), [Path(file) for file in sys.argv[3:]])
    # The indexer's threads crash the interpreter now and then on the way out.
    sys.stdout.flush()
    os._exit(0)
