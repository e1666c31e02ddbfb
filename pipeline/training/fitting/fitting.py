"""From nodes and roles to a trained model: classes, scaler, weights, loop."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import pandas as pd
import torch

from pipeline.arrays import Float64s, Int64s
from pipeline.errors import CohortError
from pipeline.logs import get_logger
from pipeline.training.classifiers.image_classifier import build_model
from pipeline.training.classifiers.logistic_pooled import LogisticPooled
from pipeline.training.cohort.cohort_nodes import CohortNodes, nonempty
from pipeline.training.cohort.determinism import check_precision
from pipeline.training.cohort.feature_scaling import fit_scaler
from pipeline.training.cohort.node_scaler import NodeScaler
from pipeline.training.cohort.roles import slides_with_roles
from pipeline.training.fitting.applicability import check_applicable
from pipeline.training.fitting.best_pooled_linear import best_pooled_linear
from pipeline.training.fitting.bilevel import NOT_KEPT, fit
from pipeline.training.fitting.calibration import fit_temperature
from pipeline.training.fitting.captured_steps import say_if_not_recorded
from pipeline.training.fitting.checkpoint import TrainedModel
from pipeline.training.fitting.cross_fitting import POOLED_FOLDS, cross_fit
from pipeline.training.fitting.epoch_records import EpochRecord
from pipeline.training.fitting.fitting_task import FittingTask
from pipeline.training.fitting.graph_gate import GraphGate
from pipeline.training.fitting.inference import ImageNetwork, predict_logits
from pipeline.training.fitting.standardised_images import Labelled, standardised_images
from pipeline.training.fitting.steps import Objective, TrainingImages
from pipeline.training.fitting.unfinished import UnfinishedFit
from pipeline.training.graphs.image_batches import NodeImage, labels_of
from pipeline.training.methods.presets import MethodSpec

FITTING_ROLES = ("train", "structure", "select")

log = get_logger("training")


def fit_model(
    cohort: CohortNodes, rows: pd.DataFrame, task: FittingTask, unfinished: UnfinishedFit = NOT_KEPT
) -> tuple[TrainedModel, pd.DataFrame]:
    """Train a method on the rows whose role is not ``test``.

    Nothing of a test row enters: neither its features, nor its label, nor its number.

    Parameters
    ----------
    rows
        Columns slide_id, label, role, and case_id where patients are known.
    unfinished
        State of a killed training to go on from.

    Returns
    -------
    The model, and its history with the columns of ``artefacts.predictions.HISTORY_COLUMNS``.

    Raises
    ------
    CohortError
        If a test slide or patient also has another role, a level has no image, fewer than
        two classes are there, or an image has no node, or more than the method takes.
    DeviceError
        If the device does not compute in the precision asked for.
    """
    check_precision(task.fitting.precision, task.device)
    check_untested(rows)
    used = rows[rows["role"].isin(FITTING_ROLES)]
    nonempty(cohort, used["slide_id"])
    check_applicable(cohort, used["slide_id"], task.spec)
    classes = class_names_of(used)
    scaler = scaler_of(cohort, used, task.spec)
    images = _by_role(cohort, used, scaler, classes, task.device)
    say_if_not_recorded(task.spec, task.fitting, images.fitting, task.device)
    fitted = _fit(images, scaler.n_outputs, classes, task, unfinished)
    temperature = _temperature(fitted) if task.fitting.temperature_scaling else 1.0
    parts = (fitted.network.eval(), scaler, task.spec, cohort.feature_names, classes, task.fitting, temperature)
    model = TrainedModel(*parts, graph_gate=fitted.gate)
    return model, pd.DataFrame(
        [asdict(record) for record in fitted.history], columns=[field.name for field in fields(EpochRecord)]
    )


def scaler_of(cohort: CohortNodes, rows: pd.DataFrame, spec: MethodSpec) -> NodeScaler:
    """Scaler of the images of the role ``train``, and of no others."""
    settings = spec.settings
    return fit_scaler(
        [cohort.slides[slide_id] for slide_id in slides_with_roles(rows, ["train"])],
        cohort.feature_names,
        nan_indicator=settings.nan_indicator,
        clip_sd=settings.outlier_clip_sd,
        threads=settings.threads,
    )


def _by_role(
    cohort: CohortNodes, rows: pd.DataFrame, scaler: NodeScaler, classes: Sequence[str], device: torch.device
) -> TrainingImages:
    """Standardised images of each role."""
    labelled = [
        Labelled(cohort.slides[str(row.slide_id)], classes.index(str(row.label)), str(getattr(row, "case_id", "")))
        for row in rows.itertuples()
    ]
    images = standardised_images(labelled, scaler, device, cohort.reading.card_share)
    by_role: dict[str, list[NodeImage]] = {role: [] for role in FITTING_ROLES}
    for role, image in zip(rows["role"], images, strict=True):
        by_role[str(role)].append(image)
    return TrainingImages(**by_role)


@dataclass(frozen=True)
class _Fit:
    """A network, its history, logits and labels of images that fitted none of its weights, and its graph path."""

    network: ImageNetwork
    history: list[EpochRecord]
    held_out: tuple[Float64s, Int64s] | None
    gate: GraphGate | None = None


def _fit(
    images: TrainingImages, n_features: int, classes: Sequence[str], task: FittingTask, unfinished: UnfinishedFit
) -> _Fit:
    """Fit whatever the method is."""
    spec, balanced = task.spec, task.spec.settings.class_weights
    weight = class_weight(images, len(classes), balanced=balanced).to(task.device)
    with task.deterministic(task.seeds.of(spec.name, "weights")):
        if spec.beside_pooled:
            crossed = cross_fit(images, n_features, weight, task, unfinished)
            return _Fit(crossed.network, crossed.history, crossed.held_out, crossed.gate)
        network = build_model(spec, n_features, len(classes)).to(task.device)
        if isinstance(network.classifier, LogisticPooled):
            linear = best_pooled_linear(images.all, balanced=balanced, seed=task.seeds.of(*POOLED_FOLDS))
            network.classifier.keep(linear)
            log.info("%s: %s, C = %.3g, loss %.4f", spec.name, linear.pooling, linear.inverse_penalty, linear.loss)
            return _Fit(network, [], (linear.held_out, labels_of(images.all)))
        objective = Objective(spec, weight, task.fitting)
        order_seed = task.seeds.of(spec.name, "order")
        history = fit(network, images, objective, order_seed=order_seed, unfinished=unfinished)
        selected = predict_logits(network, images.select).double().numpy() if images.select else None
    return _Fit(network, history, None if selected is None else (selected, labels_of(images.select)))


def _temperature(fit: _Fit) -> float:
    """Temperature by images that fitted no weight."""
    if fit.held_out is None:
        raise CohortError(
            "temperature_scaling needs images of the role select, found none; "
            "raise splits.select_share or set training.temperature_scaling to false."
        )
    return fit_temperature(*fit.held_out)


def check_untested(rows: pd.DataFrame) -> None:
    """Check that nothing of a test row, neither slide nor patient, has a role in fitting.

    Raises
    ------
    CohortError
        Naming the first slides or patients at fault.
    """
    test = rows["role"] == "test"
    for column, noun in (("slide_id", "slide"), ("case_id", "patient")):
        if column not in rows:
            continue
        both = sorted(set(rows.loc[test, column]) & set(rows.loc[~test, column]))
        if both:
            named = ", ".join(map(repr, both[:5]))
            raise CohortError(f"leak: {noun} {named} is in the test fold and in training. Split again.")


def class_weight(images: TrainingImages, n_classes: int, *, balanced: bool) -> torch.Tensor:
    """Weight of each class, n / (n_classes n_c) over ``train`` and ``structure``; all 1 unless ``balanced``."""
    labels = torch.from_numpy(labels_of([*images.train, *images.structure]))
    counts = torch.bincount(labels, minlength=n_classes)
    return len(labels) / (n_classes * counts.clamp_min(1)) if balanced else torch.ones(n_classes)


def class_names_of(rows: pd.DataFrame) -> tuple[str, ...]:
    """Sorted classes of ``rows``.

    Raises
    ------
    CohortError
        If there are fewer than two.
    """
    names = tuple(sorted(set(rows["label"])))
    if len(names) < 2:
        raise CohortError(f"training needs images of at least two classes outside the test fold, found {list(names)}.")
    return names
