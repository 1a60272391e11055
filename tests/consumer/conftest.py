"""The small network and the real frames that the detectors' tests share with those of the models."""

from __future__ import annotations

from tests.models.small_network import clip_frames, nncf, write_model

__all__ = ["clip_frames", "nncf", "write_model"]
