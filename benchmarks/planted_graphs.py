"""Whether a method finds the class where only pairs of patches carry it, and finds the pairs.

Prints a row per variant of the cohort, method, number of labelled images and seed: accuracy
on test images; area under the ROC curve of the graph's weights against the planted pairs
after pre-training (empty where nothing was pre-trained) and at the end (mean over 200 test
images; empty for methods without a graph); epochs and seconds of CPU.  Labelled images are
parted 60 / 25 / 15 into the roles train, structure and select.  ``--set`` replaces numbers
of the methods, ``--offset`` adds to all patches of an image one shift of that SD in three
directions, as a stain would.  ``--control`` and ``--shuffle`` make cohorts in which nobody may
beat chance.  Cohorts with folds in the sheet are learned from the training fold and tested on
the other.

    python benchmarks/planted_graphs.py --variants standard --methods default joint --images 250 500 --seeds 0 1 2 3 4
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import yaml
from device_clock import add_device
from planted_fits import PlantedFit, learned

from pipeline.synthetic.planted import VARIANTS, plant_images
from pipeline.synthetic.planting.planted_image import PlantedImage
from pipeline.synthetic.planting.shifts import TEST_FOLD, TRAINING_FOLD
from pipeline.training.methods.presets import METHODS, method_spec
from pipeline.training.params import TrainingParams

OFFSET_DIRECTIONS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", nargs="+", default=["standard"], choices=list(VARIANTS))
    parser.add_argument("--methods", nargs="+", default=["default", "mean_pool"], choices=sorted(METHODS))
    parser.add_argument("--images", nargs="+", type=int, default=[500])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--test-images", type=int, default=1000)
    parser.add_argument("--offset", type=float, default=0.0)
    parser.add_argument("--control", action="store_true", help="edges without class")
    parser.add_argument("--shuffle", action="store_true", help="labels in random order")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="numbers of the config's training:")
    add_device(parser)
    options = parser.parse_args()
    params = TrainingParams(**{key: yaml.safe_load(value) for key, value in (item.split("=") for item in options.set)})
    print("variant,method,images,seed,accuracy,edge_auroc_pretrained,edge_auroc,epochs,seconds")
    for variant in options.variants:
        for n_images in options.images:
            for seed in options.seeds:
                cohort = labelled_first(variant, n_images, options.test_images, seed, control=options.control)
                planted = shifted(shuffled(cohort, seed) if options.shuffle else cohort, options.offset, seed)
                for method in options.methods:
                    fit = learned(
                        method_spec(method, params),
                        planted,
                        n_images,
                        seed,
                        params.fitting,
                        torch.device(options.device),
                    )
                    print(f"{variant},{method},{n_images},{seed},{numbers(fit)}", flush=True)


def labelled_first(variant: str, n_images: int, n_test: int, seed: int, *, control: bool) -> list[PlantedImage]:
    """Labelled images, then those for test; where the sheet has folds, of the training and of the test fold."""
    params = replace(VARIANTS[variant], planted=VARIANTS[variant].planted and not control)
    if params.shifts is None:
        return plant_images(replace(params, n_images=n_images + n_test), seed)
    # Folds change every two patients: twice as many images, and a turn more, hold enough of either.
    planted = plant_images(replace(params, n_images=2 * max(n_images, n_test) + 4 * params.images_per_case), seed)
    training = [image for image in planted if image.fold == TRAINING_FOLD][:n_images]
    return training + [image for image in planted if image.fold == TEST_FOLD][:n_test]


def shuffled(planted: Sequence[PlantedImage], seed: int) -> list[PlantedImage]:
    """Images with labels in random order: the control that holds edges and no class."""
    order = np.random.default_rng(seed).permutation(len(planted))
    return [replace(image, label=planted[other].label) for image, other in zip(planted, order, strict=True)]


def numbers(fit: PlantedFit) -> str:
    areas = ("" if area is None else f"{area:.4f}" for area in (fit.edges_pretrained, fit.edges))
    return f"{fit.accuracy:.4f},{','.join(areas)},{fit.epochs},{fit.seconds:.0f}"


def shifted(planted: Sequence[PlantedImage], offset: float, seed: int) -> list[PlantedImage]:
    """Images with a shift of their own, the same for all their patches, in the first directions."""
    rng = np.random.default_rng(seed)
    shifts = np.zeros((len(planted), planted[0].features.shape[1]), np.float32)
    shifts[:, :OFFSET_DIRECTIONS] = offset * rng.normal(size=(len(planted), OFFSET_DIRECTIONS))
    return [replace(image, features=image.features + shift) for image, shift in zip(planted, shifts, strict=True)]


if __name__ == "__main__":
    main()
