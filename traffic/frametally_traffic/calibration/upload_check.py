"""What is known of the ground when a video is uploaded, looked at before it is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from frametally_traffic.records import FEWEST_REFERENCES, MOST_REFERENCES


def check_calibration(points: Sequence[Sequence[float]], metres: Sequence[Sequence[float]]) -> None:
    """Refuse points of which, with their metres, no calibration can be made.

    Raises:
        Misconfigured: The line says why.
    """
    if FEWEST_REFERENCES <= len(points) <= MOST_REFERENCES:
        from frametally_traffic.calibration.fitting import GroundPoint, calibration_of_points  # numpy

        calibration_of_points(
            [GroundPoint(*shown, *laid) for shown, laid in zip(points, metres, strict=True)]
        )
