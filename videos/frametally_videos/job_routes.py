"""The handlers of what is done to videos, what was found out about them, and what was made of them."""

from __future__ import annotations

import re
from typing import NamedTuple, TypeVar, get_args

import msgspec
from flask import Response
from werkzeug.datastructures import MultiDict

from frametally import keys
from frametally.ports.object_store import ObjectMissing
from frametally.records import SealedRecord, decode_at
from frametally.settings.loading import Settings
from frametally_videos import job_answers
from frametally_videos.jobs.job_requests import ASKED_KINDS, JobRefused, ask_for_job
from frametally_videos.jobs.job_results import tell_made
from frametally_videos.jobs.made_files import find_derivatives, remove_derivative
from frametally_videos.library.enhancements import read_enhancement
from frametally_videos.library_answers import derivative_of, job_of_video, playable_of
from frametally_videos.media_records import VideoMetadata, VideoQuality
from frametally_videos.ports.job_book import Job, JobKind, JobQuestion, JobState
from frametally_videos.ports.video_catalogue import VideoRow
from frametally_videos.routes import check_uploads, id_in, no_video, refused
from frametally_videos.upload_refusals import FieldRefused
from frametally_videos.video_ports import VideoPorts
from frametally_web.access.visitors import remedy_for
from frametally_web.requests import query
from frametally_web.requests.body import read_sent
from frametally_web.requests.problems import Problem, bad_parameter
from frametally_web.requests.status import answer_with

Args = MultiDict[str, str]
RecordT = TypeVar("RecordT", bound=SealedRecord)

_PAGE = 50
_MOST_IN_PAGE = 200
_MOST_NUMBER = 2**62
_ENDED_OTHERWISE = ("failed", "cancelled")
_SAID_BY_STATE: dict[JobState, str] = {
    "queued": "It waits to be done.",
    "running": "It is being done.",
    "done": "It is done.",
    "failed": "It has failed.",
    "cancelled": "It was cancelled.",
}
_STATUSES: dict[JobState, str] = {
    "queued": "pending",
    "running": "processing",
    "done": "completed",
    "failed": "failed",
    "cancelled": "failed",
}
_NOT_ENHANCED = (
    "The video is not enhanced, as nobody asked to enhance it. To do so, send the kind enhance to its jobs."
)
_RECIPE = re.compile("[0-9a-f]{8}")
# Made once, before there are threads: see `records.decode`.
_wanted = msgspec.json.Decoder(job_answers.JobWanted)


class _JobCursor(NamedTuple):
    """Where a page of jobs ended."""

    before: int


class JobRoutes:
    """The handlers, each by its endpoint's name."""

    def __init__(self, *, settings: Settings, ports: VideoPorts, uploads_remedy: str | None) -> None:
        """Make the handlers of one application; `uploads_remedy` is None where videos may be changed."""
        self._settings = settings
        self._store = ports.store
        self._catalogue = ports.catalogue
        self._uploads_remedy = uploads_remedy

    def jobs(self, args: Args) -> job_answers.JobList:
        """Answer with a page of what is done to all videos."""
        cursor = query.read_cursor(args, _JobCursor)
        if cursor is not None and not 0 < cursor.before < _MOST_NUMBER:
            raise bad_parameter(
                "cursor", "cursor is none that this API gave.", remedy="Give `next` of the page before."
            )
        page = self._catalogue.find_jobs(
            JobQuestion(
                video_id=query.read_one(args, "video_id") or "",
                kinds=query.read_choices(args, "kind", get_args(JobKind)),
                states=query.read_choices(args, "state", get_args(JobState)),
                limit=query.read_limit(args, default=_PAGE, most=_MOST_IN_PAGE),
                before=cursor.before if cursor else 0,
            )
        )
        counts = self._catalogue.job_counts()
        remedy = remedy_for("correct", self._uploads_remedy)
        return job_answers.JobList(
            jobs=self._answers(page.jobs),
            next=query.write_cursor(_JobCursor(page.next)) if page.next else None,
            states={str(state): number for state, number in self._catalogue.job_states().items()},
            kinds={str(kind): {str(state): n for state, n in of.items()} for kind, of in counts.items()},
            failures={
                str(kind): job_answers.FailedJobs(jobs=of.jobs, since_ms=of.since_ms)
                for kind, of in self._catalogue.failures().items()
            },
            uploads_allowed=remedy is None,
            remedy=remedy,
        )

    def retry_job(self, args: Args) -> job_answers.JobOfVideo:
        """Begin a job once more that failed or was cancelled."""
        job = self._job(args)
        if job.state not in _ENDED_OTHERWISE:
            raise Problem(
                409, _SAID_BY_STATE[job.state], remedy="Only what failed or was cancelled is tried again."
            )
        again = self._catalogue.retry_job(job.id) or job
        if again.state in _ENDED_OTHERWISE:
            raise Problem(409, "Another like it is under way.", remedy="Wait for that one, or cancel it.")
        row = self._catalogue.video(job.video_id)
        if row is not None and row.state == "failed":
            self._catalogue.set_video(job.video_id, state="received")
        return self._begun(again)

    def cancel_job(self, args: Args) -> job_answers.JobOfVideo:
        """Cancel a job that is not ended."""
        job = self._job(args)
        if job.kind == "removal":
            raise Problem(
                409, "A removal cannot be cancelled.", remedy="Upload the video again to have it here."
            )
        if job.state in ("queued", "running"):
            job = self._catalogue.cancel_job(job.id) or job
        if job.state != "cancelled":
            raise Problem(409, _SAID_BY_STATE[job.state], remedy="There is nothing left to be cancelled.")
        return self._begun(job)

    def ask_video_job(self, args: Args) -> job_answers.JobOfVideo:
        """Have something done to a video, unless it was done or is under way."""
        check_uploads(self._uploads_remedy)
        row = self._row(id_in(args))
        wanted = read_sent(_wanted, "wish for a job")
        kind = query.read_choice(MultiDict({"kind": wanted.kind}), "kind", ASKED_KINDS)
        if kind != "enhance" and wanted.options:
            raise bad_parameter("options", f"{kind} has no options.", remedy="Leave them out.")
        try:
            asked = ask_for_job(
                self._store,
                self._catalogue,
                row,
                kind,
                read_enhancement(wanted.options) if kind == "enhance" else None,
            )
        except FieldRefused as error:
            raise refused(error) from error
        except JobRefused as error:
            raise Problem(409, str(error), remedy=error.remedy) from error
        if asked.is_begun:
            answer_with(202)
        return job_of_video(asked.job, row.record.name)

    def video_metadata(self, args: Args) -> VideoMetadata:
        """Answer with all that a video's bytes tell."""
        return self._metadata(self._row(id_in(args)))

    def video_quality(self, args: Args) -> VideoQuality:
        """Answer with what a video was checked for."""
        row = self._row(id_in(args))
        return self._found(keys.quality_of_video_key(row.record.id), VideoQuality, row, "checks")

    def video_derivatives(self, args: Args) -> job_answers.VideoDerivatives:
        """List what was made of a video."""
        row = self._row(id_in(args))
        return job_answers.VideoDerivatives(
            derivatives=[derivative_of(one) for one in find_derivatives(self._store, row)]
        )

    def delete_derivative(self, args: Args) -> Response:
        """Remove what was made of a video by a recipe."""
        check_uploads(self._uploads_remedy)
        row, recipe = self._row(id_in(args)), query.read_one(args, "recipe") or ""
        if not _RECIPE.fullmatch(recipe):
            raise Problem(
                404,
                "No recipe is named so: it is eight digits from 0 to f.",
                remedy="Ask for the derivatives of the video, which have theirs.",
            )
        remove_derivative(self._store, self._catalogue, row.record.id, recipe)
        tell_made(self._settings, self._catalogue, row.record.id, "enhance")
        return Response(status=204)

    def enhancement_status(self, args: Args) -> job_answers.ProcessingStatus:
        """Tell how far a video is that is made better, or playable."""
        row = self._row(id_in(args, "file_id"))
        jobs = self._catalogue.jobs(row.record.id)
        job = _newest(jobs, "enhance") or _newest(jobs, "playable")
        is_enhanced = row.artifact("enhanced") is not None
        is_there = playable_of(row) is not None or is_enhanced
        status = _status(row, job, f"/processed_videos/{row.record.id}", is_there=is_there)
        is_as_it_was = status.status == "completed" and not is_enhanced
        return msgspec.structs.replace(
            status, enhanced=is_enhanced, message=_NOT_ENHANCED if is_as_it_was else None
        )

    def extraction_status(self, args: Args) -> job_answers.ProcessingStatus:
        """Tell how far a video is whose metadata are found out."""
        row = self._row(id_in(args, "file_id"))
        job = _newest(self._catalogue.jobs(row.record.id), "metadata")
        is_there = row.artifact("metadata") is not None
        return _status(row, job, f"/metadata/{row.record.id}.json", is_there=is_there)

    def metadata_of_file(self, args: Args) -> job_answers.MetadataOfFile:
        """Answer with all that a video's bytes tell, and its id by the name that an upload gave it."""
        row = self._row(id_in(args, "file_id"))
        return job_answers.MetadataOfFile(
            **msgspec.structs.asdict(self._metadata(row)),
            file_id=row.record.id,
        )

    def _metadata(self, row: VideoRow) -> VideoMetadata:
        return self._found(keys.metadata_key(row.record.id), VideoMetadata, row, "metadata")

    def _found(self, key: str, record_type: type[RecordT], row: VideoRow, kind: JobKind) -> RecordT:
        try:
            return decode_at(key, self._store.get(key), record_type)
        except ObjectMissing as error:
            job = _newest(self._catalogue.jobs(row.record.id), kind)
            said = _SAID_BY_STATE[job.state] if job else "Nobody has asked for it."
            raise Problem(
                404,
                f"It is not known yet. {said}",
                remedy="Ask again in a while."
                if job and job.state in ("queued", "running")
                else f"Have a worker find it out: send the kind {kind} to the jobs of the video.",
            ) from error

    def _job(self, args: Args) -> Job:
        check_uploads(self._uploads_remedy)
        job = self._catalogue.job(query.read_one(args, "job_id") or "")
        if job is None:
            raise Problem(404, "There is no such job.", remedy="Ask /api/v1/jobs for those that there are.")
        return job

    def _row(self, video_id: str) -> VideoRow:
        row = self._catalogue.video(video_id)
        if row is None:
            raise no_video()
        return row

    def _answers(self, jobs: list[Job]) -> list[job_answers.JobOfVideo]:
        rows = {video_id: self._catalogue.video(video_id) for video_id in {job.video_id for job in jobs}}
        names = {video_id: row.record.name if row else "" for video_id, row in rows.items()}
        return [job_of_video(job, names[job.video_id]) for job in jobs]

    def _begun(self, job: Job) -> job_answers.JobOfVideo:
        answer_with(202)
        return self._answers([job])[0]


def _newest(jobs: list[Job], kind: JobKind) -> Job | None:
    return max((job for job in jobs if job.kind == kind), key=lambda job: job.created_at_ms, default=None)


def _status(
    row: VideoRow, job: Job | None, result_url: str, *, is_there: bool
) -> job_answers.ProcessingStatus:
    """Return how far something is: as its job stands; without one it is there or not."""
    status = "completed" if is_there else "pending"
    if job is not None:
        status = _STATUSES[job.state]
    return msgspec.convert(
        {
            "file_id": row.record.id,
            "status": status,
            "progress": 1.0 if status == "completed" else job and job.progress,
            "error": job and job.reason,
            "attempts": job.attempts if job else 0,
            "result_url": result_url if status == "completed" and is_there else None,
            "enhanced": None,
            "message": None,
        },
        job_answers.ProcessingStatus,
    )
