from dataclasses import replace

import pytest
import torch

from pipeline.training.classifiers.image_classifier import build_model
from pipeline.training.fitting.hypergradients import neumann_gradient, unrolled_gradient
from pipeline.training.fitting.steps import Objective, hypergradient_loss
from pipeline.training.graphs.image_batches import NodeImage, PaddedBatch
from pipeline.training.methods.presets import METHODS
from pipeline.training.params import FittingParams

HESSIAN = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
COUPLING = torch.tensor([[1.0, -2.0, 0.0], [0.5, 1.0, 3.0]], dtype=torch.float64)
TARGET = torch.tensor([1.0, -1.0], dtype=torch.float64)
THETA = torch.tensor([0.3, -0.7, 0.2], dtype=torch.float64)
EVEN = torch.ones(2, dtype=torch.float64)


class Quadratic:
    """L_low = w'Hw / 2 - w'C theta, so w* = H^-1 C theta; L_up = |w - t|^2 / 2 + |theta|^2 / 2."""

    def __init__(self, w):
        self.w = w.clone().requires_grad_()
        self.theta = THETA.clone().requires_grad_()

    def lower(self):
        return self.w @ HESSIAN @ self.w / 2 - self.w @ COUPLING @ self.theta

    def upper(self):
        return ((self.w - TARGET) ** 2).sum() / 2 + (self.theta**2).sum() / 2


def test_the_neumann_series_tends_to_the_known_derivative():
    """At w*: d L_up / d theta = theta + C' H^-1 (w* - t)."""
    best = torch.linalg.solve(HESSIAN, COUPLING @ THETA)
    known = THETA + COUPLING.T @ torch.linalg.solve(HESSIAN, best - TARGET)
    errors = []
    for terms in (0, 5, 20, 80):
        problem = Quadratic(best)
        (gradient,) = neumann_gradient(
            problem.upper, problem.lower, [problem.theta], [problem.w], step=0.5, terms=terms
        )
        errors.append(float((gradient - known).norm()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-9


def test_one_unrolled_step_has_the_known_derivative():
    """w' = w - xi (H w - C theta), hence d L_up / d theta = theta + xi C' (w' - t)."""
    start, xi = torch.tensor([0.4, 0.9], dtype=torch.float64), 0.3
    problem = Quadratic(start)
    (gradient,) = unrolled_gradient(problem.upper, problem.lower, [problem.theta], [problem.w], step=xi)
    moved = start - xi * (HESSIAN @ start - COUPLING @ THETA)
    torch.testing.assert_close(gradient, THETA + xi * COUPLING.T @ (moved - TARGET), rtol=1e-9, atol=1e-9)
    assert torch.equal(problem.w, start)


def test_without_a_step_or_a_path_only_the_direct_part_is_left():
    problem = Quadratic(TARGET)
    weights = [problem.theta], [problem.w]
    assert torch.equal(unrolled_gradient(problem.upper, problem.lower, *weights, step=0.0)[0], THETA)
    alone = lambda: (problem.theta**2).sum() / 2  # noqa: E731
    assert torch.equal(unrolled_gradient(alone, problem.lower, *weights, step=0.3)[0], THETA)
    assert torch.equal(neumann_gradient(alone, problem.lower, *weights, step=0.3, terms=3)[0], THETA)


@pytest.fixture
def real(random_images):
    """The default model and a batch of each level, in double precision."""
    spec = replace(METHODS["default"], settings=replace(METHODS["default"].settings, hidden=6, heads=2, projection=3))
    torch.manual_seed(0)
    model = build_model(spec, 5, 2).double()
    upper, lower = (
        PaddedBatch.of(
            [NodeImage(i.x.double(), i.coords.double(), i.label) for i in random_images([5, 4, 6], seed=seed)]
        )
        for seed in (1, 2)
    )
    return spec, model, upper, lower


def gradients_by(kind, real, **numbers):
    spec, model, upper, lower = real
    fitting = FittingParams(upper_gradient=kind, **numbers)
    loss, logits = hypergradient_loss(model, upper, lower, Objective(spec, EVEN, fitting))
    return [weight.grad.clone() for weight in model.generator.parameters()], loss, logits


def cross_entropy_of(model, weights, batch):
    names = [name for name, _ in model.named_parameters()]
    logits = torch.func.functional_call(model, dict(zip(names, weights, strict=True)), (batch,))
    return torch.nn.functional.cross_entropy(logits, batch.labels)


def parts(model):
    """Generator's and classifier's weights as leaves."""
    model.classifier.eval()
    weights = [w.detach().clone().requires_grad_() for w in model.parameters()]
    n_upper = len(list(model.generator.parameters()))
    return weights[:n_upper], weights[n_upper:]


def test_the_unrolled_gradient_is_that_of_autograd_through_the_step(real):
    _, model, upper, lower = real
    gradients, loss, logits = gradients_by("unrolled", real, inner_step=0.2)
    theta, w = parts(model)
    slope = torch.autograd.grad(cross_entropy_of(model, [*theta, *w], lower), w, create_graph=True)
    moved = [weight - 0.2 * s for weight, s in zip(w, slope, strict=True)]
    expected_loss = cross_entropy_of(model, [*theta, *moved], upper)
    expected = torch.autograd.grad(expected_loss, theta)
    for one, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-6)
    torch.testing.assert_close(loss, expected_loss)
    assert logits.shape == (3, 2)
    direct = torch.autograd.grad(cross_entropy_of(model, [*theta, *w], upper), theta)
    assert float((expected[0] - direct[0]).norm()) > 0.01 * float(direct[0].norm())


def test_the_neumann_gradient_is_that_of_a_dense_hessian(real):
    """The same series by a dense Hessian and powers of a matrix."""
    _, model, upper, lower = real
    alpha, terms = 0.1, 3
    gradients, _, _ = gradients_by("neumann", real, inner_step=alpha, neumann_terms=terms)
    theta, w = parts(model)
    flat = torch.cat([weight.flatten() for weight in w]).detach().requires_grad_()
    sizes = [weight.numel() for weight in w]

    def loss_at(vector, batch, upper_weights):
        shaped = [v.view_as(weight) for v, weight in zip(vector.split(sizes), w, strict=True)]
        return cross_entropy_of(model, [*upper_weights, *shaped], batch)

    hessian = torch.autograd.functional.hessian(lambda vector: loss_at(vector, lower, theta), flat)
    outward = torch.autograd.grad(loss_at(flat, upper, theta), flat)[0]
    eye = torch.eye(len(flat), dtype=torch.float64)
    series = sum(torch.linalg.matrix_power(eye - alpha * hessian, j) for j in range(terms + 1))
    slope = torch.autograd.grad(loss_at(flat, lower, theta), flat, create_graph=True)[0]
    through = torch.autograd.grad(slope @ (alpha * series @ outward), theta)
    direct = torch.autograd.grad(loss_at(flat, upper, theta), theta)
    for one, d, t in zip(gradients, direct, through, strict=True):
        torch.testing.assert_close(one, d - t, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", ["unrolled", "neumann"])
def test_the_classifier_stays_where_it_was(kind, real):
    before = [weight.clone() for weight in real[1].classifier.parameters()]
    gradients_by(kind, real)
    assert all(torch.equal(a, b) for a, b in zip(before, real[1].classifier.parameters(), strict=True))


@pytest.mark.parametrize("kind", ["unrolled", "neumann"])
def test_the_edge_penalty_is_in_the_upper_loss_alone(kind, real):
    spec, model, upper, lower = real
    _, plain, _ = gradients_by(kind, real)
    _, penalised, _ = gradients_by(kind, (replace(spec, edge_penalty=0.5), model, upper, lower))
    torch.testing.assert_close(penalised - plain, 0.5 * model.generator(upper).weights.mean())


def test_both_sides_of_the_difference_see_the_same_noise(random_images):
    """The noise of pair_mlp, drawn anew for each side, would be divided by the tiny difference."""
    torch.manual_seed(0)
    spec = METHODS["paper_b"]
    model = build_model(spec, 5, 2)
    upper, lower = PaddedBatch.of(random_images([5] * 3)), PaddedBatch.of(random_images([5] * 3, seed=1))
    sizes = []
    for step in (1e-9, 1e-3):
        torch.manual_seed(1)
        fitting = FittingParams(upper_gradient="unrolled", inner_step=step)
        hypergradient_loss(model, upper, lower, Objective(spec, torch.ones(2), fitting))
        sizes.append(float(torch.cat([w.grad.flatten() for w in model.generator.parameters()]).norm()))
    assert sizes[1] == pytest.approx(sizes[0], rel=0.5)
