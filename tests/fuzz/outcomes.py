"""What becomes of inputs, each read under limits of time and memory in a process that may die of it."""

import json
import os
import resource
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from mmap import PAGESIZE, mmap
from pathlib import Path

from pipeline.errors import AbignetError

PROCESSOR_SECONDS = 2.0
"""An input that takes more processor time hangs."""

WALL_SECONDS = 30.0
"""An input that takes longer waits for something that never comes."""

MEMORY_BYTES = 2**30
"""An input may take this much more than the process had before it."""

EXAMPLE = -1
"""Number of an input with which nothing is done."""

KINDS = ("accepted", "error", "traceback", "memory", "hang", "crash")

Read = Callable[[Path], object]
Make = Callable[[int], Path]


@dataclass
class Tally:
    """How many inputs ended how; ``faults`` holds one input number by kind and place of each fault."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: dict[str, int] = field(default_factory=dict)

    def add(self, number: int, kind: str, words: str) -> None:
        self.counts[kind] += 1
        if kind not in ("accepted", "error"):
            self.faults.setdefault(f"{kind}: {words}", number)

    @property
    def n_inputs(self) -> int:
        return self.counts.total()

    def row(self, name: str) -> str:
        return " | ".join([name, str(self.n_inputs), *(str(self.counts[kind]) for kind in KINDS)])


def tally(make: Make, read: Read, n_inputs: int, *, first: int = 0, seconds: float = float("inf")) -> Tally:
    """Read inputs ``first`` and after it until there were ``n_inputs`` or the time is over.

    Parameters
    ----------
    make
        Writes the input of a number, or a true example for ``EXAMPLE``, and returns its path.
    read
        What is tried.
    """
    found, number, deadline = Tally(), first, time.monotonic() + seconds
    while number < first + n_inputs and time.monotonic() < deadline:
        for last, kind, words in _in_a_process(make, read, number, first + n_inputs, deadline):
            found.add(last, kind, words)
            number = last + 1
    return found


def _in_a_process(make: Make, read: Read, first: int, end: int, deadline: float) -> Iterator[tuple[int, str, str]]:
    """Outcomes of inputs from ``first`` on, the last of them that which ended the process, if one did."""
    place = mmap(-1, PAGESIZE)
    place[:8] = first.to_bytes(8, "little")
    with tempfile.TemporaryFile("w+", buffering=1) as told:
        child = os.fork()
        if child == 0:
            try:
                _try_all(make, read, range(first, end), deadline, place, told.write)
            finally:
                os._exit(0)
        hung = _watch(child, place)
        status = os.waitpid(child, 0)[1]
        told.seek(0)
        yield from (tuple(json.loads(line)) for line in told if line.endswith("\n"))
    if status:
        number = int.from_bytes(place[:8], "little")
        ending = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"
        yield number, "hang" if hung else "crash", ending


def _try_all(
    make: Make, read: Read, numbers: range, deadline: float, place: mmap, tell: Callable[[str], object]
) -> None:
    os.setsid()
    # What is imported on first use is not held against an input.
    _outcome(read, make(EXAMPLE))
    _limit_memory()
    for number in numbers:
        path = make(number)
        place[:8] = number.to_bytes(8, "little")
        place[8:16] = _processor_ms(os.getpid()).to_bytes(8, "little")
        place[16:24] = time.monotonic_ns().to_bytes(8, "little")
        kind, words = _outcome(read, path)
        place[16:24] = bytes(8)
        tell(json.dumps([number, kind, words]) + "\n")
        if time.monotonic() > deadline:
            return


def _outcome(read: Read, path: Path) -> tuple[str, str]:
    try:
        read(path)
    except AbignetError as error:
        return "error", str(error)[:500]
    except MemoryError:
        return "memory", "MemoryError"
    # Whatever else a reader raises is what is looked for.
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = next((f for f in reversed(frames) if "/pipeline/" in f.filename), frames[-1])
        where = f"{Path(ours.filename).name}:{ours.lineno} {ours.name}"
        return "traceback", f"{type(error).__name__} in {where}, {Path(frames[-1].filename).name}: {str(error)[:120]}"
    return "accepted", ""


def _limit_memory() -> None:
    with open("/proc/self/statm") as statm:  # noqa: PTH123
        held = int(statm.read().split()[0]) * PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY_BYTES, resource.RLIM_INFINITY))


def _watch(child: int, place: mmap) -> bool:
    """Wait for ``child``, and kill it where an input takes too long; whether one did."""
    while not _has_ended(child):
        time.sleep(0.05)
        before, begun = (int.from_bytes(place[at : at + 8], "little") for at in (8, 16))
        if not begun:
            continue
        waited = (time.monotonic_ns() - begun) / 1e9
        if _processor_ms(child) - before > PROCESSOR_SECONDS * 1000 or waited > WALL_SECONDS:
            os.killpg(child, signal.SIGKILL)
            return True
    return False


def _has_ended(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _processor_ms(process: int) -> int:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) * 1000 // os.sysconf("SC_CLK_TCK")
