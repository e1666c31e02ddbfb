"""Slides whose files are cut short, or damaged at a stored tile."""

import struct
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from pipeline.errors import SlideError, UnreadableRegionError
from pipeline.slides.openslide_source import OpenSlideSource
from pipeline.slides.reader import open_slide
from pipeline.slides.source import UNREADABLE, UnreadablePixelsError
from pipeline.slides.tiff_source import TiffSource
from pipeline.slides.tiles_in_order import iterate_tiles
from tests.slides.slide_files import tissue, write_slide, write_svs

SIDE = 256
N_TILES = 4
READERS = ["tifffile", "openslide"]
BAD = (1, 2)
"""Column and row of the damaged tile."""

DAMAGES = {
    "the start is zero": lambda tile: bytes(min(2000, len(tile))) + tile[2000:],
    "the end is zero": lambda tile: tile[: len(tile) // 2] + bytes(len(tile) - len(tile) // 2),
    "all is zero": lambda tile: bytes(len(tile)),
    "all is noise": lambda tile: np.random.default_rng(0).bytes(len(tile)),
    "it ends half-way": lambda tile: (tile[: len(tile) // 2] + b"\xff\xd9").ljust(len(tile), b"\xff"),
}


@pytest.mark.parametrize("tags", [[], [(256, 4)], [(257, 4)]])
def test_a_picture_without_a_pixel_is_no_slide(tmp_path: Path, tags: list[tuple[int, int]]) -> None:
    """A TIFF that lacks its width, its height or both."""
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    (tmp_path / "s.tif").write_bytes(struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + directory + bytes(4))
    with pytest.raises(SlideError, match=r"slide s \(.*s\.tif\): "):
        open_slide(tmp_path / "s.tif", slide_id="s", mpp=0.5)


@pytest.mark.parametrize("layout", [{}, {"tile": (16, 16)}])
def test_no_room_is_made_for_more_than_a_file_holds(tmp_path: Path, layout: dict[str, tuple[int, int]]) -> None:
    """A directory that says 4 GB of one strip or tile."""
    tifffile.imwrite(tmp_path / "s.tif", tissue(16, 16), photometric="rgb", compression="deflate", **layout)
    with tifffile.TiffFile(tmp_path / "s.tif", mode="r+b") as file:
        file.pages[0].tags["TileByteCounts" if layout else "StripByteCounts"].overwrite(2**32 - 2, dtype="I")
    tracemalloc.start()
    with pytest.raises(SlideError), open_slide(tmp_path / "s.tif", slide_id="s", mpp=0.5) as slide:
        slide.thumbnail(0.5)
    assert tracemalloc.get_traced_memory()[1] < 2**28
    tracemalloc.stop()


def damage(path: Path, harm, *, col: int = BAD[0], row: int = BAD[1]) -> None:
    with tifffile.TiffFile(path) as file:
        number = row * N_TILES + col
        offset, n_bytes = file.pages[0].dataoffsets[number], file.pages[0].databytecounts[number]
    content = bytearray(path.read_bytes())
    content[offset : offset + n_bytes] = harm(bytes(content[offset : offset + n_bytes]))
    path.write_bytes(content)


NOISE = (
    lambda old, rng: bytes([old[0] ^ 1 << int(rng.integers(8))]) + old[1:],
    lambda old, rng: rng.bytes(len(old)),
    lambda old, rng: bytes(len(old)),
    lambda old, rng: b"\xff" * len(old),
)


def damage_every_tile(path: Path) -> None:
    """Overwrite 1 to 256 bytes of each stored tile of level 0, anywhere in it."""
    rng = np.random.default_rng(0)
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        ends = np.cumsum([file.pages[0].dataoffsets, file.pages[0].databytecounts], axis=0).T.tolist()
    for number, (start, end) in enumerate(ends):
        at = int(rng.integers(start, end))
        bad = slice(at, min(at + 2 ** int(rng.integers(9)), end))
        content[bad] = NOISE[number % len(NOISE)](bytes(content[bad]), rng)
    path.write_bytes(content)


def outcome(read: Callable[..., np.ndarray], *box: int) -> bytes | None:
    """Pixels of a box, None when they are refused."""
    try:
        return read(*box).tobytes()
    except (UnreadablePixelsError, *UNREADABLE):
        return None


@pytest.fixture
def tiles() -> pd.DataFrame:
    corners = [(col * SIDE, row * SIDE) for row in range(N_TILES) for col in range(N_TILES)]
    return pd.DataFrame(corners, columns=["x_l0", "y_l0"]).assign(width_l0=float(SIDE), tile_px=SIDE)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return tissue(N_TILES * SIDE, N_TILES * SIDE)


@pytest.fixture
def damaged(tmp_path: Path, picture: np.ndarray) -> Path:
    write_slide(tmp_path / "slide.tif", picture, n_levels=1, compression="lzw", photometric="rgb")
    damage(tmp_path / "slide.tif", DAMAGES["the start is zero"])
    return tmp_path / "slide.tif"


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("harm", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize(
    "kind",
    [
        {"photometric": "ycbcr"},
        {"photometric": "rgb", "tables": True},
        {"photometric": "rgb", "compression": "lzw"},
    ],
    ids=["ycbcr", "rgb", "lzw"],
)
def test_a_damaged_tile_is_an_error_and_the_others_are_not(tmp_path: Path, picture, kind, harm, reader) -> None:
    path = tmp_path / "slide.svs"
    write_svs(path, picture, n_levels=1, **kind)
    whole = [slice(0, side) for side in picture.shape[:2]]
    with open_slide(path, slide_id="s1") as slide:
        good = slide.read_box(0, 0, whole[1].stop, whole[0].stop, width_px=whole[1].stop, height_px=whole[0].stop)
    damage(path, harm)
    with open_slide(path, slide_id="s1", reader=reader) as slide:
        for _ in range(2):
            for col in range(N_TILES):
                x, y = col * SIDE, BAD[1] * SIDE
                if col == BAD[0]:
                    words = rf"slide s1 .*\({x}, {y}\).*on_bad_tile: exclude"
                    with pytest.raises(UnreadableRegionError, match=words):
                        slide.read_box(x, y, SIDE, SIDE, width_px=SIDE, height_px=SIDE)
                else:
                    box = slide.read_box(x, y, SIDE, SIDE, width_px=SIDE, height_px=SIDE)
                    np.testing.assert_array_equal(box, good[y : y + SIDE, x : x + SIDE])


@pytest.mark.parametrize("kind", [{"photometric": "ycbcr"}, {"photometric": "rgb", "tables": True}], ids=str)
def test_no_damage_of_a_jpeg_goes_unnoticed_that_openslide_notices(tmp_path: Path, picture, kind) -> None:
    path, side = tmp_path / "slide.svs", 64
    write_svs(path, picture, n_levels=2, tile=side, **kind)
    damage_every_tile(path)
    ours, theirs = TiffSource(path, OpenSlideSource(path)), OpenSlideSource(path)
    n_tiles = n_refused = n_direct = 0
    for y in range(0, picture.shape[0], side):
        for x in range(0, picture.shape[1], side):
            box = (0, x, y, side, side)
            expected, direct = outcome(theirs.read, *box), outcome(ours.tiles.read, *box)
            assert direct in (None, expected), box
            assert outcome(ours.read, *box) == expected, box
            n_tiles += 1
            n_refused += expected is None
            n_direct += direct is not None
    assert n_tiles == 256
    assert 50 < n_refused < 206
    assert n_direct > 50


def test_a_damaged_size_claims_no_memory(tmp_path: Path, picture: np.ndarray) -> None:
    """A JPEG that says of itself 16,384 x 16,384 px: 805 MB as RGB."""
    write_svs(tmp_path / "slide.svs", picture, n_levels=1)

    def enlarge(tile: bytes) -> bytes:
        sides = tile.index(b"\xff\xc0") + 5
        return tile[:sides] + b"\x40\x00\x40\x00" + tile[sides + 4 :]

    damage(tmp_path / "slide.svs", enlarge)
    source = TiffSource(tmp_path / "slide.svs", OpenSlideSource(tmp_path / "slide.svs"))
    tracemalloc.start()
    try:
        assert outcome(source.read, 0, BAD[0] * SIDE, BAD[1] * SIDE, SIDE, SIDE) is None
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("compression", ["adobe_deflate", "none"])
def test_both_readers_agree_on_damage_that_decodes(tmp_path: Path, picture: np.ndarray, compression: str) -> None:
    """libtiff forgives a wrong checksum of deflated data, and uncompressed pixels are never wrong."""
    path = tmp_path / "slide.tif"
    write_slide(path, picture, n_levels=1, compression=compression, photometric="rgb")
    damage(path, DAMAGES["the end is zero"])
    boxes = []
    for reader in READERS:
        with open_slide(path, slide_id="s1", reader=reader) as slide:
            boxes.append(slide.read_box(0, 0, 1024, 1024, width_px=1024, height_px=1024))
    np.testing.assert_array_equal(*boxes)
    assert not np.array_equal(boxes[0], picture)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("prefetch", [0, 6])
def test_tiles_go_on_without_the_damaged_ones(damaged: Path, picture, tiles, reader, prefetch) -> None:
    damage(damaged, DAMAGES["all is zero"], col=0, row=3)
    told = {}
    with open_slide(damaged, slide_id="s1", reader=reader) as slide:
        found = dict(
            iterate_tiles(
                slide, tiles, prefetch=prefetch, threads=4, on_unreadable=lambda at, why: told.update({at: why})
            )
        )
    assert sorted(told) == [9, 12]
    assert "(256, 512)" in str(told[9])
    assert sorted(found) == [at for at in range(16) if at not in told]
    for at, pixels in found.items():
        x, y = tiles["x_l0"][at], tiles["y_l0"][at]
        np.testing.assert_array_equal(pixels, picture[y : y + SIDE, x : x + SIDE])


@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_tile_stops_the_slide_unless_told_otherwise(damaged: Path, tiles: pd.DataFrame, reader) -> None:
    seen = []
    with (
        open_slide(damaged, slide_id="s1", reader=reader) as slide,
        pytest.raises(UnreadableRegionError, match=r"\(256, 512\)"),
    ):
        seen.extend(at for at, _ in iterate_tiles(slide, tiles))
    assert seen == list(range(9))


def test_other_threads_read_on_while_one_meets_damage(damaged: Path, picture: np.ndarray) -> None:
    def read(col: int) -> bool:
        x, y = col % N_TILES * SIDE, BAD[1] * SIDE
        try:
            box = slide.read_box(x, y, SIDE, SIDE, width_px=SIDE, height_px=SIDE)
        except UnreadableRegionError:
            return x == BAD[0] * SIDE
        return np.array_equal(box, picture[y : y + SIDE, x : x + SIDE])

    with open_slide(damaged, slide_id="s1", reader="openslide") as slide, ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(80)))


@pytest.mark.parametrize("reader", READERS)
def test_a_thumbnail_is_white_where_the_slide_cannot_be_read(damaged: Path, picture: np.ndarray, reader) -> None:
    boxes = []
    with open_slide(damaged, slide_id="s1", reader=reader) as slide:
        with pytest.raises(UnreadableRegionError):
            slide.thumbnail(slide.mpp * 4)
        small = slide.thumbnail(slide.mpp * 4, on_unreadable=boxes.append)
    told = np.zeros(picture.shape[:2], bool)
    for x, y, width, height in boxes:
        told[y : y + height, x : x + width] = True
        assert max(width, height) <= 256
    bad = np.zeros_like(told)
    bad[512:768, 256:512] = True
    assert told[bad].all()
    # Neighbours whose antialiasing reaches into the damaged tile are told as well, no others.
    assert not told[:, 768:].any()
    assert not told[:256].any()
    assert (small[told[::4, ::4]] == 255).all()
    assert (small[~told[::4, ::4]] < 255).any(axis=1).mean() > 0.9


@pytest.mark.parametrize("kind", [{"tables": True}, {"compression": "lzw", "photometric": "rgb"}], ids=["jpeg", "lzw"])
def test_wherever_a_copy_breaks_off_both_readers_agree(tmp_path: Path, kind) -> None:
    path, cut = tmp_path / "slide.svs", tmp_path / "cut.svs"
    write_svs(path, tissue(600, 600), n_levels=2, factor=2, **kind)
    content = path.read_bytes()
    outcomes = set()
    for share in (*np.linspace(0, 0.95, 20), 0.99, 0.999):
        cut.write_bytes(content[: int(share * len(content))])
        found = []
        for reader in ("auto", "openslide"):
            try:
                with open_slide(cut, slide_id="s", mpp=0.5, reader=reader) as slide:
                    found.append(slide.read_box(0, 0, 600, 600, width_px=600, height_px=600).tobytes())
            except SlideError as error:
                found.append(type(error))
        assert found[0] == found[1]
        outcomes.add(found[0] if isinstance(found[0], type) else "read")
    assert SlideError in outcomes
