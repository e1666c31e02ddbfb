import pytest

from pipeline.errors import ConfigError
from pipeline.report.params import ReportParams
from pipeline.tunables import Number, rule_of, tunables_of

NUMBERS = {key.name: rule for key in tunables_of(ReportParams) if isinstance(rule := rule_of(key), Number)}


@pytest.mark.parametrize("key", NUMBERS)
def test_both_bounds_are_allowed_and_values_beyond_are_not(key: str) -> None:
    low, high = NUMBERS[key].low, NUMBERS[key].high
    for allowed in (low, high):
        assert getattr(ReportParams(**{key: allowed}), key) == allowed
    for refused in (low - 1, high + 1, "6", True, None):
        with pytest.raises(ConfigError, match=f"report.{key}: expected .* found"):
            ReportParams(**{key: refused})


def test_counts_are_whole() -> None:
    with pytest.raises(ConfigError, match=r"report.n_overlays: expected a whole number .*found 2.5"):
        ReportParams(n_overlays=2.5)  # type: ignore[arg-type]


def test_metric_and_title_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"headline_metric: expected one of accuracy, .*'recall'"):
        ReportParams(headline_metric="recall")
    with pytest.raises(ConfigError, match="title: expected text"):
        ReportParams(title=3)  # type: ignore[arg-type]
