"""Training on a device: speed, accuracy, edges, precision, repeatability, going on after a kill, every method."""

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from common import REHEARSE, Report, arguments, kernel_share, peak_mib, reset_peak, sync, timed

sys.path.insert(0, os.path.join(os.environ["PROJECT"], "benchmarks"))
from planted_fits import PATCH_L0, StartOfFit, edge_auroc, pretrained, rows_of

from pipeline.synthetic.planted import PlantedParams, plant_images
from pipeline.training.classifiers.image_classifier import build_model
from pipeline.training.cohort.cohort_nodes import CohortNodes, SlideNodes
from pipeline.training.cohort.determinism import deterministic_torch
from pipeline.training.cohort.seeds import Seeds
from pipeline.training.fitting import bilevel, unfinished
from pipeline.training.fitting.fitting import fit_model
from pipeline.training.fitting.fitting_task import FittingTask
from pipeline.training.fitting.inference import accuracy_of, predict_logits, predict_probabilities
from pipeline.training.fitting.standardised_images import node_image
from pipeline.training.fitting.steps import (
    Objective,
    TrainingImages,
    descend,
    hypergradient_loss,
    joined_steps,
    level_loss,
    make_optimisers,
    mixed_precision,
    planned_steps,
)  # fmt: skip
from pipeline.training.fitting.unfinished import UnfinishedFit
from pipeline.training.graphs.image_batches import NodeImage, PaddedBatch
from pipeline.training.graphs.resident_images import store_images
from pipeline.training.methods.presets import METHODS, method_spec
from pipeline.training.params import FittingParams, TrainingParams

options = arguments(("--profile", {}))
DEVICE = torch.device(options.device)
GPU = DEVICE.type == "cuda"
report = Report(options, f"train/{DEVICE.type}")
N_LABELLED, N_TEST = (60, 40) if REHEARSE else (500, 500)
FULL = {"epochs": 3, "pretraining_steps": 20} if REHEARSE else {}


class Cohort:
    """A planted cohort as the command would load it."""

    def __init__(self, n_labelled, n_test, seed=0, **numbers):
        self.planted = plant_images(PlantedParams(n_images=n_labelled + n_test, **numbers), seed)
        self.n = n_labelled
        self.nodes = {
            i.slide_id: SlideNodes(i.features, (i.coords / PATCH_L0).astype(np.float32)) for i in self.planted
        }
        self.cohort = CohortNodes(self.nodes, tuple(f"f{c}" for c in range(self.planted[0].features.shape[1])))
        self.rows = rows_of(self.planted, n_labelled)

    def fit(self, method="default", seed=0, kept=None, device=DEVICE, **numbers):
        params = TrainingParams(**numbers)
        task = FittingTask(method_spec(method, params), Seeds(seed, "benchmark"), device, params.fitting)
        return fit_model(self.cohort, self.rows, task, *([] if kept is None else [kept]))

    def test_images(self, model, device=DEVICE):
        return [node_image(self.nodes[i.slide_id], model.scaler, int(i.label), device) for i in self.planted[self.n :]]


COHORTS = {}


def cohort(*key, **numbers):
    name = (key, tuple(sorted(numbers.items())))
    if name not in COHORTS:
        COHORTS[name] = Cohort(*key, **numbers)
    return COHORTS[name]


def state_of(model):
    return {name: value.detach().cpu() for name, value in model.network.state_dict().items()}


def differences(one, two):
    """Whether two trainings are equal to the bit, and the largest difference."""
    (model_a, history_a), (model_b, history_b) = one, two
    a, b = state_of(model_a), state_of(model_b)
    largest = max(float((a[name].double() - b[name].double()).abs().max()) for name in a)
    columns = [c for c in ("lower_loss", "upper_loss", "select_loss") if c in history_a]
    rows = min(len(history_a), len(history_b))
    same = all(
        np.array_equal(*(np.asarray(h[c][:rows], float) for h in (history_a, history_b)), equal_nan=True)
        for c in columns
    )
    return {"bits_equal": all(torch.equal(a[name], b[name]) for name in a), "largest": largest, "history_equal": same}


def scored(data, model, history, wall, cpu, start=None):
    images = data.test_images(model)
    tested, _, accuracy = timed(DEVICE, lambda: accuracy_of(model.network, images))
    edges = edge_auroc(model.network, data.planted[data.n :], images)
    before = None
    network = None if start is None else pretrained(model, start.weights)
    if network is not None:
        before = edge_auroc(network.to(DEVICE), data.planted[data.n :], images)
    return {"wall_s": wall, "cpu_s": cpu, "epochs": len(history), "accuracy": accuracy,
            "edges_pretrained": before, "edges": edges, "evaluate_s": tested, "peak_mib": peak_mib(DEVICE)}  # fmt: skip


def whole(method="default", n=N_LABELLED, n_test=N_TEST, **numbers):
    data, start = cohort(n, n_test), StartOfFit()
    reset_peak(DEVICE)
    wall, cpu, (model, history) = timed(DEVICE, lambda: data.fit(method, kept=start, **numbers))
    return scored(data, model, history, wall, cpu, start), (model, history)


def default_float32():
    found, fitted = whole(**FULL)
    FITTED["float32"] = fitted
    return found


FITTED = {}


def default_bfloat16():
    found, fitted = whole(**FULL, precision="bfloat16")
    if "float32" in FITTED:
        data = cohort(N_LABELLED, N_TEST)
        p = [
            predict_probabilities(m.network, data.test_images(m), n_classes=2)
            for m in (FITTED["float32"][0], fitted[0])
        ]
        found["largest_probability_difference"] = float(np.abs(p[0] - p[1]).max())
    return found


def recorded_steps():
    """Whole trainings with ``cuda_graphs`` off and on: bits, which are equal for images of one size, and seconds."""
    off, fitted = whole(**FULL)
    on, recorded = whole(**FULL, cuda_graphs=True)
    return {"off": off, "on": on, **differences(fitted, recorded)}


def kernels():
    """Share of wall time with a kernel running, in a training of ten epochs."""
    data = cohort(N_LABELLED, 0)
    return kernel_share(
        DEVICE, lambda: data.fit(epochs=2 if REHEARSE else 10, pretraining_steps=10 if REHEARSE else 100)
    )


def same_seed_twice():
    data, few = cohort(N_LABELLED, 0), {"epochs": 2 if REHEARSE else 10, "pretraining_steps": 10 if REHEARSE else 100}
    return differences(data.fit(**few), data.fit(**few))


def same_seed_twice_bfloat16():
    data, few = (
        cohort(N_LABELLED, 0),
        {"epochs": 2 if REHEARSE else 6, "pretraining_steps": 10, "precision": "bfloat16"},
    )
    return differences(data.fit(**few), data.fit(**few))


def paper_a():
    n = 20 if REHEARSE else 100
    found, _ = whole("paper_a", n, 50 if REHEARSE else 200, epochs=2 if REHEARSE else 8)
    return found | {"s_epoch": found["wall_s"] / found["epochs"]}


def every_method():
    """Two epochs of each, and twice the same bits."""
    data, found = cohort(40, 20), {}
    small = {"epochs": 2, "pretraining_steps": 10}
    cases = {name: (name, {}) for name in METHODS} | {
        "default+distance": ("default", {"spatial_term": True}), "default all pairs": ("default", {"target_degree": 0}),
        "default+temperature": ("default", {"temperature_scaling": True}),
        "unrolled": ("default", {"upper_gradient": "unrolled"}), "neumann": ("default", {"upper_gradient": "neumann"}),
        "paper_a neumann": ("paper_a", {"upper_gradient": "neumann", "neumann_terms": 1}),
        "sparse default": ("default", {"dense_limit": 20}), "sparse joint": ("joint", {"dense_limit": 20}),
        "sparse distance": ("default", {"dense_limit": 20, "spatial_term": True}),
        "sparse unrolled": ("default", {"dense_limit": 20, "upper_gradient": "unrolled"}),
        "sparse neumann": ("default", {"dense_limit": 20, "upper_gradient": "neumann"}),
        "sparse cosine_graph": ("cosine_graph", {"dense_limit": 20}),
        "sparse spatial_graph": ("spatial_graph", {"dense_limit": 20}),
    }  # fmt: skip
    if GPU:
        cases |= {f"bf16 {name}": (method, more | {"precision": "bfloat16"}) for name, (method, more) in cases.items()
                  if "upper_gradient" not in more and method != "logistic" and "temp" not in name}  # fmt: skip
    failed, unequal = {}, []
    for name, (method, more) in cases.items():
        try:
            one = data.fit(method, **small, **more)
            logits = predict_logits(one[0].network, data.test_images(one[0]))
            edge_auroc(one[0].network, data.planted[data.n :], data.test_images(one[0]))
            if not torch.isfinite(logits).all():
                failed[name] = "logits that are no numbers"
            two = data.fit(method, **small, **more)
            if not differences(one, two)["bits_equal"]:
                unequal.append(f"{name} {differences(one, two)['largest']:.1e}")
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {str(error)[:160]}"
    found = {"cases": len(cases), "failed": failed, "unequal_bits": unequal}
    return found


class Killed(Exception):
    pass


def goes_on():
    """A training that is killed after three epochs and goes on ends with the bits of one that was not."""
    data, found = cohort(60, 0), {}
    for method, precision in (("default", "float32"), ("paper_a", "float32"), ("default", "bfloat16")):
        if precision == "bfloat16" and not GPU:
            continue
        numbers = {"epochs": 6, "pretraining_steps": 20, "precision": precision, "dropout": 0.3}
        folder = Path(options.out).with_suffix(".partial") / f"{method}-{precision}"
        shutil.rmtree(folder, ignore_errors=True)
        uncut = data.fit(method, **numbers)
        seconds, record = unfinished.PART_SECONDS, bilevel._record
        unfinished.PART_SECONDS = 0.0

        def dies(epoch, *rest, record=record, **more):
            if epoch == 3:
                raise Killed
            return record(epoch, *rest, **more)

        bilevel._record = dies
        try:
            data.fit(method, kept=UnfinishedFit(folder, {"by": 1}), **numbers)
        except Killed:
            pass
        finally:
            bilevel._record = record
        written = len(list(folder.rglob("*.pt")))
        try:
            again = data.fit(method, kept=UnfinishedFit(folder, {"by": 1}), **numbers)
        finally:
            unfinished.PART_SECONDS = seconds
        found[f"{method} {precision}"] = {"states": written, **differences(uncut, again)}
    return found


def roles_of(data):
    """Images by role, which lie on the device one after the other."""
    pooled = np.concatenate([image.features for image in data.planted])
    each = [
        NodeImage(torch.from_numpy((i.features - pooled.mean(0)) / pooled.std(0)),
                  torch.from_numpy(i.coords.astype(np.float32) / PATCH_L0), int(i.label))
        for i in data.planted
    ]  # fmt: skip
    images = store_images(each, sum(image.n_nodes for image in each), DEVICE)
    first, second = round(0.6 * len(images)), round(0.85 * len(images))
    return TrainingImages(images[:first], images[first:second], images[second:])


def epoch_of(spec, roles, fitting=FittingParams()):
    torch.manual_seed(0)
    model = build_model(spec, roles.train[0].x.shape[1], 2).to(DEVICE)
    optimisers, order = make_optimisers(model, spec), torch.Generator()
    objective = Objective(spec, torch.ones(2, device=DEVICE), fitting)

    def epoch():
        model.generator.start_epoch(0)
        for level, batch, answering in joined_steps(roles, planned_steps(model, roles, spec, order)):
            if level == "upper" and fitting.upper_gradient != "first_order":
                hypergradient_loss(model, batch, answering(), objective)
                optimisers[level].step()
            else:
                with mixed_precision(DEVICE, fitting):
                    loss, _ = level_loss(model, batch, level, objective)
                descend(optimisers[level], loss, spec.settings.gradient_clip)

    return epoch


def with_settings(spec, **changes):
    return replace(spec, settings=replace(spec.settings, **changes))


def epochs(cases, repeats=2):
    found = {}
    with deterministic_torch(0, threads=1, device=DEVICE):
        for name, (spec, roles, fitting) in cases.items():
            reset_peak(DEVICE)
            try:
                wall, cpu, _ = timed(DEVICE, epoch_of(spec, roles, fitting), repeats, warm=1)
                found[name] = {"s": wall, "cpu": cpu} | ({"mib": peak_mib(DEVICE)} if GPU else {})
            except torch.OutOfMemoryError as error:
                found[name] = {"oom": str(error)[:80]}
    return found


def gradients():
    roles, spec = roles_of(cohort(30 if REHEARSE else 300, 0)), METHODS["default"]
    kinds = ("first_order", "unrolled", "neumann")
    return epochs({kind: (spec, roles, FittingParams(upper_gradient=kind)) for kind in kinds}, 1)


def batching():
    roles, first = roles_of(cohort(30 if REHEARSE else 300, 0)), FittingParams()
    cases = {f"{name} {size}": (with_settings(METHODS[name], batch_size=size), roles, first)
             for name, sizes in (("default", (1, 16, 64, 256)), ("paper_a", (1, 16, 64))) for size in sizes}  # fmt: skip
    if GPU:
        cases["default 64 bf16"] = (
            with_settings(METHODS["default"], batch_size=64),
            roles,
            FittingParams(precision="bfloat16"),
        )
        cases["paper_a 16 bf16"] = (
            with_settings(METHODS["paper_a"], batch_size=16),
            roles,
            FittingParams(precision="bfloat16"),
        )
    return epochs(cases, 1)


def larger_images():
    """Seconds of one epoch over few images of many patches: where a GPU should win."""
    cases, first = {}, FittingParams()
    for patches, n in ((120, 8),) if REHEARSE else ((200, 100), (1000, 24), (2000, 12)):
        roles = roles_of(cohort(n, 0, n_pairs=2 * patches // 5, n_distractors=patches // 5))
        for method in ("default", "paper_a"):
            if not GPU and method == "paper_a" and patches > 1000:
                continue
            cases[f"{method} {patches}x{n}"] = (METHODS[method], roles, first)
        sparse = with_settings(METHODS["default"], dense_limit=patches // 2)
        cases[f"sparse {patches}x{n}"] = (sparse, roles, first)
        if GPU:
            cases[f"default bf16 {patches}x{n}"] = (METHODS["default"], roles, FittingParams(precision="bfloat16"))
    return epochs(cases, 1)


def pretraining():
    """Seconds of a pre-training step, of 40 patches and of 1000."""
    from pipeline.training.fitting.pretraining import pretrain

    found = {}
    for name, data in {"40": cohort(N_LABELLED, N_TEST), "1000": cohort(24, 0, n_pairs=400, n_distractors=200)}.items():
        roles, spec = roles_of(data), METHODS["default"]
        steps = 3 if REHEARSE else 50 if GPU or name == "40" else 5
        settings = replace(spec.settings, pretraining_steps=steps)
        with deterministic_torch(0, threads=1, device=DEVICE):
            model = build_model(spec, roles.train[0].x.shape[1], 2).to(DEVICE)
            run = lambda: pretrain(model.generator, roles.train, roles.structure, settings, order_seed=0)
            wall, cpu, _ = timed(DEVICE, run, 1, warm=1 if GPU else 0)
        found[name] = {"ms_step": 1e3 * wall / steps, "cpu_ms": 1e3 * cpu / steps}
    return found


def thousand_patches():
    """``benchmarks/sparse_learning.py --pairs 400 --images 60 --test-images 40 --epochs 15 --similar 16``."""
    n, test, pairs = (8, 4, 30) if REHEARSE else (60, 40, 400)
    data = cohort(n, test, n_pairs=pairs, n_distractors=pairs // 2)
    reset_peak(DEVICE)
    numbers = {
        "epochs": 2 if REHEARSE else 15,
        "dense_limit": 2 * pairs + pairs // 2 - 1,
        "similar_candidates": 16,
        "spatial_candidates": 0,
    }
    start = StartOfFit()
    wall, cpu, (model, history) = timed(DEVICE, lambda: data.fit(kept=start, **numbers))
    return scored(data, model, history, wall, cpu)


def profile():
    """Kernels and time of a step of both levels of ``default``, batches of 16 images of 40 patches."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    roles, spec = roles_of(cohort(30 if REHEARSE else 300, 0)), METHODS["default"]
    found, text = {}, []
    with deterministic_torch(0, threads=1, device=DEVICE):
        for name, run in {
            "default": epoch_of(spec, roles),
            "paper_a": epoch_of(with_settings(METHODS["paper_a"], batch_size=16), roles),
        }.items():
            run()
            sync(DEVICE)
            wall, _, _ = timed(DEVICE, run)
            other = spec if name == "default" else with_settings(METHODS["paper_a"], batch_size=16)
            model = build_model(other, roles.train[0].x.shape[1], 2).to(DEVICE)
            steps = len(planned_steps(model, roles, other, torch.Generator()))
            activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if GPU else [])
            with profiler(activities=activities) as traced:
                run()
                sync(DEVICE)
            averages = traced.key_averages()
            kernels = [e for e in traced.events() if str(e.device_type).endswith("CUDA")]
            on_gpu = sum(e.time_range.elapsed_us() for e in kernels) / 1e6
            found[name] = {"steps": steps, "ms_step": 1e3 * wall / steps, "gpu_ms_step": 1e3 * on_gpu / steps,
                           "gpu_busy": on_gpu / wall, "gpu_events_step": len(kernels) / steps}  # fmt: skip
            for key in (["self_device_time_total"] if GPU else []) + ["self_cpu_time_total"]:
                try:
                    table = averages.table(sort_by=key, row_limit=22, max_name_column_width=60)
                except Exception as error:
                    table = f"{type(error).__name__}: {error}"
                text.append(f"== {name} by {key}\n{table}")
        images = roles.train[:16]
        found["pack_ms"] = 1e3 * timed(DEVICE, lambda: PaddedBatch.of(images), 9, warm=2)[0]
        batch, objective = PaddedBatch.of(images), Objective(spec, torch.ones(2, device=DEVICE), FittingParams())
        model = build_model(spec, roles.train[0].x.shape[1], 2).to(DEVICE)
        optimisers = make_optimisers(model, spec)
        for level in ("lower", "upper"):

            def step(level=level):
                descend(optimisers[level], level_loss(model, batch, level, objective)[0], 1.0)

            found[f"{level}_ms"] = 1e3 * timed(DEVICE, step, 9, warm=3)[0]
    if options.profile:
        Path(options.profile).write_text("\n\n".join(text))
    return found


def determinism_cost():
    """What deterministic kernels cost: an epoch, and a step of pre-training."""
    from pipeline.training.fitting.pretraining import pretrain

    found, spec = {}, METHODS["default"]
    small, large = (
        roles_of(cohort(30 if REHEARSE else 300, 0)),
        roles_of(cohort(24, 0, n_pairs=80 if REHEARSE else 400, n_distractors=40 if REHEARSE else 200)),
    )
    for deterministic in (True, False):
        with deterministic_torch(0, threads=1, device=DEVICE):
            torch.use_deterministic_algorithms(deterministic)
            case = {}
            for name, roles in (("small", small), ("large", large)):
                case[f"{name}_epoch_s"] = timed(DEVICE, epoch_of(spec, roles), 2, warm=1)[0]
                model = build_model(spec, roles.train[0].x.shape[1], 2).to(DEVICE)
                settings = replace(spec.settings, pretraining_steps=3 if REHEARSE else 25)
                run = lambda: pretrain(model.generator, roles.train, roles.structure, settings, order_seed=0)
                case[f"{name}_pretraining_ms"] = 1e3 * timed(DEVICE, run, 1, warm=1)[0] / settings.pretraining_steps
            found["on" if deterministic else "off"] = case
    return found


if GPU:
    torch.zeros(8, device=DEVICE).sum().item()
SECTIONS = {
    "default_float32": (default_float32, 110),
    "kernels": (kernels, 60),
    "default_bfloat16": (default_bfloat16, 80),
    "recorded_steps": (recorded_steps, 90),
    "same_seed_twice": (same_seed_twice, 50),
    "every_method": (every_method, 70),
    "paper_a": (paper_a, 60),
    "goes_on": (goes_on, 40),
    "profile": (profile, 40),
    "batching": (batching, 50),
    "larger_images": (larger_images, 60),
    "gradients": (gradients, 30),
    "thousand_patches": (thousand_patches, 70),
    "pretraining": (pretraining, 30),
    "determinism_cost": (determinism_cost, 40),
    "same_seed_twice_bfloat16": (same_seed_twice_bfloat16, 30),
}
ON_CPU = ("default_float32", "paper_a", "batching", "gradients", "pretraining", "larger_images")
for name, (call, limit) in SECTIONS.items():
    if GPU or name in (options.only or ON_CPU):
        report.section(name, call, limit if GPU else 400)
