import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.nuclei.network.torch_archive import read_archive


def test_what_torch_saves_is_read(tmp_path: Path) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    tensors = {
        "turned": base.T,
        "part": base[1:3, 2:5],
        "half": base.half(),
        "whole": torch.arange(5),
        "number": torch.tensor(7),
        "none": torch.zeros(0, 3),
        "parameter": nn.Parameter(base),
    }
    content = {"state": OrderedDict(tensors), "name": "x", "sizes": [1, 2.5, (3, None)]}
    torch.save(content, tmp_path / "t.pt")
    read = read_archive(tmp_path / "t.pt")
    assert (read["name"], read["sizes"]) == ("x", [1, 2.5, (3, None)])
    assert list(read["state"]) == list(tensors)
    for name, tensor in tensors.items():
        expected = tensor.detach().numpy()
        assert read["state"][name].dtype == expected.dtype
        np.testing.assert_array_equal(read["state"][name], expected)


def test_code_is_not_run(tmp_path: Path) -> None:
    torch.save({"place": Path("/")}, tmp_path / "evil.pt")
    with pytest.raises(pickle.UnpicklingError, match="neither a tensor nor a collection"):
        read_archive(tmp_path / "evil.pt")


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", a=np.zeros(3))
    with pytest.raises(pickle.UnpicklingError, match=r"no data\.pkl"):
        read_archive(tmp_path / "t.npz")


def test_little_that_unfolds_to_much_is_refused(tmp_path: Path) -> None:
    """One value seen a million times, and a pickle that wants room for 2**31."""
    torch.save(torch.zeros(1).expand(1_000_000), tmp_path / "wide.pt")
    with pytest.raises(pickle.UnpicklingError, match="beyond its storage"):
        read_archive(tmp_path / "wide.pt")
    with zipfile.ZipFile(tmp_path / "room.pt", "w") as archive:
        archive.writestr("room/data.pkl", b"\x80\x02Nr\xff\xff\xff\x7f.")
    with pytest.raises(pickle.UnpicklingError, match="numbers a value 2147483647"):
        read_archive(tmp_path / "room.pt")
