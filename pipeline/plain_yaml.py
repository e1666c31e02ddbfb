"""YAML files that users write, read as plain values, with what YAML takes unheard told.

YAML 1.1 keeps the last of two equal keys, reads ``0512`` as 330 and ``8:32`` as 512, and lets
a page of text unfold to more values than memory holds.  Here each is a fault that names its
line, as are keys that are no text.
"""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from pipeline.artefacts.regular_files import read_user_text
from pipeline.errors import ConfigError

MOST_BYTES = 250_000
"""Guard: a configuration is a few pages of text; a larger file is none."""

MOST_VALUES = 10_000
"""Guard: values of a configuration, aliases counted each time, so that a small file cannot unfold to a huge one."""

MOST_DEPTH = 20
"""Guard: levels of nesting; the deepest key has three."""

PLAIN_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,39})")

UNPRINTED = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f\\ud800-\\udfff]")
"""Control characters and halves of characters, which neither a page nor a name of a file holds."""


def read_yaml(path: str | Path) -> Any:
    """Plain values of a YAML file.

    Raises
    ------
    ConfigError
        If it is unreadable, no YAML, or no plain configuration; see ``parse_yaml``.
    """
    try:
        return parse_yaml(read_user_text(path, MOST_BYTES))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: expected a YAML file in UTF-8, found: {error}") from error


def parse_yaml(text: str) -> Any:
    """Plain values of a YAML text.

    Raises
    ------
    ValueError
        If it is no YAML, names a key twice or by anything but text, holds a number that is not
        written in plain digits, or unfolds to more than a configuration can be.
    """
    try:
        content = yaml.load(text, _PlainLoader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError(f"more than {MOST_DEPTH} levels of nesting") from error
    except (TypeError, AttributeError, LookupError) as error:
        # PyYAML takes a text behind an explicit tag, such as !!timestamp, for what the tag says.
        raise ValueError(f"a value that is not of the type its tag says ({error})") from error
    if fault := unplain(content):
        raise ValueError(fault)
    return content


def unplain(content: Any) -> str | None:
    """Why nested values are no configuration, however they came to be; None where they are one."""
    ahead = [(content, 0)]
    n_values = 0
    while ahead:
        value, depth = ahead.pop()
        n_values += 1
        if n_values > MOST_VALUES or depth > MOST_DEPTH:
            return f"more than {MOST_VALUES:,} values or {MOST_DEPTH} levels of nesting"
        if isinstance(value, str) and UNPRINTED.search(value):
            return f"text with control characters or half a character: {value[:60]!a}"
        children = [*value, *value.values()] if isinstance(value, dict) else value
        ahead += [(child, depth + 1) for child in children] if isinstance(children, list | tuple) else []
    return None


class _PlainLoader(yaml.SafeLoader):
    """``yaml.SafeLoader`` that takes nothing unheard."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping whose keys are text, each once."""
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.tag != "tag:yaml.org,2002:str":
                raise _fault("a key that is no text; write it in quotes", key)
            if key.value in lines:
                raise _fault(f"key {key.value[:60]!r} twice, first in line {lines[key.value]}; delete one", key)
            lines[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """A whole number in decimal digits: none in base 2, 8, 16 or 60."""
        if PLAIN_INTEGER.fullmatch(node.value) is None:
            raise _fault(f"the number {node.value[:60]!r}; write it in plain decimal digits", node)
        return int(node.value)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """A number without underscores, not in base 60."""
        if "_" in node.value or ":" in node.value:
            raise _fault(f"the number {node.value[:60]!r}; write it in plain decimal digits", node)
        return float(super().construct_yaml_float(node))


def _fault(found: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, found, node.start_mark)


for _kind in ("int", "float"):
    _PlainLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", getattr(_PlainLoader, f"construct_yaml_{_kind}"))
