"""The configuration: one closed schema, and sections that become the rooms' ``Params``.

Used by the doorways only (the Snakefile and the command line); rooms get ``Params``.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from pipeline.errors import ConfigError
from pipeline.reachability import PACKAGE_ROOT

DEFAULT_CONFIG = PACKAGE_ROOT.parent / "config" / "config.yaml"
SCHEMA_PATH = PACKAGE_ROOT.parent / "workflow" / "schemas" / "config.schema.yaml"

ParamsT = TypeVar("ParamsT")


def load_config(path: str | Path | None = None, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Default configuration, overlaid by a file and by ``key=value`` settings, checked.

    Parameters
    ----------
    path
        YAML file that need hold only the keys that differ from ``config/config.yaml``.
    settings
        ``section.key=value`` with a YAML value; a key alone is sought in ``training``
        and then in ``splits``.

    Raises
    ------
    ConfigError
        If the file is unreadable or a key or value is not allowed; all faults at once.
    """
    config = _read(DEFAULT_CONFIG)
    if path is not None:
        _overlay(config, _read(Path(path)))
    for setting in settings:
        _overlay(config, _parse_setting(setting))
    check_config(config)
    return config


def check_config(config: Mapping[str, Any]) -> None:
    """Check a whole configuration against the schema.

    Raises
    ------
    ConfigError
        Naming every unknown key and every value that is not allowed.
    """
    errors = sorted(_validator().iter_errors(dict(config)), key=lambda error: list(map(str, error.absolute_path)))
    faults = [fault for error in errors for fault in _describe(error)]
    if faults:
        raise ConfigError(
            "config: " + f"{len(faults)} fault{'s' if len(faults) > 1 else ''}:\n" + "\n".join(f"  {f}" for f in faults)
        )


def params(config: Mapping[str, Any], section: str, kind: type[ParamsT]) -> ParamsT:
    """The ``Params`` of a room from its section of a checked configuration."""
    return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in config[section].items()})


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: expected a YAML file, found: {error}") from error
    if content is not None and not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys and values, found {type(content).__name__}")
    return content or {}


def _overlay(base: dict[str, Any], upper: Mapping[str, Any]) -> None:
    for key, value in upper.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _overlay(base[key], value)
        else:
            base[key] = value


def _parse_setting(setting: str) -> dict[str, Any]:
    name, separator, text = setting.partition("=")
    if not separator:
        raise ConfigError(f"--set {setting}: expected key=value")
    keys = _full_key(name.strip())
    value: Any = yaml.safe_load(text)
    for key in reversed(keys):
        value = {key: value}
    nested: dict[str, Any] = value
    return nested


def _full_key(name: str) -> list[str]:
    properties = _schema()["properties"]
    if "." in name or name in properties:
        return name.split(".")
    for section in ("training", "splits"):
        if name in properties[section]["properties"]:
            return [section, name]
    raise ConfigError(f"--set {name}: no such key in training or splits; write section.key=value")


def _describe(error: ValidationError) -> list[str]:
    place = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        prefix = f"{place}." if place else ""
        unknown = [key for key in error.instance if key not in known]
        return [f"{prefix}{key}: unknown key; known here are {', '.join(known)}" for key in unknown]
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return [f"{place + '.' if place else ''}{key}: missing" for key in missing]
    return [f"{place}: {error.message}; {error.schema.get('description', '').strip()}".rstrip("; ")]


@cache
def _schema() -> dict[str, Any]:
    return _read(SCHEMA_PATH)


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(_schema())
