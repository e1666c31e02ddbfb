"""How damage in the files of a results folder is met: random faults in copies of them, read as the stages read them.

    python benchmarks/damage.py RESULTS [--flips 300] [--others 100] [--seed 0]

RESULTS is the output folder of a finished run, such as that of ``make demo``.  Of each kind of
file one is taken; each try damages a fresh copy of it in one way and reads it.  The table says
how many tries ended in another result without a word, in a traceback, in an error that names
the file, or in the content that was written.  Exit code 1 if any of the first two is not zero.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from pipeline.artefacts.cell_graphs import read_cell_graphs
from pipeline.artefacts.feature_parts import open_features, read_patch_places
from pipeline.artefacts.features import read_features
from pipeline.artefacts.json_files import read_json
from pipeline.artefacts.learned_graphs import read_learned_graph
from pipeline.artefacts.metrics import read_comparison, read_metrics
from pipeline.artefacts.nuclei import count_nuclei, iterate_nuclei, read_nuclei, read_nuclei_header
from pipeline.artefacts.png_files import read_png
from pipeline.artefacts.pooled_predictions import read_pooled_predictions
from pipeline.artefacts.predictions import read_history, read_predictions
from pipeline.artefacts.splits import read_excluded, read_splits
from pipeline.artefacts.tiles import read_tiles
from pipeline.errors import AbignetError
from pipeline.training.fitting.checkpoint import read_model

SLIDES_OF_GRAPHS: list[str] = []
"""Of the learned graphs that are tried; read before they are damaged."""

OUTCOMES = ("another result", "traceback", "error with file and remedy", "as written")


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes
    ----------
    name
        For the table.
    pattern
        Where one lies below the results folder.
    read
        What stages read of it, as anything that ``plain`` makes comparable.
    """

    name: str
    pattern: str
    read: Callable[[Path], Any]


def read_both_tables(path: Path) -> Any:
    whole = read_nuclei(path)
    return whole.frame, whole.header, read_nuclei_header(path), count_nuclei(path), list(iterate_nuclei(path))


def read_all_features(path: Path) -> Any:
    lazy = open_features(path)
    return read_features(path), lazy.read(), lazy.feature_names, read_patch_places(path)


def read_all_graphs(path: Path) -> Any:
    return [read_learned_graph(path, slide) for slide in SLIDES_OF_GRAPHS]


def read_whole_model(path: Path) -> Any:
    model = read_model(path, torch.device("cpu"))
    state = {name: weights.numpy() for name, weights in model.network.state_dict().items()}
    return asdict(model.scaler), asdict(model.spec), model.feature_names, model.class_names, model.temperature, state


def read_table_with_header(path: Path) -> Any:
    table = read_tiles(path)
    return table.frame, table.header


KINDS = (
    Kind("tiles", "tiles/*.parquet", read_table_with_header),
    Kind("overview (PNG)", "tiles/*.png", lambda path: read_png(path, "tiles")),
    Kind("nuclei", "nuclei/*.parquet", read_both_tables),
    Kind("cell graphs", "cell_graphs/*.zarr", read_cell_graphs),
    Kind("feature caches", "features/*.zarr", read_all_features),
    Kind("learned graphs", "training/*/*/seed_*/fold_*/graphs.zarr", read_all_graphs),
    Kind("model.pt", "training/*/*/seed_*/fold_*/model.pt", read_whole_model),
    Kind("predictions.csv", "training/*/*/seed_*/fold_*/predictions.csv", read_predictions),
    Kind("pooled predictions.csv", "training/*/*/predictions.csv", read_pooled_predictions),
    Kind("history.csv", "training/*/*/seed_*/fold_*/history.csv", read_history),
    Kind("splits.csv", "training/*/splits.csv", read_splits),
    Kind("excluded.csv", "training/*/excluded.csv", read_excluded),
    Kind("comparison.csv", "training/*/comparison.csv", read_comparison),
    Kind("metrics.json", "training/*/*/seed_*/metrics.json", read_metrics),
    Kind("provenance.json", "training/*/provenance.json", lambda path: read_json(path, "provenance")),
)


def plain(value: Any) -> Any:
    """``value`` as nested tuples that compare equal exactly where it is the same."""
    if isinstance(value, pd.DataFrame):
        return tuple(value.columns), tuple(map(str, value.dtypes)), repr(value.to_dict("list"))
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, dict):
        return tuple((key, plain(one)) for key, one in sorted(value.items()))
    if isinstance(value, list | tuple):
        return tuple(plain(one) for one in value)
    return plain(vars(value)) if hasattr(value, "__dict__") and vars(value) else repr(value)


def files_of(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def edit(path: Path, change: Callable[[bytearray, random.Random], bytes | bytearray], draw: random.Random) -> None:
    file = draw.choice([file for file in files_of(path) if file.stat().st_size])
    file.write_bytes(change(bytearray(file.read_bytes()), draw))


def flip_a_bit(content: bytearray, draw: random.Random) -> bytearray:
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return content


def cut_off(content: bytearray, draw: random.Random) -> bytearray:
    return content[: draw.randrange(len(content))]


def zero_a_block(content: bytearray, draw: random.Random) -> bytearray:
    start, length = draw.randrange(len(content)), min(512, len(content))
    content[start : start + length] = bytes(len(content[start : start + length]))
    return content


def swap_two_blocks(content: bytearray, draw: random.Random) -> bytearray:
    length = max(1, min(512, len(content) // 4))
    one, other = sorted(draw.randrange(len(content) - length + 1) for _ in range(2))
    if other - one < length:
        return content
    block = content[one : one + length]
    content[one : one + length] = content[other : other + length]
    content[other : other + length] = block
    return content


def append(content: bytearray, draw: random.Random) -> bytearray:
    return content + draw.randbytes(draw.randrange(1, 64))


def lose_a_file(path: Path, draw: random.Random) -> None:
    draw.choice(files_of(path)).unlink()


def empty_a_file(path: Path, draw: random.Random) -> None:
    draw.choice(files_of(path)).write_bytes(b"")


def lose_a_folder(path: Path, draw: random.Random) -> None:
    shutil.rmtree(draw.choice(sorted(folder for folder in path.rglob("*") if folder.is_dir())))


def change_rows(path: Path, draw: random.Random) -> None:
    header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    place = draw.randrange(len(rows)) if rows else 0
    changes = {
        "drop": lambda: rows[:place] + rows[place + 1 :],
        "double": lambda: [*rows[: place + 1], *rows[place:]],
        "cut": lambda: rows[:place],
        "shuffle": lambda: draw.sample(rows, len(rows)),
        "digit": lambda: [
            *rows[:place],
            *(other_digit(row, draw) for row in rows[place : place + 1]),
            *rows[place + 1 :],
        ],
    }
    path.write_text("".join([header, *changes[draw.choice(sorted(changes))]()]), encoding="utf-8")


def other_digit(row: str, draw: random.Random) -> str:
    digits = [place for place, letter in enumerate(row) if letter.isdigit()]
    if not digits:
        return row
    place = draw.choice(digits)
    return row[:place] + str((int(row[place]) + draw.randrange(1, 10)) % 10) + row[place + 1 :]


FLIP = "one bit flipped"
BYTE_FAULTS = {
    FLIP: flip_a_bit,
    "cut off": cut_off,
    "a block of zeros": zero_a_block,
    "two blocks swapped": swap_two_blocks,
    "bytes appended": append,
}
STORE_FAULTS = {"a file missing": lose_a_file, "a file emptied": empty_a_file, "a folder missing": lose_a_folder}


def faults_of(path: Path) -> dict[str, Callable[[Path, random.Random], None]]:
    def in_bytes(change: Callable[[bytearray, random.Random], bytearray]) -> Callable[[Path, random.Random], None]:
        return lambda copy, draw: edit(copy, change, draw)

    faults = {name: in_bytes(change) for name, change in BYTE_FAULTS.items()}
    if path.is_dir():
        faults |= STORE_FAULTS
    if path.suffix == ".csv":
        faults["rows dropped, doubled, moved, cut off or with another digit"] = change_rows
    return faults


def outcome(kind: Kind, path: Path, written: Any) -> tuple[str, str]:
    try:
        found = plain(kind.read(path))
    except AbignetError as error:
        named = path.name in str(error) and ("Make it again" in str(error) or "expected" in str(error))
        return ("error with file and remedy", "") if named else ("traceback", f"no file in: {error}")
    except Exception as error:
        return "traceback", f"{type(error).__name__}: {error}"
    return ("as written", "") if found == written else ("another result", "")


def try_kind(kind: Kind, original: Path, tries: Callable[[str], int], draw: random.Random) -> dict[str, Counter[str]]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / original.name
        for beside in (original.with_suffix(".provenance.json"), original.with_name("provenance.json")):
            if beside.exists() and beside != original:
                shutil.copy(beside, copy.with_name(beside.name))
        renew(original, copy)
        if kind.read is read_all_graphs:
            SLIDES_OF_GRAPHS[:] = sorted(path.name for path in original.iterdir() if path.is_dir())
        written = plain(kind.read(copy))
        counts: dict[str, Counter[str]] = {}
        for name, fault in faults_of(original).items():
            counts[name] = Counter()
            for _ in range(tries(name)):
                fault(copy, draw)
                result, detail = outcome(kind, copy, written)
                counts[name][result] += 1
                if result in OUTCOMES[:2]:
                    print(f"{kind.name}, {name}: {result} {detail}", file=sys.stderr)
                renew(original, copy)
        return counts


def renew(original: Path, copy: Path) -> None:
    if original.is_dir():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(original, copy)
    else:
        shutil.copy(original, copy)


def largest(results: Path, kind: Kind) -> Path:
    return max(sorted(results.glob(kind.pattern)), key=lambda path: sum(file.stat().st_size for file in files_of(path)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--flips", type=int, default=300, help="flipped bits in each kind of file")
    parser.add_argument("--others", type=int, default=100, help="tries of each other fault")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", default=[kind.name for kind in KINDS])
    given = parser.parse_args()
    print(f"| file | fault | tried | {' | '.join(OUTCOMES)} |\n|---|---|---|{'---|' * len(OUTCOMES)}")

    def tries(fault: str) -> int:
        return given.flips if fault == FLIP else given.others

    bad = 0
    for kind in (kind for kind in KINDS if kind.name in given.kinds):
        counts = try_kind(kind, largest(given.results, kind), tries, random.Random(f"{given.seed} {kind.name}"))
        for fault, results in counts.items():
            numbers = " | ".join(str(results[name]) for name in OUTCOMES)
            print(f"| {kind.name} | {fault} | {tries(fault)} | {numbers} |", flush=True)
            bad += sum(results[name] for name in OUTCOMES[:2])
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
