"""Write the sheet of a set of real images: python config/real/make_sheet.py DATA_FOLDER SHEET [real|glas|lc25000].

``real`` (the default): ``crchistophenotypes`` (Sirinukunwattana et al., IEEE TMI 2016: 100
colorectal images of 500 x 500 px at 0.55 um/px with typed nuclei), ``wsi_openslide``
(CMU-1-Small-Region.svs, CC0) and ``wsi_tcga_frozen`` (a TCGA frozen section without mpp).
Label: the dominant type among an image's typed nuclei, ``epithelial`` or
``inflammatory``, the nearest free stand-in for tumour against lymphocyte.  Images
dominated by another type, and the slides, keep an empty label and are only predicted.
There are no patient ids, so results are image-level.

``glas``: ``glas_subset`` (Sirinukunwattana et al., Medical Image Analysis 2017: colorectal
images of about 775 x 522 px at 0.62 um/px).  Label: benign or malignant by the set's
grades; patients are named, and some have images of both.

``lc25000``: ``lc25000_subset`` (Borkowski et al., arXiv:1912.12142: 768 x 768 px, five
classes of colon and lung).  The set names neither patients nor a pixel size, and its images
are turned, mirrored and zoomed copies of fewer fields: the four pairs found to show one
field share a case, so that folds keep them together.
"""

import argparse
import csv
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.errors import SheetError

MPP_CRCHISTOPHENOTYPES = 0.55  # by the data set's paper (20x)
MPP_TCGA_ASSUMED = 0.5  # not in the file; 20x is an assumption
MPP_GLAS = 0.62  # by the challenge's description (20x, Zeiss MIRAX)
MPP_LC25000_ASSUMED = 0.35  # red cells of normal lung measure about 20 px and are taken for 7 um; zoom varies
LC25000_SAME_FIELD = {  # seen by eye among the 14 pairs of most alike colours; there may be more
    "colon_aca___colonca3978_107": "colon_aca_a",
    "colon_aca___colonca4271_106": "colon_aca_a",
    "lung_aca___lungaca1674_113": "lung_aca_a",
    "lung_aca___lungaca220_108": "lung_aca_a",
    "lung_n___lungn3790_115": "lung_n_a",
    "lung_n___lungn462_119": "lung_n_a",
    "lung_n___lungn3960_110": "lung_n_b",
    "lung_n___lungn4547_107": "lung_n_b",
}
LABELS = {"n_epithelial": "epithelial", "n_inflammatory": "inflammatory"}
TYPES = ("n_epithelial", "n_inflammatory", "n_fibroblast", "n_others")

Row = dict[str, str]


def crchistophenotypes_rows(data: Path) -> list[Row]:
    """Rows of the 100 images; the label is that of the most frequent nucleus type."""
    folder = data / "crchistophenotypes"
    rows = []
    for image in read_table(folder / "images.csv", ["file", *TYPES]):
        dominant = max(TYPES, key=lambda column: int(image[column]))
        path = folder / "images" / image["file"]
        rows.append(row_of(path, LABELS.get(dominant, ""), MPP_CRCHISTOPHENOTYPES))
    return rows


def slide_rows(data: Path) -> list[Row]:
    """Rows of the two whole slides, without label."""
    cmu = data / "wsi_openslide" / "CMU-1-Small-Region.svs"
    tcga = data / "wsi_tcga_frozen" / "tcga-cr-7395-01a-01-ts1.svs"
    return [
        {"slide_id": "CMU-1-Small-Region", "path": str(cmu), "label": "", "mpp": ""},
        {"slide_id": "TCGA-CR-7395", "path": str(tcga), "label": "", "mpp": str(MPP_TCGA_ASSUMED)},
    ]


def glas_rows(data: Path) -> list[Row]:
    """Rows of the GlaS images, with their patients."""
    folder = data / "glas_subset"
    return [
        row_of(folder / "images" / image["file"], image["grade_glas"], MPP_GLAS)
        | {"case_id": f"patient_{image['patient']}"}
        for image in read_table(folder / "labels.csv", ["file", "patient", "grade_glas"])
    ]


def lc25000_rows(data: Path) -> list[Row]:
    """Rows of the LC25000 images; a case is given only to those that show one field."""
    folder = data / "lc25000_subset"
    return [
        row_of(folder / "images" / image["file"], image["label"], MPP_LC25000_ASSUMED)
        | {"case_id": LC25000_SAME_FIELD.get(Path(image["file"]).stem, "")}
        for image in read_table(folder / "labels.csv", ["file", "label"])
    ]


SETS: dict[str, Callable[[Path], list[Row]]] = {
    "real": lambda data: crchistophenotypes_rows(data) + slide_rows(data),
    "glas": glas_rows,
    "lc25000": lc25000_rows,
}


def row_of(path: Path, label: str, mpp: float) -> Row:
    """A row of an image that is named after its file."""
    return {"slide_id": path.stem, "path": str(path), "label": label, "mpp": str(mpp)}


def read_table(path: Path, columns: Sequence[str]) -> list[Row]:
    """Rows of a set's own table, checked to have ``columns`` filled."""
    try:
        with path.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
    except FileNotFoundError as error:
        advice = f"ABIGNET_REAL_DATA must name the folder that holds {path.parent.name}"
        raise SheetError(str(path), [f"no such file; {advice}"]) from error
    faults = [
        f"row {number}, column {column}: expected a value, found none"
        for number, row in enumerate(rows, start=2)
        for column in columns
        if not row.get(column)
    ]
    if faults or not rows:
        raise SheetError(str(path), faults or ["expected a row for each image, found none"])
    return rows


def write_sheet(rows: Sequence[Row], sheet: Path) -> None:
    """Write ``rows`` with paths relative to ``sheet``, once all their files are there."""
    missing = [row["path"] for row in rows if not Path(row["path"]).is_file()]
    if missing:
        raise SheetError(str(sheet), [f"no such file: {path}; the set is incomplete" for path in missing])
    sheet.parent.mkdir(parents=True, exist_ok=True)
    with sheet.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"path": os.path.relpath(row["path"], sheet.parent)} for row in rows)


def main(data: Path, sheet: Path, name: str = "real") -> None:
    """Write the sheet of one set and say what it holds."""
    rows = SETS[name](data)
    write_sheet(rows, sheet)
    counts = Counter(row["label"] or "without label" for row in rows)
    print(f"{sheet}: {len(rows)} rows; " + ", ".join(f"{n} {label}" for label, n in sorted(counts.items())))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=main.__doc__, epilog="`make real` gives ABIGNET_REAL_DATA and SET.")
    parser.add_argument("data", metavar="DATA_FOLDER")
    parser.add_argument("sheet", type=Path)
    parser.add_argument("name", nargs="?", choices=SETS, default="real")
    given = parser.parse_args()
    if not given.data:
        parser.error("DATA_FOLDER is empty; set ABIGNET_REAL_DATA for `make real`")
    try:
        main(Path(given.data), given.sheet, given.name)
    except SheetError as error:
        parser.exit(2, f"error: {error}\n")
