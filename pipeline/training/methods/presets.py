"""The methods by name: which generator, which classifier, how many levels, which numbers.

``paper_a`` and ``paper_b`` follow ABiG-Net (Paul et al. 2025, arXiv 2510.13188) and its
public code.  Rivals from the literature have widths and step sizes of the literature
(``LITERATURE_SETTINGS``); every other method shares ours' settings, so that a comparison
shows the graph and not the budget.
"""

from dataclasses import dataclass, replace
from typing import Literal

from pipeline.errors import ConfigError
from pipeline.training.methods.dense_cost import dense_limit_by_cost
from pipeline.training.params import Settings, TrainingParams

GeneratorName = Literal["none", "pair_mlp", "metric", "cosine", "spatial", "head_tail"]
ClassifierName = Literal[
    "relational",
    "paper_gcn",
    "mean_pool",
    "attention_mil",
    "logistic",
    "knowledge_aware",
    "abmil",
    "clam_sb",
    "dsmil",
    "transmil",
    "gtp",
    "patch_gcn",
]
Levels = Literal["bilevel", "one"]
Alternation = Literal["step", "pass"]

OF_TORCHMIL = ("abmil", "clam_sb", "dsmil", "transmil", "gtp")
"""Classifiers whose networks are those of the optional package torchmil."""

MOST_DENSE = 2048
"""Guard on memory: most patches of an image whose pairs are all held by who has no use for fewer."""

MOST_NEIGHBOURS = 1024
"""Most neighbours that a search in an image beyond ``dense_limit`` finds."""


@dataclass(frozen=True)
class MethodSpec:
    """What a method is, beside its numbers.

    Attributes
    ----------
    name
        As the user writes it.
    generator
        Where the patch graph comes from.
    classifier
        What reads nodes and graph.
    levels
        ``bilevel``: classifier on ``train``, generator on ``structure``; ``one``:
        everything on both together, so that no method sees fewer images.
    alternation
        Bilevel only: an upper step after each lower ``step``, or after a whole ``pass``.
    jumping_knowledge
        Paper's variant A: concatenate the mean readouts of all layers.
    draws
        Gumbel draws averaged in a training step of ``pair_mlp``.
    edge_penalty
        Weight of mean absolute adjacency in the upper loss.
    beside_pooled
        Whether models of pooled nodes stand beside several graph models, which are kept as far
        as they add to them.
    settings
        The method's own numbers.
    """

    name: str
    generator: GeneratorName
    classifier: ClassifierName
    levels: Levels = "one"
    alternation: Alternation = "step"
    jumping_knowledge: bool = False
    draws: int = 1
    edge_penalty: float = 0.0
    beside_pooled: bool = False
    settings: Settings = Settings()

    @property
    def dense_limit(self) -> int | None:
        """Most patches of an image whose pairs are all scored; None where no two ever are, or only block by block."""
        if self.generator in ("none", "head_tail"):
            return None
        keeps_all = self.settings.target_degree == 0
        by_cost = MOST_DENSE if keeps_all or not self.has_sparse_mode else dense_limit_by_cost(self.settings)
        return self.settings.dense_limit or by_cost

    @property
    def has_sparse_mode(self) -> bool:
        """Whether larger images are taken too."""
        if self.classifier == "gtp":
            return False
        some = 0 < self.settings.target_degree <= MOST_NEIGHBOURS
        return self.generator in ("none", "metric", "head_tail") or (self.generator in ("cosine", "spatial") and some)

    @property
    def package(self) -> str | None:
        """Optional package that the method needs."""
        return "torchmil" if self.classifier in OF_TORCHMIL else None

    @property
    def needs_positions(self) -> bool:
        """Whether its graph is made of where patches are."""
        return self.generator == "spatial"


PAPER_SETTINGS = Settings(
    epochs=200,
    patience=0,
    batch_size=1,
    learning_rate=1e-4,
    generator_learning_rate=1e-3,
    weight_decay=0.0,
    dropout=0.2,
    target_degree=0,
    dense_limit=4096,
    pretraining_steps=0,
    gradient_clip=1.0,
    outlier_clip_sd=0.0,
    class_weights=False,
)

PAPER_EDGE_PENALTY = 1e-5
"""Lambda of the published regulariser on mean |A|."""

PAPER_DRAWS_B = 5
"""Gumbel draws averaged by the published variant B."""

LITERATURE_SETTINGS = Settings(
    learning_rate=2e-4, generator_learning_rate=2e-4, weight_decay=0.01, dropout=0.25, hidden=128
)
"""Of rivals: step size and dropout of CLAM (Lu et al. 2021), a width for cohorts of hundreds of slides, AdamW's decay.

Epochs, stopping and batches are ours: the same budget for everyone.
"""

WIKG_DEGREE = 6
"""Neighbours of a head in WiKG's experiments (Li et al. 2024)."""

METHODS: dict[str, MethodSpec] = {
    spec.name: spec
    for spec in (
        MethodSpec("default", "metric", "relational", levels="bilevel", beside_pooled=True),
        MethodSpec(
            "paper_a",
            "pair_mlp",
            "paper_gcn",
            levels="bilevel",
            alternation="pass",
            jumping_knowledge=True,
            edge_penalty=PAPER_EDGE_PENALTY,
            settings=PAPER_SETTINGS,
        ),
        MethodSpec(
            "paper_b",
            "pair_mlp",
            "paper_gcn",
            levels="bilevel",
            alternation="pass",
            draws=PAPER_DRAWS_B,
            edge_penalty=PAPER_EDGE_PENALTY,
            settings=replace(PAPER_SETTINGS, dropout=0.0),
        ),
        MethodSpec("mean_pool", "none", "mean_pool"),
        MethodSpec("attention_mil", "none", "attention_mil"),
        MethodSpec("cosine_graph", "cosine", "relational"),
        MethodSpec("spatial_graph", "spatial", "relational"),
        MethodSpec("joint", "metric", "relational"),
        MethodSpec("logistic", "none", "logistic"),
        MethodSpec(
            "wikg", "head_tail", "knowledge_aware", settings=replace(LITERATURE_SETTINGS, target_degree=WIKG_DEGREE)
        ),
        MethodSpec("abmil", "none", "abmil", settings=LITERATURE_SETTINGS),
        MethodSpec("clam_sb", "none", "clam_sb", settings=LITERATURE_SETTINGS),
        MethodSpec("dsmil", "none", "dsmil", settings=LITERATURE_SETTINGS),
        MethodSpec("transmil", "none", "transmil", settings=LITERATURE_SETTINGS),
        MethodSpec("gtp", "spatial", "gtp", settings=LITERATURE_SETTINGS),
        MethodSpec("patch_gcn", "spatial", "patch_gcn", settings=LITERATURE_SETTINGS),
    )
}

FAMILIES: dict[str, tuple[str, ...]] = {
    "paper": ("paper_a", "paper_b"),
    "literature": ("wikg", "abmil", "clam_sb", "dsmil", "transmil", "gtp", "patch_gcn"),
}
"""Methods whose settings were not chosen here."""


def method_spec(name: str, params: TrainingParams) -> MethodSpec:
    """Preset ``name`` with the numbers that ``params`` gives in place of its own.

    Raises
    ------
    ConfigError
        If there is no such method.
    """
    if name not in METHODS:
        raise ConfigError(f"method: expected one of {', '.join(METHODS)}; found {name!r}.")
    preset = METHODS[name]
    return replace(preset, settings=replace(preset.settings, **params.given))


def pooled_spec(spec: MethodSpec) -> MethodSpec:
    """The networks of the pooled path beside the graphs of ``spec``, with its numbers.

    Their graph is fixed and joins patches that look alike, which needs no positions, and takes
    images of any size: it has so few neighbours that they can be searched.
    """
    degree = min(spec.settings.target_degree or Settings().target_degree, MOST_NEIGHBOURS)
    return replace(METHODS["cosine_graph"], settings=replace(spec.settings, target_degree=degree))


def spec_from_plain(plain: dict[str, object]) -> MethodSpec:
    """Inverse of ``dataclasses.asdict`` for a ``MethodSpec``.

    Raises
    ------
    ConfigError
        If its settings are no mapping.
    """
    settings = plain["settings"]
    if not isinstance(settings, dict):
        raise ConfigError(f"settings of a stored method: expected a mapping, found {settings!r}.")
    rest = {key: value for key, value in plain.items() if key != "settings"}
    return MethodSpec(**rest, settings=Settings(**settings))  # type: ignore[arg-type]
