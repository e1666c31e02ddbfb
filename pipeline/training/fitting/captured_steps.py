"""Steps that are recorded once and launched as a whole: CUDA graphs, one for each shape of a step.

A step of a small network is a hundred launches of kernels that run shorter than their launch takes.  A
CUDA graph launches them all at once (PyTorch, "CUDA Graphs").  It has fixed shapes and fixed
places in memory, so a step is recorded for each level, number of images and size class; what
differs between two steps of one shape is which images they have, and that is a tensor to which
places in an ``ImageTable`` are copied.  Everything else (selecting rows, forward, backward,
clipping, optimiser, sums of the epoch) is in the graph.

Not tried on a card yet; ``training.cuda_graphs`` is off by default.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from pipeline.logs import get_logger
from pipeline.training.fitting.steps import Level, PlannedStep
from pipeline.training.graphs.batching import Group
from pipeline.training.graphs.image_batches import ImageBatch, NodeImage, PaddedBatch
from pipeline.training.graphs.resident_images import ImageTable, size_class
from pipeline.training.methods.presets import MethodSpec
from pipeline.training.params import FittingParams

WARM_UP_STEPS = 3
"""Steps of a shape that are taken one kernel at a time before it is recorded, as PyTorch asks for; they count."""

MOST_SHAPES = 64
"""Guard on memory: shapes of steps that are recorded in one training."""

FIXED_GENERATORS = frozenset({"none", "metric"})
"""Generators whose steps on padded images have one shape, and to which more padding is nothing.

Fixed graphs have as many edges as their images have; the published penalty on ``pair_mlp`` counts padding.
"""

FIXED_CLASSIFIERS = frozenset({"relational", "mean_pool", "attention_mil"})
"""Classifiers whose steps have; those of torchmil read one bag after the other."""

log = get_logger("training")

Take = Callable[[Level, ImageBatch], None]
"""Takes one step."""


class Recorder(Protocol):
    """What records kernels."""

    def warm_up(self, step: Callable[[], None]) -> None:
        """Take ``step`` where it will be recorded."""

    def record(self, step: Callable[[], None]) -> Callable[[], None]:
        """Record what ``step`` launches, of which nothing runs, and return what launches all of it."""


class CudaGraphs:
    """Records CUDA graphs on a stream of its own; they share memory, for they never run together.

    Parameters
    ----------
    device
        A card.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def warm_up(self, step: Callable[[], None]) -> None:
        """Take ``step`` on the stream, after what was launched before and before what comes."""
        present = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(present)
        with torch.cuda.stream(self._stream):
            step()
        present.wait_stream(self._stream)

    def record(self, step: Callable[[], None]) -> Callable[[], None]:
        """A CUDA graph of ``step``; threads that read ahead may go on meanwhile."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            step()
        replay: Callable[[], None] = graph.replay
        return replay


class Shape(NamedTuple):
    """What two steps share if one graph serves both: level, images, and nodes that each is padded to."""

    level: Level
    n_images: int
    width: int


@dataclass
class _Recorded:
    """A shape: the images of its next step, how often it was taken, and what launches it once it is recorded."""

    selected: Tensor
    taken: int = 0
    launch: Callable[[], None] | None = None


class CapturedSteps:
    """The steps of one training, recorded by shape where they can be, else taken one kernel at a time.

    Parameters
    ----------
    table
        Images that fit weights.
    take
        Takes a step; all that it reads and writes stays where it is from step to step.
    recorder
        Records steps.
    """

    def __init__(self, table: ImageTable, take: Take, recorder: Recorder) -> None:
        self._table, self._take = table, take
        self._recorder: Recorder | None = recorder
        self._shapes: dict[Shape, _Recorded] = {}
        self._told: set[str] = set()

    def __call__(self, steps: Sequence[PlannedStep]) -> None:
        """Take the steps of an epoch, whose images are told by one copy."""
        groups = [group for _, group, _ in steps]
        selection = self._table.selection([place for group in groups for place in group.places])
        each = torch.split(selection, [len(group.places) for group in groups])
        for (level, group, _), selected in zip(steps, each, strict=True):
            self._step(level, group, selected)

    def _step(self, level: Level, group: Group, selected: Tensor) -> None:
        if group.kind is not PaddedBatch:
            self._tell("steps of packed images have no shape of their own and are taken kernel by kernel")
            self._take(level, self._table.packed(group.places, selected))
            return
        shape = Shape(level, len(group.places), size_class(max(self._table.sizes[place] for place in group.places)))
        recorded = self._recorded(shape)
        if recorded is None:
            self._take(level, self._table.padded_to(shape.width, selected))
            return
        recorded.selected.copy_(selected)
        self._launch(shape, recorded)

    def _recorded(self, shape: Shape) -> _Recorded | None:
        """The record of a shape; None where it gets none."""
        if self._recorder is None:
            return None
        if shape not in self._shapes and len(self._shapes) == MOST_SHAPES:
            self._tell(f"steps of more than {MOST_SHAPES} shapes are taken kernel by kernel")
            return None
        if shape not in self._shapes:
            self._shapes[shape] = _Recorded(torch.zeros(shape.n_images, dtype=torch.int64, device=self._table.device))
        return self._shapes[shape]

    def _launch(self, shape: Shape, recorded: _Recorded) -> None:
        assert self._recorder is not None, "a shape is recorded by a recorder"

        def step() -> None:
            self._take(shape.level, self._table.padded_to(shape.width, recorded.selected))

        if recorded.launch is None and recorded.taken == WARM_UP_STEPS:
            try:
                recorded.launch = self._recorder.record(step)
            except RuntimeError as error:
                self._recorder = None
                self._tell(f"steps are taken kernel by kernel from here on, for recording one failed: {error}")
        if recorded.launch is not None:
            recorded.launch()
        elif self._recorder is not None:
            self._recorder.warm_up(step)
        else:
            step()
        recorded.taken += 1

    def _tell(self, reason: str) -> None:
        """Log why steps are not recorded, once."""
        if reason not in self._told:
            self._told.add(reason)
            log.warning("training.cuda_graphs: %s", reason)


def recorder_for(
    spec: MethodSpec, fitting: FittingParams, images: Sequence[NodeImage], device: torch.device
) -> Recorder | None:
    """What records the steps of a training on ``images``; None where they are taken kernel by kernel."""
    recorded = fitting.cuda_graphs and why_not(spec, fitting, images, device) is None
    return CudaGraphs(device) if recorded else None


def say_if_not_recorded(
    spec: MethodSpec, fitting: FittingParams, images: Sequence[NodeImage], device: torch.device
) -> None:
    """Log why steps are taken kernel by kernel although ``cuda_graphs`` asks for more."""
    reason = why_not(spec, fitting, images, device)
    if fitting.cuda_graphs and reason:
        log.warning("%s: training.cuda_graphs is not used: %s", spec.name, reason)


def why_not(spec: MethodSpec, fitting: FittingParams, images: Sequence[NodeImage], device: torch.device) -> str | None:
    """Why the steps of a training on ``images`` cannot be recorded; None if they can."""
    if device.type != "cuda":
        return "there is no card"
    if not isinstance(images, ImageTable):
        return "its images do not lie on the card and are put together at each step"
    if spec.settings.patches_per_epoch:
        return "patches of its images are drawn anew in each epoch"
    if spec.generator not in FIXED_GENERATORS or spec.classifier not in FIXED_CLASSIFIERS:
        return "its steps have no fixed shape"
    if spec.levels == "bilevel" and fitting.upper_gradient != "first_order":
        return f"an upper step by {fitting.upper_gradient} needs numbers on the host"
    return None
