"""Seeds of single purposes, made of the one seed that a user gives."""

import hashlib
from dataclasses import dataclass


def derived_seed(seed: int, *purpose: str | int) -> int:
    """Seed below 2**63 for one purpose, such as ``("folds",)`` or ``(3, "roles")``."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@dataclass(frozen=True)
class Seeds:
    """The seeds of one training.

    Attributes
    ----------
    seed
        The user's.
    training
        Which of the trainings with that seed.
    """

    seed: int
    training: str

    def of(self, *purpose: str) -> int:
        """Seed for one purpose of this training, such as ``("default", "weights")``."""
        return derived_seed(self.seed, self.training, *purpose)
