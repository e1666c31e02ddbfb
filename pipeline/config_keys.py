"""Every key of the configuration, in the order and under the headings of ``config/config.yaml``.

The sections are the rooms' ``Params``; the keys outside them are declared here.
"""

from dataclasses import dataclass
from typing import Literal

from pipeline.artefacts.sheet_columns import NAME
from pipeline.cellgraph.params import CellGraphParams, FeatureParams
from pipeline.errors import OnBadSlide, OnBadTile, OnMismatch
from pipeline.nuclei.params import NucleiParams
from pipeline.report.params import ReportParams
from pipeline.slides.reader_names import Reader
from pipeline.tiling.params import TilingParams
from pipeline.training.interpretation.explain_params import ExplainParams
from pipeline.training.interpretation.interpret_params import InterpretParams
from pipeline.training.methods.presets import METHODS
from pipeline.training.params import SplitParams, TrainingParams
from pipeline.tunables import SOME_TEXT, Choice, Number, OrNull, Text, Tunables, choice, listing, text, tunable

Device = Literal["auto", "cpu", "cuda"]
COMPARED = ("default", "joint", "cosine_graph", "spatial_graph", "mean_pool", "attention_mil", "logistic")
"""Methods that are trained unless the user says otherwise."""

FOLDER = Text(
    "the path of a folder without { } and <word>, which Snakemake replaces", r"(?!.*<[a-z][a-z0-9_]*>)[^{}\r\n]+"
)


@dataclass(frozen=True)
class RunKeys(Tunables):
    """Keys outside any section."""

    sheet: str = text(
        "config/slides.csv",
        'the slides, one row each (README, "Your own slides"); paths in it are relative to it',
    )
    outdir: str = text("results", "everything that is made goes below this folder", FOLDER)
    run: str = text(
        "main",
        "name of this training run: training/{run}, report/{run}, predictions/{run}.csv",
        Text("a name of letters, digits, '.', '_' and '-' that starts with a letter or digit", NAME),
    )
    device: Device = choice(
        "auto",
        Device,
        "of networks; auto: cards (CUDA) where they are known, else the processor; cpu; cuda: error without a card "
        "(docs/gpu.md, Scheduling)",
    )
    gpus: int = tunable(
        0,
        Number(0, 10_000, is_whole=True),
        "cards that jobs may take at once, one each; 0: all of this machine, or what SLURM gives, where device: auto "
        "asks for none",
    )
    container: str | None = tunable(
        None,
        OrNull(SOME_TEXT),
        "image built from containers/ (a .sif file or docker://...), in which jobs run with "
        "`--software-deployment-method conda apptainer`",
    )
    on_bad_slide: OnBadSlide = choice(
        "stop",
        OnBadSlide,
        "stop: an unreadable slide, or imported file of it, fails its job; exclude: it goes on as an empty artefact "
        "with the error as reason",
    )
    on_bad_tile: OnBadTile = choice(
        "stop",
        OnBadTile,
        "stop: a tile with damaged pixels makes its slide unreadable; exclude: the tile is left out with a reason",
    )
    on_mismatch: OnMismatch = choice(
        "stop",
        OnMismatch,
        "stop: slides whose features were made differently (tile size, mpp, segmenter, weights, parameters, encoder) "
        "are not trained on together, nor predicted by a model of other ones; warn: they are, and log, provenance and "
        "report say so",
    )
    reader: Reader = choice(
        "auto",
        Reader,
        "auto: the fast TIFF reader where its pixels are proven to be OpenSlide's, else OpenSlide; openslide; "
        "tifffile: error where it cannot read",
    )
    rois_per_job: int = tunable(
        32,
        Number(1, 10_000, is_whole=True),
        "small images (files of up to 32 MB) that share a job of a stage, on average at most; each has artefacts of "
        "its own, the same as alone; 1: each has its own jobs, as whole slides have",
    )
    seeds: tuple[int, ...] = listing(
        (0,),
        Number(0, 2**32 - 1, is_whole=True),
        "each seed makes its own folds and its own training; 3 to 5 for a result to publish",
        least=1,
    )
    methods: tuple[str, ...] = listing(
        COMPARED,
        Choice(tuple(METHODS)),
        f"also {', '.join(name for name in METHODS if name not in COMPARED)}; the reference of paired tests is "
        "default, else the first",
        least=1,
    )


@dataclass(frozen=True)
class PredictionParams(Tunables, section="prediction"):
    """Which model predicts what."""

    method: str = choice(
        "default", METHODS, "the method whose final model predicts slides without label; must be in `methods`"
    )
    sheet: str | None = tunable(
        None, OrNull(SOME_TEXT), "a sheet of new slides to predict beside the cohort's slides without label"
    )


SECTIONS: dict[str, type[Tunables]] = {
    kind.section: kind
    for kind in (
        TilingParams,
        NucleiParams,
        CellGraphParams,
        FeatureParams,
        SplitParams,
        TrainingParams,
        ExplainParams,
        InterpretParams,
        PredictionParams,
        ReportParams,
    )
}

SECTION_NOTES = {"training": "null: the method's own value (docs/methods.md); a value here holds for all methods"}

LAYOUT = (
    (
        "what to run on, and where to",
        (
            "sheet",
            "outdir",
            "run",
            "device",
            "gpus",
            "container",
            "on_bad_slide",
            "on_bad_tile",
            "on_mismatch",
            "reader",
            "rois_per_job",
        ),
    ),
    ("tile_slide", ("tiling",)),
    ("segment_nuclei", ("nuclei",)),
    ("build_cell_graphs", ("cell_graphs",)),
    ("cache_features", ("features",)),
    ("split_cohort", ("seeds", "splits")),
    ("train_fold, train_final", ("methods", "training")),
    ("explain_fold, interpret", ("explain", "interpretation")),
    ("predict", ("prediction",)),
    ("write_report", ("report",)),
)
"""Headings of the file, each with the keys and sections below it."""
