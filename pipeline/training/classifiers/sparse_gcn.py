"""The relational classifier on the edges of packed graphs."""

import torch
from torch import Tensor

from pipeline.training.classifiers.gcn import RelationalGCN, RelationalLayer
from pipeline.training.graphs.candidate_edges import CandidateWeights
from pipeline.training.graphs.fixed_neighbours import FixedEdges
from pipeline.training.graphs.packed_batches import PackedGraphs, mean_of_images

Edges = CandidateWeights | FixedEdges


class SparseRelationalGCN(RelationalGCN):
    """``RelationalGCN``, with the same weights by the same names, that also takes packed graphs."""

    def sparse_logits(self, graphs: PackedGraphs, edges: Edges) -> Tensor:
        """Logits (B, n_classes) from nodes and edges."""
        h = self.embed(graphs.x)
        for layer in self.layers:
            h = relational_update(layer, h, edges)  # type: ignore[arg-type]
        logits: Tensor = self.head(mean_of_images(h, graphs))
        return logits


def relational_update(layer: RelationalLayer, h: Tensor, edges: Edges) -> Tensor:
    """What ``layer`` makes of h (N, width) with messages along the edges, (N, width)."""
    update: Tensor = layer.dropout(torch.relu(layer.norm(layer.linear(torch.cat([h, edges.messages(h)], dim=1)))))
    return h + update
