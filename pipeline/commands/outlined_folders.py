"""Folders of outlined images, as ``abignet train-nuclei`` is given them."""

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
    """Images, their label images, and what is said of them; see ``ImageSource``."""

    images: Path
    masks: Path
    name: str
    licence: str = "unknown"
    attribution: str = ""
    share: float | None = None


def outlined_folders(
    images: Sequence[Path],
    masks: Sequence[Path],
    *,
    names: Sequence[str] = (),
    licences: Sequence[str] = (),
    attributions: Sequence[str] = (),
    shares: Sequence[float] = (),
) -> list[OutlinedFolder]:
    """Folders in their order; each option was given once a folder, in that order, or not at all.

    Raises
    ------
    ConfigError
        If an option was given more or fewer times, or two folders have one name; all faults at once.
    """
    count = len(images)
    optional = {"--data": names, "--images-licence": licences, "--attribution": attributions, "--share": shares}
    faults = [] if len(masks) == count else [f"--masks {len(masks)} times"]
    faults += [f"{option} {len(given)} times" for option, given in optional.items() if len(given) not in (0, count)]
    if faults:
        raise ConfigError(
            f"train-nuclei: {count} folders of --images, but {', '.join(faults)}: give each option once for each "
            f"folder, in the same order (all but --masks may be left out wholly)."
        )
    none = [None] * count
    return [
        OutlinedFolder(folder, mask, name or folder.name, licence or "unknown", attribution or "", share)
        for folder, mask, name, licence, attribution, share in zip(
            images, masks, names or none, licences or none, attributions or none, shares or none, strict=True
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
    images = sorted(file for file in images_dir.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    without = [file.name for file in images if file.stem not in masks]
    if not images or without:
        raise ArtefactError(
            f"{images_dir}: expected images that each have a mask of the same stem in {masks_dir}; "
            f"found {len(images)} images, {len(without)} of them without mask ({', '.join(without[:5])})."
        )
    return [_outlined_image(file, masks[file.stem]) for file in images]


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
