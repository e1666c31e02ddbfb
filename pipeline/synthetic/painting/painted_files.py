"""Files of painted cohorts beside their slides: tables, and how they were made."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.artefacts.atomic import writing
from pipeline.provenance import record, source_digest


def slide_path(slide_id: str) -> str:
    """Where a slide lies in the folder of its cohort."""
    return f"slides/{slide_id}.tif"


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write ``frame`` as CSV, atomically, without its index."""
    with writing(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def write_making(folder: Path, module: str, params: Mapping[str, Any], seed: int) -> None:
    """Write ``provenance.json`` in ``folder``, atomically: ``params``, ``seed``, and what ``module`` reaches."""
    provenance = record(params={**params, "seed": seed}, source=source_digest(module))
    with writing(folder / "provenance.json") as temporary:
        temporary.write_text(json.dumps(provenance, indent=2, sort_keys=True) + "\n", encoding="utf-8")
