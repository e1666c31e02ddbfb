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

FORMAT_VERSION = 1
"""Version of every file contract of the pipeline; raised when any of them changes."""

PACKAGE_ROOT = Path(__file__).resolve().parent
FOUNDATION = ("slides", "artefacts", "bounds.py", "errors.py", "logs.py", "provenance.py", "units.py")
"""Parts of the package that every room may import."""

DIGESTED_SUFFIXES = frozenset({".py", ".html", ".css", ".js"})
"""Kinds of file that make up a room's source; weights have digests of their own."""

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
    "zarr",
)


def source_digest(*rooms: str) -> str:
    """Digest of the meaning of ``rooms`` and of the foundation, 16 hex digits.

    Python files enter by their syntax tree without docstrings, so a changed comment,
    docstring or line break leaves the digest as it is and any other change does not.

    Parameters
    ----------
    rooms
        Rooms in dotted form, ``"pipeline.tiling"``; none means the foundation alone.

    Raises
    ------
    FileNotFoundError
        If a room does not exist.
    """
    names = sorted({room.removeprefix("pipeline.").replace(".", "/") for room in rooms} | set(FOUNDATION))
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}:{_part_digest(name)};".encode())
    return digest.hexdigest()[:16]


@cache
def _part_digest(name: str) -> str:
    part = PACKAGE_ROOT / name
    if not part.exists():
        raise FileNotFoundError(f"no such part of the package: {part}")
    files = [part] if part.is_file() else sorted(p for p in part.rglob("*") if p.suffix in DIGESTED_SUFFIXES)
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(PACKAGE_ROOT).as_posix().encode() + b"\0")
        digest.update(_meaning(file))
    return digest.hexdigest()


def _meaning(file: Path) -> bytes:
    if file.suffix != ".py":
        return file.read_bytes()
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
        "format_version": FORMAT_VERSION,
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
