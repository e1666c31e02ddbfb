"""``model.pt``: weights and everything needed to apply them, loadable without running code."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.artefacts.consistency import all_finite, check_consistent
from pipeline.artefacts.feature_making import KnownMaking
from pipeline.artefacts.header import check_version
from pipeline.artefacts.remedies import damaged, remedy
from pipeline.artefacts.torch_file import is_sealed, read_torch, write_torch
from pipeline.errors import ArtefactError, MissingPackageError
from pipeline.provenance import FORMAT_VERSIONS, package_versions
from pipeline.training.classifiers.image_classifier import build_model
from pipeline.training.classifiers.pooled_and_graph import PooledAndGraph
from pipeline.training.cohort.cohort_nodes import Nodes
from pipeline.training.cohort.node_scaler import NodeScaler
from pipeline.training.fitting.graph_gate import GraphGate
from pipeline.training.fitting.inference import ImageNetwork
from pipeline.training.fitting.standardised_images import Labelled, standardised_images
from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.methods.presets import MethodSpec, spec_from_plain
from pipeline.training.params import DEFAULT_FITTING, DEFAULT_READING, FittingParams

KIND = "model"


class NoModelError(ArtefactError):
    """A checkpoint is whole and says why nothing was trained."""


@dataclass(frozen=True)
class TrainedModel:
    """A network with its scaler and names.

    Attributes
    ----------
    network
        In evaluation mode.
    scaler
        Fitted on the ``train`` role.
    spec
        Method with all its numbers.
    feature_names, class_names
        What the columns of the nodes and of the logits are.
    fitting
        How it was fitted.
    temperature
        What logits are divided by before they become probabilities.
    making
        How the features that it was trained on were made, see ``feature_making``; None where it does not say.
    graph_gate
        What was decided about the graph path; None of methods without a pooled path beside it.
    """

    network: ImageNetwork
    scaler: NodeScaler
    spec: MethodSpec
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    fitting: FittingParams = DEFAULT_FITTING
    temperature: float = 1.0
    making: KnownMaking | None = None
    graph_gate: GraphGate | None = None

    def images(
        self, slides: Sequence[Nodes], device: torch.device, card_share: float = DEFAULT_READING.card_share
    ) -> list[NodeImage]:
        """Standardised images without labels; see ``standardised_images``."""
        return standardised_images([Labelled(slide, -1) for slide in slides], self.scaler, device, card_share)


def write_model(path: str | Path, model: TrainedModel, *, source: str) -> None:
    """Write a checkpoint, atomically; the same model gives the same bytes."""
    scaler = model.scaler
    content = {
        "kind": KIND,
        "format_version": FORMAT_VERSIONS[KIND],
        "spec": asdict(model.spec),
        "fitting": asdict(model.fitting),
        "temperature": model.temperature,
        "feature_names": list(model.feature_names),
        "class_names": list(model.class_names),
        "scaler": {name: torch.from_numpy(getattr(scaler, name)) for name in ("median", "mean", "scale", "indicator")},
        "scaler_clip_sd": float(scaler.clip_sd),
        "state": {name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()},
        "making": None if model.making is None else {fact: list(values) for fact, values in model.making.items()},
        "graph_gate": None if model.graph_gate is None else asdict(model.graph_gate),
        "source": source,
        "packages": package_versions(),
    }
    write_torch(path, content)


def write_no_model(path: str | Path, *, reason: str, source: str) -> None:
    """Write the checkpoint of a job that trained nothing; ``read_model`` refuses it with ``reason``."""
    header = {"kind": KIND, "format_version": FORMAT_VERSIONS[KIND], "reason": reason}
    write_torch(path, {**header, "source": source, "packages": package_versions()})


def read_model(path: str | Path, device: torch.device) -> TrainedModel:
    """Read a checkpoint without running any code it might hold.

    Raises
    ------
    ArtefactError
        If it is missing, foreign, damaged or of another version, or holds no model.
    MissingPackageError
        If its network is one of an optional package that is not installed.
    """
    content = _read_content(path)
    try:
        spec = spec_from_plain(content["spec"])
        stored: dict[str, Tensor] = content["scaler"]
        arrays = {name: stored[name].numpy() for name in ("median", "mean", "scale", "indicator")}
        scaler = NodeScaler(**arrays, clip_sd=content["scaler_clip_sd"])
        fitting, temperature = FittingParams(**content["fitting"]), float(content["temperature"])
        names, classes = tuple(content["feature_names"]), tuple(content["class_names"])
        gate = None if content.get("graph_gate") is None else GraphGate(**content["graph_gate"])
        network = _network(spec, scaler.n_outputs, len(classes), gate)
        network.load_state_dict(content["state"])
        making = _making(content.get("making"))
    except MissingPackageError:
        raise
    except Exception as error:  # content that no digest vouches for fails in any way
        raise damaged(KIND, path, f"the model is damaged or of another build ({error})") from error
    model = TrainedModel(network.to(device).eval(), scaler, spec, names, classes, fitting, temperature, making, gate)
    _check_consistent(model, path)
    return model


def _network(spec: MethodSpec, n_features: int, n_classes: int, gate: GraphGate | None) -> ImageNetwork:
    """An empty network of the shape that a checkpoint tells."""
    if gate is None:
        return build_model(spec, n_features, n_classes)
    return PooledAndGraph.from_spec(spec, n_features, n_classes, n_members=gate.n_models, n_pooled=gate.n_pooled)


def read_model_on_cpu(path: str | Path) -> TrainedModel:
    """``read_model``, for whom no device matters."""
    return read_model(path, torch.device("cpu"))


def _check_consistent(model: TrainedModel, path: str | Path) -> None:
    """Raise ``ArtefactError`` where the parts of a model cannot belong together."""
    scaler, state = model.scaler, model.network.state_dict().values()
    parts = (scaler.median, scaler.mean, scaler.scale, scaler.indicator)
    expectations = {
        "finite weights": all(bool(torch.isfinite(weights).all()) for weights in state),
        "one value of the scaler a feature": {len(part) for part in parts} == {len(model.feature_names)},
        "finite medians and means": all_finite(scaler.median) and all_finite(scaler.mean),
        "scales above 0": bool((scaler.scale > 0).all()),
        "each feature once": len(set(model.feature_names)) == len(model.feature_names),
        "two classes or more, each once, sorted": len(model.class_names) > 1
        and list(model.class_names) == sorted(set(model.class_names)),
        "a temperature above 0": math.isfinite(model.temperature) and model.temperature > 0,
    }
    check_consistent(KIND, path, expectations)


def _making(stored: dict[str, list[Any]] | None) -> KnownMaking | None:
    return None if stored is None else {fact: tuple(values) for fact, values in stored.items()}


def _read_content(path: str | Path) -> dict[str, Any]:
    content = read_torch(path, "a model of abignet", remedy(KIND, path))
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise ArtefactError(f"{path}: expected a model of abignet, found another torch file.")
    check_version(content, KIND, path, sealed=is_sealed(path))
    if "reason" in content:
        raise NoModelError(f"{path}: holds no model: {content['reason']}.")
    return content
