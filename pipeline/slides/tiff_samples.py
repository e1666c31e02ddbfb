"""How the samples of a TIFF image become RGB.

One definition for images held in memory and for tiles decoded one by one, so that a picture looks the same however
it is stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC

from pipeline.arrays import Rgb
from pipeline.slides.source import UNREADABLE, WHITE, UnusableImageError, over_white

Samples = npt.NDArray[Any]
"""Samples (row, col, sample) of any dtype."""

N_COLOURS: Mapping[int, int] = {
    PHOTOMETRIC.MINISWHITE: 1,
    PHOTOMETRIC.MINISBLACK: 1,
    PHOTOMETRIC.RGB: 3,
    PHOTOMETRIC.PALETTE: 1,
    PHOTOMETRIC.YCBCR: 3,
}
"""Samples of a colour by photometric interpretation; others are not read."""

JPEGS = frozenset({COMPRESSION.JPEG, COMPRESSION.OJPEG})
"""Compressions whose decoder gives RGB of YCbCr."""

MAX_16_BIT = 65_535

ALPHAS = frozenset({EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA})

CONVERT = "Convert it to RGB of 8 bits, such as with `vips copy` or QuPath"

GREY = "pixels are grey levels, and tissue, ink and stains are told by colour"

LOOKED_AT = 16
"""Stored tiles or strips of an image whose samples are looked at to learn their range."""


@dataclass(frozen=True)
class SampleLayout:
    """What the samples of an image are.

    Attributes
    ----------
    dtype, bits
        Of a sample; ``bits`` may be fewer than those of ``dtype``.
    n_samples
        Of a pixel, with those beyond its colours.
    photometric
        TIFF's PhotometricInterpretation.
    extra
        TIFF's ExtraSamples.
    full
        The value of full brightness.
    colormap
        uint16 (3, n), of palettes.
    """

    dtype: np.dtype[Any]
    bits: int
    n_samples: int
    photometric: int
    extra: tuple[int, ...]
    full: float
    colormap: npt.NDArray[np.uint16] | None = None

    @property
    def n_colours(self) -> int:
        """Samples of a colour: 3, or 1 of grey levels and palettes."""
        return N_COLOURS[self.photometric]

    @property
    def alpha(self) -> int | None:
        """The kind of transparency, if the first further sample is one."""
        return self.extra[0] if self.extra and self.extra[0] in ALPHAS else None

    @property
    def is_grey(self) -> bool:
        """Whether there are grey levels only."""
        return self.photometric in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE) and self.n_samples < N_RGB

    @property
    def is_openslides(self) -> bool:
        """Whether OpenSlide gives the same colours; it does not of grey levels that are transparent or of 16 bits."""
        is_8_bit = self.dtype == np.uint8 and self.full == WHITE
        is_16_bit = self.dtype == np.uint16 and self.full == MAX_16_BIT and self.photometric == PHOTOMETRIC.RGB
        is_plain = not self.extra or (self.n_colours == N_RGB and len(self.extra) == 1 and self.alpha is not None)
        return (is_8_bit or is_16_bit) and is_plain

    @cached_property
    def palette(self) -> Rgb:
        """Colours by index, uint8 (n, 3); writers differ in the lower byte (65,535 or 65,280 for full)."""
        return np.moveaxis((np.asarray(self.colormap) >> 8).astype(np.uint8), 0, -1)

    def rgb(self, samples: Samples) -> Rgb:
        """Colours over white of samples (row, col, ``n_samples``): uint8 (row, col, 3)."""
        if self.photometric == PHOTOMETRIC.PALETTE:
            colours: Rgb = self.palette[samples[..., 0]]
            return colours
        colours = self._scaled(samples[..., : self.n_colours])
        if self.photometric == PHOTOMETRIC.MINISWHITE:
            colours = ~colours
        if self.n_colours == 1:
            colours = np.repeat(colours, N_RGB, axis=2)
        if self.alpha is None:
            return np.ascontiguousarray(colours)
        alpha = self._scaled(samples[..., self.n_colours, None])
        if self.alpha == EXTRASAMPLE.ASSOCALPHA:
            return np.minimum(colours.astype(np.uint16) + (WHITE - alpha), WHITE).astype(np.uint8)
        return over_white(Image.fromarray(np.dstack([colours, alpha])))

    def _scaled(self, samples: Samples) -> npt.NDArray[np.uint8]:
        if samples.dtype == np.uint8 and self.full == WHITE:
            return samples
        scaled: npt.NDArray[np.uint8] = np.rint(
            np.clip(np.nan_to_num(samples, nan=self.full), 0, self.full) / (self.full / WHITE)
        ).astype(np.uint8)
        return scaled


N_RGB = 3


def sample_layout(
    pages: Sequence[Any], n_planes: int, significant_bits: int | None
) -> tuple[SampleLayout, tuple[str, ...]]:
    """The samples of an image and what is odd about them.

    Parameters
    ----------
    pages
        Pages of an open ``tifffile.TiffFile`` that hold the image: one, or one a plane, of which the first is a page.
    n_planes
        Planes of colour: 3 where red, green and blue are pages of their own, else 1.
    significant_bits
        OME's SignificantBits; None where it is not stated.

    Raises
    ------
    UnusableImageError
        If colours cannot be made of them.
    """
    page = pages[0]
    _check_photometric(page, n_planes)
    dtype = np.dtype(page.dtype)
    bits = page.bitspersample if isinstance(page.bitspersample, int) else page.bitspersample[0]
    full, cautions = _full_brightness(pages, dtype, bits, significant_bits)
    photometric = PHOTOMETRIC.RGB if n_planes == N_RGB else page.photometric
    n_samples = n_planes * page.samplesperpixel
    extra = tuple(page.extrasamples)[: n_samples - N_COLOURS[photometric]]
    layout = SampleLayout(dtype, bits, n_samples, photometric, extra, full, page.colormap)
    if layout.is_grey:
        cautions += (GREY,)
    n_left_out = n_samples - layout.n_colours - (layout.alpha is not None)
    if n_left_out:
        cautions += (f"{n_left_out} further sample{'s'[: n_left_out > 1]} a pixel that no transparency is left out",)
    return layout, cautions


def check_decoded(page: Any) -> None:
    """Refuse YCbCr that no decoder makes RGB of.

    Raises
    ------
    UnusableImageError
        If a page is YCbCr and no JPEG.
    """
    if page.photometric == PHOTOMETRIC.YCBCR and page.compression not in JPEGS:
        raise UnusableImageError(f"its samples are YCbCr without JPEG. {CONVERT}.")


def _check_photometric(page: Any, n_planes: int) -> None:
    name = getattr(page.photometric, "name", str(page.photometric))
    if page.photometric == PHOTOMETRIC.SEPARATED:
        raise UnusableImageError(f"its samples are inks (CMYK), whose colours depend on the press. {CONVERT}.")
    if page.photometric not in N_COLOURS or (page.photometric == PHOTOMETRIC.YCBCR and n_planes == N_RGB):
        raise UnusableImageError(f"its samples are {name}; expected RGB, grey levels, a palette or YCbCr. {CONVERT}.")
    if page.samplesperpixel < N_COLOURS[page.photometric]:
        raise UnusableImageError(f"it has {page.samplesperpixel} samples a pixel, too few for {name}. {CONVERT}.")


def _full_brightness(
    pages: Sequence[Any], dtype: np.dtype[Any], bits: int, significant_bits: int | None
) -> tuple[float, tuple[str, ...]]:
    """The value of white, and what is odd about it."""
    if dtype == np.bool_:
        return 1.0, ()
    if dtype == np.uint8:
        return 2.0 ** min(bits, 8) - 1, ()
    if pages[0].photometric == PHOTOMETRIC.PALETTE and dtype.kind == "u":
        return 2.0**bits - 1, ()
    stated = _stated_maximum(pages[0], significant_bits)
    low, high = _range_found(pages)
    if dtype.kind == "u" and dtype.itemsize == 2:
        return _of_16_bits(2.0**bits - 1, stated, high)
    if dtype.kind in "uif" and stated is not None:
        return stated, ()
    raise UnusableImageError(
        f"its samples are {dtype}, from {low:g} to {high:g} where they were looked at, and the file does not state the "
        "value of full brightness (SMaxSampleValue); expected unsigned integers of 8 or 16 bits. Scale them to 0 to "
        "255 and save them as uint8."
    )


def _of_16_bits(depth: float, stated: float | None, high: float) -> tuple[float, tuple[str, ...]]:
    """Full brightness of unsigned 16-bit samples that reach ``high``; ``depth`` is the most that their bits hold.

    A stated maximum that takes all bits is a statistic of the picture, and one that samples exceed is not true.
    """
    if stated is not None and stated < (depth + 1) / 2:
        if high <= stated:
            return stated, ()
        return depth, (
            f"the file states {stated:,.0f} as full brightness and samples reach {high:,.0f}; {depth:,.0f} is taken",
        )
    if high < (depth + 1) / 2:
        return depth, (
            f"16-bit samples reach at most {high:,.0f} of {depth:,.0f} where they were looked at, so that the picture "
            f"is dark: if they hold {max(int(high).bit_length(), 1)} bits, state it (OME's SignificantBits, TIFF's "
            "SMaxSampleValue), or scale them to 8 bits",
        )
    return depth, ()


def _stated_maximum(page: Any, significant_bits: int | None) -> float | None:
    """The largest value that samples can have, as a file says."""
    if significant_bits is not None:
        return 2.0**significant_bits - 1
    for tag in ("SMaxSampleValue", "MaxSampleValue"):
        stated = page.tags.valueof(tag)
        if stated is not None:
            most = float(np.max(stated))
            return most if np.isfinite(most) and most > 0 else None
    return None


def _range_found(pages: Sequence[Any]) -> tuple[float, float]:
    """Least and largest sample of some stored tiles or strips spread evenly; NaN where none can be decoded."""
    page = pages[0]
    lows, highs = [np.nan], [np.nan]
    for frame in pages:
        for number in np.unique(np.linspace(0, len(frame.dataoffsets) - 1, LOOKED_AT).astype(int)).tolist():
            found = _stored_samples(page, frame, number)
            if found is not None and found.size:
                lows.append(float(np.nanmin(found)))
                highs.append(float(np.nanmax(found)))
    return float(np.nanmin(lows)) if len(lows) > 1 else np.nan, float(np.nanmax(highs)) if len(highs) > 1 else np.nan


def _stored_samples(page: Any, frame: Any, number: int) -> Samples | None:
    """Samples of a stored tile or strip of ``frame``, which is laid out as ``page`` is; None of a damaged one."""
    stream = frame.parent.filehandle
    try:
        stream.seek(frame.dataoffsets[number])
        content = stream.read(min(frame.databytecounts[number], stream.size))
        found = page.decode(content, number, jpegtables=frame.jpegtables)[0]
    except UNREADABLE:
        return None
    return None if found is None else np.asarray(found)
