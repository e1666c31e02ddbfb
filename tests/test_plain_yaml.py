"""What YAML takes unheard is told, and nothing that a user writes ends in a traceback or a hang."""

import time

import pytest

from pipeline.errors import ConfigError
from pipeline.plain_yaml import parse_yaml, read_yaml, unplain


def test_plain_values_are_read_as_yaml_has_them():
    text = "a: 1\nb: [0.5, -3, 2.5e+1, x, null, true]\nc: {d: 'e f', g: '007'}\nh: &x {i: 1}\nj: {<<: *x, k: 2}\n"
    assert parse_yaml(text) == {
        "a": 1,
        "b": [0.5, -3, 25.0, "x", None, True],
        "c": {"d": "e f", "g": "007"},
        "h": {"i": 1},
        "j": {"i": 1, "k": 2},
    }
    assert parse_yaml("") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tiling:\n  mpp: 0.5\n  mpp: 1.0\n", r"(?s)key 'mpp' twice, first in line 2; delete one.*line 3"),
        ("{a: 1, a: 1}", "key 'a' twice, first in line 1"),
        ("a: 1\nb: 2\na: 3", "key 'a' twice, first in line 1"),
        ("1: x", "a key that is no text; write it in quotes"),
        ("{null: x}", "a key that is no text"),
        ("{on: x}", "a key that is no text"),
        ("{[a, b]: x}", "a key that is no text"),
        ("a: 0512", "the number '0512'; write it in plain decimal digits"),
        ("a: 0x1F", "the number '0x1F'"),
        ("a: 0b1", "the number '0b1'"),
        ("a: 1_0", "the number '1_0'"),
        ("a: 8:32", "the number '8:32'"),
        ("a: 1_0.5", "the number '1_0.5'"),
        ("a: 8:32.5", "the number '8:32.5'"),
        ("a: " + "9" * 5000, "the number '9999"),
        ("a: [", "expected the node content"),
        ("a: *b", "undefined alias"),
        ("a:\n\tb: 1", "cannot start any token"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        ("a: 1\n---\nb: 2", "another document"),
        ("a: &x [*x]", "more than 10,000 values or 20 levels"),
        ("[" * 5000, "levels of nesting"),
        ("a: " + "{a: " * 30 + "1" + "}" * 30, "levels of nesting"),
        ("a: " + "[x, " * 3 + "]" * 3 + " b", "expected <block end>"),
        ('a: "\\ud800"', "half a character"),
        ('a: "x\\0"', "control characters"),
        ('"x\\e": 1', "control characters"),
    ],
)
def test_each_trap_of_yaml_is_a_fault(text, found):
    with pytest.raises(ValueError, match=found):
        parse_yaml(text)


def test_a_small_text_that_unfolds_to_a_huge_one_is_refused_at_once():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 20)]
    start = time.process_time()
    with pytest.raises(ValueError, match="more than 10,000 values"):
        parse_yaml("\n".join([*lines, "seeds: *a19"]))
    assert time.process_time() - start < 10


def test_values_that_came_otherwise_are_looked_at_as_well():
    bomb = [1] * 9
    for _ in range(12):
        bomb = [bomb] * 9
    assert "more than 10,000 values" in (unplain({"seeds": bomb}) or "")
    assert "control" in (unplain({"a": ("x\x07",)}) or "")
    assert unplain({"a": {"b": [1, "tab\tand\nline", 2.5, None]}}) is None


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("title: Größe".encode("latin-1"), "in line 1, which Latin-1"),
        ("title: x".encode("utf-16"), "UTF-16"),
        (b"a: 1\nb: \0\n", "a byte of value 0 in line 2"),
        (b"PK\x03\x04", "a workbook"),
        (b"# " + b"x" * 300_000, "a file of 300,002 bytes, where 250,000 are the most"),
        (b"a: [1", r"expected ',' or ']'"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_what_it_is(tmp_path, content, found):
    (tmp_path / "my.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"(?s)my\.yaml: expected a YAML file in UTF-8, found: .*{found}"):
        read_yaml(tmp_path / "my.yaml")


def test_a_folder_and_a_missing_file_are_named(tmp_path):
    for path in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(ConfigError, match=str(path)):
            read_yaml(path)


def test_a_byte_order_mark_does_no_harm(tmp_path):
    (tmp_path / "my.yaml").write_text("title: Größe", encoding="utf-8-sig")
    assert read_yaml(tmp_path / "my.yaml") == {"title": "Größe"}
