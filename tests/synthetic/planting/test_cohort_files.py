import csv
from dataclasses import replace

import numpy as np

from pipeline.artefacts.features import read_features
from pipeline.synthetic.planting.cohort_files import write_cohort
from pipeline.synthetic.planting.planted_image import PlantedImage, grid_coords

IMAGE = PlantedImage(
    "a", "p", "1", np.arange(6, dtype=np.float32).reshape(3, 2), grid_coords(3), np.array([[0], [2]], np.int64)
)


def rows_of(path):
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_what_is_written_is_read_back(tmp_path):
    sheet = write_cohort(tmp_path, [IMAGE], ("first", "second"), {"mosaic": {"seed": 3}})
    assert rows_of(sheet) == [{"slide_id": "a", "features": "features/a.zarr", "label": "1", "case_id": "p"}]
    stored = read_features(tmp_path / "features/a.zarr")
    np.testing.assert_array_equal(stored.features, IMAGE.features)
    np.testing.assert_array_equal(stored.coords, [[0, 0], [256, 0], [0, 256]])
    assert stored.feature_names == ("first", "second")
    assert stored.params["mosaic"] == {"seed": 3}
    np.testing.assert_array_equal(np.load(tmp_path / "truth/a.npz")["pairs"], IMAGE.pairs)
    assert not (tmp_path / "truth/hospitals.csv").exists()


def test_folds_stand_in_the_sheet_and_hospitals_beside_the_truth(tmp_path):
    images = [replace(IMAGE, fold=0, hospital="h"), replace(IMAGE, slide_id="b", case_id="q", fold=1, hospital="k")]
    assert [row["fold"] for row in rows_of(write_cohort(tmp_path, images, ("first", "second"), {}))] == ["0", "1"]
    assert [row["hospital"] for row in rows_of(tmp_path / "truth/hospitals.csv")] == ["h", "k"]
