"""``python -m tests.fuzz.run [FORMAT ...] --inputs N --seconds S --keep FOLDER``: fuzz by hand, a row a format.

Inputs are numbered and drawn from one seed, so that input 712 of a format is the same everywhere; ``--keep`` stores one
of each kind of fault.  Ends with code 1 where there is one.
"""

import argparse
import logging
import os
import shutil
import tempfile
from pathlib import Path

from tests.fuzz.formats import FORMATS, Format, write_input
from tests.fuzz.outcomes import KINDS, Tally, tally


def fuzz(kind: Format, n_inputs: int, seconds: float, first: int = 0) -> Tally:
    """Outcomes of ``n_inputs`` of a format from ``first`` on, or of as many as the time allows."""
    with tempfile.TemporaryDirectory() as folder:
        examples = _examples(kind, Path(folder))
        return tally(
            lambda number: write_input(kind, examples, Path(folder), number),
            kind.read,
            n_inputs,
            first=first,
            seconds=seconds,
        )


def keep(kind: Format, found: Tally, to: Path) -> None:
    """One input of each fault, by its number."""
    for number in found.faults.values():
        with tempfile.TemporaryDirectory() as folder:
            made = write_input(kind, _examples(kind, Path(folder)), Path(folder), number)
            target = to / f"{kind.name}-{number}{made.suffix}"
            to.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(made, target) if made.is_dir() else shutil.copy(made, target)


def _examples(kind: Format, folder: Path) -> list[Path]:
    """Made by a process of their own, which leaves no thread behind that a fork would lose."""
    names = folder / "examples.txt"
    child = os.fork()
    if child == 0:
        try:
            (folder / "examples").mkdir()
            names.write_text("\n".join(map(str, kind.examples(folder / "examples"))))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return [Path(name) for name in names.read_text().splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", default=list(FORMATS), metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each format")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--keep", type=Path, help="folder for one input of each kind of fault")
    chosen = parser.parse_args()
    logging.disable()
    print(" | ".join(["format", "inputs", *KINDS]))
    n_faults = 0
    for name in chosen.formats:
        found = fuzz(FORMATS[name], chosen.inputs, chosen.seconds, chosen.first)
        print(found.row(name), flush=True)
        n_faults += len(found.faults)
        for fault, number in found.faults.items():
            print(f"    {number}: {fault}", flush=True)
        if chosen.keep is not None:
            keep(FORMATS[name], found, chosen.keep)
    if n_faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
