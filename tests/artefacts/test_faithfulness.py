import pytest

from pipeline.artefacts.faithfulness import DIRECTIONS, ORDERS, Faithfulness, read_faithfulness, write_faithfulness
from pipeline.errors import ArtefactError

CURVES = {direction: {order: [1.0, 0.5, 0.25] for order in ORDERS} for direction in DIRECTIONS}


def written(tmp_path, curves):
    path = tmp_path / "faithfulness.json"
    write_faithfulness(path, Faithfulness((0.0, 0.5, 1.0), {"s1": curves}, {}), {"source": "s"})
    return path


def test_what_is_written_is_read(tmp_path):
    found = read_faithfulness(written(tmp_path, CURVES))
    assert found == Faithfulness((0.0, 0.5, 1.0), {"s1": CURVES}, {})


def test_curves_of_another_length_or_without_an_order_are_refused(tmp_path):
    short = {**CURVES, "deletion": {**CURVES["deletion"], "random": [1.0]}}
    with pytest.raises(ArtefactError, match=r"curves of 3 values, found \[1, 3\]"):
        read_faithfulness(written(tmp_path, short))
    with pytest.raises(ArtefactError, match="insertion"):
        read_faithfulness(written(tmp_path, {"deletion": CURVES["deletion"]}))
