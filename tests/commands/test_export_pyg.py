import pytest
from click.testing import CliRunner

from pipeline.commands.export_pyg import LEVELS, LEVELS_OF_FEATURES, LEVELS_OF_TRAINING, command


def test_help_explains_every_level():
    assert command.help is not None
    assert all(f"`{level}`" in command.help.replace("\n", " ") for level in LEVELS)
    assert {*LEVELS_OF_FEATURES, *LEVELS_OF_TRAINING} < set(LEVELS)


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        (["--level", "cells"], "--outdir"),
        (["--level", "patches"], "--outdir"),
        (["--level", "learned", "--features", "."], "--run"),
        (["--level", "patches", "--features", ".", "--run", "main"], "--outdir"),
    ],
)
def test_what_a_level_needs_is_asked_for_before_anything_is_read(tmp_path, options, missing):
    result = CliRunner().invoke(command, [*options, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert missing in result.output
    assert not (tmp_path / "out").exists()
