# The only functions of the workflow: what the sheet and the configuration mean for rules.

import re
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError

from pipeline.artefacts.atomic import require_folder
from pipeline.artefacts.fingerprint_cache import CACHE_NAME, FingerprintCache
from pipeline.artefacts.sheet import FILE_COLUMNS, read_sheets
from pipeline.artefacts.sheet_columns import NAME as SLIDE_ID_PATTERN
from pipeline.config import check_config, params
from pipeline.errors import AbignetError
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.network.weights_files import weights_of
from pipeline.plain_yaml import read_yaml
from pipeline.provenance import source_digest
from pipeline.training.cohort.fold_plan import (
    labelled_slides,
    planned_folds,
    require_folds,
    require_select_share,
)
from pipeline.training.params import ReadingParams
from pipeline.tunables import tunables_of

NOTHING = "(?!)"
READING_KEYS = frozenset(key.name for key in tunables_of(ReadingParams))
CLOCK_SKEW_S = 24 * 3600  # clocks of file systems differ by less
# What Snakemake replaces in the paths of rules, wildcards and path variables, and offers no way to escape.
REPLACED = re.compile(r"\{[^{}]*\}|<[a-z][a-z0-9_]*>")


def stopping(function, *arguments):
    """Call a function of the library; its user errors stop the workflow with their message."""
    try:
        return function(*arguments)
    except AbignetError as error:
        raise WorkflowError(str(error)) from error


def literal(path):
    """A path of the configuration, if Snakemake takes it as it is."""
    if found := REPLACED.search(str(path)):
        raise WorkflowError(
            f"config: {path} holds {found[0]}, which Snakemake would replace. "
            "Rename the file or folder, or link to it by another name."
        )
    return path


def kept_fingerprints(files):
    """Fingerprints of files, from those kept beside the results where no date has changed."""
    kept = FingerprintCache(f"{OUT}/{CACHE_NAME}", files)
    return [kept.of(file) for file in files]


def section(name):
    """A section of the configuration, hashable where it can be."""
    return {
        key: tuple(v) if isinstance(v, list) else v for key, v in config[name].items()
    }


def training_section():
    """What results depend on in the section of training: how much of a cohort is in memory reruns nothing."""
    return {
        key: value
        for key, value in section("training").items()
        if key not in READING_KEYS
    }


def environment(room):
    """Path of a room's conda environment; the CUDA one where CUDA is asked for."""
    if room == "nuclei" and config["nuclei"]["segmenter"] == "cellpose_sam":
        return "../../envs/nuclei-sam.yaml"
    return (
        f"../../envs/{room}-cuda.yaml"
        if config["device"] == "cuda"
        else f"../../envs/{room}.yaml"
    )


def more_memory(mem_mb):
    """Memory that doubles with every attempt at a job."""
    return lambda wildcards, attempt: mem_mb * 2 ** (attempt - 1)


def row_values(wildcards):
    """What the sheet says of how a slide is read."""
    row = SLIDES[wildcards.slide]
    return {"mpp": row.mpp, "path": row.path.name}


def given_file(column):
    """Input function: the file that the sheet names for a slide in a column; none where the cell is empty."""

    def of(wildcards):
        file = getattr(SLIDES[wildcards.slide], column)
        return [] if file is None else str(file)

    return of


def imported_beside(wildcards):
    return given_file("features")(wildcards) if wildcards.slide in BESIDE else []


def input_files():
    """Every file of the user that a job reads."""
    named = [getattr(row, column) for row in SLIDES.values() for column in FILE_COLUMNS]
    return [file for file in (*named, WEIGHTS) if file is not None]


def fingerprints(**inputs):
    """Parameter of a rule: by role the fingerprint of each input, which makes a replaced file rerun its jobs.

    Dates do not tell a copy from another file, so these inputs are ``ancient``.
    """

    def of(wildcards):
        files = {
            role: file(wildcards) if callable(file) else file
            for role, file in inputs.items()
        }
        return {role: FINGERPRINTS.of(file) for role, file in files.items() if file}

    return of


def refuse_future_dates(files):
    """Stop at files dated in the future: Snakemake would throw away what a job makes of them."""
    latest = time.time() + CLOCK_SKEW_S
    if ahead := [str(file) for file in files if Path(file).stat().st_mtime > latest]:
        raise WorkflowError(
            f"{', '.join(ahead)}: dated in the future. Expected past dates; set them with `touch`, which reruns nothing."
        )


def feature_caches(slides):
    return [f"{OUT}/features/{slide}.zarr" for slide in slides]


def labelled_caches(wildcards):
    """Caches of the labelled slides; what their sheet shows to be no folds is refused before any job."""
    stopping(require_folds, LABELLED, config["splits"]["folds"], config["sheet"])
    stopping(require_select_share, config["splits"], config["training"])
    return feature_caches(row.slide_id for row in LABELLED)


def predicted_caches(wildcards):
    if not PREDICTED:
        raise WorkflowError(
            f"nothing to predict: every slide of {config['sheet']} has a label. "
            "Leave the label empty, or name a sheet of new slides in the config key prediction.sheet."
        )
    return feature_caches(row.slide_id for row in PREDICTED)


def wanted_predictions():
    """The table of predictions where there is a slide to predict, else nothing."""
    return [f"{OUT}/predictions/{RUN}.csv"] if PREDICTED else []


def alternatives(slides):
    return "|".join(slide.replace(".", r"\.") for slide in slides) or NOTHING


if workflow.is_main_process:
    for given in workflow.overwrite_configfiles:
        stopping(read_yaml, given)
stopping(check_config, config)

OUT = config["outdir"].rstrip("/")
RUN = config["run"]
stopping(require_folder, OUT)
# Jobs plan again what has been planned: contents are compared once a run.
COHORT, NEW = stopping(
    read_sheets,
    config["sheet"],
    config["prediction"]["sheet"],
    kept_fingerprints if workflow.is_main_process else None,
    REPLACED,
)
LABELLED = tuple(row for row in COHORT if row.label is not None)
PREDICTED = tuple(row for row in COHORT if row.label is None) + NEW
SLIDES = {row.slide_id: row for row in (*LABELLED, *PREDICTED)}
# Slides whose imported features go beside computed ones instead of taking their place.
BESIDE = [
    row.slide_id
    for row in SLIDES.values()
    if config["features"]["embedding"]
    and row.features is not None
    and row.path is not None
]
IMPORTED = [
    row.slide_id
    for row in SLIDES.values()
    if row.features is not None and row.slide_id not in BESIDE
]
COMPUTED = [slide for slide in SLIDES if slide not in IMPORTED]
TILED_ELSEWHERE = [row.slide_id for row in SLIDES.values() if row.tiles is not None]
SEGMENTED_ELSEWHERE = [
    row.slide_id for row in SLIDES.values() if row.nuclei is not None
]
WITHOUT_SLIDE = [slide for slide in COMPUTED if SLIDES[slide].path is None]
METHODS = config["methods"]
SEEDS = config["seeds"]
# Made by tile_slide, import_tiles or tile_nuclei; naming the output of one would leave out the others.
TILES = f"{OUT}/tiles/{{slide}}.parquet"
# Made by segment_nuclei or import_nuclei.
NUCLEI = f"{OUT}/nuclei/{{slide}}.parquet"
FOLDS = list(planned_folds(labelled_slides(LABELLED), config["splits"]["folds"]))
WEIGHTS = stopping(weights_of, stopping(params, config, "nuclei", NucleiParams))
WEIGHTS_FILE = [] if WEIGHTS is None else literal(str(WEIGHTS))
if workflow.is_main_process:
    refuse_future_dates(input_files())
FINGERPRINTS = FingerprintCache(f"{OUT}/{CACHE_NAME}", input_files())
if PREDICTED and config["prediction"]["method"] not in METHODS:
    raise WorkflowError(
        f"config: prediction.method: expected one of methods ({', '.join(METHODS)}), found {config['prediction']['method']}"
    )
# What is held of a cohort, and as much again for one slide, its batches and what is read ahead.
TRAINING_MB = 4000 + int(1024 * config["training"]["memory_gib"])
GPUS = 1 if config["device"] == "cuda" else 0
