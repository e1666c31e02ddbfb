import pytest

from pipeline.artefacts.hdf5_attributes import number_of, pixels_of, positive_number_of
from pipeline.errors import ImportedFileError


@pytest.mark.parametrize(
    ("stored", "number"),
    [(4, 4), (0.25, 0.25), ("256", 256), (" 2.5e1 ", 25), ([3], 3), ([4.0, 4.0], 4), ([4.0, 4.01], 4.005), (-1, -1)],
)
def test_numbers_also_as_text_and_for_x_and_y(stored, number):
    assert number_of({"a": stored}, "a", "s.h5") == pytest.approx(number)


@pytest.mark.parametrize("stored", [None, "None", "", "NaN", "null", float("nan"), [], [None], ["None", "None"]])
def test_what_stands_for_nothing_is_not_there(stored):
    assert number_of({"a": stored}, "a", "s.h5") is None
    assert number_of({}, "a", "s.h5") is None


@pytest.mark.parametrize("stored", ["large", "1_0", "0x10", True, float("inf"), "inf", [4, 8], [1, 2, 3], [1, None]])
def test_what_is_no_number_is_refused(stored):
    with pytest.raises(ImportedFileError, match=r"s\.h5: expected a number in attribute 'patch_size', found"):
        number_of({"patch_size": stored}, "patch_size", "s.h5")


def test_numbers_not_above_0_say_that_a_tool_did_not_know():
    assert positive_number_of({"a": -1}, "a", "s.h5") is None
    assert positive_number_of({"a": 0}, "a", "s.h5") is None
    assert positive_number_of({"a": 0.5}, "a", "s.h5") == 0.5


def test_pixels_are_whole():
    assert pixels_of({"a": 256.0}, "a", "s.h5") == 256
    with pytest.raises(ImportedFileError, match=r"whole pixels in attribute 'a', found 256\.5"):
        pixels_of({"a": 256.5}, "a", "s.h5")
