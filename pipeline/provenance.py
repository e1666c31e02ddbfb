"""What an artefact says of its making: source digest, parameters, upstream, versions.

Only the standard library is imported here, because the Snakefile computes source
digests in a launcher that may hold nothing but Snakemake.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.reachability import module_file, reached_modules

FORMAT_VERSIONS: Mapping[str, int] = {
    "tiles": 2,
    "nuclei": 2,
    "cell_graphs": 2,
    "features": 2,
    "learned_graphs": 2,
    "evidence": 2,
    "model": 3,
    "provenance": 2,
}
"""Version of the format of each kind of file; raised when it changes.

Version 2 of all of them carries a digest of itself, version 1 none.  ``provenance`` stands for what has no
header of its own: CSV and JSON files.
"""

DIGESTED_SUFFIXES = frozenset({".html", ".css", ".js"})
"""Kinds of file beside a module that are part of its source; weights have digests of their own."""

RECORDED_PACKAGES = (
    "cellpose",
    "h5py",
    "numba",
    "numpy",
    "openslide-bin",
    "openslide-python",
    "pandas",
    "pillow",
    "pyarrow",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "torch",
    "torch-geometric",
    "torchmil",
    "zarr",
)


def source_digest(*modules: str) -> str:
    """Digest of the meaning of ``modules`` and of all that they reach by imports, 16 hex digits.

    Python files enter by their syntax tree without docstrings, so a changed comment,
    docstring or line break leaves the digest as it is and any other change does not.

    Parameters
    ----------
    modules
        Modules in dotted form, ``"pipeline.tiling.tile_slide"``; see ``reachability``.

    Raises
    ------
    ModuleNotFoundError
        If one does not exist.
    """
    digest = hashlib.sha256()
    for name in reached_modules(*modules):
        digest.update(f"{name}:{_module_digest(module_file(name))};".encode())
    return digest.hexdigest()[:16]


@cache
def _module_digest(file: Path) -> str:
    digest = hashlib.sha256(_meaning(file))
    for resource in _resources(file) if file.name == "__init__.py" else ():
        digest.update(resource.relative_to(file.parent).as_posix().encode() + b"\0" + resource.read_bytes())
    return digest.hexdigest()


def _resources(init: Path) -> list[Path]:
    """Templates, styles and scripts of a package, not those of packages inside it."""
    files = (path for path in init.parent.rglob("*") if path.suffix in DIGESTED_SUFFIXES)
    return sorted(path for path in files if _package_folder(path) == init.parent)


def _package_folder(path: Path) -> Path:
    return next(folder for folder in path.parents if (folder / "__init__.py").is_file())


def _meaning(file: Path) -> bytes:
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [statement for statement in body if not _is_bare_string(statement)]  # type: ignore[attr-defined]
    return ast.dump(tree).encode()


def _is_bare_string(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file, or of the names and contents of all files of a folder, 16 hex digits.

    Hidden files of a folder do not count: Snakemake leaves its time stamp there.
    """
    root = Path(path)
    digest = hashlib.sha256()
    inside = sorted(p for p in root.rglob("*") if p.is_file() and not p.name.startswith("."))
    files = [root] if root.is_file() else inside
    for file in files:
        if file != root:
            digest.update(file.relative_to(root).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


def package_versions() -> dict[str, str]:
    """Versions of the installed packages that can change a result, by name."""
    return dict(_installed_versions())


@cache
def _installed_versions() -> Mapping[str, str]:
    """Looked up once in a process: it takes as long as tiling half a small image, and batches ask for every image."""
    versions = {}
    for name in RECORDED_PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def record(*, params: Any, source: str, upstream: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Provenance of one artefact, ready for JSON; holds no time, host or absolute path.

    Parameters
    ----------
    params
        The stage's frozen ``Params``, or a mapping; stored whole.
    source
        The stage's source digest.
    upstream
        Digest of each input artefact, by its role.
    """
    return {
        "format_version": FORMAT_VERSIONS["provenance"],
        "params": _plain(params),
        "source": source,
        "upstream": dict(upstream or {}),
        "packages": package_versions(),
    }


def _plain(params: Any) -> dict[str, Any]:
    mapping = asdict(params) if is_dataclass(params) and not isinstance(params, type) else dict(params)
    plain: dict[str, Any] = json.loads(json.dumps(mapping, sort_keys=True))
    return plain


def digests(paths: Mapping[str, str | Path] | Iterable[tuple[str, str | Path]]) -> dict[str, str]:
    """``file_digest`` of each of ``paths``, by role."""
    return {role: file_digest(path) for role, path in dict(paths).items()}
