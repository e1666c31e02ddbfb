"""What the two levels cost, what batching saves, and what gradients through the classifier cost and bring.

Times are seconds of CPU of one thread, medians over repeats that take turns, so that a
busy machine changes them little; every ratio is of two numbers of the same run.
Images are planted cohorts (16 pairs and 8 distractors, 40 patches an image).

    python benchmarks/bilevel_speed.py iteration batching gradients --seeds 0 1 2
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean, median, stdev

import numpy as np
import torch
from device_clock import add_device, now
from planted_fits import PATCH_L0, SHARES, PlantedFit, learned

from pipeline.synthetic.planted import PlantedParams, plant_images
from pipeline.training.classifiers.image_classifier import build_model
from pipeline.training.cohort.determinism import deterministic_torch
from pipeline.training.fitting.steps import (
    Objective,
    TrainingImages,
    descend,
    hypergradient_loss,
    joined_steps,
    level_loss,
    make_optimisers,
    planned_steps,
)
from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.methods.presets import METHODS, MethodSpec
from pipeline.training.params import DEFAULT_FITTING, FittingParams

PAPER_FEATURES = 69
KINDS = ("first_order", "unrolled", "neumann")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=["iteration", "batching", "gradients"])
    parser.add_argument("--images", type=int, default=300, help="labelled images")
    parser.add_argument("--test-images", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    add_device(parser)
    options = parser.parse_args()
    device = torch.device(options.device)
    trainings = Whole(options.images, options.test_images, options.seeds, device)
    with deterministic_torch(0, threads=1, device=device):
        if "iteration" in options.parts:
            iteration(options.images, options.repeats, device)
        if "batching" in options.parts:
            batching(options.images, options.repeats, trainings)
        if "gradients" in options.parts:
            gradients(options.images, options.repeats, trainings)


@dataclass(frozen=True)
class Whole:
    """Whole trainings: labelled and test images, seeds, and where."""

    n_images: int
    n_test: int
    seeds: Sequence[int]
    device: torch.device

    def runs(self, spec: MethodSpec, fitting: FittingParams) -> list[PlantedFit]:
        """One training a seed."""
        cohort = replace(PlantedParams(), n_images=self.n_images + self.n_test)
        return [
            learned(spec, plant_images(cohort, seed), self.n_images, seed, fitting, self.device) for seed in self.seeds
        ]


def iteration(n_images: int, repeats: int, device: torch.device) -> None:
    """A pass of both levels against an epoch of the plain GCN, by image seen."""
    print("\niteration: CPU seconds of one pass over the same images; a plain GCN has a fixed cosine graph")
    ours, paper = planted(n_images), noise(n_images, PAPER_FEATURES)
    default, cosine = METHODS["default"], METHODS["cosine_graph"]
    pairs = {
        "default, a pass of each level": (ours, replace(default, alternation="pass"), cosine),
        "default, an upper step each lower step": (ours, default, cosine),
        "paper_a": (paper, METHODS["paper_a"], paper_plain("paper_a")),
        "paper_b": (paper, METHODS["paper_b"], paper_plain("paper_b")),
    }
    for name, (images, both, plain) in pairs.items():
        few = 1 if both.settings.batch_size > 1 else 4
        roles = in_roles(images[: len(images) // few], device)
        specs = {"plain": plain, "both": both}
        seconds = taking_turns({key: epoch_of(spec, roles) for key, spec in specs.items()}, repeats, device)
        seen = {key: images_seen(spec, roles) for key, spec in specs.items()}
        ratio = (seconds["both"] / seen["both"]) / (seconds["plain"] / seen["plain"])
        print(
            f"  {name}: plain {seconds['plain']:.3f} s for {seen['plain']} images, "
            f"two levels {seconds['both']:.3f} s for {seen['both']}; ratio by image {ratio:.2f} (aim 2.2)",
            flush=True,
        )


def batching(n_images: int, repeats: int, trainings: Whole) -> None:
    """The loop over padded batches against one graph at a time."""
    print(f"\nbatching: CPU seconds of one epoch over {n_images} images of 40 patches")
    sizes: Mapping[str, tuple[list[NodeImage], Sequence[int], float]] = {
        "default": (planted(n_images), (1, 16, 64), 10),
        "paper_a": (noise(n_images, PAPER_FEATURES), (1, 16, 64), 5),
    }
    for name, (images, batch_sizes, aim) in sizes.items():
        roles = in_roles(images, trainings.device)
        specs = {size: with_settings(METHODS[name], batch_size=size) for size in batch_sizes}
        seconds = taking_turns({size: epoch_of(spec, roles) for size, spec in specs.items()}, repeats, trainings.device)
        for size in batch_sizes:
            gain = seconds[1] / seconds[size]
            print(f"  {name}, batch of {size}: {seconds[size]:.3f} s, {gain:.1f} times (aim {aim})", flush=True)
    for size in (1, 16):
        spec = with_settings(METHODS["default"], batch_size=size)
        report(f"default, batch of {size}", trainings.runs(spec, DEFAULT_FITTING))


def gradients(n_images: int, repeats: int, trainings: Whole) -> None:
    """Gradients through the classifier's answer against the first-order gradient."""
    print(f"\ngradients: default, {n_images} images of 40 patches")
    roles, spec = in_roles(planted(n_images), trainings.device), METHODS["default"]
    fittings = {kind: FittingParams(upper_gradient=kind) for kind in KINDS}
    epochs = {kind: epoch_of(spec, roles, fitting) for kind, fitting in fittings.items()}
    seconds = taking_turns(epochs, repeats, trainings.device)
    for kind, fitting in fittings.items():
        print(
            f"  {kind}: {seconds[kind]:.3f} s an epoch, {seconds[kind] / seconds['first_order']:.2f} times", flush=True
        )
        report(kind, trainings.runs(spec, fitting))


def report(name: str, runs: Sequence[PlantedFit]) -> None:
    accuracy = [run.accuracy for run in runs]
    spread = f" +- {stdev(accuracy):.3f}" if len(runs) > 1 else ""
    each = ", ".join(f"{value:.3f}" for value in accuracy)
    print(
        f"  {name}: accuracy {mean(accuracy):.3f}{spread} over {len(runs)} seeds ({each}), "
        f"{mean(run.epochs for run in runs):.0f} epochs, {mean(run.seconds for run in runs):.0f} s a training",
        flush=True,
    )


def epoch_of(spec: MethodSpec, roles: TrainingImages, fitting: FittingParams = DEFAULT_FITTING) -> Callable[[], None]:
    """One epoch of steps, to be called; its model stays between calls."""
    torch.manual_seed(0)
    device = roles.train[0].device
    model = build_model(spec, roles.train[0].x.shape[1], 2).to(device)
    optimisers, order = make_optimisers(model, spec), torch.Generator()
    objective = Objective(spec, torch.ones(2, device=device), fitting)

    def epoch() -> None:
        for level, batch, answering in joined_steps(roles, planned_steps(model, roles, spec, order)):
            if level == "upper" and fitting.upper_gradient != "first_order":
                hypergradient_loss(model, batch, answering(), objective)
                optimisers[level].step()
            else:
                loss, _ = level_loss(model, batch, level, objective)
                descend(optimisers[level], loss, spec.settings.gradient_clip)

    return epoch


def images_seen(spec: MethodSpec, roles: TrainingImages) -> int:
    model = build_model(spec, roles.train[0].x.shape[1], 2).to(roles.train[0].device)
    return sum(len(group.places) for _, group, _ in planned_steps(model, roles, spec, torch.Generator()))


def taking_turns(tasks: Mapping[str, Callable[[], None]], repeats: int, device: torch.device) -> dict[str, float]:
    """Median seconds (``now``) of each task, after one call that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for turn in range(repeats + 1):
        for name, task in tasks.items():
            started = now(device)
            task()
            seconds[name] += [now(device) - started] if turn else []
    return {name: median(values) for name, values in seconds.items()}


def paper_plain(name: str) -> MethodSpec:
    return replace(METHODS[name], generator="cosine", levels="one")


def with_settings(spec: MethodSpec, **changes: int) -> MethodSpec:
    return replace(spec, settings=replace(spec.settings, **changes))


def in_roles(images: Sequence[NodeImage], device: torch.device) -> TrainingImages:
    images = [image.but(x=image.x.to(device), coords=image.coords.to(device)) for image in images]
    cuts = [round(share * len(images)) for share in np.cumsum([*SHARES.values()])]
    return TrainingImages(images[: cuts[0]], images[cuts[0] : cuts[1]], images[cuts[1] :])


def planted(n_images: int) -> list[NodeImage]:
    """Images of a planted cohort, scaled."""
    cohort = plant_images(replace(PlantedParams(), n_images=n_images), seed=0)
    pooled = np.concatenate([image.features for image in cohort])
    return [
        NodeImage(
            torch.from_numpy((image.features - pooled.mean(axis=0)) / pooled.std(axis=0)),
            torch.from_numpy(image.coords.astype(np.float32) / PATCH_L0),
            int(image.label),
        )
        for image in cohort
    ]


def noise(n_images: int, n_features: int) -> list[NodeImage]:
    drawn = torch.Generator().manual_seed(0)
    return [
        NodeImage(torch.randn(40, n_features, generator=drawn), torch.rand(40, 2, generator=drawn), i % 2)
        for i in range(n_images)
    ]


if __name__ == "__main__":
    main()
