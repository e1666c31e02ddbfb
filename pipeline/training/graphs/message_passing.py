"""Whose kernels sum along edges, by the name in the config: ours or PyTorch Geometric's.

Both give the same numbers up to rounding.  Ours hold no vector for each edge, which on a
processor spares time and memory (``benchmarks/sparse_scaling.py``).  Products with dense
matrices of all pairs are torch's in either case.
"""

from pipeline.training.graphs.edge_kernels import OWN_KERNELS, EdgeKernels
from pipeline.training.params import MessagePassing


def edge_kernels(name: MessagePassing) -> EdgeKernels:
    """Kernels by the name that the config gives them."""
    if name == "own":
        return OWN_KERNELS
    # The import takes seconds, which only those who ask for it should pay.
    from pipeline.training.graphs.pyg_kernels import PyGKernels

    return PyGKernels()
