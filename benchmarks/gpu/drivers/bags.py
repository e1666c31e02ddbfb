"""Bags of regions of TCGA breast slides: ``default`` by the command, five folds in one call, and one for the processor."""

import contextlib
import csv
import io
import os
import shutil
import sys
import time
from pathlib import Path

import torch
from common import REHEARSE, Report, arguments, kernel_share, peak_mib, reset_peak, timed

sys.path.insert(0, os.path.join(os.environ["PROJECT"], "benchmarks"))
from table_cohorts import make_cohort

from pipeline.cli import abignet

options = arguments(("--work", {"required": True}))
DEVICE = torch.device(options.device)
GPU = DEVICE.type == "cuda"
report = Report(options, f"bags/{DEVICE.type}")
WORK = Path(options.work) / DEVICE.type
FOLDS = 3 if REHEARSE else 5
SHORT = ["--set", "training.epochs=3", "--set", "training.pretraining_steps=10"]
SLIDES_TO_REHEARSE = 60


def sheet():
    """The cohort as sheet; few slides of each class in a rehearsal."""
    path, _ = make_cohort("breast", WORK / "cohort")
    if not REHEARSE:
        return path
    (title, *rows), few = list(csv.reader(path.open())), path.with_name("few.csv")
    rows.sort(key=lambda row: row[2])
    with few.open("w", newline="") as file:
        csv.writer(file).writerows([title, *rows[: SLIDES_TO_REHEARSE // 2], *rows[-SLIDES_TO_REHEARSE // 2 :]])
    return few


def train(name, *more):
    out = WORK / name
    shutil.rmtree(out, ignore_errors=True)
    asked = ["train", "--sheet", str(sheet()), "--out", str(out), "--method", "default", "--folds", str(FOLDS),
             "--device", options.device, *(SHORT if REHEARSE else []), *more]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()) as said:
        abignet.main(args=asked, standalone_mode=False)
    return said.getvalue()


def measured(name, *more):
    """Seconds of a call, and how many folds were done when it ended or was ended."""
    started = time.perf_counter()
    reset_peak(DEVICE)
    try:
        wall, cpu, said = timed(DEVICE, lambda: train(name, *more))
    except BaseException:
        done = len(list((WORK / name).rglob("predictions.csv")))
        print(f"| bags {name}: {done} folds in {time.perf_counter() - started:.0f} s, then ended", flush=True)
        raise
    rows = [line.split() for line in said.splitlines() if line.strip().startswith("default")]
    return {"wall_s": wall, "cpu_s": cpu, "peak_mib": peak_mib(DEVICE), "table": rows[:1]}


def kernels():
    """Share of wall time with a kernel running, in a short training of one fold."""
    return kernel_share(DEVICE, lambda: train("short", "--only-fold", "0", *SHORT))


if not GPU or REHEARSE:
    report.section("one_fold", lambda: measured("one_fold", "--only-fold", "0"), 440)
if GPU or REHEARSE:
    report.section("five_folds", lambda: measured("five_folds"), 100)
    report.section("kernels", kernels, 40)
