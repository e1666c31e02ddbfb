import zipfile

import pytest
import torch

from pipeline.artefacts.torch_file import is_sealed, read_torch, read_unfinished, write_torch
from pipeline.errors import ArtefactError, OutputError


def test_same_bytes_whatever_the_name(tmp_path):
    content = {"weights": torch.arange(5.0)}
    for name in ("a.pt", "b with spaces é.pt"):
        write_torch(tmp_path / name, content)
    first, second = (path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert first == second
    assert torch.load(tmp_path / "a.pt", weights_only=True)["weights"].tolist() == [0, 1, 2, 3, 4]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"a{250}.*cannot be written"):
        write_torch(tmp_path / f"{'a' * 300}.pt", {})
    assert not list(tmp_path.iterdir())


class Malicious:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code was run')",))


def test_what_is_written_is_read_back_where_it_is_wanted(tmp_path):
    write_torch(tmp_path / "a.pt", {"weights": torch.arange(3.0), "name": "x"})
    content = read_torch(tmp_path / "a.pt", "weights", "Train again.", torch.device("meta"))
    assert (content["weights"].device.type, content["name"]) == ("meta", "x")


@pytest.mark.parametrize("damage", ["missing", "text", "cut", "code"])
def test_what_cannot_be_read_says_what_was_expected_and_what_to_do(tmp_path, damage):
    path = tmp_path / "a.pt"
    if damage == "text":
        path.write_text("no archive")
    if damage == "code":
        torch.save({"weights": Malicious()}, path)
    if damage == "cut":
        write_torch(path, {"weights": torch.arange(500.0)})
        path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(ArtefactError, match=r"a\.pt: expected weights; it cannot be read \((.|\n)*\)\. Train again\."):
        read_torch(path, "weights", "Train again.")


def test_every_reader_of_torch_and_zip_reads_a_sealed_file(tmp_path):
    path = tmp_path / "a.pt"
    write_torch(path, {"weights": torch.arange(500.0)})
    assert is_sealed(path)
    for options in ({}, {"mmap": True}):
        assert torch.load(path, weights_only=True, **options)["weights"].tolist() == list(range(500))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.comment.startswith(b"sha256:")


def test_a_file_without_seal_is_read(tmp_path):
    torch.save({"name": "x"}, tmp_path / "a.pt")
    assert not is_sealed(tmp_path / "a.pt")
    assert read_torch(tmp_path / "a.pt", "weights", "Train again.") == {"name": "x"}


def test_no_changed_byte_goes_unseen(tmp_path):
    path = tmp_path / "a.pt"
    write_torch(path, {"weights": torch.arange(50.0)})
    whole = path.read_bytes()
    unsealed = 0
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        if is_sealed(path):
            with pytest.raises(ArtefactError, match="cannot be read"):
                read_torch(path, "weights", "Train again.")
        else:
            unsealed += 1
    assert unsealed <= 2


def test_an_unfinished_state_that_cannot_be_read_is_removed_and_told(tmp_path, caplog):
    path = tmp_path / "state.pt"
    assert read_unfinished(path) is None
    write_torch(path, {"epoch": 3})
    assert read_unfinished(path) == {"epoch": 3}
    path.write_bytes(b"no archive")
    assert read_unfinished(path) is None
    assert not path.exists()
    assert "expected the state of a training; it cannot be read" in caplog.text
