from collections import Counter

from pipeline.report.figures.figure_style import svg_bytes
from pipeline.report.figures.type_legend import MOST_TYPES, type_colours, type_legend


def test_the_most_frequent_types_have_colours_in_alphabetic_order():
    counts = Counter({f"t{number}": 100 - number for number in range(MOST_TYPES + 3)})
    colours = type_colours(counts)
    assert list(colours.by_type) == [f"t{number}" for number in range(MOST_TYPES)]
    assert len(set(colours.by_type.values())) == MOST_TYPES
    assert colours.has_others
    assert "other or unknown" in svg_bytes(type_legend(colours)).decode()


def test_without_types_there_are_no_colours_and_without_others_no_word_of_them():
    assert type_colours({None: 5}) is None
    assert type_colours({}) is None
    colours = type_colours({"B": 1, "A": 2})
    assert list(colours.by_type) == ["A", "B"]
    assert not colours.has_others
    assert "other" not in svg_bytes(type_legend(colours)).decode()
