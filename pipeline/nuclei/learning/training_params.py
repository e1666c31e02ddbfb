"""What a user may set of the training of the network; apart from what the rule reads, which it cannot change."""

from dataclasses import dataclass

from pipeline.errors import ConfigError
from pipeline.tunables import Tunables, flag, number, random_seed, whole


@dataclass(frozen=True)
class NucleiTrainingParams(Tunables):
    """How the compact network is trained; options of ``abignet train-nuclei``."""

    steps: int = whole(4800, 1, 10**7, "optimiser steps")
    max_minutes: float = number(
        0.0,
        0,
        10**6,
        "minutes, looks at the held-out images included, after which the training ends before its steps and by which "
        "the learning rate falls; 0 has no such limit, and only then are the same weights had again",
    )
    warmup_steps: int = whole(
        200, 0, 10**7, "steps over which the learning rate rises linearly before it falls by a cosine to 0, up to steps"
    )
    batch_size: int = whole(32, 1, 1024, "crops in a step")
    crop_px: int = whole(144, 32, 2048, "side of a crop, pixels, a multiple of 8")
    diameter_px: float = number(
        16.0, 6, 100, "every image is rescaled until its median nucleus has this diameter, pixels"
    )
    working_diameter_px: float = number(
        16.0,
        6,
        100,
        "to this diameter the weights ask nuclei to be brought when they are used, pixels; a larger one than "
        "diameter_px costs time and finds more small and crowded nuclei",
    )
    base_channels: int = whole(16, 2, 256, "channels of the first level; each of the three further levels doubles them")
    learning_rate: float = number(2e-3, 0, 1, "of AdamW (Loshchilov & Hutter 2019)")
    weight_decay: float = number(1e-3, 0, 1, "of AdamW")
    average_decay: float = number(
        0.998,
        0,
        1,
        "a step, of the exponential mean of the weights, which is what is looked at and kept; 0 keeps the last weights",
        open_ends="high",
    )
    synthetic_fraction: float = number(0.25, 0, 1, "share of crops from painted pictures")
    collage_fraction: float = number(0.15, 0, 1, "share of crops from collages of outlined nuclei on real tissue")
    blank_fraction: float = number(0.02, 0, 1, "share of crops of empty glass; the rest are real")
    collages: int = whole(48, 0, 10**6, "collages to make")
    collage_px: int = whole(384, 64, 4096, "their side, pixels")
    held_out_fraction: float = number(
        0.08,
        0,
        0.9,
        "share of the real images, of the painted ones and of the canvas kept for choosing the best step, never "
        "trained on",
    )
    validate_every: int = whole(
        200, 1, 10**7, "steps between two looks at the held-out images; a checkpoint is written at each"
    )
    bfloat16: bool = flag(
        False, "whether convolutions run in 16 bits (weights stay in 32): faster on processors that can"
    )
    seed: int = random_seed("of the initial weights, the held-out images and every crop")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warmup_steps > self.steps:
            raise ConfigError(f"warmup_steps: expected at most steps ({self.steps}), found {self.warmup_steps}.")
        if self.crop_px % 8:
            raise ConfigError(f"crop_px: expected a multiple of 8, found {self.crop_px}.")
        shares = self.synthetic_fraction + self.collage_fraction + self.blank_fraction
        if shares > 1:
            raise ConfigError(
                f"synthetic_fraction, collage_fraction, blank_fraction: expected a sum up to 1, found {shares:g}."
            )

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the network's input and of its four levels."""
        return (2, *(self.base_channels * factor for factor in (1, 2, 4, 8)))
