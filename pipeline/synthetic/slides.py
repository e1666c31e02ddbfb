"""A cohort of slides whose classes differ in nuclear orientation and in nothing else.

Every slide is a mosaic of domains (``domains``).  Density, size and stain of nuclei are
drawn alike for all classes; stain and density vary between patients as a nuisance.
"""

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.arrays import Rgb
from pipeline.artefacts.atomic import writing
from pipeline.errors import ConfigError
from pipeline.synthetic.painting.domains import TissueClass, draw_domains, layout_of_domains
from pipeline.synthetic.painting.nucleus import Stain
from pipeline.synthetic.painting.painted_files import slide_path, write_making, write_table
from pipeline.synthetic.painting.placement import NucleusShape
from pipeline.synthetic.painting.pyramid import truncate, write_pyramid
from pipeline.synthetic.painting.texture import Canvas
from pipeline.synthetic.painting.tissue import PaintedTissue, TissueSpec, paint_tissue

DEFAULT_CLASSES = (TissueClass("aligned", 0.65, 0.95), TissueClass("disordered", 0.35, 0.0))

FAULTS = ("empty", "truncated")
"""Kinds of bad slide: glass without tissue, and a file cut short."""

PATIENT_STREAM, SLIDE_STREAM = 1, 2
"""Numbers that keep the random streams of patients and slides apart."""

CLASS_SHAPE = NucleusShape(major_um=9.0, major_cv=0.14, aspect=0.55, aspect_sd=0.06)
"""Elongated enough for an axis to be measured, the same in every class."""


@dataclass(frozen=True)
class SyntheticCohortParams:
    """Size and make of a cohort.

    Attributes
    ----------
    n_slides, n_unlabelled
        Slides with a label, and further ones without.
    slides_per_patient
        Slides of one patient; every fourth patient has slides of different classes.
    size_px, mpp
        Side of the square slides in level-0 pixels, and um per pixel.
    domain_um
        Side of a domain.  Tiles of this side meet one domain each.
    margin_um
        White border.
    nuclei_per_mm2
        Mean density on tissue.
    density_contrast
        Pairs of domains have ``exp(+contrast)`` or ``exp(-contrast)`` times the density.
    kappa
        Axial concentration of ordered domains (6: nematic order 0.91).
    classes
        At least one.
    bad
        Number of bad slides by kind; see ``FAULTS``.
    """

    n_slides: int = 16
    n_unlabelled: int = 2
    slides_per_patient: int = 2
    size_px: int = 1152
    mpp: float = 0.5
    domain_um: float = 96.0
    margin_um: float = 24.0
    nuclei_per_mm2: float = 3400.0
    density_contrast: float = 0.2
    kappa: float = 6.0
    classes: tuple[TissueClass, ...] = DEFAULT_CLASSES
    bad: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in ("size_px", "mpp", "domain_um", "nuclei_per_mm2", "slides_per_patient"):
            if getattr(self, key) <= 0:
                raise ConfigError(f"synthetic slides: {key} is {getattr(self, key)}; expected more than 0.")
        if not self.classes:
            raise ConfigError("synthetic slides: classes is empty; expected at least one class.")
        unknown = sorted(set(self.bad) - set(FAULTS))
        if unknown:
            raise ConfigError(f"synthetic slides: bad names {', '.join(unknown)}; expected {' or '.join(FAULTS)}.")


@dataclass(frozen=True)
class PlannedSlide:
    """One slide to be made: its true class, whether the sheet tells it, its patient, its fault if any."""

    slide_id: str
    tissue_class: TissueClass
    labelled: bool
    patient: int
    fault: str | None = None

    @property
    def case_id(self) -> str:
        """Patient as the sheet names them."""
        return f"p{self.patient + 1:02d}"


def write_synthetic_cohort(out_dir: str | Path, params: SyntheticCohortParams, seed: int) -> Path:
    """Write slides, sheet and truth; the same seed and params give the same bytes.

    Under ``out_dir``: ``slides.csv``; ``slides/{slide_id}.tif``, tiled pyramids;
    ``truth/truth.csv`` (slide_id, label, case_id, fault, n_nuclei); per sound slide
    ``truth/{slide_id}.nuclei.parquet`` (x_um, y_um, major_um, minor_um, orientation_rad,
    domain_row, domain_col) and ``truth/{slide_id}.domains.csv``; ``truth/provenance.json``.

    Returns
    -------
    Path of the sheet.
    """
    folder = Path(out_dir)
    planned = list(plan_slides(params))
    counts = [_write_slide(folder, slide, params, seed) for slide in planned]
    truth = _sheet(planned).assign(
        label=[slide.tissue_class.name for slide in planned],
        fault=[slide.fault or "" for slide in planned],
        n_nuclei=counts,
    )
    write_table(folder / "truth" / "truth.csv", truth.drop(columns="path"))
    write_making(folder / "truth", "pipeline.synthetic.slides", asdict(params), seed)
    write_table(folder / "slides.csv", _sheet(planned))
    return folder / "slides.csv"


def plan_slides(params: SyntheticCohortParams) -> Iterator[PlannedSlide]:
    """Labelled slides, bad ones, then those without a label; classes take turns."""
    n_classes, per_patient = len(params.classes), params.slides_per_patient
    for number in range(params.n_slides):
        patient, place = divmod(number, per_patient)
        is_mixed = patient % 4 == 3
        label = params.classes[(patient + place if is_mixed else patient + patient // 4) % n_classes]
        yield PlannedSlide(f"s{number + 1:02d}", label, True, patient)
    first_new = math.ceil(params.n_slides / per_patient)
    patient = first_new + params.n_unlabelled
    for fault in FAULTS:
        for number in range(params.bad.get(fault, 0)):
            yield PlannedSlide(f"{fault}{number + 1:02d}", params.classes[patient % n_classes], True, patient, fault)
            patient += 1
    for number in range(params.n_unlabelled):
        yield PlannedSlide(f"new{number + 1:02d}", params.classes[number % n_classes], False, first_new + number)


def paint_slide(slide: PlannedSlide, params: SyntheticCohortParams, seed: int) -> tuple[PaintedTissue, pd.DataFrame]:
    """Picture with its truth, and the domains it was made of."""
    rng = _slide_rng(slide, seed)
    canvas = Canvas(params.size_px, params.size_px, params.mpp)
    n_domains = math.ceil(round(canvas.width_um / params.domain_um, 6))
    domains = draw_domains(slide.tissue_class, n_domains, n_domains, density_contrast=params.density_contrast, rng=rng)
    layout = layout_of_domains(
        domains, canvas, domain_um=params.domain_um, margin_um=params.margin_um, kappa=params.kappa, rng=rng
    )
    spec = _patient_spec(slide.patient, params, seed)
    painted = paint_tissue(
        spec, width_px=params.size_px, height_px=params.size_px, mpp=params.mpp, rng=rng, layout=layout
    )
    return painted, domains


def _slide_rng(slide: PlannedSlide, seed: int) -> np.random.Generator:
    """Stream of one slide, which does not depend on what other slides there are."""
    return np.random.default_rng([seed, SLIDE_STREAM, zlib.crc32(slide.slide_id.encode())])


def _patient_spec(patient: int, params: SyntheticCohortParams, seed: int) -> TissueSpec:
    """Stain, density and optics of one patient, drawn without regard to the class."""
    rng = np.random.default_rng([seed, PATIENT_STREAM, patient])
    stain = Stain(
        haematoxylin=float(rng.uniform(1.25, 1.8)),
        eosin=float(rng.uniform(0.45, 0.75)),
        basophilia=float(rng.uniform(0.2, 0.4)),
        tilt=float(rng.uniform(0.35, 0.8)),
        vesicular=float(rng.uniform(0.1, 0.4)),
    )
    density = params.nuclei_per_mm2 * float(rng.uniform(0.92, 1.08))
    return replace(TissueSpec(), nuclei_per_mm2=density, clustering=0.1, shape=CLASS_SHAPE, stain=stain)


def _write_slide(folder: Path, slide: PlannedSlide, params: SyntheticCohortParams, seed: int) -> int:
    """Write one slide and its truth; the number of its nuclei."""
    path = folder / slide_path(slide.slide_id)
    if slide.fault == "empty":
        write_pyramid(path, _glass(params, _slide_rng(slide, seed)), params.mpp)
        return 0
    painted, domains = paint_slide(slide, params, seed)
    write_pyramid(path, painted.rgb, params.mpp)
    if slide.fault == "truncated":
        truncate(path)
        return 0
    write_table(folder / "truth" / f"{slide.slide_id}.domains.csv", domains)
    with writing(folder / "truth" / f"{slide.slide_id}.nuclei.parquet") as temporary:
        _true_nuclei(painted, params).to_parquet(temporary, index=False)
    return len(painted.nuclei)


def _true_nuclei(painted: PaintedTissue, params: SyntheticCohortParams) -> pd.DataFrame:
    lengths = painted.nuclei[["x", "y", "major", "minor"]] * params.mpp
    lengths.columns = ["x_um", "y_um", "major_um", "minor_um"]
    return lengths.assign(
        orientation_rad=painted.nuclei["orientation_rad"],
        domain_row=(lengths["y_um"] // params.domain_um).astype(np.int64),
        domain_col=(lengths["x_um"] // params.domain_um).astype(np.int64),
    )


def _glass(params: SyntheticCohortParams, rng: np.random.Generator) -> Rgb:
    noise = 2.0 * rng.standard_normal((params.size_px, params.size_px, 3), dtype=np.float32)
    return np.clip(243.0 + noise, 0, 255).astype(np.uint8)


def _sheet(planned: list[PlannedSlide]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "slide_id": [slide.slide_id for slide in planned],
            "path": [slide_path(slide.slide_id) for slide in planned],
            "label": [slide.tissue_class.name if slide.labelled else "" for slide in planned],
            "case_id": [slide.case_id for slide in planned],
        }
    )
