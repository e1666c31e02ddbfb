import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import reachability
from pipeline.reachability import PACKAGE_ROOT, imported_modules, module_file, reached_modules

ROOT = PACKAGE_ROOT.parent
RULES = {
    match[1]: match[2]
    for file in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for match in re.finditer(
        r"^rule (\w+):.*?source_digest\(\"([\w.]+)\"\)", file.read_text(), re.DOTALL | re.MULTILINE
    )
}
"""Module that each rule's ``source`` names."""

KNOWN_DYNAMIC = {
    "cli.py",
    "cellgraph/__init__.py",
    "commands/doctor.py",
    "exports/anndata_export.py",
    "slides/stored_tiles.py",
}
"""Modules that import by name at run time: the commands, the public names of the room, and other packages."""


SET_UP_BY_SCRIPTS = {"pipeline.logs", "pipeline.cards.card_of_job"}
"""The log of a job and which card it has: nothing of an artefact depends on them."""


def test_every_rule_names_its_source():
    scripts = {path.stem for path in (ROOT / "workflow/scripts").glob("*.py")}
    # Rules of batches run the scripts of their stages, and carry those rules' sources.
    assert set(RULES) == scripts - {"run_batch"}


@pytest.mark.parametrize("rule", RULES)
def test_a_rules_source_is_what_its_script_reaches(rule):
    of_script = {m for m in imported_modules(ROOT / f"workflow/scripts/{rule}.py") if m != PACKAGE_ROOT.name}
    beside = of_script & SET_UP_BY_SCRIPTS
    assert set(reached_modules(*of_script)) == set(reached_modules(RULES[rule], *beside))


@pytest.mark.parametrize("rule", RULES)
def test_importing_a_rules_module_loads_nothing_beyond_its_reach(rule):
    code = f"import sys, {RULES[rule]}; print(*sorted(m for m in sys.modules if m.split('.')[0] == 'pipeline'))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(loaded.stdout.split()) <= set(reached_modules(RULES[rule]))


def test_segmentation_reaches_neither_the_training_of_its_network_nor_another_room():
    reached = reached_modules("pipeline.nuclei.segment_nuclei")
    assert not [m for m in reached if m.startswith("pipeline.nuclei.learning")]
    assert {m.split(".")[1] for m in reached if m.count(".") > 1} <= {"nuclei", "slides", "artefacts"}


def test_building_graphs_reaches_no_feature():
    assert not [
        m for m in reached_modules("pipeline.cellgraph.build_cell_graphs") if ".features." in m and "cellgraph" in m
    ]


def test_modules_are_imported_by_name_only_where_it_is_known():
    dynamic = set()
    for file in PACKAGE_ROOT.rglob("*.py"):
        names = {n.id for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Name)}
        if names & {"import_module", "__import__"}:
            dynamic.add(file.relative_to(PACKAGE_ROOT).as_posix())
    assert dynamic <= KNOWN_DYNAMIC


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package ``pipeline`` of the files given, in place of the real one."""
    root = tmp_path / "pipeline"

    def make(**files: str) -> Path:
        for name, text in files.items():
            path = root / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for folder in [root, *(p for p in root.rglob("*") if p.is_dir())]:
            (folder / "__init__.py").touch()
        monkeypatch.setattr(reachability, "PACKAGE_ROOT", root)
        reachability.imported_modules.cache_clear()
        return root

    yield make
    reachability.imported_modules.cache_clear()


def test_imports_are_followed_wherever_they_stand(package):
    package(
        a="from pipeline import b\nimport pipeline.room.c\nimport os\n",
        b="def f():\n    from pipeline.room.d import g\n    return g\n",
        room__c="",
        room__d="if True:\n    try:\n        import pipeline.e\n    except ImportError:\n        pass\n",
        e="",
        unused="import pipeline.e",
    )
    names = ("", ".a", ".b", ".e", ".room", ".room.c", ".room.d")
    assert reached_modules("pipeline.a") == tuple(f"pipeline{name}" for name in names)


def test_imports_for_type_checkers_do_not_run(package):
    package(a="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pipeline.b import B\n", b="")
    assert reached_modules("pipeline.a") == ("pipeline", "pipeline.a")


@pytest.mark.parametrize(
    "text",
    [
        "if TYPE_CHECKING:\n    pass\nelse:\n    import pipeline.b\n",
        "if not TYPE_CHECKING:\n    import pipeline.b\n",
        "if typing.TYPE_CHECKING:\n    pass\nelif os:\n    import pipeline.b\n",
    ],
)
def test_imports_that_type_checkers_alone_do_not_see_run(package, text):
    package(a=f"import os\nimport typing\nfrom typing import TYPE_CHECKING\n{text}", b="")
    assert reached_modules("pipeline.a") == ("pipeline", "pipeline.a", "pipeline.b")


def test_a_name_of_a_module_is_no_module(package):
    package(a="from pipeline.b import value\n", b="value = 1\n")
    assert reached_modules("pipeline.a") == ("pipeline", "pipeline.a", "pipeline.b")


def test_circles_end(package):
    package(a="import pipeline.b", b="import pipeline.a")
    assert reached_modules("pipeline.a") == ("pipeline", "pipeline.a", "pipeline.b")


@pytest.mark.parametrize("name", ["pipeline.nowhere", "numpy", "pipeline.tiling.nowhere"])
def test_what_is_no_module_of_the_package_is_an_error(name):
    with pytest.raises(ModuleNotFoundError, match=name):
        module_file(name)
