import pytest

from pipeline.artefacts.plain_numbers import plain_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.25", 0.25),
        (".5", 0.5),
        ("2.", 2.0),
        ("3", 3.0),
        ("-0.5", -0.5),
        ("+1", 1.0),
        ("2.5e-1", 0.25),
        ("1E2", 100.0),
    ],
)
def test_plain_digits_are_a_number(text, number):
    assert plain_number(text) == number


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("12", 12), ("-3", -3), ("007", 7)])
def test_whole_numbers_are_whole(text, number):
    assert plain_number(text, is_whole=True) == number
    assert isinstance(plain_number(text, is_whole=True), int)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("nan", "leave it empty"),
        ("NA", "leave it empty"),
        ("unknown", "leave it empty"),
        ("0,25", "write a decimal point: 0.25"),
        ("0.5 um", "without a unit: 0.5"),
        ("0.25µm/px", "without a unit: 0.25"),
        ("20x", "without a unit: 20"),
        ("inf", "plain digits"),
        ("-inf", "plain digits"),
        ("Infinity", "plain digits"),
        ("1_0", "plain digits"),
        ("\uff11\uff10", "plain digits"),
        ("\u0665", "plain digits"),
        ("0x10", "plain digits"),
        ("0b1", "plain digits"),
        ("1/2", "plain digits"),
        ("1e", "plain digits"),
        ("1e9999", "plain digits"),
        ("--1", "plain digits"),
        ("1 0", "plain digits"),
        ("", "plain digits"),
        ("9" * 5000, "plain digits"),
        ("True", "plain digits"),
    ],
)
def test_what_is_no_plain_number_says_what_to_write(text, remedy):
    with pytest.raises(ValueError, match=remedy):
        plain_number(text)


@pytest.mark.parametrize("text", ["1.0", "1e2", "nan", "1_0", "\uff11", "1,0"])
def test_what_is_no_whole_number_is_refused(text):
    with pytest.raises(ValueError, match=r"write|leave"):
        plain_number(text, is_whole=True)
