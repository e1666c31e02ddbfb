"""Whether a method that sees candidate edges only learns what one that sees all pairs does.

Prints a row per number of candidates (0 similar: all pairs): accuracy on test images, area
under the ROC curve of the weights against the planted pairs (0 beyond the candidates; mean
over 200 test images), epochs and CPU seconds, on a planted cohort.  ``dense_limit`` is set
one below the number of patches of an image, so that all are in sparse mode.

    python benchmarks/sparse_learning.py --similar 0 8 16 --images 1000 --seeds 0
"""

import argparse
from dataclasses import replace

import torch
from device_clock import add_device
from planted_fits import learned

from pipeline.synthetic.planted import PlantedParams, plant_images
from pipeline.training.methods.presets import METHODS, MethodSpec


def main() -> None:
    default = METHODS["default"].settings
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--similar", nargs="+", type=int, default=[0, 8, 16])
    parser.add_argument("--spatial", type=int, default=0)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--test-images", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=16, help="pairs of patches an image; half as many distractors")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=default.epochs)
    parser.add_argument("--pretraining-steps", type=int, default=default.pretraining_steps)
    add_device(parser)
    options = parser.parse_args()
    print("patches,similar,spatial,images,seed,accuracy,edge_auroc,epochs,seconds")
    for seed in options.seeds:
        n_images = options.images + options.test_images
        cohort = PlantedParams(n_images=n_images, n_pairs=options.pairs, n_distractors=options.pairs // 2)
        planted = plant_images(cohort, seed)
        for similar in options.similar:
            fit = learned(
                spec(similar, cohort.n_patches, options),
                planted,
                options.images,
                seed,
                device=torch.device(options.device),
            )
            print(
                f"{cohort.n_patches},{similar},{options.spatial},{options.images},{seed},{fit.accuracy:.4f},"
                f"{fit.edges:.4f},{fit.epochs},{fit.seconds:.0f}",
                flush=True,
            )


def spec(similar: int, n_patches: int, options: argparse.Namespace) -> MethodSpec:
    default = METHODS["default"]
    settings = replace(default.settings, epochs=options.epochs, pretraining_steps=options.pretraining_steps)
    if similar:
        sparse = {"similar_candidates": similar, "spatial_candidates": options.spatial}
        settings = replace(settings, dense_limit=n_patches - 1, **sparse)
    return replace(default, settings=settings)


if __name__ == "__main__":
    main()
