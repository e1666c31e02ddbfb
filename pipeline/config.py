"""The configuration: one closed contract, and sections that become the rooms' ``Params``.

Used by the doorways only (the Snakefile and the command line); rooms get ``Params``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pipeline.config_keys import SECTIONS, RunKeys
from pipeline.errors import ConfigError
from pipeline.plain_yaml import parse_yaml, read_yaml, unplain
from pipeline.tunables import MOST_SHOWN, Tunables, key_of, meaning_of, rule_of, shown, tunables_of

ParamsT = TypeVar("ParamsT")


def default_config() -> dict[str, Any]:
    """Every key with its default, as YAML would give it: lists, not tuples."""
    config = _defaults(RunKeys)
    return config | {section: _defaults(kind) for section, kind in SECTIONS.items()}


def load_config(
    path: str | Path | None = None,
    settings: Sequence[str] = (),
    values: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Default configuration, overlaid by a file, by ``key=value`` settings and by values, checked.

    Parameters
    ----------
    path
        YAML file that need hold only the keys that differ from ``config/config.yaml``.
    settings
        ``section.key=value`` with a YAML value; a key alone is sought in ``training``
        and then in ``splits``.
    values
        Values as they are, by ``section.key``.

    Raises
    ------
    ConfigError
        If the file is unreadable or a key or value is not allowed; all faults at once.
    """
    config = default_config()
    if path is not None:
        _overlay(config, _read(Path(path)))
    for setting in settings:
        _overlay(config, _parse_setting(setting))
    for name, value in values.items():
        _overlay(config, _nested(name.split("."), value))
    check_config(config)
    return config


def check_config(config: Mapping[str, Any]) -> None:
    """Check a whole configuration against the declared keys.

    Raises
    ------
    ConfigError
        Naming every unknown or missing key and every value that is not allowed.
    """
    if fault := unplain(config):
        raise ConfigError(f"config: expected a configuration, found {fault}")
    faults = [*_key_faults(RunKeys, config, known_beside=SECTIONS), *_section_faults(config)]
    if not faults:
        faults = [str(error) for kind in SECTIONS.values() if (error := _joint_fault(config, kind)) is not None]
    if faults:
        raise ConfigError(
            f"config: {len(faults)} fault{'s' if len(faults) > 1 else ''}:\n" + "\n".join(f"  {f}" for f in faults)
        )


def overlay_texts(config: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Overlay lists and sections of Snakemake's ``--config``, which holds their numbers to be texts.

    Raises
    ------
    ConfigError
        If a text is no YAML value.
    """
    _overlay(config, {key: _typed(value) for key, value in given.items() if isinstance(value, Mapping | list)})


def params(config: Mapping[str, Any], section: str, kind: type[ParamsT]) -> ParamsT:
    """The ``Params`` of a room from its section of a checked configuration."""
    return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in config[section].items()})


def _defaults(kind: type[Tunables]) -> dict[str, Any]:
    values = {declared.name: declared.default for declared in tunables_of(kind)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _section_faults(config: Mapping[str, Any]) -> Iterator[str]:
    for section, kind in SECTIONS.items():
        given = config.get(section)
        if isinstance(given, Mapping):
            yield from _key_faults(kind, given)
        else:
            yield f"{section}: expected keys and values, found {shown(given)}."


def _key_faults(kind: type[Tunables], given: Mapping[str, Any], known_beside: Iterable[str] = ()) -> Iterator[str]:
    declared = {key.name: key for key in tunables_of(kind)}
    known = [*declared, *known_beside]
    for name in given:
        if name not in known:
            yield f"{key_of(kind, _key_shown(name))}: unknown key; known here are {', '.join(known)}"
    for name, key in declared.items():
        if name not in given:
            yield f"{key_of(kind, name)}: missing"
        elif not rule_of(key).allows(given[name]):
            found = shown(given[name])
            yield f"{key_of(kind, name)}: expected {rule_of(key).expected}, found {found}; {meaning_of(key)}"


def _key_shown(name: Any) -> str:
    return name if isinstance(name, str) and len(name) <= MOST_SHOWN else shown(name)


def _joint_fault(config: Mapping[str, Any], kind: type[Tunables]) -> ConfigError | None:
    """What values that are allowed one by one contradict together."""
    try:
        params(config, kind.section, kind)
    except ConfigError as error:
        return error
    return None


def _read(path: Path) -> dict[str, Any]:
    content = read_yaml(path)
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
        raise ConfigError(f"--set {shown(setting)}: expected key=value")
    keys = _full_key(name.strip())
    try:
        value = parse_yaml(text)
    except ValueError as error:
        raise ConfigError(f"--set {shown(setting)}: expected a YAML value after =, found: {error}") from error
    return _nested(keys, value)


def _typed(value: Any) -> Any:
    """Nested values with each text read as YAML."""
    if isinstance(value, Mapping):
        return {key: _typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_typed(inner) for inner in value]
    if not isinstance(value, str):
        return value
    try:
        return parse_yaml(value)
    except ValueError as error:
        raise ConfigError(f"--config {shown(value)}: expected a YAML value, found: {error}") from error


def _nested(keys: Sequence[str], value: Any) -> dict[str, Any]:
    """``value`` at the end of ``keys``, the outermost first."""
    first, *rest = keys
    return {first: _nested(rest, value) if rest else value}


def _full_key(name: str) -> list[str]:
    if "." in name or name in default_config():
        return name.split(".")
    for section in ("training", "splits"):
        if name in {key.name for key in tunables_of(SECTIONS[section])}:
            return [section, name]
    raise ConfigError(f"--set {shown(name)}: no such key in training or splits; write section.key=value")
