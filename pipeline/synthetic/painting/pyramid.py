"""A picture as a tiled pyramid that OpenSlide opens, and such a file cut short."""

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from pipeline.arrays import Rgb
from pipeline.artefacts.atomic import writing

TILE_PX = 256
N_LEVELS = 3
KEPT_OF_TRUNCATED = 0.4
"""Share of its bytes that a truncated file keeps."""

UM_PER_CM = 10_000.0


def write_pyramid(path: str | Path, rgb: Rgb, mpp: float, *, n_levels: int = N_LEVELS) -> None:
    """Write a tiled, deflated TIFF, each level half of the one before, with its resolution in the tags.

    Parameters
    ----------
    rgb
        uint8 (h, w, 3).
    mpp
        um per pixel; OpenSlide gives it back as ``openslide.mpp-x`` and ``-y``.
    """
    level = Image.fromarray(rgb)
    with writing(path) as temporary, tifffile.TiffWriter(temporary) as file:
        for number in range(n_levels):
            per_cm = UM_PER_CM / (mpp * 2**number)
            file.write(
                np.asarray(level),
                tile=(TILE_PX, TILE_PX),
                photometric="rgb",
                compression="adobe_deflate",
                subfiletype=int(number > 0),
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                software="abignet",
                metadata=None,
            )
            level = level.reduce(2)


def truncate(path: str | Path) -> None:
    """Cut a file short, as a broken copy would."""
    content = Path(path).read_bytes()
    with writing(path) as temporary:
        temporary.write_bytes(content[: int(len(content) * KEPT_OF_TRUNCATED)])
