"""What can be set in tiling."""

from dataclasses import dataclass
from typing import Literal, get_args

from pipeline.bounds import check_choice, check_number
from pipeline.errors import ConfigError

Edge = Literal["skip", "pad", "shift"]

LARGEST_TABLE = 10_000_000
"""Tiles of one slide that ``max_tiles`` can ask for."""

BOUNDS: dict[str, tuple[float, float]] = {
    "tile_px": (16, 8192),
    "mpp": (0.05, 16.0),
    "overlap_px": (0, 8191),
    "min_tissue_fraction": (0.0, 1.0),
    "max_tiles": (0, LARGEST_TABLE),
    "seed": (0, 2**32 - 1),
    "mask_mpp": (0.5, 64.0),
    "smoothing_um": (0.0, 200.0),
    "closing_um": (0.0, 500.0),
    "min_region_area_um2": (0.0, 1e9),
    "fill_holes_um2": (0.0, 1e9),
    "chroma_low": (0.0, 255.0),
    "chroma_high": (0.0, 255.0),
    "black_below": (0.0, 255.0),
    "qc_focus_mpp": (0.25, 4.0),
    "qc_min_focus": (0.0, 1.0),
    "qc_max_pen": (0.0, 1.0),
    "qc_max_fold": (0.0, 1.0),
    "qc_max_off_stain": (0.0, 1.0),
    "overview_px": (200, 8000),
}

WHOLE = frozenset({"tile_px", "overlap_px", "max_tiles", "seed", "overview_px"})


@dataclass(frozen=True)
class TilingParams:
    """Grid, tissue mask and quality control.

    Attributes
    ----------
    tile_px
        Side of a tile in pixels at ``mpp``, 16 to 8192.
    mpp
        Working resolution of tiles, um/px, 0.05 to 16.
    min_tissue_fraction
        Least share of a tile's area that is tissue, 0 to 1 (ABiG-Net: 0.15);
        0 keeps every tile.
    overlap_px
        Pixels at ``mpp`` that neighbouring tiles share, less than ``tile_px``.
    edge
        Tiles that reach beyond the right or lower border: ``skip`` them, ``pad`` them with
        white, or ``shift`` them inwards until they end at it.
    max_tiles
        Most tiles kept; more are thinned to a random sample of as many. 0 keeps all.
    seed
        Of that sample.
    mask_mpp
        Coarsest resolution of the tissue mask, um/px, 0.5 to 64; see ``tissue.mask_mpp_for``.
    smoothing_um
        SD of the Gaussian that smooths colours before the threshold, um, 0 to 200.
    closing_um
        Gaps of tissue up to about twice this width are bridged, um, 0 to 500.
    min_region_area_um2
        Smaller pieces of tissue are dropped as dust, um2; never one that fills
        ``min_tissue_fraction`` of a tile by itself.
    fill_holes_um2
        Holes in tissue (lumina, vessels) up to this area count as tissue, um2; never one of
        more than a quarter of a tile.
    chroma_low, chroma_high
        Otsu's threshold on chroma (largest minus smallest of R, G, B; 0 to 255) is held in
        this interval: glass has up to about 6, pale stroma from about 15.
    black_below
        Where R, G and B are all below, there is a scanner's filling, not tissue; 0 to 255.
    qc_focus_mpp
        Resolution at which focus is measured, um/px, 0.25 to 4.
    qc_min_focus
        Tiles of lower ``qc_focus`` are dropped as out of focus, 0 to 1; 0 measures nothing.
    qc_max_pen
        Largest share of a tile under pen of any colour, 0 to 1; 1 drops none.
    qc_max_fold, qc_max_off_stain
        Largest share of a tile that is folded tissue, or tissue of a colour that
        haematoxylin and eosin do not make, 0 to 1; 1 drops none.
    overview_px
        Longer side of the slide in the overview picture, 200 to 8000.
    """

    tile_px: int = 512
    mpp: float = 0.5
    overlap_px: int = 0
    edge: Edge = "skip"
    min_tissue_fraction: float = 0.15
    max_tiles: int = 0
    seed: int = 0
    mask_mpp: float = 8.0
    smoothing_um: float = 6.0
    closing_um: float = 16.0
    min_region_area_um2: float = 20_000.0
    fill_holes_um2: float = 15_000.0
    chroma_low: float = 10.0
    chroma_high: float = 24.0
    black_below: float = 35.0
    qc_focus_mpp: float = 1.0
    qc_min_focus: float = 0.23
    qc_max_pen: float = 0.1
    qc_max_fold: float = 0.25
    qc_max_off_stain: float = 0.3
    overview_px: int = 1400

    def __post_init__(self) -> None:
        for key, (low, high) in BOUNDS.items():
            check_number(f"tiling.{key}", getattr(self, key), low, high, whole=key in WHOLE)
        check_choice("tiling.edge", self.edge, get_args(Edge))
        if self.overlap_px >= self.tile_px:
            raise ConfigError(
                f"tiling.overlap_px: expected less than tile_px ({self.tile_px}), found {self.overlap_px}."
            )
        if self.chroma_low > self.chroma_high:
            raise ConfigError(
                f"tiling.chroma_low: expected at most chroma_high ({self.chroma_high:g}), found {self.chroma_low:g}."
            )

    @property
    def tile_um(self) -> float:
        """Side of a tile in micrometres."""
        return self.tile_px * self.mpp
