"""``abignet import-h5``."""

from pathlib import Path

import click

from pipeline.commands.options import EXISTING, NEW_DIRECTORY
from pipeline.errors import ArtefactError
from pipeline.logs import progress
from pipeline.provenance import source_digest


@click.command("import-h5")
@click.argument("sources", type=EXISTING, nargs=-1, required=True, metavar="FILE|FOLDER...")
@click.option("--out", "out_dir", type=NEW_DIRECTORY, required=True, help="Folder for one {slide_id}.zarr a file.")
def command(sources: tuple[Path, ...], out_dir: Path) -> None:
    """Bring TRIDENT or CLAM features (.h5) into the feature cache.

    The slide's id is the file's name without its suffix.
    """
    from pipeline.artefacts.import_features import import_features

    files = [file for source in sources for file in (sorted(source.glob("*.h5")) if source.is_dir() else [source])]
    if not files:
        raise ArtefactError(f"{', '.join(map(str, sources))}: expected .h5 files, found none")
    for file in progress(files, description="importing", unit="slides"):
        import_features(file, out_dir / f"{file.stem}.zarr", slide_id=file.stem, source=source_digest())
    click.echo(f"{out_dir}: {len(files)} feature caches")
