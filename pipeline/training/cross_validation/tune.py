"""``abignet tune``: random search with successive halving, nested in the training part of each fold.

Settings are drawn once and tried in every fold by itself: fitted on its ``train`` and
``structure`` images and scored by the loss on its ``select`` images.  Its test images
are never loaded into a trial, so that testing a fold with its own best settings stays
honest.  The best of one fold may have been chosen with the test images of another; hence
one file of settings a fold, and one for the final model from roles over all images.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml
from sklearn.model_selection import ParameterGrid, ParameterSampler

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.csv_files import write_csv
from pipeline.artefacts.json_files import write_provenance
from pipeline.artefacts.sheet import SlideRow
from pipeline.artefacts.splits import read_splits
from pipeline.devices import choose_device
from pipeline.errors import CohortError, ConfigError, DivergenceError
from pipeline.logs import get_logger
from pipeline.provenance import file_digest, record
from pipeline.training.cohort.cohort_nodes import CohortNodes, load_nodes
from pipeline.training.cohort.determinism import derived_seed
from pipeline.training.cross_validation.train_cohort import chosen_folds
from pipeline.training.fitting.fitting import FITTING_ROLES, fit_model
from pipeline.training.methods.presets import MethodSpec, method_spec
from pipeline.training.params import SplitParams, TrainingParams
from pipeline.training.split_cohort import final_table, labelled_slides, split_cohort

Space = Mapping[str, Sequence[Any]]
"""Values to choose from by key of ``TrainingParams``."""

HALVING = 3
"""Of this many trials one goes on, with this many times the epochs (Jamieson and Talwalkar 2016)."""

NOT_SEARCHED = frozenset({"epochs", "threads", "precision", "temperature_scaling", "embeddings"})
"""Keys that the search sets itself, or that the loss on ``select`` does not judge."""

LEAST_EPOCHS = 5
"""Guard: a shorter training tells learning rates and nothing else."""

TRIAL_COLUMNS: dict[str, str] = {
    "fold": "str",  # number, or final
    "trial": "int64",  # 0 is the method as it is
    "rung": "int64",
    "epochs": "int64",  # most epochs of this rung
    "select_loss": "float64",  # of the kept epoch; infinite where training diverged
    "select_accuracy": "float64",
    "best": "bool",
    # then one column a key of the space
}

log = get_logger("training")


@dataclass(frozen=True)
class Trial:
    """Settings by key, and their number; the settings of trial 0 are empty."""

    number: int
    settings: Mapping[str, Any]


def declared_space(spec: MethodSpec) -> dict[str, list[Any]]:
    """Values worth trying for a method: those that its generator and classifier know.

    Raises
    ------
    ConfigError
        If the method has nothing to tune.
    """
    if spec.classifier == "logistic":
        raise ConfigError(f"tune: {spec.name} has no settings to search; choose another method.")
    space: dict[str, list[Any]] = {
        "learning_rate": [3e-4, 1e-3, 3e-3],
        "weight_decay": [0.0, 0.03, 0.1, 0.3],
        "dropout": [0.0, 0.1, 0.3],
    }
    if spec.classifier != "paper_gcn":
        space["hidden"] = [16, 32, 64]
    if spec.classifier == "relational":
        space["layers"] = [1, 2, 3]
    if spec.generator in ("metric", "pair_mlp"):
        space["generator_learning_rate"] = [1e-3, 3e-3, 1e-2]
    if spec.generator == "metric":
        space |= {"heads": [2, 4, 8], "temperature": [4.0, 8.0, 12.0]}
    if spec.generator in ("metric", "cosine", "spatial"):
        space["target_degree"] = [4, 8, 16]
    return space


def tune(
    rows: Sequence[SlideRow],
    features: Mapping[str, Path],
    out_dir: str | Path,
    *,
    method: str,
    seed: int,
    only_fold: int | None,
    n_trials: int,
    space: Space | None,
    splits: SplitParams,
    training: TrainingParams,
    device: str,
    source: str,
) -> pd.DataFrame:
    """Search the settings of ``method`` in every fold and for the final model; return all trials.

    Writes ``splits.csv`` (as ``train_cohort`` would with this seed), ``trials.csv``,
    ``fold_{k}.yaml`` and ``final.yaml``, each a configuration with the best settings.

    Parameters
    ----------
    only_fold
        Search in this fold alone; None in all of them and for the final model.
    n_trials
        Settings drawn, the method's own among them.
    space
        Values by key of the config's section ``training``; None is ``declared_space``.
    training
        What every trial shares.

    Raises
    ------
    AbignetError
        See ``split_cohort`` and ``fit_model``.
    CohortError
        If a fold has no ``select`` image.
    ConfigError
        If a key or value of the space is not allowed.
    """
    spec = method_spec(method, training)
    chosen = declared_space(spec) if space is None else space
    trials = draw_trials(chosen, n_trials, training, seed)
    out = Path(out_dir)
    split_cohort(rows, features, out / "splits.csv", out / "excluded.csv", params=splits, seeds=[seed], source=source)
    table = read_splits(out / "splits.csv")
    places = {f"fold_{fold}": table[table["fold"] == fold] for fold in chosen_folds(table, only_fold)}
    if only_fold is None:
        places["final"] = final_table(labelled_slides(table), splits, seed)
    cohort = load_nodes(features, list(dict.fromkeys(table["slide_id"])), training.embeddings)
    found = []
    for place, fold_rows in places.items():
        searched, best = _search(cohort, fold_rows, trials, method, training, seed, place, choose_device(device))
        found.append(searched)
        _write_settings(out / f"{place}.yaml", replace(training, **best.settings), splits, seed)
    result = pd.concat(found, ignore_index=True)
    write_csv(out / "trials.csv", result, TRIAL_COLUMNS)
    stages = {"method": method, "seed": seed, "space": dict(chosen), "training": asdict(training)}
    write_provenance(out, record(params=stages, source=source, upstream={"splits": file_digest(out / "splits.csv")}))
    return result


def draw_trials(space: Space, n_trials: int, training: TrainingParams, seed: int) -> list[Trial]:
    """Trial 0, the settings as they are, and others drawn without repeating from ``space``.

    Raises
    ------
    ConfigError
        If a key or value is not one of ``TrainingParams``.
    """
    unknown = sorted(set(space) - (set(asdict(training)) - NOT_SEARCHED))
    if unknown:
        raise ConfigError(f"tune: {unknown[0]}: not a key of the config's section training that can be searched.")
    for key, values in space.items():
        for value in values:
            replace(training, **{key: value})
    n_drawn = min(n_trials - 1, len(ParameterGrid(dict(space))))
    drawn = ParameterSampler(dict(space), n_drawn, random_state=derived_seed(seed, "tune") % 2**32) if n_drawn else []
    return [Trial(0, {}), *(Trial(number, settings) for number, settings in enumerate(drawn, start=1))]


def rung_epochs(n_trials: int, epochs: int) -> list[int]:
    """Most epochs of each rung: the last has all ``epochs``, each before it a third, while trials and epochs last."""
    n_rungs = 1 + math.floor(math.log(max(n_trials, 1), HALVING) + 1e-9)
    lengths = [math.ceil(epochs / HALVING**power) for power in reversed(range(n_rungs))]
    return [length for length in lengths[:-1] if length >= LEAST_EPOCHS] + lengths[-1:]


def _search(
    cohort: CohortNodes,
    rows: pd.DataFrame,
    trials: Sequence[Trial],
    method: str,
    training: TrainingParams,
    seed: int,
    place: str,
    device: torch.device,
) -> tuple[pd.DataFrame, Trial]:
    """Trials of one place by successive halving, and the best of the last rung."""
    untested = rows[rows["role"].isin(FITTING_ROLES)]
    if not (untested["role"] == "select").any():
        raise CohortError(f"tune: {place} has no image of the role select, which scores trials; raise select_share.")
    lengths = rung_epochs(len(trials), method_spec(method, training).settings.epochs)
    scored, standing = [], list(trials)
    for rung, epochs in enumerate(lengths):
        results = []
        for trial in standing:
            spec = method_spec(method, replace(training, **trial.settings, epochs=epochs))
            loss, accuracy = _score(cohort, untested, spec, training, seed, place, device)
            results.append((loss, trial))
            place_of_trial = {"fold": place.removeprefix("fold_"), "trial": trial.number, "rung": rung}
            score = {"epochs": epochs, "select_loss": loss, "select_accuracy": accuracy, "best": False}
            scored.append({**place_of_trial, **score, **trial.settings})
            log.info("tune %s: trial %d, %d epochs: select loss %.4f", place, trial.number, epochs, loss)
        ranked = [trial for _, trial in sorted(results, key=lambda result: result[0])]
        standing = ranked[: math.ceil(len(ranked) / HALVING)]
    frame = pd.DataFrame(scored)
    frame["best"] = (frame["rung"] == len(lengths) - 1) & (frame["trial"] == standing[0].number)
    return frame, standing[0]


def _score(
    cohort: CohortNodes,
    rows: pd.DataFrame,
    spec: MethodSpec,
    training: TrainingParams,
    seed: int,
    place: str,
    device: torch.device,
) -> tuple[float, float]:
    """Loss and accuracy on ``select`` of the epoch kept, with the seeds of ``train_fold``."""
    purpose = place.replace("_", " ")
    try:
        _, history = fit_model(cohort, rows, spec, seed=seed, purpose=purpose, device=device, fitting=training.fitting)
    except DivergenceError:
        return math.inf, math.nan
    kept = history[history["selected"]].iloc[0]
    return float(kept["select_loss"]), float(kept["select_accuracy"])


def _write_settings(path: Path, training: TrainingParams, splits: SplitParams, seed: int) -> None:
    content = {"seeds": [seed], "splits": asdict(splits), "training": asdict(training)}
    with writing(path) as temporary:
        temporary.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
