"""Nuclei of finished blocks on disk, so that a killed job goes on where it stood and ends with the same table."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.parquet_seal import check_pages, read_seal, write_seal
from pipeline.artefacts.resume_key import resume_folder
from pipeline.logs import get_logger

PART_SECONDS = 30.0
"""Work that a kill can cost; a part is a few megabytes, written in a fraction of a second."""

ATTRIBUTES = "abignet"
"""Key of a part's facts among the attributes of its frame."""

logger = get_logger("nuclei")


class FinishedBlocks:
    """What has been found in the first blocks of a slide, in parts of ``PART_SECONDS`` of work.

    Parameters
    ----------
    folder
        Where parts of this slide lie; None keeps nothing.
    made_by
        Everything that the nuclei depend on, ``on_bad_tile`` among it; parts made by anything else are removed.

    Attributes
    ----------
    owned
        Nuclei of each block or part, in the order in which they were found; see ``ownership.owned_nuclei``.
    n_blocks
        Blocks that are finished; a part ends with the last of a batch, so that the batches after it
        are the same whether or not the job was interrupted.
    unreadable
        Block of each row of the tile table that could not be read; reading is ahead, so some may lie
        beyond ``n_blocks``.
    """

    def __init__(self, folder: Path | None, made_by: Mapping[str, Any]) -> None:
        self.owned: list[pd.DataFrame] = []
        self.n_blocks = 0
        self.unreadable: dict[int, int] = {}
        self._n_written = self._n_blocks_written = 0
        self._written_at = time.monotonic()
        self._folder = resume_folder(folder, made_by)
        if self._folder is not None:
            self._restore(self._folder)

    def add(self, owned: pd.DataFrame, n_blocks: int) -> None:
        """Take the nuclei of the next block; with them all is found in the first ``n_blocks``."""
        self.owned.append(owned)
        ends_batch = n_blocks > self.n_blocks
        self.n_blocks = n_blocks
        if ends_batch and time.monotonic() - self._written_at >= PART_SECONDS:
            self._write()

    def remove(self) -> None:
        """Forget the parts: the table is written."""
        if self._folder is not None:
            shutil.rmtree(self._folder.parent, ignore_errors=True)

    def _write(self) -> None:
        self._written_at = time.monotonic()
        if self._folder is None:
            return
        nuclei = pd.concat([part for part in self.owned[self._n_written :] if len(part)] or self.owned[-1:])
        nuclei.attrs[ATTRIBUTES] = {
            "after": self._n_blocks_written,
            "n_blocks": self.n_blocks,
            "unreadable": [[row, block] for row, block in self.unreadable.copy().items() if block < self.n_blocks],
        }
        with writing(self._folder / f"{self.n_blocks:09d}.parquet") as temporary:
            nuclei.to_parquet(temporary)
            write_seal(temporary)
        self._n_written, self._n_blocks_written = len(self.owned), self.n_blocks

    def _restore(self, folder: Path) -> None:
        paths = sorted(folder.glob("*.parquet"))
        for place, path in enumerate(paths):
            part = _read_part(path, self.n_blocks)
            if part is None:
                logger.warning(
                    "%s and %d parts after it are not gone on from: made again", path, len(paths) - place - 1
                )
                for lost in paths[place:]:
                    lost.unlink(missing_ok=True)
                break
            facts = part.attrs.pop(ATTRIBUTES)
            self.owned.append(part)
            self.n_blocks, self.unreadable = int(facts["n_blocks"]), dict(facts["unreadable"])
        self._n_written, self._n_blocks_written = len(self.owned), self.n_blocks
        if self.n_blocks:
            logger.info("goes on after %d finished blocks of tiles", self.n_blocks)


def _read_part(path: Path, after: int) -> pd.DataFrame | None:
    """A part as it was written; None of one that is damaged or does not follow on the first ``after`` blocks."""
    try:
        seal = read_seal(path)
        if seal is None:
            return None
        check_pages(path, seal)
        part = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        logger.warning("%s is damaged: %s", path, error)
        return None
    return part if part.attrs[ATTRIBUTES]["after"] == after else None
