from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artefacts.tables import HeadedTable
from pipeline.commands.tile_summary import tile_summary

FRAME = pd.DataFrame({"kept": np.array([True, False, True])})


def summary(**header: object) -> str:
    return tile_summary(Path("t.parquet"), HeadedTable(FRAME, {"reason": None, **header}))


def test_what_a_table_says_of_itself() -> None:
    assert summary() == "t.parquet: 2 of 3 tiles kept"
    assert summary(reason="no tissue found", cautions=[]) == "t.parquet: 2 of 3 tiles kept (no tissue found)"
    assert summary(cautions=["odd", "grey"]) == "t.parquet: 2 of 3 tiles kept; caution: odd; grey"
