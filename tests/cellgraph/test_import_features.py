import h5py
import numpy as np
import pytest

from pipeline.artefacts.features import read_features
from pipeline.cellgraph.import_features import import_features
from pipeline.errors import ArtefactError, ImportedFileError, SlideError
from pipeline.provenance import file_digest


def _stamp(path, coords, values, unit="um"):
    """A file as STAMP writes it."""
    with h5py.File(path, "w") as file:
        file["feats"] = np.asarray(values, np.float16)
        file["coords"] = np.asarray(coords)
        file.attrs.update({"unit": unit, "tile_size_um": 256.0, "tile_size_px": 224, "stamp_version": "2.4"})
    return path


@pytest.fixture
def stamp_file(tmp_path):
    """Two tiles of 256 um, 224 px, side by side."""
    return _stamp(tmp_path / "s.h5", [[0.0, 0.0], [256.0, 0.0]], [[1, 2], [3, 4]])


def test_micrometres_of_stamp_become_level_0_pixels(stamp_file, tmp_path):
    import_features(stamp_file, tmp_path / "s.zarr", slide_id="s", source="x", slide_mpp=0.25)
    read = read_features(tmp_path / "s.zarr")
    assert read.coords.tolist() == [[0, 0], [1024, 0]]
    assert (read.tile_px, read.tile_width_l0) == (224, 1024.0)
    assert read.mpp == pytest.approx(256 / 224)
    assert read.features.tolist() == [[1, 2], [3, 4]]


def test_micrometres_without_the_slides_resolution_are_refused(stamp_file, tmp_path):
    with pytest.raises(ArtefactError, match=r"s\.h5: coordinates are in um .* column mpp"):
        import_features(stamp_file, tmp_path / "s.zarr", slide_id="s", source="x")
    assert not (tmp_path / "s.zarr").exists()


def test_a_file_of_feats_in_an_unknown_unit_is_refused(tmp_path):
    path = _stamp(tmp_path / "x.h5", [[0, 0]], [[1]], unit="px")
    with pytest.raises(ArtefactError, match="unit = 'um'"):
        import_features(path, tmp_path / "s.zarr", slide_id="s", source="x", slide_mpp=0.5)


def test_a_cache_says_which_slide_it_is_and_what_it_came_from(stamp_file, tmp_path):
    import_features(stamp_file, tmp_path / "s.zarr", slide_id="case-7", source="abc", slide_mpp=0.25)
    read = read_features(tmp_path / "s.zarr")
    assert (read.slide_id, read.source) == ("case-7", "abc")
    assert read.upstream == {"imported": file_digest(stamp_file)}
    assert "zarr" in read.packages


def test_a_cache_is_imported_under_another_name_with_all_it_holds(stamp_file, tmp_path):
    import_features(stamp_file, tmp_path / "a.zarr", slide_id="a", source="x", slide_mpp=0.25)
    import_features(tmp_path / "a.zarr", tmp_path / "b.zarr", slide_id="b", source="y")
    first, second = read_features(tmp_path / "a.zarr"), read_features(tmp_path / "b.zarr")
    np.testing.assert_array_equal(second.features, first.features)
    np.testing.assert_array_equal(second.coords, first.coords)
    assert (second.slide_id, second.tile_width_l0) == ("b", 1024.0)


@pytest.mark.parametrize(
    ("values", "coords", "words"),
    [
        ([[1, 2], [np.nan, 4]], [[0, 0], [256, 0]], "found NaN in row 1 of 2"),
        ([[1, 2], [3, 4]], [[0, 0], [0, 0]], "again in row 1 of 2"),
        ([[1, 2]], [[0, 0], [256, 0]], "found 1 rows of features and 2"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_bad_slide(tmp_path, caplog, values, coords, words):
    path = _stamp(tmp_path / "s.h5", coords, values)
    job = {"slide_id": "s", "source": "x", "slide_mpp": 0.25}
    with pytest.raises(SlideError, match=words):
        import_features(path, tmp_path / "s.zarr", **job)
    assert not (tmp_path / "s.zarr").exists()
    import_features(path, tmp_path / "s.zarr", **job, on_bad_slide="exclude")
    read = read_features(tmp_path / "s.zarr")
    assert read.coords.shape == (0, 2)
    assert read.reason.startswith("s.h5: expected")
    assert words in read.reason
    assert (read.slide_id, read.upstream) == ("s", {"imported": file_digest(path)})
    assert "s is excluded" in caplog.text


def test_a_cache_that_cannot_be_used_is_a_bad_slide(stamp_file, tmp_path):
    (tmp_path / "a.zarr").mkdir()
    import_features(tmp_path / "a.zarr", tmp_path / "s.zarr", slide_id="s", source="x", on_bad_slide="exclude")
    assert "a.zarr: expected a Zarr store" in read_features(tmp_path / "s.zarr").reason


def test_a_gap_in_the_sheet_is_no_bad_slide(stamp_file, tmp_path):
    with pytest.raises(ArtefactError, match="column mpp"):
        import_features(stamp_file, tmp_path / "s.zarr", slide_id="s", source="x", on_bad_slide="exclude")


def test_a_cache_of_another_slide_under_this_name_is_refused(stamp_file, tmp_path):
    import_features(stamp_file, tmp_path / "other.zarr", slide_id="other", source="x", slide_mpp=0.25)
    import_features(tmp_path / "other.zarr", tmp_path / "out/s.zarr", slide_id="s", source="x")
    (tmp_path / "other.zarr").rename(tmp_path / "s.zarr")
    with pytest.raises(ImportedFileError, match=r"expected features of slide s, found those of .other."):
        import_features(tmp_path / "s.zarr", tmp_path / "out/t.zarr", slide_id="s", source="x")


def test_what_made_the_features_goes_with_them(stamp_file, tmp_path):
    with h5py.File(stamp_file, "r+") as file:
        file.attrs["extractor"] = "virchow2"
    import_features(stamp_file, tmp_path / "s.zarr", slide_id="s", source="x", slide_mpp=0.25)
    import_features(tmp_path / "s.zarr", tmp_path / "again/s.zarr", slide_id="s", source="x")
    assert read_features(tmp_path / "again/s.zarr").networks == {"features": "virchow2"}
