"""SLURM's commands as small scripts that answer what a test says."""

import pytest


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Put a command on the path that prints ``answer`` and ends with ``code``; calls are listed in ``calls``."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    calls = tmp_path / "calls"
    calls.touch()

    def command(name, answer="", code=0):
        (folder / f"{name}.answer").write_text(answer)
        script = folder / name
        stream = ">&2" if code else ""
        script.write_text(
            f'#!/bin/sh\necho "{name} $*" >> {calls}\n/bin/cat {folder}/{name}.answer {stream}\nexit {code}\n'
        )
        script.chmod(0o755)

    command.calls = lambda: calls.read_text().splitlines()
    return command
