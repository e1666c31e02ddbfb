"""What a cohort of small images costs beyond the work on its pixels: start of processes, imports and Snakemake.

    python benchmarks/roi_overhead.py --out DIR [--images 300] [--cores 2] [--rois-per-job 32]

Images of 1,000 px are painted, and go through the five stages of an image (tiles, nuclei, cell graphs, features, files
for QuPath) twice: in one process that has gone through one image before, and by the workflow.  The overhead is the wall
time of the workflow times its cores over the processor time of that process; on a machine that others use look at the
processor time of all its processes instead.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SIDE_PX = 1000
CONFIG: dict[str, Any] = {"tiling": {"tile_px": 192}, "features": {"min_nuclei": 5}, "run": "rois"}


def main() -> None:
    """Paint, measure both and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="an empty or new folder")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--warm-images", type=int, default=None, help="of which one process takes; default all")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--rois-per-job", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sheet = painted(given.out / "cohort", given.images, given.seed)
    n_warm = given.warm_images or given.images
    warm_s = in_one_process(sheet, given.out / "warm", n_warm) / n_warm * given.images
    print(f"one warm process: {warm_s:.1f} s of processor time ({warm_s / given.images:.2f} s an image)", flush=True)
    wall_s, processor_s = by_the_workflow(sheet, given.out, given.cores, given.rois_per_job)
    print(f"workflow, {given.cores} cores: {wall_s:.1f} s of wall time, {processor_s:.1f} s of processor time")
    print(f"overhead by wall time: {wall_s * given.cores / warm_s:.2f}")
    print(f"overhead by processor time: {processor_s / warm_s:.2f}")


def painted(folder: Path, n_images: int, seed: int) -> Path:
    """Sheet of a cohort of painted images, which is painted where it is not there."""
    from pipeline.synthetic.slides import SyntheticCohortParams, write_synthetic_cohort

    sheet = folder / "slides.csv"
    if not sheet.is_file():
        params = SyntheticCohortParams(n_slides=n_images, n_unlabelled=0, slides_per_patient=1, size_px=SIDE_PX)
        write_synthetic_cohort(folder, params, seed=seed)
    return sheet


def in_one_process(sheet: Path, out_dir: Path, n_images: int) -> float:
    """Processor time in s of the first images of a sheet in this process, after one that warms it."""
    from pipeline.artefacts.sheet import SlideRow, read_sheet
    from pipeline.commands.feature_stages import FeatureStages
    from pipeline.config import load_config
    from pipeline.report.export_geojson import export_geojson

    values = {f"{section}.{key}": value for section in ("tiling", "features") for key, value in CONFIG[section].items()}
    stages = FeatureStages(out_dir, load_config(values=values))

    def through_all_stages(row: SlideRow) -> None:
        stages.run(row)
        tables = [stages.work(row.slide_id, f"{table}.parquet") for table in ("tiles", "nuclei")]
        written = [out_dir / f"{row.slide_id}.{ending}" for ending in ("nuclei.geojson.gz", "patches.geojson")]
        export_geojson(*tables, stages.cache(row.slide_id), *written, slide_id=row.slide_id)

    rows = read_sheet(sheet)[:n_images]
    through_all_stages(rows[0])
    start = time.process_time()
    for row in rows:
        through_all_stages(row)
    return time.process_time() - start


def by_the_workflow(sheet: Path, folder: Path, cores: int, rois_per_job: int) -> tuple[float, float]:
    """Wall time and processor time of all processes of a run, s."""
    config = folder / "config.json"
    results = folder / f"results_{rois_per_job}"
    overlay = {"sheet": str(sheet.resolve()), "outdir": str(results.resolve()), "rois_per_job": rois_per_job}
    config.write_text(json.dumps(CONFIG | overlay))
    where = ["-s", str(ROOT / "Snakefile"), "--directory", str(folder), "--configfile", str(config.resolve())]
    start, before = time.perf_counter(), children_s()
    run([sys.executable, "-m", "snakemake", "geojson", "--cores", str(cores), "--quiet", "all", *where])
    return time.perf_counter() - start, children_s() - before


def run(command: Sequence[str]) -> None:
    """Run a command to its end, or stop with what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])


def children_s() -> float:
    """Processor time of processes that have ended, s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
