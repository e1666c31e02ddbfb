"""The goals of ``docs/gpu.md`` as a table, from the JSON files of the other drivers: ``goals.py WORK OUT``.

A ratio is of wall seconds of one processor thread to those of the card, both in this run, on this machine.
"""

import json
import sys
from pathlib import Path

SPEEDUP, BUSY, AGREEMENT, CORES = 15, 0.5, 0.995, 6
SECONDS = {"65536": 0.3, "262144": 2.0}
TILES = {"compact": 60, "full": 30}
FOLDS = 5


def value(found, *keys):
    """What is there under ``keys``; None of what was not measured."""
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, int | float) else None


def row(goal, card, processor, figure, wanted, *, met):
    shown = ["-" if number is None else f"{number:.3g}" for number in (card, processor, figure)]
    return (goal, *shown, wanted, "not measured" if met is None else "yes" if met else "no")


def at_least(figure, least):
    return None if figure is None else figure >= least


def speedup(goal, card, processor):
    ratio = processor / card if card and processor else None
    return row(goal, card, processor, ratio, f">= {SPEEDUP} times", met=at_least(ratio, SPEEDUP))


def busy(goal, share):
    return row(goal, None, None, share, f">= {BUSY:.0%} of wall time", met=at_least(share, BUSY))


def nuclei(name, want, cases):
    """The fastest case of a network in single precision."""
    cases = {key: case for key, case in cases.items() if key.startswith(name) and "float32" in key}
    best = max(cases.values(), key=lambda case: value(case, "tiles_s") or 0, default={})
    tiles, cores = value(best, "tiles_s"), value(best, "cpus")
    met = None if tiles is None or cores is None else tiles >= want and (name != "compact" or cores <= CORES)
    return row(f"nuclei, {name}, tiles of 1,024 px a second (busy cores in place of processor)", tiles, cores, tiles,
               f">= {want}" + (f", <= {CORES} cores" if name == "compact" else ""), met=met)  # fmt: skip


def rows(merged):
    train, bags, sparse, cells = (merged.get(f"{name}_cuda", {}) for name in ("train", "bags", "sparse", "nuclei"))
    one_fold = value(merged, "bags_cpu", "one_fold", "wall_s")
    thread = value(merged, "train_cpu", "default_float32", "wall_s")
    whole = value(train, "default_float32", "wall_s") or value(train, "recorded_steps", "off", "wall_s")
    yield speedup("500 planted images of 40 patches, whole training, s", whole, thread)
    yield speedup("the same with training.cuda_graphs, s", value(train, "recorded_steps", "on", "wall_s"), thread)
    yield speedup(f"849 bags of TCGA regions, five folds in one call, s (processor: {FOLDS} times fold 0)",
                  value(bags, "five_folds", "wall_s"), one_fold and FOLDS * one_fold)  # fmt: skip
    for size, most in SECONDS.items():
        step = value(sparse, "sparse", size, "s")
        yield row(f"sparse step of both levels at {int(size):,} patches, search counted, s", step,
                  value(merged, "sparse_cpu", "sparse", size, "s"), step, f"<= {most} s",
                  met=None if step is None else step <= most)  # fmt: skip
    yield busy("kernels run: planted training", value(train, "kernels", "busy"))
    yield busy("kernels run: bags", value(bags, "kernels", "busy"))
    yield busy("kernels run: sparse step at 65,536 patches", value(sparse, "kernels", "busy"))
    for name, want in TILES.items():
        yield nuclei(name, want, cells.get("throughput", {}))
        yield busy(f"kernels run: nuclei, {name}", value(cells, "profile_share", name, "busy"))
        same = value(cells, name, "ap_cpu")
        yield row(f"nuclei, {name}, AP@0.5 with the processor", None, None, same, f">= {AGREEMENT}",
                  met=at_least(same, AGREEMENT))  # fmt: skip


def table(merged):
    titles = ("goal", "card", "one processor thread", "figure", "wanted", "met")
    lines = [titles, ("---",) * len(titles), *rows(merged)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


if __name__ == "__main__":
    work, out = Path(sys.argv[1]), Path(sys.argv[2])
    text = table({file.stem: json.loads(file.read_text()) for file in sorted((work / "json").glob("*.json"))})
    out.write_text(text + "\n")
    print(text)
