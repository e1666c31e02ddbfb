"""Packages that are installed here, what they need of each other, and links to the files of some of them."""

import re
import sys
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement

SITE_PACKAGES = Path("lib") / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
"""Where packages lie below an environment."""

Installed = dict[str, Distribution]


def installed_in(site_packages: Path) -> Installed:
    """Distributions below a folder by their normalised names."""
    return {normalised(one.metadata["Name"]): one for one in distributions(path=[str(site_packages)])}


def normalised(name: str) -> str:
    """Name of a distribution as pip compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(distribution: Distribution, installed: Installed) -> list[str]:
    """Distributions that one needs on this machine without its extras, sorted."""
    lines = [Requirement(line) for line in distribution.requires or []]
    needed = {normalised(line.name) for line in lines if line.marker is None or line.marker.evaluate({"extra": ""})}
    return sorted(needed & installed.keys())


def closure(names: set[str], installed: Installed) -> set[str]:
    """``names`` and all that they depend on."""
    reached: set[str] = set()
    ahead = sorted(names)
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += required(installed[name], installed)
    return reached


def link_files(distribution: Distribution, site_packages: Path) -> None:
    """Put links to the installed files of a distribution where ``site_packages`` has them, one for a folder of its own.

    Commands are left out: they name the interpreter that they were installed for.
    """
    by_top = owners(Path(str(distribution.locate_file(""))))
    shared = {top for top, names in by_top.items() if len(names) > 1}
    for file in distribution.files or []:
        if file.parts[0] == "..":
            continue
        part = Path(file.parts[0]) if file.parts[0] not in shared else Path(file)
        here, link = Path(str(distribution.locate_file(part))), site_packages / part
        if here.exists() and not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(here.absolute())


@cache
def owners(site_packages: Path) -> dict[str, set[str]]:
    """Names of the distributions that have files in each folder or file at the top of ``site_packages``."""
    found: dict[str, set[str]] = {}
    for name, one in installed_in(site_packages).items():
        for file in one.files or []:
            found.setdefault(file.parts[0], set()).add(name)
    return found
