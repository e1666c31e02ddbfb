"""Whether the evidence and the graphs of a method can be read, and what its graphs have in common."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from pipeline.artefacts.interpretation import FOLDS, MEMBERS, SEEDS, Interpretation, read_interpretation
from pipeline.report.contents.graph_reading import interpretation_folder
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.contents.wording import count, decimal, interval, listed, mean_sd, plural, probability
from pipeline.report.figures.charts_interpretation import (
    ORDER_NAMES,
    faithfulness_curves,
    motif_matrices,
    patch_rows,
)
from pipeline.report.figures.example_patches import example_patches
from pipeline.report.figures.figure_style import Figure, plot_figure
from pipeline.report.page.page_elements import (
    Block,
    FoldedTable,
    Gallery,
    Section,
    Table,
    Text,
    number_columns,
    text_columns,
)

PATCH_PX = 56
"""Side of an example patch."""

MOST_EXAMPLES = 8

MOST_METRICS = 12
"""Metrics of graphs that are shown, those with the smallest q."""

COMPARED = {
    MEMBERS: "graph models of one training",
    FOLDS: "trainings of two folds",
    SEEDS: "trainings with two seeds",
}


def interpretation(contents: ReportContents) -> Section:
    """Evidence, stability, graphs by class and motifs of each method that was explained."""
    found = {
        method: folder
        for method in contents.sources.methods
        if (folder := interpretation_folder(contents.sources, method))
    }
    blocks: list[Block] = []
    for method, folder in found.items():
        blocks += _blocks(contents, method, read_interpretation(folder))
    if not found:
        blocks.append(
            Text("No method of this run was explained (config: explain.methods; without Snakemake: abignet explain).")
        )
    return Section("interpretation", "What the model reads", blocks)


def _blocks(contents: ReportContents, method: str, found: Interpretation) -> Iterator[Block]:
    yield Text(f"{method}: {found.summary['verdict']}{_gate(found.summary)}")
    yield from _faithfulness(method, found)
    yield from _stability(method, found.summary["stability"])
    yield from _graph_metrics(method, found.tables["graph_tests"])
    yield from _motifs(contents, method, found)


def _gate(summary: Mapping[str, Any]) -> str:
    if summary["graph_path_on"] is None:
        return ""
    on, trainings = summary["graph_path_on"]
    if on == trainings:
        return ""
    return f" Predictions use the graph in {on} of {plural(trainings, 'training')}: elsewhere no edge has evidence."


def _faithfulness(method: str, found: Interpretation) -> Iterator[Block]:
    areas = found.tables["faithfulness"]
    if areas.empty:
        return
    figure = plot_figure(
        f"faithfulness_{method}",
        faithfulness_curves(found.tables["curves"]),
        f"{method}: mean probability of the call over {plural(int(areas['n_images'].max()), 'test image')} while "
        "patches or edges are taken away (deletion) or added to nothing (insertion). By faithful evidence it falls and "
        "rises sooner than by chance.",
        f"Deletion and insertion curves of {method}",
    )
    yield Gallery([figure], "large")
    rows = [
        (
            str(row["part"]),
            str(row["direction"]),
            ORDER_NAMES[str(row["order"])],
            count(int(row["n_images"])),
            mean_sd(row["area_mean"], row["area_sd"], 2),
            decimal(row["less_random_mean"], 2),
            interval((row["less_random_ci_low"], row["less_random_ci_high"]), 2),
        )
        for _, row in areas.iterrows()
    ]
    columns = [*text_columns("part", "direction", "order"), *number_columns("images", "area", "less chance", "95 %")]
    caption = (
        "Area under these curves, mean ± SD over images, and the mean difference from chance in the same image. In "
        "deletion less is better, in insertion more."
    )
    yield FoldedTable("Areas under the curves", Table(columns, rows, caption))


def _stability(method: str, means: Mapping[str, Mapping[str, Any]]) -> Iterator[Block]:
    if not means:
        return
    rows = [
        (
            COMPARED[between],
            count(told["n_pairs"]),
            decimal(told["correlation"], 2),
            decimal(told["jaccard"], 2),
            decimal(told["chance"], 2),
        )
        for between, told in means.items()
    ]
    names = ("pairs of graphs", "correlation of weights", "shared kept edges", "shared by chance")
    yield Table(
        [*text_columns("graphs compared"), *number_columns(*names)],
        rows,
        f"How far graphs of the same test image agree ({method}). Shared kept edges: those that both keep over those "
        "that either keeps (Jaccard). The other fold's model was trained on the image.",
    )


def _graph_metrics(method: str, tests: pd.DataFrame) -> Iterator[Block]:
    defined = tests[tests["q"].notna()]
    if defined.empty:
        return
    medians = [name for name in tests.columns if name.startswith("median_")]
    shown = defined.sort_values(["q", "p"], kind="stable").head(MOST_METRICS)
    rows = [
        (
            str(row["name"]).replace("_", " "),
            "as it is" if row["of"] == "graph" else "less chance",
            *(f"{float(row[name]):.3g}" for name in medians),
            decimal(row["epsilon_squared"], 2),
            probability(row["p"]),
            probability(row["q"]),
        )
        for _, row in shown.iterrows()
    ]
    classes = [name.removeprefix("median_") for name in medians]
    columns = [
        *text_columns("metric of the graph", "compared"),
        *number_columns(*(f"median, {name}" for name in classes), "effect", "p", "q"),
    ]
    n_found = int((defined["q"] < 0.05).sum())
    caption = (
        f"Graphs by class ({method}), the {len(shown)} smallest q of {len(tests)}: Kruskal-Wallis over classes, a "
        "patient as the unit; q after Benjamini and Hochberg; effect is epsilon squared, 0 to 1. Less chance: the "
        "metric less that of random graphs with as many patches and edges, so that size does not count."
    )
    yield FoldedTable(f"Graphs by class: {n_found} of {len(tests)} tests below q = 0.05", Table(columns, rows, caption))


def _motifs(contents: ReportContents, method: str, found: Interpretation) -> Iterator[Block]:
    motifs, kinds = found.tables["motifs"], found.summary["kinds"]
    if motifs["p"].notna().any():
        figure = plot_figure(
            f"motifs_{method}",
            motif_matrices(motifs, len(kinds)),
            f"{method}: weight of edges between kinds of patches over that when the patches of each image exchange "
            "kinds at random (log2; +1 is twice as much), by true class. Pale: q of 0.05 and above. Differences "
            "between classes are what to look at: a graph that joins like with like has a dark diagonal in all.",
            f"Motifs of the graphs of {method}",
        )
        yield Gallery([figure], "large")
    rows = [
        (
            str(number + 1),
            listed([f"{name} {value:+.1f}" for name, value in kind["features"]], 5),
            *(f"{share:.0%}" for share in kind["share"].values()),
        )
        for number, kind in enumerate(kinds)
    ]
    classes = list(kinds[0]["share"]) if kinds else []
    columns = [*text_columns("kind", "differs most in (SD)"), *number_columns(*(f"of {name}" for name in classes))]
    caption = f"Kinds of patches ({method}): clusters by features, what tells each, and its share of the patches."
    yield FoldedTable("Kinds of patches", Table(columns, rows, caption))
    patches = [example_patches(contents, kind["examples"][:MOST_EXAMPLES], PATCH_PX) for kind in kinds]
    if any(patches):
        sheet = Figure(
            f"kinds_{method}",
            "png",
            patch_rows(patches, PATCH_PX),
            f"Patches nearest to the middle of each kind, from different slides; kinds 1 to {len(kinds)} downwards.",
            f"Example patches of the kinds of {method}",
        )
        yield Gallery([sheet], "medium")
