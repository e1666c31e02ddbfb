r"""Gradients of an upper loss through weights that a lower loss fits.

With lower weights w and upper weights theta,

.. math:: \min_\theta L_{up}(w^*(\theta), \theta), \quad w^*(\theta) = \arg\min_w L_{low}(w, \theta),

the derivative is a direct part, d L_up / d theta at constant w, and one through w.  Both
functions here add the latter, each by its approximation of w*.  Losses are functions
without arguments of weights that they hold; weights are moved in place and put back to
the bit.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

Loss = Callable[[], Tensor]
"""Scalar loss at the present weights; noise is drawn from torch's global generator."""

FINITE_STEP = 1e-3
"""Length of the finite difference in w.

Liu et al. (2019, footnote 3) take 0.01, which crosses kinks of the ReLUs of a network of
8 hidden units and is then wrong by half; below 1e-4 rounding of float32 shows.
"""

SMALLEST_NORM = 1e-12
"""Guard: norm of a gradient below which there is no direction to differ along."""


def unrolled_gradient(
    upper_loss: Loss, lower_loss: Loss, upper: Sequence[Tensor], lower: Sequence[Tensor], *, step: float
) -> list[Tensor]:
    r"""Gradient for theta with w* taken as one lower step from w (DARTS, Liu et al. 2019, eq. 7 and 8).

    .. math:: \nabla_\theta L_{up}(w', \theta) - \xi \frac{\nabla_\theta L_{low}(w^+, \theta)
        - \nabla_\theta L_{low}(w^-, \theta)}{2 \epsilon}

    with w' = w - xi grad_w L_low, v = grad_w' L_up, w+- = w +- epsilon v and epsilon =
    ``FINITE_STEP`` / ||v||.

    Parameters
    ----------
    upper, lower
        Weights theta and w, all requiring gradients.
    step
        xi; 0 leaves the first-order gradient.

    Returns
    -------
    One gradient for each of ``upper``, of its shape.
    """
    with _moved(lower, _gradients(lower_loss(), lower), -step):
        gradients = _gradients(upper_loss(), [*upper, *lower])
    direct, outward = gradients[: len(upper)], gradients[len(upper) :]
    norm = float(torch.stack([g.norm() for g in outward]).norm()) if outward else 0.0
    if norm < SMALLEST_NORM:
        return direct
    radius = FINITE_STEP / norm
    # Both sides must see the same noise, or its difference drowns theirs.
    with torch.random.fork_rng(devices=_cuda_devices(lower)), _moved(lower, outward, radius):
        above = _gradients(lower_loss(), upper)
    with _moved(lower, outward, -radius):
        below = _gradients(lower_loss(), upper)
    return [d - step * (a - b) / (2 * radius) for d, a, b in zip(direct, above, below, strict=True)]


def neumann_gradient(
    upper_loss: Loss, lower_loss: Loss, upper: Sequence[Tensor], lower: Sequence[Tensor], *, step: float, terms: int
) -> list[Tensor]:
    r"""Gradient for theta by the implicit function theorem (Lorraine et al. 2020, algorithms 2 and 3).

    .. math:: \frac{\partial L_{up}}{\partial \theta} - \frac{\partial L_{up}}{\partial w}
        \Big[\alpha \textstyle\sum_{j=0}^{J} (I - \alpha H)^j\Big]
        \frac{\partial^2 L_{low}}{\partial w \, \partial \theta}, \quad H = \partial^2 L_{low} / \partial w^2

    The bracket tends to the inverse of H where alpha is below 2 over its largest
    eigenvalue and H is positive definite.  Exact where w is a minimum of L_low.

    Parameters
    ----------
    upper, lower
        Weights theta and w, all requiring gradients.
    step
        alpha.
    terms
        J, products with H; 0 takes alpha I for its inverse.

    Returns
    -------
    One gradient for each of ``upper``, of its shape.
    """
    gradients = _gradients(upper_loss(), [*upper, *lower])
    direct, term = gradients[: len(upper)], gradients[len(upper) :]
    slope = _gradients(lower_loss(), lower, create_graph=True)
    inverse = term
    for _ in range(terms):
        curved = _gradients(slope, lower, along=term)
        term = [t - step * c for t, c in zip(term, curved, strict=True)]
        inverse = [i + t for i, t in zip(inverse, term, strict=True)]
    through = _gradients(slope, upper, along=inverse)
    return [d - step * t for d, t in zip(direct, through, strict=True)]


def _gradients(
    of: Tensor | Sequence[Tensor],
    weights: Sequence[Tensor],
    *,
    along: Sequence[Tensor] | None = None,
    create_graph: bool = False,
) -> list[Tensor]:
    """Gradients for ``weights``, 0 where there is no path; ``along`` weighs several outputs and keeps their graph."""
    return list(
        torch.autograd.grad(
            of,
            weights,
            along,
            retain_graph=create_graph or along is not None,
            create_graph=create_graph,
            allow_unused=True,
            materialize_grads=True,
        )
    )


@contextmanager
def _moved(weights: Sequence[Tensor], direction: Sequence[Tensor], length: float) -> Iterator[None]:
    """Hold ``weights`` at ``length`` times ``direction`` from where they are."""
    start = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight, along in zip(weights, direction, strict=True):
            weight.add_(along, alpha=length)
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, previous in zip(weights, start, strict=True):
                weight.copy_(previous)


def _cuda_devices(weights: Sequence[Tensor]) -> list[torch.device]:
    return sorted({weight.device for weight in weights if weight.device.type == "cuda"}, key=str)
