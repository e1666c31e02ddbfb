"""Whether the learned graph adds anything to the pooled model, and how much of it to keep.

Both paths are judged by what they say of images that fitted neither: stacked
generalisation (Wolpert 1992) with weights of 0 and above (after Breiman 1996), which
shrink each path as far as it misleads.  The graph path is kept only if its gain is larger
than patients would give by chance; its models then vote by what each gained on the images
that it alone did not see, so that one that did not leave chance does not speak.  The pooled
path must add as much beside a graph path that is kept, or is silent: what is pooled may be
the hospital, which tells the class of patients held out as long as they are of the same
hospitals.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from pipeline.arrays import Bools, Float64s, Int64s
from pipeline.training.fitting.cross_entropies import cross_entropies

ONE_SIDED_95 = 1.6449
"""Standard errors from the gain to the lower end of its 90 % interval."""

SHARPEST = 10.0
"""Guard: largest factor on the pooled path.  Above 1 it sharpens logits that were too soft, which a graph path must
not be taken for."""

LEAST_GAIN = 0.01
"""Gain of a path in nats an image below which it is nothing, however sure."""

LEAST_IMAGES_TO_REFUSE = 50
"""Images held out from which a path that adds nothing is refused before all its models are fitted."""

LEAST_MODELS_TO_REFUSE = 2
"""And models, for one may not leave chance where others do."""


@dataclass(frozen=True)
class GraphGate:
    """What was decided about the graph path of one training.

    Attributes
    ----------
    on
        Whether predictions use the graph path.
    judged
        Whether there were images to decide it by; without any it is on.
    pooled_kept, graph_kept
        Factors on the logits of the paths, the latter from 0 to 1; 0 where a path is refused.
    pooled_alone
        The factor of the pooled path where it stands alone.
    gain, gain_low, gain_high
        Fall of the cross-entropy of images held out by the graph path, in nats an image, and
        its 90 % interval over patients; None where not judged.
    n_images, n_patients
        Images it was judged by, and their patients.
    n_models, n_planned
        Graph models fitted, of so many; less where the first ones added nothing.
    n_pooled
        Networks of the pooled path; 0 where no patients could be left out.
    votes
        Share of each graph model in the graph path, sum 1; equal where it is off or nothing was judged.
    """

    on: bool
    judged: bool
    pooled_kept: float
    graph_kept: float
    pooled_alone: float
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    n_images: int
    n_patients: int
    n_models: int
    n_planned: int
    n_pooled: int
    votes: tuple[float, ...]

    @property
    def summary(self) -> str:
        """The decision and its reason, in words."""
        if not self.judged:
            return "on, not judged: too few patients to leave any out"
        judged = f"on {self.n_images} images of {self.n_patients} patients held out"
        gain = f"{self.gain:+.4f} nats an image ({self.gain_low:+.4f} to {self.gain_high:+.4f}) {judged}"
        if self.on:
            silent = "" if self.pooled_kept else ", and the pooled path adds nothing to it"
            return f"on, {self.graph_kept:.0%} of it kept: it gains {gain}{silent}"
        early = f", after {self.n_models} of {self.n_planned} models" if self.n_models < self.n_planned else ""
        return f"refused{early}: it gains {gain}"


@dataclass(frozen=True)
class HeldOut:
    """What the paths say of n images that fitted neither.

    Attributes
    ----------
    pooled, graph
        Logits, float64 (n, n_classes); those of the graph path are added to the pooled ones.
    labels
        int64 (n,).
    patients
        Whose images they are, text (n,).
    weights
        float64 (n,), weight of each image in the loss.
    models
        Number of the graph model that did not see the image, int64 (n,).
    """

    pooled: Float64s
    graph: Float64s
    labels: Int64s
    patients: NDArray[np.str_]
    weights: Float64s
    models: Int64s

    def of(self, chosen: Bools) -> "HeldOut":
        """The images for which the mask ``chosen`` (n,) is True."""
        return HeldOut(*(getattr(self, part.name)[chosen] for part in fields(self)))

    def logits(self, pooled_kept: float, graph_kept: float) -> Float64s:
        """Logits float64 (n, n_classes) with so much of each path."""
        return pooled_kept * self.pooled + graph_kept * self.graph

    def losses(self, pooled_kept: float, graph_kept: float) -> Float64s:
        """Weighted cross-entropy of each image in nats, float64 (n,), with so much of each path."""
        return cross_entropies(self.logits(pooled_kept, graph_kept), self.labels) * self.weights


def pooled_share(held_out: HeldOut) -> float:
    """Factor on the pooled path where it stands alone, from 0 to SHARPEST, drawn to 1 where images are few."""
    best = minimize(lambda kept: _loss(held_out, kept[0], 0.0), [1.0], bounds=[(0, SHARPEST)], method="L-BFGS-B")
    return float(best.x[0])


def shares(held_out: HeldOut) -> tuple[float, float]:
    """Factor on the pooled path, from 0 to SHARPEST, and how much to keep of the graph path beside it, from 0 to 1."""
    start = [pooled_share(held_out), 0.5]
    best = minimize(lambda kept: _loss(held_out, *kept), start, bounds=[(0, SHARPEST), (0, 1)], method="L-BFGS-B")
    return float(best.x[0]), float(best.x[1])


def beside_graph(held_out: HeldOut, both: tuple[float, float]) -> tuple[float, float]:
    """Factors where the graph path is on: ``both``, or none on a pooled path that adds nothing to it."""
    best = minimize(lambda kept: _loss(held_out, 0.0, kept[0]), [both[1]], bounds=[(0, 1)], method="L-BFGS-B")
    graph_alone = 0.0, float(best.x[0])
    added = held_out.losses(*graph_alone) - held_out.losses(*both)
    return both if _is_enough(*_gain_and_margin(added, held_out.patients)) else graph_alone


def _gain_and_margin(gained: Float64s, patients: NDArray[np.str_]) -> tuple[float, float]:
    """Mean fall of the losses, and half its 90 % interval over patients."""
    return float(gained.mean()), ONE_SIDED_95 * standard_error(gained, patients)


def _is_enough(gain: float, margin: float) -> bool:
    """Whether a path gains LEAST_GAIN, and more than patients would give by chance."""
    return gain > max(margin, LEAST_GAIN)


def _loss(held_out: HeldOut, pooled_kept: float, graph_kept: float) -> float:
    """Mean loss, and that of a factor on the pooled path other than 1 (a normal prior of SD 1), per image."""
    prior = (pooled_kept - 1) ** 2 / 2
    return float(held_out.losses(pooled_kept, graph_kept).mean() + prior / max(len(held_out.labels), 1))


def refuses(held_out: HeldOut) -> bool:
    """Whether enough images, held out of enough models, say already that the graph path adds nothing."""
    if len(held_out.labels) < LEAST_IMAGES_TO_REFUSE or len(np.unique(held_out.models)) < LEAST_MODELS_TO_REFUSE:
        return False
    return bool(gains(held_out, pooled_share(held_out), shares(held_out)).mean() < LEAST_GAIN)


def gains(held_out: HeldOut, alone: float, kept: tuple[float, float]) -> Float64s:
    """Fall of each image's loss from the pooled path alone to so much of both, float64 (n,)."""
    return held_out.losses(alone, 0.0) - held_out.losses(*kept)


def judge(held_out: HeldOut, *, n_models: int, n_planned: int, n_pooled: int) -> GraphGate:
    """Decide by images held out; without two classes and two patients among them the graph path is kept as it is."""
    n_images, n_patients = len(held_out.labels), len(set(held_out.patients))
    counts = {
        "n_images": n_images,
        "n_patients": n_patients,
        "n_models": n_models,
        "n_planned": n_planned,
        "n_pooled": n_pooled,
    }
    equal = (1 / n_models,) * n_models
    alone = pooled_share(held_out) if n_images else 1.0
    if len(np.unique(held_out.labels)) < 2 or n_patients < 2:
        return GraphGate(
            on=True,
            judged=False,
            pooled_kept=alone,
            graph_kept=1.0,
            pooled_alone=alone,
            gain=None,
            gain_low=None,
            gain_high=None,
            votes=equal,
            **counts,
        )
    both = shares(held_out)
    gained = gains(held_out, alone, both)
    gain, margin = _gain_and_margin(gained, held_out.patients)
    on = _is_enough(gain, margin)
    pooled_kept, graph_kept = beside_graph(held_out, both) if on else (alone, 0.0)
    return GraphGate(
        on=on,
        judged=True,
        pooled_kept=pooled_kept,
        graph_kept=graph_kept,
        pooled_alone=alone,
        gain=gain,
        gain_low=gain - margin,
        gain_high=gain + margin,
        votes=votes_of(gained, held_out.models, n_models) if on else equal,
        **counts,
    )


def votes_of(gained: Float64s, models: Int64s, n_models: int) -> tuple[float, ...]:
    """Shares, sum 1, of graph models in proportion to what each gained on the images it did not see.

    Parameters
    ----------
    gained
        Fall of each image's loss by the graph path, float64 (n,), positive in sum.
    models
        Which model did not see the image, int64 (n,).
    """
    n_images = np.maximum(np.bincount(models, minlength=n_models), 1)
    means = np.maximum(np.bincount(models, gained, n_models) / n_images, 0.0)
    return tuple(float(share) for share in means / means.sum())


def standard_error(values: Float64s, patients: NDArray[np.str_]) -> float:
    """Standard error of the mean of ``values`` (n,) when whole patients, at least two, are drawn."""
    _, place = np.unique(patients, return_inverse=True)
    by_patient = np.bincount(place, values - values.mean())
    n_patients = len(by_patient)
    return float(np.sqrt((by_patient**2).sum() * n_patients / (n_patients - 1)) / len(values))
