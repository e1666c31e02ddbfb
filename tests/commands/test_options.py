from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline.commands.options import (
    MPP_OF_SLIDE,
    cohort_options,
    config_options,
    configured,
    device_option,
    fold_options,
)
from pipeline.config import default_config
from pipeline.errors import ConfigError


def given(decorate, *arguments: str) -> dict:
    """What a command with these options is handed."""
    handed = {}
    result = CliRunner().invoke(click.command()(decorate(lambda **values: handed.update(values))), arguments)
    assert result.exit_code == 0, result.output
    return handed


def flags(decorate) -> list[str]:
    return [option.opts[0] for option in click.command()(decorate(lambda: None)).params]


def test_help_shows_options_in_the_order_in_which_they_are_listed():
    assert flags(cohort_options) == ["--sheet", "--features"]
    assert flags(config_options) == ["--config", "--set"]
    assert flags(fold_options) == ["--folds", "--only-fold", "--seed", "--device", "--config", "--set"]


def test_what_is_not_given_is_none(tmp_path):
    assert given(fold_options) == {
        "folds": None,
        "only_fold": None,
        "seed": None,
        "device": None,
        "config_path": None,
        "settings": (),
    }
    sheet = tmp_path / "slides.csv"
    sheet.touch()
    assert given(cohort_options, "--sheet", str(sheet)) == {"sheet_path": sheet, "features_dir": None}


def test_settings_add_up():
    assert given(config_options, "--set", "a=1", "--set", "b=2")["settings"] == ("a=1", "b=2")


@pytest.mark.parametrize(
    ("decorate", "arguments"),
    [
        (device_option, ["--device", "gpu"]),
        (fold_options, ["--folds", "1"]),
        (fold_options, ["--seed", "-1"]),
        (cohort_options, []),
        (cohort_options, ["--sheet", "no such sheet"]),
        (config_options, ["--config", "."]),
    ],
)
def test_what_cannot_be_is_refused(decorate, arguments):
    result = CliRunner().invoke(click.command()(decorate(lambda **_: None)), arguments)
    assert result.exit_code == 2


def test_options_beat_settings_which_beat_the_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("device: cuda\nrun: mine\nsplits: {folds: 3, select_share: 0.2}\n")
    config = configured(path, ("device=auto", "folds=4"), device="cpu", splits__folds=None)
    assert (config["device"], config["run"]) == ("cpu", "mine")
    assert config["splits"] == default_config()["splits"] | {"folds": 4, "select_share": 0.2}
    assert configured(None, ()) == default_config()


@pytest.mark.parametrize("name", ["12", "a: b", "[x", "null", "1e-3", "*a"])
def test_a_value_of_an_option_is_never_read_as_yaml(name):
    assert configured(None, (), nuclei__weights=name)["nuclei"]["weights"] == name


def test_a_value_that_is_not_allowed_names_its_key():
    with pytest.raises(ConfigError, match=r"tiling\.mpp: expected a number"):
        configured(None, (), tiling__mpp=float("nan"))
    with pytest.raises(ConfigError, match=r"tiling\.tempo: unknown key"):
        configured(None, (), tiling__tempo=Path("x"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, "expected a number, found") for text in ("nan", "inf", "1_0", "\uff11", "0x1", "0,5", "0.5um", "")),
        *((text, "is not in the range 0.02<=x<=50") for text in ("-1", "0", "51")),
    ],
)
def test_a_resolution_is_a_plain_number_within_its_bounds(text, expected):
    taking = click.command()(click.option("--mpp", type=MPP_OF_SLIDE)(lambda **_: None))
    result = CliRunner().invoke(taking, ["--mpp", text])
    assert result.exit_code == 2
    assert expected in result.output


def test_a_resolution_is_handed_on_as_a_number():
    assert given(click.option("--mpp", type=MPP_OF_SLIDE), "--mpp", "0.25") == {"mpp": 0.25}
