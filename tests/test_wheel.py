"""A built wheel holds the whole package and works where there is no checkout."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from pipeline.config import default_config
from pipeline.reachability import PACKAGE_ROOT

pytestmark = pytest.mark.slow

ROOT = PACKAGE_ROOT.parent
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "pipeline")
SITE_PACKAGES = sysconfig.get_path("purelib")


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel, and an empty folder to work in."""

    scripts: Path
    folder: Path

    def run(self, program: str, *arguments: object) -> str:
        """Output of a program of the environment; the checkout is nowhere on its paths."""
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
        command = [str(self.scripts / program), *map(str, arguments)]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr[-3000:]}"
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Wheel built from a copy, because building leaves files beside the sources."""
    checkout, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, checkout / name)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", out, checkout)
    return next(out.glob("abignet-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Installed:
    """The wheel in an environment that borrows the packages it needs from this one.

    Paths of a ``.pth`` file are searched, but ``.pth`` files inside them are not read: a
    checkout that is installed there as editable stays invisible.
    """
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    own = next((folder / "venv").glob("lib/python*/site-packages"))
    _pip("--python", folder / "venv/bin/python", "install", "--no-deps", "--no-index", wheel)
    (own / "borrowed.pth").write_text(f"{SITE_PACKAGES}\n")
    (folder / "work").mkdir()
    return Installed(folder / "venv/bin", folder / "work")


def _pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_wheel_holds_every_file_of_the_package(wheel):
    files = {file.relative_to(ROOT).as_posix() for file in PACKAGE_ROOT.rglob("*") if file.is_file()}
    files = {file for file in files if "__pycache__" not in file}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == files


def test_the_wheel_asks_for_what_the_project_declares(wheel):
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(next(n for n in archive.namelist() if n.endswith("/METADATA"))).decode()
    required = [line.partition(": ")[2] for line in metadata.splitlines() if line.startswith("Requires-Dist")]
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert len([line for line in required if "extra ==" not in line]) == len(declared)
    assert any(line.startswith("opencv-python-headless") for line in required)


def test_the_licence_and_what_is_owed_to_others_go_with_it(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = [name.partition("/licenses/")[2] for name in archive.namelist() if "/licenses/" in name]
    assert sorted(names) == [
        "LICENSE",
        "pipeline/nuclei/network/shipped/THIRD_PARTY_NOTICES.txt",
        "pipeline/viewer/page/OPENSEADRAGON-LICENSE.txt",
        "pipeline/viewer/page/THIRD_PARTY_NOTICES.txt",
    ]


def test_no_checkout_is_on_its_path(installed):
    place = Path(installed.run("python", "-c", "import pipeline; print(pipeline.__file__)").strip())
    assert place.is_relative_to(installed.scripts.parent)


def test_the_commands_need_no_file_of_the_checkout(installed):
    assert "Learned patch graphs" in installed.run("abignet", "--help")
    assert "Learned patch graphs" in installed.run("python", "-m", "pipeline", "--help")
    assert yaml.safe_load(installed.run("abignet", "config")) == default_config()
    assert "he-nuclei-compact.pt" in installed.run("abignet", "doctor")


def test_a_planted_cohort_is_made_and_trained_on(installed):
    installed.run("abignet", "synth", "planted", "--out", "cohort", "--images", 24)
    small = ["--method", "default", "--folds", 2, "--set", "epochs=2", "--device", "cpu"]
    installed.run("abignet", "train", "--sheet", "cohort/slides.csv", "--out", "trained", *small)
    metrics = json.loads((installed.folder / "trained/metrics.json").read_text())
    assert [fold["fold"] for fold in metrics["folds"]] == [0, 1]
