"""Cards of this machine that jobs may take: what ``nvidia-smi`` lists and ``CUDA_VISIBLE_DEVICES`` lets them see.

Cards go by their UUID (``GPU-...``, ``MIG-...``), which means the same to every process; a number does not.  Only the
standard library is imported here: the Snakefile asks.
"""

import os
import re
import runpy
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import DeviceError

VISIBLE = "CUDA_VISIBLE_DEVICES"
ANSWER_S = 60
"""Longest that ``nvidia-smi`` may take: it loads the driver where nothing else keeps it."""

LINE = re.compile(r"^( *)(?:GPU|MIG) +(.*?) *\(UUID: *([^)\s]+)\)", re.MULTILINE)
HIDDEN = ("", "-1", "NoDevFiles")
"""Values of the variable that hide every card; SLURM writes the last."""


@dataclass(frozen=True)
class ListedCard:
    """A card as ``nvidia-smi`` lists it.

    Attributes
    ----------
    uuid
        Its name.
    model
        What it is.
    instances
        Names of the MIG instances that it is divided into; empty where it is whole.
    """

    uuid: str
    model: str
    instances: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What a job can have of it."""
        return self.instances or (self.uuid,)


@dataclass(frozen=True)
class JobCards:
    """Cards that jobs on this machine may take, by their names, and in words why there are no more."""

    names: tuple[str, ...]
    why_no_more: str


def cards_of_jobs(*, torch_of_jobs_is_here: bool) -> JobCards:
    """Cards that jobs on this machine may take.

    Parameters
    ----------
    torch_of_jobs_is_here
        Whether jobs run by the PyTorch that this Python would import; conda environments bring their own.

    Raises
    ------
    DeviceError
        If ``CUDA_VISIBLE_DEVICES`` names what is not there, or ``nvidia-smi`` does not answer.
    """
    names = visible_cards(listed_cards(), os.environ)
    if names and torch_of_jobs_is_here and not torch_is_for_cuda():
        return JobCards((), f"of {len(names)} none, PyTorch here is built for the processor")
    return JobCards(names, _why_no_more(len(names)))


def _why_no_more(n_cards: int) -> str:
    if VISIBLE in os.environ:
        return f"{VISIBLE} shows no more" if n_cards else f"{VISIBLE} hides all"
    return "nvidia-smi lists no more" if n_cards else f"nvidia-smi lists none; where it is missing {VISIBLE} names them"


def listed_cards() -> tuple[ListedCard, ...]:
    """Cards by ``nvidia-smi -L``, in its order; none where there is no such program or no driver behind it.

    Raises
    ------
    DeviceError
        If it does not answer within a minute.
    """
    try:
        asked = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=ANSWER_S)
    except OSError:
        return ()
    except subprocess.TimeoutExpired as error:
        raise DeviceError(f"nvidia-smi -L: no answer in {ANSWER_S} s. Mend the driver, or set device: cpu.") from error
    return read_listing(asked.stdout) if asked.returncode == 0 else ()


def read_listing(text: str) -> tuple[ListedCard, ...]:
    """Cards in the words of ``nvidia-smi -L``: a line each, below it one for each MIG instance."""
    cards: list[ListedCard] = []
    for indent, model, uuid in LINE.findall(text):
        if not indent:
            cards.append(ListedCard(uuid, re.sub(r"^\d+: *", "", model)))
        elif cards:
            cards[-1] = ListedCard(cards[-1].uuid, cards[-1].model, (*cards[-1].instances, uuid))
    return tuple(cards)


def visible_cards(listed: Sequence[ListedCard], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the cards that processes with an environment see.

    Where nothing is listed, a machine without ``nvidia-smi``, what the variable names is taken as it stands.

    Raises
    ------
    DeviceError
        If ``CUDA_VISIBLE_DEVICES`` names a card that is not there or one twice, or numbers cards of several models in
        CUDA's own order, which only CUDA knows.
    """
    if VISIBLE not in environment:
        return tuple(name for card in listed for name in card.names)
    given = environment[VISIBLE].strip()
    if given in HIDDEN:
        return ()
    words = [word.strip() for word in given.split(",")]
    by_number = environment.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" or len({card.model for card in listed}) < 2
    if listed and not by_number and any(word.isdigit() for word in words):
        raise DeviceError(
            f"{VISIBLE}={given}: this machine has cards of several models, which CUDA numbers in another order than "
            "nvidia-smi. Name cards by their UUID (nvidia-smi -L), or set CUDA_DEVICE_ORDER=PCI_BUS_ID too."
        )
    names = tuple(_named(word, listed, given) for word in words) if listed else tuple(words)
    if len(set(names)) < len(names):
        raise DeviceError(f"{VISIBLE}={given}: expected each card once; CUDA would see none.")
    return names


def _named(word: str, listed: Sequence[ListedCard], given: str) -> str:
    """The card that a word of the variable means: a number, or the name of a card or instance or its beginning."""
    if word.isdigit() and int(word) < len(listed):
        return listed[int(word)].names[0]  # of a divided card CUDA shows the first instance
    known = [name for card in listed for name in (card.uuid, *card.instances)]
    found = [name for name in known if word and not word.isdigit() and name.startswith(word)]
    if len(found) != 1:
        there = ", ".join(f"{number} ({card.uuid})" for number, card in enumerate(listed))
        raise DeviceError(f"{VISIBLE}={given}: expected cards of this machine, {there}; found {word!r}.")
    return found[0]


def torch_is_for_cuda() -> bool:
    """Whether the PyTorch that this Python would import is built for CUDA; it is not imported, which takes seconds."""
    found = find_spec("torch")
    if found is None or found.origin is None:
        return False
    version = Path(found.origin).with_name("version.py")
    return version.is_file() and runpy.run_path(str(version)).get("cuda") is not None
