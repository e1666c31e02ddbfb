"""The one hierarchy of errors that a user can cause and mend.

Every message names the thing at fault, what was expected, what was found and what to
do.  The command line turns an ``AbignetError`` into one line and exit code 2; anything
else is a defect of ours and keeps its traceback.
"""

import errno
import os
from collections.abc import Sequence
from typing import Literal

MOST_TOLD = 200
"""Faults of a sheet that its message lists; the error holds all."""

OnBadSlide = Literal["stop", "exclude"]
"""What a stage does on ``SlideError``: fail, or write an empty artefact with the error as reason."""

OnBadTile = Literal["stop", "exclude"]
"""What a stage does on ``UnreadableRegionError``: fail the slide, or leave out the tile and go on."""


OnMismatch = Literal["stop", "warn"]
"""What a stage does about slides whose features were made differently: fail, or go on and say so everywhere."""


class AbignetError(Exception):
    """Something the user gave cannot be used; the message says what to do."""


class ConfigError(AbignetError):
    """A configuration key or value is unknown, out of bounds or contradictory."""


class SheetError(AbignetError):
    """A sheet of slides has faults; all of them are listed, each with its row.

    Parameters
    ----------
    sheet
        Path of the sheet as the user gave it.
    faults
        One sentence a fault, in row order.
    """

    def __init__(self, sheet: str, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        count = f"{len(self.faults):,} fault{'s' if len(self.faults) != 1 else ''}"
        told = [f"  {fault}" for fault in self.faults[:MOST_TOLD]]
        more = [f"  and {len(self.faults) - MOST_TOLD:,} more"] if len(self.faults) > MOST_TOLD else []
        super().__init__("\n".join([f"{sheet}: {count}:", *told, *more]))


class SlideError(AbignetError):
    """A slide or image cannot be read or lacks what is needed.

    ``on_bad_slide: exclude`` applies to this error, with those below it, and to no other.
    """


class UnreadableRegionError(SlideError):
    """A box of a slide that can be opened has damaged pixels.

    ``on_bad_tile: exclude`` applies to this error and to no other.
    """


class MissingMppError(AbignetError):
    """A slide has no pixel size, neither in the file nor in the sheet."""


class ArtefactError(AbignetError):
    """A file of the pipeline is missing, foreign, half-written or of another version."""


class ImportedFileError(ArtefactError, SlideError):
    """A file that another tool made of a slide is damaged, or does not hold what it must.

    It stands for the slide that it was made of: ``on_bad_slide: exclude`` applies.
    """


class OutputError(AbignetError):
    """A result cannot be written: no space left, no permission, or the place is taken."""


FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""System errors that only writing meets."""

UNWRITABLE = FULL | {errno.EACCES, errno.EPERM, errno.EIO, errno.ENAMETOOLONG}
"""System errors that are about where a result goes, not about how it is made."""

TAKEN = frozenset({errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY})
"""System errors of a place where something else stands, such as a file where a folder is needed."""


def refused_place(error: OSError) -> OutputError | None:
    """What the system refused as an error that the user can mend; None where it is a defect of ours."""
    is_named = error.errno in UNWRITABLE | TAKEN and error.filename is not None
    if not is_named and error.errno not in FULL:
        return None
    place = "a result cannot be written" if error.filename is None else error.filename
    return OutputError(
        f"{place}: {os.strerror(error.errno or 0)}. Make room, mend the permissions or choose another place."
    )


class WeightsError(AbignetError):
    """Network weights are missing, corrupt or of another architecture."""


class CohortError(AbignetError):
    """The cohort cannot be split or trained on as asked."""


class NotApplicableError(CohortError):
    """A method cannot be used on these slides, though others can."""


class MissingPackageError(AbignetError):
    """Something needs an optional package that is not installed."""


class DivergenceError(CohortError):
    """The loss of a training is no longer finite."""


class DeviceError(AbignetError):
    """The requested device is not available."""


class ClusterError(AbignetError):
    """SLURM does not answer, or does not do what it is asked for."""


def first_line(error: Exception) -> str:
    """What an error of a library says, without what follows in further lines; its name where it says nothing."""
    return str(error).partition("\n")[0] or type(error).__name__
