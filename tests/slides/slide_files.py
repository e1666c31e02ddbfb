"""Slides of the kinds that scanners and converters write, made in a test from a picture."""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

UM_PER_CM = 10_000.0
APERIO = "Aperio Image Library v12.0.15\n{width}x{height} -> {width}x{height} JPEG/RGB Q=70|AppMag = 20|MPP = {mpp}"


def tissue(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth pinks and purples with fine grain, RGB: JPEG's chroma and block edges show in it."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers((120, 40, 120), (255, 220, 255), (max(height // 16, 2), max(width // 16, 2), 3))
    smooth = np.asarray(Image.fromarray(coarse.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC))
    return np.clip(smooth + rng.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)


def levels_of(rgb: np.ndarray, n_levels: int, factor: int = 2) -> Iterator[np.ndarray]:
    """A picture and its reductions, sizes rounded down as scanners do."""
    for number in range(n_levels):
        step = factor**number
        height, width = (side // step for side in rgb.shape[:2])
        yield np.asarray(Image.fromarray(rgb[: height * step, : width * step]).reduce(step)) if number else rgb


def stored_tiles(rgb: np.ndarray, side: int) -> Iterator[np.ndarray]:
    """Tiles in the order of TIFF, the last of a row or column padded with their edge."""
    height, width = rgb.shape[:2]
    padded = np.pad(rgb, [(0, -height % side), (0, -width % side), (0, 0)], mode="edge")
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield np.ascontiguousarray(padded[top : top + side, left : left + side])


def jpeg_tile(tile: np.ndarray, photometric: str, subsampling: str, quality: int = 80) -> bytes:
    settings = {"subsampling": subsampling} if photometric == "ycbcr" else {}
    encoded: bytes = imagecodecs.jpeg8_encode(
        tile, level=quality, colorspace="RGB", outcolorspace=photometric.upper(), **settings
    )
    return encoded


def without_tables(jpeg: bytes) -> tuple[bytes, bytes]:
    """An abbreviated JPEG stream and the tables taken from it, as TIFF's JPEGTables holds them."""
    at, kept, tables = 2, b"", b""
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + struct.unpack_from(">H", jpeg, at + 2)[0]
        if jpeg[at + 1] in (0xDB, 0xC4):
            tables += jpeg[at:end]
        else:
            kept += jpeg[at:end]
        at = end
    return jpeg[:2] + kept + jpeg[at:], jpeg[:2] + tables + b"\xff\xd9"


def write_slide(
    path: Path,
    rgb: np.ndarray,
    *,
    mpp: float = 0.5,
    compression: str = "jpeg",
    photometric: str = "ycbcr",
    subsampling: str = "420",
    tables: bool = False,
    tile: int = 256,
    n_levels: int = 3,
    factor: int = 2,
    bigtiff: bool = False,
    description: str | None = None,
    **settings: Any,
) -> None:
    """A tiled pyramid; ``tables`` stores JPEG tables once a level, ``description`` goes to its first image."""
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as file:
        for number, level in enumerate(levels_of(rgb, n_levels, factor)):
            per_cm = UM_PER_CM / (mpp * factor**number)
            layout = {
                "tile": (tile, tile),
                "photometric": photometric,
                "compression": compression,
                "subfiletype": int(number > 0 and description is None),
                "resolution": (per_cm, per_cm),
                "resolutionunit": "CENTIMETER",
                "description": None if number else description,
                "metadata": None,
            }
            pixels: Any = level
            if compression == "jpeg":
                encoded = [jpeg_tile(one, photometric, subsampling) for one in stored_tiles(level, tile)]
                if tables:
                    parts = [without_tables(one) for one in encoded]
                    layout["extratags"] = [(347, 7, len(parts[0][1]), parts[0][1], True)]
                    encoded = [one for one, _ in parts]
                pixels = iter(encoded)
                layout |= {"shape": level.shape, "dtype": np.uint8}
                if photometric == "ycbcr":
                    layout["subsampling"] = (
                        int(subsampling[0]) // int(subsampling[1]),
                        2 if subsampling[2] == "0" else 1,
                    )
            file.write(pixels, **layout, **settings)
    if compression == "jpeg" and photometric == "rgb":
        call_rgb(path)


def call_rgb(path: Path) -> None:
    """State the colour space RGB, which tifffile does not do for JPEG."""
    with tifffile.TiffFile(path, mode="r+b") as file:
        for page in file.pages:
            page.tags["PhotometricInterpretation"].overwrite(tifffile.PHOTOMETRIC.RGB)


def write_svs(path: Path, rgb: np.ndarray, *, mpp: float = 0.499, factor: int = 4, **settings: Any) -> None:
    """An Aperio slide as its scanner writes it: levels at quarters, sizes rounded down."""
    height, width = rgb.shape[:2]
    words = APERIO.format(width=width, height=height, mpp=mpp)
    write_slide(path, rgb, mpp=mpp, factor=factor, description=words, **settings)


def write_images(path: Path, images: Sequence[np.ndarray], *, description: str | None = None, **settings: Any) -> None:
    """Tiled RGB images of one file, those after the first marked as reduced; ``description`` makes them an SVS's."""
    layout = {"tile": (256, 256), "photometric": "rgb", "compression": "deflate", "metadata": None, **settings}
    resolution = {"resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path) as file:
        for number, image in enumerate(images):
            mark = int(number > 0 and description is None)
            words = None if number else description
            file.write(image, subfiletype=mark, description=words, **layout, **resolution)


def padded(rgb: np.ndarray, side: int, value: int = 0) -> np.ndarray:
    """A picture filled up to whole tiles, as some scanners store every level."""
    height, width = rgb.shape[:2]
    return np.pad(rgb, [(0, -height % side), (0, -width % side), (0, 0)], constant_values=value)
