"""Up to which size every pair of an image's patches is scored: as long as that costs less than its candidates.

In a training step a patch of an image of n costs n scores in every head where pairs are scored,
and else the search of its candidates and a score of each.  Measured in seconds of one CPU thread
(``benchmarks/sparse_scaling.py scaling --kinds sparse metric --target-degree 8``, 8, 24 and 64
candidates, 128 to 1,024 patches): 0.062 us a pair, 13 us a search, 0.5 us a candidate.
"""

from pipeline.training.params import Settings

SEARCH_IN_PAIRS = 210
"""Pairs that cost what the search of a patch's candidates costs."""

CANDIDATE_IN_PAIRS = 8
"""Pairs that cost what a candidate costs, whose vectors have to be gathered."""


def dense_limit_by_cost(settings: Settings) -> int:
    """Patches of an image at which pairs and candidates cost the same."""
    return SEARCH_IN_PAIRS + CANDIDATE_IN_PAIRS * (settings.similar_candidates + settings.spatial_candidates)
