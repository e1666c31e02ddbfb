import ctypes
import os
import time
from pathlib import Path

from pipeline.errors import SheetError
from tests.fuzz.outcomes import EXAMPLE, MEMORY_BYTES, tally


def read(path: Path) -> object:
    """Does what the name of a path says."""
    if path.name == "error":
        raise SheetError("s", ["x"])
    if path.name == "traceback":
        raise KeyError("x")
    if path.name == "memory":
        return bytearray(2 * MEMORY_BYTES)
    if path.name == "hang":
        while True:
            time.process_time()
    if path.name == "crash":
        return ctypes.string_at(0)
    if path.name == "exit":
        os._exit(3)
    return None


WORDS = ("accepted", "error", "traceback", "crash", "accepted", "hang", "memory", "exit", "error")


def test_every_ending_is_counted_and_the_next_input_is_tried() -> None:
    found = tally(lambda number: Path("accepted" if number == EXAMPLE else WORDS[number]), read, len(WORDS))
    assert found.counts == {"accepted": 2, "error": 2, "traceback": 1, "crash": 2, "hang": 1, "memory": 1}
    assert sorted(found.faults.values()) == [2, 3, 5, 6, 7]
    assert any("KeyError" in fault and "test_outcomes.py" in fault for fault in found.faults)


def test_it_ends_with_its_time() -> None:
    assert tally(lambda _: Path("accepted"), read, 10**9, seconds=0.2).n_inputs < 10**6
