import ast
import re
import tomllib

import pytest
from packaging.requirements import Requirement

from pipeline.commands import third_party
from pipeline.commands.third_party import DISTRIBUTIONS, IMPORTED_BY_NAME, distribution_of, third_party_imports
from pipeline.reachability import PACKAGE_ROOT, module_file, package_modules

PROJECT = tomllib.loads((PACKAGE_ROOT.parent / "pyproject.toml").read_text())["project"]

NOT_IMPORTED = {
    "openslide-bin": "the library that openslide-python calls",
    "snakemake": "runs the rules",
}


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Module ``pipeline.made`` of the given lines."""

    def write(*lines: str) -> str:
        file = tmp_path / f"made_{len(list(tmp_path.iterdir()))}.py"
        file.write_text("\n".join(lines))
        monkeypatch.setattr(third_party, "module_file", lambda name: file)
        return "pipeline.made"

    return write


def test_only_top_level_names_of_other_packages_count(module):
    made = module(
        "import ast, os.path", "import zarr.storage as z, numpy", "from pipeline.units import x", "from . import y"
    )
    assert third_party_imports(made) == ("numpy", "zarr")


def test_imports_inside_functions_count_and_those_for_type_checkers_do_not(module):
    made = module(
        "from typing import TYPE_CHECKING",
        "if TYPE_CHECKING:",
        "    import torch",
        "def f():",
        "    try:",
        "        from skimage.io import imread",
        "    except ImportError:",
        "        import PIL",
    )
    assert third_party_imports(made) == ("PIL", "skimage")


def test_a_module_that_does_not_exist_is_an_error():
    with pytest.raises(ModuleNotFoundError, match=r"pipeline\.none"):
        third_party_imports("pipeline.none")


def test_packages_imported_by_a_computed_name_are_those_of_the_source():
    for module, packages in IMPORTED_BY_NAME.items():
        literals = {
            n.value for n in ast.walk(ast.parse(module_file(module).read_text())) if isinstance(n, ast.Constant)
        }
        assert set(packages) <= literals
        assert set(packages) <= set(third_party_imports(module))
    computing = [
        name
        for name in package_modules()
        if re.search(r"(?<!def )\bimport_module\((?![f\"])", module_file(name).read_text())
    ]
    assert sorted(computing) == sorted([*IMPORTED_BY_NAME, "pipeline.commands.doctor"])


def test_the_project_declares_what_the_package_imports_and_nothing_else():
    declared = {re.match(r"[\w-]+", requirement).group() for requirement in PROJECT["dependencies"]}
    optional = {Requirement(line).name for line in PROJECT["optional-dependencies"]["mil"]}
    imported = {distribution_of(package) for package in third_party_imports(*package_modules())}
    assert optional <= imported
    assert declared - NOT_IMPORTED.keys() == imported - optional
    assert NOT_IMPORTED.keys() <= declared
    assert set(DISTRIBUTIONS.values()) <= imported


def test_the_tested_versions_are_among_those_that_the_project_allows():
    pins = (PACKAGE_ROOT.parent / "constraints.txt").read_text().lower().splitlines()
    tested = {name.replace("_", "-"): version for name, version in (pin.split("==") for pin in pins)}
    extras = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    for requirement in map(Requirement, [*PROJECT["dependencies"], *extras]):
        if requirement.name != PROJECT["name"]:
            assert requirement.specifier.contains(tested[requirement.name]), requirement
