"""The picture of a slide's tiles: what is tissue, what is kept, why the rest is not, at what scale.

Frame: pixels of the slide's thumbnail, (x, y), origin top-left; the thumbnail covers the
whole slide.
"""

import io
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin
from scipy import ndimage

from pipeline.arrays import Int64s, Rgb
from pipeline.artefacts.atomic import writing
from pipeline.pictures import round_length_um
from pipeline.tiling.grid.tile_rejection import Cause, causes
from pipeline.tiling.tile_table.slide_map import SlideMap
from pipeline.tiling.tissue.mask_operations import Mask

Colour = tuple[int, int, int]

PROVENANCE_KEY = "abignet"
"""Keyword of the PNG text chunk that holds the header as JSON."""

COMPRESSION = 4
"""Level of zlib: tissue takes half the time of the usual 6, and no more room."""

INK = (38, 42, 48)
FAINT_INK = (110, 116, 124)
KEPT = (0, 92, 170)
FRAME = (176, 182, 190)
TISSUE = (0, 128, 96)
CAUSES: dict[Cause, Colour] = {
    "beyond the slide": (90, 96, 104),
    "outside the mask": (120, 126, 136),
    "unreadable": (20, 20, 20),
    "pen": (236, 178, 0),
    "no tissue": (205, 209, 214),
    "little tissue": (160, 166, 174),
    "fold": (222, 92, 0),
    "off-stain": (122, 74, 8),
    "out of focus": (0, 160, 190),
    "no nucleus": (222, 226, 230),
    "not sampled": (120, 150, 205),
}
"""Colours of dropped tiles, none of them a colour of haematoxylin and eosin."""

TINTED: frozenset[Cause] = frozenset({"pen", "fold", "off-stain", "out of focus", "unreadable"})
"""Causes whose tiles are tinted: tissue that is not used for its quality."""

TINT = 0.3
"""Share of the cause's colour laid over such a tile."""

HATCH_PX = 8
"""Distance of the lines that hatch what could not be read."""

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


def draw_overview(thumbnail: Rgb, slide_map: SlideMap, tiles: pd.DataFrame, header: Mapping[str, Any]) -> Image.Image:
    """Draw tissue and tiles over a slide's thumbnail, with caption, scale bar and legend.

    Kept tiles are clear, all else is veiled; a dropped tile has the colour of its cause.

    Parameters
    ----------
    thumbnail
        uint8 (h, w, 3), the whole slide.
    slide_map
        The slide's maps: tissue is outlined, what could not be read hatched.
    tiles, header
        The tile table; see ``pipeline.artefacts.tiles``.
    """
    width = thumbnail.shape[1]
    boxes = _boxes_px(tiles, width / header["width_l0"])
    kept, dropped_by = tiles["kept"].to_numpy(bool), causes(tiles)
    canvas = thumbnail.copy()
    _veil(canvas, boxes[kept])
    for cause in dropped_by.keys() & TINTED:
        _tint(canvas, boxes[dropped_by[cause]], CAUSES[cause])
    _outline_tissue(canvas, slide_map.usable)
    if slide_map.unreadable is not None:
        _hatch(canvas, slide_map.unreadable)
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    for cause, flags in dropped_by.items():
        _outline_tiles(draw, boxes[flags], CAUSES[cause], 1, crossed=cause == "unreadable")
    _outline_tiles(draw, boxes[kept], KEPT, 2)
    legend = [("tissue", TISSUE), (f"kept {int(kept.sum()):,}", KEPT)]
    legend += [(f"{cause} {int(flags.sum()):,}", CAUSES[cause]) for cause, flags in dropped_by.items()]
    um_per_px = header["width_l0"] * header["slide_mpp"] / width
    return _framed(picture, header["slide_id"], _caption(tiles, header), um_per_px, legend)


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
    picture.save(buffer, "PNG", pnginfo=note, optimize=False, compress_level=COMPRESSION)
    with writing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _boxes_px(tiles: pd.DataFrame, scale: float) -> Int64s:
    corner = tiles[["x_l0", "y_l0"]].to_numpy(np.float64)
    side = tiles[["width_l0"]].to_numpy(np.float64)
    return np.asarray(np.rint(np.hstack([corner, corner + side]) * scale), np.int64).clip(0)


def _veil(canvas: Rgb, kept: Int64s) -> None:
    veiled = ~_covered(canvas, kept)
    canvas[veiled] = (canvas[veiled] * (1 - VEIL) + 255 * VEIL).astype(np.uint8)


def _tint(canvas: Rgb, boxes: Int64s, colour: Colour) -> None:
    tinted = _covered(canvas, boxes)
    canvas[tinted] = (canvas[tinted] * (1 - TINT) + np.array(colour) * TINT).astype(np.uint8)


def _covered(canvas: Rgb, boxes: Int64s) -> Mask:
    covered = np.zeros(canvas.shape[:2], np.bool_)
    for x0, y0, x1, y1 in boxes:
        covered[y0:y1, x0:x1] = True
    return covered


def _outline_tissue(canvas: Rgb, tissue: Mask) -> None:
    inside = _resized(tissue, canvas)
    canvas[inside & ~ndimage.binary_erosion(inside, iterations=3, border_value=1)] = TISSUE


def _hatch(canvas: Rgb, unreadable: Mask) -> None:
    row, col = np.indices(canvas.shape[:2], sparse=True)
    canvas[_resized(unreadable, canvas) & ((row + col) % HATCH_PX < 2)] = CAUSES["unreadable"]


def _resized(mask: Mask, canvas: Rgb) -> Mask:
    size = (canvas.shape[1], canvas.shape[0])
    soft = Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(np.asarray(soft) > 127, np.bool_)


def _outline_tiles(
    draw: ImageDraw.ImageDraw, boxes: Int64s, colour: Colour, width_px: int, *, crossed: bool = False
) -> None:
    if len(boxes) and (boxes[:, 2] - boxes[:, 0]).min() < MIN_TILE_PX:
        return
    for x0, y0, x1, y1 in boxes.tolist():
        draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=colour, width=width_px)
        if crossed:
            draw.line((x0, y0, x1 - 1, y1 - 1), fill=colour)
            draw.line((x0, y1 - 1, x1 - 1, y0), fill=colour)


def _caption(tiles: pd.DataFrame, header: Mapping[str, Any]) -> list[str]:
    slide_mpp = header["slide_mpp"]
    size = f"{header['width_l0']:,} x {header['height_l0']:,} px at {slide_mpp:.4g} um/px"
    millimetres = f"{header['width_l0'] * slide_mpp / 1000:.3g} x {header['height_l0'] * slide_mpp / 1000:.3g} mm"
    params = header["provenance"]["params"]
    kept = f"{int(tiles['kept'].sum()):,} of {len(tiles):,} tiles kept"
    side = f"tile {params['tile_px']} px at {params['mpp']:.4g} um/px = {params['tile_px'] * params['mpp']:.4g} um"
    overlap = f", {header['overlap_px']} px shared by neighbours" if header["overlap_px"] else ""
    lines = [f"{size}, {millimetres}", f"{kept}, {side}{overlap}"]
    return lines if header["reason"] is None else [*lines, f"Empty: {header['reason']}"]


def _framed(
    picture: Image.Image, title: str, caption: list[str], um_per_px: float, legend: list[tuple[str, Colour]]
) -> Image.Image:
    """Picture between a caption above and scale bar and legend below."""
    text = [line for paragraph in caption for line in textwrap.wrap(paragraph, max(30, picture.width // 11))]
    top = MARGIN_PX + TITLE_PX + 14 + LINE_PX * len(text) + 8
    page_width = max(picture.width, 640) + 2 * MARGIN_PX
    rows = _legend_rows(legend, page_width - 2 * MARGIN_PX)
    foot = top + picture.height + 36
    page = Image.new("RGB", (page_width, foot + LINE_PX * (len(rows) + 1)), "white")
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN_PX, MARGIN_PX - 8), title, fill=INK, font=_font(TITLE_PX))
    for number, line in enumerate(text):
        place = (MARGIN_PX, MARGIN_PX + TITLE_PX + 8 + number * LINE_PX)
        draw.text(place, line, fill=FAINT_INK, font=_font(TEXT_PX))
    page.paste(picture, (MARGIN_PX, top))
    draw.rectangle((MARGIN_PX - 1, top - 1, MARGIN_PX + picture.width, top + picture.height), outline=FRAME)
    _draw_scale_bar(draw, foot, um_per_px, picture.width)
    for number, row in enumerate(rows, start=1):
        _draw_legend_row(draw, foot + number * LINE_PX, row)
    return page


def _draw_scale_bar(draw: ImageDraw.ImageDraw, y: int, um_per_px: float, width_px: int) -> None:
    length_um = round_length_um(SCALE_BAR_SHARE * width_px * um_per_px)
    length_px = round(length_um / um_per_px)
    draw.rectangle((MARGIN_PX, y - 3, MARGIN_PX + length_px, y + 3), fill=INK)
    label = f"{length_um / 1000:g} mm" if length_um >= 1000 else f"{length_um:g} um"
    draw.text((MARGIN_PX + length_px + 12, y), label, fill=INK, font=_font(TEXT_PX), anchor="lm")


def _legend_rows(legend: list[tuple[str, Colour]], width_px: int) -> list[list[tuple[str, Colour]]]:
    """Entries in as many rows as they need."""
    rows: list[list[tuple[str, Colour]]] = [[]]
    used = 0
    for entry in legend:
        needed = _entry_width(entry[0])
        if rows[-1] and used + needed > width_px:
            rows.append([])
            used = 0
        rows[-1].append(entry)
        used += needed
    return rows


def _draw_legend_row(draw: ImageDraw.ImageDraw, y: int, row: list[tuple[str, Colour]]) -> None:
    x = MARGIN_PX
    for name, colour in row:
        draw.rectangle((x, y - 9, x + 18, y + 9), outline=colour, width=4)
        draw.text((x + 28, y), name, fill=INK, font=_font(TEXT_PX), anchor="lm")
        x += _entry_width(name)


def _entry_width(name: str) -> int:
    return round(_font(TEXT_PX).getlength(name)) + 28 + 24


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
