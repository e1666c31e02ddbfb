"""The option ``--device`` of benchmarks, and what a second is there."""

import argparse
import time

import torch


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the option; the processor is what published figures are of."""
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where networks and kernels run")


def now(device: torch.device) -> float:
    """Seconds: CPU time of this process, or on a card the clock's, when the card has done what it was given."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()
