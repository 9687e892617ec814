"""Many recordings through a network, in batches, and their results in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from bob.learn.pytorch.audio import RecordingError
from bob.learn.pytorch.audio.doubts import little_speech

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    import numpy as np
    from numpy.typing import NDArray

    from bob.learn.pytorch.audio import Waveform

# Of the frames in a batch, how many may be padding.
PADDING = 0.1
# Batches' worth of recordings that are looked at together, to find such of one length;
# no more than so many frames, or two batches, so that results do not wait long.
LOOK_AHEAD = 16
LOOK_AHEAD_FRAMES = 64_000
# In a row, behind which results do not wait for more.
MOST_UNREAD = 1_000
# Of a recording, before the first was read.
GUESSED_FRAMES = 1_000

Key = TypeVar("Key")


@dataclass(frozen=True, eq=False)
class Loaded:
    """A recording that was read, and is ready for the network.

    Attributes
    ----------
    content
        Input of the embedder's `start_batch`.
    frames
        Length; items of a batch are padded to the longest.
    seconds, sample_rate
        Duration and sampling rate of the recording as stored, in seconds and hertz.
    name
        Name for messages.
    settings
        Settings of the embedder that matter to this recording and not to all, such as
        ``channel``.
    doubt
        Reason why it may hold little speech; empty if there is none.
    """

    content: Any
    frames: int
    seconds: float
    sample_rate: int
    name: str | None = None
    settings: tuple[str, ...] = ()
    doubt: str = ""

    @classmethod
    def of(cls, waveform: Waveform, content: Any, frames: int) -> Loaded:  # noqa: ANN401
        """Return what was made of a waveform, whose level may raise a doubt."""
        rate = waveform.sample_rate
        doubt = little_speech(waveform.samples, rate=rate)
        return cls(content, frames, waveform.seconds, rate, waveform.name, doubt=doubt)


@dataclass(frozen=True, eq=False)
class Result(Generic[Key]):
    """Embedding of a recording, or the reason why there is none.

    Attributes
    ----------
    key
        Name under which it came.
    embedding
        (dimensions,), None where it failed.
    error
        Reason of a failure.
    closes
        True if all that was computed together has come. Results should be kept in such
        groups: the last bits of an embedding depend on its batch, and a run
        that goes on behind what is kept has the batches of one that was not stopped.
    settings
        As those of `Loaded`.
    doubt
        Reason why it may hold little speech; empty if there is none.
    """

    key: Key
    embedding: NDArray[np.float32] | None
    error: RecordingError | None = None
    seconds: float = float("nan")
    sample_rate: int = 0
    closes: bool = True
    settings: tuple[str, ...] = ()
    doubt: str = ""


class BatchEmbedder(Protocol):
    """A model that embeds in batches."""

    @property
    def frames_at_once(self) -> int:
        """Return how many frames a batch may have, all items counted as the longest."""

    def load(self, recording: Any, /) -> Loaded:  # noqa: ANN401
        """Read a recording and prepare it, by any thread.

        Raises
        ------
        RecordingError
            It cannot be used.
        """

    def start_batch(
        self, batch: Sequence[Loaded], /
    ) -> Callable[[], Sequence[NDArray[np.float32] | RecordingError]]:
        """Begin with a batch; the returned function gives a result for each item.

        A result is an embedding, (dimensions,), or the error of this recording.
        """


def embed_many(
    embedder: BatchEmbedder,
    recordings: Iterable[tuple[Key, Any]],
    *,
    workers: int = 1,
) -> Iterator[Result[Key]]:
    """Embed recordings, and give the results in the order they came in.

    Recordings are read and made into features by worker threads while the network
    runs. Of those that are ready, such of nearly one length go through it together. An
    embedding does not depend on what else is in its batch.

    Parameters
    ----------
    recordings
        Key and recording; any number, since only some are held at a time.
    workers
        Threads that read; 0 reads in between, in the calling thread.

    Yields
    ------
    Result
        One for every recording; one that cannot be used does not stop the others.
    """
    window: list[_Item[Key]] = []
    ends: list[Callable[[], None]] = []
    try:
        for following in _windows(_read(embedder, recordings, workers), embedder):
            begun = [_begin(embedder, batch) for batch in _batches(following, embedder)]
            # The device works on these while the results of those before go out.
            finished = _finished(window, ends)
            window, ends = following, begun
            yield from finished
    except (Exception, KeyboardInterrupt):
        # What was computed when a bug or Ctrl-C ends the work is not lost.
        yield from _finished(window, ends)
        raise
    yield from _finished(window, ends)


class _Item(Generic[Key]):
    """A recording on its way."""

    def __init__(
        self, key: Key, loaded: Loaded | None, error: RecordingError | None
    ) -> None:
        self.key = key
        self.loaded = loaded
        self.error = error
        self.embedding: NDArray[np.float32] | None = None

    def result(self, *, closes: bool) -> Result[Key]:
        about = self.loaded
        if about is None:
            return Result(self.key, None, self.error, closes=closes)
        return Result(
            self.key,
            self.embedding,
            self.error,
            about.seconds,
            about.sample_rate,
            closes,
            about.settings,
            about.doubt,
        )


def _read(
    embedder: BatchEmbedder, recordings: Iterable[tuple[Key, Any]], workers: int
) -> Iterator[_Item[Key]]:
    """Yield recordings in order, each read by one of the workers."""

    def read(key: Key, recording: Any) -> _Item[Key]:  # noqa: ANN401
        try:
            return _Item(key, embedder.load(recording), None)
        except RecordingError as error:
            return _Item(key, None, error)

    coming = iter(recordings)
    if not workers:
        for key, recording in coming:
            yield read(key, recording)
        return
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[_Item[Key]]] = deque()
        # Read ahead is as much as a window has, the rest being like those before.
        enough, seen, count = _window_frames(embedder), GUESSED_FRAMES, 1
        try:
            while True:
                room = max(2 * workers, enough * count // max(seen, 1)) - len(ahead)
                for key, recording in islice(coming, max(0, room)):
                    ahead.append(pool.submit(read, key, recording))
                if not ahead:
                    return
                item = ahead.popleft().result()
                seen, count = seen + _frames(item), count + 1
                yield item
        finally:
            pool.shutdown(cancel_futures=True)


def _window_frames(embedder: BatchEmbedder) -> int:
    batch = embedder.frames_at_once
    return max(2 * batch, min(LOOK_AHEAD * batch, LOOK_AHEAD_FRAMES))


def _windows(
    items: Iterable[_Item[Key]], embedder: BatchEmbedder
) -> Iterator[list[_Item[Key]]]:
    """Items in order, as many at a time as fill some batches.

    Those that cannot be read do not count, so that windows begin at the same items
    when only such and the rest of a list come again.
    """
    window: list[_Item[Key]] = []
    frames, unread = 0, 0
    for item in items:
        window.append(item)
        frames += _frames(item)
        unread = 0 if item.loaded else unread + 1
        if not frames or frames >= _window_frames(embedder) or unread >= MOST_UNREAD:
            yield window
            window, frames, unread = [], 0, 0
    if window:
        yield window


def _batches(
    window: Sequence[_Item[Key]], embedder: BatchEmbedder
) -> Iterator[list[_Item[Key]]]:
    """Yield batches: the longest first, with those that are nearly as long."""
    good = [item for item in window if item.loaded is not None]
    good.sort(key=_frames, reverse=True)
    batch: list[_Item[Key]] = []
    for item in good:
        longest = _frames(batch[0]) if batch else _frames(item)
        fits = longest * (len(batch) + 1) <= embedder.frames_at_once
        if batch and not (fits and _frames(item) >= (1 - PADDING) * longest):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _frames(item: _Item[Key]) -> int:
    return item.loaded.frames if item.loaded else 0


def _begin(embedder: BatchEmbedder, batch: Sequence[_Item[Key]]) -> Callable[[], None]:
    """Start a batch; calling what comes back puts the embeddings into their items."""
    results = embedder.start_batch([item.loaded for item in batch if item.loaded])

    def end() -> None:
        for item, result in zip(batch, results(), strict=True):
            if isinstance(result, RecordingError):
                item.error = result
            else:
                item.embedding = result

    return end


def _finished(
    window: Sequence[_Item[Key]], ends: Sequence[Callable[[], None]]
) -> Iterator[Result[Key]]:
    for end in ends:
        end()
    for item in window:
        yield item.result(closes=item is window[-1])
