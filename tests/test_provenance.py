import shutil
import subprocess
import sys
from dataclasses import dataclass

import pytest

from pipeline import provenance, reachability
from pipeline.provenance import file_digest, record, source_digest
from pipeline.reachability import PACKAGE_ROOT


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """A copy of the package whose files can be edited, and the digest of ``tile_slide`` after an edit."""
    root = tmp_path / "pipeline"
    shutil.copytree(PACKAGE_ROOT, root, ignore=shutil.ignore_patterns("__pycache__", "*.pt"))
    monkeypatch.setattr(reachability, "PACKAGE_ROOT", root)

    def digest_after(file: str, before: str = "", after: str = "", module: str = "pipeline.tiling.tile_slide") -> str:
        path = root / file
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after, 1), encoding="utf-8")
        provenance._module_digest.cache_clear()
        reachability.imported_modules.cache_clear()
        return source_digest(module)

    yield digest_after
    provenance._module_digest.cache_clear()
    reachability.imported_modules.cache_clear()


def test_a_comment_or_docstring_changes_nothing(edit):
    before = edit("units.py")
    assert edit("units.py", "def l0_from_px", "# why\n\n\ndef l0_from_px") == before
    assert edit("units.py", "Length in level-0 pixels", "The length") == before


def test_a_changed_line_changes_what_reaches_it(edit):
    before = edit("units.py")
    assert edit("units.py", "length_px * mpp", "length_px * mpp * 1") != before


def test_a_module_out_of_reach_changes_nothing(edit):
    before = edit("units.py")
    assert edit("report/write_report.py", "", "answer = 42\n") == before
    assert edit("tiling/import_tiles.py", "", "answer = 42\n") == before


def test_the_training_of_the_network_is_out_of_reach_of_segmentation(edit):
    segmentation = "pipeline.nuclei.segment_nuclei"
    before = edit("units.py", module=segmentation)
    assert edit("nuclei/learning/augmentation.py", "", "answer = 42\n", module=segmentation) == before
    assert edit("nuclei/measures/glcm.py", "", "answer = 42\n", module=segmentation) != before


def test_a_template_belongs_to_the_package_that_holds_it(edit):
    page = "pipeline.report.page.page"
    before = edit("units.py", module=page)
    assert edit("report/page/template/style.css", "", "p { margin: 0 }\n", module=page) != before


def test_a_module_that_does_not_exist_is_an_error():
    with pytest.raises(ModuleNotFoundError, match="atelier"):
        source_digest("pipeline.atelier")


def test_the_launcher_needs_only_the_standard_library():
    heavy = "{'numpy', 'pandas', 'torch'}"
    call = "import sys, pipeline.provenance as p; p.source_digest('pipeline.cli')"
    code = f"{call}; print(sorted({heavy} & set(sys.modules)))"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE_ROOT.parent
    )
    assert out.stdout.strip() == "[]"


def test_file_digest_covers_names_and_contents(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("same")
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b")
    (tmp_path / "b" / ".snakemake_timestamp").touch()
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b")
    (tmp_path / "b" / "x").rename(tmp_path / "b" / "y")
    assert file_digest(tmp_path / "a") != file_digest(tmp_path / "b")


def test_a_record_is_json_ready_and_holds_all_parameters():
    @dataclass(frozen=True)
    class Params:
        widths: tuple[int, ...] = (1, 2)

    made = record(params=Params(), source="abc", upstream={"tiles": "123"})
    assert made["params"] == {"widths": [1, 2]}
    assert made["upstream"] == {"tiles": "123"}
    assert "numpy" in made["packages"]
