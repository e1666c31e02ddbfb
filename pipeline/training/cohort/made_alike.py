"""Whether the features of slides that are used together were made alike."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.artefacts.feature_making import (
    MISMATCHES,
    KnownMaking,
    Making,
    differences,
    known_making,
    prevailing_making,
    unrecorded,
)
from pipeline.errors import CohortError, OnMismatch
from pipeline.logs import get_logger

log = get_logger("training")

MOST_TOLD = 10
"""Slides that a message names one by one."""

WAYS_OUT = (
    "Compute the features of all slides with one configuration. With on_mismatch: warn (`--set on_mismatch=warn`; "
    "`--on-mismatch warn` of `abignet predict`) they are used all the same, and log, provenance and report say so."
)


def check_made_alike(makings: Mapping[str, Making], on_mismatch: OnMismatch) -> tuple[str, ...]:
    """Check that the features of slides to be trained on together were made alike.

    Parameters
    ----------
    makings
        What is recorded of each slide with patches.
    on_mismatch
        ``warn`` logs what differs instead of raising.

    Returns
    -------
    A sentence a slide that differs from the value that prevails.

    Raises
    ------
    CohortError
        With these sentences.
    """
    expected = prevailing_making(makings.values())
    _say_unrecorded(makings, known_making(makings.values()))
    found = "The features of slides to be trained on together were made differently"
    return _judged(makings, expected, found, on_mismatch)


def check_made_as(
    makings: Mapping[str, Making], expected: KnownMaking | None, model_path: str | Path, on_mismatch: OnMismatch
) -> tuple[str, ...]:
    """Check that the features of slides were made as those that a model was trained on.

    Parameters
    ----------
    expected
        As the model records it; one that records nothing is told and taken as it is.

    Returns
    -------
    A sentence a slide that differs.

    Raises
    ------
    CohortError
        With these sentences, if ``on_mismatch`` is ``stop``.
    """
    if not expected:
        log.warning(
            "%s does not record how the features that it was trained on were made, because %s; those of slides are "
            "not compared with them.",
            *(model_path, "an earlier abignet wrote it" if expected is None else "their files did not tell"),
        )
        return ()
    _say_unrecorded(makings, expected)
    return _judged(makings, expected, f"Slides differ from those that {model_path} was trained on", on_mismatch)


def noted_mismatches(mismatches: Sequence[str]) -> dict[str, list[str]]:
    """The part of a provenance that tells of ``mismatches``; nothing where there is none."""
    return {MISMATCHES: list(mismatches)} if mismatches else {}


def _judged(
    makings: Mapping[str, Making], expected: KnownMaking, found: str, on_mismatch: OnMismatch
) -> tuple[str, ...]:
    clauses = {slide_id: differences(making, expected) for slide_id, making in makings.items()}
    sentences = tuple(f"slide {slide_id}: {'; '.join(told)}" for slide_id, told in clauses.items() if told)
    if not sentences:
        return ()
    more = [f"and {len(sentences) - MOST_TOLD} more"] if len(sentences) > MOST_TOLD else []
    message = f"{found} ({len(sentences)} of {len(makings)}):\n" + "\n".join(
        f"  {line}" for line in (*sentences[:MOST_TOLD], *more)
    )
    if on_mismatch == "stop":
        raise CohortError(f"{message}\n{WAYS_OUT}")
    log.warning("%s\nThey are used all the same (on_mismatch: warn).", message)
    return sentences


def _say_unrecorded(makings: Mapping[str, Making], expected: KnownMaking) -> None:
    """Say once which slides do not record what others do."""
    lacking = {slide_id: missing for slide_id, making in makings.items() if (missing := unrecorded(making, expected))}
    if lacking:
        slide_id, missing = next(iter(lacking.items()))
        log.warning(
            "%d of %d slides do not record how their features were made and are taken as they are; slide %s does not "
            "tell %s.",
            *(len(lacking), len(makings), slide_id, ", ".join(missing)),
        )
