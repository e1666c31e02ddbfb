import pandas as pd

from pipeline.artefacts.sheet import SlideRow
from pipeline.report.contents.cohort_outcome import SlideSummary
from pipeline.report.contents.slide_selection import drawn_test_images, in_turn, pictured_slides


def test_in_turn() -> None:
    assert in_turn([["a", "b", "c"], [], ["x"]]) == ["a", "x", "b", "c"]
    assert in_turn([]) == []


def test_wrong_and_right_take_turns_and_so_do_classes() -> None:
    rows = [("r1", "a", "a"), ("r2", "a", "a"), ("r3", "b", "b"), ("w1", "b", "a"), ("w2", "a", "b")]
    frame = pd.DataFrame(rows, columns=["slide_id", "label", "predicted"])
    expected = ["w2", "r1", "w1", "r3", "r2"]
    assert drawn_test_images(frame, 9) == expected
    assert drawn_test_images(frame.iloc[::-1], 3) == expected[:3]
    assert drawn_test_images(frame, 0) == []


def test_pictured_slides_have_tiles_and_unlabelled_ones_come_last() -> None:
    def slide(name: str, label: str | None, kept: int | None) -> SlideSummary:
        return SlideSummary(SlideRow(name, label=label), "in the folds", n_kept=kept)

    cohort = [
        slide("u", None, 5),
        slide("b1", "b", 5),
        slide("a1", "a", 5),
        slide("a2", "a", 5),
        slide("e", "a", 0),
        slide("f", "a", None),
    ]
    assert [s.row.slide_id for s in pictured_slides(cohort, ["a2", "e", "f"], 9)] == ["a2", "a1", "b1", "u"]
    assert [s.row.slide_id for s in pictured_slides(cohort, [], 2)] == ["a1", "b1"]
