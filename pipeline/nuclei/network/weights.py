"""Files of network weights, read with checks and never replaced by others."""

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from pipeline.errors import WeightsError, first_line
from pipeline.nuclei.network.torch_archive import read_archive
from pipeline.nuclei.stain.stain_channels import NetworkInput
from pipeline.provenance import file_digest

Array = npt.NDArray[Any]

FORMAT = "abignet-cpnet-1"
"""Of files of ours; ``learning.save_weights`` writes them."""


@dataclass(frozen=True)
class Weights:
    """A CPnet's tensors and what must be known to use them.

    Attributes
    ----------
    name, digest
        File stem, and SHA-256 of the file (16 hex digits).
    state
        Tensors by CPnet's names; real numbers are float32.
    channels
        Channels of the input and of each level (cellpose's ``nbase``).
    input
        What the two input channels hold.
    diameter_px
        Median nucleus diameter of the training images, pixels.
    style
        Whether the network uses its style vector, a mean over the whole field of view.
        Without it a pixel's result depends on its surroundings only.
    licence
        Licence of the weights.
    training
        How they were made: data, parameters, scores.
    """

    name: str
    digest: str
    state: Mapping[str, Array]
    channels: tuple[int, ...]
    input: NetworkInput
    diameter_px: float
    style: bool
    licence: str = "unknown"
    training: Mapping[str, Any] = field(default_factory=dict)


def load_weights(path: str | Path) -> Weights:
    """Read weights of ours or a CPnet of cellpose 2 or 3.

    Raises
    ------
    WeightsError
        If the file is missing, corrupt, or holds another architecture.
    """
    content = read_state(Path(path))
    name, digest = Path(path).stem, file_digest(path)
    made = _of_ours if content.get("format") == FORMAT else _of_cellpose
    try:
        weights = made(content, name, digest, str(path))
    except WeightsError:
        raise
    except Exception as error:  # as in read_state: what is where a tensor or a number belongs can be anything
        raise WeightsError(f"weights {path}: damaged ({error}); get the file again.") from error
    not_finite = [key for key, values in weights.state.items() if not np.isfinite(values).all()]
    if not_finite:
        raise WeightsError(f"weights {path}: {not_finite[0]} is not finite; the file is damaged: get it again.")
    return weights


def read_state(path: Path) -> dict[str, Any]:
    """Dictionary in a file of ``torch.save``, without running code in it; tensors are arrays.

    Files older than PyTorch 1.6 are read by torch.

    Raises
    ------
    WeightsError
        If the file is missing, corrupt, or holds something else.
    """
    if not path.is_file():
        raise WeightsError(f"weights {path}: no such file.")
    try:
        content = read_archive(path) if zipfile.is_zipfile(path) else _read_old(path)
    except Exception as error:  # content that no digest vouches for fails in any way
        raise WeightsError(
            f"weights {path}: expected a file of torch.save; it cannot be read ({first_line(error)})."
        ) from error
    if not isinstance(content, dict):
        raise WeightsError(f"weights {path}: expected a dictionary, found {type(content).__name__}.")
    return content


def _read_old(path: Path) -> Any:
    import torch

    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        return content
    return {name: np.array(value) if isinstance(value, torch.Tensor) else value for name, value in content.items()}


def _of_ours(content: Mapping[str, Any], name: str, digest: str, path: str) -> Weights:
    expected = {"state_dict", "channels", "input", "diameter_px", "style", "licence", "training"}
    missing = sorted(expected - set(content))
    if missing:
        raise WeightsError(f"weights {path}: {', '.join(missing)} missing; the file is not whole.")
    if content["input"] not in get_args(NetworkInput):
        raise WeightsError(f"weights {path}: input {content['input']!r} is unknown to this version of abignet.")
    return Weights(
        name=name,
        digest=digest,
        state=_floats(content["state_dict"]),
        channels=tuple(content["channels"]),
        input=content["input"],
        diameter_px=content["diameter_px"],
        style=content["style"],
        licence=content["licence"],
        training=content["training"],
    )


def says_cpnet(state: Mapping[str, Any]) -> bool:
    """Whether ``state`` is a CPnet's, ours or of cellpose 2 or 3."""
    return state.get("format") == FORMAT or bool(_first_convolutions(state))


def _first_convolutions(state: Mapping[str, Any]) -> list[tuple[int, str]]:
    """Level and name of the first convolution of each level of a CPnet."""
    pattern = re.compile(r"downsample\.down\.res_down_(\d+)\.conv\.conv_0\.2\.weight")
    return sorted((int(match[1]), str(key)) for key in state if (match := pattern.fullmatch(str(key))))


def _of_cellpose(content: Mapping[str, Any], name: str, digest: str, path: str) -> Weights:
    firsts = _first_convolutions(content)
    if not firsts or "diam_mean" not in content:
        raise WeightsError(
            f"weights {path}: expected abignet's weights or a CPnet of cellpose 2 or 3, found another architecture "
            f"(Cellpose-SAM of cellpose 4 needs segmenter: cellpose_sam)."
        )
    shapes = [content[key].shape for _, key in firsts]
    return Weights(
        name=name,
        digest=digest,
        state=_floats(content),
        channels=(int(shapes[0][1]), *(int(shape[0]) for shape in shapes)),
        input="haematoxylin",
        diameter_px=float(content["diam_mean"].item()),
        style=True,
    )


def _is_real(values: Array) -> bool:
    return np.issubdtype(values.dtype, np.floating)


def _floats(state: Mapping[str, Array]) -> dict[str, Array]:
    return {name: values.astype(np.float32) if _is_real(values) else values for name, values in state.items()}
