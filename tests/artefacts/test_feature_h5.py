from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pipeline.artefacts.feature_h5 import read_features_h5
from pipeline.errors import ArtefactError, ImportedFileError

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


def of_trident(path: Path, features: np.ndarray, coords: np.ndarray = XY, **attributes: Any) -> Path:
    write(path, features=features, coords=coords)
    with h5py.File(path, "a") as file:
        file["coords"].attrs.update({"patch_size": 512, "patch_level": 0, **attributes})
    return path


def with_values(value: float, *rows: int) -> np.ndarray:
    features = X.astype(np.float32)
    features[list(rows), 1] = value
    return features


@pytest.mark.parametrize(
    "features",
    [X.astype(np.int16), X.astype(np.float64), np.asfortranarray(X), X[None].astype(">f4"), X.astype(np.float16)],
)
def test_numbers_of_any_type_and_order_are_float32(tmp_path: Path, features: np.ndarray) -> None:
    read = read_features_h5(of_trident(tmp_path / "a.h5", features))
    assert read.features.dtype == np.float32
    assert read.features.tolist() == X.tolist()


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (with_values(np.nan, 2), r"found NaN in row 2 of 3.*Extract them again .* leave these rows out .* exclude"),
        (with_values(np.nan, 0, 1), "found NaN in rows 0, 1 of 3"),
        (with_values(np.inf, 1), "found infinity, as beyond what float16 or float32 holds, in row 1 of 3"),
        (np.full((3, 2), 1e39), "found infinity, as beyond what float16 or float32 holds, in rows 0, 1, 2 of 3"),
        (X[:2], "found 2 rows of features and 3 of coordinates.*Extract the features of this slide again"),
        (X.reshape(2, 3), "found 2 rows of features and 3"),
        (np.zeros((0, 2)), "found 0 rows of features and 3"),
        (X[0], r"found shape \(2,\).*One row for the whole slide is no use here"),
        (X[:, None], r"features \(N, D\), one row a tile, found shape \(3, 1, 2\)"),
        (np.array([[b"a", b"b"]] * 3), "expected numbers in 'features', found values of type"),
        (X + 1j, "expected numbers in 'features', found values of type complex128"),
    ],
)
def test_features_that_cannot_be_learned_from_are_refused_with_a_remedy(
    tmp_path: Path, features: np.ndarray, words: str
) -> None:
    with pytest.raises(ImportedFileError, match=rf"a\.h5: expected .*{words}"):
        read_features_h5(of_trident(tmp_path / "a.h5", features))


@pytest.mark.parametrize(
    ("coords", "words"),
    [
        (XY * 0.2527, r"with fractions, \(129.3824, 0.0\) in rows 1, 2 of 3.*micrometres cannot be used"),
        (XY[[0, 1, 0]], r"place \(0, 0\) of row 0 again in row 2 of 3"),
        (XY - 1024, r"tiles on a slide, found \(-1024, -1024\) in rows 0, 1, 2 of 3"),
        (np.array([[0, 0], [512, 0], [2**32 - 512, 0]], np.uint32), "in an unsigned type"),
        (np.concatenate([XY, XY + 512], axis=1), "look like boxes"),
    ],
)
def test_coordinates_of_features_are_checked_as_those_of_tiles(tmp_path: Path, coords: np.ndarray, words: str) -> None:
    with pytest.raises(ImportedFileError, match=rf"a\.h5: expected .*{words}"):
        read_features_h5(of_trident(tmp_path / "a.h5", X, coords))


def test_tiles_lie_on_the_slide_that_the_file_names(tmp_path: Path) -> None:
    path = of_trident(tmp_path / "a.h5", X, level0_width=1000, level0_height=500)
    with pytest.raises(ImportedFileError, match=r"the slide of 1000 x 500 level-0 pixels, found \(0, 512\) in row 2"):
        read_features_h5(path)


@pytest.mark.parametrize("level", ["None", b"None", h5py.Empty("i8"), np.nan, [], "nan"])
def test_a_level_that_is_not_told_leaves_the_side_unknown(tmp_path: Path, level: Any) -> None:
    read = read_features_h5(of_trident(tmp_path / "a.h5", X, patch_level=level))
    assert (read.tile_px, read.tile_width_l0) == (512, None)


@pytest.mark.parametrize("level", [0, 0.0, "0", b"0", np.array([0])])
def test_a_level_may_be_written_in_any_way(tmp_path: Path, level: Any) -> None:
    assert read_features_h5(of_trident(tmp_path / "a.h5", X, patch_level=level)).tile_width_l0 == 512


@pytest.mark.parametrize("name", ["patch_level", "patch_size", "downsample", "patch_size_level0"])
@pytest.mark.parametrize("value", ["large", np.inf, [1, 2, 3]])
def test_an_attribute_that_is_no_number_is_refused(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(ImportedFileError, match=f"expected a number in attribute '{name}', found"):
        read_features_h5(of_trident(tmp_path / "a.h5", X, **{name: value}))


@pytest.mark.parametrize("attributes", [{"patch_size": 2**40}, {"patch_size_level0": 1e-3}, {"downsample": 1e-9}])
def test_a_size_that_no_tile_has_is_refused(tmp_path: Path, attributes: dict[str, Any]) -> None:
    with pytest.raises(ImportedFileError, match="expected tiles of 1 to 2147483647 pixels"):
        read_features_h5(of_trident(tmp_path / "a.h5", X, **attributes))


def test_features_of_two_tools_in_one_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportedFileError, match="it holds features and feats and coords"):
        read_features_h5(write(tmp_path / "a.h5", features=X, feats=X, coords=XY))


def test_places_of_stamp_are_checked_too(tmp_path: Path) -> None:
    with pytest.raises(ImportedFileError, match="NaN or infinity in row 0 of 3"):
        read_features_h5(
            write(tmp_path / "a.h5", STAMP, feats=X, coords=np.array([[np.nan, 0], [1, 0], [2, 0]])), slide_mpp=0.25
        )
    with pytest.raises(ImportedFileError, match="again in row 2 of 3"):
        read_features_h5(write(tmp_path / "a.h5", STAMP, feats=X, coords=XY[[0, 1, 0]]), slide_mpp=0.25)
    with pytest.raises(ImportedFileError, match="expected a number in attribute 'tile_size_px'"):
        read_features_h5(write(tmp_path / "a.h5", {**STAMP, "tile_size_px": "x"}, feats=X, coords=XY), slide_mpp=0.25)


@pytest.mark.parametrize(("stated", "known"), [("uni_v1", "uni_v1"), ("None", None), (3, None), (None, None)])
def test_the_encoder_is_known_where_the_file_names_it(tmp_path: Path, stated: Any, known: str | None) -> None:
    trident, stamp = (
        write(tmp_path / "t.h5", features=X, coords=XY),
        write(tmp_path / "s.h5", STAMP, feats=X, coords=XY / 4.0),
    )
    for path, place, name in ((trident, "features", "encoder"), (stamp, "/", "extractor")):
        with h5py.File(path, "a") as file:
            file[place].attrs.update({} if stated is None else {name: stated})
        assert read_features_h5(path, slide_mpp=0.25).encoder == known
