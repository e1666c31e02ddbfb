"""``abignet train-nuclei``: the only place where the nucleus room meets painted tissue."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.options import DEVICE, EXISTING_DIRECTORY, EXISTING_FILE, NEW_FILE
from pipeline.commands.outlined_folders import image_patients, outlined_folders, outlined_images, warn_of_unnamed
from pipeline.logs import progress
from pipeline.worker_processes import worker_processes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pipeline.nuclei.learning.training_params import NucleiTrainingParams

PAINTED_PX = 384
PAINTED_MPP = 0.5

WARMUP_SHARE = 0.1
"""Of the steps over which the learning rate rises, where few steps are asked for and these are not."""


@click.command("train-nuclei")
@click.option(
    "--images",
    "images_dirs",
    type=EXISTING_DIRECTORY,
    multiple=True,
    required=True,
    help="H&E images; may be repeated.",
)
@click.option(
    "--masks",
    "masks_dirs",
    type=EXISTING_DIRECTORY,
    multiple=True,
    required=True,
    help="Label images of the same stems, 0 = background; one for each --images, in their order.",
)
@click.option(
    "--data",
    "names",
    multiple=True,
    help="What the images of each folder are, to store with the weights. [default: the folder's name]",
)
@click.option(
    "--images-licence", "licences", multiple=True, help="Licence of each folder, stored too. [default: unknown]"
)
@click.option(
    "--attribution", "attributions", multiple=True, help="Who must be named for each folder (CC BY), stored too."
)
@click.option(
    "--share",
    "shares",
    type=click.FloatRange(min=0, min_open=True),
    multiple=True,
    help="Share of each folder in the crops of real images, up to a common factor. [default: by size and colour]",
)
@click.option(
    "--patient",
    "patients",
    multiple=True,
    help="What names the patient at the start of the images' names, a regular expression for each folder, '' where "
    "nothing does. Images of a patient are held out together. [default: each image is a patient]",
)
@click.option("--out", "out_path", type=NEW_FILE, required=True, help="Weights to write (.pt).")
@click.option(
    "--synthetic",
    "n_synthetic",
    type=click.IntRange(min=0),
    default=240,
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
@click.option(
    "--max-minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Time after which the training ends before its steps; the learning rate then falls by the clock.",
)
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
@click.option("--weight-decay", type=click.FloatRange(0, 1), help="Of AdamW.")
@click.option("--average-decay", type=float, help="Of the running mean of the weights, a step; 0: the last weights.")
@click.option("--synthetic-fraction", type=click.FloatRange(0, 1), help="Share of painted crops.")
@click.option("--collage-fraction", type=click.FloatRange(0, 1), help="Share of crops from collages.")
@click.option("--collages", type=click.IntRange(min=0), help="Collages to make, given a canvas.")
@click.option("--held-out-fraction", type=click.FloatRange(0, 0.9), help="Share of images that choose the weights.")
@click.option("--bfloat16/--no-bfloat16", default=None, help="Convolutions in 16 bits. [default: on a card]")
@click.option("--seed", type=click.IntRange(min=0), help="Of weights, held-out images and crops.")
@click.option("--device", type=DEVICE, default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads of torch. [default: the cores; 1 on a card]")
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    help="Processes that make crops; the crops are the same. [default: 1; every core but one on a card]",
)
@click.option("--licence", default="BSD-3-Clause", show_default=True, help="Licence to store with the weights.")
def command(
    images_dirs: tuple[Path, ...],
    masks_dirs: tuple[Path, ...],
    names: tuple[str, ...],
    licences: tuple[str, ...],
    attributions: tuple[str, ...],
    shares: tuple[float, ...],
    patients: tuple[str, ...],
    out_path: Path,
    n_synthetic: int,
    canvas_path: Path | None,
    start_path: str | None,
    device: str,
    threads: int | None,
    workers: int | None,
    licence: str,
    **numbers: float | None,
) -> None:
    """Train a compact nucleus segmentation network.

    A training that was cut off goes on from its last checkpoint beside the weights.  The
    defaults are those of the shipped weights: four minutes on an H100 with eleven
    processes, some four hours on two cores.
    """
    from pipeline.nuclei.learning.train_nuclei import train_nuclei
    from pipeline.nuclei.learning.training_machine import whole_machine
    from pipeline.nuclei.learning.training_pictures import ImageSource, TrainingPictures
    from pipeline.nuclei.network.weights import load_weights
    from pipeline.nuclei.network.weights_files import resolve_weights
    from pipeline.provenance import file_digest

    machine = whole_machine(device, threads=threads, workers=workers)
    params = _params(numbers, on_card=machine.device == "cuda")
    folders = outlined_folders(
        images_dirs,
        masks_dirs,
        names=names,
        licences=licences,
        attributions=attributions,
        shares=shares,
        patients=patients,
    )
    warn_of_unnamed(folders)
    outlined = [outlined_images(folder.images, folder.masks) for folder in folders]
    start = None if start_path is None else load_weights(resolve_weights(start_path))
    pictures = TrainingPictures(
        [pair for pairs in outlined for pair in pairs],
        synthetic=painted_images(n_synthetic, params.seed, max(machine.threads, machine.workers)),
        canvas=None if canvas_path is None else tissue_canvas(canvas_path),
        licence=licence,
        sources=[
            ImageSource(folder.name, len(pairs), folder.licence, folder.attribution, folder.share)
            for folder, pairs in zip(folders, outlined, strict=True)
        ],
        patients=image_patients(folders) if any(patients) else (),
        provenance={
            "images": "; ".join(
                f"{folder.name} ({file_digest(folder.images)}, outlines {file_digest(folder.masks)})"
                for folder in folders
            ),
            "synthetic": f"{n_synthetic} pictures, {PAINTED_PX} px at {PAINTED_MPP} um/px, seeds ({params.seed}, i)",
            "canvas": "none" if canvas_path is None else f"{canvas_path.name} ({file_digest(canvas_path)})",
            "start": "random weights" if start is None else f"{start.name} ({start.digest})",
        },
    )
    result = train_nuclei(pictures, out_path, start=start, params=params, machine=machine)
    click.echo(f"{out_path}: best step {result.best_step}, AP@0.5 {result.average_precision:.3f} on held-out images")


def _params(numbers: dict[str, float | None], *, on_card: bool) -> "NucleiTrainingParams":
    from pipeline.nuclei.learning.training_params import NucleiTrainingParams

    given = {key: value for key, value in numbers.items() if value is not None}
    given.setdefault("bfloat16", on_card)
    steps = given.get("steps", NucleiTrainingParams.steps)
    given.setdefault("warmup_steps", min(NucleiTrainingParams.warmup_steps, int(WARMUP_SHARE * steps)))
    return NucleiTrainingParams(**given)  # type: ignore[arg-type]


def tissue_canvas(path: Path) -> "npt.NDArray[np.uint8]":
    """Whole slide or image at ``PAINTED_MPP``, uint8 (h, w, 3)."""
    from pipeline.slides.reader import open_slide

    with open_slide(path, slide_id=path.stem) as slide:
        return slide.thumbnail(PAINTED_MPP)


def painted_images(
    n_images: int, seed: int, processes: int = 1
) -> "list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]]":
    """Painted tissue in the form of ``outlined_images``, the same whatever the number of processes."""
    paint = partial(_painted_image, seed)
    if min(processes, n_images) <= 1:
        return list(progress(map(paint, range(n_images)), description="painting", unit="images", total=n_images))
    with worker_processes(min(processes, n_images)) as painters:
        painted = painters.map(paint, range(n_images))
        return list(progress(painted, description="painting", unit="images", total=n_images))


def _painted_image(seed: int, index: int) -> "tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]":
    """By turns of one kind of cells, and of several compartments."""
    import numpy as np

    from pipeline.synthetic.painting.mixed_tissue import paint_mixed_tissue
    from pipeline.synthetic.painting.tissue import paint_tissue, random_spec

    rng = np.random.default_rng((seed, index))
    if index % 2:
        tissue = paint_mixed_tissue(width_px=PAINTED_PX, height_px=PAINTED_PX, mpp=PAINTED_MPP, rng=rng)
    else:
        tissue = paint_tissue(random_spec(rng), width_px=PAINTED_PX, height_px=PAINTED_PX, mpp=PAINTED_MPP, rng=rng)
    return tissue.rgb, tissue.labels
