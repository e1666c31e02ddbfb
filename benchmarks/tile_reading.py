"""How fast tiles of a slide are read, and in how much memory, beside other readers.

Prints two Markdown tables.  The first holds tiles of 512 px a second, median over
repetitions in which all readers take turns, each in a process of its own, opening not
counted; the second the peak memory of a process that reads all tiles of a slide, by the slide's size.  Readers
are a bare loop over OpenSlide's ``read_region`` (as it comes, and made RGB), our own with
one and two threads, the same resampled from level 0 to half its resolution, and, when an
interpreter given by ``--peers`` has them, tiffslide, cucim and tiatoolbox.

    ABIGNET_REAL_DATA=DIR python benchmarks/tile_reading.py
    ABIGNET_REAL_DATA=DIR python benchmarks/tile_reading.py --peers OTHER/bin/python ANOTHER/bin/python

DIR holds ``wsi_openslide/CMU-1-Small-Region.svs`` and ``wsi_tcga_frozen/*.svs``; without it
only the synthetic pyramids are read: 256-px tiles of JPEG at quality 80, chroma halved,
2,048 px of synthetic tissue over and over, written to a temporary folder.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TILE_PX = 512
MAX_TILES = 200
RESAMPLED_BY = 1.98
"""0.2525 to 0.5 um/px: a little less than the next level of a pyramid offers."""

BLOCK_PX = 2048
JPEG_TILE_PX = 256
N_LEVELS = 4
MPP = 0.25

Box = tuple[int, int]
Reading = Callable[[list[Box]], int]
Opening = Callable[[str], Reading]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", nargs="*", default=[], metavar="PYTHON", help="interpreters with other readers")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--side", type=int, default=20_000, help="px of the synthetic pyramid that is timed")
    parser.add_argument("--sides", type=int, nargs="*", default=[5_000, 10_000, 20_000, 40_000], help="px, for memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        block = encoded_block()
        pyramid = Path(folder) / f"pyramid of {options.side:,} px.tif"
        write_pyramid(pyramid, options.side, block)
        readers = available_readers(options.peers, pyramid)
        print_speeds([*real_slides(), pyramid], readers, options.repeats)
        if options.sides:
            print_memory(Path(folder), options.sides, block)


def real_slides() -> list[Path]:
    folder = os.environ.get("ABIGNET_REAL_DATA")
    return sorted(Path(folder).glob("wsi_*/*.svs")) if folder else []


def available_readers(peers: list[str], slide: Path) -> list[tuple[str, str]]:
    """Reader and interpreter, ours first; a peer is left out where it cannot read ``slide``."""
    ours = [(name, sys.executable) for name in OURS]
    found = [(name, python) for python in peers for name in PEERS if can_read(python, name, slide)]
    return ours + list({name: (name, python) for name, python in found}.values())


def can_read(python: str, reader: str, slide: Path) -> bool:
    run = measured(python, reader, slide, n_tiles=4, check=False)
    if not run:
        print(f"{reader} is not among the readers of {python}", file=sys.stderr)
    return bool(run)


def print_speeds(slides: list[Path], readers: list[tuple[str, str]], repeats: int) -> None:
    speeds: dict[tuple[str, str], list[float]] = {}
    for _ in range(repeats):
        for slide in slides:
            for reader, python in readers:
                run = measured(python, reader, slide)
                speeds.setdefault((reader, slide.stem), []).append(run["tiles"] / run["seconds"])
    median = {key: statistics.median(values) for key, values in speeds.items()}
    names = [slide.stem for slide in slides]
    print(f"\nTiles of {TILE_PX} px a second, and the ratio to the bare loop (median of {repeats})\n")
    print("| reader | " + " | ".join(names) + " |\n|---" + "|---:" * len(names) + "|")
    for reader, _ in readers:
        cells = [f"{median[reader, name]:.0f} ({median[reader, name] / median[BARE, name]:.2f})" for name in names]
        print(f"| {reader} | " + " | ".join(cells) + " |", flush=True)


def print_memory(folder: Path, sides: list[int], block: list[dict[Box, bytes]]) -> None:
    print("\nPeak memory in MiB of a process that reads all tiles\n")
    print("| side in px | tiles | " + " | ".join(IN_MEMORY) + " |\n|---:|---:" + "|---:" * len(IN_MEMORY) + "|")
    for side in sides:
        slide = folder / f"{side}.tif"
        write_pyramid(slide, side, block)
        runs = [measured(sys.executable, reader, slide, n_tiles=-1) for reader in IN_MEMORY]
        print(
            f"| {side:,} | {runs[0]['tiles']:,} | " + " | ".join(f"{run['mib']:.0f}" for run in runs) + " |", flush=True
        )
        slide.unlink()


def measured(
    python: str, reader: str, slide: Path, *, n_tiles: int = MAX_TILES, check: bool = True
) -> dict[str, float]:
    """Tiles, seconds and peak MiB of a reading in its own process; empty when it fails and ``check`` is off."""
    command = [python, __file__, "--measure", reader, str(slide), str(n_tiles)]
    root = str(Path(__file__).parents[1])
    run = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": root})
    if run.returncode and check:
        sys.exit(f"{reader} failed on {slide}:\n{run.stderr}")
    result: dict[str, float] = json.loads(run.stdout.splitlines()[-1]) if run.returncode == 0 else {}
    return result


def measure(reader: str, slide: str, n_tiles: int) -> None:
    """Read until a second has passed, each time from a slide newly opened, which is not counted."""
    width, height = slide_size(slide)
    boxes = [(x, y) for y in range(0, height - TILE_PX + 1, TILE_PX) for x in range(0, width - TILE_PX + 1, TILE_PX)]
    if n_tiles > 0:
        first = max(0, (len(boxes) - n_tiles) // 2)
        boxes = boxes[first : first + n_tiles]
    opening = {**OURS, **PEERS}[reader]
    if n_tiles > 0:
        opening(slide)(boxes[:4])
    tiles, seconds = 0, 0.0
    while seconds < 1:
        read = opening(slide)
        started = time.perf_counter()
        tiles += read(boxes)
        seconds += time.perf_counter() - started
        if n_tiles < 0:
            break
    print(json.dumps({"tiles": tiles, "seconds": seconds, "mib": peak_mib()}))


def peak_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def slide_size(slide: str) -> tuple[int, int]:
    import tifffile

    with tifffile.TiffFile(slide) as file:
        return file.pages[0].imagewidth, file.pages[0].imagelength


def open_bare(slide: str) -> Reading:
    import openslide

    opened = openslide.OpenSlide(slide)
    return lambda boxes: sum(1 for box in boxes if opened.read_region(box, 0, (TILE_PX, TILE_PX)))


def open_bare_rgb(slide: str) -> Reading:
    import numpy as np
    import openslide

    opened = openslide.OpenSlide(slide)
    size = (TILE_PX, TILE_PX)
    return lambda boxes: sum(1 for box in boxes if np.asarray(opened.read_region(box, 0, size).convert("RGB")).size)


def open_ours(reader: Any, threads: int, *, resampled_by: float = 1.0) -> Opening:
    def opening(slide: str) -> Reading:
        import pandas as pd

        from pipeline.slides.reader import open_slide
        from pipeline.slides.tiles_in_order import iterate_tiles

        opened = open_slide(slide, slide_id="slide", mpp=MPP, reader=reader)
        prefetch = 0 if threads == 1 else 3 * threads

        def read(boxes: list[Box]) -> int:
            tiles = pd.DataFrame(boxes, columns=["x_l0", "y_l0"])
            tiles = tiles.assign(width_l0=TILE_PX * resampled_by, tile_px=TILE_PX)
            return sum(1 for _ in iterate_tiles(opened, tiles, prefetch=prefetch, threads=threads))

        return read

    return opening


def open_tiffslide(slide: str) -> Reading:
    import tiffslide

    opened = tiffslide.TiffSlide(slide)
    size = (TILE_PX, TILE_PX)
    return lambda boxes: sum(1 for box in boxes if opened.read_region(box, 0, size, as_array=True).size)


def open_cucim(slide: str) -> Reading:
    import numpy as np
    from cucim import CuImage

    opened = CuImage(slide)
    return lambda boxes: sum(1 for box in boxes if np.asarray(opened.read_region(box, (TILE_PX, TILE_PX), 0)).size)


def open_tiatoolbox(slide: str) -> Reading:
    """Its patch extractor, given the same places.

    The module is loaded by its file, because its package imports torchvision for registration.
    """
    import numpy as np
    import tiatoolbox
    from tiatoolbox.wsicore.wsireader import OpenSlideWSIReader

    file = Path(tiatoolbox.__file__).parent / "tools/patchextraction.py"
    spec = importlib.util.spec_from_file_location("patchextraction", file)
    extraction = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extraction)
    opened = OpenSlideWSIReader(slide)

    def read(boxes: list[Box]) -> int:
        centres = np.array(boxes) + TILE_PX // 2
        patches = extraction.PointsPatchExtractor(opened, centres, patch_size=TILE_PX, resolution=0, units="level")
        return sum(1 for patch in patches if patch.size)

    return read


def encoded_block() -> list[dict[Box, bytes]]:
    """JPEG tiles (col, row) of the block that the synthetic pyramids repeat, one dict a level."""
    import imagecodecs
    import numpy as np
    from PIL import Image

    from pipeline.synthetic.painting.tissue import TissueSpec, paint_tissue

    painted = paint_tissue(TissueSpec(), width_px=BLOCK_PX, height_px=BLOCK_PX, mpp=MPP, rng=np.random.default_rng(0))
    levels = []
    for number in range(N_LEVELS):
        level = np.asarray(Image.fromarray(painted.rgb).reduce(2**number))
        tiles = range(len(level) // JPEG_TILE_PX)
        levels.append(
            {
                (col, row): imagecodecs.jpeg8_encode(
                    np.ascontiguousarray(
                        level[row * JPEG_TILE_PX :, col * JPEG_TILE_PX :][:JPEG_TILE_PX, :JPEG_TILE_PX]
                    ),
                    level=80,
                    colorspace="RGB",
                    outcolorspace="YCBCR",
                    subsampling="420",
                )
                for row in tiles
                for col in tiles
            }
        )
    return levels


def write_pyramid(path: Path, side: int, block: list[dict[Box, bytes]]) -> None:
    import numpy as np
    import tifffile

    def tiles_of(level: dict[Box, bytes], n_across: int) -> Iterator[bytes]:
        period = max(col for col, _ in level) + 1
        for row in range(n_across):
            yield from (level[col % period, row % period] for col in range(n_across))

    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for number, level in enumerate(block):
            side_px = side // 2**number
            per_cm = 10_000 / (MPP * 2**number)
            file.write(
                tiles_of(level, -(-side_px // JPEG_TILE_PX)),
                shape=(side_px, side_px, 3),
                dtype=np.uint8,
                tile=(JPEG_TILE_PX, JPEG_TILE_PX),
                photometric="ycbcr",
                compression="jpeg",
                subsampling=(2, 2),
                subfiletype=int(number > 0),
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                metadata=None,
            )


BARE = "OpenSlide, bare read_region"
OURS: dict[str, Opening] = {
    BARE: open_bare,
    "OpenSlide, bare read_region to RGB": open_bare_rgb,
    "ours, openslide, 1 thread": open_ours("openslide", 1),
    "ours, openslide, 2 threads": open_ours("openslide", 2),
    "ours, tifffile, 1 thread": open_ours("tifffile", 1),
    "ours, tifffile, 2 threads": open_ours("tifffile", 2),
    "ours, openslide, resampled, 1 thread": open_ours("openslide", 1, resampled_by=RESAMPLED_BY),
    "ours, tifffile, resampled, 1 thread": open_ours("tifffile", 1, resampled_by=RESAMPLED_BY),
    "ours, tifffile, resampled, 2 threads": open_ours("tifffile", 2, resampled_by=RESAMPLED_BY),
}
PEERS: dict[str, Opening] = {
    "tiatoolbox, patch extractor": open_tiatoolbox,
    "tiffslide": open_tiffslide,
    "cucim": open_cucim,
}
IN_MEMORY = [BARE, "ours, openslide, 2 threads", "ours, tifffile, 2 threads"]

if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
