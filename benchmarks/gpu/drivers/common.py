"""Guarded sections of a driver: each prints one compact line, and its numbers go to a JSON file at once."""

import argparse
import json
import os
import signal
import time
import traceback
from contextlib import contextmanager
from pathlib import Path

import torch

REHEARSE = bool(os.environ.get("REHEARSE"))
"""Tiny sizes, for a try on a machine without a GPU."""


class OutOfTime(Exception):
    pass


def arguments(*more):
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", required=True)
    parser.add_argument("--seconds", type=float, default=1e9, help="no section starts after that")
    parser.add_argument("--only", nargs="*")
    for name, keywords in more:
        parser.add_argument(name, **keywords)
    return parser.parse_args()


def sync(device):
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def reset_peak(device):
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_mib(device):
    if torch.device(device).type == "cuda":
        return round(torch.cuda.max_memory_allocated() / 2**20, 1)
    import resource

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def timed(device, call, repeats=1, warm=0):
    """Median wall seconds, median CPU seconds, and what the last call returned."""
    for _ in range(warm):
        result = call()
    walls, cpus = [], []
    for _ in range(repeats):
        sync(device)
        wall, cpu = time.perf_counter(), time.process_time()
        result = call()
        sync(device)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return sorted(walls)[len(walls) // 2], sorted(cpus)[len(cpus) // 2], result


def kernel_share(device, call):
    """Share of the wall time of a call in which a kernel runs, by ``torch.profiler``; the wall without it, after a warm call.

    Copies do not count, and kernels that run at once count once.
    """
    from torch.profiler import ProfilerActivity, profile

    if torch.device(device).type != "cuda":
        return {"wall_s": timed(device, call)[0]}
    wall, _, _ = timed(device, call, warm=1)
    with profile(activities=[ProfilerActivity.CUDA]) as traced:
        call()
        sync(device)
    kernels = [
        e.time_range for e in traced.events() if str(e.device_type).endswith("CUDA") and not e.name.startswith("Mem")
    ]
    seconds, end = 0.0, 0.0
    for span in sorted(kernels, key=lambda span: span.start):
        seconds += max(0.0, span.end - max(span.start, end)) / 1e6
        end = max(end, span.end)
    return {"wall_s": wall, "kernels_s": seconds, "busy": seconds / wall, "kernels": len(kernels)}


class Report:
    """Sections of one driver."""

    def __init__(self, options, name):
        self.path, self.name, self.data = Path(options.out), name, {}
        self.patience = 10 if REHEARSE else 1
        self.only, self.until = options.only, time.monotonic() + self.patience * options.seconds

    def section(self, name, call, limit=60):
        if self.only and name not in self.only:
            return None
        if time.monotonic() > self.until:
            print(f"| {self.name} {name}: no time left", flush=True)
            self.data[name] = {"error": "no time left"}
            return self._write()
        started, before = time.time(), time.perf_counter()
        try:
            with alarm(min(self.patience * limit, max(1, self.until + 15 - time.monotonic()))):
                found = call() or {}
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            found = {"error": f"{type(error).__name__}: {error}"[:600], "traceback": tail(error)}
            if isinstance(error, torch.OutOfMemoryError | OutOfTime):
                torch.cuda.is_available() and torch.cuda.empty_cache()
        wall = time.perf_counter() - before
        self.data[name] = {**found, "section_s": round(wall, 2), "t0": started, "t1": time.time()}
        print(f"| {self.name} {name}: {line(found)} [{wall:.1f} s]", flush=True)
        return self._write()

    def _write(self):
        beside = self.path.with_suffix(".tmp")
        beside.write_text(json.dumps(self.data, indent=1, default=str))
        beside.replace(self.path)


@contextmanager
def alarm(seconds):
    def stop(*_):
        raise OutOfTime(f"over {seconds:.0f} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def tail(error, frames=4):
    return "".join(traceback.format_exception(error)[-frames:])[-1500:]


def line(found, depth=0):
    """Numbers in few characters."""
    if isinstance(found, dict):
        if isinstance(found.get("error"), str):
            last = [row.strip() for row in found.get("traceback", "").splitlines() if row.strip().startswith("File")]
            return f"FAILED {found['error'][:300]} <- {' <- '.join(r.split('/')[-1][:70] for r in last[::-1][:3])}"
        inner = ", ".join(f"{key} {line(value, depth + 1)}" for key, value in found.items() if key not in ("t0", "t1"))
        return f"({inner})" if depth else inner
    if isinstance(found, float):
        return f"{found:.4g}"
    if isinstance(found, list | tuple):
        return "[" + " ".join(line(value, depth + 1) for value in found) + "]"
    return str(found)
