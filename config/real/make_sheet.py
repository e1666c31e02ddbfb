"""Write the sheet of the real images: python config/real/make_sheet.py DATA_FOLDER SHEET.

DATA_FOLDER holds ``crchistophenotypes`` (Sirinukunwattana et al., IEEE TMI 2016: 100
colorectal images of 500 x 500 px at 0.55 um/px with typed nuclei), ``wsi_openslide``
(CMU-1-Small-Region.svs, CC0) and ``wsi_tcga_frozen`` (a TCGA frozen section without mpp).

Label: the dominant type among an image's typed nuclei, ``epithelial`` or
``inflammatory``, the nearest free stand-in for tumour against lymphocyte.  Images
dominated by another type, and the slides, keep an empty label and are only predicted.
There are no patient ids, so results are image-level.
"""

import csv
import os
import sys
from pathlib import Path

MPP_CRCHISTOPHENOTYPES = 0.55  # by the data set's paper (20x)
MPP_TCGA_ASSUMED = 0.5  # not in the file; 20x is an assumption
LABELS = {"n_epithelial": "epithelial", "n_inflammatory": "inflammatory"}
TYPES = ("n_epithelial", "n_inflammatory", "n_fibroblast", "n_others")


def image_rows(folder: Path) -> list[dict[str, str]]:
    """Rows of the 100 images; the label is that of the most frequent nucleus type."""
    with (folder / "images.csv").open(newline="") as stream:
        images = list(csv.DictReader(stream))
    rows = []
    for image in images:
        dominant = max(TYPES, key=lambda column: int(image[column]))
        rows.append(
            {
                "slide_id": Path(image["file"]).stem,
                "path": str(folder / "images" / image["file"]),
                "label": LABELS.get(dominant, ""),
                "mpp": str(MPP_CRCHISTOPHENOTYPES),
            }
        )
    return rows


def slide_rows(data: Path) -> list[dict[str, str]]:
    """Rows of the two whole slides, without label."""
    cmu = data / "wsi_openslide" / "CMU-1-Small-Region.svs"
    tcga = data / "wsi_tcga_frozen" / "tcga-cr-7395-01a-01-ts1.svs"
    return [
        {"slide_id": "CMU-1-Small-Region", "path": str(cmu), "label": "", "mpp": ""},
        {"slide_id": "TCGA-CR-7395", "path": str(tcga), "label": "", "mpp": str(MPP_TCGA_ASSUMED)},
    ]


def main(data: Path, sheet: Path) -> None:
    """Write the sheet with paths relative to it."""
    rows = image_rows(data / "crchistophenotypes") + slide_rows(data)
    sheet.parent.mkdir(parents=True, exist_ok=True)
    for row in rows:
        row["path"] = os.path.relpath(row["path"], sheet.parent)
    with sheet.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["slide_id", "path", "label", "mpp"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    counts = {label: sum(row["label"] == label for row in rows) for label in (*LABELS.values(), "")}
    print(f"{sheet}: {len(rows)} rows; " + ", ".join(f"{n} {label or 'without label'}" for label, n in counts.items()))


if __name__ == "__main__":
    if len(sys.argv) != 3 or not sys.argv[1]:
        sys.exit("usage: python config/real/make_sheet.py DATA_FOLDER SHEET (set ABIGNET_REAL_DATA for `make real`)")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
