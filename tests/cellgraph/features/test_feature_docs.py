import re
from itertools import product
from pathlib import Path

from pipeline.cellgraph.features.feature_blocks import BLOCKS, feature_names
from pipeline.cellgraph.params import FeatureParams

DOCS = Path(__file__).parents[3] / "docs" / "features.md"
EVERY_BLOCK = FeatureParams(blocks=tuple(BLOCKS))
STATISTIC = re.compile(r"_(sd|mean|min_max|disorder)(_px2?)?$")
ROW = re.compile(r"^\| (\d+)(?:-(\d+))? \| (.*) \|$", re.MULTILINE)


def _rows():
    """First and last number and the cells after them of each numbered table row."""
    return [
        (int(first), int(last or first), [cell.strip() for cell in cells.split("|")])
        for first, last, cells in ROW.findall(DOCS.read_text())
    ]


def _names(cell):
    """Names in a cell: a choice ``{a,b}`` stands for each of its words, ``_suffix`` for the stem of the first name."""
    names: list[str] = []
    for token in re.findall(r"`([^`]+)`", cell):
        whole = STATISTIC.sub("", names[0]) + token if token.startswith("_") else token
        parts = [part.split(",") for part in re.split(r"\{(.*?)\}", whole)]
        names += ["".join(choice) for choice in product(*parts)]
    return names


def test_the_manual_lists_every_feature_in_order():
    documented, number = [], 1
    for first, last, cells in _rows():
        names = _names(cells[0])
        assert (first, last) == (number, number + len(names) - 1), cells[0]
        documented, number = documented + names, last + 1
    assert tuple(documented) == feature_names(EVERY_BLOCK)


def test_every_feature_has_a_formula_a_unit_a_range_and_a_source():
    for first, _, cells in _rows():
        assert len(cells) == 5, first
        assert all(cells), first


def test_units_in_names_are_those_of_the_table():
    for first, _, cells in _rows():
        named = {re.search(r"_(px2|um2|px|um)(?=_|$)", name) for name in _names(cells[0]) if "density" not in name}
        for unit in {match[1] for match in named if match} - {"um" if "um_mean" in cells[0] else ""}:
            assert unit in re.split(r"[ ,/]+", cells[2]), first


def test_the_overview_names_every_block_its_size_and_its_numbers():
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (\d+)-(\d+) \|", DOCS.read_text(), re.MULTILINE)
    assert tuple(block for block, *_ in rows) == EVERY_BLOCK.blocks
    number = 1
    for block, _, first, last in rows:
        n_features = len(BLOCKS[block].names(EVERY_BLOCK))
        assert (int(first), int(last)) == (number, number + n_features - 1), block
        number += n_features


def test_the_blocks_that_are_chosen_by_default_say_so():
    chosen = re.findall(r"^\| `(\w+)` \| .* \| \d+-\d+ \| yes \|", DOCS.read_text(), re.MULTILINE)
    assert tuple(chosen) == FeatureParams().blocks
