"""``abignet import-nuclei``."""

from pathlib import Path

import click

from pipeline.commands.options import EXISTING_FILE, NEW_FILE
from pipeline.provenance import source_digest


@click.command("import-nuclei")
@click.option(
    "--nuclei",
    "found_path",
    type=EXISTING_FILE,
    required=True,
    help="GeoJSON of QuPath, JSON of HoVer-Net or CellViT, Parquet or CSV.",
)
@click.option("--tiles", "tiles_path", type=EXISTING_FILE, required=True, help="Table of tiles of the slide.")
@click.option("--out", "nuclei_path", type=NEW_FILE, required=True, help="Table of nuclei to write (.parquet).")
@click.option("--geojson", "geojson_path", type=NEW_FILE, help="The same for QuPath (.geojson.gz).")
def command(found_path: Path, tiles_path: Path, nuclei_path: Path, geojson_path: Path | None) -> None:
    """Make the nucleus table of a slide from nuclei that another program found."""
    from pipeline.artefacts.tables import read_table_header
    from pipeline.artefacts.tiles import KIND
    from pipeline.nuclei.import_nuclei import import_nuclei
    from pipeline.report.export_geojson import nuclei_geojson

    slide_id = str(read_table_header(tiles_path, KIND)["slide_id"])
    source = source_digest("pipeline.nuclei.import_nuclei")
    n_nuclei = import_nuclei(tiles_path, found_path, nuclei_path, slide_id=slide_id, source=source)
    if geojson_path is not None:
        nuclei_geojson(nuclei_path, geojson_path)
    click.echo(f"{nuclei_path}: {n_nuclei} nuclei")
