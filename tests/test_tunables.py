import math
import re
from dataclasses import dataclass
from typing import Literal

import pytest
from jsonschema import Draft202012Validator

from pipeline.errors import ConfigError
from pipeline.tunables import (
    Choice,
    Flag,
    Listing,
    Number,
    OrNull,
    Text,
    Tunables,
    choice,
    flag,
    listing,
    number,
    random_seed,
    section_schema,
    shown,
    text,
    tunables_of,
    whole,
)

COLOURS = Choice(("red", "blue"))
RULES = {
    "closed interval": (Number(0, 1), [0, 0.5, 1, 1.0], [-0.1, 1.1, "1", None, True]),
    "open interval": (Number(0, 1, open_low=True, open_high=True), [0.5], [0, 1]),
    "half open interval": (Number(0, 1, open_high=True), [0], [1]),
    "whole number": (Number(1, 9, is_whole=True), [1, 9], [0, 10, 3.5, False]),
    "choice": (COLOURS, ["red"], ["green", None, 1, ["red"]]),
    "flag": (Flag(), [True, False], [0, 1, "true", None]),
    "any text": (Text(), ["", "a\nb"], [1, None]),
    "name": (Text("a name", "[a-z]+"), ["ab"], ["", "aB", " ab", 1]),
    "list": (Listing(COLOURS, least=1), [["red"], ["blue", "red"]], [[], ["red", "red"], ["green"], "red", None]),
    "long list": (Listing(Number(0, 9), most=2), [[], [1, 2]], [[1, 2, 3]]),
    "null or number": (OrNull(Number(0, 1)), [None, 0.5], [2, "x"]),
    "null or choice": (OrNull(COLOURS), [None, "red"], ["green"]),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_and_its_schema_allow_the_same(name):
    rule, allowed, refused = RULES[name]
    validator = Draft202012Validator(rule.schema())
    for value in allowed:
        assert rule.allows(value), value
        assert validator.is_valid(value), value
    for value in refused:
        assert not rule.allows(value), value
        assert not validator.is_valid(value), value


def test_a_name_ends_where_its_pattern_does():
    assert not Text("a name", "[a-z]+").allows("ab\n")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_are_finite(value):
    assert not Number(-math.inf, math.inf).allows(value)


def test_whole_numbers_have_no_bound_in_yaml():
    assert not Number(0, 10, is_whole=True).allows(10**400)
    assert not Number(0, 10).allows(-(10**400))


def test_a_whole_number_is_no_fraction_that_happens_to_be_whole():
    assert not Number(1, 9, is_whole=True).allows(3.0)


def test_rising_numbers_increase():
    rule = Listing(Number(0, 9), least=3, most=3, rising=True)
    assert rule.allows((1, 2, 3))
    assert not rule.allows((1, 3, 2))
    assert not rule.allows((1, 2))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Number(0, 1), "a number in [0, 1]"),
        (Number(0, 1, open_low=True), "a number in (0, 1]"),
        (Number(0, 1, open_high=True), "a number in [0, 1)"),
        (Number(1, 9, is_whole=True), "a whole number in [1, 9]"),
        (COLOURS, "one of red, blue"),
        (OrNull(Flag()), "true or false, or null"),
        (Listing(COLOURS, least=1), "a non-empty list without repeats, each item one of red, blue"),
    ],
)
def test_what_is_expected_is_said_in_words(rule, expected):
    assert rule.expected == expected


Size = Literal["small", "large"]


@dataclass(frozen=True)
class Paint(Tunables, section="paint"):
    width_um: float = number(1.0, 0, 10, "um", open_ends="low")
    coats: int = whole(2, 1, 5, "how often")
    size: Size = choice("small", Size, "of the brush")
    glossy: bool = flag(False, "whether it shines")
    name: str = text("oak", "of the colour")
    stains: tuple[str, ...] = listing((), COLOURS, "below it")
    seed: int = random_seed("of the drops")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("width_um", 0),
        ("coats", 2.5),
        ("size", "huge"),
        ("glossy", 1),
        ("name", ""),
        ("stains", ["green"]),
        ("seed", -1),
    ],
)
def test_a_value_that_is_not_allowed_names_section_and_key(key, value):
    with pytest.raises(ConfigError, match=rf"^paint\.{key}: expected .*, found {re.escape(repr(value))}\.$"):
        Paint(**{key: value})


def test_lists_become_tuples_so_that_a_section_can_be_hashed():
    paint = Paint(stains=["red", "blue"])
    assert paint.stains == ("red", "blue")
    assert hash(paint) == hash(Paint(stains=("red", "blue")))


def test_a_schema_is_closed_and_describes_every_key():
    schema = section_schema(Paint)
    assert schema["additionalProperties"] is False
    assert list(schema["properties"]) == [key.name for key in tunables_of(Paint)]
    assert schema["properties"]["size"] == {"enum": ["small", "large"], "description": "of the brush"}
    assert schema["properties"]["width_um"] == {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 10,
        "description": "um",
    }


def test_a_value_is_shown_as_python_writes_it_and_a_long_one_cut():
    assert shown([1, "a"]) == "[1, 'a']"
    assert shown("x" * 1000).endswith("... (1,002 characters)")
    assert len(shown("x" * 1000)) < 240
    assert shown(10**6000) == "a number of thousands of digits"


@pytest.mark.parametrize("value", [10**400, -(10**400), float("nan"), float("inf"), True, "1"])
def test_no_number_is_no_number_of_an_interval(value):
    assert not Number(0, 10).allows(value)
    assert not Number(0, 10, is_whole=True).allows(value)
