"""One tiny run of the whole workflow, from a copy of the checkout so that tests may edit its source."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "workflow", "pipeline", "config", "envs", "profiles")
THREAD_COUNTER = Path(__file__).parent / "thread_counter"
SNAKEMAKE = Path(sys.executable).parent / "snakemake"
ABIGNET = Path(sys.executable).parent / "abignet"


@dataclass(frozen=True)
class Run:
    """A working directory with a cohort, and the checkout that runs on it."""

    checkout: Path
    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def snakemake(
        self, *arguments: str, changed: dict | None = None, cores: int = 2, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the workflow with the test configuration and with ``changed`` laid over it."""
        overlay = self.folder / "changed.yaml"
        overlay.write_text(yaml.safe_dump(changed or {}))
        configs = [str(self.checkout / "config/test/config.yaml"), str(overlay)]
        where = ["-s", str(self.checkout / "Snakefile"), "--directory", str(self.folder), "--cores", str(cores)]
        return subprocess.run(
            [str(SNAKEMAKE), *arguments, *where, "--configfile", *configs],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **(environment or {})},
        )

    def planned(self, *arguments: str, changed: dict | None = None) -> dict[str, int]:
        """Number of jobs by rule that a run would start."""
        run = self.snakemake(*arguments, "--dry-run", changed=changed)
        assert run.returncode == 0, run.stderr[-3000:]
        table = re.search(r"Job stats:\njob +count\n[- ]+\n((?:\w+ +\d+\n)+)", run.stdout + run.stderr)
        counts = dict(line.split() for line in table.group(1).splitlines()) if table else {}
        return {rule: int(count) for rule, count in counts.items() if rule not in ("total", "all")}

    @contextmanager
    def edited(self, file: str, before: str, after: str) -> Iterator[None]:
        """Edit a file of the checkout for a while."""
        path = self.checkout / file
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after, 1), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(text, encoding="utf-8")


def copy_checkout(folder: Path) -> Path:
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    return folder


@pytest.fixture(scope="session")
def new_run(tmp_path_factory):
    """Make a working directory with a painted cohort: eight labelled slides, two bad ones, two to predict."""

    def make(name: str) -> Run:
        checkout = copy_checkout(tmp_path_factory.mktemp(f"checkout_{name}"))
        folder = tmp_path_factory.mktemp(name)
        options = ["--slides", "8", "--slides-per-patient", "1", "--size-px", "320", "--seed", "3"]
        options += ["--bad", "empty", "--bad", "truncated"]
        subprocess.run([str(ABIGNET), "synth", "slides", "--out", str(folder / "slides"), *options], check=True)
        return Run(checkout, folder)

    return make


@pytest.fixture(scope="session")
def finished(new_run) -> Run:
    """A run that went through, with the unreadable slide excluded in the open; its jobs counted their busy threads.

    Tests change copies of it only, so that they may run in any order.
    """
    run = new_run("finished")
    path = os.pathsep.join([str(THREAD_COUNTER), *filter(None, [os.environ.get("PYTHONPATH")])])
    counting = {"PYTHONPATH": path, "THREADS_SEEN": str(run.folder / "threads.jsonl")}
    done = run.snakemake(changed={"on_bad_slide": "exclude"}, environment=counting)
    assert done.returncode == 0, done.stderr[-3000:]
    return run


@pytest.fixture
def exclude() -> dict:
    return {"on_bad_slide": "exclude"}


@pytest.fixture
def copied(finished, tmp_path) -> Run:
    """The finished run in another folder, free to be changed."""
    shutil.copytree(finished.folder, tmp_path / "run", symlinks=True)
    return Run(finished.checkout, tmp_path / "run")
