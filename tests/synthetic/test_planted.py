import csv
from dataclasses import replace

import numpy as np
import pytest

from pipeline.artefacts.features import read_features
from pipeline.errors import ConfigError
from pipeline.provenance import file_digest
from pipeline.synthetic.planted import (
    VARIANTS,
    PlantedParams,
    plant_images,
    planted_ceiling,
    random_rotation,
    write_planted_cohort,
)
from pipeline.synthetic.planting.planted_image import TILE_PX
from pipeline.synthetic.planting.shifts import TEST_FOLD, TRAINING_FOLD

PARAMS = PlantedParams(n_images=6, n_pairs=8, n_distractors=3)
NOISELESS = replace(PARAMS, key_noise=0.0, nuisance_noise=0.0)


def rotation_of(params, seed):
    child = np.random.SeedSequence(seed).spawn(params.n_images + 1)[0]
    return random_rotation(params.n_features, np.random.default_rng(child))


def unrotated(image, params, seed):
    return image.features @ rotation_of(params, seed).T


def test_the_rotation_is_orthogonal():
    rotation = rotation_of(PARAMS, 0)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(PARAMS.n_features), atol=1e-12)


def test_pairs_share_their_key_and_the_layout_is_key_kind_sign_nuisance():
    for image in plant_images(NOISELESS, seed=5):
        plain = unrotated(image, NOISELESS, 5)
        first, second = plain[image.pairs[0]], plain[image.pairs[1]]
        np.testing.assert_allclose(first[:, :8], second[:, :8], atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(plain[:, :8], axis=1), 2, atol=1e-5)
        np.testing.assert_allclose(first[:, 8:11], np.eye(3)[[0] * 8], atol=1e-5)
        np.testing.assert_allclose(second[:, 8:11], np.eye(3)[[1] * 8], atol=1e-5)
        np.testing.assert_allclose(np.abs(plain[:, 11]), 1, atol=1e-5)
        np.testing.assert_allclose(plain[:, 12:], 0, atol=1e-5)


@pytest.mark.parametrize(("label", "agreeing"), [("1", 6), ("0", 2)])
def test_three_quarters_of_the_pairs_follow_the_class(label, agreeing):
    for image in plant_images(NOISELESS, seed=5):
        if image.label == label:
            sign = np.sign(unrotated(image, NOISELESS, 5)[:, 11])
            assert (sign[image.pairs[0]] == sign[image.pairs[1]]).sum() == agreeing


def test_signs_are_balanced_in_both_classes():
    for image in plant_images(NOISELESS, seed=5):
        sign = np.round(unrotated(image, NOISELESS, 5)[:, 11])
        assert sign[image.pairs[0]].sum() == sign[image.pairs[1]].sum() == 0


def test_the_control_has_no_planted_structure():
    control = replace(NOISELESS, planted=False, n_images=200)
    agreeing = {"0": [], "1": []}
    for image in plant_images(control, seed=1):
        sign = np.sign(unrotated(image, control, 1)[:, 11])
        agreeing[image.label].append((sign[image.pairs[0]] == sign[image.pairs[1]]).mean())
    # Mean of 800 fair coins: SD 0.018.
    assert np.mean(agreeing["0"]) == pytest.approx(0.5, abs=0.07)
    assert np.mean(agreeing["1"]) == pytest.approx(0.5, abs=0.07)


def test_single_patches_tell_nothing_of_the_class():
    images = plant_images(replace(PARAMS, n_images=600), seed=2)
    means = np.stack([image.features.mean(axis=0) for image in images])
    labels = np.array([image.label == "1" for image in images])
    gap = means[labels].mean(axis=0) - means[~labels].mean(axis=0)
    assert np.abs(gap / (means.std(axis=0) * np.sqrt(4 / 600))).max() < 4


@pytest.mark.parametrize(
    ("variant", "n_patches", "n_features", "n_pairs", "agreeing"),
    [
        ("standard", 40, 20, 16, {"0": 4, "1": 12}),
        ("hard", 40, 36, 8, {"0": 0, "1": 8}),
        ("frontier", 48, 36, 16, {"0": 4, "1": 12}),
        ("long_range", 40, 20, 16, {"0": 4, "1": 12}),
    ],
)
def test_variants_hold_what_their_names_say(variant, n_patches, n_features, n_pairs, agreeing):
    params = replace(VARIANTS[variant], n_images=4, key_noise=0.0, nuisance_noise=0.0)
    for image in plant_images(params, seed=5):
        assert image.features.shape == (n_patches, n_features)
        assert image.pairs.shape == (2, n_pairs)
        plain = unrotated(image, params, 5)
        first, second = plain[image.pairs[0]], plain[image.pairs[1]]
        np.testing.assert_allclose(first[:, : params.key_dim], second[:, : params.key_dim], atol=1e-5)
        same_sign = first[:, params.key_dim + 3] * second[:, params.key_dim + 3] > 0
        assert same_sign.sum() == agreeing[image.label]


@pytest.mark.parametrize(("variant", "key_sd", "nuisance_sd"), [("standard", 0.15, 0.7), ("frontier", 0.25, 1.0)])
def test_variants_have_their_noise(variant, key_sd, nuisance_sd):
    params = replace(VARIANTS[variant], n_images=60)
    keys, nuisances = [], []
    for image in plant_images(params, seed=3):
        plain = unrotated(image, params, 3)
        keys.append(plain[image.pairs[0], : params.key_dim] - plain[image.pairs[1], : params.key_dim])
        nuisances.append(plain[:, params.key_dim + 4 :])
    # The difference of two noisy copies of a key has twice the variance of its noise.
    assert np.std(np.concatenate(keys)) / np.sqrt(2) == pytest.approx(key_sd, rel=0.03)
    assert np.std(np.concatenate(nuisances)) == pytest.approx(nuisance_sd, rel=0.03)


def test_long_range_partners_are_beyond_the_reach_of_neighbours():
    for image in plant_images(replace(VARIANTS["long_range"], n_images=4), seed=0):
        xy = image.coords / TILE_PX
        assert len(np.unique(xy, axis=0)) == 40
        # Two fields of 20 tiles in 5 columns and 4 rows, 12 empty columns between them.
        assert sorted(np.bincount(xy[:, 0].astype(int)).nonzero()[0]) == [0, 1, 2, 3, 4, 17, 18, 19, 20, 21]
        assert (np.abs(xy[image.pairs[0], 0] - xy[image.pairs[1], 0]) >= 13).all()
        distance = np.linalg.norm(xy[:, None] - xy[None], axis=-1)
        nearest = np.argsort(distance, axis=1)[:, :20]
        partner = dict(zip(*image.pairs, strict=True)) | dict(zip(*image.pairs[::-1], strict=True))
        assert not any(partner[i] in nearest[i] for i in partner)


def test_the_control_variant_is_not_planted():
    assert VARIANTS["control"] == replace(VARIANTS["standard"], planted=False)


STOCK = replace(VARIANTS["stock"], n_images=40, key_noise=0.0, nuisance_noise=0.0)
SHIFTED = replace(VARIANTS["shifted"], n_images=160, key_noise=0.0, nuisance_noise=0.0)


def test_all_images_of_a_stock_hold_the_same_keys_twice():
    images = plant_images(STOCK, seed=5)
    keys = [np.round(unrotated(image, STOCK, 5)[:, :8], 3) for image in images]
    types, counts = np.unique(keys[0], axis=0, return_counts=True)
    assert len(types) == STOCK.n_partnered
    assert (counts == 2).all()
    for others in keys[1:]:
        np.testing.assert_allclose(np.unique(others, axis=0), types, atol=2e-3)


def test_idle_types_agree_as_often_in_one_class_as_in_the_other():
    idle = {"0": [], "1": []}
    for image in plant_images(STOCK, seed=5):
        plain = unrotated(image, STOCK, 5)
        key, sign = plain[:, :8], np.sign(plain[:, 11])
        true_pairs = {frozenset(pair) for pair in image.pairs.T.tolist()}
        same_key = np.argwhere(np.triu(np.linalg.norm(key[:, None] - key[None], axis=-1) < 1e-3, 1))
        agreeing = [sign[i] == sign[j] for i, j in same_key if frozenset((int(i), int(j))) not in true_pairs]
        assert len(agreeing) == STOCK.n_idle
        idle[image.label].append(sum(agreeing))
    assert set(idle["0"]) == set(idle["1"]) == {STOCK.n_idle // 2}


def test_the_first_images_of_a_larger_cohort_are_those_of_a_smaller_one():
    for params in (PARAMS, STOCK, SHIFTED):
        few, many = (plant_images(replace(params, n_images=n), seed=3) for n in (8, 16))
        for image, same in zip(few, many, strict=False):
            np.testing.assert_array_equal(image.features, same.features)
            assert (image.fold, image.hospital) == (same.fold, same.hospital)


def test_a_shift_moves_all_patches_of_an_image_alike_and_leaves_pairs_as_they_are():
    unmoved = plant_images(replace(SHIFTED, shifts=None), seed=5)
    for image, still in zip(plant_images(SHIFTED, seed=5), unmoved, strict=True):
        moved = image.features - still.features
        np.testing.assert_allclose(moved, np.broadcast_to(moved[0], moved.shape), atol=1e-5)
        assert np.abs(moved[0, :3]).max() > 0.05
        np.testing.assert_array_equal(image.pairs, still.pairs)


def test_class_and_hospital_go_together_in_the_training_fold_only():
    images = plant_images(SHIFTED, seed=5)
    for fold, least, most in ((TRAINING_FOLD, 0.8, 1.0), (TEST_FOLD, 0.5, 0.5)):
        of_fold = [image for image in images if image.fold == fold]
        assert sum(image.label == "1" for image in of_fold) == len(of_fold) / 2
        same_side = [int(image.hospital[-1]) % 2 == int(image.label) for image in of_fold]
        assert least <= np.mean(same_side) <= most
    folds = {}
    for image in images:
        assert folds.setdefault(image.case_id, image.fold) == image.fold


@pytest.mark.parametrize("variant", ["stock", "shifted"])
def test_who_knows_the_pairs_is_right(variant):
    ceiling = planted_ceiling(VARIANTS[variant], seed=0)
    assert ceiling.bayes == 1.0
    assert ceiling.true_edges > 0.97


def test_pairs_without_class_help_nobody():
    ceiling = planted_ceiling(replace(VARIANTS["stock"], planted=False), seed=0)
    assert ceiling.bayes == 0.5
    # A third of 3,000 fair coins: SD 0.016.
    assert ceiling.true_edges == pytest.approx(0.5, abs=0.06)


def test_a_patient_has_one_class_and_classes_alternate():
    images = plant_images(replace(PARAMS, n_images=8, images_per_case=2), seed=0)
    assert [image.label for image in images] == list("00110011")
    assert len({image.case_id for image in images}) == 4


def test_a_written_cohort_is_reproducible_and_readable(tmp_path):
    sheets = [write_planted_cohort(tmp_path / name, PARAMS, seed=9) for name in ("a", "b")]
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b")
    with sheets[0].open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["label"] for row in rows] == list("010101")
    image = plant_images(PARAMS, seed=9)[2]
    np.testing.assert_array_equal(read_features(tmp_path / "a" / rows[2]["features"]).features, image.features)
    np.testing.assert_array_equal(np.load(tmp_path / "a/truth" / f"{image.slide_id}.npz")["pairs"], image.pairs)


@pytest.mark.parametrize(
    "values", [{"n_pairs": 0}, {"agreement": 0.4}, {"key_noise": -1.0}, {"gap_tiles": -1}, {"n_idle": -1}]
)
def test_impossible_cohorts_are_refused(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        PlantedParams(**values)
