"""The card of a job: which one it has, that no other job has it, and what it used of its memory."""

import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.cards.visible_cards import VISIBLE
from pipeline.errors import DeviceError
from pipeline.logs import get_logger

log = get_logger("card")

SHARED_OUT = "ABIGNET_CARDS"
"""Variable by which Snakemake tells its jobs on this machine between which cards they choose."""

OF_A_CARD = re.compile(r"\b(gpu|shard|mps)\b")
"""Generic resources of SLURM that are a card or a part of one."""

ASK_AGAIN_S = 0.5
MB = 1e6
SPARE, SPARE_MB = 1.1, 100
"""What an estimate has above what was held: a tenth, and up to the next hundred."""


@contextmanager
def card_of_job(device: str, resources: Mapping[str, Any]) -> Iterator[str]:
    """Let a job have the card that it asked for, and log at its end what it used.

    On this machine it is a card that no other job of this user has, which it waits for and keeps until its process
    ends; elsewhere what the scheduler gave it, or one card of several that it gave to a group of jobs.  A job that
    asked for none takes none.

    Parameters
    ----------
    device
        Key of the configuration.
    resources
        What the job asked for: ``gpu``, cards; or ``gres`` of SLURM; ``gpu_mem_mb``, the most that it may hold of the
        card's memory, where others share it.

    Yields
    ------
    str
        The device to use, ``cpu`` or ``cuda``; ``cuda`` also where a card was asked for and none is found, so that the
        job fails there rather than be slow.

    Raises
    ------
    DeviceError
        If the card has less memory than was asked for.
    """
    if device == "cpu" or not asks_for_card(resources):
        yield "cpu" if device == "auto" else device
        return
    _take_one_card()
    asked_mb = int(resources.get("gpu_mem_mb") or 0)
    log.info("card %s, memory asked for: %s", os.environ.get(VISIBLE, "0"), f"{asked_mb} MB" if asked_mb else "all")
    if asked_mb:
        _bound_memory(asked_mb)
    try:
        yield "cuda"
    finally:
        _log_peak(asked_mb)


def asks_for_card(resources: Mapping[str, Any]) -> bool:
    """Whether a job asks for a card, by the names of Snakemake's resources."""
    return bool(int(resources.get("gpu") or 0)) or OF_A_CARD.search(str(resources.get("gres") or "")) is not None


def _take_one_card() -> None:
    """Show this process one of the cards that its run shares out or its scheduler gave, where there is a choice."""
    if shared := os.environ.get(SHARED_OUT):
        os.environ[VISIBLE] = claimed_card(tuple(shared.split(",")))
    elif "," in (given := os.environ.get(VISIBLE, "")):
        os.environ[VISIBLE] = claimed_card(tuple(given.split(",")), of=os.environ.get("SLURM_JOB_ID", ""))


@cache
def claimed_card(names: Sequence[str], of: str = "") -> str:
    """One of some cards, which no other process of this user gets before this one ends.

    The kernel holds the claim, a lock on a file, and gives it up however the process ends.

    Parameters
    ----------
    names
        Cards, by what they are called in ``CUDA_VISIBLE_DEVICES``.
    of
        What the names belong to, where they are numbers that mean other cards elsewhere: an allocation of SLURM.
    """
    folder = Path(tempfile.gettempdir()) / f"abignet-cards-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    waits = False
    while True:
        for name in names:
            if _lock(folder / re.sub(r"[^A-Za-z0-9.-]", "_", f"{of}{name}.lock")):
                return name
        if not waits:
            log.info("waits for a card: other jobs have %s", ", ".join(names))
            waits = True
        time.sleep(ASK_AGAIN_S)


def _lock(file: Path) -> bool:
    """Lock a file for this process, and whether no other has; it stays open until the process ends."""
    import fcntl

    opened = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(opened)
        return False
    return True


def _bound_memory(asked_mb: int) -> None:
    """Have PyTorch hold no more of the card than was asked for; batches are then halved as on a smaller card."""
    import torch

    if not torch.cuda.is_available():
        return  # whoever opens the device says so
    total_mb = torch.cuda.get_device_properties(0).total_memory / MB
    if asked_mb > total_mb:
        raise DeviceError(
            f"gpu_mem_mb={asked_mb}: expected at most the card's memory, found {total_mb:.0f} MB; ask for less."
        )
    torch.cuda.set_per_process_memory_fraction(asked_mb / total_mb)


def _log_peak(asked_mb: int) -> None:
    """Say what the job used of the card's memory, and what to ask for where others are to share the card."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        log.info("memory of the card: not used")
        return
    peak, held = torch.cuda.max_memory_allocated() / MB, torch.cuda.max_memory_reserved() / MB
    most = f"{asked_mb} MB asked for" if asked_mb else f"{torch.cuda.get_device_properties(0).total_memory / MB:.0f} MB"
    enough = SPARE_MB * math.ceil(held * SPARE / SPARE_MB)
    log.info(
        "memory of the card: %.0f MB at its peak, %.0f MB held of %s; gpu_mem_mb=%d would do", peak, held, most, enough
    )
