"""Recipes of container images, as Snakemake writes them from the environments.

    python -m tests.environments.containers

writes ``containers/{cpu,cuda}.Dockerfile`` for Docker and ``containers/{cpu,cuda}.def`` for Apptainer.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.workflow.conftest import ROOT, copy_checkout

FOLDER = ROOT / "containers"
N_SLIDES = 10
"""The fewest that are planned: five folds of two classes."""

FORMATS = {"Dockerfile": "dockerfile", "def": "apptainer"}
BUILD = {
    "Dockerfile": "docker build -f {file} -t abignet:{device} .",
    "def": "apptainer build abignet-{device}.sif {file}",
}
CONDA = """#!/bin/sh
case "$1" in
  --version) echo conda 26.1.0 ;;
  info) echo '{"conda_prefix": "/opt/conda", "root_prefix": "/opt/conda", "platform": "linux-64"}' ;;
  config) echo '{"get": {"channel_priority": "strict"}}' ;;
esac
"""
"""What Snakemake asks of conda before it writes a recipe."""

CUDA = "12.8"
"""What images with CUDA are solved for: building machines have no driver."""


def recipe(device: str, ending: str) -> str:
    """Text of one recipe."""
    with tempfile.TemporaryDirectory() as folder:
        checkout = copy_checkout(Path(folder))
        rows = [f"s{i},s{i}.svs,{'xy'[i % 2]}" for i in range(N_SLIDES)]
        for i in range(N_SLIDES):
            (checkout / f"s{i}.svs").write_text(f"slide {i}")
        (checkout / "slides.csv").write_text("\n".join(["slide_id,path,label", *rows]) + "\n")
        (checkout / "bin").mkdir()
        (checkout / "bin/conda").write_text(CONDA)
        (checkout / "bin/conda").chmod(0o755)
        command = [sys.executable, "-m", "snakemake", "--containerize", FORMATS[ending], "--config"]
        written = subprocess.run(
            [*command, "sheet=slides.csv", f"device={device}"],
            capture_output=True,
            text=True,
            check=True,
            cwd=checkout,
            env={**os.environ, "CONDA_OVERRIDE_CUDA": CUDA, "PATH": f"{checkout}/bin:{os.environ['PATH']}"},
        ).stdout
    first = BUILD[ending].format(file=f"containers/{device}.{ending}", device=device)
    text = f"# Written by `make containers` from envs/; build with `{first}`.\n{written}"
    return with_cuda(text) if device == "cuda" else text


def with_cuda(text: str) -> str:
    """A recipe that tells conda which CUDA the machines will have that run the image."""
    if "%post" in text:
        return text.replace("%post\n", f"%post\n    export CONDA_OVERRIDE_CUDA={CUDA}\n")
    return text.replace("\nRUN ", f"\nENV CONDA_OVERRIDE_CUDA={CUDA}\nRUN ", 1)


def recipes() -> dict[str, str]:
    """Every recipe by the name of its file."""
    return {f"{device}.{ending}": recipe(device, ending) for device in ("cpu", "cuda") for ending in FORMATS}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in recipes().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
