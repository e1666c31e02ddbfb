import sys
from importlib import metadata

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.cards.visible_cards import JobCards
from pipeline.commands import doctor
from pipeline.commands.doctor import OPTIONAL_PACKAGES, command
from pipeline.errors import AbignetError, WeightsError
from pipeline.nuclei.network import weights_files
from tests.commands.running import run


@pytest.fixture
def two_packages(monkeypatch):
    """Doctor of a package that imports numpy and cv2 only."""
    monkeypatch.setattr(doctor, "third_party_imports", lambda *modules: ("numpy", "cv2"))


def examine():
    return CliRunner().invoke(command, catch_exceptions=True)


def test_versions_of_all_that_is_imported_are_said():
    result = examine()
    assert result.exit_code == 0, result.output
    lines = dict(line.split()[:2] for line in result.output.splitlines() if line.startswith("  "))
    assert lines["numpy"] == np.__version__
    assert {"opencv-python-headless", "scikit-learn", "jinja2", "simplejpeg", "snakemake"} <= lines.keys()
    assert lines["pyyaml"] == metadata.version("pyyaml")
    assert "he-nuclei-compact.pt" in result.output
    assert "torch threads" in result.output
    assert result.output.endswith("all that the default configuration needs is here\n")


@pytest.mark.parametrize(
    ("package", "distribution"), [("cv2", "opencv-python-headless"), ("numpy", "numpy"), ("snakemake", "snakemake")]
)
def test_a_missing_package_is_an_error_with_its_remedy(package, distribution, two_packages, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    result = examine()
    assert isinstance(result.exception, AbignetError)
    assert str(result.exception).startswith(f"{package} cannot be imported (ModuleNotFoundError")
    assert str(result.exception).endswith(f"`{sys.executable} -m pip install {distribution}`")
    assert "all that" not in result.output
    assert "torch threads" not in result.output
    assert "conda:" in result.output


def test_a_broken_package_and_a_missing_one_are_told_together(two_packages, monkeypatch):
    def load(package):
        raise {"numpy": ValueError("dtype size changed"), "cv2": OSError("libGL.so.1")}.get(package, SystemError())

    monkeypatch.setattr(doctor, "import_module", load)
    error = str(examine().exception)
    assert "numpy cannot be imported (ValueError: dtype size changed)" in error
    assert "cv2 cannot be imported (OSError: libGL.so.1)" in error
    assert error.count("; install it with") == 3


def test_an_optional_package_may_be_missing(two_packages, monkeypatch):
    monkeypatch.setattr(doctor, "OPTIONAL_PACKAGES", {"no-such-package": "nothing"})
    result = examine()
    assert result.exit_code == 0
    assert "  no-such-package          not installed (needed only for nothing)\n" in result.output
    assert OPTIONAL_PACKAGES.keys() == {"anndata", "torchmil"}


def test_missing_weights_are_an_error(two_packages, monkeypatch, tmp_path):
    monkeypatch.setattr(weights_files, "WEIGHTS_FOLDER", tmp_path)
    result = examine()
    assert isinstance(result.exception, AbignetError)
    assert not isinstance(result.exception, WeightsError)
    assert str(tmp_path) in str(result.exception)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), ["jobs run on the processor", "jobs run on the processor", "refused before the first job: too few cards"]),
        (("GPU-a", "GPU-b"), ["one card a job, 2 at once", "jobs run on the processor", "one card a job, 2 at once"]),
    ],
)
def test_what_jobs_do_here_is_said(names, said, two_packages, monkeypatch):
    monkeypatch.setattr(doctor, "cards_of_jobs", lambda **_: JobCards(names, "nvidia-smi lists no more"))
    monkeypatch.setattr(doctor.shutil, "which", lambda program: None)
    lines = examine().output.splitlines()
    assert f"cards that jobs may take: {', '.join(names) or 'none'} (nvidia-smi lists no more)" in lines
    for device, words in zip(("auto", "cpu ", "cuda"), said, strict=True):
        assert any(line.startswith(f"  device: {device} here      {words}") for line in lines), device
    assert not any("in SLURM" in line for line in lines)


def test_what_jobs_do_in_slurm_is_said_where_it_is(two_packages, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda program: f"/usr/bin/{program}")
    lines = examine().output.splitlines()
    assert "  device: auto in SLURM  jobs run on the processor" in lines
    assert "  device: cuda in SLURM  one card a job, as many as there are at once" in lines


def test_doctor_finds_what_the_default_configuration_needs(capsys):
    assert run("doctor") == 0
    output = capsys.readouterr().out
    assert "torch" in output
    assert "nucleus weights" in output
