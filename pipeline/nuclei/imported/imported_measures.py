"""The measures of nuclei from elsewhere: the file's own, those of its outlines, what follows from these, else NaN."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artefacts.foreign_nuclei.found_nuclei import MEASURES, Outlines
from pipeline.errors import ImportedFileError
from pipeline.nuclei.imported.outline_measures import measure_outlines
from pipeline.nuclei.measures.ellipses import axial

SHARES = frozenset({"eccentricity", "orientation_reliability", "solidity", "convexity"})
"""Measures between 0 and 1."""

SIGNED = frozenset({"orientation_rad", "glcm_correlation"})

ROUNDING = 1e-3
"""Guard: a share of 1 that a program rounded."""


def imported_measures(frame: pd.DataFrame, outlines_um: Outlines, path: str | Path) -> pd.DataFrame:
    """Every one of ``MEASURES`` of each nucleus; NaN what neither the file nor an outline tells.

    Parameters
    ----------
    frame
        See ``FoundNuclei.frame``; its measures by our names beat those of outlines, others' names fill what is left.
    outlines_um
        (n,), in um.

    Raises
    ------
    ImportedFileError
        If a measure of the file cannot be one, such as a negative area.
    """
    _check(frame, path)
    drawn = measure_outlines(outlines_um)
    measures = pd.DataFrame(index=range(len(frame)), columns=list(MEASURES), dtype=np.float64)
    for name in MEASURES:
        for source, column in ((frame, name), (drawn, name), (frame, f"~{name}")):
            if column in source:
                measures[name] = measures[name].fillna(source[column].reset_index(drop=True))
    measures["orientation_rad"] = axial(measures["orientation_rad"].to_numpy())
    for name, values in _implied(measures).items():
        measures[name] = measures[name].fillna(values)
    return measures


def _implied(measures: pd.DataFrame) -> "dict[str, pd.Series[float]]":
    """Measures that others define: a reliability r of (V1 - V2) / (V1 + V2) is an eccentricity, and so are two axes."""
    axes = (1 - (measures["minor_axis_um"] / measures["major_axis_um"]).clip(upper=1.0) ** 2) ** 0.5
    reliability = measures["orientation_reliability"]
    eccentricity = measures["eccentricity"].fillna(axes).fillna((2 * reliability / (1 + reliability)) ** 0.5)
    squared = eccentricity**2
    return {
        "eccentricity": eccentricity,
        "orientation_reliability": squared / (2 - squared),
        "equivalent_diameter_um": (4 * measures["area_um2"] / np.pi) ** 0.5,
    }


def _check(frame: pd.DataFrame, path: str | Path) -> None:
    for name in MEASURES:
        for column in {name, f"~{name}"} & set(frame):
            low = -np.inf if name in SIGNED else 0.0
            high = 1 + ROUNDING if name in SHARES else np.inf
            values = frame[column].to_numpy(np.float64)
            wrong = values[(values < low) | (values > high) | np.isinf(values)]
            if len(wrong):
                limits = "between 0 and 1" if name in SHARES else "finite" if name in SIGNED else "0 or more"
                found = f"expected numbers {limits}, found {wrong[0]:g}"
                raise ImportedFileError(f"{path}: {name}: {found}. Check its unit.")
