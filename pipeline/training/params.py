"""Parameters of splitting and of training, one to one with the config's sections.

A number of training is declared once, in ``Settings`` where methods may differ in it and in
``FittingParams`` where they may not.  ``TrainingParams``, what a user sets, follows from both.
"""

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, make_dataclass
from typing import Any, Literal, Self

from pipeline.errors import ConfigError
from pipeline.tunables import (
    DESCRIPTION,
    RULE,
    SOME_TEXT,
    Number,
    OrNull,
    Tunables,
    choice,
    flag,
    listing,
    number,
    rule_of,
    tunables_of,
    whole,
)

UpperGradient = Literal["first_order", "unrolled", "neumann"]
Precision = Literal["float32", "bfloat16"]
MessagePassing = Literal["own", "pyg"]

SAME_FOR_ALL = frozenset({"patches_per_epoch", "nan_indicator", "stochastic_evaluation", "threads", "message_passing"})
"""Settings of which no method has a value of its own."""


@dataclass(frozen=True)
class SplitParams(Tunables, section="splits"):
    """How a cohort is divided, always by whole patients."""

    folds: int = whole(5, 2, 100, "cross-validation folds by patient; the sheet's column `fold` beats it")
    structure_share: float = number(
        0.25,
        0,
        1,
        "share of the images outside the test fold that fit the graph generator (upper level)",
        open_ends="both",
    )
    select_share: float = number(
        0.15,
        0,
        0.9,
        "share of the images outside the test fold that decide when to stop; 0 keeps the last iterate (paper)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.structure_share + self.select_share >= 1:
            raise ConfigError(
                "splits: structure_share + select_share must leave images for training (below 1), "
                f"found {self.structure_share} + {self.select_share}."
            )


@dataclass(frozen=True)
class Settings(Tunables, section="training"):
    """Every number of one training in which methods may differ; the defaults are those of our methods.

    The strong weight decay keeps the graph of the ``metric`` generator near the pre-trained
    one.  Without pre-training it pulls its factor towards 1, which keeps the graph soft
    while the classifier is still wrong: on a planted cohort of 350 images (one seed) edges
    were then found with an area under the ROC curve of 0.998, and of 0.902 with a decay of 0.1.
    """

    epochs: int = whole(200, 1, 100_000, "most passes over the training images")
    patience: int = whole(
        40,
        0,
        100_000,
        "epochs, and at least 400 steps, without a better `select` loss before stopping; 0 never stops and keeps the "
        "last iterate",
    )
    batch_size: int = whole(16, 1, 4096, "images an optimiser step")
    learning_rate: float = number(1e-3, 0, 1, "of the classifier", open_ends="low")
    generator_learning_rate: float = number(3e-3, 0, 1, "of the graph generator", open_ends="low")
    weight_decay: float = number(
        0.3, 0, 1, "of both (AdamW), also pulls the sharpness of the `metric` generator towards 1"
    )
    dropout: float = number(0.1, 0, 0.95, "share of hidden units dropped")
    hidden: int = whole(32, 1, 4096, "width of our layers; the paper's are fixed")
    layers: int = whole(2, 1, 16, "graph layers; the paper's are fixed")
    heads: int = whole(4, 1, 64, "heads of the `metric` generator")
    projection: int = whole(16, 1, 1024, "dimensions a head projects to")
    temperature: float = number(
        8.0,
        0,
        1000,
        "factor on the cosine the `metric` generator starts from; larger is sharper; it is learned",
        open_ends="low",
    )
    target_degree: int = whole(8, 0, 10_000, "neighbours a patch keeps per head; 0 keeps all")
    spatial_term: bool = flag(False, "whether the `metric` generator also sees distances in space")
    dense_limit: int = whole(
        0,
        0,
        100_000,
        "most patches of an image whose pairs are all scored; in larger ones `metric` scores candidate edges only, "
        "fixed graphs search their neighbours, and the paper's generator takes none; 0: as long as pairs cost less "
        "than candidates (402 with 24 of these), 2048 where target_degree is 0 or larger images are not taken",
    )
    similar_candidates: int = whole(
        16, 1, 1024, "candidates of a patch in such an image: nearest by learned similarity, per head"
    )
    spatial_candidates: int = whole(8, 0, 1024, "and nearest in space; 8 are those around a tile")
    patches_per_epoch: int = whole(
        0,
        0,
        1_000_000,
        "patches of a larger image that are drawn anew in each epoch and trained on; 0 takes all; `select` and test "
        "images are always whole",
    )
    pretraining_steps: int = whole(
        300,
        0,
        1_000_000,
        "steps in which the `metric` generator first learns, without labels, which patches share an image; 0 leaves "
        "that out",
    )
    pretraining_rate: float = number(0.01, 0, 1, "step size of that", open_ends="low")
    gradient_clip: float = number(1.0, 0, 1e6, "largest norm of the generator's gradient; 0 does not clip")
    outlier_clip_sd: float = number(8.0, 0, 1e6, "standardised features are clipped at this many SD; 0 does not clip")
    cross_fit: int = whole(
        5, 2, 20, "graph models of `default`, each fitted without one part of the patients, by which it is judged"
    )
    class_weights: bool = flag(True, "weigh classes by inverse frequency in training")
    nan_indicator: bool = flag(False, "add a 0/1 column beside each feature that can be undefined")
    stochastic_evaluation: bool = flag(False, "keep the noise of the paper's generator at evaluation, as published")
    threads: int = whole(1, 1, 256, "CPU threads of torch in a job; part of the result's last bits")
    message_passing: MessagePassing = choice(
        "own",
        MessagePassing,
        "sums along edges of fixed graphs and of candidates by our kernels (own) or PyTorch Geometric (pyg): the same "
        "up to last bits; benchmarks/sparse_scaling.py compares them on a device",
    )


@dataclass(frozen=True)
class FittingParams(Tunables, section="training"):
    """How every method is fitted."""

    upper_gradient: UpperGradient = choice(
        "first_order",
        UpperGradient,
        "of the generator: first_order (classifier held), unrolled (one step of it, DARTS) or neumann (implicit); "
        "bilevel methods only",
    )
    inner_step: float = number(
        0.1, 0, 100, "length of the unrolled step, or of those of the Neumann series", open_ends="low"
    )
    neumann_terms: int = whole(5, 0, 1000, "products with the Hessian in the Neumann series")
    precision: Precision = choice(
        "float32", Precision, "or bfloat16: mixed precision in training, on CUDA and with first_order only"
    )
    tf32: bool = flag(
        False,
        "whether a card rounds what it multiplies in float32 to TF32 (10 bits of fraction), trained or applied: "
        "faster with many patches; a model's probabilities on card and processor agree to 1e-4 without, 5e-3 with it",
    )
    cuda_graphs: bool = flag(
        False,
        "record the steps of a training on a card and launch each as a whole; images are then padded to few sizes, "
        "which draws other dropout; not tried on a card yet",
    )
    temperature_scaling: bool = flag(
        False,
        "divide logits by one number fitted on the `select` images (Guo et al. 2017): honest probabilities, same "
        "classes",
    )
    embeddings: tuple[str, ...] = listing(
        (),
        SOME_TEXT,
        "names of embeddings in the caches (features.embedding, import-h5 --beside) whose columns stand beside the "
        "features",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.precision == "bfloat16" and self.upper_gradient != "first_order":
            raise ConfigError(
                "training.precision: bfloat16 is too coarse for gradients through the classifier; "
                f"set upper_gradient to first_order or precision to float32, found {self.upper_gradient}."
            )


DEFAULT_FITTING = FittingParams()


MEMORY_GIB = Number(0, 100_000)
"""Memory for features that can be asked for, GiB."""


@dataclass(frozen=True)
class ReadingParams(Tunables, section="training"):
    """How much of a cohort is in memory; no result depends on it, and none records it."""

    memory_gib: float = number(
        4.0,
        MEMORY_GIB.low,
        MEMORY_GIB.high,
        "GiB of node features (as read, and standardised) that a training or prediction holds; images beyond are read "
        "from their caches at every use; batches and what is read ahead come on top, up to 3.5 GiB for "
        "embeddings of 1024 values",
    )
    reading_threads: int = whole(1, 0, 64, "threads that read such images ahead of their use; 0 reads none ahead")
    card_share: float = number(
        0.5,
        0,
        1,
        "share of a card's free memory that the images of a training or prediction may take; if they fit they lie on "
        "the card from its start on, else each is copied there at every use",
    )

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Its keys among those of the section ``training``."""
        return cls(**{key.name: values[key.name] for key in fields(cls)})

    @property
    def most_held_bytes(self) -> float:
        """The memory in bytes."""
        return self.memory_gib * 2**30


DEFAULT_READING = ReadingParams()


def _as_set_by_user(setting: Field[Any]) -> tuple[str, Any, Any]:
    """A setting as a key whose null stands for the method's own value."""
    if setting.name in SAME_FOR_ALL:
        return setting.name, setting.type, field(default=setting.default, metadata=setting.metadata)
    metadata = {RULE: OrNull(rule_of(setting)), DESCRIPTION: setting.metadata[DESCRIPTION]}
    return setting.name, Any, field(default=None, metadata=metadata)


_Overrides = make_dataclass(
    "_Overrides",
    [_as_set_by_user(setting) for setting in tunables_of(Settings)],
    bases=(ReadingParams, FittingParams),
    frozen=True,
)


@dataclass(frozen=True)
class TrainingParams(_Overrides):  # type: ignore[misc, valid-type]
    """How models are trained.

    Each key of ``Settings`` (None: the method's own value), of ``FittingParams`` and of ``ReadingParams``.
    """

    @property
    def fitting(self) -> FittingParams:
        """The part that is the same for every method."""
        return FittingParams(**{key.name: getattr(self, key.name) for key in fields(FittingParams)})

    @property
    def reading(self) -> ReadingParams:
        """The part that changes no result."""
        return ReadingParams.of(vars(self))

    @property
    def given(self) -> dict[str, Any]:
        """Settings that beat a method's own."""
        values = {key.name: getattr(self, key.name) for key in fields(Settings)}
        return {name: value for name, value in values.items() if value is not None}
