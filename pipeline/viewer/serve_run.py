"""What ``abignet view`` does: serve the page of a results folder until it is interrupted."""

from pathlib import Path
from urllib.parse import urlencode

from pipeline.errors import ArtefactError, ConfigError
from pipeline.viewer.results.results_folder import ResultsFolder
from pipeline.viewer.serving.server import ViewerServer


def viewer_server(outdir: Path, *, sheet: Path | None = None, port: int = 0) -> ViewerServer:
    """Server of a results folder, listening; ``serve_forever`` answers.

    Parameters
    ----------
    sheet
        Where the slides lie; None takes the paths under which the workflow read them.
    port
        0 takes any that is free.

    Raises
    ------
    ArtefactError
        If the folder holds no results.
    ConfigError
        If the port is taken.
    """
    results = ResultsFolder(outdir, sheet)
    try:
        return ViewerServer(results, port)
    except OSError as error:
        raise ConfigError(
            f"--port {port}: cannot be used ({error.strerror}); leave it out to take a free one."
        ) from error


def page_of(server: ViewerServer, slide_id: str | None) -> str:
    """Address of the page that begins with a slide.

    Raises
    ------
    ArtefactError
        If there is no such slide.
    """
    if slide_id is None:
        return server.url
    slides = server.results.slides
    if slide_id not in slides:
        near = ", ".join(slides[:8]) + (", ..." if len(slides) > 8 else "")
        raise ArtefactError(f"{server.results.outdir}: expected one of its slides ({near}), found --slide {slide_id}.")
    return f"{server.url}?{urlencode({'slide': slide_id})}"
