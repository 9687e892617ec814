"""Damage to files, the same at every run: `mutant(content, random, kind=...)`."""

import json
import struct

EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000)
LARGE = (0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
WORDS = (
    "", "nan", "-inf", "1e999", "0", "-1", "9" * 400, "a" * 5000, "\x1b[31m", "\x00",
    "é", "\udce9", "../../x", "|touch x|", "=1+1", '"', "'", "#", "*", "target", "1",
    "\ufeff", "\u2028", "a\nb", "x y", "a.wav",
)  # fmt: skip
VALUES = (
    None, True, False, 0, -1, 1.5, 1e308, 10**400, "", "text", "nan", "inf", [], {},
    [None], [[1]], {"a": 1}, "\x1b[31m", "../x",
)  # fmt: skip


def mutant(content, random, *, kind):
    """Return damaged bytes.

    Parameters
    ----------
    kind
        "bytes", or "text" and "json" for what knows lines or values too, or "values"
        for JSON that stays such; a number damages only that many bytes from the start.
    """
    if isinstance(kind, int):
        head = _bytes(content[:kind], random, random.choice(IN_HEADERS))
        return head + content[kind:]
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        ways = {"bytes": BYTES, "text": TEXT, "json": JSON, "values": (value,)}[kind]
        content = _bytes(content, random, random.choice(ways))
    return content


def _bytes(content, random, way):
    return way(content, random) if content else bytes(random.sample(range(256), 9))


def _place(content, random):
    """Return a place, half of them near the start, where headers are."""
    near = min(len(content), 128)
    return random.randrange(random.choice((near, len(content))))


def flip(content, random):
    """Flip one to eight bits."""
    damaged = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 8))):
        damaged[_place(content, random)] ^= 1 << random.randrange(8)
    return bytes(damaged)


def delete(content, random):
    """Take some bytes out."""
    at = _place(content, random)
    return content[:at] + content[at + random.choice((1, 1, 2, 3, 4, 16, 64)) :]


def insert(content, random):
    """Put some bytes in."""
    at, size = _place(content, random), random.choice((1, 1, 2, 3, 4, 16, 64))
    return content[:at] + random.randbytes(size) + content[at:]


def truncate(content, random):
    """Cut the end off."""
    return content[: _place(content, random)]


def extreme(content, random):
    """Overwrite a field of 1 to 8 bytes by the smallest, the largest, or near."""
    size = random.choice((1, 2, 4, 4, 4, 8))
    at = max(0, min(_place(content, random) // 2 * 2, len(content) - size))
    value = random.choice(EXTREMES + LARGE) % 2 ** (8 * size)
    number = value.to_bytes(size, random.choice(("little", "big")))
    return content[:at] + number + content[at + size :]


def nudge(content, random):
    """Change a whole number of the header by a little."""
    form = random.choice(("<H", ">H", "<I", ">I"))
    size = struct.calcsize(form)
    at = _place(content, random) // 2 * 2
    if at + size > len(content):
        return flip(content, random)
    (value,) = struct.unpack_from(form, content, at)
    value = (value + random.choice((-256, -16, -2, -1, 1, 2, 16, 256))) % 256**size
    return content[:at] + struct.pack(form, value) + content[at + size :]


def duplicate(content, random):
    """Repeat a piece behind itself, or somewhere."""
    start = _place(content, random)
    piece = content[start : start + random.choice((4, 8, 24, 44, 512))]
    at = random.choice((start + len(piece), _place(content, random)))
    return content[:at] + piece + content[at:]


def swap(content, random):
    """Exchange two pieces."""
    size = random.choice((1, 2, 4, 8, 32))
    one, two = sorted(_place(content, random) for _ in range(2))
    if one + size > two:
        return flip(content, random)
    first, second = content[one : one + size], content[two : two + size]
    return (content[:one] + second + content[one + size : two] + first) + content[
        two + size :
    ]


def fill(content, random):
    """Overwrite a piece with one value."""
    at, size = _place(content, random), random.choice((4, 16, 512))
    piece = bytes([random.choice((0, 0xFF, 0x20))]) * min(size, len(content) - at)
    return content[:at] + piece + content[at + len(piece) :]


def append(content, random):
    """Put something behind the end: noise, zeros, or the file once more."""
    return content + random.choice((random.randbytes(32), bytes(512), content))


BYTES = (flip, flip, delete, insert, truncate, extreme, extreme, nudge, duplicate)
BYTES += (swap, fill, append)
IN_HEADERS = (flip, flip, extreme, extreme, nudge, nudge, swap, fill, delete, insert)


def _on_lines(change):
    def way(content, random):
        lines = content.split(b"\n")
        change(lines, random.randrange(len(lines)), random)
        return b"\n".join(lines)

    return way


def _drop(lines, at, random):
    del lines[at]


def _repeat(lines, at, random):
    lines.insert(random.randrange(len(lines) + 1), lines[at])


def _swap_lines(lines, at, random):
    other = random.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]


def _on_columns(change):
    def within(lines, at, random):
        for separator in (b"\t", b",", b" "):
            if separator in lines[at]:
                fields = lines[at].split(separator)
                change(fields, random.randrange(len(fields)), random)
                lines[at] = separator.join(fields)
                return

    return _on_lines(within)


def _word(fields, at, random):
    fields[at] = random.choice(WORDS).encode("utf-8", "surrogateescape")


def _ends(content, random):
    return content.replace(b"\n", random.choice((b"\r\n", b"\r", b"\n\n", b" \n")))


def _coding(content, random):
    text = content.decode("utf-8", "replace")
    coded = random.choice(("utf-16", "utf-32", "utf-8-sig", "latin-1"))
    return text.encode(coded, "replace")


def _separators(content, random):
    return content.replace(
        random.choice((b" ", b"\t", b",")), random.choice((b" ", b"\t", b",", b";"))
    )


TEXT = (
    *(_on_columns(way) for way in (_word, _word, _word, _drop, _repeat, _swap_lines)),
    *(_on_lines(way) for way in (_drop, _repeat, _swap_lines, _word)),
    *(_ends, _coding, _separators, flip, delete, insert, truncate, duplicate),
)


def value(content, random):
    """Give some value of JSON another one, or another type."""
    try:
        root = json.loads(content)
    except (ValueError, RecursionError):
        return flip(content, random)
    places = list(_places([root]))
    holder, key = random.choice(places)
    if random.random() < 0.2 and isinstance(holder, dict):
        name = random.choice((*WORDS, "//", "constructor"))
        holder[name] = holder.pop(key)
    elif random.random() < 0.2 and holder is not places[0][0]:
        del holder[key]
    else:
        holder[key] = random.choice(VALUES)
    root = places[0][0][0] if places[0][0] else None
    return json.dumps(root).encode()


def _places(holder):
    keys = range(len(holder)) if isinstance(holder, list) else list(holder)
    for key in keys:
        yield holder, key
        if isinstance(holder[key], (list, dict)):
            yield from _places(holder[key])


def deep(content, random):
    """Nest it deeper than any reader follows, or put it in a list."""
    depth = random.choice((1, 1, 100_000))
    return b"[" * depth + content + b"]" * depth


def _twice(content, random):
    """Say a key twice."""
    at = content.find(b'"', _place(content, random))
    return content[:at] + b'"format": 1, ' + content[at:]


JSON = (value, value, value, value, value, value, deep, _twice, *TEXT[:3], *TEXT[-5:])
