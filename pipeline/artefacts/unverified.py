"""Files that carry no digest are read, and said to be read, unverified: once, not file by file."""

from pathlib import Path

from pipeline.logs import get_logger

BEFORE_DIGESTS = "was written before abignet's files carried digests (format version 1)"
FOREIGN = "was written by another tool, or put there by hand"

log = get_logger("artefacts")

_said: set[str] = set()


def say_unverified(path: str | Path, why: str) -> None:
    """Warn that the file at ``path`` cannot be verified; the first of those with the same ``why`` speaks for all."""
    if why in _said:
        return
    _said.add(why)
    log.warning(
        "%s %s: it carries no digest and is read unverified, as are all other such files, which are not named. "
        "Files that this abignet makes are verified.",
        path,
        why,
    )
