"""What a user may set of the nucleus stage: segmentation and the training of its network."""

from dataclasses import dataclass
from typing import Literal, get_args

from pipeline.bounds import check_choice, check_number
from pipeline.errors import ConfigError

StainMethod = Literal["none", "macenko", "reinhard"]
Segmenter = Literal["cellpose", "cellpose_sam", "watershed"]
RuntimeName = Literal["auto", "torch", "openvino"]
Precision = Literal["float32", "float16"]

SHIPPED_WEIGHTS = "he-nuclei-compact"
"""Name of the weights that come with the package."""


@dataclass(frozen=True)
class NucleiParams:
    """How nuclei are found in tiles; section ``nuclei`` of the configuration.

    Attributes
    ----------
    segmenter
        ``cellpose`` runs a CPnet of cellpose 2 or 3, ``cellpose_sam`` Cellpose-SAM of cellpose 4,
        ``watershed`` the classical baseline without a network.
    runtime
        What runs ``cellpose`` networks: ``torch``, ``openvino`` (CPU only), or ``auto``: OpenVINO on
        a CPU, PyTorch on CUDA.
    precision
        Of ``cellpose`` networks: ``float16`` on CUDA only.
    weights
        ``he-nuclei-compact``, the path of a weights file, or the name of one inside
        ``$CELLPOSE_LOCAL_MODELS_PATH``.
    nucleus_diameter_um
        Diameter that is scaled to the one the weights ask for, um, 2 to 50.  With 8 um the
        shipped weights work at 0.5 um/px.
    flow_threshold
        A nucleus whose flows differ from the network's by more than this mean square is
        dropped; 0 keeps all (Stringer et al. 2021), 0 to 10.
    cellprob_threshold
        Logit above which a pixel belongs to a nucleus, -6 to 6 (Stringer et al. 2021).
    min_area_um2
        Nuclei smaller than this are dropped, um^2, 0 to 1000.
    halo_um
        Width of the rim read around each tile, so that nuclei on its border are seen whole,
        um, 0 to 200.
    block_px
        Neighbouring tiles are read and segmented together in squares up to this side without
        their halo, and ``segment_image`` cuts an image into such squares, pixels at the
        working resolution, 64 to 8192.
    batch_size
        Blocks of one size in one forward pass, 1 to 256.
    stain_normalisation
        ``none``, ``macenko`` or ``reinhard``: whether the colours of each slide are made those
        of a reference before anything else sees them, so that the network, mean grey and
        texture all work on normalised pixels; see ``stain_normalisation``.
    stain_tiles
        Tiles of a slide from which its stain scale is estimated and its normalisation fitted,
        1 to 10000.
    stain_low_percentile, stain_high_percentile
        Percentiles of haematoxylin over these tiles that become 0 and 1, 0 to 100.
    seed
        Of the choice of these tiles.
    threads
        Intra-op threads of torch on a CPU, 1 to 256; changes sums, hence recorded.
    """

    segmenter: Segmenter = "cellpose"
    runtime: RuntimeName = "auto"
    precision: Precision = "float32"
    weights: str = SHIPPED_WEIGHTS
    nucleus_diameter_um: float = 8.0
    flow_threshold: float = 0.4
    cellprob_threshold: float = 0.0
    min_area_um2: float = 8.0
    halo_um: float = 24.0
    block_px: int = 1024
    batch_size: int = 2
    stain_normalisation: StainMethod = "none"
    stain_tiles: int = 24
    stain_low_percentile: float = 1.0
    stain_high_percentile: float = 99.0
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        """Check every bound."""
        check_choice("nuclei.segmenter", self.segmenter, get_args(Segmenter))
        check_choice("nuclei.runtime", self.runtime, get_args(RuntimeName))
        check_choice("nuclei.precision", self.precision, get_args(Precision))
        if not self.weights:
            raise ConfigError("nuclei.weights: expected a name or path, found an empty text.")
        check_number("nuclei.nucleus_diameter_um", self.nucleus_diameter_um, 2, 50)
        check_number("nuclei.flow_threshold", self.flow_threshold, 0, 10)
        check_number("nuclei.cellprob_threshold", self.cellprob_threshold, -6, 6)
        check_number("nuclei.min_area_um2", self.min_area_um2, 0, 1000)
        check_number("nuclei.halo_um", self.halo_um, 0, 200)
        check_number("nuclei.block_px", self.block_px, 64, 8192, whole=True)
        check_number("nuclei.batch_size", self.batch_size, 1, 256, whole=True)
        check_choice("nuclei.stain_normalisation", self.stain_normalisation, get_args(StainMethod))
        check_number("nuclei.stain_tiles", self.stain_tiles, 1, 10000, whole=True)
        check_number("nuclei.stain_low_percentile", self.stain_low_percentile, 0, 100)
        check_number("nuclei.stain_high_percentile", self.stain_high_percentile, 0, 100)
        check_number("nuclei.seed", self.seed, 0, 2**32 - 1, whole=True)
        check_number("nuclei.threads", self.threads, 1, 256, whole=True)
        if self.stain_low_percentile >= self.stain_high_percentile:
            raise ConfigError(
                f"nuclei.stain_low_percentile: expected less than stain_high_percentile "
                f"({self.stain_high_percentile}), found {self.stain_low_percentile}."
            )


@dataclass(frozen=True)
class NucleiTrainingParams:
    """How the compact network is trained; options of ``abignet train-nuclei``.

    Attributes
    ----------
    steps, warmup_steps
        Optimiser steps in all, and those over which the learning rate rises linearly before
        it falls by a cosine to 0.
    batch_size, crop_px
        Crops in a step, and their side in pixels (a multiple of 8).
    diameter_px
        Every image is rescaled until its median nucleus has this diameter, pixels.
    working_diameter_px
        To this diameter the weights ask nuclei to be brought when they are used, pixels: a
        larger one than ``diameter_px`` costs time and finds more small and crowded nuclei.
    base_channels
        Channels of the first level; each of the three further levels doubles them.
    learning_rate, weight_decay
        Of AdamW (Loshchilov & Hutter 2019).
    synthetic_fraction, collage_fraction, blank_fraction
        Shares of crops from painted pictures, from collages of outlined nuclei on real
        tissue, and of empty glass; the rest are real.
    collages, collage_px
        Collages to make, and their side in pixels.
    held_out_fraction
        Share of the real images, of the painted ones and of the canvas kept for choosing the
        best step, never trained on.
    validate_every
        Steps between two looks at the held-out images; a checkpoint is written at each.
    bfloat16
        Whether convolutions run in 16 bits (weights stay in 32): faster on processors that can.
    seed
        Of the initial weights, the held-out images and every crop.
    """

    steps: int = 4800
    warmup_steps: int = 100
    batch_size: int = 8
    crop_px: int = 144
    diameter_px: float = 16.0
    working_diameter_px: float = 16.0
    base_channels: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    synthetic_fraction: float = 0.3
    collage_fraction: float = 0.35
    blank_fraction: float = 0.02
    collages: int = 300
    collage_px: int = 384
    held_out_fraction: float = 0.12
    validate_every: int = 200
    bfloat16: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every bound."""
        check_number("steps", self.steps, 1, 10**7, whole=True)
        check_number("warmup_steps", self.warmup_steps, 0, self.steps, whole=True)
        check_number("batch_size", self.batch_size, 1, 1024, whole=True)
        check_number("crop_px", self.crop_px, 32, 2048, whole=True)
        check_number("diameter_px", self.diameter_px, 6, 100)
        check_number("working_diameter_px", self.working_diameter_px, 6, 100)
        check_number("base_channels", self.base_channels, 2, 256, whole=True)
        check_number("learning_rate", self.learning_rate, 0, 1)
        check_number("weight_decay", self.weight_decay, 0, 1)
        check_number("synthetic_fraction", self.synthetic_fraction, 0, 1)
        check_number("collage_fraction", self.collage_fraction, 0, 1)
        check_number("blank_fraction", self.blank_fraction, 0, 1)
        check_number("collages", self.collages, 0, 10**6, whole=True)
        check_number("collage_px", self.collage_px, 64, 4096, whole=True)
        check_number("held_out_fraction", self.held_out_fraction, 0, 0.9)
        check_number("validate_every", self.validate_every, 1, 10**7, whole=True)
        check_number("seed", self.seed, 0, 2**32 - 1, whole=True)
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
