"""A resumable write to a bucket: S3's upload in parts, with a note next to it.

Each piece of `PIECE_BYTES` is a part, and the parts that the service lists show the progress. An incomplete
piece is in the note, under a separate key: S3 accepts no part below 5 MiB except the last. The note also
names the upload, so the next writer asks for its parts and never for all uploads of the bucket. A small write
needs no parts at all.

The note says at which byte its rest begins. After a kill between a part and the note, the rest begins before
the end of the parts: they contain it already, and it is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from frametally.adapters.s3.failures import NO_ROOM
from frametally.adapters.s3.service import error_code, service_failure
from frametally.errors import FrametallyError, Poison, Retryable
from frametally.ports.object_store import PIECE_BYTES, NoRoom, ObjectMissing, ObjectStore
from frametally.process.retrying import a_few_times

T = TypeVar("T")

MOST_PARTS = 10_000
"""The maximum for an S3 object: 78 GiB in pieces of 8 MiB."""
_REFUSED = ("PreconditionFailed", "412")
_GONE = ("NoSuchUpload", "404")


class WriteTarget(NamedTuple):
    """The destination of a write.

    Attributes:
        whole_key: The object's key in the bucket, including the store's prefix.
        display_name: The object and its store, for messages.
    """

    client: Any
    bucket: str
    whole_key: str
    display_name: str


class _Note(msgspec.Struct, frozen=True):
    """The head of a note: the upload, if there is one yet, and where the rest begins."""

    upload: str | None = None
    at_byte: int = 0


class MultipartWrite:
    """Bytes on their way to an object of a bucket; see `ResumableWrite`."""

    def __init__(
        self, store: ObjectStore, target: WriteTarget, *, key: str, part_key: str, note_data: bytes | None
    ) -> None:
        """Continue from the note, which `open_write` reads."""
        self.key = key
        self._store = store
        self._target = target
        self._part_key = part_key
        self._note_data = note_data
        note, rest = _parse(note_data)
        self._upload = note.upload
        self._etags = self._list_parts()
        self._stored_rest = rest if note.at_byte == self._whole_bytes else b""
        self._loose = bytearray(self._stored_rest)
        self._over = False

    @property
    def _whole_bytes(self) -> int:
        return len(self._etags) * PIECE_BYTES

    @property
    def durable_bytes(self) -> int:
        """The number of bytes in the parts and the note."""
        return self._whole_bytes + len(self._stored_rest)

    def append(self, data: bytes, *, at_byte: int) -> None:
        if self._over:
            raise self._is_over()
        left = memoryview(data)
        try:
            end = self._whole_bytes + len(self._loose)
            if at_byte != end:
                raise Poison(
                    f"the bytes of {self.key} from {at_byte} on do not follow the {end} bytes received so far"
                )
            while left:
                piece = left[: PIECE_BYTES - len(self._loose)]
                self._loose += piece
                left = left[len(piece) :]
                if len(self._loose) == PIECE_BYTES:
                    self._put_piece()
        except FrametallyError:
            self._loose = bytearray(self._stored_rest)
            raise

    def flush(self) -> int:
        if len(self._loose) > len(self._stored_rest):
            try:
                self._note(self._upload, bytes(self._loose))
            except FrametallyError:
                self._loose = bytearray(self._stored_rest)
                raise
        return self.durable_bytes

    def finish(self) -> bool:
        """Make all accepted bytes the object, unless there is one; see `ResumableWrite.finish`."""
        is_stored = False
        try:
            self.flush()
            if self._etags:
                is_stored = self._complete()
            elif self._loose and _read(self._store, self._part_key) == self._note_data:
                is_stored = self._store.put(self.key, bytes(self._loose), if_absent=True)
            elif self._store.head(self.key) is None:
                raise self._is_over()
        except Poison:
            if self._store.head(self.key) is None:
                raise
        self.abort()
        return is_stored

    def abort(self) -> None:
        """Remove the received bytes; an existing object stays."""
        self._over = True
        upload = self._upload
        if upload is not None:
            self._abort(upload)
        self._store.delete(self._part_key)
        self._upload, self._etags, self._note_data, self._stored_rest = None, [], None, b""
        self._loose.clear()

    def _put_piece(self) -> None:
        number = len(self._etags) + 1
        if number > MOST_PARTS:
            raise Poison(
                f"{self.key}: an S3 store accepts at most {MOST_PARTS * PIECE_BYTES} bytes in one write; "
                "lower FRAMETALLY_UPLOAD_MAX_GB, and split larger files"
            )
        if self._upload is None:
            self._begin()
        self._etags.append(self._put_part(number, bytes(self._loose)))
        self._loose.clear()
        self._stored_rest = b""

    def _begin(self) -> None:
        upload: str = self._ask(
            lambda place: self._target.client.create_multipart_upload(**place)["UploadId"]
        )
        try:
            self._note(upload, self._stored_rest)
        except FrametallyError:
            with suppress(FrametallyError):  # the bucket's rules remove what is left of it
                self._abort(upload)
            raise
        self._upload = upload

    def _put_part(self, number: int, data: bytes) -> str:
        etag: str = self._ask(
            lambda place: self._target.client.upload_part(
                **place, UploadId=self._upload, PartNumber=number, Body=data
            )["ETag"]
        )
        return etag

    def _note(self, upload: str | None, rest: bytes) -> None:
        """Replace the note, unless another process has changed it."""
        last_note = self._note_data
        note = msgspec.json.encode(_Note(upload, self._whole_bytes)) + b"\n" + rest

        def make(before: bytes | None) -> bytes:
            if before not in (last_note, note):
                raise Poison(f"another process has taken over writing {self.key}: ask for its offset")
            return note

        self._store.change(self._part_key, make)
        self._note_data, self._stored_rest = note, rest

    def _list_parts(self) -> list[str]:
        """Return the ETags of the complete pieces, in order; none if the upload is over."""
        etags: list[str] = []
        marker = 0
        try:
            while self._upload is not None:
                page = self._ask(partial(self._parts_after, marker), "s3:ListMultipartUploadParts")
                for part in page.get("Parts", []):
                    if part["PartNumber"] == len(etags) + 1 and part["Size"] == PIECE_BYTES:
                        etags.append(part["ETag"])
                if not page.get("IsTruncated"):
                    break
                marker = page["NextPartNumberMarker"]
        except Poison:
            self._upload = None
        return etags

    def _parts_after(self, marker: int, place: dict[str, str]) -> Any:
        return self._target.client.list_parts(**place, UploadId=self._upload, PartNumberMarker=marker)

    def _complete(self) -> bool:
        etags = list(self._etags)
        size_bytes = self.durable_bytes
        if self._loose:
            etags.append(self._put_part(len(etags) + 1, bytes(self._loose)))
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        in_doubt = False

        def once() -> bool:
            nonlocal in_doubt
            try:
                self._target.client.complete_multipart_upload(
                    Bucket=self._target.bucket,
                    Key=self._target.whole_key,
                    UploadId=self._upload,
                    MultipartUpload={"Parts": parts},
                    IfNoneMatch="*",
                )
            except (ClientError, BotoCoreError) as error:
                if error_code(error) in (*_REFUSED, *_GONE):
                    # After an attempt whose answer was lost, this may be our own object.
                    info = self._store.head(self.key)
                    if info is None:
                        raise self._is_over() from error
                    return in_doubt and info.size_bytes == size_bytes
                failed = self._failure(error)
                in_doubt = in_doubt or isinstance(failed, Retryable)
                raise failed from error
            return True

        is_stored = a_few_times(once)
        if is_stored:
            self._upload = None
        return is_stored

    def _abort(self, upload: str) -> None:
        with suppress(Poison):  # it is gone
            self._ask(
                lambda place: self._target.client.abort_multipart_upload(**place, UploadId=upload),
                "s3:AbortMultipartUpload",
            )

    def _ask(self, action: Callable[[dict[str, str]], T], right: str = "s3:PutObject") -> T:
        place = {"Bucket": self._target.bucket, "Key": self._target.whole_key}

        def once() -> T:
            try:
                return action(place)
            except (ClientError, BotoCoreError) as error:
                if error_code(error) in _GONE:
                    raise self._is_over() from error
                raise self._failure(error, right) from error

        return a_few_times(once)

    def _failure(self, error: Exception, right: str = "s3:PutObject") -> FrametallyError:
        if error_code(error) in NO_ROOM:
            return NoRoom(
                f"no space left for {self._target.display_name} ({error_code(error)}): free some space, or "
                "raise the quota"
            )
        return service_failure(error, f"{self._target.display_name} could not be written", right)

    def _is_over(self) -> Poison:
        return Poison(f"the write of {self.key} has already been finished or aborted; start again")


def open_write(store: ObjectStore, target: WriteTarget, *, key: str, part_key: str) -> MultipartWrite:
    """Start a write to `key`, or resume it from its note under `part_key`.

    Raises:
        Poison: The object there is not such a note.
        Retryable: The service does not answer.
        Misconfigured: A permission is missing.
    """
    note_data = _read(store, part_key)
    return MultipartWrite(store, target, key=key, part_key=part_key, note_data=note_data)


def _read(store: ObjectStore, key: str) -> bytes | None:
    try:
        return store.get(key)
    except ObjectMissing:
        return None


def _parse(note_data: bytes | None) -> tuple[_Note, bytes]:
    if note_data is None:
        return _Note(), b""
    head, _, rest = note_data.partition(b"\n")
    try:
        return msgspec.json.decode(head, type=_Note), rest
    except msgspec.MsgspecError as error:
        raise Poison(
            f"frametally cannot read the record of this upload ({error}): delete the upload"
        ) from error
