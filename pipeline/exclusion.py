"""What becomes of a slide that cannot be read, or whose imported files cannot be used."""

from pathlib import Path

from pipeline.errors import OnBadSlide, SlideError


def reason_to_exclude(error: SlideError, path: str | Path, on_bad_slide: OnBadSlide) -> str:
    """Reason for an empty artefact: the message, which names the file at ``path`` without its folder.

    Raises
    ------
    SlideError
        ``error`` itself, if ``on_bad_slide`` is ``stop``.
    """
    if on_bad_slide == "stop":
        raise error
    return str(error).replace(str(path), Path(path).name)
