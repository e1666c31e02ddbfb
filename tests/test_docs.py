"""What the documentation says of numbers, names and files is what the code has."""

import re
from pathlib import Path

import pytest

from pipeline.cli import COMMANDS
from pipeline.training.methods.presets import LITERATURE_SETTINGS, METHODS, PAPER_SETTINGS
from pipeline.training.params import Settings

ROOT = Path(__file__).parents[1]
METHODS_PAGE = (ROOT / "docs/methods.md").read_text()


def rows(page: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]


NUMBERS = {
    cells[0].split(" (")[0]: cells[1:] for cells in rows(METHODS_PAGE.split("## Numbers")[1].split("## Metrics")[0])[2:]
}


TRUTH = {"true": True, "false": False}


@pytest.mark.parametrize(
    "key",
    [
        "epochs",
        "patience",
        "batch_size",
        "learning_rate",
        "generator_learning_rate",
        "weight_decay",
        "dropout",
        "target_degree",
        "dense_limit",
        "gradient_clip",
        "outlier_clip_sd",
        "class_weights",
    ],
)
def test_the_table_of_numbers_is_that_of_the_presets(key):
    ours, literature, paper_a, paper_b = (float(TRUTH.get(cell, cell)) for cell in NUMBERS[key])
    assert ours == getattr(Settings(), key)
    assert literature == getattr(LITERATURE_SETTINGS, key)
    assert paper_a == getattr(PAPER_SETTINGS, key)
    assert paper_b == getattr(METHODS["paper_b"].settings, key)


def test_the_config_comments_name_the_same_values():
    config = (ROOT / "config/config.yaml").read_text().split("\ntraining:")[1]
    for key in (
        "epochs",
        "patience",
        "batch_size",
        "weight_decay",
        "dropout",
        "hidden",
        "layers",
        "heads",
        "projection",
    ):
        line = re.search(rf"^  {key}: null.*$", config, flags=re.MULTILINE).group(0)
        assert f"default {getattr(Settings(), key):g}" in line, line


def test_every_method_and_every_command_is_described():
    described = " ".join(cells[0] for cells in rows(METHODS_PAGE.split("## The bilevel")[0]))
    assert all(f"`{name}`" in described for name in METHODS)
    readme = (ROOT / "README.md").read_text()
    assert all(f"abignet {name}" in readme for name in COMMANDS if name != "graphs")


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda page: page.name)
def test_links_inside_the_project_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
