import math

import pytest

from pipeline.report.contents import wording


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (wording.count(12345), "12,345"),
        (wording.count(None), "–"),
        (wording.decimal(0.12345), "0.123"),
        (wording.decimal(math.nan), "–"),
        (wording.mean_sd(0.5, 0.25), "0.500 ± 0.250"),
        (wording.mean_sd(0.5, None), "0.500"),
        (wording.mean_sd(0.5, math.nan), "0.500"),
        (wording.mean_sd(None, 0.1), "–"),
        (wording.interval((0.1, 0.9)), "[0.100, 0.900]"),
        (wording.interval(None), "–"),
        (wording.probability(0.0004), "< 0.001"),
        (wording.probability(0.001), "0.001"),
        (wording.probability(math.nan), "–"),
        (wording.plural(1, "patch", "patches"), "1 patch"),
        (wording.plural(1200, "slide"), "1,200 slides"),
        (wording.title("balanced_accuracy"), "balanced accuracy"),
        (wording.title("auroc"), "AUROC"),
        (wording.listed(["a", "b"], 2), "a, b"),
        (wording.listed(["a", "b", "c"], 2), "a, b and 1 more"),
    ],
)
def test_numbers_as_written(shown: str, expected: str) -> None:
    assert shown == expected
