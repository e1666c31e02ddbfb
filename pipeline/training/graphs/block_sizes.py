"""How much a kernel holds at once: what a processor's cache likes, or enough to keep a card busy."""

import torch

NUMBERS_AT_ONCE = {"cpu": 1 << 20, "cuda": 1 << 27}
"""Guard on memory, by kind of device: numbers of a block, 4 MiB and 512 MiB in single precision.

A card needs some ten million of them to be busy, and every block costs it a dozen launches;
512 MiB fit the smallest share of a card that is lent (10 GB).
"""


def numbers_at_once(device: torch.device) -> int:
    """Most numbers of a block on ``device``."""
    return NUMBERS_AT_ONCE[device.type]
