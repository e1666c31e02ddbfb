"""The patch graphs that were learned."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from pipeline.errors import MissingMppError, SlideError
from pipeline.report.contents.graph_reading import graph_reading
from pipeline.report.contents.graph_statistics import (
    ALL_CLASSES,
    WEIGHT_BINS,
    GraphSummary,
    ImageGraph,
    kept_pairs,
    node_strength,
    read_image_graphs,
)
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.contents.true_edges import read_true_graph, share_of_pairs, share_on_true_edges
from pipeline.report.contents.wording import count, decimal, listed, plural
from pipeline.report.figures.charts_graphs import strength_scale, weight_histogram
from pipeline.report.figures.figure_style import Figure, plot_figure
from pipeline.report.figures.graph_overlay import GraphPicture, graph_field, graph_picture
from pipeline.report.page.page_elements import Block, Gallery, Section, Table, Text, number_columns, text_columns
from pipeline.slides.mpp_ranges import ANY_MPP
from pipeline.slides.reader import SlideReader, open_slide


def graphs(contents: ReportContents, drawn: Sequence[str] | None = None) -> Section:
    """Numbers of every learned graph, and the reference method's graphs over the tissue.

    Parameters
    ----------
    drawn
        Ids of the test images to draw; None draws those of the run.
    """
    drawn = contents.drawn if drawn is None else drawn
    summaries = contents.graph_summaries
    with_edges = {method: summary for method, summary in summaries.items() if summary[ALL_CLASSES].histogram.sum()}
    if not with_edges:
        return Section(
            "graphs",
            "Patch graphs",
            [Text("No method of this run kept an edge between patches: there is no graph to show.")],
        )
    blocks: list[Block] = [_table(with_edges)]
    without = [method for method in contents.sources.methods if method not in with_edges]
    if without:
        blocks.append(Text(f"Without edges, and so without a graph: {listed(without, 20)}."))
    shown = _shown_method(contents, list(with_edges))
    blocks += [Gallery([_histogram(shown, with_edges[shown])], "large"), *_pictures(contents, shown, drawn)]
    return Section("graphs", "Patch graphs", blocks)


def _shown_method(contents: ReportContents, candidates: list[str]) -> str:
    reference = contents.reference
    return reference if reference in candidates else next(m for m in contents.ranked if m in candidates)


def _table(summaries: dict[str, dict[str, GraphSummary]]) -> Table:
    rows: list[tuple[str, ...]] = []
    marked: list[int] = []
    for method, by_class in summaries.items():
        for name, summary in by_class.items():
            if name == ALL_CLASSES:
                marked.append(len(rows))
            numbers = (
                decimal(summary.patches, 1),
                decimal(summary.degree, 2),
                decimal(summary.kept_share),
                decimal(summary.weight),
            )
            rows.append((method, name, count(summary.n_images), *numbers, decimal(summary.reach, 2)))
    names = ("images", "patches", "kept edges per patch", "share kept", "mean weight", "relative length")
    return Table(
        [*text_columns("method", "class"), *number_columns(*names)],
        rows,
        "Graphs of test images (first seed, every image once), means over images. Share kept: edges the classifier "
        "used over edges that were scored. Relative length: weight-averaged length of kept edges over the mean "
        "distance of all pairs of patches; 1 when distance plays no part, less when near patches are joined. "
        "Differences between classes are not tested here.",
        marked=frozenset(marked),
    )


def _histogram(method: str, by_class: dict[str, GraphSummary]) -> Figure:
    classes = {name: summary for name, summary in by_class.items() if name != ALL_CLASSES}
    n_edges = int(by_class[ALL_CLASSES].histogram.sum())
    return plot_figure(
        f"edge_weights_{method}",
        weight_histogram(classes),
        f"Weights of kept edges of {method} by class, n = {n_edges:,} edges (both directions) of "
        f"{plural(by_class[ALL_CLASSES].n_images, 'test image')}; images with many patches count more. Logarithmic "
        "axis.",
        f"Histogram of edge weights of {method}",
        pd.concat([_bins(name, summary) for name, summary in classes.items()]),
    )


def _bins(name: str, summary: GraphSummary) -> pd.DataFrame:
    ends = {"weight_above": WEIGHT_BINS[:-1], "weight_below": WEIGHT_BINS[1:]}
    return pd.DataFrame({"class": name, **ends, "edges": summary.histogram})


def _pictures(contents: ReportContents, method: str, drawn: Sequence[str]) -> list[Block]:
    predictions = contents.one_seed(method).set_index("slide_id", drop=False)
    rows = pd.DataFrame([predictions.loc[slide_id] for slide_id in drawn if slide_id in predictions.index])
    images = [image for image in read_image_graphs(contents.sources, method, rows) if image.n_patches]
    if not images:
        why = (
            "they are switched off (report: n_overlays)"
            if contents.params.n_overlays == 0
            else "no test image has a patch"
        )
        return [Text(f"No graph is drawn over the tissue: {why}.")]
    strongest = max(float(node_strength(*kept_pairs(image.graph), image.n_patches).max()) for image in images)
    faults: list[str] = []
    figures = [figure for image in images for figure in _figures(contents, method, image, strongest, faults)]
    note = (
        f"Patch graphs of {method} over the tissue, {plural(len(images), 'test image')}: wrongly and rightly "
        "predicted ones in turn while both last, so their proportion here is not the error rate. A node is a patch, "
        "coloured by the summed weight of its kept edges; arcs are the heaviest kept edges, wider and darker with "
        "weight relative to the heaviest of that image. An edge shows what the classifier mixed, not a cause. "
        + graph_reading(contents.sources, method)
    ).rstrip()
    scale = plot_figure(
        "node_strength",
        strength_scale(strongest),
        "Colour of nodes in all pictures of graphs.",
        "Colour scale of nodes",
    )
    texts = [Text(f"Drawn on white, because the slide could not be read: {listed(faults)}.")] if faults else []
    return [Gallery([scale], "legend", note), Gallery(figures, "medium"), *texts]


def _figures(
    contents: ReportContents, method: str, image: ImageGraph, strongest: float, faults: list[str]
) -> list[Figure]:
    """Learned graph of an image, and its true edges beside it where a folder of the configuration names them."""
    picture, ground = _drawn(contents, image, strongest, faults)
    folder = contents.params.true_edges
    true = read_true_graph(Path(folder), image) if folder else None
    verdict = "right" if image.predicted == image.label else "wrong"
    learned = Figure(
        f"graph_{method}_{image.slide_id}",
        "png",
        picture.png,
        f"{image.slide_id}: true {image.label}, predicted {image.predicted} ({verdict}). "
        f"{plural(image.n_patches, 'patch', 'patches')}, {picture.n_drawn:,} of "
        f"{plural(picture.n_pairs, 'kept pair')} drawn.{ground}",
        f"Learned patch graph of slide {image.slide_id}",
    )
    return [learned] if true is None else [learned, _true_figure(contents, image, true, faults)]


def _true_figure(contents: ReportContents, learned: ImageGraph, true: ImageGraph, faults: list[str]) -> Figure:
    pairs, weight = kept_pairs(true.graph)
    picture, ground = _drawn(contents, true, float(node_strength(pairs, weight, true.n_patches).max(initial=0)), faults)
    share = share_on_true_edges(learned, true)
    on_true = "No edge was learned." if share is None else f"{share:.0%} of the learned weight lies on them."
    return Figure(
        f"graph_true_{true.slide_id}",
        "png",
        picture.png,
        f"{true.slide_id}: the {picture.n_pairs:,} true edges, {share_of_pairs(true):.0%} of all pairs. "
        f"{on_true} Nodes are coloured by the number of their true edges.{ground}",
        f"True edges of slide {true.slide_id}",
    )


def _drawn(
    contents: ReportContents, image: ImageGraph, strongest: float, faults: list[str]
) -> tuple[GraphPicture, str]:
    """Picture of an image's graph, and a word where its slide is not below it."""
    params = contents.params
    with ExitStack() as stack:
        slide = _open(contents, image.slide_id, faults)
        if slide is not None:
            stack.enter_context(slide)
        field = graph_field(image, params.graph_px)
        picture = graph_picture(image, field, slide, max_edges=params.max_edges, strongest=strongest)
    return picture, "" if slide is not None else " No picture of the slide."


def _open(contents: ReportContents, slide_id: str, faults: list[str]) -> SlideReader | None:
    """The slide, or None for one that came as features alone or (noted in ``faults``) cannot be read."""
    slide = next(slide for slide in contents.cohort if slide.row.slide_id == slide_id)
    if slide.row.path is None:
        return None
    try:
        return open_slide(slide.row.path, slide_id=slide_id, mpp=slide.slide_mpp or slide.row.mpp, mpp_range=ANY_MPP)
    except (SlideError, MissingMppError) as error:
        faults.append(f"{slide_id} ({error})")
        return None
