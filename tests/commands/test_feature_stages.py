from dataclasses import replace

import numpy as np
import pytest

from pipeline.artefacts.features import FeatureStore, read_features, write_features
from pipeline.artefacts.sheet import SlideRow
from pipeline.commands.feature_stages import FeatureStages
from pipeline.config import load_config


@pytest.fixture
def row(tmp_path):
    """A slide whose features another tool made."""
    cache = tmp_path / "given.zarr"
    write_features(
        cache, FeatureStore("given", np.ones((2, 1), np.float32), ("a",), np.eye(2, dtype=int), np.arange(2))
    )
    return SlideRow("s", features=cache)


@pytest.fixture
def stages(tmp_path):
    return FeatureStages(tmp_path / "out", load_config())


def test_features_of_others_are_imported_and_then_up_to_date(stages, row):
    assert not stages.up_to_date(row)
    stages.run(row)
    assert stages.up_to_date(row)
    assert read_features(stages.cache("s")).feature_names == ("a",)


@pytest.mark.parametrize("damaged", ["features/c/0/0", "zarr.json", "coords/zarr.json"])
def test_a_damaged_cache_is_made_again_and_told(stages, row, caplog, damaged):
    stages.run(row)
    (stages.cache("s") / damaged).write_bytes(b"")
    (stages.work("s", "key")).touch()
    assert stages.up_to_date(row) is (damaged == "coords/zarr.json"), "the store's own metadata hold those of arrays"
    assert ("It is made again" in caplog.text) is (damaged != "coords/zarr.json")


def test_a_damaged_key_is_no_key(stages, row):
    stages.run(row)
    stages.work("s", "key").write_bytes(b"\xff\xfe")
    assert not stages.up_to_date(row)


def test_everything_a_cache_depends_on_is_in_its_key(stages, row, tmp_path):
    key = stages.key(row)
    assert stages.key(replace(row, mpp=0.5)) != key
    coarser = {**stages.config, "tiling": {**stages.config["tiling"], "mpp": 1.0}}
    assert replace(stages, config=coarser).key(row) != key
    assert replace(stages, config={**stages.config, "on_bad_tile": "exclude"}).key(row) != key
    assert replace(stages, config={**stages.config, "run": "other"}).key(row) == key
    assert replace(stages, out_dir=tmp_path / "elsewhere").key(row) == key
    other = tmp_path / "other.zarr"
    write_features(other, read_features(row.features))
    assert stages.key(replace(row, features=other)) != key


def test_a_stage_that_fails_leaves_the_slide_to_be_done(stages, row, tmp_path):
    stages.run(row)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    bad = SlideRow("s", path=broken, mpp=0.5)
    with pytest.raises(Exception, match=r"broken\.png"):
        stages.run(bad)
    assert not stages.up_to_date(bad)
    assert not stages.up_to_date(row), "the key was taken away before the work began"
