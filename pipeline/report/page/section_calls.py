"""Every test slide with what was predicted for it, and where to see why."""

from collections.abc import Mapping

from markupsafe import Markup

from pipeline.report.contents.cohort_outcome import SlideSummary
from pipeline.report.contents.image_outcomes import ImageOutcome
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.contents.wording import NONE, count, plural
from pipeline.report.page.page_elements import Block, Section, Table, Text, Toggle, number_columns, text_columns

WRONG = "wrong"
"""Anchor that shows the slides called wrong alone."""

WHERE_PANELS_ARE = (
    "The name of a slide leads to its panel: the tissue, its graph and what spoke for the call. They lie in "
    "panels/ beside this page; where it was sent or made without them its links lead nowhere. "
)


def calls(contents: ReportContents) -> Section:
    """One row a test slide, wrong ones first."""
    images = sorted(contents.images, key=lambda image: (not image.is_wrong, -image.probability))
    summaries = {slide.row.slide_id: slide for slide in contents.tested}
    n_wrong = sum(image.is_wrong for image in images)
    table = Table(
        [
            *text_columns("slide", "patient", "class", "called"),
            *number_columns("probability", "fold", "seeds wrong", "methods wrong", "tiles", "nuclei"),
        ],
        [_row(contents, image, summaries) for image in images],
        _caption(contents, n_wrong),
        marked=frozenset(range(n_wrong)),
        toggle=Toggle(WRONG, "wrong only", frozenset(range(n_wrong))) if n_wrong else None,
        searchable=True,
    )
    blocks: list[Block] = [table]
    if not n_wrong:
        blocks.insert(0, Text(f"{contents.reference} calls no test slide wrong."))
    return Section("calls", "Slides called", blocks)


def panel_link(contents: ReportContents, slide_id: str) -> str:
    """The id of a slide as a link to its panel, where panels are made."""
    if not contents.sources.has_panels:
        return slide_id
    return Markup('<a href="panels/{0}.html" title="why: the panel of {0}">{0}</a>').format(slide_id)


def _row(contents: ReportContents, image: ImageOutcome, summaries: Mapping[str, SlideSummary]) -> tuple[str, ...]:
    slide = summaries[image.slide_id]
    return (
        panel_link(contents, image.slide_id),
        image.case_id if slide.row.case_given else NONE,
        image.label,
        image.predicted,
        f"{image.probability:.3f}",
        str(image.fold),
        f"{image.seeds_wrong} of {image.n_seeds}",
        f"{image.methods_wrong} of {image.n_methods}",
        count(slide.n_kept),
        count(slide.n_nuclei),
    )


def _caption(contents: ReportContents, n_wrong: int) -> str:
    seeds = len(contents.sources.seeds)
    why = WHERE_PANELS_ARE if contents.sources.has_panels else ""
    called = "by the mean of its probabilities over seeds" if seeds > 1 else "by its probability"
    return (
        f"Test slides as {contents.reference} calls them {called}, n = {len(contents.images)}; "
        f"{plural(n_wrong, 'wrong one')} first (set off), the surest on top. {why}Methods wrong: of all methods of "
        "this run, so a slide that all call wrong may be labelled wrong."
    )
