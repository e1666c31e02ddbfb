"""The split that a training is made on, and the roles that slides have in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.training.cohort.seeds import Seeds


@dataclass(frozen=True)
class Split:
    """One drawing of roles.

    Attributes
    ----------
    seed
        That of the drawing, and of everything trained on it.
    fold
        The test fold; None where roles are drawn over all slides and none is held back.
    """

    seed: int
    fold: int | None

    @property
    def name(self) -> str:
        """``fold_3``, or ``final``: folder of what is trained on it."""
        return "final" if self.fold is None else f"fold_{self.fold}"

    @property
    def title(self) -> str:
        """The name as a reader writes it."""
        return self.name.replace("_", " ")

    @property
    def seeds(self) -> Seeds:
        """Seeds of what is trained on it."""
        return Seeds(self.seed, self.title)


def role_counts(rows: pd.DataFrame) -> str:
    """Images by role and class, in words."""
    counts = rows.groupby(["role", "label"], as_index=False).size()
    return ", ".join(f"{row.role} {row.label}: {row.size}" for row in counts.itertuples())


def slides_with_roles(rows: pd.DataFrame, roles: Sequence[str]) -> list[str]:
    """Slides of ``rows`` with one of ``roles``, in row order."""
    return [str(slide_id) for slide_id in rows.loc[rows["role"].isin(roles), "slide_id"]]
