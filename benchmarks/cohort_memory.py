"""One epoch over cohorts that do not fit in memory: time, rate of reading and peak memory over the number of slides.

Synthetic feature caches (normal values, a square grid) are written to ``--folder`` and removed
at the end.  Every cohort is trained on in a process of its own, with one thread of torch and
``--reading-threads`` that read ahead.  Phases: ``load``, every file once, checked; ``scaler``,
medians, means and SDs of the ``train`` images; ``pretrain``, as many steps without labels as
``--pretraining-steps`` says; ``epoch``, all steps of one epoch of ``--method`` and its look at
the ``select`` images.  Of the images 60 % are ``train``, 25 % ``structure`` and 15 % ``select``.
``read_mb`` counts the features that were read, each time anew; ``cpu_s`` is of the whole process,
all threads; peak memory is RSS, without the page cache.  ``--limit-gib`` bounds what the process
may allocate.

    python benchmarks/cohort_memory.py --slides 100 300 --memory-gib 0.5
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from device_clock import add_device

from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.training.classifiers.image_classifier import build_model
from pipeline.training.cohort import cohort_nodes
from pipeline.training.cohort.cohort_nodes import load_nodes
from pipeline.training.cohort.determinism import deterministic_torch
from pipeline.training.fitting.bilevel import fit
from pipeline.training.fitting.fitting import scaler_of
from pipeline.training.fitting.pretraining import pretrain
from pipeline.training.fitting.standardised_images import node_image
from pipeline.training.fitting.steps import Objective, TrainingImages
from pipeline.training.methods.presets import METHODS, method_spec
from pipeline.training.params import ReadingParams, TrainingParams

ROLES = ("train",) * 12 + ("structure",) * 5 + ("select",) * 3
MB, GIB = 1e6, 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--slides", nargs="+", type=int, default=[100, 300])
    parser.add_argument("--patches", type=int, default=8000)
    parser.add_argument("--values", type=int, default=1024)
    parser.add_argument("--method", default="default", choices=METHODS)
    parser.add_argument("--memory-gib", type=float, default=0.5, help="training.memory_gib")
    parser.add_argument("--reading-threads", type=int, default=1)
    parser.add_argument("--pretraining-steps", type=int, default=10)
    parser.add_argument("--scaler-slides", type=int, default=0, help="train images of the scaler; 0 takes all")
    parser.add_argument("--limit-gib", type=float, default=6.0)
    parser.add_argument("--folder", type=Path, help="where the caches go; a temporary folder by default")
    parser.add_argument("--cohort", type=Path, help=argparse.SUPPRESS)
    add_device(parser)
    options = parser.parse_args()
    if options.cohort is not None:
        measured(options.cohort, options.slides[0], options)
        return
    print("slides,phase,wall_s,cpu_s,read_mb,mb_per_s,peak_mib", flush=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for slides in sorted(options.slides):
            write_cohort(Path(folder), slides, options)
            in_own_process(Path(folder), slides)


def name_of(number: int) -> str:
    return f"s{number:05d}"


def write_cohort(folder: Path, slides: int, options: argparse.Namespace) -> None:
    """Write the caches that are not there yet; each slide has its own values, shifted by its class in the first."""
    n, d = options.patches, options.values
    side = int(np.ceil(np.sqrt(n)))
    coords = np.stack([np.arange(n) % side, np.arange(n) // side], axis=1) * 512
    names = tuple(f"f{column}" for column in range(d))
    for number in range(slides):
        path = folder / f"{name_of(number)}.zarr"
        if path.exists():
            continue
        values = np.random.default_rng(number).standard_normal((n, d), dtype=np.float32)
        values[:, 0] += number % 2
        write_features(
            path, FeatureStore(name_of(number), values, names, coords, np.arange(n), tile_px=512, tile_width_l0=512.0)
        )


def in_own_process(folder: Path, slides: int) -> None:
    command = [sys.executable, "-W", "ignore", *sys.argv, "--cohort", str(folder), "--slides", str(slides)]
    subprocess.run(command, check=True)


def measured(folder: Path, slides: int, options: argparse.Namespace) -> None:
    """Print a line a phase."""
    limit, device = int(options.limit_gib * GIB), torch.device(options.device)
    if device.type == "cpu":  # CUDA reserves far more than it uses
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    spec = method_spec(options.method, TrainingParams(epochs=1, pretraining_steps=options.pretraining_steps))
    numbers = range(slides)
    rows = pd.DataFrame({"slide_id": map(name_of, numbers), "role": [ROLES[n * 7 % len(ROLES)] for n in numbers]})
    phase = Phases(slides)
    scaled = rows[rows["role"] == "train"].head(options.scaler_slides or slides)
    with deterministic_torch(0, threads=1, device=device):
        reading = ReadingParams(memory_gib=options.memory_gib, reading_threads=options.reading_threads)
        with phase("load"):
            cohort = load_nodes(folder, list(rows["slide_id"]), reading=reading)
        with phase("scaler"):
            scaler = scaler_of(cohort, scaled, spec)
        by_role: dict[str, list[Any]] = {role: [] for role in sorted(set(ROLES))}
        for number, row in enumerate(rows.itertuples()):
            by_role[str(row.role)].append(node_image(cohort.slides[str(row.slide_id)], scaler, number % 2, device))
        images = TrainingImages(**by_role)
        network = build_model(spec, scaler.n_outputs, 2).to(device)
        with phase("pretrain"):
            pretrain(network.generator, images.train, images.structure, spec.settings, order_seed=0)
        without = method_spec(options.method, TrainingParams(epochs=1, pretraining_steps=0))
        with phase("epoch"):
            fit(network, images, Objective(without, torch.ones(2, device=device)), order_seed=0)


class Phases:
    """Measures one phase after the other; the two functions that read features are wrapped and counted."""

    def __init__(self, slides: int) -> None:
        self._slides, self._n_bytes = slides, 0
        cohort_nodes.read_features = self._counting(cohort_nodes.read_features, lambda store: store.features.nbytes)
        cohort_nodes.read_node_values = self._counting(cohort_nodes.read_node_values, lambda values: values.nbytes)

    def _counting(self, function: Callable[..., Any], size: Callable[[Any], int]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            result = function(*arguments, **named)
            self._n_bytes += size(result)
            return result

        return counted

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Print what the block took."""
        wall, cpu, before = time.perf_counter(), time.process_time(), self._n_bytes
        yield
        wall_s, read_mb = time.perf_counter() - wall, (self._n_bytes - before) / MB
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{self._slides},{name},{wall_s:.1f},{time.process_time() - cpu:.1f},{read_mb:.0f},"
              f"{read_mb / wall_s:.0f},{peak_mib:.0f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
