import logging

import pytest

from pipeline.errors import CohortError
from pipeline.training.cohort.made_alike import check_made_alike, check_made_as, noted_mismatches

LARGE = {"tile_width_um": 96.0, "mpp": 0.5, "encoder": "uni"}
SMALL = {**LARGE, "tile_width_um": 56.0}


@pytest.fixture
def warned(caplog):
    caplog.set_level(logging.WARNING, "abignet.training")
    return caplog


def test_slides_that_were_made_alike_pass_without_a_word(warned):
    assert check_made_alike({"a": LARGE, "b": dict(LARGE)}, "stop") == ()
    assert not warned.text


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (SMALL, "slide c: tile_width_um is 56, not 96"),
        ({**LARGE, "mpp": 0.25}, "slide c: mpp is 0.25, not 0.5"),
        ({**LARGE, "encoder": "conch"}, "slide c: encoder is conch, not uni"),
    ],
)
def test_the_slide_that_differs_is_named_with_both_values(other, told):
    with pytest.raises(CohortError, match=rf"1 of 3[\s\S]*{told}[\s\S]*on_mismatch"):
        check_made_alike({"a": LARGE, "c": other, "b": LARGE}, "stop")


def test_it_may_be_allowed_in_the_open(warned):
    assert check_made_alike({"a": LARGE, "b": SMALL}, "warn") == ("slide b: tile_width_um is 56, not 96",)
    assert "slide b: tile_width_um is 56, not 96" in warned.text


def test_of_many_slides_some_are_named():
    makings = {f"s{number:02d}": LARGE for number in range(20)} | {f"t{number:02d}": SMALL for number in range(15)}
    with pytest.raises(CohortError, match=r"15 of 35[\s\S]*slide t09[\s\S]*and 5 more"):
        check_made_alike(makings, "stop")


def test_slides_without_a_record_are_taken_and_said_once(warned):
    assert check_made_alike({"a": LARGE, "b": {}, "c": {}}, "stop") == ()
    assert warned.text.count("2 of 3 slides do not record") == 1
    assert "encoder" in warned.text


def test_nothing_is_said_where_no_slide_records_anything(warned):
    assert check_made_alike({"a": {}, "b": {}}, "stop") == ()
    assert not warned.text


def test_slides_are_compared_with_what_a_model_was_trained_on():
    expected = {"tile_width_um": (96.0,), "encoder": ("uni", "conch")}
    assert check_made_as({"a": LARGE}, expected, "model.pt", "stop") == ()
    with pytest.raises(CohortError, match=r"model.pt[\s\S]*slide b: tile_width_um is 56, not 96; encoder is x,"):
        check_made_as({"a": LARGE, "b": {**SMALL, "encoder": "x"}}, expected, "model.pt", "stop")
    assert len(check_made_as({"b": SMALL}, expected, "model.pt", "warn")) == 1


@pytest.mark.parametrize(("expected", "why"), [(None, "an earlier abignet"), ({}, "did not tell")])
def test_a_model_without_a_record_is_taken_and_said_once(warned, expected, why):
    assert check_made_as({"a": LARGE, "b": SMALL}, expected, "model.pt", "stop") == ()
    assert warned.text.count("model.pt does not record") == 1
    assert why in warned.text


def test_mismatches_stand_in_a_provenance_only_where_there_are_some():
    assert noted_mismatches(()) == {}
    assert noted_mismatches(("slide a: x",)) == {"mismatches": ["slide a: x"]}
