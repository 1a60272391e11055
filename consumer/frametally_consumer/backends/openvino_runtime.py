"""Imports OpenVINO without its telemetry: import `ov` only from here.

On import, OpenVINO's converter would send a statistics event over the network and leave an identity in the
user's home folder. A telemetry package that cannot be imported turns this off.
"""

from __future__ import annotations

import sys

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # Python's word for "cannot be imported"

import openvino as ov  # noqa: E402
from openvino.preprocess import ColorFormat, PrePostProcessor  # noqa: E402

__all__ = ["ColorFormat", "PrePostProcessor", "ov"]
