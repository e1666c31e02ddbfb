"""Options that several commands share, and the configuration they make."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from pipeline.artefacts.plain_numbers import plain_number
from pipeline.artefacts.sheet_columns import SLIDE_MPP
from pipeline.config import load_config
from pipeline.config_keys import Device

Function = TypeVar("Function", bound=Callable[..., Any])


class PlainNumber(click.FloatRange):
    """A number of an interval, written as ``artefacts.plain_numbers`` has it: neither ``nan`` nor ``1_0``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; a fault of the command line where the text is none or lies outside."""
        try:
            return super().convert(plain_number(str(value)), param, ctx)
        except ValueError as error:
            self.fail(f"expected a number, found {value!r}; {error}", param, ctx)


EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXISTING = click.Path(exists=True, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
EXISTING_DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_DIRECTORY = click.Path(file_okay=False, path_type=Path)
MPP_OF_SLIDE = PlainNumber(SLIDE_MPP.low, SLIDE_MPP.high)
"""um per level-0 pixel, as the sheet takes it."""
DEVICE = click.Choice(get_args(Device))


def cohort_options(function: Function) -> Function:
    """Add ``--sheet`` and ``--features`` of commands that learn from a cohort."""
    return _with_options(
        function,
        click.option("--sheet", "sheet_path", type=EXISTING_FILE, required=True, help="Sheet of slides (.csv)."),
        click.option(
            "--features",
            "features_dir",
            type=EXISTING_DIRECTORY,
            help="Folder of {slide_id}.zarr or .h5; the sheet's column `features` beats it.",
        ),
    )


def fold_options(function: Function) -> Function:
    """Add the folds, the seed, the device and the configuration of commands that learn from a cohort.

    With ``cohort_options`` they make a ``commands.cohort.LearningRequest``.
    """
    return _with_options(
        function,
        click.option(
            "--folds", type=click.IntRange(min=2), help="Folds by patient; the sheet's column `fold` beats it."
        ),
        click.option("--only-fold", type=click.IntRange(min=0), help="Work in this fold alone."),
        click.option(
            "--seed", type=click.IntRange(min=0), help="Of folds and everything drawn. [default: the config's first]"
        ),
        device_option,
        config_options,
    )


def config_options(function: Function) -> Function:
    """Add ``--config`` and ``--set``; ``configured`` makes a configuration of them."""
    return _with_options(
        function,
        click.option(
            "--config",
            "config_path",
            type=EXISTING_FILE,
            help="YAML file with the keys that differ from those that `abignet config` prints.",
        ),
        click.option(
            "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set one key of the config; may be repeated."
        ),
    )


def device_option(function: Function) -> Function:
    """Add ``--device``."""
    return _with_options(
        function,
        click.option(
            "--device",
            type=DEVICE,
            help="Where the network runs; `cuda` without CUDA is an error. [default: the config's]",
        ),
    )


def configured(config_path: Path | None, settings: tuple[str, ...], **beating: Any) -> dict[str, Any]:
    """Configuration from the options; ``beating`` holds ``section__key`` values that win unless None."""
    values = {key.replace("__", "."): value for key, value in beating.items() if value is not None}
    return load_config(config_path, settings, values)


def _with_options(function: Function, *options: Callable[[Function], Function]) -> Function:
    """Add options in the order in which help shows them."""
    for option in reversed(options):
        function = option(function)
    return function
