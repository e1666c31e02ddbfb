"""The picture of a slide's tiles: what is tissue, what is kept, at what scale.

Frame: pixels of the slide's thumbnail, (x, y), origin top-left; the thumbnail covers the
whole slide.
"""

import io
import json
import math
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin
from scipy import ndimage

from pipeline.artefacts.atomic import writing

PROVENANCE_KEY = "abignet"
"""Keyword of the PNG text chunk that holds the header as JSON."""

INK = (38, 42, 48)
FAINT_INK = (110, 116, 124)
KEPT = (0, 92, 170)
DROPPED = (176, 182, 190)
TISSUE = (0, 128, 96)
MARGIN_PX = 28
TITLE_PX, TEXT_PX = 30, 21
LINE_PX = 30
VEIL = 0.55
"""Share of white laid over what is not kept."""

MIN_TILE_PX = 7
"""Tiles smaller than this in the picture are shown by the veil alone, without outlines."""

SCALE_BAR_SHARE = 0.2
"""Largest share of the slide's width that the scale bar takes."""

CARD_PX = 1200
"""Width of the card shown in place of a slide that cannot be read."""


def draw_overview(
    thumbnail: npt.NDArray[np.uint8], tissue: npt.NDArray[np.bool_], tiles: pd.DataFrame, header: Mapping[str, Any]
) -> Image.Image:
    """Draw tissue and tiles over a slide's thumbnail, with caption, scale bar and legend.

    Parameters
    ----------
    thumbnail
        uint8 (h, w, 3), the whole slide.
    tissue
        bool (rows, cols), the mask, likewise.
    tiles, header
        The tile table; see ``pipeline.artefacts.tiles``.
    """
    width = thumbnail.shape[1]
    boxes = _boxes_px(tiles, width / header["width_l0"])
    canvas = thumbnail.copy()
    _veil(canvas, boxes[tiles["kept"].to_numpy(bool)])
    _outline_tissue(canvas, tissue)
    picture = Image.fromarray(canvas)
    _outline_tiles(ImageDraw.Draw(picture), boxes, tiles["kept"].to_numpy(bool))
    um_per_px = header["width_l0"] * header["slide_mpp"] / width
    return _framed(picture, header["slide_id"], _caption(tiles, header), um_per_px)


def draw_unreadable(slide_id: str, reason: str) -> Image.Image:
    """Card that stands in for the overview of a slide that cannot be read."""
    lines = textwrap.wrap(reason, 95) or [""]
    card = Image.new("RGB", (CARD_PX, 2 * MARGIN_PX + 64 + LINE_PX * len(lines)), "white")
    draw = ImageDraw.Draw(card)
    draw.rectangle((0, 0, 10, card.height), fill=(196, 64, 48))
    draw.text((MARGIN_PX + 8, MARGIN_PX), f"{slide_id}: not readable", fill=INK, font=_font(TITLE_PX))
    for number, line in enumerate(lines):
        draw.text((MARGIN_PX + 8, MARGIN_PX + 56 + number * LINE_PX), line, fill=FAINT_INK, font=_font(TEXT_PX))
    return card


def write_overview(path: str | Path, picture: Image.Image, header: Mapping[str, Any]) -> None:
    """Write a picture with its header as a PNG text chunk, atomically and reproducibly."""
    note = PngImagePlugin.PngInfo()
    note.add_itxt(PROVENANCE_KEY, json.dumps(dict(header), sort_keys=True))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=note, optimize=False, compress_level=6)
    with writing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def scale_bar_um(width_um: float) -> float:
    """Longest of 1, 2, 5 times a power of ten that fits into ``SCALE_BAR_SHARE`` of ``width_um``."""
    longest = width_um * SCALE_BAR_SHARE
    decade = 10.0 ** math.floor(math.log10(longest))
    return max(step * decade for step in (1, 2, 5) if step * decade <= longest)


def _boxes_px(tiles: pd.DataFrame, scale: float) -> npt.NDArray[np.int64]:
    corner = tiles[["x_l0", "y_l0"]].to_numpy(np.float64)
    side = tiles[["width_l0"]].to_numpy(np.float64)
    return np.asarray(np.rint(np.hstack([corner, corner + side]) * scale), np.int64)


def _veil(canvas: npt.NDArray[np.uint8], kept: npt.NDArray[np.int64]) -> None:
    veiled = np.ones(canvas.shape[:2], bool)
    for x0, y0, x1, y1 in kept:
        veiled[y0:y1, x0:x1] = False
    canvas[veiled] = (canvas[veiled] * (1 - VEIL) + 255 * VEIL).astype(np.uint8)


def _outline_tissue(canvas: npt.NDArray[np.uint8], tissue: npt.NDArray[np.bool_]) -> None:
    size = (canvas.shape[1], canvas.shape[0])
    soft = Image.fromarray(tissue.astype(np.uint8) * np.uint8(255)).resize(size, Image.Resampling.BICUBIC)
    inside = np.asarray(soft) > 127
    canvas[inside & ~ndimage.binary_erosion(inside, iterations=3, border_value=1)] = TISSUE


def _outline_tiles(draw: ImageDraw.ImageDraw, boxes: npt.NDArray[np.int64], kept: npt.NDArray[np.bool_]) -> None:
    if len(boxes) and (boxes[:, 2] - boxes[:, 0]).min() < MIN_TILE_PX:
        return
    for wanted, colour, width in ((False, DROPPED, 1), (True, KEPT, 2)):
        for x0, y0, x1, y1 in boxes[kept == wanted].tolist():
            draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=colour, width=width)


def _caption(tiles: pd.DataFrame, header: Mapping[str, Any]) -> list[str]:
    mpp = header["slide_mpp"]
    size = f"{header['width_l0']:,} x {header['height_l0']:,} px at {mpp:.4g} um/px"
    millimetres = f"{header['width_l0'] * mpp / 1000:.3g} x {header['height_l0'] * mpp / 1000:.3g} mm"
    params = header["provenance"]["params"]
    kept = f"{int(tiles['kept'].sum()):,} of {len(tiles):,} tiles kept"
    side = f"tile {params['tile_px']} px at {params['mpp']:g} um/px = {params['tile_px'] * params['mpp']:g} um"
    lines = [f"{size}, {millimetres}", f"{kept}, {side}"]
    return lines if header["reason"] is None else [*lines, f"Empty: {header['reason']}"]


def _framed(picture: Image.Image, title: str, caption: list[str], um_per_px: float) -> Image.Image:
    """Picture between a caption above and scale bar and legend below."""
    text = [line for paragraph in caption for line in textwrap.wrap(paragraph, max(30, picture.width // 11))]
    top = MARGIN_PX + TITLE_PX + 14 + LINE_PX * len(text) + 8
    page = Image.new("RGB", (max(picture.width, 640) + 2 * MARGIN_PX, top + picture.height + 72), "white")
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN_PX, MARGIN_PX - 8), title, fill=INK, font=_font(TITLE_PX))
    for number, line in enumerate(text):
        place = (MARGIN_PX, MARGIN_PX + TITLE_PX + 8 + number * LINE_PX)
        draw.text(place, line, fill=FAINT_INK, font=_font(TEXT_PX))
    page.paste(picture, (MARGIN_PX, top))
    draw.rectangle((MARGIN_PX - 1, top - 1, MARGIN_PX + picture.width, top + picture.height), outline=DROPPED)
    _draw_foot(draw, top + picture.height + 36, page.width, um_per_px, picture.width)
    return page


def _draw_foot(draw: ImageDraw.ImageDraw, y: int, page_width: int, um_per_px: float, width_px: int) -> None:
    length_um = scale_bar_um(width_px * um_per_px)
    length_px = round(length_um / um_per_px)
    draw.rectangle((MARGIN_PX, y - 3, MARGIN_PX + length_px, y + 3), fill=INK)
    label = f"{length_um / 1000:g} mm" if length_um >= 1000 else f"{length_um:g} um"
    draw.text((MARGIN_PX + length_px + 12, y), label, fill=INK, font=_font(TEXT_PX), anchor="lm")
    x = page_width - MARGIN_PX
    for name, colour in (("dropped", DROPPED), ("kept", KEPT), ("tissue", TISSUE)):
        draw.text((x, y), name, fill=INK, font=_font(TEXT_PX), anchor="rm")
        x -= round(draw.textlength(name, font=_font(TEXT_PX))) + 28
        draw.rectangle((x, y - 9, x + 18, y + 9), outline=colour, width=3)
        x -= 24


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
