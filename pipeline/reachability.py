"""Which modules of the package a module reaches by its imports.

Only the standard library is imported here, because the Snakefile asks in a launcher that
may hold nothing but Snakemake.  Files are read as text; nothing is executed.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE_ROOT = Path(__file__).resolve().parent
PACKAGE = PACKAGE_ROOT.name


def reached_modules(*roots: str) -> tuple[str, ...]:
    """Dotted names of ``roots`` and of all modules of the package that they import, sorted.

    Imports inside functions count, imports for type checkers alone do not.  Importing a
    module runs the ``__init__`` of every package above it, so these count as well.

    Raises
    ------
    ModuleNotFoundError
        If a root, or what it imports, does not exist.
    """
    reached: set[str] = set()
    ahead = list(roots)
    while ahead:
        name = ahead.pop()
        if name in reached:
            continue
        reached.add(name)
        ahead += [*_packages_above(name), *imported_modules(module_file(name))]
    return tuple(sorted(reached))


def package_modules() -> tuple[str, ...]:
    """Dotted names of all modules of the package, sorted."""
    files = (file.relative_to(PACKAGE_ROOT).with_suffix("") for file in PACKAGE_ROOT.rglob("*.py"))
    parts = (file.parts[:-1] if file.name == "__init__" else file.parts for file in files)
    return tuple(sorted(".".join((PACKAGE, *names)) for names in parts))


def module_file(name: str) -> Path:
    """File of a module or package of this package.

    Raises
    ------
    ModuleNotFoundError
        If there is none.
    """
    place = PACKAGE_ROOT.joinpath(*name.split(".")[1:])
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if name.split(".")[0] == PACKAGE and file.is_file():
            return file
    raise ModuleNotFoundError(f"no module {name} in {PACKAGE_ROOT}")


@cache
def imported_modules(file: Path) -> tuple[str, ...]:
    """Modules of the package that ``file`` imports itself, sorted."""
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    return tuple(sorted({name for node in import_statements(tree) for name in _names(node)}))


def import_statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements below ``node`` that run, at any depth; those for type checkers alone do not."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for alternative in child.orelse:
                yield from import_statements(ast.Module([alternative], []))
            continue
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        yield from import_statements(child)


def _names(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE)
    elif node.level == 0 and node.module and node.module.split(".")[0] == PACKAGE:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names if _is_module(f"{node.module}.{alias.name}"))


def _is_module(name: str) -> bool:
    try:
        module_file(name)
    except ModuleNotFoundError:
        return False
    return True


def _packages_above(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts))]
