"""Nuclei as they were outlined."""

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

from pipeline.artefacts.nuclei import count_types, read_nuclei
from pipeline.artefacts.tiles import read_tiles
from pipeline.errors import MissingMppError, SlideError
from pipeline.report.contents.cohort_outcome import SlideSummary
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.contents.slide_selection import pictured_slides
from pipeline.report.contents.wording import listed, plural
from pipeline.report.figures.colour_wheel import orientation_wheel
from pipeline.report.figures.field_of_view import BlankSlide, Ground
from pipeline.report.figures.figure_style import Figure, plot_figure
from pipeline.report.figures.nuclei_closeup import densest_field, nuclei_picture
from pipeline.report.figures.type_legend import TypeColours, type_colours, type_legend
from pipeline.report.page.page_elements import Block, Gallery, Section, Text
from pipeline.slides.mpp_ranges import ANY_MPP
from pipeline.slides.reader import open_slide

COLOURED_BY_AXIS = (
    "Outlines are coloured by the direction of the long axis (wheel: as it lies on the page, the same colour half a "
    "turn on), over tissue whose own colours are weakened; grey has no measured axis. Round nuclei have an axis too, "
    "and it means little."
)
COLOURED_BY_TYPE = (
    "Outlines are coloured by the type that the file of nuclei gives, over tissue whose own colours are weakened, or "
    "on white without a slide; a nucleus without an outline is a dot."
)
"""What the colours of outlines mean."""


def nuclei(contents: ReportContents, first: Sequence[str] | None = None) -> Section:
    """Close-ups of the densest kept tile of some slides.

    Parameters
    ----------
    first
        Ids of the slides to picture before others; None are the test images drawn of the run.
    """
    first = contents.drawn if first is None else first
    chosen = _with_nuclei(contents, first)
    if not chosen:
        return Section("nuclei", "Nuclei", [Text(_why_none(contents))])
    counts = [count_types(contents.sources.nuclei[slide.row.slide_id]) for slide in chosen]
    colours = type_colours(sum(counts, Counter()))
    figures, faults = [], []
    for slide in chosen:
        try:
            figures += _closeup(slide, contents, colours)
        except (SlideError, MissingMppError) as error:
            faults.append(f"{slide.row.slide_id} ({error})")
    return Section("nuclei", "Nuclei", _blocks(figures, faults, contents.params.closeup_um, colours))


def _blocks(figures: list[Figure], faults: list[str], side_um: float, colours: TypeColours | None) -> list[Block]:
    blocks: list[Block] = []
    if faults:
        blocks.append(Text(f"Not drawn, because the slide could not be read: {listed(faults)}."))
    if figures:
        note = (
            f"Each picture is a field of {side_um:g} µm at the middle of the kept tile with the most nuclei, so it "
            f"shows dense tissue and not the average one. {COLOURED_BY_AXIS if colours is None else COLOURED_BY_TYPE}"
        )
        if colours is None:
            legend = plot_figure(
                "orientation_wheel", orientation_wheel(), "Axis direction.", "Colour wheel of axis directions"
            )
        else:
            legend = plot_figure("cell_types", type_legend(colours), "Type of cell.", "Colours of types of cells")
        blocks += [Gallery([legend], "legend", note), Gallery(figures, "medium")]
    return blocks


def _with_nuclei(contents: ReportContents, first: Sequence[str]) -> list[SlideSummary]:
    candidates = pictured_slides(contents.cohort, first, len(contents.cohort))
    usable = [slide for slide in candidates if slide.n_nuclei and slide.slide_mpp is not None]
    return usable[: contents.params.n_overlays]


def _why_none(contents: ReportContents) -> str:
    if contents.params.n_overlays == 0:
        return "No pictures of nuclei: they are switched off (report: n_overlays)."
    if not contents.sources.nuclei:
        return "No pictures of nuclei: every slide came with its own features, so none were segmented."
    return "No pictures of nuclei: no slide has a nucleus in a kept tile."


def _closeup(slide: SlideSummary, contents: ReportContents, colours: TypeColours | None) -> list[Figure]:
    slide_id, params = slide.row.slide_id, contents.params
    table = read_nuclei(contents.sources.nuclei[slide_id]).frame
    tiles = read_tiles(contents.sources.tiles[slide_id])
    with ExitStack() as stack:
        ground: Ground
        if slide.row.path is None:
            header = tiles.header
            ground = BlankSlide(float(header["slide_mpp"]), header["width_l0"], header["height_l0"])
        else:
            opened = open_slide(str(slide.row.path), slide_id=slide_id, mpp=slide.slide_mpp, mpp_range=ANY_MPP)
            ground = stack.enter_context(opened)
        field = densest_field(ground, tiles.frame, table, side_um=params.closeup_um, side_px=params.closeup_px)
        if field is None:
            return []
        content, n_drawn = nuclei_picture(ground, field, table, None if colours is None else colours.by_type)
    where = f"{plural(n_drawn, 'nucleus', 'nuclei')} in the field, {slide.n_nuclei:,} on the slide."
    caption = f"{slide_id} ({slide.row.label or 'no label'}): {where}"
    return [Figure(f"nuclei_{slide_id}", "png", content, caption, f"Nuclei of slide {slide_id} outlined")]
