"""A slide as the stages are given it: where it lies, how it is read, what becomes of it when it cannot be."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.artefacts.fingerprint import fingerprint
from pipeline.errors import OnBadSlide, OnBadTile, SlideError
from pipeline.slides.mpp_ranges import MPP_RANGE, MppRange
from pipeline.slides.reader import SlideReader, open_slide
from pipeline.slides.reader_names import Reader


@dataclass(frozen=True)
class SlideInput:
    """One slide of the sheet and how to read it.

    Attributes
    ----------
    slide_id
        Its name in the sheet.
    path
        Whatever ``open_slide`` reads.
    mpp
        um per pixel of level 0; None reads it from the file.
    reader
        See ``open_slide``.
    on_bad_slide
        ``exclude`` turns a slide that cannot be read into an empty artefact with the reason,
        ``stop`` raises ``SlideError``.
    on_bad_tile
        ``exclude`` leaves out tiles that cannot be read, ``stop`` raises ``UnreadableRegionError``.
    mpp_range
        What its pixel size can be; see ``open_slide``.
    """

    slide_id: str
    path: Path
    mpp: float | None = None
    reader: Reader = "auto"
    on_bad_slide: OnBadSlide = "stop"
    on_bad_tile: OnBadTile = "stop"
    mpp_range: MppRange = MPP_RANGE

    def open(self) -> SlideReader:
        """The open slide; a context manager.

        Raises
        ------
        SlideError, MissingMppError, ConfigError
            See ``open_slide``.
        """
        return open_slide(self.path, slide_id=self.slide_id, mpp=self.mpp, reader=self.reader, mpp_range=self.mpp_range)

    @property
    def fingerprint(self) -> str:
        """Fingerprint of its files, see ``artefacts.fingerprint``.

        Raises
        ------
        SlideError
            If one of them cannot be read.
        """
        try:
            return fingerprint(self.path)
        except OSError as error:
            raise SlideError(
                f"slide {self.slide_id} ({self.path}): expected files that can be read; {error}. "
                "Copy it again or mend its permissions, or set on_bad_slide: exclude."
            ) from error
