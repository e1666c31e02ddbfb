"""Layers that see each node by itself."""

from torch import nn


def node_mlp(n_features: int, width: int, dropout: float) -> nn.Sequential:
    """Two layers on each node by itself."""
    return nn.Sequential(
        nn.Linear(n_features, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, width), nn.ReLU()
    )
