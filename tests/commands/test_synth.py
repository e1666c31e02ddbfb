from dataclasses import replace

import numpy as np
from click.testing import CliRunner

from pipeline.artefacts.features import FeatureStore, read_features, write_features
from pipeline.artefacts.sheet import read_sheet
from pipeline.cli import abignet
from pipeline.commands.synth import VARIANTS as OFFERED
from pipeline.synthetic.planted import VARIANTS, plant_images


def plant(out, *options):
    return CliRunner().invoke(
        abignet, ["synth", "planted", "--out", str(out), "--seed", "4", "--images", "2", *options]
    )


def test_the_command_offers_every_variant():
    assert set(OFFERED) == set(VARIANTS)


def test_a_variant_is_planted_with_the_numbers_given_instead_of_its_own(tmp_path):
    assert plant(tmp_path / "out", "--variant", "hard", "--pairs", "3", "--control").exit_code == 0
    params = replace(VARIANTS["hard"], n_images=2, n_pairs=3, planted=False)
    for image in plant_images(params, seed=4):
        stored = read_features(tmp_path / "out" / "features" / f"{image.slide_id}.zarr")
        np.testing.assert_array_equal(stored.features, image.features)
        np.testing.assert_array_equal(stored.coords, image.coords)


def test_the_control_stays_one_without_the_flag(tmp_path):
    assert plant(tmp_path / "out", "--variant", "control").exit_code == 0
    image = plant_images(replace(VARIANTS["control"], n_images=2), seed=4)[1]
    stored = read_features(tmp_path / "out" / "features" / f"{image.slide_id}.zarr")
    np.testing.assert_array_equal(stored.features, image.features)


def test_an_unknown_variant_is_wrong_usage(tmp_path):
    result = plant(tmp_path / "out", "--variant", "easy")
    assert result.exit_code == 2
    assert "frontier" in result.output


def test_painted_slides_come_with_a_sheet_and_the_true_edges(tmp_path):
    out = tmp_path / "out"
    result = CliRunner().invoke(abignet, ["synth", "painted", "--out", str(out), "--images", "2", "--seed", "4"])
    assert result.exit_code == 0, result.output
    rows = read_sheet(out / "slides.csv")
    assert len({row.label for row in rows if row.label}) == 2
    assert all(row.path.exists() for row in rows)
    assert any((out / "truth").iterdir())


def test_mosaics_of_a_sheet_share_no_image_between_folds(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["slide_id,features,label"]
    for number in range(8):
        store = FeatureStore(
            f"s{number}",
            rng.normal(size=(12, 3)).astype(np.float32),
            ("a", "b", "c"),
            np.stack([np.arange(12), np.zeros(12)], axis=1).astype(np.int64),
            np.arange(12),
        )
        write_features(tmp_path / f"s{number}.zarr", store)
        lines.append(f"s{number},s{number}.zarr,{number % 2}")
    (tmp_path / "slides.csv").write_text("\n".join(lines) + "\n")
    command = ["synth", "mosaic", "--sheet", str(tmp_path / "slides.csv"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(abignet, [*command, "--images", "8", "--sources", "4", "--folds", "2"])
    assert result.exit_code == 0, result.output
    assert "a classifier given the true edges" in result.output
    rows = read_sheet(tmp_path / "out" / "slides.csv")
    assert len(rows) == 8
    patches = [
        {tuple(patch) for row in rows if row.fold == fold for patch in read_features(row.features).features.tolist()}
        for fold in sorted({row.fold for row in rows})
    ]
    assert len(patches) == 2
    assert not patches[0] & patches[1]
    few = CliRunner().invoke(abignet, [*command[:-1], str(tmp_path / "few"), "--images", "8", "--sources", "16"])
    assert "use fewer sources a mosaic" in str(few.exception)
