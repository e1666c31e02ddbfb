from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.nuclei.learning.save_weights import save_weights
from pipeline.nuclei.network.weights import Weights, load_weights
from pipeline.nuclei.network.weights_files import resolve_weights
from pipeline.nuclei.params import SHIPPED_WEIGHTS
from pipeline.synthetic.painting.tissue import PaintedTissue, TissueSpec, paint_tissue
from tests.nuclei.random_weights import random_weights


@pytest.fixture(scope="session")
def tiny_weights() -> Weights:
    """A CPnet too small to be any good, with random tensors."""
    return replace(random_weights((2, 4, 8, 8, 8), style=False), name="tiny")


@pytest.fixture(scope="session")
def shipped_weights() -> Weights:
    """The network that the package ships."""
    return load_weights(resolve_weights(SHIPPED_WEIGHTS))


@pytest.fixture
def tiny_weights_path(tiny_weights: Weights, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.pt"
    save_weights(path, tiny_weights)
    return path


@pytest.fixture(scope="session")
def tissue() -> PaintedTissue:
    """Elongated nuclei about the x axis, at 0.5 um/px, on tissue that fills the picture."""
    spec = TissueSpec(nuclei_per_mm2=2500.0, clustering=0.2, kappa=8.0, axis_rad=0.0)
    return paint_tissue(spec, width_px=320, height_px=256, mpp=0.5, rng=np.random.default_rng(7))


@pytest.fixture(scope="session")
def tissue_png(tissue: PaintedTissue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tissue") / "tissue.png"
    Image.fromarray(tissue.rgb).save(path)
    return path


@pytest.fixture(scope="session")
def damaged_slide(tissue: PaintedTissue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """256 x 128 px at 0.5 um/px in stored tiles of 64 px, of which those at 1, 5 and 6 hold no image."""
    return write_damaged(tmp_path_factory.mktemp("damaged") / "damaged.tif", tissue.rgb[:128, :256], (1, 5, 6))


@pytest.fixture(scope="session")
def once_damaged_slide(tissue: PaintedTissue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """320 x 256 px at 0.5 um/px in stored tiles of 64 px, of which that at 1 holds no image."""
    return write_damaged(tmp_path_factory.mktemp("damaged") / "once.tif", tissue.rgb, (1,))


def write_damaged(path: Path, rgb: np.ndarray, broken: tuple[int, ...]) -> Path:
    per_cm = 10_000 / 0.5
    tifffile.imwrite(
        path,
        rgb,
        tile=(64, 64),
        photometric="rgb",
        compression="deflate",
        resolution=(per_cm, per_cm),
        resolutionunit="CENTIMETER",
        metadata=None,
    )
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        stored = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    with path.open("r+b") as stream:
        for tile in broken:
            stream.seek(stored[tile][0])
            stream.write(bytes(stored[tile][1]))
    return path
