"""Each conda environment holds the packages that the scripts of its rules reach, and no others."""

import re

import pytest
import yaml

from pipeline.commands.third_party import distribution_of, third_party_imports
from pipeline.reachability import reached_modules
from tests.environments import containers
from tests.workflow.test_rules import ROOT, WORK

CONDA_NAMES = {
    "cv2": "py-opencv",
    "dask": "dask-core",
    "matplotlib": "matplotlib-base",
    "torch": "pytorch-cpu",
    "torch_geometric": "pytorch_geometric",
}
"""What conda-forge calls a package where pip's name is another."""

ALWAYS = {"python", "pip"}
OF_TORCHMIL = {"einops", "lightning-utilities", "pyvers", "tensordict", "torchmetrics"}
"""What torchmil needs beside it; all of it by pip, since conda-forge has no torchmil."""
BESIDE = {"openslide-python": "openslide"}
"""Libraries that pip's packages contain and conda's do not."""

VARIANTS = {"nuclei-cuda": "nuclei", "nuclei-sam": "nuclei", "training-cuda": "training"}
"""Environments that ``environment`` of common.smk puts in the place of another."""

NOT_ON_THE_WAY = {"nuclei-sam": {"openvino"}}
"""Packages that a variant's own way never reaches."""

FILES = sorted((ROOT / "envs").glob("*.yaml"))


def rules_of(environment: str) -> list[str]:
    in_words = {rule: re.search(r"conda:\n\s+(.*)\n", body).group(1) for rule, body in WORK.items()}
    return [rule for rule, words in in_words.items() if re.search(rf'[/"]{environment}(\.yaml)?"', words)]


def packages_of(rule: str) -> set[str]:
    script = (ROOT / f"workflow/scripts/{rule}.py").read_text()
    roots = re.findall(r"^from (pipeline[\w.]*) import", script, flags=re.MULTILINE)
    return set(third_party_imports(*reached_modules(*roots)))


def pins(path) -> dict[str, str]:
    """Version by package, those of the pip section among them."""
    entries = yaml.safe_load(path.read_text())["dependencies"]
    by_pip = [pin.replace("==", "=") for entry in entries if isinstance(entry, dict) for pin in entry["pip"]]
    by_conda = [entry for entry in entries if isinstance(entry, str)]
    return dict((entry + "=").split("=")[:2] for entry in by_conda + by_pip)


def test_every_environment_has_rules_and_every_rule_one_environment():
    served = [rule for file in FILES if file.stem not in VARIANTS for rule in rules_of(file.stem)]
    assert sorted(served) == sorted(WORK)
    assert set(VARIANTS) == {file.stem for file in FILES if not rules_of(file.stem)}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_environment_holds_what_its_rules_reach_and_nothing_else(file):
    reached = {p for rule in rules_of(VARIANTS.get(file.stem, file.stem)) for p in packages_of(rule)}
    needed = {CONDA_NAMES.get(package, distribution_of(package)) for package in reached}
    needed |= {BESIDE[name] for name in needed & BESIDE.keys()}
    needed -= NOT_ON_THE_WAY.get(file.stem, set())
    held = {name.replace("pytorch-gpu", "pytorch-cpu") for name in pins(file)}
    assert held - ALWAYS - OF_TORCHMIL - {"__cuda"} == needed


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_first_line_names_the_rules(file):
    named = set(re.findall(r"\w+", file.read_text().splitlines()[0])) & WORK.keys()
    served = set(rules_of(VARIANTS.get(file.stem, file.stem)))
    assert named == (
        {"train_fold", "explain_fold", "interpret", "train_final", "predict"}
        if file.stem == "training-cuda"
        else served
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_pins_are_those_of_the_constraints(file):
    constraints = dict(line.lower().split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    pip_names = {conda: distribution_of(package) for package, conda in CONDA_NAMES.items()}
    for name, version in pins(file).items():
        if name in ALWAYS | {"openslide", "__cuda"} or (file.stem, name) == ("nuclei-sam", "cellpose"):
            continue
        pinned = constraints[pip_names.get(name.replace("gpu", "cpu"), name)]
        assert pinned == version or pinned.startswith(version + "."), name


def test_the_page_names_the_rules_of_every_environment():
    page = (ROOT / "docs/environments.md").read_text()
    for row in re.findall(r"^\| (`[\w-]+\.yaml`.*) \| (`\w+`.*) \|$", page, flags=re.MULTILINE):
        files, rules = ([word.strip("`") for word in re.findall(r"`[\w.-]+`", cell)] for cell in row)
        for file in files:
            assert (
                set(rules) == set(re.findall(r"\w+", (ROOT / "envs" / file).read_text().splitlines()[0])) & WORK.keys()
            )
    assert all(f"`{file.name}`" in page for file in FILES)


def test_recipes_of_containers_are_what_snakemake_writes_from_the_environments():
    assert containers.recipes() == {file.name: file.read_text() for file in containers.FOLDER.iterdir()}
