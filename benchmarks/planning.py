"""Processor time and memory of planning a cohort and of checking its sheet.

python benchmarks/planning.py plan 10000 FOLDER     # a dry run; slides are files of 40 MB that take no space
python benchmarks/planning.py check 100000 FOLDER   # the sheet alone; all files have one size, so all are compared
"""

import resource
import subprocess
import sys
from pathlib import Path

from pipeline.artefacts.sheet import read_sheets

ROOT = Path(__file__).parents[1]
SLIDE_BYTES = 40_000_000


def write_cohort(folder: Path, n_slides: int) -> Path:
    """Sheet of slides of two classes and two slides a patient, each with content of its own."""
    (folder / "slides").mkdir(parents=True, exist_ok=True)
    rows = ["slide_id,path,label,case_id"]
    for i in range(n_slides):
        slide = folder / "slides" / f"s{i:06}.svs"
        with slide.open("wb") as file:
            file.write(f"slide {i}".encode())
            file.truncate(SLIDE_BYTES)
        rows.append(f"{slide.stem},slides/{slide.name},{'ab'[i % 2]},p{i // 2}")
    sheet = folder / "slides.csv"
    sheet.write_text("\n".join(rows) + "\n")
    return sheet


def plan(sheet: Path) -> None:
    where = ["-s", str(ROOT / "Snakefile"), "--configfile", str(ROOT / "config/test/config.yaml"), "--directory"]
    command = [sys.executable, "-m", "snakemake", *where, str(sheet.parent), "--dry-run", "--quiet", "--cores", "1"]
    subprocess.run([*command, "--config", f"sheet={sheet}"], check=True)


if __name__ == "__main__":
    what, n_slides, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]).resolve()
    sheet = write_cohort(folder, n_slides)
    who = resource.RUSAGE_CHILDREN if what == "plan" else resource.RUSAGE_SELF
    before = resource.getrusage(who)
    plan(sheet) if what == "plan" else read_sheets(sheet, None)
    after = resource.getrusage(who)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{what} of {n_slides} slides: {cpu_s:.1f} s of processor time, {after.ru_maxrss / 1e6:.2f} GB")
