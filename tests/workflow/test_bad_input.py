import subprocess

import pytest

from tests.workflow.conftest import SNAKEMAKE


@pytest.fixture(scope="module")
def fresh(new_run):
    return new_run("fresh")


def output(done) -> str:
    return done.stdout + done.stderr


def test_an_unreadable_slide_stops_its_own_job_only_and_is_named(fresh):
    done = fresh.snakemake("tiles")
    assert done.returncode != 0
    tables = {path.stem for path in (fresh.results / "tiles").glob("*.parquet")}
    failed = {path.stem for path in (fresh.results / "logs/tile_slide").glob("*.log") if "error:" in path.read_text()}
    assert len(failed) == 1
    assert len(tables) == 11
    assert f"error: slide {failed.pop()}" in output(done)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"tilling": {"tile_px": 3}}, "tilling: unknown key"),
        ({"tiling": {"tile_px": -1}}, "tiling.tile_px: expected a whole number in [16, 8192], found -1"),
        ({"nuclei": {"weights": "nothing.pt"}}, "nothing.pt"),
        ({"sheet": "none.csv"}, "none.csv"),
        ({"prediction": {"method": "joint"}}, "prediction.method"),
        ({"outdir": "a{word}"}, "outdir: expected the path of a folder without { } and <word>"),
        ({"outdir": "slides/slides/s01.tif/x"}, "slides/slides/s01.tif is no folder; choose another place"),
        ({"outdir": "a<logs>"}, "outdir: expected the path of a folder without { } and <word>"),
    ],
)
def test_a_wrong_configuration_stops_before_any_job(fresh, changed, expected):
    done = fresh.snakemake("tiles", "--dry-run", changed=changed)
    assert done.returncode != 0
    assert expected in output(done)


def with_sheet(run, text: str):
    (run.folder / "other.csv").write_text(text)
    return {"sheet": "other.csv"}


def test_all_faults_of_a_sheet_are_reported_at_once(fresh):
    done = fresh.snakemake("tiles", "--dry-run", changed=with_sheet(fresh, "slide_id,path\na b,x.tif\nc,missing.tif\n"))
    assert done.returncode != 0
    assert "row 2, column slide_id" in output(done)
    assert "row 3, column path: no such file" in output(done)


def test_one_class_is_enough_for_features_and_not_for_training(fresh):
    changed = with_sheet(fresh, "slide_id,path,label\na,slides/slides/s01.tif,x\nb,slides/slides/s02.tif,x\n")
    assert fresh.snakemake("features", "--dry-run", changed=changed).returncode == 0
    done = fresh.snakemake("train", "--dry-run", changed=changed)
    assert done.returncode != 0
    assert "at least two classes, there is 'x' of 2 patients" in output(done)


def test_a_slide_without_mpp_says_what_to_write_where(fresh):
    from PIL import Image

    Image.new("RGB", (300, 300), "pink").save(fresh.folder / "plain.png")
    done = fresh.snakemake("tiles", changed=with_sheet(fresh, "slide_id,path\nplain,plain.png\n"))
    assert done.returncode != 0
    assert "error: slide plain" in output(done)
    assert "column `mpp`" in output(done) or "column mpp" in output(done)


def test_predicting_without_a_slide_to_predict_says_so(fresh):
    changed = with_sheet(fresh, "slide_id,path,label\na,slides/slides/s01.tif,x\nb,slides/slides/s02.tif,y\n")
    done = fresh.snakemake("predict", "--dry-run", changed=changed)
    assert done.returncode != 0
    assert "nothing to predict" in output(done)


def test_names_that_look_the_same_and_one_slide_in_two_sheets_are_refused(fresh):
    changed = with_sheet(
        fresh, "slide_id,path,label,case_id\na,slides/slides/s01.tif,x,P0\nb,slides/slides/s02.tif,y,P1\n"
    )
    new = fresh.folder / "new.csv"
    new.write_text(
        "slide_id,path,case_id\nc,slides/slides/s03.tif,p0\nd,slides/slides/s02.tif,P9\nb,slides/slides/s04.tif,\n"
    )
    changed["prediction"] = {"sheet": "new.csv"}
    done = fresh.snakemake("tiles", "--dry-run", changed=changed)
    assert done.returncode != 0
    assert "row 2, column case_id: 'P0' (row 2 of other.csv) and 'p0' (row 2) differ only in capital" in output(done)
    assert "row 3, column path: row 3 of other.csv and row 3 name one file" in output(done)
    assert "row 4, column slide_id: 'b' stands in row 3 of other.csv and row 4; ids must be unique" in output(done)
    new.write_text("slide_id,path,case_id\nc,slides/slides/s03.tif,P0\n")
    assert fresh.snakemake("tiles", "--dry-run", changed=changed).returncode == 0


@pytest.mark.parametrize("name", ["a{word}.tif", "a{0}.tif", "a<results>.tif"])
def test_a_path_that_snakemake_would_change_is_a_fault_of_its_row(fresh, name):
    (fresh.folder / name).write_bytes(b"slide")
    changed = with_sheet(fresh, f"slide_id,path\na,slides/slides/s01.tif\nb,{name}\n")
    done = fresh.snakemake("tiles", "--dry-run", changed=changed)
    assert done.returncode != 0
    assert f"row 3, column path: '{name}' holds" in output(done)


def test_what_is_special_to_a_shell_is_not_special_in_a_path(fresh):
    names = ["a b$HOME`id`.tif", "c'd;e.tif", "f&g|h*?.tif", "{.tif"]
    slide = (fresh.folder / "slides/slides/s01.tif").read_bytes()
    for number, name in enumerate(names):
        (fresh.folder / name).write_bytes(slide + bytes([number]))
    rows = "".join(f"o{number},{name}\n" for number, name in enumerate(names))
    done = fresh.snakemake("tiles", changed=with_sheet(fresh, "slide_id,path\n" + rows) | {"outdir": "o'd $d"})
    assert done.returncode == 0, output(done)
    assert len(list((fresh.folder / "o'd $d/tiles").glob("*.parquet"))) == len(names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seeds: [1]\nseeds: [2]\n", "key 'seeds' twice, first in line 1"),
        ("tiling: {tile_px: 0512}\n", "the number '0512'"),
        ("x: &x [1, 1]\ny: &y [*x, *x]\nseeds: &z [*y, *y, *z]\n", "more than 10,000 values"),
    ],
)
def test_a_config_file_with_a_trap_is_told_before_any_job(fresh, text, expected):
    (fresh.folder / "trap.yaml").write_text(text)
    where = ["-s", str(fresh.checkout / "Snakefile"), "--directory", str(fresh.folder), "--dry-run", "--cores", "1"]
    command = [str(SNAKEMAKE), "tiles", *where, "--configfile", str(fresh.folder / "trap.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert expected in output(done)
