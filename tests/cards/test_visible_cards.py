"""Cards by what ``nvidia-smi -L`` prints; a script stands in for it."""

import sys
from pathlib import Path

import pytest

from pipeline.cards import visible_cards as module
from pipeline.cards.visible_cards import cards_of_jobs, listed_cards, read_listing, torch_is_for_cuda, visible_cards
from pipeline.errors import DeviceError

TWO = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-9eba6b10-4a0c-4eaf-9c9b-6b0e5a9b2f11)
"""
DIVIDED = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
  MIG 3g.20gb     Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 3g.20gb     Device  1: (UUID: MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-9eba6b10-4a0c-4eaf-9c9b-6b0e5a9b2f11)
"""
A, B = "GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77", "GPU-9eba6b10-4a0c-4eaf-9c9b-6b0e5a9b2f11"
FIRST, SECOND = "MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f", "MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb"


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Put a program of that name on the path that prints a listing; it alone is there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(module, "torch_is_for_cuda", lambda: True)

    def prints(listing: str, code: int = 0) -> None:
        (tmp_path / "listing").write_text(listing)
        script = tmp_path / "nvidia-smi"
        script.write_text(f'#!/bin/sh\n[ "$*" = -L ] && /bin/cat {tmp_path}/listing\nexit {code}\n')
        script.chmod(0o755)

    return prints


def test_every_card_and_every_instance_is_listed():
    assert [card.names for card in read_listing(TWO)] == [(A,), (B,)]
    assert [card.model for card in read_listing(TWO)] == ["NVIDIA A100-SXM4-40GB"] * 2
    assert [card.names for card in read_listing(DIVIDED)] == [(FIRST, SECOND), (B,)]
    assert read_listing("No devices found.\n") == ()


def test_a_machine_without_the_program_or_with_a_broken_driver_has_no_card(nvidia_smi):
    assert listed_cards() == ()
    nvidia_smi("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", code=9)
    assert listed_cards() == ()
    nvidia_smi(TWO)
    assert len(listed_cards()) == 2


@pytest.mark.parametrize(
    ("listing", "given", "seen"),
    [
        (TWO, None, (A, B)),
        (TWO, "1", (B,)),
        (TWO, "1,0", (B, A)),
        (TWO, "GPU-9eba", (B,)),
        (TWO, f"{B}, 0", (B, A)),
        (TWO, "", ()),
        (TWO, "-1", ()),
        (TWO, "NoDevFiles", ()),
        (DIVIDED, None, (FIRST, SECOND, B)),
        (DIVIDED, "0", (FIRST,)),
        (DIVIDED, f"{SECOND},{FIRST}", (SECOND, FIRST)),
        (DIVIDED, "MIG-cba", (SECOND,)),
        ("", None, ()),
        ("", "0,1", ("0", "1")),
        ("", FIRST, (FIRST,)),
    ],
)
def test_what_the_variable_shows(listing, given, seen):
    environment = {} if given is None else {"CUDA_VISIBLE_DEVICES": given}
    assert visible_cards(read_listing(listing), environment) == seen


@pytest.mark.parametrize(
    ("listing", "given", "said"),
    [
        (TWO, "2", "expected cards of this machine, 0 .GPU-5d5.*found '2'"),
        (TWO, "GPU-", "found 'GPU-'"),
        (TWO, "0,", "found ''"),
        (TWO, FIRST, "found 'MIG-c6d4"),
        (TWO, f"0,{A}", "each card once"),
        (TWO.replace("A100", "T4", 1), "0", "several models.*UUID.*CUDA_DEVICE_ORDER=PCI_BUS_ID"),
    ],
)
def test_what_is_not_there_or_not_clear_is_refused(listing, given, said):
    with pytest.raises(DeviceError, match=said):
        visible_cards(read_listing(listing), {"CUDA_VISIBLE_DEVICES": given})


def test_numbers_of_several_models_count_in_the_order_of_nvidia_smi_where_cuda_counts_so():
    environment = {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert visible_cards(read_listing(TWO.replace("A100", "T4", 1)), environment) == (B,)


def test_why_there_are_no_more_cards(nvidia_smi, monkeypatch):
    assert cards_of_jobs(torch_of_jobs_is_here=True).why_no_more.startswith("nvidia-smi lists none")
    nvidia_smi(TWO)
    assert cards_of_jobs(torch_of_jobs_is_here=True).names == (A, B)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert cards_of_jobs(torch_of_jobs_is_here=True).why_no_more == "CUDA_VISIBLE_DEVICES shows no more"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert cards_of_jobs(torch_of_jobs_is_here=True).why_no_more == "CUDA_VISIBLE_DEVICES hides all"


def test_a_pytorch_for_the_processor_takes_none_unless_conda_brings_another(nvidia_smi, monkeypatch):
    nvidia_smi(TWO)
    monkeypatch.setattr(module, "torch_is_for_cuda", lambda: False)
    none = cards_of_jobs(torch_of_jobs_is_here=True)
    assert none.names == ()
    assert "built for the processor" in none.why_no_more
    assert cards_of_jobs(torch_of_jobs_is_here=False).names == (A, B)


@pytest.mark.parametrize(("line", "is_for_cuda"), [("cuda = '13.0'", True), ("cuda = None", False)])
def test_what_pytorch_is_built_for_is_read_without_importing_it(line, is_for_cuda, tmp_path, monkeypatch):
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError\n")
    (package / "version.py").write_text(f"{line}\n")
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert torch_is_for_cuda() is is_for_cuda


def test_the_pytorch_that_is_here_says_the_same_of_itself():
    import torch

    assert torch_is_for_cuda() is (torch.version.cuda is not None)
    assert Path(torch.__file__).with_name("version.py").is_file()
