"""Changes to the bytes of a file, drawn from a generator: what disks, transfers, editors and other tools do to it."""

import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Mutation = Callable[[bytes, np.random.Generator], bytes]

EXTREME_INTEGERS = (0, 1, -1, 127, 255, 2**15, 2**16 - 1, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, -(2**63))

EXTREME_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1e-300, 1e308, float("nan"), float("inf"), 2**63, 10**400, 0.1),
    *("", " ", "None", "nan", "\0", "\ud800", "ä", "a" * 5000, "../x", "1_0", "<!--"),
    *([], {}, [[]], [None], {"a": {}}, [[[[[[[[[[]]]]]]]]]]),
)

EXTREME_TEXTS = (
    *(
        "",
        " ",
        "nan",
        "-1",
        "1e999",
        "1_0",
        "0x1",
        "None",
        "null",
        "true",
        "[",
        "{",
        "]",
        "'",
        '"',
        ",",
        ";",
        "\t",
        "\r",
    ),
    *("\n", "#", ":", "- ", "&a", "*a", "!!python/object:os.system", "!!binary aGk=", "2024-01-01", "\ufeff", "\x85"),
    *(
        "\u200b",
        "é",
        "9" * 400,
        "0x" + "f" * 5000,
        "a" * 3000,
        "../",
        "/dev/zero",
        "{slide}",
        "\0",
        "%",
        "\\",
        "? ",
        "<<: ",
        "|",
        ">",
    ),
)

TOKEN = re.compile(r"[\w.+-]+|[^\w\s]|\s+")


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    """One to eight bits turned over."""
    changed = bytearray(content)
    for place in rng.integers(len(content), size=rng.integers(1, 9)) if content else ():
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    """The beginning alone."""
    return content[: int(rng.integers(len(content) + 1))]


def shortened(content: bytes, rng: np.random.Generator) -> bytes:
    """Without a block."""
    start, end = _block(content, rng)
    return content[:start] + content[end:]


def doubled(content: bytes, rng: np.random.Generator) -> bytes:
    """A block twice."""
    start, end = _block(content, rng)
    return content[:end] + content[start:]


def blanked(content: bytes, rng: np.random.Generator) -> bytes:
    """A block of zeros or ones, as a disk leaves it."""
    start, end = _block(content, rng)
    return content[:start] + bytes([int(rng.choice([0, 255]))]) * (end - start) + content[end:]


def inserted(content: bytes, rng: np.random.Generator) -> bytes:
    """Random bytes in between."""
    place = int(rng.integers(len(content) + 1))
    return content[:place] + rng.bytes(int(rng.integers(1, 17))) + content[place:]


def overwritten(content: bytes, rng: np.random.Generator) -> bytes:
    """An extreme integer of 1, 2, 4 or 8 bytes somewhere: sizes, counts and offsets of a binary format."""
    n_bytes = int(rng.choice([1, 2, 4, 8]))
    number = int(rng.choice(np.array(EXTREME_INTEGERS, object))) % 256**n_bytes
    place = int(rng.integers(max(len(content) - n_bytes, 0) + 1))
    return content[:place] + number.to_bytes(n_bytes, rng.choice(["little", "big"])) + content[place + n_bytes :]


def retyped(content: bytes, rng: np.random.Generator) -> bytes:
    """Of JSON: a value somewhere in its tree replaced, removed or moved; other content is flipped."""
    try:
        tree = json.loads(content)
    except ValueError:
        return flipped(content, rng)
    parents = [node for node in _nodes(tree) if isinstance(node, dict | list) and node]
    if not parents:
        return json.dumps(_extreme(rng)).encode()
    for _ in range(int(rng.integers(1, 4))):
        parent = parents[int(rng.integers(len(parents)))]
        keys: Sequence[Any] = list(parent) if isinstance(parent, dict) else range(len(parent))
        if not keys:
            continue
        key = keys[int(rng.integers(len(keys)))]
        choice = rng.integers(4)
        if choice == 0:
            del parent[key]
        elif choice == 1:
            parent[key] = json.loads(json.dumps(parents[int(rng.integers(len(parents)))]))
        else:
            parent[key] = _extreme(rng)
    return json.dumps(tree).encode()


def reworded(content: bytes, rng: np.random.Generator) -> bytes:
    """Of text: a word, number or sign replaced by an extreme one, removed, doubled or moved."""
    tokens = TOKEN.findall(content.decode("utf-8", "replace"))
    for _ in range(int(rng.integers(1, 4))) if tokens else ():
        place, other = (int(n) for n in rng.integers(len(tokens), size=2))
        replacements = (str(rng.choice(EXTREME_TEXTS)), "", tokens[place] * 2, tokens[other])
        tokens[place] = replacements[int(rng.integers(4))]
    return "".join(tokens).encode("utf-8", "replace")


def rezipped(content: bytes, rng: np.random.Generator) -> bytes:
    """Of a ZIP archive: a small member changed, with a checksum that fits; other content is flipped."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError, zlib.error, RuntimeError, KeyError):
        return flipped(content, rng)
    small = sorted(members, key=lambda name: len(members[name]))[:4]
    # A pickle names what it holds; what follows it are numbers.
    pickled = [name for name in members if name.endswith("data.pkl")]
    name = str(rng.choice(pickled if pickled and rng.random() < 0.7 else small)) if small else ""
    if name:
        members[name] = BYTES[int(rng.integers(len(BYTES)))](members[name], rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name), member)
    return buffer.getvalue()


def recoded(content: bytes, rng: np.random.Generator) -> bytes:
    """Of text: in another encoding, or with other ends of lines."""
    text = content.decode("utf-8", "replace")
    choice = int(rng.integers(6))
    if choice < 4:
        return text.encode(("utf-16", "latin-1", "utf-8-sig", "cp1252")[choice], "replace")
    return text.replace("\n", "\r\n" if choice == 4 else "\r").encode()


BYTES: tuple[Mutation, ...] = (flipped, flipped, cut, shortened, doubled, blanked, inserted, overwritten, overwritten)
ZIP: tuple[Mutation, ...] = (*BYTES, *[rezipped] * 9)
TEXT: tuple[Mutation, ...] = (reworded, reworded, reworded, recoded, flipped, cut, shortened, doubled, inserted)
JSON: tuple[Mutation, ...] = (retyped, retyped, retyped, retyped, *TEXT)


def mutated(content: bytes, mutations: Sequence[Mutation], rng: np.random.Generator) -> bytes:
    """``content`` after one of ``mutations``, seldom two or three."""
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        content = mutations[int(rng.integers(len(mutations)))](content, rng)
    return content


def _block(content: bytes, rng: np.random.Generator) -> tuple[int, int]:
    start = int(rng.integers(len(content) + 1))
    return start, min(len(content), start + int(2 ** rng.uniform(0, 9)))


def _extreme(rng: np.random.Generator) -> Any:
    return EXTREME_VALUES[int(rng.integers(len(EXTREME_VALUES)))]


def _nodes(tree: Any) -> list[Any]:
    nodes = [tree]
    for node in nodes:
        nodes += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return nodes
