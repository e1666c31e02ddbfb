"""Parameters of what is said of all images together, one to one with the config's section ``interpretation``."""

from dataclasses import dataclass

from pipeline.tunables import Tunables, random_seed, whole


@dataclass(frozen=True)
class InterpretParams(Tunables, section="interpretation"):
    """How many graphs are measured and compared."""

    graphs_measured: int = whole(
        200, 2, 1_000_000, "test images, evenly of all, whose graphs are measured and searched for motifs"
    )
    graphs_compared: int = whole(
        24, 1, 1_000_000, "of them those whose graphs by other trainings are compared with their own"
    )
    null_graphs: int = whole(
        5, 1, 10_000, "graphs by chance of the same size, with which the metrics of each graph are compared"
    )
    kinds: int = whole(6, 2, 100, "kinds of patches (clusters by their features) between which motifs are sought")
    permutations: int = whole(200, 20, 1_000_000, "exchanges of kinds at random that a motif is compared with")
    seed: int = random_seed("of clusters, graphs by chance and exchanges")
