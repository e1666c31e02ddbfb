import io
import json
import zipfile

import numpy as np
import pytest

from tests.fuzz import mutations
from tests.fuzz.formats import FORMATS, write_input

TEXT = b'{"a": [1, 2.5, {"b": "c"}], "d": null}\n'


ALL = sorted({*mutations.BYTES, *mutations.JSON, *mutations.ZIP}, key=lambda mutation: mutation.__name__)


@pytest.mark.parametrize("mutation", ALL, ids=lambda mutation: mutation.__name__)
def test_a_mutation_is_drawn_from_its_generator_and_takes_any_bytes(mutation: mutations.Mutation) -> None:
    for content in (TEXT, b"", b"\xff\0", TEXT * 99):
        once, twice = ([mutation(content, np.random.default_rng(seed)) for seed in range(20)] for _ in range(2))
        assert once == twice
    assert any(mutation(TEXT, np.random.default_rng(seed)) != TEXT for seed in range(20))


def test_retyped_json_is_json() -> None:
    for seed in range(50):
        json.loads(mutations.retyped(TEXT, np.random.default_rng(seed)))


def test_a_member_of_an_archive_is_changed_under_a_checksum_that_fits() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x/data.pkl", bytes(range(200)))
    with zipfile.ZipFile(io.BytesIO(mutations.rezipped(buffer.getvalue(), np.random.default_rng(0)))) as changed:
        assert changed.testzip() is None
        assert changed.read("x/data.pkl") != bytes(range(200))


def test_an_input_is_the_same_by_its_number(tmp_path) -> None:
    kind = FORMATS["sheet"]
    examples = kind.examples(tmp_path)
    first = [write_input(kind, examples, tmp_path, number).read_bytes() for number in range(5)]
    again = [write_input(kind, examples, tmp_path, number).read_bytes() for number in range(5)]
    assert first == again
    assert len(set(first)) > 3
