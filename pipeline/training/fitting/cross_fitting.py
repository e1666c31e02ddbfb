"""The graph path beside the pooled one: by inner folds, search, then refit.

The pooled path comes first: a linear model of pooled nodes and, for each part of the
patients in turn, a network of a fixed graph fitted on all others.  Then, for each part, a
graph model learns on all others what these have left:

* search: two levels, the classifier on ``train`` (and ``select``, whose part the patients left
  out take), the generator on ``structure``;
* refit: the classifier is fitted anew on both, so that the two levels cost no data (as
  architecture search does: Liu et al. 2019, arXiv 1806.09055), and the generator goes on
  from the graphs that it found, with the classifier, in one level.

The pooled path's logits are an offset to those of the graph, each image's from fits that
did not see its patient, so that the graph is not taught what is pooled already.
The patients left out tell a model when to stop, and, each half at the epoch that the other
half chose, how much of either path is kept (``graph_gate``); predictions and graphs are
means over the models by their votes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from pipeline.arrays import Float64s, Int64s
from pipeline.logs import get_logger
from pipeline.training.classifiers.image_classifier import ImageClassifier, build_model
from pipeline.training.classifiers.pooled_and_graph import PooledAndGraph
from pipeline.training.classifiers.pooled_linear import PooledLinear
from pipeline.training.classifiers.pooled_path import PooledPath, mean_opinion
from pipeline.training.classifiers.relational_gcn import RelationalGCN
from pipeline.training.fitting.best_pooled_linear import best_pooled_linear
from pipeline.training.fitting.epoch_records import EpochRecord
from pipeline.training.fitting.fitting_task import FittingTask
from pipeline.training.fitting.graph_gate import GraphGate, HeldOut, judge, refuses
from pipeline.training.fitting.held_out_parts import held_out_parts
from pipeline.training.fitting.steps import Objective, TrainingImages
from pipeline.training.fitting.trainings import Trainings
from pipeline.training.fitting.unfinished import UnfinishedFit
from pipeline.training.graphs.image_batches import NodeImage, labels_of, patients_of
from pipeline.training.methods.presets import MethodSpec, pooled_spec

POOLED_FOLDS = ("pooled", "inner folds")
"""Purpose of the seed of a linear model's inner folds: the same of every method, so that equal models are equal."""

log = get_logger("training")


@dataclass(frozen=True)
class CrossFit:
    """A network of both paths.

    Attributes
    ----------
    network, history
        What it is, and how it was trained.
    gate
        What was decided about its graph path.
    held_out
        Logits and labels of images that fitted none of its weights: of the decision, or where
        nothing was held out of the pooled path.
    """

    network: PooledAndGraph
    history: list[EpochRecord]
    gate: GraphGate
    held_out: tuple[Float64s, Int64s]


def cross_fit(
    images: TrainingImages, n_features: int, class_weight: Tensor, task: FittingTask, unfinished: UnfinishedFit
) -> CrossFit:
    """Fit both paths and decide how much of each is kept.

    Parameters
    ----------
    n_features
        Columns of the standardised nodes.
    class_weight
        Weight of each class in every loss, float32 (n_classes,).
    unfinished
        State of a killed training to go on from.

    Raises
    ------
    CohortError
        If a level has no image, or the patients of the linear model cannot be divided.
    DivergenceError
        If a loss is no longer finite.
    """
    parts = held_out_parts(images, task.spec.settings.cross_fit, task.seeds.of(task.spec.name, "held-out parts"))
    fits = PartwiseFits(n_features, class_weight, task, Trainings(unfinished, task.device))
    pooled, stacked = _pooled(images, parts, fits)
    path = PartwiseModels(_beside(images, stacked.pooled), task.spec, fits)
    n_parts = max(int(parts.max()) + 1, 1)
    for number in range(n_parts):
        out = np.flatnonzero(parts == number)
        stacked.graph[out] = path.fit_without(out)
        judged = stacked.of((parts >= 0) & (parts <= number))
        if refuses(judged):
            break
    gate = judge(judged, n_models=len(path.models), n_planned=n_parts, n_pooled=len(pooled.networks))
    log.info("%s: graph path %s", task.spec.name, gate.summary)
    network = PooledAndGraph(pooled, path.models).to(task.device)
    network.keep(pooled=gate.pooled_kept, graph=gate.graph_kept, alone=gate.pooled_alone, votes=gate.votes)
    told = judged if gate.judged else stacked
    return CrossFit(network, fits.history, gate, (told.logits(gate.pooled_kept, gate.graph_kept), told.labels))


def _pooled(images: TrainingImages, parts: Int64s, fits: "PartwiseFits") -> tuple[PooledPath, HeldOut]:
    """The pooled path, and what it says of images that it was not fitted on; of a graph nothing is said yet.

    Images that no network left out have the linear model's word alone.
    """
    spec, seeds, everything = fits.task.spec, fits.task.seeds, images.all
    linear = best_pooled_linear(everything, balanced=spec.settings.class_weights, seed=seeds.of(*POOLED_FOLDS))
    stacked = _stacked(everything, linear, fits.class_weight, parts)
    networks = PartwiseModels(_beside(images, stacked.graph), pooled_spec(spec), fits)
    said = stacked.pooled.copy()
    for number in range(int(parts.max()) + 1):
        out = np.flatnonzero(parts == number)
        said[out] = mean_opinion(*map(torch.from_numpy, (stacked.pooled[out], networks.fit_without(out)))).numpy()
    log.info(
        "%s: pooled path of %s, C %.3g, and of %d networks",
        *(spec.name, linear.pooling, linear.inverse_penalty, len(networks.models)),
    )
    path = PooledPath(networks.models, fits.n_features, len(fits.class_weight))
    path.keep(linear)
    return path, replace(stacked, pooled=said)


@dataclass
class PartwiseFits:
    """What all models of a cross-fit share.

    Attributes
    ----------
    n_features
        Columns of the nodes.
    class_weight
        Weight of each class in the loss.
    task
        What is fitted, and with which seeds.
    trainings
        Runs each training, or gives what it came to before.
    history
        Of all trainings so far.
    """

    n_features: int
    class_weight: Tensor
    task: FittingTask
    trainings: Trainings
    history: list[EpochRecord] = field(default_factory=list)


class PartwiseModels:
    """Models of one method, each fitted without one part of the images.

    Parameters
    ----------
    images
        All images by role, with what the models stand beside as offsets.
    spec
        Their method.
    fits
        What they share with others.
    """

    def __init__(self, images: TrainingImages, spec: MethodSpec, fits: PartwiseFits) -> None:
        self._images, self._spec, self._fits = images, spec, fits
        self.models: list[ImageClassifier] = []

    def fit_without(self, out: Int64s) -> Float64s:
        """Fit the next model on all images but those at the places ``out`` of ``images.all``, which stop it.

        Returns
        -------
        Its logits of those images, float64 (len(out), n_classes), each from the epoch that the
        others' patients would have stopped at: the images that judge a model did not stop it.
        """
        images, spec = self._images.held_out(out), self._spec
        model, select_logits = self._fitted(spec, images, None)
        if spec.levels == "bilevel":
            model, select_logits = self._fitted(refitting(spec), images, model)
        self.models.append(model)
        if not len(out):
            return np.zeros((0, len(self._fits.class_weight)))
        if not spec.settings.patience:
            return select_logits[-1].double().numpy()
        return stopped_by_others(images.select, torch.stack(select_logits))

    def _fitted(
        self, spec: MethodSpec, images: TrainingImages, searched: ImageClassifier | None
    ) -> tuple[ImageClassifier, list[Tensor]]:
        """A network fitted on ``images``, its graphs from those of ``searched`` on, or from none.

        With it come its logits of ``images.select`` after each epoch.
        """
        stage, task = stage_of(spec, searched is not None), self._fits.task
        purpose = (spec.name, f"model {len(self.models)}", stage)
        with task.deterministic(task.seeds.of(*purpose, "weights")):
            network = build_model(spec, self._fits.n_features, len(self._fits.class_weight)).to(task.device)
            if self.models and network.generator.is_fixed:
                network.generator = self.models[0].generator
            if spec.beside_pooled and isinstance(network.classifier, RelationalGCN):
                network.classifier.start_at_zero()
            if searched is not None:
                network.generator.load_state_dict(searched.generator.state_dict())
            objective = Objective(spec, self._fits.class_weight, task.fitting)
            order_seed = task.seeds.of(*purpose, "order")
            history, select_logits = self._fits.trainings.run(network, images, objective, order_seed)
        self._fits.history += [replace(record, model=len(self.models), stage=stage) for record in history]
        return network, select_logits


def stopped_by_others(images: Sequence[NodeImage], logits: Tensor) -> Float64s:
    """Logits of ``images``, those of each half of the patients from the epoch with the least loss of the other half.

    Parameters
    ----------
    logits
        After each epoch, (n_epochs, n, n_classes), beside the offsets of the images.

    Returns
    -------
    float64 (n, n_classes); of one patient alone, those of the last epoch.
    """
    _, patient = np.unique(patients_of(images), return_inverse=True)
    half, labels = torch.from_numpy(patient % 2), torch.from_numpy(labels_of(images))
    offsets = torch.stack([offset_of(image) for image in images])
    losses = cross_entropy((logits + offsets).transpose(1, 2), labels.expand(len(logits), -1), reduction="none")
    chosen = logits[-1].double()
    for judged, stopping in ((half == 0, half == 1), (half == 1, half == 0)):
        if stopping.any():
            chosen[judged] = logits[losses[:, stopping].mean(dim=1).argmin(), judged].double()
    return chosen.numpy()


def stage_of(spec: MethodSpec, searched: bool) -> str:
    """What a training is called in ``history.csv``."""
    if not spec.beside_pooled:
        return "pooled"
    return "refit" if searched else "search"


def refitting(spec: MethodSpec) -> MethodSpec:
    """One level, from a generator that is there: nothing is pre-trained again."""
    return replace(spec, levels="one", settings=replace(spec.settings, pretraining_steps=0))


def _stacked(images: Sequence[NodeImage], linear: PooledLinear, class_weight: Tensor, parts: Int64s) -> HeldOut:
    """The linear model's logits of images held out, and none of a graph yet."""
    labels, none = labels_of(images), np.zeros_like(linear.held_out)
    weights: Float64s = class_weight.double().cpu().numpy()[labels]
    return HeldOut(linear.held_out, none, labels, np.array(patients_of(images)), weights, parts)


def offset_of(image: NodeImage) -> Tensor:
    """What the pooled path says of an image that stands beside it, (n_classes,), on the CPU."""
    assert image.offset is not None
    return image.offset.cpu()


def _beside(images: TrainingImages, logits: Float64s) -> TrainingImages:
    """``images`` with an offset each, from ``logits`` (n, n_classes) in the order of ``images.all``."""
    offsets = iter(torch.from_numpy(logits).float())

    def with_offset(role: Sequence[NodeImage]) -> list[NodeImage]:
        return [image.but(offset=next(offsets).to(image.device)) for image in role]

    return TrainingImages(with_offset(images.train), with_offset(images.structure), with_offset(images.select))
