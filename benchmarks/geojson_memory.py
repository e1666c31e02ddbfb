"""Memory and time of a slide's nuclei on their way to QuPath.

    python benchmarks/geojson_memory.py
    python benchmarks/geojson_memory.py --nuclei 10000 100000

Each size is written as a nucleus table with outlines of 40 points, and exported as gzipped
GeoJSON in a process of its own, whose peak resident memory (VmHWM) is printed.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from pipeline.artefacts.nuclei import COLUMNS, NucleusHeader, write_nuclei
from pipeline.provenance import record

EXPORT = """
import sys
from pathlib import Path
from pipeline.report.export_geojson import nuclei_geojson
nuclei_geojson(sys.argv[1], sys.argv[2])
status = Path("/proc/self/status").read_text()
print(int(status.split("VmHWM:")[1].split()[0]) / 1024)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nuclei", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options = parser.parse_args()
    print("| nuclei | table, MB | GeoJSON, MB | peak memory, MiB | s | nuclei/s |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for n_nuclei in options.nuclei:
            table, out = Path(folder) / "n.parquet", Path(folder) / "n.geojson.gz"
            write_table(table, n_nuclei)
            started = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", EXPORT, table, out], capture_output=True, text=True, check=True
            )
            seconds = time.perf_counter() - started
            sizes = [path.stat().st_size / 1e6 for path in (table, out)]
            print(
                f"| {n_nuclei:,} | {sizes[0]:.0f} | {sizes[1]:.0f} | {float(done.stdout):.0f} | {seconds:.1f} "
                f"| {n_nuclei / seconds:,.0f} |"
            )


def write_table(path: Path, n_nuclei: int) -> None:
    """Elliptical nuclei at random places."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {name: random.uniform(0.1, 9.0, n_nuclei) for name, kind in COLUMNS.items() if kind == "float64"}
    )
    frame["nucleus_id"], frame["tile_id"] = np.arange(n_nuclei), np.arange(n_nuclei) // 200
    frame[["x_um", "y_um"]] *= 2000
    turn = np.linspace(0, 2 * np.pi, 41)
    ring = np.stack([4 * np.cos(turn), 3 * np.sin(turn)], axis=1)
    points = frame[["x_um", "y_um"]].to_numpy()[:, None] + ring * random.uniform(0.7, 1.3, (n_nuclei, 1, 1))
    frame["contour_um"] = shapely.to_wkb(shapely.polygons(points))
    facts = NucleusHeader(
        slide_id="s",
        slide_mpp=0.25,
        mpp=0.5,
        weights=None,
        weights_digest=None,
        reason=None,
        provenance=record(params={}, source=""),
    )
    write_nuclei(path, frame, facts)


if __name__ == "__main__":
    main()
