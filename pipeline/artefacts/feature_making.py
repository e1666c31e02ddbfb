"""How the features of a slide were made: facts that its cache records, and that slides used together share."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Making = Mapping[str, Any]
"""Facts by name, that of their configuration key where they have one; what is not recorded is missing."""

KnownMaking = Mapping[str, Sequence[Any]]
"""By fact the values that features of a whole cohort were made with; several only where that was allowed."""

SIZES = ("tile_width_um", "mpp")
"""Facts of which slides may differ a little."""

SIZE_TOLERANCE = 0.1
"""Relative difference of sizes that counts as none: tools tile by magnification, and 20x is 0.46 to 0.51 um/px."""

STAGES = ("nuclei", "cell_graphs", "features")
"""Stages whose parameters are facts."""

NO_FACT = frozenset(
    {
        "nuclei.weights",  # the name; their digest is a fact
        "nuclei.runtime",
        "nuclei.precision",
        "nuclei.halo_um",
        "nuclei.block_px",
        "nuclei.batch_size",
        "nuclei.stain_tiles",
        "nuclei.seed",
        "nuclei.threads",
        "features.embedding",
    }
)
"""Parameters that say how work is done and not what comes out, beyond last digits."""

FACT_OF_KEY = {"nuclei.imported_from": "nuclei.segmenter"}
"""Fact that a parameter tells: nuclei of another program were segmented by it."""

MISMATCHES = "mismatches"
"""Key of a provenance: slides that were used although their features were made differently, a sentence each."""

NUCLEI, NODE_FEATURES = "nuclei", "features"
"""What is made by a network, as keys of a cache's ``networks``; an embedding is ``embeddings/{name}``."""


def making_of(cache: Mapping[str, Any], embeddings: Iterable[str] = ()) -> dict[str, Any]:
    """Facts that a feature cache records.

    Parameters
    ----------
    cache
        Attributes of the cache: ``mpp``, ``tile_px``, ``params`` by stage and ``networks``, as far as they are there.
    embeddings
        Names of the embeddings that are used beside the features.
    """
    making: dict[str, Any] = {}
    mpp, tile_px = cache.get("mpp"), cache.get("tile_px")
    if mpp is not None:
        making["mpp"] = float(mpp)
        if tile_px is not None:
            making["tile_width_um"] = round(float(mpp) * tile_px, 6)
    params, networks = (_mapping(cache.get(name)) for name in ("params", "networks"))
    keys = ((f"{stage}.{key}", value) for stage in STAGES for key, value in _mapping(params.get(stage)).items())
    making |= {FACT_OF_KEY.get(key, key): value for key, value in keys if key not in NO_FACT}
    facts = {NUCLEI: "nuclei.weights_digest", NODE_FEATURES: "encoder"}
    facts |= {role: f"encoder of {role}" for role in (f"embeddings/{name}" for name in embeddings)}
    return making | {fact: networks[role] for role, fact in facts.items() if role in networks}


def known_making(makings: Iterable[Making]) -> dict[str, list[Any]]:
    """By fact the distinct values of several slides, in the order of their first."""
    known: dict[str, list[Any]] = {}
    for making in makings:
        for fact, value in making.items():
            values = known.setdefault(fact, [])
            if not any(_is_same(fact, value, other) for other in values):
                values.append(value)
    return known


def prevailing_making(makings: Iterable[Making]) -> dict[str, list[Any]]:
    """By fact the value that most slides share; of equally many the first."""
    all_makings = list(makings)
    prevailing = {}
    for fact, values in known_making(all_makings).items():
        stated = [making[fact] for making in all_makings if fact in making]
        votes = Counter(next(i for i, v in enumerate(values) if _is_same(fact, value, v)) for value in stated)
        prevailing[fact] = [values[max(votes, key=lambda i: (votes[i], -i))]]
    return prevailing


def differences(making: Making, expected: KnownMaking) -> list[str]:
    """What differs from what is ``expected``, a clause a fact with both values; facts not recorded do not."""
    return [
        f"{fact} is {_in_words(making[fact])}, not {' or '.join(map(_in_words, values))}"
        for fact, values in expected.items()
        if fact in making and not any(_is_same(fact, making[fact], value) for value in values)
    ]


def unrecorded(making: Making, expected: KnownMaking) -> list[str]:
    """Facts of ``expected`` that ``making`` does not record."""
    return [fact for fact in expected if fact not in making]


def _is_same(fact: str, value: Any, other: Any) -> bool:
    if fact in SIZES:
        return bool(abs(value - other) <= SIZE_TOLERANCE * max(abs(value), abs(other)))
    return json.dumps(value) == json.dumps(other)


def _in_words(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
