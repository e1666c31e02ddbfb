"""``abignet export-graphml``."""

from pathlib import Path

import click

from pipeline.commands.options import EXISTING_DIRECTORY, NEW_DIRECTORY


@click.command("export-graphml")
@click.option("--outdir", "results", type=EXISTING_DIRECTORY, help="Results of a run; with --run.")
@click.option("--run", help="Run in --outdir whose learned graphs are written.")
@click.option("--method", default="default", show_default=True, help="Method of --run.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of --run.")
@click.option("--trained", type=EXISTING_DIRECTORY, help="--out of `abignet train`, in place of --run.")
@click.option(
    "--features", type=EXISTING_DIRECTORY, help="Folder of {slide_id}.zarr or .h5 in place of that in --outdir."
)
@click.option("--slide", "slide_ids", multiple=True, metavar="ID", help="Write this slide; may be repeated.")
@click.option("--out", "out_dir", type=NEW_DIRECTORY, required=True, help="Folder for {slide_id}.graphml.")
def command(
    results: Path | None,
    run: str | None,
    method: str,
    seed: int,
    trained: Path | None,
    features: Path | None,
    slide_ids: tuple[str, ...],
    out_dir: Path,
) -> None:
    """Write learned patch graphs as GraphML, one file a slide: for networkx, igraph, Gephi, Cytoscape.

    Nodes are patches with their place, the prediction of the slide and, where it was explained
    (`abignet explain`), evidence; edges those that the classifier used, with weight and evidence.
    A slide's graph is that of the fold that tests it.
    """
    from pipeline.exports.graphml import export_graphml
    from pipeline.exports.graphs.cohort_slides import chosen, cohort_slides
    from pipeline.exports.graphs.slide_files import SlideFiles
    from pipeline.exports.graphs.slide_graph import GraphSources
    from pipeline.exports.graphs.trained_folds import folds_of_folder, folds_of_run

    if (trained is None) == (run is None):
        raise click.UsageError("Give either --run, in --outdir, or --trained.")
    if results is None and (run is not None or features is None):
        raise click.UsageError("Missing option '--outdir', or with --trained '--features'.")
    folds = folds_of_folder(trained) if trained else folds_of_run(str(results), str(run), method, seed)
    slides = chosen(cohort_slides(None, (folds.splits, folds.seed), None), slide_ids)
    n_edges = export_graphml(slides, GraphSources(SlideFiles(results, features), folds), out_dir)
    click.echo(f"{out_dir}: {len(slides)} graphs, {n_edges} edges")
