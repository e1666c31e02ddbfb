import pytest

from pipeline.artefacts.faithfulness import Faithfulness
from pipeline.training.interpretation.faithfulness_areas import area_table, curve_table, faithful


def fold(evidence, random=(1.0, 0.5, 0.0), n_images=4):
    """Curves of patches that differ a little from image to image."""

    def curves(number):
        step = 0.01 * number
        orders = {"evidence": [v + step for v in evidence], "weight": list(random), "random": list(random)}
        return {"deletion": orders, "insertion": {name: curve[::-1] for name, curve in orders.items()}}

    return Faithfulness((0.0, 0.5, 1.0), {f"s{number}": curves(number) for number in range(n_images)}, {})


def test_areas_are_means_over_fractions_and_images():
    table = area_table([fold([1.0, 0.0, 0.0]), fold([1.0, 0.0, 0.0])])
    row = table[(table["direction"] == "deletion") & (table["order"] == "evidence")].iloc[0]
    assert (row["n_images"], row["area_mean"]) == (8, pytest.approx(0.25 + 0.015))
    assert row["less_random_mean"] == pytest.approx(-0.25 + 0.015)
    assert row["less_random_ci_low"] < row["less_random_mean"] < row["less_random_ci_high"] < 0
    curve = curve_table([fold([1.0, 0.0, 0.0])])
    assert curve["probability_mean"][:3].tolist() == pytest.approx([1.015, 0.015, 0.015])


def test_words_follow_from_the_intervals():
    def fast(evidence):
        return faithful(area_table([fold(evidence)]), "patches")

    assert "half faithful: only taking" in fast([1.0, 0.0, 0.0])
    assert "not shown to be faithful" in fast([1.0, 0.485, 0.0])
    assert "is faithful" in faithful(area_table([both_ways()]), "patches")
    assert "not tested" in faithful(area_table([fold([1.0, 0.0, 0.0])]), "edges")


def both_ways():
    one = fold([1.0, 0.0, 0.0])
    turned = {
        slide_id: {**curves, "insertion": {**curves["insertion"], "evidence": [0.0, 0.9 + 0.01 * n, 1.0]}}
        for n, (slide_id, curves) in enumerate(one.patches.items())
    }
    return Faithfulness(one.fractions, turned, {})
