"""Write the sheet of Extended CRC with its official folds: python config/extended_crc/make_sheet.py IMAGES SHEET.

300 images of 103 patients, about 4548 x 7548 px at 20x (Shaban et al., IEEE TMI 2020).  ``folds.csv`` is
the data set's own list of three folds of 100 images; no patient is in two of them.  A
file is named ``Grade<1-3>_Patient_<id>_<place>.png``: the grade is the label (normal, low
grade, high grade; with ``--binary`` normal or cancer), the id the case.  The files name no
pixel size: 0.5 um/px is what 20x usually means.
"""

import argparse
import os
import re
from collections import Counter
from pathlib import Path

import pandas as pd

from pipeline.artefacts.csv_files import read_csv, write_csv
from pipeline.errors import AbignetError, SheetError

FOLDS = Path(__file__).with_name("folds.csv")
NAME = re.compile(r"Grade(?P<grade>[123])_Patient_(?P<patient>\d+)_.+\.png")
GRADES = {"1": "normal", "2": "low_grade", "3": "high_grade"}
BINARY = {"1": "normal", "2": "cancer", "3": "cancer"}
COLUMNS = {"slide_id": "str", "path": "str", "label": "str", "case_id": "str", "fold": "int64", "mpp": "float64"}
NAMED = 5
"""Most missing images that an error names."""


def sheet_of(images: Path, sheet: Path, *, binary: bool, subset: bool, mpp: float) -> pd.DataFrame:
    """Rows of a sheet for the images of the fold list that lie anywhere below ``images``.

    Raises
    ------
    SheetError
        If ``images`` holds none of them, or, without ``subset``, not all.
    """
    places = {path.name: path for path in sorted(images.rglob("*.png"))}
    folds = read_csv(FOLDS, "folds", {"Image_Names": "str", "Fold_Ids": "int64"})
    missing = [name for name in folds["Image_Names"] if name not in places]
    if len(missing) == len(folds) or (missing and not subset):
        named = ", ".join(missing[:NAMED]) + (", ..." if len(missing) > NAMED else "")
        advice = "give the folder that holds them, or --subset for a part of the images"
        raise SheetError(str(images), [f"{len(missing)} of {len(folds)} images missing: {named}; {advice}"])
    labels = BINARY if binary else GRADES
    rows = []
    for name, fold in folds[folds["Image_Names"].isin(places)].itertuples(index=False):
        parts = NAME.fullmatch(name)
        assert parts is not None, f"{FOLDS}: {name}"
        path = os.path.relpath(places[name], sheet.parent)
        case_id = f"patient_{parts['patient']}"
        rows.append((places[name].stem, path, labels[parts["grade"]], case_id, fold, mpp))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def main() -> None:
    """Write the sheet and say what it holds."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("images", type=Path, metavar="IMAGES", help="folder of the images, searched to its depth")
    parser.add_argument("sheet", type=Path, metavar="SHEET", help="csv to write")
    parser.add_argument("--binary", action="store_true", help="normal or cancer instead of three grades")
    parser.add_argument("--subset", action="store_true", help="take the images that are there, if not all are")
    parser.add_argument("--mpp", type=float, default=0.5, help="um/px (default: %(default)s)")
    given = parser.parse_args()
    try:
        table = sheet_of(given.images, given.sheet, binary=given.binary, subset=given.subset, mpp=given.mpp)
        write_csv(given.sheet, table, COLUMNS)
    except AbignetError as error:
        parser.exit(2, f"error: {error}\n")
    counts = ", ".join(f"{n} {label}" for label, n in sorted(Counter(table["label"]).items()))
    print(f"{given.sheet}: {len(table)} rows of {table['case_id'].nunique()} patients; {counts}")


if __name__ == "__main__":
    main()
