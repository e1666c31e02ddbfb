"""The columns of the sheet of slides, each declared once: what a cell may hold, and what it means.

``pipeline.config_files`` writes ``workflow/schemas/slides.schema.yaml`` from them.
"""

from dataclasses import dataclass

from pipeline.tunables import SOME_TEXT, Number, Rule, Text

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}"
"""Pattern of names that become names of files; those take 255 characters, of which endings need some."""

CELL = Text("text without commas, quotes or line breaks", r'[^,"\r\n\t]+')


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    rule
        What a cell that is not empty may hold.
    description
        The same for people, and what it is for.
    """

    rule: Rule
    description: str


SLIDE_MPP = Number(0.02, 50)
"""um per pixel of level 0."""

COLUMNS: dict[str, Column] = {
    "slide_id": Column(
        Text("a name", NAME), "a unique name of letters, digits, '.', '_' and '-' that starts with a letter or digit"
    ),
    "path": Column(SOME_TEXT, "a slide that OpenSlide reads, or a PNG, JPEG, WebP, BMP or TIFF image"),
    "features": Column(
        Text("a feature file", r".+\.(zarr|h5)/?"),
        "a feature file (.zarr of abignet, .h5 of TRIDENT, CLAM or STAMP) to use instead of computing features, or "
        "beside them (config key features.embedding)",
    ),
    "label": Column(
        CELL, "the class, without commas, quotes or line breaks; empty for a slide that is only to be predicted"
    ),
    "case_id": Column(CELL, "the patient, which groups slides into folds, without commas, quotes or line breaks"),
    "mpp": Column(
        SLIDE_MPP,
        "micrometres per pixel of level 0, a number between 0.02 and 50; needed where the file does not hold it",
    ),
    "fold": Column(
        Number(0, 2**31 - 1, is_whole=True),
        "the slide's test fold, a whole number from 0; given for all labelled slides or for none",
    ),
    "mask": Column(Text("a GeoJSON file", r".+\.(geo)?json"), "a GeoJSON file of regions in level-0 pixels"),
    "tiles": Column(
        Text("a file of coordinates", r".+\.h5"),
        "an .h5 file of tile coordinates (TRIDENT, CLAM) to use instead of the grid; needs `path`, cannot stand beside "
        "`mask`, which would drop tiles",
    ),
    "nuclei": Column(
        Text("a file of nuclei", r".+\.(geojson|json|parquet|pq|csv|tsv)(\.gz)?"),
        "nuclei that another program found, to use instead of segmenting: .geojson (QuPath, StarDist), .json "
        "(HoVer-Net, CellViT), .parquet or .csv with x_um and y_um, or x_px and y_px; without `path` they are tiled "
        "over their own extent",
    ),
}
