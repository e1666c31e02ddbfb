"""Parameters of the explanations, one to one with the config's section ``explain``."""

from dataclasses import dataclass

from pipeline.training.methods.presets import METHODS
from pipeline.tunables import Choice, Tunables, listing, whole


@dataclass(frozen=True)
class ExplainParams(Tunables, section="explain"):
    """For which methods test images are explained, and how much that may cost."""

    methods: tuple[str, ...] = listing(
        ("default",),
        Choice(tuple(METHODS)),
        "methods whose predictions are explained, those of them that are in `methods`; [] explains none",
    )
    patches_read: int = whole(
        50_000,
        1_000,
        1_000_000_000,
        "patches that the model reads again while patches of one image are left out in turn; images of more than "
        "about its root (223) are explained in squares of neighbouring patches, at least 64 of them",
    )
    path_steps: int = whole(
        16, 2, 1000, "steps from the average patch to the patch, along which evidence of features is added up"
    )
    curve_images: int = whole(
        24, 0, 1_000_000, "test images of a fold in which deletion and insertion tell whether evidence is faithful"
    )
