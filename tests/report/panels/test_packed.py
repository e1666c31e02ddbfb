import numpy as np
import pytest

from pipeline.report.panels.packed import UNDEFINED, packed, packed_places, packed_scaled, packed_shares
from tests.report.panels.unpacking import unpacked


def test_whole_numbers_come_back() -> None:
    assert unpacked(packed([[0, -3], [32767, -32768]], "i2")).tolist() == [0, -3, 32767, -32768]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(OverflowError, match=r"expected values from 0 to 255, found 0 to 256"):
        packed([0, 256], "u1")


def test_places_take_four_bytes_only_where_they_must() -> None:
    assert packed_places([65535])["type"] == "u2"
    assert packed_places([65536])["type"] == "u4"
    assert unpacked(packed_places([])).tolist() == []


def test_shares_are_kept_to_a_65535th() -> None:
    shares = np.linspace(0, 1, 1001)
    assert np.abs(unpacked(packed_shares(shares)) / 65535 - shares).max() < 1e-5
    assert unpacked(packed_shares([-0.5, 1.5])).tolist() == [0, 65535]


def test_the_largest_number_sets_the_scale_and_unknown_ones_stay_unknown() -> None:
    told = packed_scaled(np.array([1.0, -2.0, 0.0, np.nan]))
    assert told["scale"] == pytest.approx(2 / 127)
    assert unpacked(told).tolist() == [64, -127, 0, UNDEFINED]
    assert unpacked(packed_scaled(np.zeros(2))).tolist() == [0, 0]
