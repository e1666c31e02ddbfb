import pytest

from pipeline.artefacts.atomic import writing


def test_a_file_appears_only_when_the_block_succeeds(tmp_path):
    target = tmp_path / "deep" / "table.csv"
    with writing(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["table.csv"]


def test_a_failure_leaves_what_was_there(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError), writing(target) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_replaces_a_folder_whole(tmp_path):
    target = tmp_path / "store.zarr"
    for content in ("one", "two"):
        with writing(target) as temporary:
            temporary.mkdir()
            (temporary / content).touch()
    assert [path.name for path in target.iterdir()] == ["two"]
    assert list(tmp_path.iterdir()) == [target]
