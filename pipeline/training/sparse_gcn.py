"""The relational classifier on candidate edges of packed graphs."""

import torch
from torch import Tensor

from pipeline.training.gcn import RelationalGCN, RelationalLayer
from pipeline.training.sparse_batches import PackedGraphs, mean_of_images
from pipeline.training.sparse_generators import CandidateWeights
from pipeline.training.sparse_kernels import product


class SparseRelationalGCN(RelationalGCN):
    """``RelationalGCN``, with the same weights by the same names, that also takes packed graphs."""

    def sparse_logits(self, graphs: PackedGraphs, adjacency: CandidateWeights) -> Tensor:
        """Logits (B, n_classes) from nodes and weights of their candidate edges."""
        h = self.embed(graphs.x)
        for layer in self.layers:
            h = relational_update(layer, h, adjacency)  # type: ignore[arg-type]
        logits: Tensor = self.head(mean_of_images(h, graphs))
        return logits


def relational_update(layer: RelationalLayer, h: Tensor, adjacency: CandidateWeights) -> Tensor:
    """What ``layer`` makes of h (N, width) with messages along candidate edges, (N, width)."""
    n_heads = len(adjacency.weights)
    rows = product(adjacency.weights.flatten(0, 1), adjacency.candidates.pattern, h.repeat(n_heads, 1))
    messages = rows.view(n_heads, *h.shape).transpose(0, 1).flatten(1)
    update: Tensor = layer.dropout(torch.relu(layer.norm(layer.linear(torch.cat([h, messages], dim=1)))))
    return h + update
