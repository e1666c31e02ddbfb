"""Every slide of the sheet, in numbers and pictures."""

from collections.abc import Sequence

from pipeline.artefacts.png_files import read_png
from pipeline.report.contents.cohort_outcome import SlideSummary
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.contents.slide_selection import pictured_slides
from pipeline.report.contents.wording import NONE, count, decimal, plural
from pipeline.report.figures.field_of_view import overview_picture
from pipeline.report.figures.figure_style import Figure
from pipeline.report.page.page_elements import Block, Gallery, Section, Table, Text, number_columns, text_columns


def slides(contents: ReportContents, first: Sequence[str] | None = None) -> Section:
    """Every slide in a row, and overview pictures of some.

    Parameters
    ----------
    first
        Ids of the slides to picture before others; None are the test images drawn of the run.
    """
    first = contents.drawn if first is None else first
    rows = [_slide_row(slide) for slide in contents.cohort]
    columns = [
        *text_columns("slide", "class", "patient"),
        *number_columns("width mm", "height mm", "µm/px", "tiles kept", "tiles", "nuclei", "patches in graph"),
        *text_columns("status"),
    ]
    table = Table(
        columns,
        rows,
        f"All slides of the sheet, n = {len(rows)}. µm/px and size are those of level 0; a dash marks what was not "
        "measured, as for slides that came with their features.",
    )
    return Section("slides", "Slides", [table, *_overviews(contents, first)])


def _slide_row(slide: SlideSummary) -> tuple[str, ...]:
    row = slide.row
    words = "new slide, whose label nobody trained on" if slide.status == "new" else slide.status
    status = words + (f": {slide.reason}" if slide.reason else "")
    return (
        row.slide_id,
        row.label or NONE,
        row.case_id if row.case_given else NONE,
        decimal(slide.width_mm, 2),
        decimal(slide.height_mm, 2),
        decimal(slide.slide_mpp, 4),
        count(slide.n_kept),
        count(slide.n_tiles),
        count(slide.n_nuclei),
        count(slide.n_patches),
        status,
    )


def _overviews(contents: ReportContents, first: Sequence[str]) -> list[Block]:
    overviews, params = contents.sources.overviews, contents.params
    chosen = [
        slide
        for slide in pictured_slides(contents.cohort, first, len(contents.cohort))
        if slide.row.slide_id in overviews and overviews[slide.row.slide_id].exists()
    ][: params.n_overlays]
    if not chosen:
        why = (
            "pictures are switched off (report: n_overlays)"
            if params.n_overlays == 0
            else "no slide with kept tiles has an overview"
        )
        return [Text(f"No overview pictures: {why}.")]
    figures = [_overview_figure(slide, contents) for slide in chosen]
    note = f"Overviews of {plural(len(figures), 'slide')}: what the tiling kept and dropped."
    return [Gallery(figures, "small", note)]


def _overview_figure(slide: SlideSummary, contents: ReportContents) -> Figure:
    slide_id = slide.row.slide_id
    pixels = read_png(contents.sources.overviews[slide_id], "tiles")
    return Figure(
        f"overview_{slide_id}",
        "png",
        overview_picture(pixels, contents.params.overview_px),
        f"{slide_id} ({slide.row.label or 'no label'}): {count(slide.n_kept)} of {count(slide.n_tiles)} tiles kept.",
        f"Overview of slide {slide_id} with its tiles",
    )
