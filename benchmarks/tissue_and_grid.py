"""Time and memory of finding tissue and laying the grid, over the size of the slide.

Makes JPEG pyramids of 0.25 um/px in a temporary folder, H&E tissue on glass, and tiles each
with the defaults but without focus, which reads the tiles themselves.  Every measurement
is a process of its own, so that its peak resident memory is its alone; imports are counted
in the memory, not in the seconds; the quickest of ``--repeats`` counts.  ``cpu_s`` is the
processor's time for mask and grid, ``otsu_s`` the time of a bare Otsu threshold of the same
thumbnail, ``focus_s`` of reading every candidate tile for its focus, ``overview_s`` of
reading the overview picture.

    python benchmarks/tissue_and_grid.py --widths 12500 25000 50000 100000
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

Rgb = npt.NDArray[np.uint8]

MPP = 0.25
HEIGHT_SHARE = 0.8
TILE_PX = 512
COARSEST_PX = 2000
PIECES = 5
"""Sections of tissue on the slide."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", nargs="+", type=int, default=[12_500, 25_000, 50_000, 100_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", nargs=2, metavar=("SLIDE", "PART"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure)))
        return
    print("width_px,height_px,tiles,kept,mask_and_grid_s,cpu_s,otsu_s,peak_mb,imports_mb,focus_s,overview_s")
    with tempfile.TemporaryDirectory() as folder:
        for width in options.widths:
            path = Path(folder) / f"{width}.tif"
            write_sections(path, width, round(width * HEIGHT_SHARE))
            parts = ("grid", "otsu", "focus", "overview")
            found = {part: quickest(path, part, options.repeats) for part in parts}
            grid = found["grid"]
            numbers = [grid["seconds"], grid["cpu_seconds"], found["otsu"]["seconds"]]
            numbers += [grid["peak_mb"], grid["imports_mb"]]
            numbers += [found["focus"]["seconds"] - grid["seconds"], found["overview"]["seconds"]]
            print(
                f"{width},{round(width * HEIGHT_SHARE)},{grid['tiles']},{grid['kept']},"
                + ",".join(f"{number:.2f}" for number in numbers),
                flush=True,
            )
            path.unlink()


def quickest(path: Path, part: str, repeats: int) -> dict[str, float]:
    return min((in_own_process(path, part) for _ in range(repeats)), key=lambda found: found["seconds"])


def in_own_process(path: Path, part: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", str(path), part]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def measure(path: str, part: str) -> dict[str, float]:
    from pipeline.slides.reader import open_slide
    from pipeline.tiling.params import TilingParams
    from pipeline.tiling.tile_slide import tile_open_slide

    params = TilingParams() if part == "focus" else TilingParams(qc_min_focus=0.0)
    imports_mb = peak_mb()
    started, started_cpu = time.perf_counter(), time.process_time()
    with open_slide(path, slide_id="s") as slide:
        if part == "overview":
            slide.thumbnail(slide.width_l0 * slide.mpp / params.overview_px)
            return {"seconds": time.perf_counter() - started}
        if part == "otsu":
            scikit_image_otsu(slide.thumbnail(params.mask_mpp))
            return {"seconds": time.perf_counter() - started}
        tiles = tile_open_slide(slide, params, None).tiles
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - started_cpu,
        "tiles": len(tiles),
        "kept": int(tiles["kept"].sum()),
        "peak_mb": peak_mb(),
        "imports_mb": imports_mb,
    }


def scikit_image_otsu(rgb: Rgb) -> npt.NDArray[np.bool_]:
    """Otsu's threshold of the luminance, as tiatoolbox's OtsuTissueMasker has it; no clean-up."""
    from skimage.color import rgb2gray
    from skimage.filters import threshold_otsu

    grey = rgb2gray(rgb)
    return np.asarray(grey < threshold_otsu(grey))


def peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def write_sections(path: Path, width: int, height: int) -> None:
    """A JPEG pyramid of round sections on glass; tiles of one kind are encoded once."""
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        downsample = 1
        while downsample == 1 or max(width, height) // downsample >= COARSEST_PX // 2:
            per_cm = 10_000 / (MPP * downsample)
            size = (height // downsample, width // downsample)
            file.write(
                tiles_of(size, (width, height), downsample),
                shape=(*size, 3),
                dtype=np.uint8,
                tile=(TILE_PX, TILE_PX),
                photometric="ycbcr",
                subsampling=(2, 2),
                compression="jpeg",
                subfiletype=int(downsample > 1),
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                metadata=None,
            )
            downsample *= 2


def tiles_of(size: tuple[int, int], whole: tuple[int, int], downsample: int) -> Iterator[bytes]:
    tissue, glass = texture(downsample), np.full((TILE_PX, TILE_PX, 3), 243, np.uint8)
    only_tissue, only_glass = encoded(tissue), encoded(glass)
    centres, radius = sections(whole)
    middle, reach = TILE_PX / 2 * downsample, TILE_PX / 2**0.5 * downsample
    row, col = np.indices((TILE_PX, TILE_PX), sparse=True)
    for top in range(0, size[0], TILE_PX):
        for left in range(0, size[1], TILE_PX):
            x, y = left * downsample, top * downsample
            distance = min(float(np.hypot(cx - x - middle, cy - y - middle)) for cx, cy in centres)
            if abs(distance - radius) > reach:
                yield only_tissue if distance < radius else only_glass
            else:
                places = [(x + col * downsample - cx, y + row * downsample - cy) for cx, cy in centres]
                inside = np.logical_or.reduce([right**2 + down**2 < radius**2 for right, down in places])
                yield encoded(np.where(inside[..., None], tissue, glass))


def encoded(rgb: Rgb) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(rgb, level=75, colorspace="rgb", outcolorspace="ycbcr", subsampling="420"))


def sections(whole: tuple[int, int]) -> tuple[list[tuple[float, float]], float]:
    """Centres and radius of the sections in level-0 pixels: two rows, the second between the first."""
    width, height = whole
    centres = [(width * (i + 1) / (PIECES + 1), height * (0.3 if i % 2 else 0.68)) for i in range(PIECES)]
    return centres, 0.13 * width


def texture(downsample: int) -> Rgb:
    """One tile of stroma with nuclei and lumina at a level of the pyramid."""
    rng = np.random.default_rng(0)
    fine = np.empty((TILE_PX, TILE_PX, 3), np.float32)
    fine[:] = (224, 160, 196)
    row, col = np.indices((TILE_PX, TILE_PX), sparse=True)
    for radius, colour, count in ((60, (243, 242, 243), 3), (14, (96, 64, 140), 90)):
        for x, y in rng.uniform(0, TILE_PX, (count, 2)):
            fine[(row - y) ** 2 + (col - x) ** 2 < radius**2] = colour
    fine += rng.normal(0, 4, fine.shape).astype(np.float32)
    picture = Image.fromarray(np.clip(fine, 0, 255).astype(np.uint8)).reduce(min(downsample, TILE_PX))
    return np.asarray(np.tile(np.asarray(picture), (min(downsample, TILE_PX), min(downsample, TILE_PX), 1)), np.uint8)


if __name__ == "__main__":
    main()
