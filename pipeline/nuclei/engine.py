"""The network and its dynamics: the one file of this room that imports cellpose.

Frame: network pixels, arrays (row, col).
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numba
import numpy as np
import numpy.typing as npt
import torch
from cellpose.resnet_torch import CPnet
from skimage import measure

from pipeline.errors import DeviceError, WeightsError
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.stain import Floats, Rgb, StainScale, network_input
from pipeline.nuclei.weights import Weights, load_weights

Labels = npt.NDArray[np.int32]

KERNEL_PX = 3
OUTPUTS = 3
"""Flow along y, flow along x (both times 5), logit of being a nucleus."""

STRIDE_PX = 8
"""Sides must be multiples of this: three poolings by 2."""

FLOW_FACTOR = 5.0
"""Cellpose trains flows of this length (Stringer et al. 2021)."""

STEPS_PER_DIAMETER = 200 / 30
"""Steps of the dynamics per pixel of nucleus diameter (cellpose: 200 at 30 px)."""


def choose_device(name: str) -> torch.device:
    """Device of that name; ``auto`` is CUDA where there is one, else the CPU.

    Raises
    ------
    DeviceError
        If the name is unknown, or CUDA is asked for and absent.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"device: expected auto, cpu or cuda, found {name!r}.")
    present = torch.cuda.is_available()
    if name == "cuda" and not present:
        raise DeviceError(
            "device: cuda was asked for, but PyTorch finds no CUDA GPU; use cpu or auto, or mend the driver."
        )
    return torch.device("cuda" if name != "cpu" and present else "cpu")


def build_network(channels: Sequence[int], *, style: bool) -> CPnet:
    """CPnet with random weights (Stringer et al. 2021), channels last.

    Parameters
    ----------
    channels
        Of the input and of each level.
    style
        Whether the mean over the field of view is fed back (cellpose's style vector).
    """
    network = CPnet(list(channels), OUTPUTS, KERNEL_PX)
    network.style_on = style
    return network.to(memory_format=torch.channels_last)


def load_network(weights: Weights, device: torch.device) -> CPnet:
    """Network with ``weights`` for inference on ``device``.

    Raises
    ------
    WeightsError
        If the tensors do not fit the architecture.
    """
    network = build_network(weights.channels, style=weights.style)
    try:
        network.load_state_dict(dict(weights.state), strict=True)
    except RuntimeError as error:
        raise WeightsError(
            f"weights {weights.name}: the tensors do not fit a CPnet of channels {weights.channels} ({error})."
        ) from error
    return network.eval().to(device)


def forward(network: CPnet, inputs: Floats, device: torch.device) -> Floats:
    """Network output (n, 3, h, w) for inputs (n, 2, h, w) of any h and w; edges are mirrored to the stride."""
    height, width = inputs.shape[2:]
    rows, columns = -height % STRIDE_PX, -width % STRIDE_PX
    padded = np.pad(inputs, ((0, 0), (0, 0), (0, rows), (0, columns)), mode="symmetric")
    batch = torch.from_numpy(padded).to(device, memory_format=torch.channels_last)
    with torch.inference_mode():
        output = network(batch)[0]
    result: Floats = output[:, :, :height, :width].float().cpu().numpy()
    return result


def flows_from_labels(labels: Labels) -> Floats:
    """Unit vectors (2, h, w) along y and x towards the middle of each nucleus, 0 outside (Stringer et al. 2021)."""
    if not labels.any():
        return np.zeros((2, *labels.shape), dtype=np.float32)
    flows: Floats = _dynamics().masks_to_flows(labels.astype(np.int64), device=torch.device("cpu")).astype(np.float32)
    return flows


def labels_from_output(output: Floats, params: NucleiParams, *, diameter_px: float) -> Labels:
    """Nuclei (h, w) from the network's output (3, h, w): pixels that flow to one place are one nucleus.

    Parameters
    ----------
    diameter_px
        Of a typical nucleus, which sets the number of steps.
    """
    labels = _dynamics().compute_masks(
        output[:2],
        output[2],
        niter=int(np.ceil(diameter_px * STEPS_PER_DIAMETER)),
        cellprob_threshold=params.cellprob_threshold,
        flow_threshold=params.flow_threshold,
        min_size=1,
        device=torch.device("cpu"),
    )
    return np.asarray(labels, dtype=np.int32)


def whole_nuclei(labels: npt.NDArray[np.int32], min_area_px: float) -> Labels:
    """Largest connected piece of each label where it has ``min_area_px`` or more, numbered 1 to n."""
    pieces, n_pieces = measure.label(labels, connectivity=1, return_num=True)
    owner = np.zeros(n_pieces + 1, dtype=np.int64)
    owner[pieces] = labels
    area = np.bincount(pieces.ravel(), minlength=n_pieces + 1)
    area[0] = 0
    by_owner = np.lexsort((-area, owner))
    first = np.diff(owner[by_owner], prepend=-1) > 0
    largest = by_owner[first]
    kept = largest[(owner[largest] > 0) & (area[largest] >= min_area_px)]
    number = np.zeros(n_pieces + 1, dtype=np.int32)
    number[kept] = np.arange(1, len(kept) + 1)
    return np.asarray(number[pieces], np.int32)


class NucleusFinder:
    """A network ready to find nuclei in pixels.

    Parameters
    ----------
    weights
        See ``weights.load_weights``.
    params
        Thresholds and the nucleus diameter.
    device
        See ``choose_device``.
    """

    def __init__(self, weights: Weights, params: NucleiParams, device: torch.device) -> None:
        self.weights = weights
        self.params = params
        self.device = device
        self.network = load_network(weights, device)

    def network_mpp(self) -> float:
        """Resolution at which nuclei of ``nucleus_diameter_um`` have the training diameter, um/px."""
        return self.params.nucleus_diameter_um / self.weights.diameter_px

    def find(self, rgbs: Sequence[Rgb], mpp: float, stain: StainScale) -> list[Labels]:
        """Nuclei of each image, labelled 1 to n without gaps, 0 = background.

        Parameters
        ----------
        rgbs
            Images of one size (h, w, 3).
        mpp
            Their resolution, um/px.
        stain
            The slide's stain scale.

        Returns
        -------
        Label images of the images' own size.
        """
        factor = mpp / self.network_mpp()
        height, width = rgbs[0].shape[:2]
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        inputs = np.stack([network_input(_resized(rgb, size), stain, self.weights.input) for rgb in rgbs])
        outputs = forward(self.network, inputs, self.device)
        found = (labels_from_output(output, self.params, diameter_px=self.weights.diameter_px) for output in outputs)
        min_area_px = self.params.min_area_um2 / mpp**2
        return [whole_nuclei(_resized_labels(labels, (width, height)), min_area_px) for labels in found]


def open_finder(path: Path, params: NucleiParams, *, device: str) -> NucleusFinder:
    """Finder with the weights file at ``path``; sets torch's threads."""
    torch.set_num_threads(params.threads)
    return NucleusFinder(load_weights(path), params, choose_device(device))


def _resized(rgb: Rgb, size: tuple[int, int]) -> Rgb:
    height, width = rgb.shape[:2]
    if (width, height) == size:
        return rgb
    way = cv2.INTER_AREA if size[0] < width else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, size, interpolation=way), dtype=np.uint8)


def _resized_labels(labels: Labels, size: tuple[int, int]) -> Labels:
    if labels.shape == size[::-1]:
        return labels
    return np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT), np.int32)


@cache
def _dynamics() -> Any:
    """``cellpose.dynamics`` with its kernels cached on disk.

    On import it compiles kernels anew each time, for seconds, because they are declared with
    signatures; of these only two are used here.
    """
    was_disabled = numba.config.DISABLE_JIT
    numba.config.DISABLE_JIT = True
    try:
        from cellpose import dynamics
    finally:
        numba.config.DISABLE_JIT = was_disabled
    for name in ("map_coordinates", "_extend_centers"):
        kernel = getattr(dynamics, name)
        if not hasattr(kernel, "py_func"):
            setattr(dynamics, name, numba.njit(kernel, cache=True, nogil=True))
    # Said in words, torch does not warn of its default in every job's log.
    torch.sparse.check_sparse_tensor_invariants.disable()  # type: ignore[no-untyped-call]
    return dynamics
