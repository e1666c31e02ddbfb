"""Options that several commands share, and the configuration they make."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pipeline.config import load_config

Function = TypeVar("Function", bound=Callable[..., Any])

EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXISTING = click.Path(exists=True, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
NEW_DIRECTORY = click.Path(file_okay=False, path_type=Path)


def cohort_options(function: Function) -> Function:
    """Add ``--sheet`` and ``--features`` of commands that learn from a cohort."""
    function = click.option(
        "--features",
        "features_dir",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder of {slide_id}.zarr or .h5; the sheet's column `features` beats it.",
    )(function)
    return click.option("--sheet", "sheet_path", type=EXISTING_FILE, required=True, help="Sheet of slides (.csv).")(
        function
    )


def config_options(function: Function) -> Function:
    """Add ``--config`` and ``--set``; ``configured`` makes a configuration of them."""
    function = click.option(
        "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set one key of the config; may be repeated."
    )(function)
    return click.option(
        "--config",
        "config_path",
        type=EXISTING_FILE,
        help="YAML file with the keys that differ from config/config.yaml.",
    )(function)


def device_option(function: Function) -> Function:
    """Add ``--device``."""
    return click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        help="Where the network runs; `cuda` without CUDA is an error. [default: the config's]",
    )(function)


def configured(config_path: Path | None, settings: tuple[str, ...], **beating: Any) -> dict[str, Any]:
    """Configuration from the options; ``beating`` holds ``section__key`` values that win unless None."""
    extra = [f"{key.replace('__', '.')}={value}" for key, value in beating.items() if value is not None]
    return load_config(config_path, (*settings, *extra))
