"""``abignet import-h5``."""

from pathlib import Path

import click

from pipeline.commands.options import EXISTING, MPP_OF_SLIDE, NEW_DIRECTORY
from pipeline.errors import ArtefactError
from pipeline.logs import progress
from pipeline.provenance import source_digest


@click.command("import-h5")
@click.argument("sources", type=EXISTING, nargs=-1, required=True, metavar="FILE|FOLDER...")
@click.option("--out", "out_dir", type=NEW_DIRECTORY, required=True, help="Folder with one {slide_id}.zarr a file.")
@click.option("--mpp", type=MPP_OF_SLIDE, help="um per level-0 pixel of the slides; STAMP files need it.")
@click.option(
    "--beside",
    metavar="NAME",
    help="Add the features to the caches in --out as embeddings/NAME, matched by coordinates.",
)
def command(sources: tuple[Path, ...], out_dir: Path, mpp: float | None, beside: str | None) -> None:
    """Bring TRIDENT, CLAM or STAMP features (.h5) into the feature cache.

    The slide's id is the file's name without its suffix.  Without --beside the features are the
    node features of a new cache.
    """
    from pipeline.cellgraph.features.imported_embeddings import import_beside
    from pipeline.cellgraph.import_features import import_features

    files = [file for source in sources for file in (sorted(source.glob("*.h5")) if source.is_dir() else [source])]
    if not files:
        raise ArtefactError(f"{', '.join(map(str, sources))}: expected .h5 files, found none")
    for file in progress(files, description="importing", unit="slides"):
        cache = out_dir / f"{file.stem}.zarr"
        if beside is None:
            import_features(
                file,
                cache,
                slide_id=file.stem,
                source=source_digest("pipeline.cellgraph.import_features"),
                slide_mpp=mpp,
            )
        else:
            import_beside(file, cache, name=beside, slide_mpp=mpp)
    click.echo(f"{out_dir}: {len(files)} feature caches")
