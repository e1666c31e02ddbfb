"""Folders of outlined images, as ``abignet train-nuclei`` is given them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ArtefactError, ConfigError
from pipeline.logs import get_logger

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})

MIN_OUTLINE_PX = 15
"""Smaller outlines are slips of the pen and slivers cut off by a tile's border."""

logger = get_logger("nuclei")


@dataclass(frozen=True)
class OutlinedFolder:
    """Images, their label images, and what is said of them; see ``ImageSource`` and ``image_patients``."""

    images: Path
    masks: Path
    name: str
    licence: str = "unknown"
    attribution: str = ""
    share: float | None = None
    patient: str = ""


def outlined_folders(
    images: Sequence[Path],
    masks: Sequence[Path],
    *,
    names: Sequence[str] = (),
    licences: Sequence[str] = (),
    attributions: Sequence[str] = (),
    shares: Sequence[float] = (),
    patients: Sequence[str] = (),
) -> list[OutlinedFolder]:
    """Folders in their order; each option was given once a folder, in that order, or not at all.

    Raises
    ------
    ConfigError
        If an option was given more or fewer times, or two folders have one name; all faults at once.
    """
    count = len(images)
    optional: dict[str, Sequence[object]] = {"--data": names, "--images-licence": licences}
    optional |= {"--attribution": attributions, "--share": shares, "--patient": patients}
    faults = [] if len(masks) == count else [f"--masks {len(masks)} times"]
    faults += [f"{option} {len(given)} times" for option, given in optional.items() if len(given) not in (0, count)]
    if faults:
        raise ConfigError(
            f"train-nuclei: {count} folders of --images, but {', '.join(faults)}: give each option once for each "
            f"folder, in the same order (all but --masks may be left out wholly)."
        )
    none = [None] * count
    return [
        OutlinedFolder(folder, mask, name or folder.name, licence or "unknown", attribution or "", share, patient or "")
        for folder, mask, name, licence, attribution, share, patient in zip(
            *(images, masks, names or none, licences or none, attributions or none, shares or none, patients or none),
            strict=True,
        )
    ]


def warn_of_unnamed(folders: Sequence[OutlinedFolder]) -> None:
    """Tell which folders' licences ask for names that were not given."""
    for folder in folders:
        if folder.licence.upper().replace(" ", "-").startswith("CC-BY") and not folder.attribution:
            logger.warning(
                "%s: the licence %s asks that the authors be named; give them by --attribution, they are stored with "
                "the weights",
                folder.name,
                folder.licence,
            )


def outlined_images(images_dir: Path, masks_dir: Path) -> "list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]]":
    """Pairs of image uint8 (h, w, 3) and labels int32 (h, w), numbered 1 to n, by file stem.

    Outlines below ``MIN_OUTLINE_PX`` are left out.

    Raises
    ------
    ArtefactError
        If there is no image, an image has no mask, or a mask is no label image of its image's size.
    """
    masks = {file.stem: file for file in masks_dir.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES}
    images = _image_files(images_dir)
    without = [file.name for file in images if file.stem not in masks]
    if not images or without:
        raise ArtefactError(
            f"{images_dir}: expected images that each have a mask of the same stem in {masks_dir}; "
            f"found {len(images)} images, {len(without)} of them without mask ({', '.join(without[:5])})."
        )
    return [_outlined_image(file, masks[file.stem]) for file in images]


def image_patients(folders: Sequence[OutlinedFolder]) -> list[str]:
    """Patient of each of the ``outlined_images`` of folder after folder; those of two folders are never the same.

    ``patient`` of a folder is a regular expression that the start of each image's stem matches: what it matches, or its
    first group, names the patient.  Where it is empty every image has a patient of its own.

    Raises
    ------
    ConfigError
        If one is no regular expression, or does not match an image.
    """
    return [f"{number}/{name}" for number, folder in enumerate(folders) for name in _patients(folder)]


def _patients(folder: OutlinedFolder) -> list[str]:
    stems = [file.stem for file in _image_files(folder.images)]
    if not folder.patient:
        return stems
    try:
        found = {stem: re.match(folder.patient, stem) for stem in stems}
    except re.error as error:
        raise ConfigError(
            f"--patient {folder.patient}: expected a regular expression, found one with {error}"
        ) from error
    without = [stem for stem, match in found.items() if match is None]
    if without:
        raise ConfigError(
            f"--patient {folder.patient}: expected what every image of {folder.images} begins with, found "
            f"{len(without)} of {len(stems)} images that do not ({', '.join(without[:5])})."
        )
    return [match[min(1, len(match.groups()))] for match in found.values() if match is not None]


def _image_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)


def _outlined_image(image: Path, mask: Path) -> "tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]":
    import numpy as np
    from PIL import Image, UnidentifiedImageError
    from skimage.io import imread

    try:
        rgb, labels = np.asarray(Image.open(image).convert("RGB")), np.asarray(imread(mask))
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise ArtefactError(f"{image} and its mask {mask}: one of them cannot be read ({error}).") from error
    if labels.shape != rgb.shape[:2] or labels.dtype.kind not in "ui":
        raise ArtefactError(
            f"{mask}: expected a label image of {rgb.shape[0]} x {rgb.shape[1]} pixels, one whole number a pixel, "
            f"found {labels.dtype} of {' x '.join(map(str, labels.shape))}."
        )
    values, place, areas = np.unique(labels, return_inverse=True, return_counts=True)
    kept = (values > 0) & (areas >= MIN_OUTLINE_PX)
    return rgb, np.where(kept, np.cumsum(kept), 0)[place].reshape(labels.shape).astype(np.int32)
