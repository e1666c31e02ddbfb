"""The picture in docs/architecture.md is that of the imports."""

import re

import pytest

from pipeline.reachability import PACKAGE, PACKAGE_ROOT, imported_modules, module_file, package_modules

ROOT = PACKAGE_ROOT.parent
DOCS = ROOT / "docs/architecture.md"
ROOMS = {"tiling", "nuclei", "cellgraph", "training", "report", "exports", "viewer", "synthetic"}
DOORWAYS = {"cli", "commands", "config", "config_files", "config_keys", "plain_yaml", "__main__"}
"""What may import any room, and what only planning and the command need."""

FOUNDATION = {"slides", "artefacts", "batches", "cards", "cluster"}
"""Parts of the foundation that are packages."""

ENTERS_NO_ROOM = {"run_batch"}
"""Scripts that run those of other rules."""

Arrow = tuple[str, str]


def place(module: str) -> str | None:
    """Box of the picture that a module lies in; None of what is not drawn."""
    parts = module.removesuffix(".__init__").split(".")[1:]
    if not parts:
        return None
    if parts[0] in ROOMS:
        return place_in_room(parts)
    if parts[0] in DOORWAYS:
        return "commands" if parts[0] == "commands" else None
    return f"foundation.{parts[0] if parts[0] in FOUNDATION else 'modules'}"


def place_in_room(parts: list[str]) -> str | None:
    """Inner room or door; None of the room's ``params``, which every inner room may import."""
    if len(parts) == 1 or parts[1] == "params":
        return None
    return f"{parts[0]}.{parts[1] if (PACKAGE_ROOT / parts[0] / parts[1]).is_dir() else 'rules'}"


def room(box: str) -> str:
    return box.split(".")[0]


def seen_from_outside(source: str, target: str) -> Arrow:
    """An arrow across walls starts at the whole room and ends at the whole room or a part of the foundation."""
    if room(source) == room(target):
        return source, target
    start = source if room(source) == "foundation" else room(source)
    return start, target if room(target) == "foundation" else room(target)


def imported() -> set[Arrow]:
    arrows = set()
    for module in package_modules():
        source = place(module)
        for target in map(place, imported_modules(module_file(module))):
            if source and target and source != target:
                arrows.add(seen_from_outside(source, target))
    return {arrow for arrow in arrows if arrow[0] != "commands" or arrow[1] in ROOMS}


def entered() -> set[Arrow]:
    """Rules and the boxes that hold their functions."""
    arrows = set()
    for file in (ROOT / "workflow/rules").glob("*.smk"):
        for rule, module in re.findall(
            r"^rule (\w+):.*?source_digest\(\"([\w.]+)\"\)", file.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        ):
            arrows.add((f"rule.{rule}", str(place(module))))
    return arrows


def drawn() -> set[Arrow]:
    picture = re.search(r"```mermaid\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert picture is not None
    return set(re.findall(r"([\w.]+) --> ([\w.]+)", picture[1]))


def test_every_arrow_is_an_import_and_every_import_an_arrow():
    real = imported() | entered()
    assert sorted(drawn() - real) == [], "drawn, but not imported"
    assert sorted(real - drawn()) == [], "imported, but not drawn"


def test_no_arrow_leads_from_room_to_room():
    assert not {(a, b) for a, b in drawn() if room(a) in ROOMS and room(b) in ROOMS and room(a) != room(b)}


def test_every_inner_room_and_every_rule_is_in_the_picture():
    inner = {
        f"{name}.{p.name}" for name in ROOMS for p in (PACKAGE_ROOT / name).iterdir() if (p / "__init__.py").exists()
    }
    scripts = {path.stem for path in (ROOT / "workflow/scripts").glob("*.py")} - ENTERS_NO_ROOM
    rules = {f"rule.{name}" for name in scripts}
    assert inner | rules <= {end for arrow in drawn() for end in arrow}


@pytest.mark.parametrize("name", sorted(ROOMS - {"exports", "viewer", "synthetic"}))
def test_at_a_rooms_door_stand_only_its_rules_and_params(name):
    scripts = {path.stem for path in (ROOT / "workflow/scripts").glob("*.py")}
    doors = {path.stem for path in (PACKAGE_ROOT / name).glob("*.py")} - {"__init__", "params"}
    assert doors <= scripts, f"{sorted(doors - scripts)} is no rule"


def test_every_module_is_in_a_room_the_foundation_or_a_doorway():
    boxes = {module: place(module) for module in package_modules()}
    undrawn = {module for module, box in boxes.items() if box is None}
    assert {module.split(".")[1] for module in undrawn if module != PACKAGE} <= ROOMS | DOORWAYS
