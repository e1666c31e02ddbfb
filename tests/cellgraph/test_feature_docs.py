import re
from pathlib import Path

from pipeline.cellgraph import GRAPH_FEATURE_NAMES, ORIENTATION_FEATURE_NAMES, SPATIAL_FEATURE_NAMES

DOCS = Path(__file__).parents[2] / "docs" / "features.md"
STATISTIC = re.compile(r"_(sd|mean|min_max|disorder)(_px2?)?$")


def _documented():
    """Names of the numbered table rows: ``{a,b}`` stands for each, ``_suffix`` for the stem of the name before."""
    names = []
    for first, last, cell in re.findall(r"^\| (\d+)(?:-(\d+))? \| ([^|]*) \|", DOCS.read_text(), re.MULTILINE):
        row: list[str] = []
        for token in re.findall(r"`([^`]+)`", cell):
            whole = STATISTIC.sub("", row[0]) + token if token.startswith("_") else token
            choice = re.search(r"\{(.*)\}", whole)
            row += [whole.replace(choice[0], c) for c in choice[1].split(",")] if choice else [whole]
        if row != ["core_*"]:
            assert len(row) == int(last or first) - int(first) + 1, row
            names += row
    return tuple(names)


def test_the_manual_lists_every_feature_in_order():
    assert _documented() == SPATIAL_FEATURE_NAMES + GRAPH_FEATURE_NAMES + ORIENTATION_FEATURE_NAMES
