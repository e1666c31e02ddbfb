"""``abignet synth slides`` and ``abignet synth planted``."""

from pathlib import Path

import click

from pipeline.commands.options import NEW_DIRECTORY

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
