import numpy as np
import tifffile

from pipeline.artefacts.nuclei import read_nuclei
from tests.commands.running import run


def test_segment_writes_nuclei_masks_and_outlines(tmp_path, painted, capsys):
    out, masks, geojson = tmp_path / "n.parquet", tmp_path / "m.tif", tmp_path / "n.geojson.gz"
    code = run("segment", "--image", painted, "--mpp", 0.5, "--out", out, "--masks", masks, "--geojson", geojson)
    assert code == 0
    nuclei = read_nuclei(out).frame
    labels = tifffile.imread(masks)
    assert labels.dtype == np.uint32
    assert labels.shape == (256, 256)
    assert labels.max() == len(nuclei)
    assert f"{len(nuclei)} nuclei" in capsys.readouterr().out
    assert geojson.stat().st_size > 0


def test_missing_weights_are_never_replaced(tmp_path, painted, capsys):
    code = run("segment", "--image", painted, "--mpp", 0.5, "--weights", "cyto9", "--out", tmp_path / "n.parquet")
    assert code == 2
    assert "cyto9" in capsys.readouterr().err
    assert not (tmp_path / "n.parquet").exists()
