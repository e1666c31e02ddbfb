"""``python -m pipeline`` is the ``abignet`` command."""

import runpy
import sys

import pytest

from pipeline import __version__


def test_the_package_runs_as_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["pipeline", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("pipeline", run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"abignet, version {__version__}\n"
