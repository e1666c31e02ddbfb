from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.columns import conform, typed_column
from pipeline.errors import ArtefactError

FILE = Path("t.csv")


def test_declared_columns_come_first_in_their_order_and_dtype() -> None:
    frame = pd.DataFrame({"more": [1], "b": [2.0], "a": ["x"]}, index=[7])
    conformed = conform(frame, {"a": "str", "b": "int64"}, FILE)
    assert conformed.columns.tolist() == ["a", "b", "more"]
    assert conformed["b"].dtype == np.int64
    assert conformed.index.tolist() == [0]
    assert frame["b"].dtype == np.float64, "the table given is left as it is"


def test_all_missing_columns_are_named_with_what_is_there() -> None:
    with pytest.raises(ArtefactError, match=r"t\.csv: columns b, c missing; found a"):
        conform(pd.DataFrame({"a": [1]}), {"a": "int64", "b": "int64", "c": "int64"}, FILE)
    with pytest.raises(ArtefactError, match="column a missing; found none"):
        conform(pd.DataFrame(), {"a": "int64"}, FILE)


def test_what_cannot_take_its_dtype_names_its_column() -> None:
    with pytest.raises(ArtefactError, match="column n cannot be int64"):
        conform(pd.DataFrame({"n": ["many"]}), {"n": "int64"}, FILE)


def test_cells_of_a_text_file() -> None:
    assert np.isnan(typed_column(pd.Series(["1.5", ""], dtype=object), "float64")[1])
    assert typed_column(pd.Series(["True", "False"], dtype=object), "bool").tolist() == [True, False]
    assert typed_column(pd.Series(["", "x"], dtype=object), "str").tolist() == ["", "x"]
