"""Rule ``export_tiles``: the tiles of a slide as other tools read them."""

from pathlib import Path

from pipeline.artefacts.tables import HeadedTable
from pipeline.artefacts.tiles import read_tiles
from pipeline.logs import get_logger
from pipeline.report.coordinates.coords_files import write_clam_coords, write_trident_coords
from pipeline.report.qupath.geojson import origin_l0, patch_features, write_collection
from pipeline.slides.mpp_ranges import ANY_MPP
from pipeline.slides.reader import open_slide

log = get_logger("report")


def export_tiles(
    tiles_path: str | Path,
    *,
    trident_path: str | Path | None = None,
    clam_path: str | Path | None = None,
    outlines_path: str | Path | None = None,
    slide_path: str | Path | None = None,
) -> None:
    """Write a tile table as coordinates of TRIDENT and CLAM (kept tiles) and as outlines for QuPath (all tiles).

    Parameters
    ----------
    tiles_path
        The table.
    trident_path, clam_path
        Files of coordinates (.h5); see ``coordinates.coords_files``.
    outlines_path
        GeoJSON of squares in QuPath's level-0 pixels, each with its reason, ``tissue_fraction`` and quality.
    slide_path
        The slide; lets CLAM's file name the stored level that fits the tiles.

    Raises
    ------
    ArtefactError
        If the table cannot be read.
    SlideError
        If the slide cannot be opened.
    """
    table = read_tiles(tiles_path)
    if trident_path is not None:
        write_trident_coords(trident_path, table.frame, table.header)
    if clam_path is not None:
        write_clam_coords(clam_path, table.frame, table.header, _levels(slide_path, table))
    if outlines_path is not None:
        squares = patch_features(
            table.frame, {}, slide_id=str(table.header["slide_id"]), origin=origin_l0(table.header)
        )
        write_collection(outlines_path, squares)
    log.info("%s: %d of %d tiles are kept", table.header["slide_id"], int(table.frame["kept"].sum()), len(table.frame))


def _levels(slide_path: str | Path | None, table: HeadedTable) -> list[tuple[int, int]]:
    """Sizes of the slide's levels by their number in OpenSlide, (0, 0) for images that are not levels of it.

    None of a slide that is not given or could not be opened for tiling.
    """
    header = table.header
    if slide_path is None or header["slide_mpp"] is None:
        return []
    with open_slide(slide_path, slide_id=header["slide_id"], mpp=header["slide_mpp"], mpp_range=ANY_MPP) as slide:
        sizes = {level.number: (level.width, level.height) for level in slide.levels if level.number is not None}
    return [sizes.get(number, (0, 0)) for number in range(max(sizes) + 1)]
