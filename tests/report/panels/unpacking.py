"""Reading what a panel carries, as its page does."""

import base64
from typing import Any

import numpy as np
import numpy.typing as npt


def unpacked(packed: Any) -> npt.NDArray[Any]:
    """Whole numbers of ``packed.packed``, in one row."""
    return np.frombuffer(base64.b64decode(packed["data"]), f"<{packed['type']}")
