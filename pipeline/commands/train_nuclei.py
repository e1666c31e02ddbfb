"""``abignet train-nuclei``: the only place where the nucleus room meets painted tissue."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.options import DEVICE, EXISTING_DIRECTORY, EXISTING_FILE, NEW_FILE
from pipeline.errors import ArtefactError
from pipeline.logs import progress

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

PAINTED_PX = 384
PAINTED_MPP = 0.5
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})


@click.command("train-nuclei")
@click.option("--images", "images_dir", type=EXISTING_DIRECTORY, required=True, help="H&E images.")
@click.option(
    "--masks",
    "masks_dir",
    type=EXISTING_DIRECTORY,
    required=True,
    help="Label images of the same stems, 0 = background.",
)
@click.option("--out", "out_path", type=NEW_FILE, required=True, help="Weights to write (.pt).")
@click.option(
    "--synthetic",
    "n_synthetic",
    type=click.IntRange(min=0),
    default=500,
    show_default=True,
    help="Painted images to add.",
)
@click.option(
    "--canvas",
    "canvas_path",
    type=EXISTING_FILE,
    help="Slide or image of real tissue, without outlines, onto which outlined nuclei are laid.",
)
@click.option("--start", "start_path", type=str, help="Weights to go on from, by name or path. [default: random]")
@click.option("--steps", type=click.IntRange(min=1), help="Optimiser steps. [default: of NucleiTrainingParams]")
@click.option("--warmup-steps", type=click.IntRange(min=0), help="Steps over which the learning rate rises.")
@click.option("--validate-every", type=click.IntRange(min=1), help="Steps between looks at the held-out images.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Crops a step.")
@click.option("--crop-px", type=click.IntRange(min=32), help="Side of a crop, pixels; a multiple of 8.")
@click.option("--diameter-px", type=float, help="Median nucleus diameter that images are rescaled to, pixels.")
@click.option("--working-diameter-px", type=float, help="Nucleus diameter at which the weights are to be used, pixels.")
@click.option(
    "--base-channels", type=click.IntRange(min=2), help="Channels of the first level; 16 is half of Cellpose's."
)
@click.option("--learning-rate", type=float, help="Of AdamW.")
@click.option("--synthetic-fraction", type=click.FloatRange(0, 1), help="Share of painted crops.")
@click.option("--collage-fraction", type=click.FloatRange(0, 1), help="Share of crops from collages.")
@click.option("--collages", type=click.IntRange(min=0), help="Collages to make, given a canvas.")
@click.option("--bfloat16/--no-bfloat16", default=None, help="Convolutions in 16 bits.")
@click.option("--seed", type=click.IntRange(min=0), help="Of weights, held-out images and crops.")
@click.option("--device", type=DEVICE, default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="CPU threads of torch.")
@click.option("--data", help="What the images are, to store with the weights. [default: the folder's name]")
@click.option("--licence", default="BSD-3-Clause", show_default=True, help="Licence to store with the weights.")
def command(
    images_dir: Path,
    masks_dir: Path,
    out_path: Path,
    n_synthetic: int,
    canvas_path: Path | None,
    start_path: str | None,
    device: str,
    threads: int,
    data: str | None,
    licence: str,
    **numbers: float | None,
) -> None:
    """Train a compact nucleus segmentation network.

    A training that was cut off goes on from its last checkpoint beside the weights.
    """
    from pipeline.nuclei.learning.train_nuclei import train_nuclei
    from pipeline.nuclei.learning.training_params import NucleiTrainingParams
    from pipeline.nuclei.learning.training_pictures import TrainingPictures
    from pipeline.nuclei.network.weights import load_weights
    from pipeline.nuclei.network.weights_files import resolve_weights
    from pipeline.provenance import file_digest

    params = NucleiTrainingParams(**{key: value for key, value in numbers.items() if value is not None})  # type: ignore[arg-type]
    start = None if start_path is None else load_weights(resolve_weights(start_path))
    pictures = TrainingPictures(
        outlined_images(images_dir, masks_dir),
        synthetic=painted_images(n_synthetic, params.seed),
        canvas=None if canvas_path is None else tissue_canvas(canvas_path),
        licence=licence,
        provenance={
            "images": f"{data or images_dir.name} ({file_digest(images_dir)}, outlines {file_digest(masks_dir)})",
            "synthetic": f"{n_synthetic} pictures, {PAINTED_PX} px at {PAINTED_MPP} um/px, seeds ({params.seed}, i)",
            "canvas": "none" if canvas_path is None else f"{canvas_path.name} ({file_digest(canvas_path)})",
            "start": "random weights" if start is None else f"{start.name} ({start.digest})",
        },
    )
    result = train_nuclei(pictures, out_path, start=start, params=params, device=device, threads=threads)
    click.echo(f"{out_path}: best step {result.best_step}, AP@0.5 {result.average_precision:.3f} on held-out images")


def outlined_images(images_dir: Path, masks_dir: Path) -> list:  # type: ignore[type-arg]
    """Pairs of image uint8 (h, w, 3) and labels int32 (h, w), by file stem.

    Raises
    ------
    ArtefactError
        If there is no image, or an image has no mask.
    """
    import numpy as np
    from PIL import Image
    from skimage.io import imread

    masks = {file.stem: file for file in masks_dir.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES}
    images = sorted(file for file in images_dir.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    without = [file.name for file in images if file.stem not in masks]
    if not images or without:
        raise ArtefactError(
            f"{images_dir}: expected images that each have a mask of the same stem in {masks_dir}; "
            f"found {len(images)} images, {len(without)} of them without mask ({', '.join(without[:5])})."
        )
    return [
        (np.asarray(Image.open(file).convert("RGB")), np.asarray(imread(masks[file.stem])).astype(np.int32))
        for file in images
    ]


def tissue_canvas(path: Path) -> "npt.NDArray[np.uint8]":
    """Whole slide or image at ``PAINTED_MPP``, uint8 (h, w, 3)."""
    from pipeline.slides.reader import open_slide

    with open_slide(path, slide_id=path.stem) as slide:
        return slide.thumbnail(PAINTED_MPP)


def painted_images(n_images: int, seed: int) -> list:  # type: ignore[type-arg]
    """Painted tissue in the form of ``outlined_images``: by turns of one kind of cells, and of several compartments."""
    import numpy as np

    from pipeline.synthetic.painting.mixed_tissue import paint_mixed_tissue
    from pipeline.synthetic.painting.tissue import paint_tissue, random_spec

    painted = []
    for index in progress(range(n_images), description="painting", unit="images", total=n_images):
        rng = np.random.default_rng((seed, index))
        if index % 2:
            tissue = paint_mixed_tissue(width_px=PAINTED_PX, height_px=PAINTED_PX, mpp=PAINTED_MPP, rng=rng)
        else:
            tissue = paint_tissue(random_spec(rng), width_px=PAINTED_PX, height_px=PAINTED_PX, mpp=PAINTED_MPP, rng=rng)
        painted.append((tissue.rgb, tissue.labels))
    return painted
