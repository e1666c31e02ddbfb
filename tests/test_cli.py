import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.cli import COMMANDS, abignet
from tests.commands.running import run


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), ["synth", "slides"], ["synth", "planted"]])
def test_help_at_every_level(command):
    result = CliRunner().invoke(abignet, [*command, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage: abignet" in result.output.replace("cli", "abignet")
    assert "--help" in result.output


def test_help_lists_the_commands_in_the_order_of_the_science():
    output = CliRunner().invoke(abignet, ["--help"]).output
    places = [output.index(f"\n  {name} ") for name in COMMANDS]
    assert places == sorted(places)


@pytest.fixture
def painted(tmp_path):
    """A picture whose resolution nobody knows."""
    path = tmp_path / "tissue.png"
    Image.new("RGB", (64, 64), "pink").save(path)
    return path


def test_a_user_error_is_one_line_and_code_2(tmp_path, painted, capsys):
    assert run("tile", "--slide", painted, "--out", tmp_path / "t.parquet") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: slide tissue")
    assert "mpp" in error
    assert "Traceback" not in error


def test_debug_shows_the_traceback_wherever_it_stands(tmp_path, painted, capsys):
    assert run("tile", "--slide", painted, "--out", tmp_path / "t.parquet", "--debug") == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["tile"], ["paint"], ["tile", "--slide", "none.svs", "--out", "t.parquet"]])
def test_wrong_usage_is_code_2(arguments, capsys):
    assert run(*arguments) == 2
    assert "Error" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["file/out", "file/a/b"])
def test_a_place_that_cannot_be_is_one_line_and_code_2(tmp_path, capsys, out):
    (tmp_path / "file").touch()
    assert run("synth", "planted", "--images", 4, "--out", tmp_path / out) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/file/")
