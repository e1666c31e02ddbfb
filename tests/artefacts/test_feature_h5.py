from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pipeline.artefacts.feature_h5 import read_features_h5
from pipeline.errors import ArtefactError

X = np.arange(6).reshape(3, 2)
XY = np.array([[0, 0], [512, 0], [0, 512]])
STAMP = {"unit": "um", "tile_size_um": 128.0, "tile_size_px": 256}


def write(path: Path, attributes: dict[str, Any] | None = None, **arrays: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
        file.attrs.update(attributes or {})
    return path


def test_features_of_trident_and_clam_stay_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", features=X.astype(np.float16), coords=XY)
    with h5py.File(path, "a") as file:
        file["coords"].attrs.update({"patch_size": 256, "patch_size_level0": 512, "level0_magnification": 40})
    read = read_features_h5(path)
    assert read.features.dtype == np.float32
    assert read.coords.dtype == np.int64
    assert read.features.tolist() == X.tolist()
    assert read.coords.tolist() == XY.tolist()
    assert read.tile_width_l0 == 512


def test_a_leading_batch_axis_is_taken_off(tmp_path: Path) -> None:
    read = read_features_h5(write(tmp_path / "a.h5", features=X[None], coords=XY[None]))
    assert (read.features.shape, read.coords.shape) == ((3, 2), (3, 2))
    assert (read.tile_px, read.tile_width_l0, read.mpp) == (None, None, None)


def test_micrometres_of_stamp_become_level_0_pixels(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", STAMP, feats=X, coords=XY / 4.0 + 0.01)
    read = read_features_h5(path, slide_mpp=0.25)
    assert read.coords.tolist() == XY.tolist()
    assert (read.tile_px, read.tile_width_l0, read.mpp) == (256, 512.0, 0.5)
    with pytest.raises(ArtefactError, match="column mpp, or as --mpp"):
        read_features_h5(path)


@pytest.mark.parametrize("missing", ["unit", "tile_size_um"])
def test_an_old_file_of_stamp_is_refused(tmp_path: Path, missing: str) -> None:
    attributes = {name: value for name, value in STAMP.items() if name != missing}
    with pytest.raises(ArtefactError, match="Make it again with a present STAMP"):
        read_features_h5(write(tmp_path / "a.h5", attributes, feats=X, coords=XY), slide_mpp=0.25)


def test_files_of_none_of_them_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="expected an HDF5 file of TRIDENT or CLAM"):
        read_features_h5(write(tmp_path / "a.h5", features=X))
    (tmp_path / "b.h5").write_text("no HDF5")
    with pytest.raises(ArtefactError, match=r"b\.h5"):
        read_features_h5(tmp_path / "b.h5")
