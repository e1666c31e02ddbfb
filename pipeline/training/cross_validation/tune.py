"""``abignet tune``: random search with successive halving, nested in the training part of each fold.

Settings are drawn once and tried in every fold by itself: fitted on its ``train`` and
``structure`` images and scored by the loss on its ``select`` images.  Its test images
are never loaded into a trial, so that testing a fold with its own best settings stays
honest.  The best of one fold may have been chosen with the test images of another; hence
one file of settings a fold, and one for the final model from roles over all images.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from sklearn.model_selection import ParameterGrid, ParameterSampler

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.csv_files import write_csv
from pipeline.artefacts.json_files import write_provenance
from pipeline.artefacts.sheet import SlideRow
from pipeline.artefacts.splits import read_splits
from pipeline.devices import choose_device
from pipeline.errors import CohortError, ConfigError, DivergenceError, OnMismatch
from pipeline.logs import get_logger
from pipeline.provenance import file_digest, record
from pipeline.training.cohort.cohort_nodes import CohortNodes, load_nodes
from pipeline.training.cohort.made_alike import check_made_alike
from pipeline.training.cohort.role_tables import final_table, slides_of_splits
from pipeline.training.cohort.roles import Split
from pipeline.training.cohort.seeds import derived_seed
from pipeline.training.cross_validation.train_cohort import chosen_folds
from pipeline.training.fitting.fitting import FITTING_ROLES, fit_model
from pipeline.training.fitting.fitting_task import FittingTask
from pipeline.training.methods.packages import require_package
from pipeline.training.methods.presets import MethodSpec, method_spec
from pipeline.training.params import ReadingParams, SplitParams, TrainingParams
from pipeline.training.split_cohort import EXCLUDED, SPLITS, SplitJob, split_cohort

Space = Mapping[str, Sequence[Any]]
"""Values to choose from by key of ``TrainingParams``."""

HALVING = 3
"""Of this many trials one goes on, with this many times the epochs (Jamieson and Talwalkar 2016)."""

NOT_SEARCHED = frozenset(
    {
        *("epochs", "threads", "message_passing", "precision", "temperature_scaling", "embeddings"),
        *(key.name for key in fields(ReadingParams)),
    }
)
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
        raise ConfigError(f"tune: {spec.name} has no settings to search: it chooses its penalty itself.")
    own = spec.settings
    space: dict[str, list[Any]] = {
        "learning_rate": [0.3 * own.learning_rate, own.learning_rate, 3 * own.learning_rate],
        "weight_decay": [0.0, 0.03, 0.1, 0.3],
        "dropout": [0.0, 0.1, 0.3],
    }
    if spec.classifier != "paper_gcn":
        space["hidden"] = [own.hidden // 2, own.hidden, 2 * own.hidden]
    if spec.classifier == "relational":
        space["layers"] = [1, 2, 3]
    if spec.generator in ("metric", "pair_mlp"):
        space["generator_learning_rate"] = [1e-3, 3e-3, 1e-2]
    if spec.generator == "metric":
        space |= {"heads": [2, 4, 8], "temperature": [4.0, 8.0, 12.0]}
    if spec.generator in ("metric", "cosine", "spatial", "head_tail"):
        space["target_degree"] = [4, 8, 16]
    return space


@dataclass(frozen=True)
class Search:
    """A search of one method's settings.

    Attributes
    ----------
    method
        Name of a preset.
    seed
        Of folds, draws and weights.
    n_trials
        Settings drawn, the method's own among them.
    splits
        Number of folds and shares of roles.
    training
        What every trial shares.
    device
        ``auto``, ``cpu`` or ``cuda``.
    source
        Source digest.
    space
        Values by key of the config's section ``training``; None is ``declared_space``.
    only_fold
        Search in this fold alone; None in all of them and for the final model.
    on_mismatch
        What is done about slides whose features were made differently.
    """

    method: str
    seed: int
    n_trials: int
    splits: SplitParams
    training: TrainingParams
    device: str
    source: str
    space: Space | None = None
    only_fold: int | None = None
    on_mismatch: OnMismatch = "stop"

    def task(self, trial: Trial, epochs: int, split: Split) -> FittingTask:
        """One trial of ``epochs`` at most, with the seeds of ``train_fold``."""
        spec = method_spec(self.method, replace(self.training, **{**trial.settings, "epochs": epochs}))
        return FittingTask(spec, split.seeds, choose_device(self.device), self.training.fitting)


def tune(rows: Sequence[SlideRow], features: Mapping[str, Path], out_dir: str | Path, search: Search) -> pd.DataFrame:
    """Search settings in every fold and for the final model; return all trials.

    Writes ``splits.csv`` (as ``train_cohort`` would with this seed), ``trials.csv``,
    ``fold_{k}.yaml`` and ``final.yaml``, each a configuration with the best settings.  A
    fold without test image is not searched.

    Raises
    ------
    AbignetError
        See ``split_cohort`` and ``fit_model``.
    CohortError
        If a fold has no ``select`` image.
    ConfigError
        If a key or value of the space is not allowed.
    """
    spec = method_spec(search.method, search.training)
    require_package(spec)
    space = declared_space(spec) if search.space is None else search.space
    trials = draw_trials(space, search.n_trials, search.training, search.seed)
    out = Path(out_dir)
    split_cohort(rows, features, out, SplitJob(search.splits, (search.seed,), search.source, search.on_mismatch))
    table = read_splits(out / SPLITS)
    slide_ids = list(dict.fromkeys(table["slide_id"]))
    cohort = load_nodes(features, slide_ids, search.training.embeddings, search.training.reading)
    check_made_alike(cohort.makings, search.on_mismatch)
    searched = []
    for split, roles in _places(table, search).items():
        scored, best = _search(cohort, roles, trials, search, split)
        searched.append(scored)
        _write_settings(out / f"{split.name}.yaml", replace(search.training, **best.settings), search)
    result = pd.concat(searched, ignore_index=True)
    write_csv(out / "trials.csv", result, TRIAL_COLUMNS)
    stages = {
        "method": search.method,
        "seed": search.seed,
        "space": dict(space),
        "training": asdict(search.training),
    }
    upstream = {"splits": file_digest(out / SPLITS)}
    write_provenance(out, record(params=stages, source=search.source, upstream=upstream), [SPLITS, EXCLUDED])
    return result


def _places(table: pd.DataFrame, search: Search) -> dict[Split, pd.DataFrame]:
    """Slides and roles of each fold to search in, and of the final model where all folds are."""
    folds = {fold: table[table["fold"] == fold] for fold in chosen_folds(table, search.only_fold)}
    places = {Split(search.seed, fold): rows for fold, rows in folds.items() if (rows["role"] == "test").any()}
    if search.only_fold is None:
        final = final_table(slides_of_splits(table), search.splits, search.seed)
        places[Split(search.seed, None)] = final
    return places


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
    cohort: CohortNodes, rows: pd.DataFrame, trials: Sequence[Trial], search: Search, split: Split
) -> tuple[pd.DataFrame, Trial]:
    """Trials on one split by successive halving, and the best of the last rung."""
    untested = rows[rows["role"].isin(FITTING_ROLES)]
    if not (untested["role"] == "select").any():
        raise CohortError(
            f"tune: {split.title} has no image of the role select, which scores trials; raise select_share."
        )
    lengths = rung_epochs(len(trials), method_spec(search.method, search.training).settings.epochs)
    scored, standing = [], list(trials)
    for rung, epochs in enumerate(lengths):
        results = []
        for trial in standing:
            loss, accuracy = _score(cohort, untested, search.task(trial, epochs, split))
            results.append((loss, trial))
            place = {"fold": split.name.removeprefix("fold_"), "trial": trial.number, "rung": rung}
            score = {"epochs": epochs, "select_loss": loss, "select_accuracy": accuracy, "best": False}
            scored.append({**place, **score, **trial.settings})
            log.info("tune %s: trial %d, %d epochs: select loss %.4f", split.title, trial.number, epochs, loss)
        ranked = [trial for _, trial in sorted(results, key=lambda result: result[0])]
        standing = ranked[: math.ceil(len(ranked) / HALVING)]
    frame = pd.DataFrame(scored)
    frame["best"] = (frame["rung"] == len(lengths) - 1) & (frame["trial"] == standing[0].number)
    return frame, standing[0]


def _score(cohort: CohortNodes, rows: pd.DataFrame, task: FittingTask) -> tuple[float, float]:
    """Loss and accuracy on ``select`` of the epoch kept, mean over graph models; infinite where training diverged."""
    try:
        _, history = fit_model(cohort, rows, task)
    except DivergenceError:
        return math.inf, math.nan
    kept = history[history["selected"]]
    kept = kept[kept["stage"] == kept["stage"].iloc[-1]]
    return float(kept["select_loss"].mean()), float(kept["select_accuracy"].mean())


def _write_settings(path: Path, training: TrainingParams, search: Search) -> None:
    content = {"seeds": [search.seed], "splits": asdict(search.splits), "training": asdict(training)}
    with writing(path) as temporary:
        temporary.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
