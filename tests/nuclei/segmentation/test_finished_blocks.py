from pathlib import Path

import pandas as pd
import pytest

from pipeline.nuclei.segmentation import finished_blocks
from pipeline.nuclei.segmentation.finished_blocks import FinishedBlocks

MADE_BY = {"params": 1, "on_bad_tile": "stop"}


def owned(*numbers: int) -> pd.DataFrame:
    return pd.DataFrame({"nucleus": list(numbers)})


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finished_blocks, "PART_SECONDS", 0.0)


@pytest.mark.usefixtures("at_once")
def test_a_second_job_goes_on_where_the_first_stood(tmp_path: Path) -> None:
    first = FinishedBlocks(tmp_path / "s", MADE_BY)
    first.unreadable = {4: 0, 9: 5}
    first.add(owned(1, 2), 1)
    first.add(owned(), 2)
    second = FinishedBlocks(tmp_path / "s", MADE_BY)
    assert second.n_blocks == 2
    assert pd.concat(second.owned)["nucleus"].tolist() == [1, 2]
    assert second.unreadable == {4: 0}, "a tile of a block to come is told again"
    second.add(owned(3), 3)
    assert pd.concat(FinishedBlocks(tmp_path / "s", MADE_BY).owned)["nucleus"].tolist() == [1, 2, 3]


@pytest.mark.usefixtures("at_once")
def test_a_batch_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    """The blocks of a batch carry the number before it, but the last."""
    finished = FinishedBlocks(tmp_path / "s", MADE_BY)
    finished.add(owned(1), 2)
    finished.add(owned(2), 2)
    assert pd.concat(FinishedBlocks(tmp_path / "s", MADE_BY).owned)["nucleus"].tolist() == [1]
    finished.add(owned(3), 4)
    assert pd.concat(FinishedBlocks(tmp_path / "s", MADE_BY).owned)["nucleus"].tolist() == [1, 2, 3]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("changed", [{"params": 2}, {"on_bad_tile": "exclude"}])
def test_what_was_made_otherwise_is_removed(tmp_path: Path, changed: dict[str, object]) -> None:
    FinishedBlocks(tmp_path / "s", MADE_BY).add(owned(1), 1)
    other = FinishedBlocks(tmp_path / "s", {**MADE_BY, **changed})
    assert (other.owned, other.n_blocks) == ([], 0)
    assert not list((tmp_path / "s").iterdir())


@pytest.mark.usefixtures("at_once")
def test_nothing_is_left_of_a_slide_that_is_written(tmp_path: Path) -> None:
    finished = FinishedBlocks(tmp_path / "s", MADE_BY)
    finished.add(owned(1), 1)
    finished.remove()
    assert not (tmp_path / "s").exists()


def test_parts_are_written_by_time_and_without_a_folder_never(tmp_path: Path) -> None:
    finished = FinishedBlocks(tmp_path / "s", MADE_BY)
    finished.add(owned(1), 1)
    assert not (tmp_path / "s").exists()
    nowhere = FinishedBlocks(None, MADE_BY)
    nowhere.add(owned(1), 1)
    nowhere.remove()
    assert nowhere.n_blocks == 1


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 16
    path.write_bytes(bytes(content))


DAMAGES = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "flipped": flipped,
    "unsealed": lambda path: owned(7).to_parquet(path),
    "text": lambda path: path.write_text("no parquet"),
}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_and_what_follows_it_are_made_again(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = FinishedBlocks(tmp_path / "s", MADE_BY)
    first.unreadable = {4: 0, 9: 1}
    for number in (1, 2, 3):
        first.add(owned(number), number)
    DAMAGES[damage](sorted((tmp_path / "s").rglob("*.parquet"))[1])
    second = FinishedBlocks(tmp_path / "s", MADE_BY)
    assert second.n_blocks == 1
    assert second.unreadable == {4: 0}
    assert "not gone on from" in caplog.text
    for number in (2, 3):
        second.add(owned(number), number)
    assert pd.concat(FinishedBlocks(tmp_path / "s", MADE_BY).owned)["nucleus"].tolist() == [1, 2, 3]
