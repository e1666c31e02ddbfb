"""Tunables: one declaration of a key yields its default, its bounds, its schema and its documentation.

A section of the configuration is a frozen dataclass over ``Tunables``, a key one of its
fields, declared by ``number``, ``whole``, ``choice``, ``flag``, ``text`` or ``listing``::

    class TilingParams(Tunables, section="tiling"):
        tile_px: int = whole(512, 16, 8192, "side of a tile, pixels at mpp")

``pipeline.config`` checks a configuration against these declarations, and
``pipeline.config_files`` writes ``config/config.yaml`` and the schema from them.  Only the
standard library is imported here, because the Snakefile plans in a launcher that may hold
nothing but Snakemake.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, Protocol, get_args

from pipeline.errors import ConfigError

RULE, DESCRIPTION = "rule", "description"

MOST_SHOWN = 200
"""Characters of a value that a message shows."""


class Rule(Protocol):
    """What values a key allows."""

    @property
    def expected(self) -> str:
        """The allowed values in words, as they follow "expected"."""

    def allows(self, value: Any) -> bool:
        """Whether ``value`` is one of them."""

    def schema(self) -> dict[str, Any]:
        """The same as JSON Schema (draft 2020-12)."""


@dataclass(frozen=True)
class Number:
    """Finite numbers of an interval, its ends included unless open."""

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False
    is_whole: bool = False

    @property
    def expected(self) -> str:
        """The interval."""
        kind = "a whole number" if self.is_whole else "a number"
        ends = ("(" if self.open_low else "["), (")" if self.open_high else "]")
        return f"{kind} in {ends[0]}{self.low:g}, {self.high:g}{ends[1]}"

    def allows(self, value: Any) -> bool:
        """Whether ``value`` lies inside; text and booleans are no numbers."""
        if isinstance(value, bool) or not isinstance(value, int if self.is_whole else int | float):
            return False
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        # math.isfinite cannot look at whole numbers beyond what a float holds.
        return abs(value) < math.inf and above and below

    def schema(self) -> dict[str, Any]:
        """Type and bounds."""
        return {
            "type": "integer" if self.is_whole else "number",
            "exclusiveMinimum" if self.open_low else "minimum": self.low,
            "exclusiveMaximum" if self.open_high else "maximum": self.high,
        }


@dataclass(frozen=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    @property
    def expected(self) -> str:
        """The words."""
        return f"one of {', '.join(self.words)}"

    def allows(self, value: Any) -> bool:
        """Whether ``value`` is one of the words."""
        return isinstance(value, str) and value in self.words

    def schema(self) -> dict[str, Any]:
        """The words."""
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class Flag:
    """True or false."""

    expected: ClassVar[str] = "true or false"

    def allows(self, value: Any) -> bool:
        """Whether ``value`` is a boolean."""
        return isinstance(value, bool)

    def schema(self) -> dict[str, Any]:
        """The type."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Text:
    """Text that matches a pattern as a whole; ``words`` say what the pattern asks for."""

    words: str = "text"
    pattern: str = r"[\s\S]*"

    @property
    def expected(self) -> str:
        """What the text must be."""
        return self.words

    def allows(self, value: Any) -> bool:
        """Whether ``value`` is such a text."""
        return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None

    def schema(self) -> dict[str, Any]:
        """The type and, anchored, the pattern."""
        anchored = {} if self.pattern == Text.pattern else {"pattern": f"^(?:{self.pattern})$"}
        return {"type": "string", **anchored}


SOME_TEXT = Text("a text that is not empty", r"[\s\S]+")


@dataclass(frozen=True)
class Listing:
    """A list without repeats, each item by one rule; with ``rising``, numbers that increase."""

    item: Rule
    least: int = 0
    most: int | None = None
    rising: bool = False

    @property
    def expected(self) -> str:
        """Length and items."""
        if self.most == self.least:
            return f"a list of {self.least}{' increasing' if self.rising else ''} items, each {self.item.expected}"
        kind = "a non-empty list" if self.least else "a list"
        return f"{kind} without repeats, each item {self.item.expected}"

    def allows(self, value: Any) -> bool:
        """Whether ``value`` is such a list (or tuple)."""
        if not isinstance(value, list | tuple) or not all(self.item.allows(item) for item in value):
            return False
        fits = self.least <= len(value) <= (len(value) if self.most is None else self.most)
        return fits and len(set(value)) == len(value) and (not self.rising or list(value) == sorted(value))

    def schema(self) -> dict[str, Any]:
        """Items and length; that numbers increase cannot be said."""
        most = {} if self.most is None else {"maxItems": self.most}
        return {"type": "array", "items": self.item.schema(), "minItems": self.least, **most, "uniqueItems": True}


@dataclass(frozen=True)
class OrNull:
    """Whatever a rule allows, or null."""

    rule: Rule

    @property
    def expected(self) -> str:
        """The rule's words, and null."""
        return f"{self.rule.expected}, or null"

    def allows(self, value: Any) -> bool:
        """Whether ``value`` is null or allowed by the rule."""
        return value is None or self.rule.allows(value)

    def schema(self) -> dict[str, Any]:
        """The rule's schema with null beside its type."""
        inner = self.rule.schema()
        return {**inner, "type": [inner["type"], "null"]} if "type" in inner else {"enum": [*inner["enum"], None]}


def tunable(default: Any, rule: Rule, description: str) -> Any:
    """A field of a ``Tunables`` class; ``description`` says meaning, unit and source on one line."""
    return field(default=default, metadata={RULE: rule, DESCRIPTION: description})


def number(default: float, low: float, high: float, description: str, *, open_ends: str = "") -> Any:
    """A number from ``low`` to ``high``; ``open_ends`` names the ends that are refused: low, high or both."""
    is_open = {"": (False, False), "low": (True, False), "high": (False, True), "both": (True, True)}[open_ends]
    return tunable(default, Number(low, high, *is_open), description)


def whole(default: int, low: int, high: int, description: str) -> Any:
    """A whole number from ``low`` to ``high``."""
    return tunable(default, Number(low, high, is_whole=True), description)


def random_seed(description: str) -> Any:
    """The seed of something random."""
    return whole(0, 0, 2**32 - 1, description)


def choice(default: str, words: Any, description: str) -> Any:
    """One word of a ``Literal`` type or of a collection of words."""
    names = tuple(words) if isinstance(words, Collection) else get_args(words)
    return tunable(default, Choice(names), description)


def flag(default: bool, description: str) -> Any:
    """True or false."""
    return tunable(default, Flag(), description)


def text(default: str, description: str, rule: Text = SOME_TEXT) -> Any:
    """Text; not empty unless ``rule`` says otherwise."""
    return tunable(default, rule, description)


def listing(default: tuple[Any, ...], item: Rule, description: str, *, least: int = 0, most: int | None = None) -> Any:
    """A list without repeats of ``least`` to ``most`` items."""
    return tunable(default, Listing(item, least, most), description)


@dataclass(frozen=True)
class Tunables:
    """Base of the sections of the configuration: every value is checked when one is made.

    Raises
    ------
    ConfigError
        If a value is not allowed; names ``section.key``, what was expected and what was given.
    """

    section: ClassVar[str] = ""
    """Name of the section; empty for keys outside any, whose names stand alone."""

    def __init_subclass__(cls, *, section: str | None = None) -> None:
        if section is not None:
            cls.section = section

    def __post_init__(self) -> None:
        for declared in tunables_of(self):
            value = getattr(self, declared.name)
            check(key_of(type(self), declared.name), value, rule_of(declared))
            if isinstance(value, list):
                object.__setattr__(self, declared.name, tuple(value))


def tunables_of(kind: Tunables | type[Tunables]) -> tuple[Field[Any], ...]:
    """The declared keys of a section, in their order."""
    return tuple(declared for declared in fields(kind) if RULE in declared.metadata)


def rule_of(declared: Field[Any]) -> Rule:
    """What a declared key allows."""
    rule: Rule = declared.metadata[RULE]
    return rule


def meaning_of(declared: Field[Any]) -> str:
    """What a declared key is for, its unit and source."""
    description: str = declared.metadata[DESCRIPTION]
    return description


def key_of(kind: type[Tunables], name: str) -> str:
    """A key as the user writes it: ``section.key``."""
    return f"{kind.section}.{name}" if kind.section else name


def check(key: str, value: Any, rule: Rule) -> None:
    """Check one value.

    Raises
    ------
    ConfigError
        If ``rule`` does not allow it.
    """
    if not rule.allows(value):
        raise ConfigError(f"{key}: expected {rule.expected}, found {shown(value)}.")


def shown(value: Any) -> str:
    """A value as a message shows it: as Python writes it, a long one cut."""
    try:
        written = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return written if len(written) <= MOST_SHOWN else f"{written[:MOST_SHOWN]}... ({len(written):,} characters)"


def section_schema(kind: type[Tunables]) -> Mapping[str, Any]:
    """Closed JSON Schema of a section."""
    properties = {
        declared.name: {**rule_of(declared).schema(), DESCRIPTION: meaning_of(declared)}
        for declared in tunables_of(kind)
    }
    return {"type": "object", "additionalProperties": False, "properties": properties}
