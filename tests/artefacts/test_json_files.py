import json
import math
from pathlib import Path

import pytest

from pipeline.artefacts.json_files import PROVENANCE, read_json, write_json, write_provenance
from pipeline.errors import ArtefactError


def test_keys_keep_their_order_and_letters_stay_letters(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": None, "a": "Größe"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "b": null,\n  "a": "Größe"\n}\n'
    assert read_json(tmp_path / "a.json", "numbers") == {"b": None, "a": "Größe"}


def test_nan_is_refused_and_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "a.json", {"a": math.nan})
    assert read_json(tmp_path / "a.json", "numbers") == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("content", "found"), [(b"{", "cannot be read"), (b"\xff", "cannot be read"), (b"[1]", "list")]
)
def test_what_is_no_object_is_told_with_its_file(tmp_path: Path, content: bytes, found: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ArtefactError, match=found) as caught:
        read_json(tmp_path / "a.json", "metrics")
    assert str(caught.value).startswith(f"{tmp_path / 'a.json'}: expected metrics")


def test_a_missing_file_is_an_artefact_error(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_json(tmp_path / "none.json", "metrics")


def test_provenance_lies_in_its_folder(tmp_path: Path) -> None:
    write_provenance(tmp_path, {"source": "abc"})
    assert json.loads((tmp_path / PROVENANCE).read_text()) == {"source": "abc"}
