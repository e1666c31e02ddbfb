"""``abignet export-pyg``."""

from pathlib import Path

import click

from pipeline.commands.options import EXISTING_DIRECTORY, EXISTING_FILE, NEW_DIRECTORY
from pipeline.provenance import source_digest

LEVELS = ("cells", "cells-by-patch", "patches", "learned", "hetero")
"""Levels of detail, told here so that help needs no torch."""

LEVELS_OF_FEATURES = ("patches", "learned")
"""Levels whose nodes are in the feature caches."""

LEVELS_OF_TRAINING = ("learned", "hetero")
"""Levels that hold learned graphs where there are some."""


@click.command("export-pyg")
@click.option("--outdir", "results", type=EXISTING_DIRECTORY, help="Results of a run, or --out of `abignet features`.")
@click.option(
    "--level", type=click.Choice(LEVELS), default="hetero", show_default=True, help="What is a node; see above."
)
@click.option("--out", "out_dir", type=NEW_DIRECTORY, required=True, help="Folder for {slide_id}.pt and index.csv.")
@click.option("--slide", "slide_ids", multiple=True, metavar="ID", help="Export this slide; may be repeated.")
@click.option("--sheet", type=EXISTING_FILE, help="Sheet with labels and patients; else those of the splits.")
@click.option(
    "--features", type=EXISTING_DIRECTORY, help="Folder of {slide_id}.zarr or .h5 in place of that in --outdir."
)
@click.option("--run", help="Run in --outdir whose splits and learned graphs are used.")
@click.option("--method", default="default", show_default=True, help="Method of --run.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of --run.")
@click.option("--trained", type=EXISTING_DIRECTORY, help="--out of `abignet train`, in place of --run.")
@click.option(
    "--fold", type=click.IntRange(min=0), help="Tell roles in this fold. [default: that which tests the slide]"
)
@click.option("--n-nearest", type=click.IntRange(min=1), default=8, show_default=True, help="Nearest patches joined.")
def command(
    results: Path | None,
    level: str,
    out_dir: Path,
    slide_ids: tuple[str, ...],
    sheet: Path | None,
    features: Path | None,
    run: str | None,
    method: str,
    seed: int,
    trained: Path | None,
    fold: int | None,
    n_nearest: int,
) -> None:
    """Write cell and patch graphs as PyTorch Geometric reads them, one file a slide.

    Levels: `cells`, the nuclei of a slide, joined as its cell graphs say; `cells-by-patch`, the
    same patch by patch, as a list; `patches`, the rows of the feature cache, joined to their
    nearest; `learned`, the same, joined by the learned graph; `hetero`, nuclei and patches, with
    --run or --trained learned edges too.

    Learned graphs are stored for test images: a slide's is that of the fold that tests it.
    With --fold these two levels are exported of the test images of that fold.

    `torch.load` reads a file as it is; `Data.from_dict` or, at level hetero,
    `HeteroData.from_dict` makes the graph.
    """
    from pipeline.exports.export_pyg import export_pyg
    from pipeline.exports.graphs.cohort_slides import chosen, class_names, cohort_slides
    from pipeline.exports.graphs.slide_files import SlideFiles
    from pipeline.exports.graphs.slide_graph import GraphSources, available
    from pipeline.exports.graphs.trained_folds import folds_of_folder, folds_of_run

    _check_usage(level, results, features, run, trained)
    folds = (
        folds_of_folder(trained) if trained else folds_of_run(results, run, method, seed) if results and run else None
    )
    sources = GraphSources(SlideFiles(results, features), folds, n_nearest)
    splits = None if folds is None else (folds.splits, folds.seed)
    cohort = cohort_slides(sheet, splits, fold) if sheet or splits else available(level, sources.files)
    with_graphs = [slide for slide in cohort if level not in LEVELS_OF_TRAINING or fold is None or slide.role == "test"]
    index = export_pyg(
        chosen(with_graphs, slide_ids),
        sources,
        out_dir,
        level=level,
        class_names=class_names(cohort),
        source=source_digest("pipeline.exports.export_pyg"),
    )
    click.echo(
        f"{out_dir}: {len(index)} slides, {index['n_graphs'].sum()} graphs, {index['n_nodes'].sum()} nodes, "
        f"{index['n_edges'].sum()} edges"
    )


def _check_usage(
    level: str, results: Path | None, features: Path | None, run: str | None, trained: Path | None
) -> None:
    if results is None and (level not in LEVELS_OF_FEATURES or features is None):
        raise click.UsageError(f"Missing option '--outdir': level {level} needs the results of a run.")
    if run is not None and (results is None or trained is not None):
        raise click.UsageError("--run names a run in --outdir, and takes no --trained beside it.")
    if level == "learned" and run is None and trained is None:
        raise click.UsageError("Missing option '--run' or '--trained': level learned needs a training.")
