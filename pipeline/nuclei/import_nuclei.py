"""Rule ``import_nuclei``: nuclei that another program found, as a nucleus table."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from pipeline.artefacts.foreign_nuclei.file_frame import file_frame
from pipeline.artefacts.foreign_nuclei.nuclei_file import read_found_nuclei
from pipeline.artefacts.header import check_slide
from pipeline.artefacts.inside_mask import InsideMask
from pipeline.artefacts.nuclei import COLUMNS, NucleusHeader, write_nuclei
from pipeline.artefacts.tables import HeadedTable, empty_frame
from pipeline.artefacts.tile_ownership import check_single_ownership
from pipeline.artefacts.tiles import kept_tiles, mpp_of, read_tiles
from pipeline.errors import ImportedFileError, OnBadSlide
from pipeline.exclusion import reason_to_exclude
from pipeline.logs import get_logger
from pipeline.nuclei.imported.frame_checks import PlacedNuclei, check_frame, check_sizes
from pipeline.nuclei.imported.imported_measures import imported_measures
from pipeline.nuclei.imported.owners import owners
from pipeline.provenance import digests, record

UNREAD = "a file that was not read"
"""Kind of the file of a slide that is excluded, for its sake or another's."""

FEW_OWNED = 0.5
"""Share of the nuclei that lie in kept tiles below which a caution says so."""

logger = get_logger("nuclei")


@dataclass(frozen=True)
class _Imported:
    """Rows of a nucleus table, why there is none, and what is odd about them."""

    frame: pd.DataFrame
    kind: str
    reason: str | None
    cautions: tuple[str, ...] = ()


def import_nuclei(
    tiles_path: str | Path,
    found_path: str | Path,
    nuclei_path: str | Path,
    *,
    slide_id: str,
    source: str,
    on_bad_slide: OnBadSlide = "stop",
) -> int:
    """Write the nucleus table of a slide from nuclei that another program found.

    Each belongs to the kept tile that holds its centroid; those in no kept tile or outside a drawn mask are left
    out.  Measures that neither the file nor an outline tells are NaN.  A column ``type`` is there where the file has
    types.

    Parameters
    ----------
    tiles_path
        Tile table of the slide.
    found_path
        GeoJSON, JSON of HoVer-Net or CellViT, Parquet or CSV; see ``pipeline.artefacts.foreign_nuclei``.
    nuclei_path
        Table to write.
    slide_id
        Its name.
    source
        Source digest of this room.
    on_bad_slide
        What is done about a file that cannot be used: ``exclude`` writes an empty table with the error as reason.

    Returns
    -------
    Number of nuclei.

    Raises
    ------
    ArtefactError
        If the tile table cannot be read or is of another slide.
    ImportedFileError
        If the file cannot be read, or its nuclei cannot be those of this slide, see ``frame_checks``, and
        ``on_bad_slide`` is ``stop``.
    ConfigError
        If two kept tiles show the same tissue; see ``check_single_ownership``.
    """
    tiles = read_tiles(tiles_path)
    check_slide(tiles.header, slide_id, "tiles", tiles_path)
    inside = InsideMask.of_header(tiles.header, tiles_path)
    try:
        imported = _import(tiles, inside, found_path, slide_id)
    except ImportedFileError as error:
        logger.warning("%s is excluded: %s", slide_id, error)
        reason = reason_to_exclude(error, found_path, on_bad_slide)
        imported = _Imported(empty_frame(COLUMNS), UNREAD, reason)
    for caution in imported.cautions:
        logger.warning("%s: %s", slide_id, caution)
    if imported.reason is not None:
        logger.warning("%s: no nuclei: %s", slide_id, imported.reason)
    upstream = digests({"tiles": tiles_path, "nuclei": found_path})
    header = NucleusHeader(
        slide_id=slide_id,
        slide_mpp=tiles.header["slide_mpp"],
        mpp=mpp_of(tiles),
        weights=None,
        weights_digest=None,
        reason=imported.reason,
        provenance=record(params={"imported_from": imported.kind}, source=source, upstream=upstream),
        bounds_l0=tiles.header["bounds_l0"],
        imported_from=imported.kind,
        cautions=imported.cautions,
    )
    write_nuclei(nuclei_path, imported.frame, header)
    logger.info("%s: %d nuclei of %s", slide_id, len(imported.frame), imported.kind)
    return len(imported.frame)


def _import(tiles: HeadedTable, inside: InsideMask | None, path: str | Path, slide_id: str) -> _Imported:
    if tiles.reason is not None:
        return _Imported(empty_frame(COLUMNS), UNREAD, tiles.reason)
    found = read_found_nuclei(path)
    left_out = ", ".join(f"{count} {what}" for what, count in sorted(found.left_out.items()) if count)
    if left_out:
        logger.warning("%s: %s: left out are %s", slide_id, path, left_out)
    if found.frame.empty:
        return _Imported(empty_frame(COLUMNS), found.kind, "the file holds no nucleus")
    kept = kept_tiles(tiles)
    check_single_ownership(kept, slide_id)
    frame = file_frame(found, tiles.header, path)
    xy_um = frame.um_from_file(found.frame[["x", "y"]].to_numpy(np.float64))
    outlines = shapely.transform(found.outlines, frame.um_from_file)
    measures = imported_measures(found.frame, outlines, path)
    nuclei = PlacedNuclei(found, path, xy_um, measures["equivalent_diameter_um"].to_numpy())
    cautions = check_sizes(nuclei)
    if not tiles.header.get("without_slide", False):
        cautions += _outside(int((~check_frame(nuclei, tiles)).sum()))
    slide_mpp = float(tiles.header["slide_mpp"])
    owner = owners(xy_um, kept, slide_mpp)
    if inside is not None:
        owner = np.where(inside.holds(*(xy_um.T / slide_mpp)), owner, -1)
    owned = np.flatnonzero(owner >= 0)
    n_found, n_owned = len(owner), len(owned)
    if not n_owned:
        return _Imported(
            empty_frame(COLUMNS), found.kind, f"none of the {n_found} nuclei lies in a kept tile", cautions
        )
    if n_owned < FEW_OWNED * n_found:
        cautions += (f"only {n_owned} of the {n_found} nuclei lie in kept tiles",)
    table = measures.assign(x_um=xy_um[:, 0], y_um=xy_um[:, 1], tile_id=owner, contour_um=shapely.to_wkb(outlines))
    if "type" in found.frame:
        table["type"] = found.frame["type"].to_numpy(object)
    table = table.iloc[owned[np.argsort(owner[owned], kind="stable")]].assign(nucleus_id=np.arange(n_owned))
    return _Imported(table, found.kind, None, cautions)


def _outside(n_outside: int) -> tuple[str, ...]:
    return (f"{n_outside} nuclei lie outside the slide and are left out",) if n_outside else ()
