"""Write ``config/config.yaml`` and the schemas from the declared keys: ``python -m pipeline.config_files``.

The three files are documentation: for readers, for editors that know JSON Schema, and for
``snakemake --configfile``.  Nothing reads them to know what is allowed.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.artefacts.sheet_columns import COLUMNS
from pipeline.config import default_config
from pipeline.config_keys import LAYOUT, SECTION_NOTES, SECTIONS, RunKeys
from pipeline.reachability import PACKAGE_ROOT
from pipeline.training.methods.presets import FAMILIES, METHODS
from pipeline.training.params import SAME_FOR_ALL, Settings
from pipeline.tunables import Tunables, meaning_of, section_schema, tunables_of

ROOT = PACKAGE_ROOT.parent
DRAFT = "https://json-schema.org/draft/2020-12/schema"
GENERATED = "# Written by `python -m pipeline.config_files` from the declared keys; edit those.\n"

OPENING = """\
# The configuration, with every key, its unit, its source and when to change it.
# A run of your own needs a file with only the keys that differ:
#   snakemake --configfile my.yaml --cores 8
# An unknown key or a value out of bounds stops the run and names itself.
"""

RULE_WIDTH = 64
"""Dashes before a heading."""

COMMENT_COLUMN = 29
"""Where comments begin, unless a value is longer."""

SCHEMA_WIDTH, ONE_LINE = 120, 10_000


def config_text() -> str:
    """``config/config.yaml``: every key with its default and its meaning."""
    kinds: Mapping[str, type[Tunables]] = {"": RunKeys, **SECTIONS}
    meanings = {
        kind.section + "." + key.name: meaning_of(key) + _own_values(kind, key.name)
        for kind in kinds.values()
        for key in tunables_of(kind)
    }
    lines = [GENERATED + OPENING]
    for heading, names in LAYOUT:
        lines.append(f"# {'-' * RULE_WIDTH} {heading}")
        lines += [line for name in names for line in _key_lines(name, meanings)]
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def config_schema_text() -> str:
    """``workflow/schemas/config.schema.yaml``."""
    top = section_schema(RunKeys)["properties"]
    sections = {section: section_schema(kind) for section, kind in SECTIONS.items()}
    names = [name for _, group in LAYOUT for name in group]
    return _schema_text(
        title="Configuration of abignet",
        description="Closed: an unknown key is an error. config/config.yaml is the documentation.",
        required=names,
        properties={name: (top | sections)[name] for name in names},
    )


def sheet_schema_text() -> str:
    """``workflow/schemas/slides.schema.yaml``."""
    return _schema_text(
        title="One row of the sheet of slides",
        description="Empty cells are absent. Paths are relative to the sheet. Every row needs `path`, `features` or "
        "`nuclei`.",
        required=["slide_id"],
        properties={name: {**c.rule.schema(), "description": c.description} for name, c in COLUMNS.items()},
    )


FILES = {
    "config/config.yaml": config_text,
    "workflow/schemas/config.schema.yaml": config_schema_text,
    "workflow/schemas/slides.schema.yaml": sheet_schema_text,
}
"""Generated files of a checkout, each with the function that gives its text."""


def write_config_files(root: Path = ROOT) -> None:
    """Write every generated file below ``root``."""
    for name, text in FILES.items():
        (root / name).write_text(text(), encoding="utf-8")


def _key_lines(name: str, meanings: Mapping[str, str]) -> Iterator[str]:
    value = default_config()[name]
    if name not in SECTIONS:
        yield _commented(f"{name}: {_yaml(value)}", meanings[f".{name}"])
        return
    yield _commented(f"{name}:", SECTION_NOTES[name]) if name in SECTION_NOTES else f"{name}:"
    for key, default in value.items():
        yield _commented(f"  {key}: {_yaml(default)}", meanings[f"{name}.{key}"])


def _own_values(kind: type[Tunables], key: str) -> str:
    """The methods' own values of a training key whose default is null."""
    if kind.section != "training" or key in SAME_FOR_ALL or key not in {s.name for s in tunables_of(Settings)}:
        return ""
    own = {name: getattr(spec.settings, key) for name, spec in METHODS.items()}
    others = {name: value for name, value in own.items() if value != own["default"]}
    for family, members in FAMILIES.items():
        alike = len({own[name] for name in members}) == 1
        if alike and members[0] in others:
            others = {name: value for name, value in others.items() if name not in members} | {family: own[members[0]]}
    words = [f"{name} {_yaml(value)}" for name, value in {"default": own["default"], **others}.items()]
    return f" ({', '.join(words)})"


def _commented(line: str, comment: str) -> str:
    return f"{line:<{COMMENT_COLUMN - 1}} # {comment}"


def _yaml(value: Any) -> str:
    plain: str = yaml.safe_dump(value, default_flow_style=True, width=ONE_LINE)
    return plain.removesuffix("\n...\n").strip().replace("''", '""')


def _schema_text(**content: Any) -> str:
    schema = {"$schema": DRAFT, **content, "type": "object", "additionalProperties": False}
    return GENERATED + yaml.safe_dump(schema, sort_keys=False, allow_unicode=True, width=SCHEMA_WIDTH)


if __name__ == "__main__":
    write_config_files()
