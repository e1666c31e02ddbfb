"""Models of two classes and five features that a test can train."""

from dataclasses import replace

import torch

from pipeline.training.classifiers.image_classifier import build_model
from pipeline.training.methods.presets import METHODS

EVEN = torch.ones(2)
"""Weights of the two classes."""


def small(name, **changes):
    """A method with few numbers, and its model."""
    torch.manual_seed(0)
    settings = replace(METHODS[name].settings, **{"epochs": 3, "hidden": 8, "heads": 2, "batch_size": 4, **changes})
    spec = replace(METHODS[name], settings=settings)
    return spec, build_model(spec, 5, 2)
