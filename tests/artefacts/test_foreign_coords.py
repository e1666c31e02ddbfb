import numpy as np
import pytest

from pipeline.artefacts.foreign_coords import (
    as_stored,
    check_on_slide,
    is_off_slide,
    level_0_coords,
    rows_in_words,
    without_batch,
)
from pipeline.errors import ArtefactError, ImportedFileError, SlideError

SQUARE = np.array([[0, 0], [256, 0], [0, 256], [256, 256]])


@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "i8", "u8", "f4", "f8", ">i4", ">f8"])
def test_whole_numbers_of_any_type_are_level_0_pixels(dtype):
    coords = np.array([[0, 0], [200, 0]]).astype(dtype)
    read = level_0_coords(coords, "s.h5")
    assert read.dtype == np.int64
    assert read.tolist() == [[0, 0], [200, 0]]


@pytest.mark.parametrize("coords", [SQUARE[None], np.asfortranarray(SQUARE), SQUARE.astype(np.float16)])
def test_a_batch_axis_the_order_in_memory_and_short_floats_change_nothing(coords):
    assert level_0_coords(coords, "s.h5").tolist() == SQUARE.tolist()


@pytest.mark.parametrize("shape", [(0,), (0, 2), (1, 0, 2), (0, 7), (3, 0)])
def test_no_value_is_no_tile(shape):
    assert level_0_coords(np.zeros(shape), "s.h5").shape == (0, 2)


@pytest.mark.parametrize(
    ("coords", "words"),
    [
        ([[0.5, 0], [1, 1]], r"with fractions, \(0.5, 0.0\) in row 0 of 2.*micrometres cannot be used; divide them"),
        ([[0, 0], [0, np.nan]], "NaN or infinity in row 1 of 2.*Leave these tiles out"),
        ([[0, 0], [-np.inf, 0]], "NaN or infinity in row 1 of 2"),
        ([[0, 0, 256, 256]], "They look like boxes; write their x and y alone"),
        (SQUARE[:3].T, "They look turned, as MATLAB writes"),
        ([0, 256, 512], r"found int64 \(3,\). Write one row \(x, y\) a tile"),
        (np.zeros((2, 3, 2)), r"found float64 \(2, 3, 2\)"),
        ([["0", "0"]], r"found <U1 \(1, 2\)"),
        ([[True, False]], "found bool"),
        ([[1 + 0j, 0]], "found complex128"),
        (np.array([[0, 0], [2**32 - 256, 0]], np.uint32), r"\(4294967040, 0\) in row 1 of 2.*beyond any slide.*int64"),
        (np.array([[2**64 - 256, 0]], np.uint64), "negative number is in an unsigned type"),
        (np.array([[0, 0], [0, -(2**63)]]), r"-9223372036854775808\) in row 1 of 2"),
        ([[1e300, 0]], "beyond any slide"),
        ([[0, 0], [9, 9], [0, 0]], r"found the place \(0, 0\) of row 0 again in row 2 of 3.*Write each tile once"),
        (np.repeat(SQUARE, 3, axis=0), "again in rows 1, 2, 4, 5, 7 and 3 more of 12"),
    ],
)
def test_what_is_no_place_of_a_tile_is_refused_with_its_rows_and_a_remedy(coords, words):
    with pytest.raises(ImportedFileError, match=rf"(?s)^some/s\.h5: expected .*{words}") as caught:
        level_0_coords(np.asarray(coords), "some/s.h5")
    assert isinstance(caught.value, SlideError)
    assert isinstance(caught.value, ArtefactError)


def test_coordinates_in_any_unit_may_have_fractions():
    assert as_stored(np.array([[0.5, 1.5]]), "s.h5").tolist() == [[0.5, 1.5]]


def test_a_tile_is_off_the_slide_when_no_part_of_it_can_lie_there():
    """Tiles of 256 pixels on a slide of 1000 x 600."""
    coords = np.array([[-256, 0], [-255, 0], [0, -256], [999, 0], [1000, 0], [0, 599], [0, 600]])
    assert is_off_slide(coords, 256, (1000, 600)).tolist() == [True, False, True, False, True, False, True]
    assert is_off_slide(coords, 256, None).tolist() == [True, False, True, False, False, False, False]
    # A tile whose side is not known may be large.
    assert is_off_slide(np.array([[-16383, 0], [-16384, 0]]), None, None).tolist() == [False, True]


def test_tiles_off_the_slide_are_named():
    check_on_slide(SQUARE, 256, (512, 512), "s.h5")
    with pytest.raises(ImportedFileError, match=r"tiles on the slide of 300 x 200 level-0 pixels, found \(0, 256\) in"):
        check_on_slide(SQUARE, 256, (300, 200), "s.h5")
    with pytest.raises(ImportedFileError, match=r"tiles on a slide, found \(-500, -500\) in rows 0, 1, 2 of 4"):
        check_on_slide(SQUARE - 500, 256, None, "s.h5")


def test_rows_are_named_and_the_rest_counted():
    assert rows_in_words(np.array([False, True])) == "row 1 of 2 (the first is row 0)"
    assert rows_in_words(np.arange(9) > 1) == "rows 2, 3, 4, 5, 6 and 2 more of 9 (the first is row 0)"


def test_only_a_batch_of_one_is_taken_off():
    assert without_batch(np.zeros((1, 5, 2))).shape == (5, 2)
    assert without_batch(np.zeros((2, 5, 2))).shape == (2, 5, 2)
    assert without_batch(np.zeros((1, 2))).shape == (1, 2)
