from collections import Counter
from dataclasses import fields

from pipeline.config_keys import COMPARED, LAYOUT, SECTIONS, RunKeys
from pipeline.training.methods.presets import METHODS


def test_every_key_and_section_stands_once_in_the_file() -> None:
    laid_out = Counter(name for _, names in LAYOUT for name in names)
    declared = {field.name for field in fields(RunKeys)} | set(SECTIONS)
    assert set(laid_out) == declared
    assert set(laid_out.values()) == {1}


def test_methods_trained_by_default_exist_and_begin_with_the_reference() -> None:
    assert set(COMPARED) <= set(METHODS)
    assert COMPARED[0] == "default"


def test_a_section_goes_by_its_own_name() -> None:
    assert all(kind.section == name for name, kind in SECTIONS.items())
