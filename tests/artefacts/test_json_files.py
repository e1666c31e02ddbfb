import json
import math
import re
from pathlib import Path

import pytest

from pipeline.artefacts.json_files import (
    PROVENANCE,
    digest_beside,
    read_json,
    write_json,
    write_provenance,
    write_provenance_of,
)
from pipeline.errors import ArtefactError
from pipeline.provenance import file_digest, record


def test_keys_keep_their_order_and_letters_stay_letters(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": None, "a": "Größe"})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert re.fullmatch(r'{\n  "b": null,\n  "a": "Größe",\n  "digest": "[0-9a-f]{16}"\n}\n', text)
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
    assert read_json(tmp_path / PROVENANCE, "provenance") == {"source": "abc", "files": {}}
    assert json.loads((tmp_path / PROVENANCE).read_text())["source"] == "abc"


MADE = record(params={}, source="abc")


@pytest.mark.parametrize("edit", [{"source": "abd"}, {"more": 1}, {"digest": "0" * 16}, {"params": {"a": 1}}])
def test_what_was_edited_is_damaged(tmp_path: Path, edit: dict[str, object]) -> None:
    write_json(tmp_path / "a.json", MADE)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | edit))
    with pytest.raises(ArtefactError, match=r"a\.json: it is damaged or was edited"):
        read_json(path, "provenance")


def test_neither_white_space_nor_the_order_of_keys_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, MADE)
    path.write_text(json.dumps(dict(reversed(json.loads(path.read_text()).items()))))
    assert read_json(path, "provenance") == MADE


def test_a_file_that_lost_its_digest_is_damaged_and_one_of_version_1_is_told(
    tmp_path: Path, caplog, monkeypatch
) -> None:
    monkeypatch.setattr("pipeline.artefacts.unverified._said", set())
    path = tmp_path / "a.json"
    path.write_text(json.dumps(MADE))
    with pytest.raises(ArtefactError, match="carries a digest of itself, and this one none"):
        read_json(path, "provenance")
    path.write_text(json.dumps(MADE | {"format_version": 1}))
    assert read_json(path, "provenance")["source"] == "abc"
    assert [record.message for record in caplog.records if "it carries no digest" in record.message] != []


def test_provenance_vouches_for_the_files_beside_it(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        (tmp_path / name).write_text(name)
    write_provenance(tmp_path, MADE, ["a.csv"])
    write_provenance_of(tmp_path / "b.csv", MADE, ["d.csv"] if (tmp_path / "d.csv").exists() else [])
    assert digest_beside(tmp_path / "a.csv") == file_digest(tmp_path / "a.csv")
    assert digest_beside(tmp_path / "b.csv") == file_digest(tmp_path / "b.csv")
    assert digest_beside(tmp_path / "c.csv") is None
