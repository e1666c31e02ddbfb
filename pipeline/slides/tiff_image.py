"""Which image of a TIFF is the slide.

A TIFF may hold labels, overviews and other images beside the slide, and the slide in several pages: planes of colour,
focal planes, channels of fluorescence.  OpenSlide looks at the first page only.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tifffile

from pipeline.slides.resolution import elements_named, ome_elements
from pipeline.slides.source import UnusableImageError
from pipeline.slides.tiff_samples import N_RGB, SampleLayout, sample_layout

ASSOCIATED = re.compile(r"\b(label|macro|thumbnail|overview|barcode)\b", re.IGNORECASE)
"""Names of images that show a slide's label or all of its glass."""

RGB_NAMES = ("red", "green", "blue")

NO_STAIN = re.compile(r"|rgb|bright ?field|bf|tl.*|h ?&? ?e|(channel|ch|c)?[\s:_#.\d]*", re.IGNORECASE)
"""Channel names that say nothing against red, green and blue."""

AXES = {"Z": "focal planes", "T": "points in time", "C": "channels", "I": "pages of one size", "Q": "pages of one size"}

WRITE_ONE = "Write the one you mean to a file of its own, as RGB"


@dataclass(frozen=True)
class SlideImage:
    """The image of a TIFF that is the slide.

    Attributes
    ----------
    levels
        Pages of each image that may be one of its levels, level 0 first: one page, or three that hold a colour each.
    layout
        Its samples.
    number
        Its place among the images of the file, as OME counts them.
    openslide_shows_it
        Whether OpenSlide gives this picture.
    cautions
        What is odd about it.
    """

    levels: tuple[tuple[Any, ...], ...]
    layout: SampleLayout
    number: int
    openslide_shows_it: bool
    cautions: tuple[str, ...]

    @property
    def page(self) -> Any:
        """The first page of level 0."""
        return self.levels[0][0]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.page.imagewidth, self.page.imagelength

    @property
    def is_tiled(self) -> bool:
        """Whether its pages are stored in tiles, in one file."""
        return bool(self.page.is_tiled) and all(page.parent is self.page.parent for page in self.levels[0])


def slide_image(file: tifffile.TiffFile) -> SlideImage:
    """The slide among the images of an open TIFF.

    The first image that is not named or marked as a label or overview, unless a larger one follows: then the one that
    alone is a pyramid.  The first page of an SVS.

    Raises
    ------
    UnusableImageError
        If the file does not say which image is the slide, or the slide is no single picture of usable colours.
    """
    number, cautions = (0, ()) if file.is_svs else _chosen(file.series)
    series = file.series[number]
    pixels = ome_elements("Pixels", file.ome_metadata)
    stated = pixels[number] if number < len(pixels) else None
    pages = (file.pages[0],) if file.is_svs else _pages(series, stated)
    n_planes = len(pages)
    layout, odd = sample_layout(pages, n_planes, _significant_bits(stated))
    levels = [pages, *_other_levels(file, series, pages)]
    shows_it = n_planes == 1 and pages[0].index == 0 and layout.is_openslides
    return SlideImage(tuple(levels), layout, number, shows_it, cautions + odd)


def _chosen(series: Sequence[Any]) -> tuple[int, tuple[str, ...]]:
    """Number of the image that is the slide, and what is odd about that."""
    slides = [i for i, each in enumerate(series) if not (ASSOCIATED.search(each.name) or each.keyframe.is_reduced)]
    slides = slides or list(range(len(series)))
    chosen, largest = slides[0], max(slides, key=lambda i: _area(series[i]))
    if _area(series[chosen]) < _area(series[largest]):
        pyramids = [i for i in slides if len(series[i].levels) > 1]
        if len(pyramids) != 1:
            raise UnusableImageError(
                f"it holds images of {_size(series[chosen])} and {_size(series[largest])} px and does not say which is "
                f"the slide; expected the slide first, or the others named label, macro or thumbnail. {WRITE_ONE}."
            )
        chosen = pyramids[0]
    if chosen == 0:
        return 0, ()
    name = f', "{series[0].name}",' if series[0].name else ""
    return chosen, (
        f"the first image of the file{name} of {_size(series[0])} px is left out; the slide is the one of "
        f"{_size(series[chosen])} px",
    )


def _area(series: Any) -> int:
    return int(series.keyframe.imagewidth * series.keyframe.imagelength)


def _size(series: Any) -> str:
    return f"{series.keyframe.imagewidth} x {series.keyframe.imagelength}"


def _pages(series: Any, pixels: ElementTree.Element | None) -> tuple[Any, ...]:
    """The page of a picture, or its three planes of colour."""
    sizes = {axis: size for axis, size in zip(series.axes, series.shape, strict=True) if axis not in "YXS" and size > 1}
    if not sizes:
        return (series.keyframe,)
    if sizes == {"C": N_RGB} and series.keyframe.samplesperpixel == 1:
        _check_colours(pixels)
        if None in series.pages:
            raise UnusableImageError("it is cut short: a plane of its colours is missing. Copy it again.")
        return tuple(series.pages)
    whole = [page for page in series.pages if page is not None and not page.keyframe.is_reduced]
    if set(sizes) <= {"I", "Q"} and len(whole) == 1:
        return tuple(whole)
    found = " and ".join(f"{size} {AXES.get(axis, f'steps of axis {axis}')}" for axis, size in sizes.items())
    names = [name for name in _channel_names(pixels) if name]
    of = f" ({', '.join(names)})" if "C" in sizes and names else ""
    raise UnusableImageError(
        f"it holds {found}{of} of {_size(series)} px (axes {series.axes} of shape {series.shape}), which are not one "
        f"grey, RGB or RGBA image. {WRITE_ONE}."
    )


def _check_colours(pixels: ElementTree.Element | None) -> None:
    """Refuse three channels that are not said to be red, green and blue, where anything is said."""
    names = _channel_names(pixels)
    dyes = (
        []
        if pixels is None
        else [
            channel
            for channel in elements_named("Channel", pixels)
            if channel.get("Fluor")
            or channel.get("EmissionWavelength")
            or channel.get("ContrastMethod") == "Fluorescence"
        ]
    )
    said = [name.strip().lower() for name in names]
    is_rgb = len(said) != N_RGB or all(
        full == name or full[0] == name or NO_STAIN.fullmatch(name) for name, full in zip(said, RGB_NAMES, strict=True)
    )
    if dyes or not is_rgb:
        raise UnusableImageError(
            f"it holds 3 channels ({', '.join(name or 'unnamed' for name in names)}) that are not said to be red, "
            f"green and blue. {WRITE_ONE}, or name the channels Red, Green and Blue."
        )


def _channel_names(pixels: ElementTree.Element | None) -> list[str]:
    return [] if pixels is None else [each.get("Name", "") for each in elements_named("Channel", pixels)]


def _significant_bits(pixels: ElementTree.Element | None) -> int | None:
    stated = "" if pixels is None else pixels.get("SignificantBits", "")
    return int(stated) if stated.isdecimal() and int(stated) > 0 else None


def _other_levels(file: tifffile.TiffFile, series: Any, pages: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Images that may be levels: those that tifffile counts to the slide's, and tiled pages marked as reduced."""
    levels = [
        tuple(level.pages) if len(pages) > 1 else (level.keyframe,) for level in series.levels[1:] if level.keyframe
    ]
    if len(pages) == 1:
        known = {id(page) for (page,) in levels} | {id(pages[0])}
        marked = (page for page in file.pages if page.is_tiled and (page.is_reduced or file.is_svs))
        levels += [(page,) for page in marked if id(page) not in known and isinstance(page, tifffile.TiffPage)]
    first = _layout(pages[0])
    return [level for level in levels if len(level) == len(pages) and _layout(level[0].keyframe) == first]


def _layout(page: Any) -> tuple[Any, ...]:
    return page.is_tiled, np.dtype(page.dtype), page.samplesperpixel, page.photometric, page.planarconfig
