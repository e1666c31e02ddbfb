"""The columns of node features: one list for a whole cohort."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from pipeline.errors import CohortError


def common_feature_names(names: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Feature names that all of ``names`` (by slide) share; none without slides.

    Raises
    ------
    CohortError
        Naming the slide that differs from the first one, and the first difference.
    """
    if not names:
        return ()
    first_id, first = next(iter(names.items()))
    for slide_id, own in names.items():
        check_feature_names(own, first, f"slide {slide_id}", f"slide {first_id}")
    return first


def check_feature_names(names: Sequence[str], expected: Sequence[str], place: str, expected_place: str) -> None:
    """Check that two lists of feature names are equal.

    Parameters
    ----------
    place, expected_place
        What has ``names`` and what has ``expected``, as the message calls them.

    Raises
    ------
    CohortError
        With the numbers of features and the first one that differs.
    """
    if tuple(names) == tuple(expected):
        return
    pairs = zip_longest(names, expected)
    column, (name, wanted) = next((column, pair) for column, pair in enumerate(pairs) if pair[0] != pair[1])
    raise CohortError(
        f"{place}: its {len(names)} features are not the {len(expected)} of {expected_place}: feature {column} is "
        f"{name or 'missing'!r} instead of {wanted or 'nothing'!r}. "
        "Compute the features of all slides with one configuration."
    )
