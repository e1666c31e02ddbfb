"""How training went."""

from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.contents.wording import listed, plural
from pipeline.report.figures.charts_training import MOST_LINES, PANELS, curve_columns, learning_curves
from pipeline.report.figures.figure_style import Figure, plot_figure
from pipeline.report.page.page_elements import Block, Gallery, Section, Text

SERIES = {
    "lower": "lower, the classifier's steps on the train part",
    "upper": "upper, the graph generator's steps on the structure part",
    "select": "select, the part that chooses the epoch",
}
"""What a series of ``history.csv`` is measured on."""


def training(contents: ReportContents) -> Section:
    """Learning curves of every method that keeps a history."""
    histories = contents.results.histories
    drawn = [m for m in contents.sources.methods if any(curve_columns(histories[m], end) for end in PANELS.values())]
    without = [method for method in contents.sources.methods if method not in drawn]
    blocks: list[Block] = []
    if drawn:
        blocks.append(Gallery([_figure(contents, method) for method in drawn], "large", _note(contents, drawn)))
    if without:
        blocks.append(Text(f"No learning curve, because no loss by epoch was kept: {listed(without, 20)}."))
    return Section("training", "Learning curves", blocks)


def _note(contents: ReportContents, methods: list[str]) -> str:
    columns = {column for method in methods for column in contents.results.histories[method].columns}
    names = {column.rpartition("_")[0] for column in columns}
    known = [text for name, text in SERIES.items() if name in names]
    return (
        f"Thin lines are single folds and seeds (the first {MOST_LINES}; of several graph models their mean), bold "
        "lines the mean over all those still training at that epoch. "
        + (f"Series: {'; '.join(known)}. " if known else "")
        + "Test folds appear in none of them."
    )


def _figure(contents: ReportContents, method: str) -> Figure:
    history = contents.results.histories[method]
    n_runs = len(history[["seed", "fold"]].drop_duplicates())
    return plot_figure(
        f"learning_{method}",
        learning_curves(history),
        f"{method}: {plural(n_runs, 'training run')}, up to {plural(int(history['epoch'].nunique()), 'epoch')}.",
        f"Learning curves of {method}",
        history,
    )
