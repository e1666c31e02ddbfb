"""What a user may set of the segmentation of nuclei."""

from dataclasses import dataclass
from typing import Literal

from pipeline.errors import ConfigError
from pipeline.tunables import Number, OrNull, Tunables, choice, number, random_seed, text, tunable, whole

StainMethod = Literal["none", "macenko", "reinhard"]
SegmenterName = Literal["cellpose", "cellpose_sam", "watershed"]
RuntimeName = Literal["auto", "torch", "openvino"]
Precision = Literal["float32", "float16"]

SHIPPED_WEIGHTS = "he-nuclei-compact"
"""Name of the weights that come with the package."""

PROCESSOR_BATCH = 2
"""``NucleiParams.batch_size`` on a processor, where it is null."""

CARD_CORES = 6
"""Cores beside a card: reading, finishing labels and measuring take about 0.1 s of a core a tile of 1,024 px."""


@dataclass(frozen=True)
class NucleiParams(Tunables, section="nuclei"):
    """How nuclei are found in tiles."""

    segmenter: SegmenterName = choice(
        "cellpose",
        SegmenterName,
        "cellpose: networks of cellpose 2 and 3 by our engine; cellpose_sam: cellpose 4, in an environment of its own; "
        "watershed: classical, no network",
    )
    runtime: RuntimeName = choice(
        "auto",
        RuntimeName,
        "of cellpose networks; auto: OpenVINO on a CPU, PyTorch on CUDA; torch; openvino (CPU only)",
    )
    precision: Precision = choice("float32", Precision, "of cellpose networks; float16 on CUDA only")
    weights: str = text(
        SHIPPED_WEIGHTS,
        "shipped network, or the path of CPnet weights of the cellpose 2/3 line, or their name inside "
        "$CELLPOSE_LOCAL_MODELS_PATH",
    )
    nucleus_diameter_um: float = number(
        8.0,
        2,
        50,
        "um; nuclei of this size are scaled to the diameter the network was trained on; change for other tissue or "
        "species",
    )
    flow_threshold: float = number(
        0.4,
        0,
        10,
        "mean square; nuclei whose flows disagree more are dropped, 0 keeps all (Stringer et al. 2021); "
        "raise when nuclei are missing",
    )
    cellprob_threshold: float = number(
        0.0, -6, 6, "logit above which a pixel is nucleus (Stringer et al. 2021); lower when faint nuclei are missing"
    )
    min_area_um2: float = number(8.0, 0, 1000, "um2; smaller objects are debris")
    halo_um: float = number(
        24.0, 0, 200, "um read around a tile, so that nuclei on its border are seen whole; at least a large nucleus"
    )
    block_px: int = whole(
        1024,
        64,
        8192,
        "neighbouring tiles are segmented together in squares up to this side without their halo, pixels at the "
        "working resolution; memory grows with its square, time with less",
    )
    batch_size: int | None = tunable(
        None,
        OrNull(Number(1, 256, is_whole=True)),
        "such squares in one forward pass; null: 2 on a processor, on a card as many as its free memory holds",
    )
    stain_normalisation: StainMethod = choice(
        "none",
        StainMethod,
        "none, macenko (2009) or reinhard (2001): give every slide the colours of a reference before anything else "
        "sees it",
    )
    stain_tiles: int = whole(
        24,
        1,
        10_000,
        "tiles of a slide from which its stain scale is estimated and its normalisation fitted, once for the whole "
        "slide",
    )
    stain_low_percentile: float = number(1.0, 0, 100, "percentile of haematoxylin that becomes 0")
    stain_high_percentile: float = number(99.0, 0, 100, "percentile of haematoxylin that becomes 1")
    seed: int = random_seed("of the choice of these tiles")
    threads: int | None = tunable(
        None,
        OrNull(Number(1, 256, is_whole=True)),
        "cores of a job; null: 1 on a processor, where they are torch's threads and part of the result's last bits "
        "(jobs run side by side instead), 6 beside a card, where they read tiles and measure nuclei",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stain_low_percentile >= self.stain_high_percentile:
            raise ConfigError(
                f"nuclei.stain_low_percentile: expected less than stain_high_percentile "
                f"({self.stain_high_percentile}), found {self.stain_low_percentile}."
            )


def cores_of_job(threads: int | None, *, card: bool) -> int:
    """Cores of a job of segmentation by ``NucleiParams.threads``, on a card or a processor."""
    return threads or (CARD_CORES if card else 1)
