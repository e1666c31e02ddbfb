"""Where a job keeps the state from which it goes on after a kill, and what makes that state its own."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.logs import get_logger

log = get_logger("resume")


def resume_key(made_by: Mapping[str, Any]) -> str:
    """Digest of everything that a job's result depends on, 16 hex digits; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:16]


def resume_folder(folder: str | Path | None, made_by: Mapping[str, Any]) -> Path | None:
    """Folder of a job's state, not created; state of any other making is removed and said so.

    Parameters
    ----------
    folder
        Where all state of this one job lies; None keeps none.
    made_by
        Everything that the result depends on: parameters, source, inputs, and what the user
        wants done about damage.
    """
    if folder is None:
        return None
    own = Path(folder) / resume_key(made_by)
    for other in own.parent.iterdir() if own.parent.is_dir() else ():
        if other != own:
            log.info("%s was left by another configuration, input or source: not gone on from", other)
            _remove(other)
    return own


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
