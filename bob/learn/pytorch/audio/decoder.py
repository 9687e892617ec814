"""A file being decoded: what its header says, its samples, and whether they agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.audio import flac, headers, mpeg, ogg
from bob.learn.pytorch.audio.arrays import float_factor, peak_of, whole_rate
from bob.learn.pytorch.audio.content import View
from bob.learn.pytorch.audio.sound import AGAIN, CONVERT, check

if TYPE_CHECKING:
    from collections.abc import Iterator

    import soundfile
    from numpy.typing import NDArray

    from bob.learn.pytorch.audio.content import Content
    from bob.learn.pytorch.audio.recording import UnreadableRecording

# One channel of it takes 8 MB. It is also what ends of ogg files are judged by.
BLOCK_SAMPLES = 2**20
# Of more channels a block has fewer samples.
BLOCK_CHANNELS = 8
# Counts in mp3 headers take in the encoder's padding, two MPEG frames, where they do
# not say how much it is.
MP3_TOLERANCE_SAMPLES = 2 * 1152
# Length by libsndfile of a file of which it cannot tell.
NO_LENGTH_SAMPLES = 2**62
# Of what libsndfile says. The second is on what may be an mp3 and has no frames.
NOT_AUDIO = ("not recognised", "not a regular file")
# What libsndfile says of a whole file that it cannot follow, as of one that is damaged.
NOT_FOR_LIBSNDFILE = ("psf_fseek", "Unspecified internal error", "unknown error")
# What it says of a coding that it was built without, or does not know.
NOT_SUPPORTED = ("unimplemented format", "unsupported encoding")


class Decoder:
    """A recording that is open, as a context manager.

    Parameters
    ----------
    content
        Its bytes.
    target
        Path or file object of them, for libsndfile.

    Raises
    ------
    UnreadableRecording, SampleRateError
        As `files.read`, for what the header shows.

    Attributes
    ----------
    name
        For messages.
    rate
        In hertz.
    channels
        Count of them.
    samples
        Of one channel by the header; None where it does not tell.
    """

    def __init__(self, content: Content, target: str | bytes | View) -> None:
        self.name = content.name
        self._content = content
        self._sound = headers.find(content)
        if self._sound is not None:
            self._sound = check(self._sound, content)
        self._flac = None if self._sound else flac.header(content)
        changed = self._sound or self._flac
        if changed is not None and changed.replacement is not None:
            target = View(content, *changed.replacement)
        self._file = self._open(target)
        try:
            self.rate = whole_rate(self._file.samplerate, recording=self.name)
        except ValueError:
            self._file.close()
            raise
        self.channels = int(self._file.channels)
        self.samples = self._promised()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _promised(self) -> int | None:
        if self._flac is not None and not self._flac.samples:
            return None
        if self._flac is not None:
            return self._flac.samples
        if self._sound is not None and self._sound.samples is not None:
            return self._sound.samples
        return int(self._file.frames)

    def blocks(self) -> Iterator[NDArray[np.float64]]:
        """Yield all samples, (time, channels) in [-1, 1]; once only.

        Raises
        ------
        UnreadableRecording
            As `files.read`, before the first block, on the way, or behind the last.
        """
        self._check_ogg()
        frames = self._frames()
        if frames is not None:
            self._check_frames(frames)
        digest = flac.Digest(self._flac) if self._flac is not None else None
        factor, decoded = self._factor(), 0
        for block in self._decoded():
            decoded += len(block)
            if digest is not None:
                digest.add(block)
            yield block if factor == 1 else block * factor
        if digest is not None:
            digest.check(self._content)
        elif "MPEG" in self._file.subtype:
            self._check_mpeg(frames, decoded)
        else:
            self._check_complete(decoded)

    def _open(self, target: str | bytes | View) -> soundfile.SoundFile:
        import soundfile

        try:
            file = soundfile.SoundFile(target)
        except (soundfile.SoundFileError, TypeError) as error:
            self._check_ogg()
            raise self._content.refusal(self._reason(error)) from error
        # soundfile would seek behind each block, which not every coding can.
        file.seekable = lambda: False
        return file

    def _frames(self) -> mpeg.Mpeg | None:
        """Return the frames of an mp3, or of one inside of a wav."""
        if self._sound is None:
            return None if self._flac else mpeg.scan(self._content)
        if "MPEG" not in self._file.subtype:
            return None
        start = self._sound.start
        return mpeg.scan(self._content, start, start + (self._sound.length or 0))

    def _factor(self) -> float:
        """Return the factor of floats, by the peak of the whole file."""
        if self._file.subtype not in ("FLOAT", "DOUBLE"):
            return 1.0
        peak = max((peak_of(block) for block in self._decoded()), default=0.0)
        self._file.seek(0)
        return float_factor(peak, recording=self.name)

    def _decoded(self) -> Iterator[NDArray[np.float64]]:
        most = BLOCK_SAMPLES * BLOCK_CHANNELS // max(BLOCK_CHANNELS, self.channels)
        decoded = 0
        while (count := min(most, self._file.frames - decoded)) > 0:
            block = self._block(count)
            if not len(block):
                return
            decoded += len(block)
            yield block

    def _block(self, count: int) -> NDArray[np.float64]:
        import soundfile

        try:
            block = self._file.read(count, dtype="float64", always_2d=True)
        except soundfile.SoundFileError as error:
            raise self._content.refusal(self._reason(error)) from error
        return np.asarray(block)

    def _check_ogg(self) -> None:
        fault = ogg.fault(self._content)
        if fault is None:
            return
        if fault.kind == "several":
            raise self._content.refusal(
                f"holds several ogg streams one after the other, of which only the "
                f"first, {fault.seconds:.2f} s, can be read; {CONVERT}"
            )
        if fault.kind == "end":
            raise self._content.refusal(
                f"is cut off, or damaged at its end: {fault.seconds:.2f} s are there, "
                f"and its last page is missing; {AGAIN}"
            )
        raise self._content.refusal(
            f"is corrupt: {fault.seconds:.2f} s from its start a page of its ogg "
            f"stream is damaged or missing; {AGAIN}"
        )

    def _check_frames(self, frames: mpeg.Mpeg) -> None:
        """Refuse a damaged mp3 before its decoder passes over the damage."""
        seconds = frames.samples / frames.rate
        if frames.other is not None:
            rate, channels = frames.other
            raise self._content.refusal(
                f"goes on after {seconds:.2f} s of {frames.rate} hertz with a part of "
                f"{rate} hertz and {channels} channel{'s' * (channels > 1)}, which "
                f"would be left out; {CONVERT}"
            )
        if frames.broken:
            reason = f"is corrupt: {seconds:.2f} s from its start something is lost"
            raise self._content.refusal(f"{reason}; {AGAIN}")
        if frames.promised is not None and frames.samples < frames.promised:
            raise self._cut_off(frames.samples, frames.promised)
        counted = frames.promised
        if counted is not None and frames.samples > counted + 2 * mpeg.NOTE_SAMPLES:
            raise self._content.refusal(
                f"goes on behind the {counted / frames.rate:.2f} s that its header "
                f"counts, up to {seconds:.2f} s, which would be left out; {CONVERT}"
            )
        if frames.cut_off:
            reason = f"is cut off: after {seconds:.2f} s it ends within a frame"
            raise self._content.refusal(f"{reason}; {AGAIN}")

    def _check_mpeg(self, frames: mpeg.Mpeg | None, decoded: int) -> None:
        if frames is None:
            raise self._content.refusal(
                f"does not begin as an mp3, but has parts of one; {AGAIN}, or {CONVERT}"
            )
        tolerance = mpeg.NOTE_SAMPLES if frames.trimmed else MP3_TOLERANCE_SAMPLES
        if decoded + tolerance < frames.due:
            raise self._content.refusal(
                f"can be read only in part, {decoded} of at least {frames.due} "
                f"samples, since it does not say how long it is; {CONVERT}"
            )

    def _check_complete(self, decoded: int) -> None:
        promised = self.samples
        if promised is None or promised >= NO_LENGTH_SAMPLES:
            return
        if decoded < promised:
            raise self._cut_off(decoded, promised)
        if decoded > promised:
            raise self._content.refusal(
                f"contradicts itself: its header promises {promised} samples, and "
                f"{decoded} came out of it; {AGAIN}"
            )

    def _cut_off(self, decoded: int, promised: int) -> UnreadableRecording:
        return self._content.refusal(
            f"is cut off: {decoded / self.rate:.2f} s of the "
            f"{promised / self.rate:.2f} s ({decoded} of {promised} samples) that its "
            f"header promises; {AGAIN}"
        )

    def _reason(self, error: Exception) -> str:
        detail = str(getattr(error, "error_string", error)).strip().rstrip(".")
        detail = detail.removeprefix("Error : ")
        if isinstance(error, TypeError) or any(words in detail for words in NOT_AUDIO):
            return (
                f"is not audio that can be read, or too little of it "
                f"({self._content.size} bytes); expected wav, flac, ogg or mp3: "
                f"{CONVERT}"
            )
        is_flac = self._content.at(0, 4) == b"fLaC"
        if any(words in detail for words in NOT_SUPPORTED) and not is_flac:
            return f"is in a coding that is not supported ({detail}); {CONVERT}"
        if any(words in detail for words in NOT_FOR_LIBSNDFILE):
            return f"cannot be decoded ({detail}); {CONVERT}, or {AGAIN}"
        return f"is corrupt or cut off ({detail}); {AGAIN}"
