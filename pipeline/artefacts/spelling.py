r"""Spellings of a name that people take for one and a computer for two.

``look`` is what people see of a text: two texts with one look are one name to them.  The
parts of it are those by which exports, spreadsheets and keyboards change a name unseen.
Caseless compatibility matching is definition D146 of the Unicode Standard, chapter 3.13.
"""

import unicodedata
from collections.abc import Callable, Iterable, Mapping

FILLERS = frozenset("\u034f\u115f\u1160\u180b\u180c\u180d\u180f\u3164\uffa0")
"""Characters without a picture that are no format characters to Unicode (Default_Ignorable_Code_Point)."""

DASHES, QUOTES, BLANK = (
    "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d",
    "\u2018\u2019\u201b\u02bc\u00b4`",
    "\u2800",
)

CYRILLIC_AND_GREEK = "авекмнорстухіјѕαβεζηικμνορτυχ"
"""Letters that, small or capital, have the picture of a Latin one."""

THEIR_LATIN = "abekmhopctyxijsabezhikmnoptyx"

LOOK_ALIKES = str.maketrans(
    dict.fromkeys(DASHES, "-")
    | dict.fromkeys(QUOTES, "'")
    | {BLANK: " "}
    | dict(zip(CYRILLIC_AND_GREEK, THEIR_LATIN, strict=True))
    | dict(zip(CYRILLIC_AND_GREEK.upper(), THEIR_LATIN.upper(), strict=True))
)


MOST_SHOWN = 120
"""Characters of a text that a message shows."""


def look(text: str) -> str:
    """What people see of ``text``: without what cannot be seen, in small letters, spaces and forms made one."""
    if text.isascii() and text.isprintable():
        return _one_space(text.casefold()).translate(LOOK_ALIKES)
    return _one_space(_caseless(_one_space(_visible(text))).translate(LOOK_ALIKES))


def alike(spellings: Iterable[str]) -> list[list[str]]:
    """Groups of different spellings that have one look, in the order given."""
    by_look: dict[str, list[str]] = {}
    for spelling in dict.fromkeys(spellings):
        by_look.setdefault(look(spelling), []).append(spelling)
    return [group for group in by_look.values() if len(group) > 1]


def difference(spellings: Iterable[str]) -> str:
    """In what spellings of one look differ, in words."""
    texts = tuple(spellings)
    alone = [words for words, step in STEPS.items() if len({step(text) for text in texts}) == 1]
    return alone[0] if alone else ", ".join(w for w, step in STEPS.items() if any(step(text) != text for text in texts))


def spelled(text: str, *beside: str) -> str:
    r"""``text`` in quotes, with what cannot be seen as ``\u00a0``; a long one is cut.

    What looks Latin and is not is written so as well, where the text or one ``beside`` it is Latin.
    """
    is_latin = any("a" <= character <= "z" for character in "".join((text, *beside)).lower())
    shown = "".join(_shown(character, is_latin) for character in text[:MOST_SHOWN])
    return f"'{shown}'" if len(text) <= MOST_SHOWN else f"'{shown}...' ({len(text):,} characters)"


def unseen_end(text: str) -> str | None:
    """The first or last character of ``text`` if it cannot be seen, as ``U+00A0 (no-break space)``, else None."""
    if text.isascii() and text.isprintable():
        return None
    for character in (text[:1], text[-1:]):
        if character and character not in " \t" and (character.isspace() or not _visible(character)):
            name = unicodedata.name(character, "a control character").lower()
            return f"U+{ord(character):04X} ({name})"
    return None


def _one_space(text: str) -> str:
    return " ".join(text.split())


def _visible(text: str) -> str:
    """``text`` without characters that have no picture and take no room."""
    return "".join(character for character in text if character.isspace() or not _is_unseen(character))


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in ("Cf", "Cc") or character in FILLERS or _is_variation(character)


def _is_variation(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def _caseless(text: str) -> str:
    folded = unicodedata.normalize("NFD", text)
    for _ in range(2):
        folded = unicodedata.normalize("NFKC", folded.casefold())
    return folded


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _compatible(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _shown(character: str, is_latin: bool) -> str:
    if character.isascii() and character.isprintable():
        return character
    category = unicodedata.category(character)
    is_picture = character.isprintable() and category[0] not in "ZCM" and category != "Pd"
    is_taken_for_latin = is_latin and character.translate(LOOK_ALIKES) != character
    return character if is_picture and not is_taken_for_latin else ascii(character)[1:-1]


STEPS: Mapping[str, Callable[[str], str]] = {
    "spaces": _one_space,
    "characters that cannot be seen": _visible,
    "the form of accents (Unicode NFC, NFD)": _composed,
    "the form of characters (Unicode NFKC)": _compatible,
    "capital letters": str.casefold,
    "characters that look alike": lambda text: text.translate(LOOK_ALIKES),
}
"""The ways in which spellings of one look differ, each with what takes that difference away."""
