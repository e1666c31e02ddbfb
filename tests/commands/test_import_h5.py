import h5py
import numpy as np

from pipeline.artefacts.features import read_features
from tests.commands.running import run


def test_h5_files_of_other_tools_are_imported(tmp_path, capsys):
    with h5py.File(tmp_path / "slide.h5", "w") as file:
        file["features"] = np.ones((2, 3), np.float32)
        file["coords"] = np.array([[0, 0], [512, 0]])
    assert run("import-h5", tmp_path, "--out", tmp_path / "caches") == 0
    assert read_features(tmp_path / "caches" / "slide.zarr").coords.tolist() == [[0, 0], [512, 0]]
    assert "1 feature caches" in capsys.readouterr().out


def test_import_beside_and_in_micrometres(described, capsys):
    with h5py.File(described / "s1.h5", "w") as file:
        file["feats"], file["coords"] = np.array([[7.0], [8.0]], np.float16), np.array([[128.0, 0.0], [0.0, 0.0]])
        file.attrs.update({"unit": "um", "tile_size_um": 128.0, "tile_size_px": 224})
    assert run("import-h5", described / "s1.h5", "--out", described / "caches", "--beside", "uni") == 2
    assert "--mpp" in capsys.readouterr().err
    code = run("import-h5", described / "s1.h5", "--out", described / "caches", "--beside", "uni", "--mpp", 0.25)
    assert code == 0
    read = read_features(described / "caches" / "s1.zarr")
    assert read.embeddings["uni"].tolist() == [[8], [7]]
    assert read.feature_names == ("a",)
