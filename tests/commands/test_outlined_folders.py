from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.commands.outlined_folders import (
    OutlinedFolder,
    image_patients,
    outlined_folders,
    outlined_images,
    warn_of_unnamed,
)
from pipeline.errors import ArtefactError, ConfigError

A, B = Path("a"), Path("b")


def written(folder: Path, labels: np.ndarray) -> tuple[Path, Path]:
    """Folders of one grey picture of 8 x 10 pixels and of its labels."""
    for name in ("images", "masks"):
        (folder / name).mkdir()
    Image.fromarray(np.full((8, 10, 3), 200, np.uint8)).save(folder / "images" / "x.png")
    tifffile.imwrite(folder / "masks" / "x.tif", labels)
    return folder / "images", folder / "masks"


def test_options_belong_to_folders_by_their_order() -> None:
    folders = outlined_folders(
        [A, B], [B, A], licences=["CC0-1.0", "CC-BY-4.0"], attributions=["", "Ann"], shares=[1.0, 2.0]
    )
    assert folders == [
        OutlinedFolder(A, B, "a", "CC0-1.0", "", 1.0),
        OutlinedFolder(B, A, "b", "CC-BY-4.0", "Ann", 2.0),
    ]
    assert outlined_folders([A], [B], names=["tiles"]) == [OutlinedFolder(A, B, "tiles")]


def test_all_options_given_too_often_or_too_seldom_are_told() -> None:
    with pytest.raises(ConfigError, match=r"2 folders of --images, but --masks 1 times, --share 3 times: give each"):
        outlined_folders([A, B], [A], names=["x", "y"], shares=[1, 2, 3])


@pytest.mark.parametrize(
    ("licence", "attribution", "warned"),
    [("CC BY 4.0", "", True), ("cc-by-sa-3.0", "", True), ("CC BY 4.0", "Ann", False), ("CC0-1.0", "", False)],
)
def test_a_licence_that_asks_for_names(
    licence: str, attribution: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_unnamed([OutlinedFolder(A, B, "tiles", licence, attribution)])
    assert ("tiles: the licence" in caplog.text) == warned


def test_labels_are_numbered_and_slivers_are_left_out(tmp_path: Path) -> None:
    """Labels 7 (20 pixels), 9 (14 pixels) and 4,000,000,000 (15 pixels)."""
    labels = np.zeros((8, 10), np.uint32)
    labels[:2], labels[3, :7], labels[4, :7], labels[6:8, :7], labels[5, 0] = 7, 9, 9, 4_000_000_000, 4_000_000_000
    ((rgb, found),) = outlined_images(*written(tmp_path, labels))
    assert (rgb.shape, rgb.dtype, found.dtype) == ((8, 10, 3), np.uint8, np.int32)
    assert np.array_equal(found, np.where(labels == 7, 1, np.where(labels == 4_000_000_000, 2, 0)))


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (np.zeros((8, 9), np.uint8), "uint8 of 8 x 9"),
        (np.zeros((8, 10, 3), np.uint8), "uint8 of 8 x 10 x 3"),
        (np.zeros((8, 10), np.float32), "float32 of 8 x 10"),
    ],
)
def test_a_mask_that_is_no_label_image_of_its_image(tmp_path: Path, labels: np.ndarray, found: str) -> None:
    with pytest.raises(ArtefactError, match=rf"x\.tif: expected a label image of 8 x 10 pixels.*found {found}\."):
        outlined_images(*written(tmp_path, labels))


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, folder: str) -> None:
    images, masks = written(tmp_path, np.zeros((8, 10), np.uint8))
    next((tmp_path / folder).iterdir()).write_bytes(b"no picture")
    with pytest.raises(ArtefactError, match=r"x\.png and its mask .*x\.tif: one of them cannot be read"):
        outlined_images(images, masks)


def test_an_image_without_mask_is_named(tmp_path: Path) -> None:
    images, masks = written(tmp_path, np.zeros((8, 10), np.uint8))
    (masks / "x.tif").unlink()
    with pytest.raises(ArtefactError, match=r"found 1 images, 1 of them without mask \(x\.png\)"):
        outlined_images(images, masks)
    (images / "x.png").unlink()
    with pytest.raises(ArtefactError, match="found 0 images"):
        outlined_images(images, masks)


def with_images(folder: Path, *names: str, patient: str = "") -> OutlinedFolder:
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    return OutlinedFolder(folder, folder, folder.name, patient=patient)


@pytest.mark.parametrize("pattern", ["[0-9]+", "([0-9]+)_"])
def test_patients_are_named_by_images_and_by_folder(tmp_path: Path, pattern: str) -> None:
    tiles = with_images(tmp_path / "a", "02_1.png", "01_1.png", "01_2.png", "README.txt", patient=pattern)
    others = with_images(tmp_path / "b", "01_1.png", "01_2.png")
    assert image_patients([tiles, others]) == ["0/01", "0/01", "0/02", "1/01_1", "1/01_2"]


@pytest.mark.parametrize(
    ("pattern", "found"), [("[0-9", "expected a regular expression"), ("0[0-9]", r"1 of 2 images that do not \(x\)")]
)
def test_a_pattern_of_no_patient_is_told(tmp_path: Path, pattern: str, found: str) -> None:
    with pytest.raises(ConfigError, match=f"--patient .*{found}"):
        image_patients([with_images(tmp_path / "a", "01_1.png", "x.png", patient=pattern)])
