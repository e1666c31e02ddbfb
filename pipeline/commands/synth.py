"""``abignet synth slides``, ``painted``, ``planted`` and ``mosaic``."""

from pathlib import Path

import click

from pipeline.commands.options import EXISTING_DIRECTORY, EXISTING_FILE, NEW_DIRECTORY

VARIANTS = ("standard", "hard", "frontier", "long_range", "control", "stock", "shifted")
"""Names of ``synthetic.planted.VARIANTS``, here so that help needs no import."""


@click.group("synth")
def command() -> None:
    """Make synthetic slides or planted cohorts with known truth."""


@command.command("slides")
@click.option(
    "--out", "out_dir", type=NEW_DIRECTORY, required=True, help="Folder for slides.csv, the slides and truth/."
)
@click.option("--slides", "n_slides", type=click.IntRange(min=2), help="Labelled slides.")
@click.option("--slides-per-patient", type=click.IntRange(min=1), help="Slides of one patient.")
@click.option("--size-px", type=click.IntRange(min=64), help="Side of a slide in pixels.")
@click.option("--mpp", type=float, help="um per pixel.")
@click.option(
    "--bad", multiple=True, type=click.Choice(["empty", "truncated"]), help="Add such a slide; may be repeated."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def slides(
    out_dir: Path,
    n_slides: int | None,
    slides_per_patient: int | None,
    size_px: int | None,
    mpp: float | None,
    bad: tuple[str, ...],
    seed: int,
) -> None:
    """Paint a cohort of pyramidal slides of H&E-like tissue, several patients, two classes.

    The classes differ in the order of nuclear axes and in how neighbouring regions
    agree, not in nuclear density, size or stain.
    """
    from pipeline.synthetic.slides import SyntheticCohortParams, write_synthetic_cohort

    given = {"n_slides": n_slides, "slides_per_patient": slides_per_patient, "size_px": size_px, "mpp": mpp}
    counts = {kind: bad.count(kind) for kind in dict.fromkeys(bad)}
    params = SyntheticCohortParams(**{key: value for key, value in given.items() if value is not None}, bad=counts)  # type: ignore[arg-type]
    click.echo(f"{write_synthetic_cohort(out_dir, params, seed)}")


@command.command("painted")
@click.option(
    "--out", "out_dir", type=NEW_DIRECTORY, required=True, help="Folder for slides.csv, the slides and truth/."
)
@click.option("--images", "n_images", type=click.IntRange(min=2), help="Labelled images, half of each class.")
@click.option("--control", is_flag=True, help="Arrange tiles without regard to the class: no method may beat chance.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def painted(out_dir: Path, n_images: int | None, control: bool, seed: int) -> None:
    """Paint slides whose class lies only in how tiles of one type of tissue relate, with the true edges known.

    In one class the tiles of a type are all dense or all sparse in nuclei, in the other half
    of each type's tiles are dense.
    """
    from pipeline.synthetic.painted import PaintedParams, write_painted_cohort

    given = {} if n_images is None else {"n_images": n_images}
    click.echo(f"{write_painted_cohort(out_dir, PaintedParams(**given, planted=not control), seed)}")


@command.command("mosaic")
@click.option(
    "--sheet", "sheet_path", type=EXISTING_FILE, required=True, help="Sheet of real images; labels are not looked at."
)
@click.option(
    "--features",
    "features_dir",
    type=EXISTING_DIRECTORY,
    help="Folder of their feature files, where the sheet names none.",
)
@click.option(
    "--out", "out_dir", type=NEW_DIRECTORY, required=True, help="Folder for slides.csv, features/ and truth/."
)
@click.option("--images", "n_images", type=click.IntRange(min=2), help="Mosaics, half of each class.")
@click.option("--sources", "n_sources", type=click.IntRange(min=2), help="Real images in a mosaic, an even number.")
@click.option("--patches", "patches_per_source", type=click.IntRange(min=2), help="Patches of each, an even number.")
@click.option("--folds", type=click.IntRange(min=2), help="Folds, which share no real image.")
@click.option("--control", is_flag=True, help="Arrange patches without regard to the class: no method may beat chance.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def mosaic(
    sheet_path: Path, features_dir: Path | None, out_dir: Path, control: bool, seed: int, **given: int | None
) -> None:
    """Make images of patches of real ones, whose class lies only in how patches of one real image agree.

    Prints the best accuracy that a classifier has which is given the true edges.
    """
    from pipeline.artefacts.sheet import read_sheet
    from pipeline.commands.cohort import feature_files
    from pipeline.synthetic.mosaic import MosaicParams, mosaic_ceiling, write_mosaics
    from pipeline.synthetic.planting.real_sources import read_sources

    numbers = {key: value for key, value in given.items() if value is not None}
    params = MosaicParams(**numbers, planted=not control)
    rows = read_sheet(sheet_path)
    sources, names = read_sources(rows, feature_files(rows, features_dir, sheet_path))
    click.echo(f"{write_mosaics(out_dir, sources, names, params, seed)}")
    click.echo(f"{mosaic_ceiling(sources, params, seed)}")


@command.command("planted")
@click.option(
    "--out", "out_dir", type=NEW_DIRECTORY, required=True, help="Folder for slides.csv, features/ and truth/."
)
@click.option("--variant", type=click.Choice(VARIANTS), default="standard", show_default=True, help="Named cohort.")
@click.option("--images", "n_images", type=click.IntRange(min=2), help="Images, half of each class.")
@click.option("--pairs", "n_pairs", type=click.IntRange(min=1), help="Pairs of patches an image that carry the class.")
@click.option("--distractors", "n_distractors", type=click.IntRange(min=0), help="Other patches an image.")
@click.option("--agreement", type=click.FloatRange(0.5, 1), help="Share of pairs that follow the class.")
@click.option("--control", is_flag=True, help="Plant nothing in it: no method may beat chance.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def planted(out_dir: Path, variant: str, control: bool, seed: int, **given: float | None) -> None:
    """Make feature caches whose class shows only in pairs of patches, with the true pairs known.

    Other options replace numbers of the variant.  Prints the best accuracy that is possible,
    by Bayes' rule and by a classifier that is given the true pairs.
    """
    from dataclasses import replace

    from pipeline.synthetic import planted as cohorts

    numbers = {key: value for key, value in given.items() if value is not None}
    if control:
        numbers["planted"] = False
    params = replace(cohorts.VARIANTS[variant], **numbers)  # type: ignore[arg-type]
    click.echo(f"{cohorts.write_planted_cohort(out_dir, params, seed)}")
    click.echo(f"{cohorts.planted_ceiling(params, seed)}")
