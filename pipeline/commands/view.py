"""``abignet view``."""

import webbrowser
from pathlib import Path

import click

from pipeline.commands.options import EXISTING_DIRECTORY, EXISTING_FILE


@click.command("view")
@click.argument("outdir", type=EXISTING_DIRECTORY)
@click.option("--slide", "slide_id", help="Slide to begin with.")
@click.option("--sheet", type=EXISTING_FILE, help="Sheet of slides, where they lie elsewhere than when they were read.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="a free one", help="Port to listen on.")
@click.option("--no-browser", is_flag=True, help="Print the address and open nothing.")
def command(outdir: Path, slide_id: str | None, sheet: Path | None, port: int, no_browser: bool) -> None:
    """Look at slides with what each stage made of them, on a local page.

    The slide at full resolution, and over it tiles and quality, nuclei, cell graph, learned edges, evidence and
    predictions, each as it lies in OUTDIR. Nothing is written. The page is served to this machine alone, below an
    address that only you are told; Ctrl-C ends it. For results on another machine: `ssh -L PORT:127.0.0.1:PORT`, and
    there `abignet view OUTDIR --port PORT --no-browser`.
    """
    from pipeline.viewer.serve_run import page_of, viewer_server

    server = viewer_server(outdir, sheet=sheet, port=port)
    try:
        page = page_of(server, slide_id)
        click.echo(page)
        if not no_browser:
            webbrowser.open(page)
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo("closed", err=True)
    finally:
        server.server_close()
