"""Tissue as a mosaic of domains whose order, alone and in pairs, tells the class.

Frame: domains are (row, col) squares of ``domain_um`` from the slide's top-left corner.
Columns 2k and 2k + 1 of a row are partners.  Partners share a density of nuclei, drawn
alike in every class: by it they can be found, but it tells nothing by itself.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import ConfigError
from pipeline.synthetic.painting.placement import TissueLayout
from pipeline.synthetic.painting.texture import Canvas
from pipeline.synthetic.painting.tissue import LAYOUT_CELL_UM, tissue_outline


@dataclass(frozen=True)
class TissueClass:
    """How one class arranges its domains.

    Attributes
    ----------
    name
        The label.
    ordered_share
        Probability that a domain is ordered: seen in single patches.
    agreement
        Probability that the second partner takes over the first's state and axis; else
        both are drawn anew.  Between classes of equal ``ordered_share`` this is seen in
        pairs only.
    """

    name: str
    ordered_share: float
    agreement: float

    def __post_init__(self) -> None:
        for key in ("ordered_share", "agreement"):
            if not 0 <= getattr(self, key) <= 1:
                raise ConfigError(f"class {self.name}: {key} is {getattr(self, key)}; expected 0 to 1.")


def draw_domains(
    tissue_class: TissueClass, n_rows: int, n_cols: int, *, density_contrast: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw the domains of one slide.

    Returns
    -------
    DataFrame in reading order: domain_row, domain_col, pair (number), ordered (bool),
    axis_rad in [0, pi), density (relative).
    """
    share = tissue_class.ordered_share
    rows: list[tuple[float, ...]] = []
    for row in range(n_rows):
        for col in range(0, n_cols, 2):
            pair = row * math.ceil(n_cols / 2) + col // 2
            density = math.exp(density_contrast * rng.choice([-1.0, 1.0]))
            first, second = ((bool(rng.random() < share), float(rng.uniform(0, math.pi))) for _ in range(2))
            if rng.random() < tissue_class.agreement:
                second = first
            rows += [(row, col, pair, *first, density), (row, col + 1, pair, *second, density)]
    frame = pd.DataFrame(rows, columns=["domain_row", "domain_col", "pair", "ordered", "axis_rad", "density"])
    return frame[frame["domain_col"] < n_cols].reset_index(drop=True)


def layout_of_domains(
    domains: pd.DataFrame,
    canvas: Canvas,
    *,
    domain_um: float,
    margin_um: float,
    kappa: float,
    rng: np.random.Generator,
) -> TissueLayout:
    """Layout in which every domain has its axis, order and density.

    Parameters
    ----------
    domains
        See ``draw_domains``.
    kappa
        Axial concentration in ordered domains; 0 elsewhere.
    """
    cols, rows = (math.ceil(round(size / LAYOUT_CELL_UM, 6)) for size in (canvas.width_um, canvas.height_um))
    n_cols = int(domains["domain_col"].max()) + 1
    domain_col = ((np.arange(cols) + 0.5) * LAYOUT_CELL_UM // domain_um).astype(np.intp)
    domain_row = ((np.arange(rows) + 0.5) * LAYOUT_CELL_UM // domain_um).astype(np.intp)
    index = domain_row[:, None] * n_cols + domain_col[None, :]
    return TissueLayout(
        LAYOUT_CELL_UM,
        tissue_outline(Canvas(cols, rows, LAYOUT_CELL_UM), margin_um, rng),
        domains["axis_rad"].to_numpy(np.float64)[index],
        np.where(domains["ordered"].to_numpy(bool), kappa, 0.0)[index],
        domains["density"].to_numpy(np.float64)[index],
    )
