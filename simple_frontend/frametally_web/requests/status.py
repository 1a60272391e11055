"""The status of the answer to the request that is under way."""

from __future__ import annotations

from flask import Response, after_this_request


def answer_with(status: int) -> None:
    """Answer the request that is under way with a status other than 200."""

    @after_this_request
    def set_status(answer: Response) -> Response:
        answer.status_code = status
        if status == 204:
            answer.set_data(b"")
        return answer
