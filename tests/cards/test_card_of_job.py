"""What a job has of a machine's cards; tests/workflow/test_cards.py runs whole jobs."""

import logging
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.cards import card_of_job as module
from pipeline.cards.card_of_job import asks_for_card, card_of_job, claimed_card
from pipeline.errors import DeviceError

CLAIM = """
import sys, time
from pipeline.cards.card_of_job import claimed_card
print(claimed_card(tuple(sys.argv[1:])), flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def no_claims(tmp_path, monkeypatch, caplog):
    """Claims in a folder of the test, and none of them kept by its process; no variable of the machine's."""
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("ABIGNET_CARDS", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "as it was")
    caplog.set_level(logging.INFO)
    claimed_card.cache_clear()
    yield
    claimed_card.cache_clear()


@pytest.fixture
def claiming():
    """Start a process that claims one of some cards and keeps it; it, and the card."""
    started = []

    def start(*names):
        process = subprocess.Popen([sys.executable, "-c", CLAIM, *names], stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_processes_have_a_card_each_and_the_next_waits_until_one_is_killed(claiming):
    first, second = claiming("A", "B"), claiming("A", "B")
    cards = [first.stdout.readline(), second.stdout.readline()]
    assert sorted(cards) == ["A\n", "B\n"]
    third = claiming("A", "B")
    assert select.select([third.stdout], [], [], 1.5)[0] == []
    first.send_signal(signal.SIGKILL)
    assert third.stdout.readline() == cards[0]


def test_a_process_keeps_its_card(monkeypatch):
    monkeypatch.setenv("ABIGNET_CARDS", "GPU-a,GPU-b")
    for _ in range(2):
        with card_of_job("auto", {"gpu": 1}) as device:
            assert (device, os.environ["CUDA_VISIBLE_DEVICES"]) == ("cuda", "GPU-a")


def test_jobs_that_share_what_slurm_gave_have_one_card_each(monkeypatch, tmp_path, claiming):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    claiming("0").stdout.readline()  # means another card: it is not of this allocation
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    with card_of_job("auto", {"gpu": 1}):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    assert not module._lock(next(tmp_path.rglob("170.lock")))


def test_waiting_is_logged(claiming, monkeypatch, caplog):
    claiming("MIG-GPU-a/1/0").stdout.readline()
    monkeypatch.setattr(module.time, "sleep", lambda _: (_ for _ in ()).throw(InterruptedError))
    with pytest.raises(InterruptedError):
        claimed_card(("MIG-GPU-a/1/0",))
    assert "waits for a card: other jobs have MIG-GPU-a/1/0" in caplog.text


@pytest.mark.parametrize(
    ("device", "resources", "used"),
    [
        ("auto", {"gpu": 0}, "cpu"),
        ("auto", {}, "cpu"),
        ("cpu", {"gpu": 1}, "cpu"),
        ("cuda", {"gpu": 0}, "cuda"),
        ("auto", {"gpu": 1}, "cuda"),
        ("cuda", {"gpu": 1}, "cuda"),
        ("auto", {"gpu": 0, "gres": "gpu:a100:1"}, "cuda"),
        ("auto", {"gpu": 0, "gres": "shard:2"}, "cuda"),
        ("auto", {"gpu": 0, "gres": "lustre:1"}, "cpu"),
    ],
)
def test_the_device_is_what_was_asked_for(device, resources, used):
    with card_of_job(device, resources) as found:
        assert found == used
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "as it was", "a scheduler's choice is left alone"


@pytest.mark.parametrize(("gpu", "asks"), [(1, True), ("1", True), (0, False), (None, False)])
def test_a_number_of_cards_in_any_spelling(gpu, asks):
    assert asks_for_card({"gpu": gpu}) is asks


class Card:
    """PyTorch's view of a card of 40,000 MB of which a job used some."""

    def __init__(self, total_mb=40_000):
        self.total, self.fraction = total_mb * 10**6, None

    def is_available(self):
        return True

    is_initialized = is_available

    def get_device_properties(self, index):
        return SimpleNamespace(total_memory=self.total)

    def set_per_process_memory_fraction(self, fraction):
        self.fraction = fraction

    def max_memory_allocated(self):
        return 2_143_400_000

    def max_memory_reserved(self):
        return 2_684_000_000


@pytest.fixture
def card(monkeypatch):
    made = Card()
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=made))
    return made


def test_memory_is_logged_as_the_page_says(card, caplog):
    with card_of_job("auto", {"gpu": 1}):
        assert "card as it was, memory asked for: all" in caplog.text
    line = "memory of the card: 2143 MB at its peak, 2684 MB held of 40000 MB; gpu_mem_mb=3000 would do"
    assert f"{line}\n" in caplog.text
    assert line in (Path(__file__).parents[2] / "docs/gpu.md").read_text()
    assert card.fraction is None


def test_memory_asked_for_is_the_most_that_is_held(card, caplog):
    with card_of_job("auto", {"gpu": 1, "gpu_mem_mb": 4000}):
        assert card.fraction == 0.1
    assert "memory asked for: 4000 MB" in caplog.text
    assert "2684 MB held of 4000 MB asked for" in caplog.text


def test_more_memory_than_the_card_has_is_refused(card):
    with (
        pytest.raises(DeviceError, match=r"gpu_mem_mb=50000: .*found 40000 MB"),
        card_of_job("auto", {"gpu": 1, "gpu_mem_mb": 50_000}),
    ):
        pass


def test_a_job_that_fails_says_its_memory_too(card, caplog):
    with pytest.raises(ValueError, match="no"), card_of_job("auto", {"gpu": 1}):
        raise ValueError("no")
    assert "at its peak" in caplog.text


def test_a_job_that_never_used_its_card_says_so(caplog, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with card_of_job("auto", {"gpu": 1}):
        pass
    assert "memory of the card: not used" in caplog.text
