"""Tables of tiles and nuclei of one small slide, and their files."""

from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from pipeline import provenance
from pipeline.artefacts import nuclei as nucleus_files
from pipeline.artefacts import tiles as tile_files

SLIDE_PX = 480
SLIDE_MPP = 0.5
TILE_PX = 96
"""Tiles at 0.5 um/px, so five by five on a slide."""

MADE = provenance.record(params={}, source="0123456789abcdef")


def ellipse(x_um: float, y_um: float, major_um: float, minor_um: float, angle: float) -> shapely.Polygon:
    """Outline of a nucleus in um."""
    turn = np.linspace(0, 2 * np.pi, 17)[:-1]
    local = np.stack([major_um / 2 * np.cos(turn), minor_um / 2 * np.sin(turn)], axis=1)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return shapely.Polygon(local @ rotation + [x_um, y_um])


def nuclei_frame(x_um: np.ndarray, y_um: np.ndarray, angle: np.ndarray, tile_id: np.ndarray) -> pd.DataFrame:
    """Nuclei of 9 by 5 um."""
    frame = pd.DataFrame({"nucleus_id": np.arange(len(x_um)), "tile_id": tile_id, "x_um": x_um, "y_um": y_um})
    frame["orientation_rad"] = angle
    for name in nucleus_files.PAPER_MEASURES:
        frame[name] = 1.5
    frame["area_um2"] = np.pi * 9 * 5 / 4
    for name in ("orientation_reliability", "solidity", "convexity", "mean_haematoxylin", "sd_haematoxylin"):
        frame[name] = 0.5
    frame["contour_um"] = [
        shapely.to_wkb(ellipse(*place, 9.0, 5.0, a)) for *place, a in zip(x_um, y_um, angle, strict=True)
    ]
    return frame


def tile_frame(kept: np.ndarray) -> pd.DataFrame:
    """Five by five tiles of which ``kept`` are kept."""
    n = SLIDE_PX // TILE_PX
    row, col = np.divmod(np.arange(n * n), n)
    return pd.DataFrame(
        {
            "tile_id": np.arange(n * n),
            "x_l0": col * TILE_PX,
            "y_l0": row * TILE_PX,
            "width_l0": float(TILE_PX),
            "tile_px": TILE_PX,
            "mpp": SLIDE_MPP,
            "tissue_fraction": np.where(kept, 0.9, 0.02),
            **dict.fromkeys(tile_files.QC_COLUMNS, np.nan),
            "kept": kept,
            "reason": np.where(kept, "", "too little tissue"),
            "row": row,
            "col": col,
        }
    )


def write_tile_table(
    path: Path,
    frame: pd.DataFrame,
    slide_id: str,
    reason: str | None = None,
    mpp: float | None = SLIDE_MPP,
    bounds_l0: tuple[int, int, int, int] | None = None,
) -> None:
    side = SLIDE_PX if mpp else 0
    header = tile_files.TileHeader(
        slide_id=slide_id,
        slide_mpp=mpp,
        width_l0=side,
        height_l0=side,
        reason=reason,
        provenance=MADE,
        bounds_l0=bounds_l0,
    )
    tile_files.write_tiles(path, frame, header)


def write_nucleus_table(
    path: Path, frame: pd.DataFrame, slide_id: str, reason: str | None = None, mpp: float | None = SLIDE_MPP
) -> None:
    header = nucleus_files.NucleusHeader(
        slide_id=slide_id,
        slide_mpp=mpp,
        mpp=0.5,
        weights="painted",
        weights_digest="ab" * 32,
        reason=reason,
        provenance=MADE,
    )
    nucleus_files.write_nuclei(path, frame, header)
