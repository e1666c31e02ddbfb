import ast

import pytest

from pipeline import reachability
from pipeline.reachability import import_statements, imported_modules, module_file, package_modules, reached_modules


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of four modules, of which ``far`` imports nothing."""
    root = tmp_path / "pipeline"
    files = {
        "__init__.py": "",
        "door.py": "def f():\n    from pipeline.room import near\n",
        "room/__init__.py": "import pipeline.beside",
        "room/near.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pipeline.far\n",
        "beside.py": "from pipeline import door",
        "far.py": "",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(reachability, "PACKAGE_ROOT", root)
    imported_modules.cache_clear()
    yield root
    imported_modules.cache_clear()


def test_modules_reach_what_they_import_and_the_packages_above(package):
    assert reached_modules("pipeline.far") == ("pipeline", "pipeline.far")
    assert reached_modules("pipeline.door") == (
        "pipeline",
        "pipeline.beside",
        "pipeline.door",
        "pipeline.room",
        "pipeline.room.near",
    )


def test_all_modules_are_listed_by_their_dotted_names(package):
    assert package_modules() == (
        "pipeline",
        "pipeline.beside",
        "pipeline.door",
        "pipeline.far",
        "pipeline.room",
        "pipeline.room.near",
    )
    assert [module_file(name).relative_to(package).as_posix() for name in package_modules()[-2:]] == [
        "room/__init__.py",
        "room/near.py",
    ]


def test_what_does_not_exist_is_an_error(package):
    with pytest.raises(ModuleNotFoundError, match=r"pipeline\.none"):
        reached_modules("pipeline.none")
    with pytest.raises(ModuleNotFoundError, match="other"):
        module_file("other.far")


def test_statements_that_run_are_found_at_any_depth():
    tree = ast.parse(
        "import a\nif TYPE_CHECKING:\n    import b\nelse:\n    import c\nclass D:\n    def f(s):\n        import e"
    )
    assert [statement.names[0].name for statement in import_statements(tree)] == ["a", "e"]
