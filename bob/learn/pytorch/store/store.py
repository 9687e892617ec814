"""Embeddings of millions of recordings in one file, safe against kills and full disks.

The file is HDF5 and behind that, where HDF5 does not look, the batches that were
appended since: each with a checksum, on disk when :meth:`EmbeddingStore.append`
returns. When a store is closed or has grown by half, they are folded into the HDF5
part, in a copy that takes the old file's place at once. So no reader ever meets a
half-written table, and a kill at any moment costs the batch at hand at most.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.files import AlreadyLocked, before_hashes, locked, sync
from bob.learn.pytorch.store import image as store_image
from bob.learn.pytorch.store.batches import packed, scan
from bob.learn.pytorch.store.reading import (
    StoredEmbeddings,
    Summary,
    read,
    read_content,
    summarise,
)
from bob.learn.pytorch.store.records import (
    Columns,
    Record,
    StoreError,
    refuse_mixture,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from io import FileIO
    from types import TracebackType

__all__ = [
    "EmbeddingStore",
    "Record",
    "StoreError",
    "StoredEmbeddings",
    "Summary",
    "read",
    "summarise",
]

logger = logging.getLogger(__name__)

_RENEWED_AT_ONCE = 8192
_FOLD_AT = 1_000_000  # records that wait behind the HDF5 part before it takes them up


class EmbeddingStore:
    """A store that is open for appending; make it with :meth:`open`.

    Its length is the number of recordings that have an embedding, and ``name in store``
    says whether one has. It is not for several threads at once.
    """

    def __init__(
        self, path: Path, fingerprint: Mapping[str, str], settings: Mapping[str, str]
    ) -> None:
        self.path = path
        self._waiting = 0
        self._fold_at = _FOLD_AT
        with contextlib.ExitStack() as cleanup:
            path.parent.mkdir(parents=True, exist_ok=True)
            cleanup.enter_context(alone(path))
            self._copy.unlink(missing_ok=True)
            if not path.exists():
                store_image.Image.create(path, fingerprint)
            with store_image.Image.opened(path) as image:
                refuse_mixture(path, image.fingerprint, {**fingerprint, **settings})
                self._index, self._failed = image.states()
                self._count, self._dimensions = image.count, image.dimensions
            self._file = path.open("r+b", buffering=0)
            # The one of then: folding turns to another.
            cleanup.callback(lambda: self._file.close())  # noqa: PLW0108
            self._take_up_batches()
            self._cleanup = cleanup.pop_all()

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        fingerprint: Mapping[str, str],
        settings: Mapping[str, str] | None = None,
    ) -> EmbeddingStore:
        """Open a store for appending; where there is none, it is created.

        Parameters
        ----------
        fingerprint
            All that every embedding depends on.
        settings
            Settings that some depend on, whose sources say so; see
            `bob.learn.pytorch.store.records.refuse_mixture`.

        Raises
        ------
        StoreError
            Its embeddings were made by something else, another process writes to it,
            it is damaged, or no store.
        """
        try:
            # Of two names of one file, only one lock is asked for.
            return cls(Path(path).resolve(), fingerprint, settings or {})
        except OSError as error:
            raise StoreError(
                f"{path} cannot be opened for writing ({error.strerror}); make room, "
                "or name another place"
            ) from error

    @staticmethod
    def read(path: str | os.PathLike[str]) -> StoredEmbeddings:
        """Read what a store holds now; see `bob.learn.pytorch.store.read`."""
        return read(path)

    def append(self, records: Sequence[Record]) -> None:
        """Add a batch; it is on disk when this returns.

        A record takes the place of an earlier one of that name. After a kill or an
        error, the store holds the whole batch or nothing of it.

        Raises
        ------
        StoreError
            A record cannot be stored, or the disk is full; the store then holds
            what it held before, and takes batches as soon as there is room.
        """
        if not records:
            return
        self._add(Columns.of(records, self._dimensions))

    def _add(self, columns: Columns) -> None:
        if self._file.closed:
            raise StoreError(f"{self.path} is closed; open it again to append")
        batch = memoryview(packed(columns))
        try:
            written = 0
            while written < len(batch):
                written += os.pwrite(
                    self._file.fileno(), batch[written:], self._end + written
                )
            os.fsync(self._file.fileno())
        except OSError as error:
            # What remains of it if even this fails is no batch to any reader.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), self._end)
            raise StoreError(
                f"{self.path} does not take {len(columns)} more records "
                f"({error.strerror}); the {self._count} before them are safe. Make "
                "room and go on: what is stored is not computed again"
            ) from error
        self._note(columns)
        self._end += len(batch)
        # So that what the next writer has to look through after a kill stays a part.
        if self._waiting >= max(self._fold_at, (self._count - self._waiting) // 2):
            self._fold_at = 2 * self._waiting  # should there be no room now
            self._fold()

    def close(self) -> None:
        """Fold the batches into the HDF5 part, and let the next writer in.

        Where the disk has no room for that, they stay where they are: nothing is lost,
        but HDF5 alone does not see them.
        """
        with self._cleanup:
            if not self._file.closed and self._end > self._image_end:
                self._fold()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the recordings that have an embedding, read from the file."""
        return read(self.path, embeddings=False).names

    @property
    def dimensions(self) -> int:
        """Numbers of an embedding, 0 where there is none yet."""
        return self._dimensions

    def __len__(self) -> int:
        return self._count - self._failed

    def __contains__(self, name: str) -> bool:
        return self.is_current(name)

    def is_current(self, name: str, *, source: str = "") -> bool:
        """Return whether a recording has an embedding, and has not changed since.

        Parameters
        ----------
        source
            As in its :class:`Record`; empty, here or there, no change is seen. Of files
            with a hash only that counts; a record of before there were hashes counts
            as long as size and time of change agree.
        """
        state = self._index.get(name)
        if state is None or state & 1:
            return False
        now = text(source)
        return not (state and now) or state in {
            store_image.state_of(now, failed=False),
            store_image.state_of(before_hashes(now), failed=False),
        }

    def columns(self) -> Columns:
        """Read every record but its embedding, failures included."""
        return read_content(self.path, embeddings=False).columns

    def renew(
        self, sources: Mapping[str, str], speakers: Mapping[str, str] | None = None
    ) -> None:
        """Replace sources and speakers of records, whose embeddings stay as they are.

        Raises
        ------
        StoreError
            As for `append`.
        """
        speakers = speakers or {}
        if not sources and not speakers:
            return
        content = read_content(self.path).columns
        renewed = {*sources, *speakers}
        rows = [row for row, name in enumerate(content.names) if name in renewed]
        for start in range(0, len(rows), _RENEWED_AT_ONCE):
            part = content.take(
                np.array(rows[start : start + _RENEWED_AT_ONCE], dtype=np.int64)
            )
            for row, name in enumerate(part.names):
                part.sources[row] = text(sources.get(name, part.sources[row]))
                part.speakers[row] = text(speakers.get(name, part.speakers[row]))
            self._add(part)

    def has_failed(self, name: str) -> bool:
        """Return whether there is a reason, but no embedding."""
        return bool((self._index.get(name) or 0) & 1)

    def __enter__(self) -> EmbeddingStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _take_up_batches(self) -> None:
        """Learn what stands behind the HDF5 part, and cut off what is no batch."""
        file = self._file.fileno()
        self._end = self._image_end = store_image.end_of(file)
        try:
            for end, columns in scan(file, self._image_end):
                self._note(columns)
                self._end = end
        except StoreError as error:
            raise StoreError(f"{self.path} {error}") from error
        lost = os.fstat(file).st_size - self._end
        if lost:
            logger.warning(
                "%s ends in %d bytes of a batch that was not finished; its recordings "
                "are not in the store",
                self.path,
                lost,
            )
            os.ftruncate(file, self._end)

    def _note(self, columns: Columns) -> None:
        self._dimensions = columns.dimensions or self._dimensions
        self._waiting += len(columns)
        for name, source, failed in zip(
            columns.names, columns.sources, columns.failed.tolist(), strict=True
        ):
            before = self._index.get(name)
            self._count += before is None
            self._failed += failed - ((before or 0) & 1)
            self._index.put(name, store_image.state_of(source, failed=failed))

    @property
    def _copy(self) -> Path:
        # One name: what a kill leaves of it, the next writer removes or overwrites.
        return self.path.with_name(f".unfinished-{self.path.name}")

    def _fold(self) -> None:
        try:
            store_image.fold(
                self._file.fileno(),
                self._copy,
                rows=self._waiting,
                numbers=self._dimensions * self._failed,
            )
            folded = self._copy.open("r+b", buffering=0)
            try:
                self._copy.replace(self.path)
            except OSError:
                folded.close()
                raise
            self._turn_to(folded)
            sync(self.path.parent)
        # h5py says RuntimeError where a dataset cannot be written.
        except (OSError, RuntimeError) as error:
            logger.warning(
                "%s is whole, but HDF5 alone sees only a part of it: a copy cannot be "
                "written (%s). Make room; the next writer puts it in order",
                self.path,
                error,
            )
        finally:
            self._copy.unlink(missing_ok=True)

    def _turn_to(self, folded: FileIO) -> None:
        """Go on in the file that has taken the place of the one before."""
        before, self._file = self._file, folded
        before.close()
        self._end = self._image_end = store_image.end_of(self._file.fileno())
        self._waiting = 0
        self._fold_at = _FOLD_AT


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep a second writer out of a store; the lock of a killed one is gone with it."""
    place, holder = _beside(path)

    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(place, waiting=None))
        except AlreadyLocked as error:
            raise StoreError(
                f"{path} is being written to by {_read(holder)}; wait until that and "
                "what it started have ended, or write to another store"
            ) from error
        try:
            # On a full disk, only whose lock it is remains unknown.
            with contextlib.suppress(OSError):
                holder.write_text(f"process {os.getpid()} on {platform.node()}")
            yield
        finally:
            with contextlib.suppress(OSError):
                holder.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file that nobody writes to any more, and what its lock left beside."""
    for place in (path, *_beside(path)):
        place.unlink(missing_ok=True)


def _beside(path: Path) -> tuple[Path, Path]:
    """Return the file that is locked, and the one that says by whom."""
    lock, writer = (f".{path.name}.{end}" for end in ("lock", "writer"))
    return path.with_name(lock), path.with_name(writer)


def _read(holder: Path) -> str:
    try:
        return holder.read_text() or "another process"
    except OSError:
        return "another process"
