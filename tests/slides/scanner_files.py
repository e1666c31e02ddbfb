"""Slides of several files or with an offset of the scanned part, as their scanners write them, made in a test."""

import io
import struct
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from tests.slides.slide_files import UM_PER_CM, jpeg_tile, levels_of, stored_tiles

SCN = """<?xml version="1.0"?>
<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01" uuid="urn:uuid:0">
 <collection name="collection" sizeX="{slide_w}" sizeY="{slide_h}"><barcode>MQ==</barcode>
  <image name="main">
   <creationDate>2024-01-01T00:00:00Z</creationDate><device model="SCN400" version="1"/>
   <pixels sizeX="{w}" sizeY="{h}">{dimensions}</pixels>
   <view sizeX="{view_w}" sizeY="{view_h}" offsetX="{x}" offsetY="{y}"/>
   <scanSettings><objectiveSettings><objective>20</objective></objectiveSettings>
    <illuminationSettings><numericalAperture>0.5</numericalAperture>
     <illuminationSource>brightfield</illuminationSource></illuminationSettings></scanSettings>
  </image></collection></scn>"""

MRXS = """[GENERAL]
SLIDE_VERSION=01.02
SLIDE_ID={slide_id}
IMAGENUMBER_X={across}
IMAGENUMBER_Y={down}
OBJECTIVE_MAGNIFICATION=20
CameraImageDivisionsPerSide=1
[HIERARCHICAL]
HIER_COUNT=1
NONHIER_COUNT=0
INDEXFILE=Index.dat
HIER_0_NAME=Slide zoom level
HIER_0_COUNT={n_levels}
{sections}
[DATAFILE]
FILE_COUNT=1
FILE_0=Data0000.dat
{levels}"""

MRXS_LEVEL = """[LAYER_0_LEVEL_{number}_SECTION]
IMAGE_CONCAT_FACTOR={concat}
OVERLAP_X=0
OVERLAP_Y=0
MICROMETER_PER_PIXEL_X={mpp}
MICROMETER_PER_PIXEL_Y={mpp}
IMAGE_FILL_COLOR_BGR=16777215
DIGITIZER_WIDTH={side}
DIGITIZER_HEIGHT={side}
IMAGE_FORMAT=PNG
"""

WHOLE_SLIDE_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


def write_scn(path: Path, rgb: np.ndarray, *, mpp: float, slide_size: tuple[int, int], corner: tuple[int, int]) -> None:
    """A Leica slide of ``slide_size`` level-0 px whose scanned part lies at ``corner``; (x, y)."""
    nm = round(1000 * mpp)
    levels = list(levels_of(rgb, 2))
    dimensions = "".join(
        f'<dimension sizeX="{level.shape[1]}" sizeY="{level.shape[0]}" r="{ifd}" ifd="{ifd}"/>'
        for ifd, level in enumerate(levels)
    )
    height, width = rgb.shape[:2]
    words = SCN.format(
        slide_w=slide_size[0] * nm,
        slide_h=slide_size[1] * nm,
        w=width,
        h=height,
        view_w=width * nm,
        view_h=height * nm,
        x=corner[0] * nm,
        y=corner[1] * nm,
        dimensions=dimensions,
    )
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for number, level in enumerate(levels):
            per_cm = UM_PER_CM / (mpp * 2**number)
            file.write(
                iter([jpeg_tile(tile, "ycbcr", "444", quality=97) for tile in stored_tiles(level, 256)]),
                shape=level.shape,
                dtype=np.uint8,
                tile=(256, 256),
                photometric="ycbcr",
                compression="jpeg",
                subsampling=(1, 1),
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                description=None if number else words,
                metadata=None,
            )


def write_mrxs(path: Path, rgb: np.ndarray, *, mpp: float, side: int, scanned: set[tuple[int, int]]) -> None:
    """A 3DHISTECH slide of two levels whose camera images (col, row) in ``scanned`` exist; PNG, no overlap."""
    down, across = (length // side for length in rgb.shape[:2])
    half = np.asarray(Image.fromarray(rgb).reduce(2))
    data, slide_id = io.BytesIO(), "0123456789ABCDEF0123456789ABCDEF"
    levels = []
    for level, step in ((rgb, 1), (half, 2)):
        records = []
        for row in range(0, down, step):
            for col in range(0, across, step):
                if not any((c, r) in scanned for c in range(col, col + step) for r in range(row, row + step)):
                    continue
                top, left = row // step * side, col // step * side
                start = data.tell()
                Image.fromarray(level[top : top + side, left : left + side]).save(data, "PNG")
                records.append((row * across + col, start, data.tell() - start, 0))
        levels.append(records)
    root = len("01.02" + slide_id)
    table = root + 8
    index, at = b"", table + 4 * len(levels)
    pages = b""
    for records in levels:
        index += struct.pack("<i", at + len(pages))
        first = at + len(pages) + 8
        pages += struct.pack("<2i", 0, first) + struct.pack("<2i", len(records), 0)
        pages += b"".join(struct.pack("<4i", *record) for record in records)
    folder = path.with_suffix("")
    folder.mkdir()
    path.write_bytes(b"")
    (folder / "Data0000.dat").write_bytes(data.getvalue())
    (folder / "Index.dat").write_bytes(f"01.02{slide_id}".encode() + struct.pack("<2i", table, 0) + index + pages)
    sections = "\n".join(
        f"HIER_0_VAL_{number}=ZoomLevel_{number}\nHIER_0_VAL_{number}_SECTION=LAYER_0_LEVEL_{number}_SECTION"
        for number in range(2)
    )
    texts = [
        MRXS_LEVEL.format(number=number, concat=int(number > 0), mpp=mpp * 2**number, side=side) for number in range(2)
    ]
    (folder / "Slidedat.ini").write_text(
        MRXS.format(slide_id=slide_id, across=across, down=down, n_levels=2, sections=sections, levels="".join(texts))
    )


def write_dicom(folder: Path, rgb: np.ndarray, *, mpp: float, side: int) -> Path:
    """A DICOM whole-slide series of two levels, a file each, uncompressed; the path of level 0."""
    for number, level in enumerate(levels_of(rgb, 2)):
        (folder / f"level{number}.dcm").write_bytes(_dicom_level(level, number, mpp * 2**number, side))
    return folder / "level0.dcm"


def _dicom_level(rgb: np.ndarray, number: int, mpp: float, side: int) -> bytes:
    uid = f"1.2.826.0.1.3680043.2.1125.1.{number + 1}"
    tiles = list(stored_tiles(rgb, side))
    spacing = _element(0x0028, 0x0030, "DS", f"{mpp / 1000:g}\\{mpp / 1000:g}")
    measures = _element(0x0028, 0x9110, "SQ", _item(spacing))
    meta = b"".join(
        (
            _element(0x0002, 0x0001, "OB", b"\0\1"),
            _element(0x0002, 0x0002, "UI", WHOLE_SLIDE_CLASS),
            _element(0x0002, 0x0003, "UI", uid),
            _element(0x0002, 0x0010, "UI", EXPLICIT_LITTLE_ENDIAN),
        )
    )
    kind = "ORIGINAL\\PRIMARY\\VOLUME\\NONE" if number == 0 else "DERIVED\\PRIMARY\\VOLUME\\RESAMPLED"
    elements = (
        _element(0x0008, 0x0008, "CS", kind),
        _element(0x0008, 0x0016, "UI", WHOLE_SLIDE_CLASS),
        _element(0x0008, 0x0018, "UI", uid),
        _element(0x0020, 0x000D, "UI", "1.2.826.0.1.3680043.2.1125.2"),
        _element(0x0020, 0x000E, "UI", "1.2.826.0.1.3680043.2.1125.3"),
        _element(0x0020, 0x9311, "CS", "TILED_FULL"),
        _element(0x0028, 0x0002, "US", 3),
        _element(0x0028, 0x0004, "CS", "RGB"),
        _element(0x0028, 0x0006, "US", 0),
        _element(0x0028, 0x0008, "IS", str(len(tiles))),
        _element(0x0028, 0x0010, "US", side),
        _element(0x0028, 0x0011, "US", side),
        _element(0x0028, 0x0100, "US", 8),
        _element(0x0028, 0x0101, "US", 8),
        _element(0x0028, 0x0102, "US", 7),
        _element(0x0028, 0x0103, "US", 0),
        _element(0x0048, 0x0006, "UL", rgb.shape[1]),
        _element(0x0048, 0x0007, "UL", rgb.shape[0]),
        _element(0x0048, 0x0302, "UL", 1),
        _element(0x0048, 0x0303, "UL", 1),
        _element(0x5200, 0x9229, "SQ", _item(measures)),
        _element(0x7FE0, 0x0010, "OB", b"".join(tile.tobytes() for tile in tiles)),
    )
    length = _element(0x0002, 0x0000, "UL", len(meta))
    return bytes(128) + b"DICM" + length + meta + b"".join(elements)


def _element(group: int, number: int, kind: str, value: str | int | bytes) -> bytes:
    """A data element in explicit little endian, DICOM PS3.5 section 7.1.2."""
    if isinstance(value, int):
        value = struct.pack("<H" if kind == "US" else "<I", value)
    elif isinstance(value, str):
        value = value.encode()
    value += (b"\0" if kind in ("UI", "OB") else b" ") * (len(value) % 2)
    length = struct.pack("<HI", 0, len(value)) if kind in ("OB", "SQ") else struct.pack("<H", len(value))
    return struct.pack("<HH", group, number) + kind.encode() + length + value


def _item(content: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content
