"""Which named features separate the classes, and what those of orientation look like."""

from pipeline.report.contents.feature_separation import FeatureSeparation, extreme_patches, is_orientation
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.contents.wording import decimal, plural, probability
from pipeline.report.figures.charts_features import MOST_BARS, separating_features
from pipeline.report.figures.charts_interpretation import patch_rows
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

N_EXAMPLES = 8
EXAMPLE_PX = 96
N_PICTURED = 3
"""Features of orientation that are shown as pictures, the most separating first."""


def features(contents: ReportContents) -> Section:
    """Effects of class and patient by feature, and examples of orientation."""
    found = contents.feature_separation
    if found is None:
        why = "slides came without named features in common"
        return Section("features", "Features", [Text(f"No features are compared: {why}.")])
    blocks: list[Block] = [Text(_in_words(found)), Gallery([_chart(found)], "large")]
    blocks += [FoldedTable(f"All {len(found.table)} features", _table(contents, found)), *_orientation(contents, found)]
    return Section("features", "Features", blocks)


def _in_words(found: FeatureSeparation) -> str:
    best = found.table.iloc[0]
    text = (
        f"Means over the patches of {plural(found.n_images, 'image')} of {plural(found.n_patients, 'patient')}: "
        f"{best['feature']} separates the classes best, {max(0.0, float(best['class_omega'])):.0%} of its variation "
        "between images lies between classes. "
    )
    if not found.has_patients:
        return text + "Every patient has one image, so that what belongs to a patient cannot be told from chance."
    if found.patients_outweigh():
        return text + (
            "Among the ten best features more lies between patients of one class than between classes: images of a "
            "patient resemble each other more than images of a class do."
        )
    return text + "Among the ten best features more lies between classes than between patients of one class."


def _chart(found: FeatureSeparation) -> Figure:
    shown = found.table.head(MOST_BARS)
    oriented = [is_orientation(name) for name in shown["feature"]]
    rings = " Rings: what patients of one class explain besides." if found.has_patients else ""
    return plot_figure(
        "features",
        separating_features(shown, oriented),
        f"The {len(shown)} features that separate the classes best, of {len(found.table)}; orange: of the axes of "
        f"nuclei.{rings} One at a time: what only several together tell, a graph above all, is not seen here.",
        "Bar chart of the features that separate the classes best",
        found.table,
    )


def _table(contents: ReportContents, found: FeatureSeparation) -> Table:
    means = [name for name in found.table.columns if name.startswith("mean_")]
    rows = [
        (
            str(row["feature"]),
            decimal(row["class_omega"]),
            probability(float(row["class_p"])),
            decimal(row["patient_omega"]),
            *(f"{row[name]:.4g}" for name in means),
        )
        for row in found.table.to_dict("records")
    ]
    columns = [
        *text_columns("feature"),
        *number_columns("class explains", "p", "patients explain", *(name.replace("_", " of ", 1) for name in means)),
    ]
    unit = "" if contents.is_patient_level else " Patients are not all named, so p counts images that may be of one."
    return Table(
        columns,
        rows,
        "Shares of the variation of image means (omega squared: what groups explain beyond chance, in a one-way "
        "analysis of variance); patients explain: what patients of one class explain besides. p: F-test by image, not "
        f"corrected for the number of features.{unit}",
    )


def _orientation(contents: ReportContents, found: FeatureSeparation) -> list[Block]:
    """Patches with low and high values of the most separating features of orientation."""
    names = [name for name in found.table["feature"] if is_orientation(name)][:N_PICTURED]
    if contents.params.n_overlays == 0:
        return []
    drawn = [_examples(contents, place, name) for place, name in enumerate(names, 1)]
    figures = [figure for figure in drawn if figure is not None]
    if not figures:
        return []
    note = (
        "What orientation features see: patches with low values above, with high ones below, each from another slide. "
        "They describe whether the long axes of nuclei agree, near each other or in the whole patch."
    )
    return [Gallery(figures, "large", note)]


def _examples(contents: ReportContents, place: int, feature: str) -> Figure | None:
    ends = extreme_patches(feature, contents.tested, contents.sources.features, N_EXAMPLES)
    rows = [example_patches(contents, end, EXAMPLE_PX) for end in ends]
    if not all(rows):
        return None
    return Figure(
        f"orientation_example_{place}",
        "png",
        patch_rows(rows, EXAMPLE_PX),
        f"{feature}: low above, high below.",
        f"Patches with low and high values of {feature}",
    )
