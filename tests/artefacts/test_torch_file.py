import pytest
import torch

from pipeline.artefacts.torch_file import write_torch
from pipeline.errors import OutputError


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
