"""The routes of cameras, as data."""

from __future__ import annotations

from frametally_live import camera_answers as answers
from frametally_web.endpoints.parameters import Endpoint, Parameter, text

_SOURCE = Parameter("source", "`source` of the camera.", text(), "gate-1", required=True, place="path")

CAMERA_ENDPOINTS = (
    Endpoint(
        "cameras",
        "Adds a camera, which runs from then on, and says what it shows.",
        (),
        answers.LiveCamera,
        method="POST",
        body=answers.CameraWanted,
        statuses=(403, 409, 413, 415),
        success={201: "It is added."},
        named="post_camera",
        right="run",
    ),
    Endpoint("cameras", "All cameras, and how they stand.", (), answers.LiveCameras),
    Endpoint(
        "cameras/{source}/stop",
        "Stops a camera.",
        (_SOURCE,),
        answers.LiveCamera,
        method="POST",
        statuses=(403, 404),
        named="stop_camera",
        right="run",
    ),
    Endpoint(
        "cameras/{source}/start",
        "Starts a camera that is stopped.",
        (_SOURCE,),
        answers.LiveCamera,
        method="POST",
        statuses=(403, 404),
        named="start_camera",
        right="run",
    ),
    Endpoint(
        "cameras/{source}",
        "Removes a camera; its frames and counts stay.",
        (_SOURCE,),
        None,
        (),
        method="DELETE",
        statuses=(403, 404, 409),
        success={204: "It is removed."},
        named="delete_camera",
        right="run",
    ),
)
