"""Packages of others that this one imports, and the distributions that bring them.

Only the standard library is imported here: ``abignet doctor`` asks where any of them may be missing.
"""

import ast
import sys
from functools import cache
from pathlib import Path

from pipeline.reachability import PACKAGE, import_statements, module_file

IMPORTED_BY_NAME = {"pipeline.slides.stored_tiles": ("imagecodecs", "simplejpeg")}
"""Packages that a module imports by a name it computes, which its import statements do not show."""

DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "openslide": "openslide-python",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "snakemake_executor_plugin_slurm": "snakemake-executor-plugin-slurm",
    "torch_geometric": "torch-geometric",
    "yaml": "pyyaml",
}
"""What pip calls a package that is imported under another name."""


def third_party_imports(*modules: str) -> tuple[str, ...]:
    """Top-level names of the packages of others that ``modules`` themselves import, at any depth, sorted.

    Parameters
    ----------
    modules
        Modules of this package in dotted form; ``reachability.reached_modules`` gives all that one needs.

    Raises
    ------
    ModuleNotFoundError
        If one does not exist.
    """
    named = {name for module in modules for name in _imported_tops(module_file(module))}
    by_name = {name for module in modules for name in IMPORTED_BY_NAME.get(module, ())}
    return tuple(sorted((named - sys.stdlib_module_names - {PACKAGE}) | by_name))


def distribution_of(package: str) -> str:
    """What pip calls the package that is imported as ``package``."""
    return DISTRIBUTIONS.get(package, package)


@cache
def _imported_tops(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    names = [name for statement in import_statements(tree) for name in _modules_of(statement)]
    return frozenset(name.split(".")[0] for name in names)


def _modules_of(statement: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    return [statement.module] if statement.module and not statement.level else []
