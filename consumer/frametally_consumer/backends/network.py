"""What a back-end does: run a network on pictures that are the size of its input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from frametally.files.opencv import Pixels

Outputs = Sequence[npt.NDArray[np.float32]]
"""A network's outputs for one picture, in its order."""


class Network(Protocol):
    """A network, loaded and ready. `start` is not for use by several threads at once."""

    def start(self, picture: Pixels, then: Callable[[Outputs], None]) -> None:
        """Run the network on one picture and hand its outputs to `then`, now or later, in any thread.

        Waits while as many pictures are under way as the back-end can work on.

        Args:
            picture: (height, width, 3) uint8, blue-green-red, of the size of the network's input.
            then: Must not raise, nor keep the outputs: they are overwritten afterwards.

        Raises:
            Misconfigured: The network cannot be run.
        """
