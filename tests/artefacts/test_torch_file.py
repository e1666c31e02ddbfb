import os

import pytest
import torch

from pipeline.artefacts.torch_file import write_torch
from pipeline.errors import ArtefactError


def test_same_bytes_whatever_the_name(tmp_path):
    content = {"weights": torch.arange(5.0)}
    for name in ("a.pt", "b with spaces é.pt"):
        write_torch(tmp_path / name, content)
    first, second = (path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert first == second
    assert torch.load(tmp_path / "a.pt", weights_only=True)["weights"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ArtefactError, match=str(tmp_path)):
        write_torch(tmp_path / "a.pt", {})
