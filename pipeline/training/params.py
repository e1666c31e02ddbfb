"""Parameters of splitting and of training, one to one with the config's sections."""

from dataclasses import dataclass, fields
from typing import Literal, get_args

from pipeline.bounds import check_choice, check_number
from pipeline.errors import ConfigError

UpperGradient = Literal["first_order", "unrolled", "neumann"]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class SplitParams:
    """How a cohort is divided, always by whole patients.

    Attributes
    ----------
    folds
        Number of cross-validation folds, 2 to 100; the sheet's ``fold`` column beats it.
    structure_share
        Share of the images outside the test fold that fit the graph generator (upper
        level of the bilevel problem), between 0 and 1.
    select_share
        Share of the images outside the test fold that decide when to stop, 0 to below 1;
        0 keeps the last iterate.
    """

    folds: int = 5
    structure_share: float = 0.25
    select_share: float = 0.15

    def __post_init__(self) -> None:
        check_number("splits.folds", self.folds, 2, 100, whole=True)
        check_number("splits.structure_share", self.structure_share, 0, 1, open_low=True, open_high=True)
        check_number("splits.select_share", self.select_share, 0, 0.9)
        if self.structure_share + self.select_share >= 1:
            raise ConfigError(
                "splits: structure_share + select_share must leave images for training (below 1), "
                f"found {self.structure_share} + {self.select_share}."
            )


@dataclass(frozen=True)
class FittingParams:
    """How every method is fitted; see ``TrainingParams`` for the meaning."""

    upper_gradient: UpperGradient = "first_order"
    inner_step: float = 0.1
    neumann_terms: int = 5
    precision: Precision = "float32"
    temperature_scaling: bool = False
    embeddings: tuple[str, ...] = ()


DEFAULT_FITTING = FittingParams()


@dataclass(frozen=True)
class TrainingParams:
    """How models are trained; None means the value of the method's preset (``presets.py``).

    Attributes
    ----------
    epochs
        Most passes over the training images, 1 to 100,000 (paper: 200).
    patience
        Epochs without a better loss on the ``select`` images before stopping; 0 never
        stops and keeps the last iterate (paper: 0).
    batch_size
        Images an optimiser step, 1 to 4096 (paper: 1).
    learning_rate
        Step size of the classifier, above 0 to 1 (paper: 1e-4).
    generator_learning_rate
        Step size of the graph generator, above 0 to 1 (paper: 1e-3).
    weight_decay
        Decoupled weight decay of both (AdamW), 0 to 1 (paper: 0).
    dropout
        Share of hidden units dropped, 0 to 0.95.
    hidden
        Width of the classifier's layers, 1 to 4096; the paper's widths are fixed.
    layers
        Graph layers of the classifier, 1 to 16; the paper's number is fixed.
    heads
        Heads of the ``metric`` generator, 1 to 64.
    projection
        Dimensions a head of the ``metric`` generator projects to, 1 to 1024.
    temperature
        Start of the factor on the cosine in the ``metric`` generator, above 0 to 1000;
        larger is sharper. It is learned.
    target_degree
        Neighbours a patch keeps (per head), 0 to 10,000; 0 keeps all.
    spatial_term
        Whether the ``metric`` generator also sees the distance of two patches.
    dense_limit
        Most patches of an image whose pairs are all scored, 1 to 100,000 (paper: no limit; here 4096).
        Of larger ones ``metric`` scores candidate edges only, fixed graphs search their
        neighbours, and ``pair_mlp`` takes none.
    similar_candidates
        Candidates of a patch in such an image, by similarity in each head, 1 to 1024.
    spatial_candidates
        Further ones, its nearest in space, 0 to 1024; 8 are those around a tile.
    pretraining_steps
        Steps in which the ``metric`` generator first learns, without labels, which
        patches belong to one image, 0 to 1,000,000; 0 leaves that out.
    pretraining_rate
        Step size of that, above 0 to 1.
    gradient_clip
        Largest norm of the generator's gradient, 0 to 1e6; 0 does not clip (paper: 1).
    outlier_clip_sd
        Standardised features beyond this many SD are set to it, 0 to 1e6; 0 does not
        clip (paper: 0).
    class_weights
        Whether the loss weighs classes by their inverse frequency in training.
    nan_indicator
        Whether each feature with undefined values gets a 0/1 column beside it.
    stochastic_evaluation
        Whether ``pair_mlp`` keeps its noise at evaluation, as published.
    threads
        Intra-op threads of torch, 1 to 256; changes sums, hence recorded.
    upper_gradient
        How the generator's gradient takes the classifier's answer into account:
        ``first_order`` not at all, ``unrolled`` by one step of it, ``neumann`` by the
        implicit function theorem (``hypergradients.py``).  Bilevel methods only.
    inner_step
        Length of that step, or of the steps of the Neumann series, above 0 to 100.
    neumann_terms
        Products with the Hessian in the Neumann series, 0 to 1000.
    precision
        ``bfloat16`` computes forward passes of training in mixed precision, on CUDA only
        and with first-order gradients only.
    temperature_scaling
        Whether logits are divided by one number fitted on the ``select`` images
        (Guo et al. 2017), which changes probabilities and no predicted class.
    embeddings
        Names of imported embeddings in the feature caches whose columns stand beside the
        node features.
    """

    epochs: int | None = None
    patience: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    generator_learning_rate: float | None = None
    weight_decay: float | None = None
    dropout: float | None = None
    hidden: int | None = None
    layers: int | None = None
    heads: int | None = None
    projection: int | None = None
    temperature: float | None = None
    target_degree: int | None = None
    spatial_term: bool | None = None
    dense_limit: int | None = None
    similar_candidates: int | None = None
    spatial_candidates: int | None = None
    pretraining_steps: int | None = None
    pretraining_rate: float | None = None
    gradient_clip: float | None = None
    outlier_clip_sd: float | None = None
    class_weights: bool | None = None
    nan_indicator: bool = False
    stochastic_evaluation: bool = False
    threads: int = 1
    upper_gradient: UpperGradient = "first_order"
    inner_step: float = 0.1
    neumann_terms: int = 5
    precision: Precision = "float32"
    temperature_scaling: bool = False
    embeddings: tuple[str, ...] = ()

    @property
    def fitting(self) -> FittingParams:
        """The part that is the same for every method."""
        return FittingParams(**{field.name: getattr(self, field.name) for field in fields(FittingParams)})

    def __post_init__(self) -> None:
        check_choice("training.upper_gradient", self.upper_gradient, get_args(UpperGradient))
        check_choice("training.precision", self.precision, get_args(Precision))
        object.__setattr__(self, "embeddings", _names(self.embeddings))
        if self.precision == "bfloat16" and self.upper_gradient != "first_order":
            raise ConfigError(
                "training.precision: bfloat16 is too coarse for gradients through the classifier; "
                f"set upper_gradient to first_order or precision to float32, found {self.upper_gradient}."
            )
        for key, (low, high, open_ends) in TRAINING_BOUNDS.items():
            value = getattr(self, key)
            if value is not None:
                ends = {"open_low": open_ends, "open_high": open_ends}
                check_number(f"training.{key}", value, low, high, whole=key in WHOLE, **ends)


def _names(found: object) -> tuple[str, ...]:
    names = tuple(found) if isinstance(found, list | tuple) else ("",)
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) != len(names):
        raise ConfigError(f"training.embeddings: expected a list of names without repeats, found {found!r}.")
    return names


TRAINING_BOUNDS: dict[str, tuple[float, float, bool]] = {
    "epochs": (1, 100_000, False),
    "patience": (0, 100_000, False),
    "batch_size": (1, 4096, False),
    "learning_rate": (0, 1, True),
    "generator_learning_rate": (0, 1, True),
    "weight_decay": (0, 1, False),
    "dropout": (0, 0.95, False),
    "hidden": (1, 4096, False),
    "layers": (1, 16, False),
    "heads": (1, 64, False),
    "projection": (1, 1024, False),
    "temperature": (0, 1000, True),
    "target_degree": (0, 10_000, False),
    "dense_limit": (1, 100_000, False),
    "similar_candidates": (1, 1024, False),
    "spatial_candidates": (0, 1024, False),
    "pretraining_steps": (0, 1_000_000, False),
    "pretraining_rate": (0, 1, True),
    "gradient_clip": (0, 1e6, False),
    "outlier_clip_sd": (0, 1e6, False),
    "threads": (1, 256, False),
    "inner_step": (0, 100, True),
    "neumann_terms": (0, 1000, False),
}
"""Lowest and highest value of each number, and whether the ends themselves are refused."""

WHOLE = frozenset(
    {
        "epochs",
        "patience",
        "batch_size",
        "hidden",
        "layers",
        "heads",
        "projection",
        "target_degree",
        "threads",
        "neumann_terms",
        "dense_limit",
        "similar_candidates",
        "spatial_candidates",
        "pretraining_steps",
    }
)
"""Those that are whole."""
