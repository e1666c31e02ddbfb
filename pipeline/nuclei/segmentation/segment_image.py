"""``abignet segment``: the nuclei of a whole image, without tissue mask, and their masks.

Frames: ``_um`` and ``_l0`` as in ``pipeline.units``; masks are (row, col) in level-0 pixels.
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import tifffile

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.nuclei import write_nuclei
from pipeline.logs import get_logger
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmentation.nucleus_headers import SegmentedSlide, nucleus_header
from pipeline.nuclei.segmentation.segmenters import open_segmenter
from pipeline.slides.reader import SlideReader
from pipeline.slides.slide_input import SlideInput
from pipeline.slides.slide_scale import magnification_caution

Masks = npt.NDArray[np.uint32]


logger = get_logger("nuclei")


def segment_image(
    source_image: SlideInput,
    nuclei_path: str | Path,
    masks_path: str | Path | None = None,
    *,
    params: NucleiParams,
    device: str = "auto",
    source: str,
) -> int:
    """Find the nuclei of an image of any resolution; write their table and, if asked for, their masks.

    Nuclei are found and measured at the network's own resolution.

    Parameters
    ----------
    source_image, nuclei_path
        The image, and the table to write.
    masks_path
        TIFF of uint32 labels in the image's own pixels, 0 = background, ``nucleus_id + 1`` in
        a nucleus; held in memory while it is made.
    params, device, source
        See ``segment_nuclei``.

    Returns
    -------
    Number of nuclei.

    Raises
    ------
    SlideError, MissingMppError, WeightsError, DeviceError
        If the image, its pixel size, the weights or the device cannot be had.
    """
    from pipeline.nuclei.segmentation.nuclei_in_tiles import nuclei_by_block
    from pipeline.nuclei.segmentation.ownership import nucleus_table
    from pipeline.nuclei.segmentation.slide_stain import image_stain

    with source_image.open() as image:
        segmenter = open_segmenter(params, device=device)
        working_mpp = segmenter.network_mpp()
        for caution in (*image.cautions, *magnification_caution(image.mpp, working_mpp, "the segmenter's pixels")):
            logger.warning("%s: %s", image.slide_id, caution)
        masks = None if masks_path is None else np.zeros((image.height_l0, image.width_l0), dtype=np.uint32)
        parts: list[pd.DataFrame] = []
        n_before = 0
        tiles = image_tiles(image, working_mpp, params.block_px)
        for block in nuclei_by_block(image, tiles, segmenter, image_stain(image, working_mpp, params)):
            n_owned = len(block.owned)
            if masks is not None:
                numbers = np.zeros(int(block.labels.max(initial=0)) + 1, dtype=np.uint32)
                numbers[block.owned["label"].to_numpy()] = n_before + 1 + np.arange(n_owned)
                x_um, y_um = block.place.origin_um
                paste(masks, numbers[block.labels], (x_um / image.mpp, y_um / image.mpp), image.mpp / working_mpp)
            parts.append(block.owned)
            n_before += n_owned
        nuclei = nucleus_table(parts)
        upstream = {"image": source_image.path}
        segmented = SegmentedSlide(image.slide_id, image.mpp, working_mpp, upstream, image.bounds_l0)
        reason = None if len(nuclei) else f"no nucleus found in {len(tiles)} tiles"
        header = replace(nucleus_header(segmented, params, source), reason=reason, reader=image.reader)
    if masks is not None and masks_path is not None:
        _write_masks(masks_path, _consecutive(masks, nuclei.index.to_numpy(), n_before))
    write_nuclei(nuclei_path, nuclei, header)
    return len(nuclei)


def image_tiles(image: SlideReader, mpp: float, tile_px: int) -> pd.DataFrame:
    """Grid of tiles over the whole image, with the columns of a tile table that reading needs.

    Tiles are no larger than an image smaller than one tile asks for.
    """
    side_um = max(image.width_l0, image.height_l0) * image.mpp
    tile_px = min(tile_px, max(1, math.ceil(side_um / mpp)))
    pitch = tile_px * mpp / image.mpp
    row, col = np.indices((math.ceil(image.height_l0 / pitch), math.ceil(image.width_l0 / pitch))).reshape(2, -1)
    return pd.DataFrame(
        {
            "tile_id": np.arange(len(row)),
            "x_l0": np.rint(col * pitch).astype(np.int64),
            "y_l0": np.rint(row * pitch).astype(np.int64),
            "width_l0": pitch,
            "tile_px": tile_px,
            "mpp": mpp,
            "row": row,
            "col": col,
        }
    )


def paste(masks: Masks, labels: Masks, origin_l0: tuple[float, float], scale: float) -> None:
    """Write the nuclei of ``labels`` into the background of ``masks``, by nearest neighbour, in place.

    Parameters
    ----------
    masks
        (height_l0, width_l0).
    labels
        (h, w) at another resolution, 0 = background.
    origin_l0
        Level-0 position (x, y) of the corner of the first pixel of ``labels``.
    scale
        Pixels of ``labels`` per level-0 pixel.
    """
    x_l0, cols = _nearest(origin_l0[0], labels.shape[1], scale, masks.shape[1])
    y_l0, rows = _nearest(origin_l0[1], labels.shape[0], scale, masks.shape[0])
    if not (len(rows) and len(cols)):
        return
    under = masks[y_l0 : y_l0 + len(rows), x_l0 : x_l0 + len(cols)]
    over = labels[rows[:, None], cols]
    np.copyto(under, over, where=(under == 0) & (over > 0))


def _nearest(origin_l0: float, n_px: int, scale: float, size_l0: int) -> tuple[int, npt.NDArray[np.intp]]:
    """First level-0 pixel whose centre is covered, and for it and each further one the pixel that covers it."""
    first = max(0, math.ceil(origin_l0 - 0.5))
    last = min(size_l0, math.ceil(origin_l0 + n_px / scale - 0.5))
    covered = np.floor((np.arange(first, last) + 0.5 - origin_l0) * scale).astype(np.intp)
    return first, np.clip(covered, 0, n_px - 1)


def _consecutive(masks: Masks, kept: npt.NDArray[np.intp], n_before: int) -> Masks:
    numbers = np.zeros(n_before + 1, dtype=np.uint32)
    numbers[kept + 1] = np.arange(1, len(kept) + 1)
    renumbered: Masks = numbers[masks]
    return renumbered


def _write_masks(path: str | Path, masks: Masks) -> None:
    with writing(path) as temporary:
        tifffile.imwrite(temporary, masks, compression="zlib", metadata=None)
