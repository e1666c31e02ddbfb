"""Adam and AdamW of torch, without what serves its compiler.

torch.optim imports the compiler when an optimiser is made and at each step, though nothing here is
compiled: a second and a half of every job.
"""

from inspect import unwrap
from typing import Any

import torch
from torch.optim import Optimizer


class _Uncompiled(Optimizer):
    """The functions of ``Optimizer`` themselves, within the wrappers that keep the compiler out of them."""

    add_param_group = unwrap(Optimizer.add_param_group)
    zero_grad = unwrap(Optimizer.zero_grad)
    state_dict = unwrap(Optimizer.state_dict)
    load_state_dict = unwrap(Optimizer.load_state_dict)


class Adam(_Uncompiled, torch.optim.Adam):
    """``torch.optim.Adam``."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step by the gradients that are there."""
        return unwrap(torch.optim.Adam.step)(self, closure)


class AdamW(_Uncompiled, torch.optim.AdamW):
    """``torch.optim.AdamW``."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step by the gradients that are there."""
        return unwrap(torch.optim.AdamW.step)(self, closure)
