"""Which file of a results folder is made by which rule, and what is made from it, as the workflow lays it out."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

NO_RESULTS = ("logs", "benchmarks")
"""Folders beside results."""

WHOLE_FOLDERS = ("figures", "panels", "interpretation")
"""Names of folders that are one output."""

EXPORTED_RUNS = "geojson"
"""Folder whose folders are one output each."""

SLIDE = r"(?P<slide>[^/]+?)"
RUN = r"(?P<run>[^/]+?)"
METHOD = rf"training/{RUN}/(?P<method>[^/]+)"
FOLD = rf"{METHOD}/seed_(?P<seed>\d+)/fold_(?P<fold>\d+)"

OUTPUTS: Mapping[str, str] = {
    "tile_slide": rf"tiles/{SLIDE}\.(parquet|png)",
    "segment_nuclei": rf"nuclei/{SLIDE}\.parquet",
    "build_cell_graphs": rf"cell_graphs/{SLIDE}\.zarr",
    "cache_features": rf"features/{SLIDE}\.zarr",
    "export_geojson": rf"geojson/{SLIDE}\.(nuclei\.geojson\.gz|patches\.geojson)",
    "export_run": rf"geojson/{RUN}",
    "export_tiles": rf"coords/(trident|clam|geojson)/{SLIDE}(_patches\.h5|\.h5|\.tiles\.geojson)",
    "split_cohort": rf"training/{RUN}/(splits\.csv|excluded\.csv|provenance\.json)",
    "train_fold": rf"{FOLD}/(model\.pt|history\.csv|predictions\.csv|graphs\.zarr|graph_path\.json|provenance\.json)",
    "explain_fold": rf"{FOLD}/(evidence\.zarr|faithfulness\.json)",
    "interpret": rf"{METHOD}/interpretation",
    "train_final": rf"{METHOD}/final/(model\.pt|history\.csv|provenance\.json)",
    "evaluate": (
        rf"training/{RUN}/(comparison(\.csv|\.provenance\.json)|[^/]+/seed_\d+/metrics\.json"
        r"|[^/]+/predictions(\.csv|\.provenance\.json))"
    ),
    "predict": rf"predictions/{RUN}\.(excluded\.csv|csv|graphs\.zarr|provenance\.json)",
    "write_report": rf"report/{RUN}/(index\.html|figures)",
    "write_panels": rf"report/{RUN}/panels",
}
"""Paths of a rule's outputs below the results folder, in the order of the science."""

EXPLAINING = ("explain_fold", "interpret")

REPORTING = ("write_report", "write_panels")

TRAINING = ("split_cohort", "train_fold", *EXPLAINING, "train_final", "evaluate", "predict", *REPORTING, "export_run")

MADE_FROM_IT: Mapping[str, tuple[str, ...]] = {
    "tile_slide": (
        "segment_nuclei",
        "build_cell_graphs",
        "cache_features",
        "export_geojson",
        "export_tiles",
        *TRAINING,
    ),
    "segment_nuclei": ("build_cell_graphs", "cache_features", "export_geojson", *TRAINING),
    "build_cell_graphs": ("cache_features", "export_geojson", *TRAINING),
    "cache_features": ("export_geojson", *TRAINING),
    "split_cohort": TRAINING[1:],
    "train_fold": (*EXPLAINING, "evaluate", *REPORTING, "export_run"),
    "explain_fold": ("interpret", *REPORTING, "export_run"),
    "interpret": REPORTING,
    "train_final": ("predict", *REPORTING),
    "evaluate": REPORTING,
    "predict": REPORTING,
}
"""Rules that read what a rule makes, directly or through others."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "tile_slide": ("tiles/{slide}.parquet", "tiles/{slide}.png"),
    "export_geojson": ("geojson/{slide}.nuclei.geojson.gz", "geojson/{slide}.patches.geojson"),
    "split_cohort": tuple(f"training/{{run}}/{name}" for name in ("splits.csv", "excluded.csv", "provenance.json")),
    "train_fold": tuple(
        f"training/{{run}}/{{method}}/seed_{{seed}}/fold_{{fold}}/{name}"
        for name in ("model.pt", "history.csv", "predictions.csv", "graphs.zarr", "graph_path.json", "provenance.json")
    ),
    "train_final": tuple(
        f"training/{{run}}/{{method}}/final/{name}" for name in ("model.pt", "history.csv", "provenance.json")
    ),
    "predict": tuple(
        f"predictions/{{run}}{end}" for end in (".csv", ".excluded.csv", ".graphs.zarr", ".provenance.json")
    ),
}
"""Outputs of which a job leaves all or none."""

OF_LEARNING = frozenset({"split_cohort", "train_fold", *EXPLAINING, "export_run", "train_final", "evaluate"})
"""Rules that read nothing of a slide that is predicted only."""


@dataclass(frozen=True)
class Product:
    """A file, or a folder that is one output, of a results folder.

    Attributes
    ----------
    path
        The file.
    name
        Its path below the results folder.
    rule
        The rule that makes it; None of a file that no rule of the workflow makes.
    wildcards
        What the rule made it for: slide, run, method, seed and fold, those that it has.
    """

    path: Path
    name: str
    rule: str | None
    wildcards: Mapping[str, str]

    def is_of_the_job_of(self, other: "Product") -> bool:
        """Whether one job makes both."""
        if self.rule is None or self.rule != other.rule:
            return self.path == other.path
        return self.wildcards == other.wildcards

    def is_made_from(self, other: "Product", learned_slides: frozenset[str] | None) -> bool:
        """Whether ``other`` is an input of it, directly or through others.

        Parameters
        ----------
        learned_slides
            Slides that the run of this product learns from; None where that is not known.
        """
        if self.rule is None or self.rule not in MADE_FROM_IT.get(other.rule or "", ()):
            return False
        slide = other.wildcards.get("slide")
        if slide is not None and self.rule in OF_LEARNING and learned_slides is not None:
            return slide in learned_slides
        shared = self.wildcards.keys() & other.wildcards.keys()
        return all(self.wildcards[key] == other.wildcards[key] for key in shared)


def products(root: Path) -> Iterator[Product]:
    """Outputs of all rules below ``root``, in the order of the science, then files of the kinds that commands write."""
    found = [product(root, path) for path in _outputs(root) if path.relative_to(root).parts[0] not in NO_RESULTS]
    places = {rule: place for place, rule in enumerate(OUTPUTS)}
    yield from sorted(found, key=lambda one: (places.get(one.rule or "", len(places)), one.name))


def product(root: Path, path: Path) -> Product:
    """What the file at ``path`` below ``root`` is."""
    name = path.relative_to(root).as_posix()
    for rule, pattern in OUTPUTS.items():
        match = re.fullmatch(pattern, name)
        if match is not None:
            return Product(path, name, rule, match.groupdict())
    return Product(path, name, None, {})


def to_remove(
    faulty: Iterable[Product], everything: Iterable[Product], learned: Mapping[str, frozenset[str]]
) -> list[Product]:
    """``faulty`` products, the others of their jobs and all that was made from them, last made first.

    Snakemake makes a missing file again only where something that it makes from it is missing as well.

    Parameters
    ----------
    everything
        In the order of the science.
    learned
        Slides that each run learns from, where that is known.
    """
    faults = list(faulty)

    def goes(one: Product) -> bool:
        slides = learned.get(one.wildcards.get("run", ""))
        return any(one.is_of_the_job_of(fault) or one.is_made_from(fault, slides) for fault in faults)

    return [one for one in everything if goes(one)][::-1]


def _outputs(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and not _is_output(path):
            yield from _outputs(path)
        else:
            yield path


def _is_output(folder: Path) -> bool:
    return folder.suffix == ".zarr" or folder.name in WHOLE_FOLDERS or folder.parent.name == EXPORTED_RUNS
