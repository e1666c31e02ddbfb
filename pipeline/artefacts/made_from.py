"""Whether artefacts of one slide were made from each other, by the digests that their headers record."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.artefacts.remedies import damaged
from pipeline.logs import get_logger

log = get_logger("artefacts")

_said: set[str] = set()


def check_made_from(
    kind: str, path: str | Path, recorded: Mapping[str, str], inputs: Mapping[str, str | Path], found: Mapping[str, str]
) -> None:
    """Check that an artefact was made from the files that are used beside it.

    One that does not record what it was made from is taken as it is; the first of its kind is told.

    Parameters
    ----------
    kind, path
        The artefact.
    recorded
        Digests of its inputs, by role, as its header has them.
    inputs
        The files beside it, by role.
    found
        Their digests.

    Raises
    ------
    ArtefactError
        If one of them is another file; names both files and both digests.
    """
    for role, beside in inputs.items():
        if role not in recorded:
            _say_unrecorded(kind, path, role)
        elif recorded[role] != found[role]:
            raise damaged(
                kind,
                path,
                f"it was made from other {role} than {beside}: expected those with digest {recorded[role]}, "
                f"found {found[role]}",
            )


def _say_unrecorded(kind: str, path: str | Path, role: str) -> None:
    if f"{kind} {role}" not in _said:
        _said.add(f"{kind} {role}")
        log.warning(
            "%s does not record which %s it was made from, and is taken as it is; so are other such files, "
            "which are not named.",
            *(path, role),
        )
