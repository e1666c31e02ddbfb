import math

import pytest

from pipeline.bounds import check_choice, check_number
from pipeline.errors import ConfigError


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_numbers_inside_pass(value):
    check_number("a.b", value, 0, 1)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf, "1", None, True])
def test_anything_else_names_key_interval_and_value(value):
    with pytest.raises(ConfigError, match=r"a\.b: expected a number in \[0, 1\], found "):
        check_number("a.b", value, 0, 1)


def test_open_ends_are_refused():
    check_number("a.b", 0.5, 0, 1, open_low=True, open_high=True)
    for value in (0, 1):
        with pytest.raises(ConfigError, match=r"in \(0, 1\), found"):
            check_number("a.b", value, 0, 1, open_low=True, open_high=True)


def test_whole_numbers_only_where_asked():
    check_number("a.b", 3, 1, 9, whole=True)
    with pytest.raises(ConfigError, match=r"a whole number in \[1, 9\], found 3\.5"):
        check_number("a.b", 3.5, 1, 9, whole=True)


def test_a_choice_lists_what_is_allowed():
    check_choice("a.b", "x", ("x", "y"))
    with pytest.raises(ConfigError, match="expected one of x, y, found 'z'"):
        check_choice("a.b", "z", ("x", "y"))
