"""The picture in docs/architecture.md is that of the imports."""

import re
from pathlib import Path

from pipeline.reachability import PACKAGE_ROOT, imported_modules

DOCS = Path(__file__).parents[1] / "docs/architecture.md"
ROOMS = {"tiling", "nuclei", "cellgraph", "training", "report", "exports", "synthetic"}


def place(module: str) -> str | None:
    """Inner room or door of a module of a room; None of anything else."""
    parts = module.split(".")[1:]
    if not parts or parts[0] not in ROOMS or len(parts) == 1:
        return None
    if (PACKAGE_ROOT / parts[0] / parts[1]).is_dir():
        return f"{parts[0]}.{parts[1]}"
    return f"{parts[0]}.params" if parts[1] == "params" else f"{parts[0]}.rules"


def imported() -> set[tuple[str, str]]:
    arrows = set()
    for file in PACKAGE_ROOT.rglob("*.py"):
        name = ".".join((PACKAGE_ROOT.name, *file.relative_to(PACKAGE_ROOT).with_suffix("").parts))
        for other in imported_modules(file):
            source, target = place(name.removesuffix(".__init__")), place(other)
            if source and target and source != target and not target.endswith(".params"):
                arrows.add((source, target))
    return {(a, b) for a, b in arrows if a.split(".")[0] == b.split(".")[0]}


def drawn() -> set[tuple[str, str]]:
    picture = re.search(r"```mermaid\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL).group(1)
    return set(re.findall(r"([\w.]+) --> ([\w.]+)", picture))


def test_every_arrow_is_an_import_and_every_import_an_arrow():
    assert sorted(drawn() - imported()) == [], "drawn, but not imported"
    assert sorted(imported() - drawn()) == [], "imported, but not drawn"


def test_every_inner_room_is_in_the_picture():
    inner = {
        f"{room}.{p.name}" for room in ROOMS for p in (PACKAGE_ROOT / room).iterdir() if (p / "__init__.py").exists()
    }
    assert inner <= {end for arrow in drawn() for end in arrow}


def test_at_a_rooms_door_stand_only_its_rules_and_params():
    scripts = {path.stem for path in (PACKAGE_ROOT.parent / "workflow/scripts").glob("*.py")}
    no_rules = {"exports", "synthetic"}
    for room in ROOMS - no_rules:
        doors = {path.stem for path in (PACKAGE_ROOT / room).glob("*.py")} - {"__init__", "params"}
        assert doors <= scripts, f"{room}: {sorted(doors - scripts)} is no rule"
