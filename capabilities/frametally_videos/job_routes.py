"""Handles the routes of jobs, metadata, checks and versions of videos."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeVar, get_args

import msgspec

from frametally import keys
from frametally.actions.calls import NOTHING, Reply, Sent, answer_with
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import (
    UUID,
    Args,
    choices,
    in_path,
    page_cursor,
    page_limit,
    read_choice,
    text,
    write_cursor,
)
from frametally.actions.problems import Problem, bad_parameter
from frametally.ports.object_store import ObjectMissing
from frametally.records import SealedRecord, decode_at
from frametally_videos import job_answers
from frametally_videos.catalogue.catalogue_rows import Job, JobKind, JobQuestion, JobState, VideoRow
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.jobs.job_requests import (
    ASKED_KINDS,
    JobRefused,
    ask_for_job,
    find_derivatives,
    remove_derivative,
)
from frametally_videos.jobs.job_results import tell_made
from frametally_videos.library.enhancements import read_enhancement
from frametally_videos.library_answers import derivative_of, job_of_video, playable_of
from frametally_videos.media_records import VideoMetadata, VideoQuality
from frametally_videos.routes import FILE, VIDEO, check_uploads, field_problem, row_of
from frametally_videos.upload_refusals import FieldRefused
from frametally_web.access.visitors import remedy_for
from frametally_web.books.context import ActionContext

Status = Literal["pending", "processing", "completed", "failed"]
JOBS = Routes("Videos")
RecordT = TypeVar("RecordT", bound=SealedRecord)

_MOST_NUMBER = 2**62
_ENDED_OTHERWISE = ("failed", "cancelled")
_SAID_BY_STATE: dict[JobState, str] = {
    "queued": "The job is waiting.",
    "running": "The job is running.",
    "done": "The job is done.",
    "failed": "The job failed.",
    "cancelled": "The job was cancelled.",
}
_STATUSES: dict[JobState, Status] = {
    "queued": "pending",
    "running": "processing",
    "done": "completed",
    "failed": "failed",
    "cancelled": "failed",
}
_NOT_ENHANCED = (
    "No one has requested an enhanced version of the video yet. To request one, send the kind enhance to "
    "its jobs."
)
_RECIPE = re.compile("[0-9a-f]{8}")
_WANTED = Sent(job_answers.JobWanted, "wish for a job")
_JOB = in_path(
    "job_id",
    "`id` of the job.",
    "5f2d6c1e-88a4-4f0e-9b1c-0d6c8a1f2b3e",
    {"type": "string", "maxLength": 64},
)
_NAMED_RECIPE = in_path(
    "recipe",
    "`recipe` of the derivative.",
    "0a1b2c3d",
    {"type": "string", "pattern": "^[0-9a-f]{8}$"},
)


class _JobCursor(NamedTuple):
    """The end of a page of jobs."""

    before: int


_STATE = choices("state", "States of jobs; default: all.", get_args(JobState), "failed")
_KIND = choices("kind", "Kinds of jobs; default: all.", get_args(JobKind), "enhance")
_OF_VIDEO = text("video_id", "Only jobs of this video; default: all.", "", UUID)
_LIMIT = page_limit(50, 200, shows_most=True)
_CURSOR = page_cursor(_JobCursor)


class JobRoutes:
    """Handlers of the routes of jobs."""

    def __init__(self, context: ActionContext) -> None:
        """Create the handlers of one application."""
        self._settings, self._store = context.settings, context.ports.store
        self._catalogue: VideoCatalogue = context.parts["catalogue"]
        self._uploads_remedy = context.remedy

    @JOBS.route(
        "POST videos/{video_id}/jobs",
        "Start a job on a video: enhance it, make it playable, or describe it again.",
        VIDEO,
        body=_WANTED,
        statuses=(409,),
        success={200: "The same job is already done or running: here it is.", 202: "Job queued."},
        right="correct",
    )
    def ask_video_job(self, args: Args) -> job_answers.JobOfVideo:
        """Queue a job for a video, unless it is done or under way."""
        check_uploads(self._uploads_remedy)
        row = row_of(self._catalogue, VIDEO.read(args))
        form = _WANTED.read()
        kind = read_choice(Args({"kind": form.kind}), "kind", ASKED_KINDS)
        if kind != "enhance" and form.options:
            raise bad_parameter("options", f"{kind} has no options.", remedy="Leave them out.")
        try:
            request = ask_for_job(
                self._store,
                self._catalogue,
                row,
                kind,
                read_enhancement(form.options) if kind == "enhance" else None,
            )
        except FieldRefused as error:
            raise field_problem(error) from error
        except JobRefused as error:
            raise Problem(409, str(error), remedy=error.remedy) from error
        if request.is_begun:
            answer_with(202)
        return job_of_video(request.job, row.record.name)

    @JOBS.route(
        "GET jobs", "List the jobs of videos, newest first.", _STATE, _KIND, _OF_VIDEO, _LIMIT, _CURSOR
    )
    def jobs(self, args: Args) -> job_answers.JobList:
        cursor = _CURSOR.read(args)
        if cursor is not None and not 0 < cursor.before < _MOST_NUMBER:
            raise bad_parameter(
                "cursor", "cursor does not come from this API.", remedy="Use `next` of the previous page."
            )
        page = self._catalogue.find_jobs(
            JobQuestion(
                video_id=_OF_VIDEO.read(args) or "",
                kinds=_KIND.read(args),
                states=_STATE.read(args),
                limit=_LIMIT.read(args),
                before=cursor.before if cursor else 0,
            )
        )
        counts = self._catalogue.job_counts()
        remedy = remedy_for("correct", self._uploads_remedy)
        return job_answers.JobList(
            jobs=self._answers(page.jobs),
            next=write_cursor(_JobCursor(page.next)) if page.next else None,
            states={str(state): number for state, number in self._catalogue.job_states().items()},
            kinds={
                str(kind): {str(state): n for state, n in state_counts.items()}
                for kind, state_counts in counts.items()
            },
            failures={
                str(kind): job_answers.FailedJobs(jobs=failure.jobs, since_ms=failure.since_ms)
                for kind, failure in self._catalogue.failures().items()
            },
            uploads_allowed=remedy is None,
            remedy=remedy,
        )

    @JOBS.route(
        "POST jobs/{job_id}/cancel",
        "Cancel a job that has not ended.",
        _JOB,
        statuses=(409,),
        success={202: "Job cancelled; it ends within seconds."},
        right="correct",
        frees=True,
    )
    def cancel_job(self, args: Args) -> job_answers.JobOfVideo:
        job = self._job(args)
        if job.kind == "removal":
            raise Problem(
                409, "You cannot cancel a deletion.", remedy="Upload the video again if you still need it."
            )
        if job.state in ("queued", "running"):
            job = self._catalogue.cancel_job(job.id) or job
        if job.state != "cancelled":
            raise Problem(
                409,
                _SAID_BY_STATE[job.state],
                remedy="This job has already ended, so it cannot be cancelled.",
            )
        return self._start_answer(job)

    @JOBS.route(
        "POST jobs/{job_id}/retry",
        "Start a failed or cancelled job again.",
        _JOB,
        statuses=(409,),
        success={202: "Job queued."},
        right="correct",
    )
    def retry_job(self, args: Args) -> job_answers.JobOfVideo:
        job = self._job(args)
        if job.state not in _ENDED_OTHERWISE:
            raise Problem(
                409, _SAID_BY_STATE[job.state], remedy="Only a failed or cancelled job can be tried again."
            )
        new_job = self._catalogue.retry_job(job.id) or job
        if new_job.state in _ENDED_OTHERWISE:
            raise Problem(409, "A similar job is already running.", remedy="Wait for it, or cancel it.")
        row = self._catalogue.video(job.video_id)
        if row is not None and row.state == "failed":
            self._catalogue.set_video(job.video_id, state="received")
        return self._start_answer(new_job)

    @JOBS.route(
        "GET videos/{video_id}/metadata", "Show the metadata of a video, without its location.", VIDEO
    )
    def video_metadata(self, args: Args) -> VideoMetadata:
        return self._metadata(row_of(self._catalogue, VIDEO.read(args)))

    @JOBS.route("GET videos/{video_id}/quality", "Show the checks of a video and their results.", VIDEO)
    def video_quality(self, args: Args) -> VideoQuality:
        row = row_of(self._catalogue, VIDEO.read(args))
        return self._read_record(keys.quality_of_video_key(row.record.id), VideoQuality, row, "checks")

    @JOBS.route("GET videos/{video_id}/derivatives", "List the versions of a video.", VIDEO)
    def video_derivatives(self, args: Args) -> job_answers.VideoDerivatives:
        row = row_of(self._catalogue, VIDEO.read(args))
        return job_answers.VideoDerivatives(
            derivatives=[derivative_of(derivative) for derivative in find_derivatives(self._store, row)]
        )

    @JOBS.route(
        "DELETE videos/{video_id}/derivatives/{recipe}",
        "Delete a version of a video; its original and its counts stay.",
        VIDEO,
        _NAMED_RECIPE,
        success={204: "Version deleted."},
        right="correct",
        frees=True,
    )
    def delete_derivative(self, args: Args) -> Reply:
        check_uploads(self._uploads_remedy)
        row, recipe = row_of(self._catalogue, VIDEO.read(args)), _NAMED_RECIPE.read(args)
        if not _RECIPE.fullmatch(recipe):
            raise Problem(
                404,
                "No recipe has this name: a recipe is eight digits from 0 to f.",
                remedy="See the derivatives of the video for its recipes.",
            )
        remove_derivative(self._store, self._catalogue, row.record.id, recipe)
        tell_made(self._settings, self._catalogue, row.record.id, "enhance")
        return NOTHING

    @JOBS.route(
        "GET internal/video-enhancement-status/{file_id}",
        "Show the progress of an enhanced or playable version.",
        FILE,
        at_root=True,
    )
    def enhancement_status(self, args: Args) -> job_answers.ProcessingStatus:
        row = row_of(self._catalogue, FILE.read(args))
        jobs = self._catalogue.jobs(row.record.id)
        job = _newest(jobs, "enhance") or _newest(jobs, "playable")
        is_enhanced = row.artifact("enhanced") is not None
        is_there = playable_of(row) is not None or is_enhanced
        status = _status(row, job, f"/processed_videos/{row.record.id}", is_there=is_there)
        is_as_it_was = status.status == "completed" and not is_enhanced
        return msgspec.structs.replace(
            status, enhanced=is_enhanced, message=_NOT_ENHANCED if is_as_it_was else None
        )

    @JOBS.route(
        "GET internal/metadata-extraction-status/{file_id}",
        "Show the progress of a video's metadata.",
        FILE,
        at_root=True,
    )
    def extraction_status(self, args: Args) -> job_answers.ProcessingStatus:
        row = row_of(self._catalogue, FILE.read(args))
        job = _newest(self._catalogue.jobs(row.record.id), "metadata")
        is_there = row.artifact("metadata") is not None
        return _status(row, job, f"/metadata/{row.record.id}.json", is_there=is_there)

    @JOBS.route(
        "GET metadata/{file_id}.json",
        "Show the metadata of a video, by the ID from its upload.",
        FILE,
        at_root=True,
    )
    def metadata_of_file(self, args: Args) -> job_answers.MetadataOfFile:
        """Answer with a video's metadata and its ID as `file_id`."""
        row = row_of(self._catalogue, FILE.read(args))
        return job_answers.MetadataOfFile(
            **msgspec.structs.asdict(self._metadata(row)),
            file_id=row.record.id,
        )

    def _metadata(self, row: VideoRow) -> VideoMetadata:
        return self._read_record(keys.metadata_key(row.record.id), VideoMetadata, row, "metadata")

    def _read_record(self, key: str, record_type: type[RecordT], row: VideoRow, kind: JobKind) -> RecordT:
        try:
            return decode_at(key, self._store.get(key), record_type)
        except ObjectMissing as error:
            job = _newest(self._catalogue.jobs(row.record.id), kind)
            state_text = _SAID_BY_STATE[job.state] if job else "No one has requested it."
            raise Problem(
                404,
                f"It is not known yet. {state_text}",
                remedy="Try again later."
                if job and job.state in ("queued", "running")
                else f"To find it out, send the kind {kind} to the jobs of the video.",
            ) from error

    def _job(self, args: Args) -> Job:
        check_uploads(self._uploads_remedy)
        job = self._catalogue.job(_JOB.read(args))
        if job is None:
            raise Problem(404, "This job does not exist.", remedy="/api/v1/jobs lists all jobs.")
        return job

    def _answers(self, jobs: list[Job]) -> list[job_answers.JobOfVideo]:
        rows = {video_id: self._catalogue.video(video_id) for video_id in {job.video_id for job in jobs}}
        names = {video_id: row.record.name if row else "" for video_id, row in rows.items()}
        return [job_of_video(job, names[job.video_id]) for job in jobs]

    def _start_answer(self, job: Job) -> job_answers.JobOfVideo:
        answer_with(202)
        return self._answers([job])[0]


def _newest(jobs: list[Job], kind: JobKind) -> Job | None:
    return max((job for job in jobs if job.kind == kind), key=lambda job: job.created_at_ms, default=None)


def _status(
    row: VideoRow, job: Job | None, result_url: str, *, is_there: bool
) -> job_answers.ProcessingStatus:
    """Return the progress of a result by its job's state or, without a job, by whether it exists."""
    status = _STATUSES[job.state if job else "done" if is_there else "queued"]
    return job_answers.ProcessingStatus(
        file_id=row.record.id,
        status=status,
        progress=1.0 if status == "completed" else job and job.progress,
        error=job and job.reason,
        attempts=job.attempts if job else 0,
        result_url=result_url if status == "completed" and is_there else None,
        enhanced=None,
        message=None,
    )
