# The only functions of the workflow: what the sheet and the configuration mean for rules.

import gc
import hashlib
import io
import os
import re
import shlex
import shutil
import sys
import time
from contextlib import redirect_stderr
from functools import cache, partial
from itertools import takewhile
from pathlib import Path

from snakemake.cli import parse_args
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from pipeline.artefacts.atomic import require_folder
from pipeline.artefacts.fingerprint_cache import CACHE_NAME, FingerprintCache
from pipeline.artefacts.sheet import FILE_COLUMNS, read_sheets
from pipeline.artefacts.sheet_columns import NAME as SLIDE_ID_PATTERN
from pipeline.batches.kept_artefacts import KeptArtefacts
from pipeline.batches.membership import batches_of, is_small
from pipeline.config import check_config, overlay_texts, params
from pipeline.cards.card_of_job import SHARED_OUT
from pipeline.cards.card_plan import Place, plan_cards, require_solvable
from pipeline.cards.visible_cards import JobCards, cards_of_jobs
from pipeline.errors import AbignetError
from pipeline.nuclei.params import NucleiParams, cores_of_job
from pipeline.nuclei.network.weights_files import weights_of
from pipeline.plain_yaml import read_yaml
from pipeline import provenance
from pipeline.provenance import file_digest
from pipeline.training.cohort.fold_plan import (
    labelled_slides,
    planned_folds,
    require_folds,
    require_select_share,
)
from pipeline.training.params import ReadingParams
from pipeline.tunables import tunables_of

# What the user asked for; jobs, which are commands of Snakemake's, inherit it.
os.environ.setdefault(
    "ABIGNET_COMMAND", shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
)

NOTHING = "(?!)"
WITH_CUDA = ("-cuda.yaml", "-sam.yaml")
READING_KEYS = frozenset(key.name for key in tunables_of(ReadingParams))
BATCH_MIN = 10  # limit of a stage of a batch, besides what its images take
# Limits, not costs: full-width Cellpose takes a minute for the 3 million pixels that 1 MB holds at most, on one core.
MINUTES_PER_MB = {"segment_nuclei": 1}
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


def source_digest(module):
    """Parameter of a rule: digest of the source that its script reaches, found when a job of the rule is planned."""
    found = cache(lambda: provenance.source_digest(module))
    return lambda wildcards: found()


def allowed_rules():
    """Rules that this process may run, as far as Snakemake has told it; None where it may run all.

    A job plans itself in a process of its own, so what its rules do not need is left out there: a cohort is large.
    Only the command line has them while rules are read.
    """
    given = iter(sys.argv)
    if workflow.is_main_process or "--allowed-rules" not in given:
        return None
    return frozenset(takewhile(lambda word: not word.startswith("--"), given))


def is_planned(*rules):
    """Whether this process may run one of some rules."""
    return ALLOWED is None or not ALLOWED.isdisjoint(rules)


def targeted(slides):
    """Slides of a target, which no job of its own makes."""
    return slides if ALLOWED is None else []


def runs_here():
    """Whether jobs run on this machine; Snakemake knows its executor only after rules are read."""
    if workflow.remote_exec:
        return False
    if workflow.resource_settings.nodes is None:
        return True
    with redirect_stderr(io.StringIO()):  # what it says of profiles it has said before
        _, asked = parse_args(sys.argv[1:])
    plugin = ExecutorPluginRegistry().get_plugin(asked.executor or "local")
    return plugin.common_settings.local_exec


def cards_here():
    """Cards of this machine that jobs may take."""
    if not RUNS_HERE or config["device"] == "cpu":
        return JobCards((), "jobs take none of them")
    return stopping(partial(cards_of_jobs, torch_of_jobs_is_here=not WITH_CONDA))


def share_out_cards():
    """Tell jobs on this machine between which cards they choose, and Snakemake how many of them have one at once."""
    os.environ.pop(SHARED_OUT, None)
    if GPUS and CARDS.names:
        os.environ[SHARED_OUT] = ",".join(CARDS.names)
    if CARD_PLAN.at_once and "gpu" not in workflow.global_resources:
        workflow.register_resource("gpu", CARD_PLAN.at_once)


def require_cards():
    """Stop a run whose jobs would wait for cards that are not there."""
    if CARD_PLAN.fault is None or workflow.touch:
        return
    if any(job.resources.get("gpu") for job in workflow.dag.needrun_jobs()):
        raise WorkflowError(CARD_PLAN.fault)


def environment(room):
    """Path of a room's conda environment; the one with CUDA exactly where its jobs ask for a card."""
    if room == "nuclei" and config["nuclei"]["segmenter"] == "cellpose_sam":
        return "../../envs/nuclei-sam.yaml"
    takes_card = GPUS and (room != "nuclei" or WEIGHTS)
    return f"../../envs/{room}-cuda.yaml" if takes_card else f"../../envs/{room}.yaml"


def more_memory(mem_mb):
    """Memory that doubles with every attempt at a job."""
    return lambda wildcards, attempt: mem_mb * 2 ** (attempt - 1)


def half_the_cores(most):
    """Threads of a job that leaves room for another beside it, where jobs run on this machine."""
    cores = workflow.resource_settings.cores
    return min(most, max(1, cores // 2)) if RUNS_HERE and cores else most


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


def of_slides(pattern, slides):
    """Input function: the files of many slides. Of a list in their place Snakemake takes the hash once for each file."""
    return lambda wildcards: expand(pattern, slide=slides)


def inputs_of(rule):
    """Input function: all that a rule without wildcards reads."""
    return lambda wildcards: list(map(str, workflow.get_rule(rule).expand_input({})[0]))


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
    """The table of predictions and the graphs behind it where there is a slide to predict, else nothing."""
    made = [f"{OUT}/predictions/{RUN}{end}" for end in (".csv", ".graphs.zarr")]
    return made if PREDICTED else []


def alternatives(slides):
    return "|".join(slide.replace(".", r"\.") for slide in slides) or NOTHING


@cache
def image_job(stage, slide):
    """What the rule of a stage is given for one slide (see ``ImageJob``), and those of its parameters that rerun it."""
    alone, wildcards = workflow.get_rule(stage), {"slide": slide}
    files, *_ = alone.expand_input(wildcards)
    output, _ = alone.expand_output(wildcards)
    params, recorded = alone.expand_params(wildcards, files, output, None)
    given = {role for role, file in files.items() if not file or is_ancient(file)}
    plain = {role: file and str(file) for role, file in files.items()}
    job = dict(
        slide_id=slide,
        given={role: file for role, file in plain.items() if role in given},
        made={role: file for role, file in plain.items() if role not in given},
        output={role: str(path) for role, path in output.items()},
        params=dict(params.items()),
        log=str(alone.expand_log(wildcards)[0]),
    )
    return job, recorded


def is_ancient(file):
    return file.flags.get("ancient", False)


def files_of(kind, stage, slides):
    """Input function of a batch: its files that are ``given`` by the user or ``made`` by earlier stages, each once."""

    def of(wildcards):
        forced_files()
        inputs = [image_job(stage, slide)[0][kind].values() for slide in slides]
        return list(dict.fromkeys(file for files in inputs for file in files if file))

    return of


def batch_outputs(stage, slides):
    """Artefacts of a batch, flagged as those of the stage's rule."""
    alone = workflow.get_rule(stage)
    return [
        flagged(path, slide)
        for slide in slides
        for path in alone.expand_output({"slide": slide})[0]
    ]


def flagged(path, slide):
    """An output of one slide as one of its batch: still a folder, or part of the report."""
    if "report" in path.flags:
        shown = path.flags["report"]
        labels = {"slide": slide}
        return report(
            str(path), caption=shown.caption, category=shown.category, labels=labels
        )
    return directory(str(path)) if path.is_directory else str(path)


def made_by(stage, slides):
    """Parameter of a batch: a digest of all that reruns one of its images."""

    def of(wildcards):
        recorded = [(slide, image_job(stage, slide)[1]) for slide in slides]
        script = file_digest(stage_script(stage))
        return hashlib.sha256(repr((recorded, script)).encode()).hexdigest()[:16]

    return of


def image_jobs(stage, slides):
    """Parameter of a batch; it asks for ``input``, so that Snakemake does not compare its paths with earlier ones."""
    return lambda wildcards, input: [image_job(stage, slide)[0] for slide in slides]


def stage_script(stage):
    return Path(workflow.basedir) / "workflow/scripts" / f"{stage}.py"


def kept_folder(stage):
    return f"{OUT}/.batches/{stage}"


def begin_batches():
    """Keep the artefacts of batches that will run from being removed; forget those that the user forces."""
    # With --touch nothing runs, and files that are there are all that counts.
    for job in [] if workflow.touch else workflow.dag.needrun_jobs():
        for kept, places in kept_artefacts(job):
            is_forced = job.rule in workflow.dag.forcerules
            if is_forced or not forced_files().isdisjoint(places):
                kept.forget()
            else:
                kept.set_aside(places)


def set_aside(jobs):
    """Keep the artefacts of batches from being removed: a group that fails loses those of its finished jobs too."""
    for job in jobs:
        for kept, places in kept_artefacts(job):
            kept.set_aside(places)


def kept_artefacts(job):
    """For each image of a batch what is set aside of it, and the places of its artefacts; nothing of other jobs."""
    stage, batch = BATCH_OF_RULE.get(job.rule.name, (None, None))
    for slide in BATCHES.get(batch, ()):
        places = image_job(stage, slide)[0]["output"].values()
        yield KeptArtefacts(Path(kept_folder(stage)), slide), places


@cache
def forced_files():
    """Files that the user forces; what is forced or left out by the name of a stage's rule also holds for its batches.

    Called first by the inputs of batches: what the user names is known after the rules are read, and files that a
    killed run left are not yet added to what is forced.
    """
    dag = workflow.dag
    for name, (stage, _) in BATCH_OF_RULE.items():
        if workflow.get_rule(stage) in dag.forcerules:
            dag.forcerules.add(workflow.get_rule(name))
        for named in (dag.untilrules, dag.omitrules):
            if stage in named:
                named.add(name)
    return frozenset(dag.forcefiles)


def remember_scripts(sources):
    """Have each script looked up and read once; Snakemake does it for every job."""
    opened = sources.open
    text_of = cache(lambda file: opened(file).read())
    sources.open = lambda file, mode="r": (
        io.StringIO(text_of(file)) if mode == "r" else opened(file, mode)
    )
    sources.exists = cache(sources.exists)
    sources.get_path = cache(sources.get_path)


def deleting_folders(delete_output):
    """Snakemake's ``--delete-all-output``, and what else a run has made below the results but for logs."""

    def delete(only_temp=False, dryrun=False):
        delete_output(only_temp=only_temp, dryrun=dryrun)
        if only_temp or dryrun:
            return
        for name in (".batches", ".partial", "benchmarks"):
            shutil.rmtree(f"{OUT}/{name}", ignore_errors=True)
        Path(f"{OUT}/{CACHE_NAME}").unlink(missing_ok=True)
        folders = [path for path in Path(OUT).rglob("*") if path.is_dir()]
        for folder in sorted(folders, reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()

    return delete


def take_resources(name, stage, slides):
    """Give a batch what its stage's rule and the user say of priority, threads and resources; but little time."""
    workflow.get_rule(name).priority = workflow.get_rule(stage).priority
    taken = workflow.get_rule(stage).resources
    resources = type(taken)(dict(taken))
    if "runtime" not in workflow.resource_settings.overwrite_resources.get(stage, ()):
        resources["runtime"] = batch_runtime(stage, slides)
    workflow.get_rule(name).resources = resources


def is_batch_rule(name):
    """Whether a rule is that of a batch."""
    return name.rpartition("_")[0] in BATCHED_STAGES


def batch_runtime(stage, slides):
    """Minutes of a batch, by the size of its files; they double with every attempt."""

    def of(wildcards, attempt):
        megabytes = sum(SLIDES[slide].path.stat().st_size for slide in slides) / 1e6
        minutes = BATCH_MIN + MINUTES_PER_MB.get(stage, 0.1) * megabytes
        return int(minutes) * 2 ** (attempt - 1)

    return of


# A plan is millions of objects that all stay: looking among them for garbage finds none.
gc.set_threshold(1_000_000, 100, 100)
remember_scripts(workflow.sourcecache)
if workflow.is_main_process:
    workflow.delete_output = deleting_folders(workflow.delete_output)
    for given in workflow.overwrite_configfiles:
        stopping(read_yaml, given)
stopping(overlay_texts, config, workflow.config_settings.config)
stopping(check_config, config)

ALLOWED = allowed_rules()
WITH_CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
OUT = config["outdir"].rstrip("/")
RUN = config["run"]
stopping(require_folder, OUT)
# Snakemake loads every plugin that is installed.
if workflow.is_main_process and "snakemake_executor_plugin_slurm" in sys.modules:
    from pipeline.cluster.slurm_executor import patient_executor

    slurm = ExecutorPluginRegistry().get_plugin("slurm")
    slurm.executor = patient_executor(OUT, RUN, on_failure=set_aside)
# Jobs plan again what has been planned: files are looked for, and contents compared, once a run.
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
BESIDE = {
    row.slide_id
    for row in SLIDES.values()
    if config["features"]["embedding"]
    and row.features is not None
    and row.path is not None
}
IMPORTED = [
    row.slide_id
    for row in SLIDES.values()
    if row.features is not None and row.slide_id not in BESIDE
]
COMPUTED = [
    row.slide_id
    for row in SLIDES.values()
    if row.features is None or row.slide_id in BESIDE
]
REPORTED = COMPUTED if is_planned("write_report", "write_panels") else []
TILED_ELSEWHERE = [row.slide_id for row in SLIDES.values() if row.tiles is not None]
SEGMENTED_ELSEWHERE = [
    row.slide_id for row in SLIDES.values() if row.nuclei is not None
]
WITHOUT_SLIDE = [slide for slide in COMPUTED if SLIDES[slide].path is None]
METHODS = config["methods"]
EXPLAINED = [method for method in METHODS if method in config["explain"]["methods"]]
# The method that others are compared with, and the one that exports show.
REFERENCE = "default" if "default" in METHODS else METHODS[0]
SEEDS = config["seeds"]
# Made by tile_slide, import_tiles or tile_nuclei; naming the output of one would leave out the others.
TILES = f"{OUT}/tiles/{{slide}}.parquet"
# Made by segment_nuclei or import_nuclei.
NUCLEI = f"{OUT}/nuclei/{{slide}}.parquet"
# Made by build_cell_graphs, for one slide or a batch of them.
CELL_GRAPHS = f"{OUT}/cell_graphs/{{slide}}.zarr"
FOLDS = list(planned_folds(labelled_slides(LABELLED), config["splits"]["folds"]))
# What the report and the panels show.
SHOWN = {
    "rows": [row.plain() for row in SLIDES.values()],
    "config": config,
    "folds": FOLDS,
    "computed": COMPUTED,
    "new_slides": [row.slide_id for row in NEW],
}
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
RUNS_HERE = runs_here()
CARDS = cards_here()
CARD_PLAN = plan_cards(
    config["device"],
    config["gpus"],
    Place(RUNS_HERE, len(CARDS.names), CARDS.why_no_more),
)
GPUS = CARD_PLAN.per_job
if workflow.is_main_process:
    share_out_cards()
if workflow.is_main_process and WITH_CONDA:
    stopping(
        require_solvable,
        [
            file.removeprefix("../../")
            for file in (environment("nuclei"), environment("training"))
            if file.endswith(WITH_CUDA)
        ],
    )
# Stages that take batches, with their environments.
BATCHED_STAGES = {
    "tile_slide": "../../envs/tiling.yaml",
    "segment_nuclei": environment("nuclei"),
    "build_cell_graphs": "../../envs/cellgraph.yaml",
    "cache_features": "../../envs/cellgraph.yaml",
    "export_geojson": "../../envs/report.yaml",
}
# Small images of which every stage is the ordinary one share jobs.
OTHERWISE = {*TILED_ELSEWHERE, *SEGMENTED_ELSEWHERE, *WITHOUT_SLIDE, *BESIDE}
BATCHES = (
    {}
    if ALLOWED is not None and not any(map(is_batch_rule, ALLOWED))
    else batches_of(
        [
            slide
            for slide in COMPUTED
            if slide not in OTHERWISE and is_small(SLIDES[slide].path)
        ],
        config["rois_per_job"],
    )
)
BATCHED = {slide for slides in BATCHES.values() for slide in slides}
# Slides that have jobs of their own; any, where none is in a batch.
ALONE = (
    alternatives([slide for slide in SLIDES if slide not in BATCHED])
    if BATCHED
    else SLIDE_ID_PATTERN
)
BATCH_OF_RULE = {
    name: (stage, batch)
    for stage in BATCHED_STAGES
    for batch in BATCHES
    if is_planned(name := f"{stage}_{batch}")
}
