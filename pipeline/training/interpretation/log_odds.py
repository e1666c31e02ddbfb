"""Log-odds of each class against the rest, the scale of all evidence."""

import torch
from torch import Tensor


def log_odds(logits: Tensor, temperature: float = 1.0) -> Tensor:
    r"""Log-odds (B, n_classes) of logits z T (B, n_classes), T the temperature of the model's probabilities p.

    .. math:: \log \frac{p_c}{1 - p_c} = z_c - \log \textstyle\sum_{k \ne c} e^{z_k}
    """
    logits, n_classes = logits / temperature, logits.shape[1]
    own = torch.eye(n_classes, dtype=torch.bool, device=logits.device)
    others = logits.unsqueeze(1).expand(-1, n_classes, -1).masked_fill(own, -torch.inf)
    return logits - others.logsumexp(dim=2)
