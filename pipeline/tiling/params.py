"""What can be set in tiling."""

from dataclasses import dataclass
from typing import Literal

from pipeline.errors import ConfigError
from pipeline.slides.mpp_ranges import MPP_RANGE, MppRange
from pipeline.tunables import Tunables, choice, number, random_seed, whole

Edge = Literal["skip", "pad", "shift"]

LARGEST_TABLE = 10_000_000
"""Tiles of one slide that ``max_tiles`` can ask for."""


@dataclass(frozen=True)
class TilingParams(Tunables, section="tiling"):
    """Grid, tissue mask and quality control."""

    tile_px: int = whole(
        512, 16, 8192, "side of a tile, pixels at mpp; paper: about 1024 on Extended CRC; small ROIs: 128"
    )
    mpp: float = number(0.5, 0.05, 16, "working resolution, um/px; 0.5 is what pathologists call 20x")
    overlap_px: int = whole(
        0,
        0,
        8191,
        "pixels at mpp that neighbouring tiles share, less than tile_px; more than 0 is for feature export only, "
        "nuclei need tiles that share no tissue",
    )
    edge: Edge = choice(
        "skip",
        Edge,
        "tiles across the right and lower border: skip, pad with white (when images are little larger than a tile), "
        "or shift inwards (feature export only)",
    )
    min_tissue_fraction: float = number(
        0.15, 0, 1, "a tile whose tissue covers a smaller share is left out (paper: 0.15); 0 keeps every tile"
    )
    slide_mpp_low: float = number(
        MPP_RANGE[0], 0.001, 1000, "least um/px that the pixels of a slide can have; finer ones are an error"
    )
    slide_mpp_high: float = number(
        MPP_RANGE[1],
        0.001,
        1000,
        "and the largest; inside, what is unusual or contradicts the objective, the sheet or the file is a caution",
    )
    max_tiles: int = whole(
        0,
        0,
        LARGEST_TABLE,
        "most tiles of a slide, drawn at random from those that would be kept; 0 keeps all",
    )
    seed: int = random_seed("of that sample")
    mask_mpp: float = number(
        8.0, 0.5, 64, "um/px, coarsest resolution of the tissue mask; small images get a finer one"
    )
    smoothing_um: float = number(6.0, 0, 200, "um, SD of the Gaussian that smooths colours before the threshold")
    closing_um: float = number(16.0, 0, 500, "um, gaps of tissue up to twice this are bridged")
    min_region_area_um2: float = number(
        20_000.0, 0, 1e9, "um2, smaller pieces are dust; never one that fills min_tissue_fraction of a tile by itself"
    )
    fill_holes_um2: float = number(
        15_000.0,
        0,
        1e9,
        "um2, smaller holes (lumina, vessels) count as tissue; never one of more than a quarter of a tile",
    )
    chroma_low: float = number(
        10.0,
        0,
        255,
        "grey levels; Otsu's threshold on chroma (largest minus smallest of R, G, B) is held between this and the "
        "next, so that images that are all tissue stay so: glass has up to about 6, pale stroma from about 15",
    )
    chroma_high: float = number(24.0, 0, 255, "grey levels; at least chroma_low, which is lowered for very pale stains")
    black_below: float = number(35.0, 0, 255, "grey levels; where R, G and B are all below, the scanner filled in")
    qc_focus_mpp: float = number(1.0, 0.25, 4, "um/px at which focus is measured")
    qc_min_focus: float = number(
        0.23, 0, 1, "share of fine detail below which a tile is out of focus; 0 measures and reads nothing"
    )
    qc_max_pen: float = number(
        0.1, 0, 1, "share of a tile under red, green, blue or black pen above which it is left out; 1 drops none"
    )
    qc_max_fold: float = number(0.25, 0, 1, "the same of folded tissue")
    qc_max_off_stain: float = number(0.3, 0, 1, "the same of tissue in colours that haematoxylin and eosin do not make")
    overview_px: int = whole(1400, 200, 8000, "longer side of the overview picture, pixels")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.overlap_px >= self.tile_px:
            raise ConfigError(
                f"tiling.overlap_px: expected less than tile_px ({self.tile_px}), found {self.overlap_px}."
            )
        if self.slide_mpp_low >= self.slide_mpp_high:
            raise ConfigError(
                f"tiling.slide_mpp_low: expected less than slide_mpp_high ({self.slide_mpp_high:g}), "
                f"found {self.slide_mpp_low:g}."
            )
        if self.chroma_low > self.chroma_high:
            raise ConfigError(
                f"tiling.chroma_low: expected at most chroma_high ({self.chroma_high:g}), found {self.chroma_low:g}."
            )

    @property
    def slide_mpp_range(self) -> MppRange:
        """Pixel sizes that a slide can have, um/px."""
        return self.slide_mpp_low, self.slide_mpp_high

    @property
    def tile_um(self) -> float:
        """Side of a tile in micrometres."""
        return self.tile_px * self.mpp
