"""Attacks on every container that soundfile writes, judged by decoders of others.

FFmpeg (in the wheel `av`) and SciPy read most; the few headers that neither knows are
read here.
"""

import io
import struct
import warnings
from functools import cache

import numpy as np

RATE = 16_000
# Subtypes of each container, in turn; and how many bytes its header has, about.
CONTAINERS = {
    "AIFF": (("PCM_16", "FLOAT", "PCM_24", "ULAW"), 110),
    "AU": (("PCM_16", "FLOAT", "ALAW", "PCM_24"), 24),
    "AVR": (("PCM_16", "PCM_S8"), 128),
    "CAF": (("PCM_16", "FLOAT", "ALAC_16", "ULAW"), 120),
    "FLAC": (("PCM_16", "PCM_24", "PCM_S8"), 100),
    "HTK": (("PCM_16",), 12),
    "IRCAM": (("PCM_16", "FLOAT", "ULAW"), 64),
    "MAT4": (("PCM_16", "DOUBLE"), 100),
    "MAT5": (("PCM_16", "DOUBLE"), 320),
    "MP3": (("MPEG_LAYER_III",), 64),
    "MPC2K": (("PCM_16",), 42),
    "NIST": (("PCM_16", "ULAW", "PCM_24"), 400),
    "OGG": (("VORBIS", "OPUS"), 140),
    "PAF": (("PCM_16", "PCM_S8"), 32),
    "PVF": (("PCM_16", "PCM_32"), 24),
    "RF64": (("PCM_16", "FLOAT"), 104),
    "SDS": (("PCM_16", "PCM_S8"), 21),
    "SVX": (("PCM_16", "PCM_S8"), 110),
    "VOC": (("PCM_16", "PCM_U8", "ULAW"), 48),
    "W64": (("PCM_16", "FLOAT", "GSM610"), 128),
    "WAV": (("PCM_16", "FLOAT", "PCM_24", "MS_ADPCM", "IMA_ADPCM", "ULAW"), 60),
    "WAVEX": (("PCM_16", "FLOAT"), 80),
    "WVE": (("ALAW",), 32),
    "XI": (("DPCM_16", "DPCM_8"), 340),
}
# Decoders of others end in other places where blocks are padded.
PADDED = {"SDS": 60, "ALAC_16": 4096, "GSM610": 640, "VORBIS": 4096, "OPUS": 4096}
PADDED |= {"MPEG_LAYER_III": 2 * 1152, "MS_ADPCM": 1024, "IMA_ADPCM": 1024}
# Within their packets, damage shows to no decoder, and each makes other noise of it.
WITHOUT_CHECKSUM = ("MPEG_LAYER_III", "GSM610", "MS_ADPCM")
# Of these FFmpeg makes other noise even where they are whole.
UNLIKE = ("G721_32", "G723_24", "G723_40")
LOSSY = {"VORBIS": 1e-3, "OPUS": 1e-2, "MPEG_LAYER_III": 1e-3, "MS_ADPCM": 5e-3}


@cache
def written(container, subtype):
    """Return a short recording."""
    import soundfile

    rate = {"OPUS": 48_000}.get(subtype, 8_000 if container == "WVE" else RATE)
    size = 8_001 if container == "MP3" else 1_601  # odd, for what is padded
    noise = np.random.default_rng(0).normal(size=size)
    wave = 0.3 * np.sin(np.arange(size) / 5) + 0.05 * noise
    place = io.BytesIO()
    soundfile.write(place, wave, rate, format=container, subtype=subtype)
    return place.getvalue()


class Attack:
    """Damage one container, most often in its header."""

    also_named = tuple

    def __init__(self, container):
        self.name = f"audio/{container}"
        self.container = container
        self.subtypes, self.header_bytes = CONTAINERS[container]
        self.forms = len(self.subtypes)

    def case(self, number):
        """Return files by name, the one to damage, and where."""
        subtype = self.subtypes[number % len(self.subtypes)]
        content = written(self.container, subtype)
        kind = "bytes" if number % 5 == 4 else min(self.header_bytes, len(content))
        return {f"a.{self.container.lower()}": content}, kind

    def read(self, folder, number):
        """Read by all doors, and by another decoder."""
        from bob.learn.pytorch.audio import check_usable, files

        path = folder / f"a.{self.container.lower()}"
        files.info(path)
        read = files.read(path)
        check_usable(read, minimum_seconds=0)
        samples = np.asarray(read.samples, float).reshape(-1)
        subtype = self.subtypes[number % len(self.subtypes)]
        return judged(
            self.container,
            subtype,
            path,
            samples,
            read.sample_rate,
            damaged_sound=number % 5 == 4,
        )


def judged(container, subtype, path, samples, rate, *, damaged_sound):
    """Return "same" where another decoder reads the same, or what it reads."""
    import av  # noqa: F401 - without it nothing would be told
    import soundfile

    try:
        others, other_rate = DECODERS.get(container, ffmpeg)(path)
    except Exception as error:  # noqa: BLE001 - whatever others raise
        return "not told", f"the other decoder: {error}"[:200]
    if not len(others) or soundfile.info(path).subtype in UNLIKE:
        return "not told", "the other decoder reads nothing, or otherwise"
    if subtype == "MPEG_LAYER_III":
        samples, others = aligned(samples, others)
    elif subtype in ("FLOAT", "DOUBLE"):  # those above 1 are scaled
        others = others * (np.abs(samples).max() / np.abs(others).max())
    both, spare = (
        min(len(others), len(samples)),
        PADDED.get(subtype, PADDED.get(container, 0)),
    )
    if len(others) > len(samples) and not np.ptp(others[both:]):
        spare = len(others)  # zeros behind the sound, which are padding
    off = np.abs(samples[:both] - others[:both])
    most = float(np.nan_to_num(off, nan=np.inf).max(initial=0))
    faults = {
        f"{rate} Hz, and another decoder {other_rate} Hz": abs(other_rate - rate) > 1,
        f"{len(samples)} samples, and another decoder {len(others)}": (
            abs(len(others) - len(samples)) > spare
        ),
        f"by {most:.3g} from another decoder": most > LOSSY.get(subtype, 1e-4),
    }
    found = [fault for fault, there in faults.items() if there]
    if found and damaged_sound and subtype in WITHOUT_CHECKSUM:
        return "not told", "; ".join(found)
    return ("differs" if found else "same"), "; ".join(found)


def aligned(samples, others):
    """Take off what encoders put before the sound, which decoders leave or take off."""
    both = [np.zeros(0) if not len(wave) else wave for wave in (samples, others)]
    if not len(both[0]) or not len(both[1]):
        return samples, others
    lag = int(np.correlate(*both, "full").argmax()) - len(others) + 1
    lag = lag if abs(lag) <= PADDED["MPEG_LAYER_III"] else 0
    first = PADDED["MPEG_LAYER_III"]  # frames that may lack what stood before them
    return samples[max(0, lag) :][first:], others[max(0, -lag) :][first:]


def ffmpeg(path):
    """Decode by FFmpeg: samples in [-1, 1], rate."""
    import av

    av.logging.set_level(av.logging.PANIC)
    with av.open(str(path), metadata_errors="ignore") as file:
        stream = file.streams.audio[0]
        frames = [_frame(frame) for frame in file.decode(stream)]
        rate = stream.codec_context.sample_rate
    channels = {len(frame) for frame in frames}
    if channels - {1}:
        raise ValueError(f"{channels} channels")
    return np.concatenate([frame[0] for frame in frames] or [np.zeros(0)]), rate


def _frame(frame):
    """(channels, time)."""
    array, kind = frame.to_ndarray(), frame.format.name
    if not frame.format.is_planar:
        array = array.reshape(-1, frame.layout.nb_channels).T
    scales = {"u8": 2**7, "s16": 2**15, "s32": 2**31, "s64": 2**63}
    offset = 128 if kind.startswith("u8") else 0
    return (array.astype(float) - offset) / scales.get(kind.removesuffix("p"), 1)


def htk(path):
    """HTK book, section 5.10.1; the period is in units of 100 ns."""
    content = path.read_bytes()
    count, period, width, kind = struct.unpack(">iihh", content[:12])
    if width != 2 or kind != 0 or len(content) != 12 + 2 * count:
        raise ValueError("no waveform of 16 bits")
    return np.frombuffer(content[12:], ">i2") / 2**15, 10_000_000 // period


def matlab(path):
    """The variables that libsndfile writes, by SciPy."""
    from scipy.io import loadmat

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = loadmat(path)
    # Of any name: the first is the rate, the second the sound.
    rate, samples = [found[name] for name in found if not name.startswith("__")][:2]
    if samples.ndim != 2 or min(samples.shape) != 1 or samples.dtype.kind not in "iuf":
        raise ValueError(f"shape {samples.shape}")
    samples = samples.reshape(-1)
    whole = samples.dtype.kind in "iu"
    scale = float(np.iinfo(samples.dtype).max) + 1 if whole else 1
    return samples / scale, int(rate.reshape(-1)[0])


def mpc(path):
    """Akai's samples: 42 bytes, their rate in the last two."""
    content = path.read_bytes()
    channels, frames, rate = struct.unpack("<21xB8xI6xH", content[:42])
    if content[:2] != b"\1\4" or channels != 0:
        raise ValueError("not Akai's, or not mono")
    samples = np.frombuffer(content[42 : 42 + 2 * frames], "<i2")
    if len(samples) != frames:
        raise ValueError("cut off")
    return samples / 2**15, rate


def psion(path):
    """Psion's: 32 bytes, then A-law at 8 kHz."""
    content = path.read_bytes()
    count = struct.unpack(">I", content[18:22])[0]
    if content[:15] != b"ALawSoundFile**" or len(content) != 32 + count:
        raise ValueError("not Psion's, or cut off")
    codes = np.frombuffer(content[32:], np.uint8) ^ 0x55
    exponent, mantissa = codes >> 4 & 7, (codes & 15).astype(int)
    size = np.where(
        exponent == 0,
        (mantissa << 4) + 8,
        (mantissa * 16 + 264) << np.maximum(exponent, 1) - 1,
    )
    return np.where(codes & 128, size, -size) / 2**15, 8_000


def dump(path):
    """MIDI sample dumps: a header of 21 bytes, then packets of 127."""
    content = path.read_bytes()
    bits = content[6]
    period, length = (_sevens(content[at : at + 3]) for at in (7, 10))
    if content[:2] != b"\xf0\x7e" or content[3] != 1 or content[20] != 0xF7:
        raise ValueError("no sample dump")
    size = -(-bits // 7)
    found = []
    blocks = -(-length // (120 // size))
    for start in range(21, 21 + 127 * blocks, 127):
        packet = content[start : start + 127]
        if len(packet) < 127 or packet[:2] != b"\xf0\x7e" or packet[3] != 2:
            raise ValueError("a packet is damaged")
        check = 0
        for byte in packet[1:125]:
            check ^= byte
        if check != packet[125] or packet[126] != 0xF7 or packet[4] != len(found) % 128:
            raise ValueError("a packet is damaged")
        words = np.frombuffer(packet[5:125], np.uint8).reshape(-1, size).astype(int)
        shifts = 7 * np.arange(size)[::-1]
        found.append((words << shifts).sum(axis=1) / 2.0 ** (7 * size - 1) - 1)
    samples = np.concatenate(found)
    if len(samples) < length:
        raise ValueError("cut off")
    # Of a last block that is not full, libsndfile makes zeros: 2 ms at most.
    whole = length - length % len(found[0])
    return samples[:whole], int(1e9 / period)


def fasttracker(path):
    """FastTracker's instruments of one sample, as differences, at 44.1 kHz."""
    content = path.read_bytes()
    if content[:21] != b"Extended Instrument: " or content[296:298] != b"\1\0":
        raise ValueError("no instrument of one sample")
    wide = content[312] & 16
    differences = np.frombuffer(content[338:], "<i2" if wide else "i1")
    return np.cumsum(differences, dtype=differences.dtype) / (
        2**15 if wide else 2**7
    ), 44_100


def _sevens(three):
    return three[0] | three[1] << 7 | three[2] << 14


DECODERS = {
    "HTK": htk,
    "MAT4": matlab,
    "MAT5": matlab,
    "MPC2K": mpc,
    "WVE": psion,
    "SDS": dump,
    "XI": fasttracker,
}
ATTACKS = {attack.name: attack for attack in map(Attack, CONTAINERS)}
