"""State of a training on disk, so that a killed job goes on where it stood and ends with the same bytes.

A command of several trainings also leaves a mark for each that is complete, so that it
need not be repeated when the command was killed in a later one.
"""

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.resume_key import resume_folder
from pipeline.artefacts.torch_file import read_unfinished, write_torch
from pipeline.provenance import file_digest

PART_SECONDS = 60.0
"""Work that a kill can cost, beside the epoch that it interrupts."""

STATE = "state.pt"
"""Name of the state of a training that is not complete."""

FINISHED = "finished"
"""Name of the mark of one that is."""

State = dict[str, Any]
"""Tensors, numbers and text, nested in dicts and lists."""


class Resumable(Protocol):
    """Where the state of a training is read from and kept; see ``UnfinishedFit``."""

    def read(self, device: torch.device) -> State | None:
        """The state to go on from."""

    def offer(self, state: Callable[[], State]) -> None:
        """Keep ``state()`` if it is time."""


class UnfinishedFit:
    """The state of one training after some epoch.

    Parameters
    ----------
    folder
        Where the state of this training alone lies; None keeps none.
    made_by
        Everything that the training depends on; a state made by anything else is removed.
    """

    def __init__(self, folder: str | Path | None, made_by: Mapping[str, Any]) -> None:
        self._written_at = time.monotonic()
        self._folder = resume_folder(folder, made_by)

    def read(self, device: torch.device) -> State | None:
        """The state last written; see ``read_unfinished``."""
        state: State | None = None if self._state is None else read_unfinished(self._state, device)
        return state

    def offer(self, state: Callable[[], State]) -> None:
        """Write ``state()`` if the last writing lies ``PART_SECONDS`` back."""
        if self._state is None or time.monotonic() - self._written_at < PART_SECONDS:
            return
        write_torch(self._state, state())
        self._written_at = time.monotonic()

    def finish(self, results: Path) -> None:
        """Put the digest of the folder ``results``, which is now complete, in the place of the state."""
        if self._folder is not None and self._state is not None:
            with writing(self._folder / FINISHED) as temporary:
                temporary.write_text(file_digest(results))
            self._state.unlink(missing_ok=True)

    def is_finished(self, results: Path) -> bool:
        """Whether ``results`` are, to the byte, those that this training has written."""
        if self._folder is None or not results.is_dir():
            return False
        mark = self._folder / FINISHED
        return mark.is_file() and mark.read_bytes() == file_digest(results).encode()

    def remove(self) -> None:
        """Forget everything: nothing is left to go on with."""
        if self._folder is not None:
            shutil.rmtree(self._folder.parent, ignore_errors=True)

    @property
    def _state(self) -> Path | None:
        return None if self._folder is None else self._folder / STATE
