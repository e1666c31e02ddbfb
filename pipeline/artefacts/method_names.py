"""What a reader of results must know of methods by their names; apart, so that no room has to import another."""

LEARNED_GRAPH = ("default", "joint", "paper_a", "paper_b")
"""Methods of ABiG-Net, whose patch graph is learned; all others are baselines."""
