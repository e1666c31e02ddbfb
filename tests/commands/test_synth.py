from dataclasses import replace

import numpy as np
from click.testing import CliRunner

from pipeline.artefacts.features import read_features
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
