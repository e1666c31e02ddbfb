import pytest

from pipeline.artefacts.spelling import alike, difference, look, spelled, unseen_end

SAME_LOOK = [
    ("Tumor", "tumor", "capital letters"),
    ("STRASSE", "straße", "capital letters"),
    ("MSI\u00a0high", "MSI high", "spaces"),
    ("MSI  high", "MSI high", "spaces"),
    ("MSI\u2003high", "MSI high", "spaces"),
    ("Tu\u200bmor", "Tumor", "characters that cannot be seen"),
    ("\ufeffTumor", "Tumor", "characters that cannot be seen"),
    ("\u202eTumor\u202c", "Tumor", "characters that cannot be seen"),
    ("Tu\u00admor", "Tumor", "characters that cannot be seen"),
    ("Sj\u00f6gren", "Sjo\u0308gren", "the form of accents (Unicode NFC, NFD)"),
    ("\ufb01bro", "fibro", "the form of characters (Unicode NFKC)"),
    ("\uff34umor", "Tumor", "the form of characters (Unicode NFKC)"),
    ("stage\u2161", "stageII", "the form of characters (Unicode NFKC)"),
    ("Tum\u043er", "Tumor", "characters that look alike"),
    ("P\u0410", "PA", "characters that look alike"),
    ("MSI\u2013high", "MSI-high", "characters that look alike"),
    ("Crohn\u2019s", "Crohn's", "characters that look alike"),
]


@pytest.mark.parametrize(("one", "other", "words"), SAME_LOOK)
def test_spellings_that_look_the_same_are_one_name_and_say_in_what_they_differ(one, other, words):
    assert look(one) == look(other)
    assert difference((one, other)) == words
    assert spelled(one, other) != spelled(other, one)


@pytest.mark.parametrize(
    ("one", "other"), [("P1", "P01"), ("MSI_high", "MSI high"), ("T1", "T1a"), ("né", "ne"), ("опухоль", "норма")]
)
def test_names_that_people_can_tell_apart_are_two(one, other):
    assert look(one) != look(other)


def test_several_differences_are_all_named():
    words = difference(("MSI\u00a0High", "msi high"))
    assert "capital letters" in words
    assert "spaces" in words


def test_groups_keep_the_order_given_and_leave_out_what_stands_alone():
    assert alike(["a", "B", "b", "c", "A", "a"]) == [["a", "A"], ["B", "b"]]
    assert alike([]) == []


def test_what_cannot_be_seen_is_written_as_its_code_and_what_can_as_it_is():
    assert spelled("a\u00a0b\u200b") == r"'a\xa0b\u200b'"
    assert spelled("Größe 肿瘤") == "'Größe 肿瘤'"
    assert spelled("опухоль") == "'опухоль'"
    assert spelled("Sjo\u0308gren") == r"'Sjo\u0308gren'"
    assert spelled("a\0b\n") == r"'a\x00b\n'"


def test_a_long_text_is_cut():
    assert spelled("x" * 1_000_000).endswith("...' (1,000,000 characters)")
    assert len(spelled("x" * 1_000_000)) < 200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tumor\u00a0", "U+00A0 (no-break space)"),
        ("\u200bTumor", "U+200B (zero width space)"),
        ("\ufeffTumor", "U+FEFF (zero width no-break space)"),
        ("Tumor\x07", "U+0007 (a control character)"),
        ("Tumor", None),
        ("a\u00a0b", None),
        ("", None),
    ],
)
def test_an_end_that_cannot_be_seen_is_named(text, expected):
    assert unseen_end(text) == expected
