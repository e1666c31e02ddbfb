"""The metrics of a fold by name; apart, so that planning a run needs no scientific package."""

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "ece", "brier")
"""Each is a number, or null where it is undefined."""
