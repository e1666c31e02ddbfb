"""A file of nuclei of any format that is read."""

from pathlib import Path

from pipeline.artefacts.foreign_nuclei.found_nuclei import FoundNuclei
from pipeline.artefacts.foreign_nuclei.geojson_nuclei import geojson_nuclei
from pipeline.artefacts.foreign_nuclei.json_nuclei import cellvit_nuclei, hover_net_nuclei
from pipeline.artefacts.foreign_nuclei.nuclei_tables import table_nuclei
from pipeline.artefacts.geojson import NotGeoJsonError, read_json
from pipeline.errors import ImportedFileError

JSON_SUFFIXES = (".json", ".geojson", ".json.gz", ".geojson.gz")


def read_found_nuclei(path: str | Path) -> FoundNuclei:
    """Read nuclei that another program found: GeoJSON, JSON of HoVer-Net or CellViT, Parquet or CSV.

    Raises
    ------
    ImportedFileError
        If it cannot be read or is none of these.
    """
    if not str(path).lower().endswith(JSON_SUFFIXES):
        return table_nuclei(path)
    try:
        content = read_json(path)
        if isinstance(content, dict) and "nuc" in content:
            return hover_net_nuclei(content, path)
        if isinstance(content, dict) and "cells" in content:
            return cellvit_nuclei(content, path)
        return geojson_nuclei(content)
    except NotGeoJsonError as error:
        raise ImportedFileError(
            f"{path}: expected nuclei as GeoJSON, or as JSON of HoVer-Net or CellViT; {error}. Export them again."
        ) from error
