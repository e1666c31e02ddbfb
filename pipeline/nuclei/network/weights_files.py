"""Where files of network weights lie; apart from their reading, so that planning a run needs no scientific package."""

import os
from pathlib import Path

from pipeline.errors import WeightsError
from pipeline.nuclei.params import SHIPPED_WEIGHTS, NucleiParams

WEIGHTS_FOLDER = Path(__file__).resolve().parent / "shipped"
MODELS_VARIABLE = "CELLPOSE_LOCAL_MODELS_PATH"


def weights_of(params: NucleiParams) -> Path | None:
    """Weights file that ``params`` ask for; None of a segmenter without network.

    Raises
    ------
    WeightsError
        See ``resolve_weights``.
    """
    return None if params.segmenter == "watershed" else resolve_weights(params.weights)


def resolve_weights(name_or_path: str) -> Path:
    """Path of the weights file a user means.

    Parameters
    ----------
    name_or_path
        The shipped name, an existing file, or the name of a file in the folder
        ``$CELLPOSE_LOCAL_MODELS_PATH``; tried in this order.

    Raises
    ------
    WeightsError
        If there is none; the message says where it looked.
    """
    places = [WEIGHTS_FOLDER / f"{SHIPPED_WEIGHTS}.pt"] if name_or_path == SHIPPED_WEIGHTS else [Path(name_or_path)]
    folder = os.environ.get(MODELS_VARIABLE)
    if folder and name_or_path != SHIPPED_WEIGHTS:
        places.append(Path(folder) / name_or_path)
    for place in places:
        if place.is_file():
            return place
    looked = ", ".join(str(place) for place in places)
    unset = "" if folder else f" (${MODELS_VARIABLE} is not set)"
    raise WeightsError(
        f"weights {name_or_path!r}: no such file; looked at {looked}{unset}. "
        f"Give {SHIPPED_WEIGHTS!r}, a path, or a file name inside ${MODELS_VARIABLE}; no other model is used instead. "
        f"Models of cellpose 3 are at https://www.cellpose.org/models/NAME, Cellpose-SAM is at "
        f"https://huggingface.co/mouseland/cellpose-sam: download the file and put it there."
    )
