"""The planted results of the exports' tests, damaged."""

import json
import shutil

import pytest
from PIL import Image

from tests.commands.running import run


@pytest.fixture
def results(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "results")
    for tiles in (tmp_path / "results/tiles").glob("*.parquet"):
        Image.effect_noise((32, 32), 9).save(tiles.with_suffix(".png"))
    for fold in (tmp_path / "results").glob("training/*/*/seed_*/fold_*"):
        shutil.rmtree(fold)
    return tmp_path / "results"


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def cut(path):
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def listed(results, capsys, *options):
    code = run("check", results, *options)
    return code, capsys.readouterr().out.splitlines()


def test_whole_results_have_no_fault(results, capsys):
    assert listed(results, capsys) == (0, [])


@pytest.mark.parametrize(
    ("name", "damage", "fault"),
    [
        ("tiles/{slide}.parquet", flip, "damaged: "),
        ("tiles/{slide}.png", flip, "damaged: "),
        ("nuclei/{slide}.parquet", flip, "damaged: "),
        ("cell_graphs/{slide}.zarr/weight", shutil.rmtree, "damaged: array 'weight' is missing"),
        ("features/{slide}.zarr/features/c", shutil.rmtree, "damaged: array 'features' is damaged"),
        ("training/main/splits.csv", cut, "damaged: it is damaged or was edited"),
        ("training/main/provenance.json", flip, "damaged: "),
    ],
)
def test_a_damaged_file_is_one_line_with_its_reason(results, capsys, name, damage, fault):
    slide = sorted((results / "features").iterdir())[3].stem
    path = results / name.format(slide=slide)
    damage(path)
    code, lines = listed(results, capsys)
    assert code == 1
    outermost = next((parent for parent in path.parents if parent.suffix == ".zarr"), path)
    assert any(line.startswith(f"{outermost}: {fault}") for line in lines), lines


def test_a_file_made_from_another_one_is_stale(results, capsys):
    one, other = sorted((results / "tiles").glob("*.parquet"))[2:4]
    tiles = other.read_bytes()
    shutil.copy(one, other)
    code, lines = listed(results, capsys)
    assert code == 1
    assert lines[0].startswith(f"{other}: damaged: expected tiles of slide {other.stem}")
    assert lines[1].startswith(f"{results}/cell_graphs/{other.stem}.zarr: stale: it was made from another tiles/")
    other.unlink()
    assert f"it was made from tiles/{other.stem}.parquet, which is not there" in "\n".join(listed(results, capsys)[1])
    other.write_bytes(tiles)
    assert listed(results, capsys)[0] == 0


def test_a_file_without_its_sibling_is_told(results, capsys):
    (results / "training/main/excluded.csv").unlink()
    code, lines = listed(results, capsys)
    assert (code, len(lines)) == (1, 1)
    assert lines[0].endswith("excluded.csv: missing: other files of the same job are there")


def test_mending_removes_what_is_faulty_and_what_was_made_from_it(results, capsys):
    slide, kept = (path.stem for path in sorted((results / "features").iterdir())[3:5])
    shutil.rmtree(results / f"cell_graphs/{slide}.zarr/weight")
    code, lines = listed(results, capsys, "--mend")
    assert (code, len(lines)) == (0, 1)
    assert not (results / f"features/{slide}.zarr").exists()
    assert not (results / "training/main/splits.csv").exists()
    assert (results / f"nuclei/{slide}.parquet").exists()
    assert (results / f"features/{kept}.zarr").exists()
    assert listed(results, capsys) == (0, [])


def test_the_folder_of_a_training_is_checked_too(cohort, tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--set", "epochs=1", "--set", "pretraining_steps=1", "--folds", 2, "--method", "mean_pool"]
    assert run("train", "--sheet", cohort / "slides.csv", "--out", out, *options) == 0
    capsys.readouterr()
    assert listed(out, capsys) == (0, [])
    flip(out / "fold_0/model.pt")
    metrics = json.loads((out / "metrics.json").read_text())
    (out / "metrics.json").write_text(json.dumps({**metrics, "seed": 9}))
    code, lines = listed(out, capsys)
    assert code == 1
    assert [line.split(": damaged")[0] for line in lines] == [f"{out}/fold_0/model.pt", f"{out}/metrics.json"]


def test_what_is_no_folder_is_refused(tmp_path):
    assert run("check", tmp_path / "nothing") == 2
