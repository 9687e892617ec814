"""A store survives kills, full disks, second writers and damage, and says so."""

import logging
import os
import random
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from bob.learn.pytorch.store import image as store_image
from bob.learn.pytorch.store.store import EmbeddingStore, Record, StoreError, summarise

MADE_BY = {"model": "campplus"}

# Says how many there are when they are on disk; folds and closes now and then.
WRITER = """
import sys
import numpy as np
from bob.learn.pytorch.store import store as module
from bob.learn.pytorch.store.store import EmbeddingStore, Record
module._FOLD_AT = 1000
path, size = sys.argv[1], int(sys.argv[2])
for _ in range(1000):
    with EmbeddingStore.open(path, fingerprint={"model": "campplus"}) as store:
        print("opened", flush=True)
        for _ in range(15):
            first = len(store)
            store.append([
                Record(f"r{n}", n + np.arange(1, 65, dtype=np.float32), source=str(n))
                for n in range(first, first + size)
            ])
            print(len(store), flush=True)
"""


def numbered(first, count, dimensions=64):
    return [
        Record(f"r{n}", n + np.arange(1, dimensions + 1))
        for n in range(first, first + count)
    ]


def start(path, size):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(size)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "opened\n"
    return process


def kill(process):
    """End it at once -> the largest number of records that it has reported."""
    process.kill()
    said = process.communicate()[0].split()
    return max((int(word) for word in said if word.isdecimal()), default=0)


def check(path):
    """Nothing is missing, doubled or mixed up -> how many there are."""
    stored = EmbeddingStore.read(path)
    count = len(stored.names)
    assert stored.names == tuple(f"r{n}" for n in range(count))
    expected = np.add.outer(np.arange(count), np.arange(1, 65))
    if count:
        np.testing.assert_array_equal(stored.embeddings, expected)
    return count


def survive_kills(path, times):
    moment = random.Random(times)
    known = 0
    for _ in range(times):
        size = moment.randint(1, 300)
        process = start(path, size)
        time.sleep(moment.uniform(0, 0.25))
        reported = kill(process)
        count = check(path)
        assert max(known, reported) <= count <= max(known, reported) + size
        known = count
    return known


def test_what_was_reported_survives_kills_at_random_moments(tmp_path):
    count = survive_kills(tmp_path / "some.h5", 2)

    with EmbeddingStore.open(tmp_path / "some.h5", fingerprint=MADE_BY) as store:
        assert len(store) == count
    left = {item.name for item in tmp_path.iterdir()}
    assert left == {"some.h5", ".some.h5.lock"}


@pytest.mark.slow
def test_twenty_kills(tmp_path):
    assert survive_kills(tmp_path / "some.h5", 20)


def test_a_batch_that_a_kill_cut_off_is_not_there(tmp_path, caplog):
    """Cut at each byte that a kill may leave, the file holds the batch before."""
    path = tmp_path / "some.h5"
    store = EmbeddingStore.open(path, fingerprint=MADE_BY)
    store.append(numbered(0, 2))
    before = path.stat().st_size
    store.append(numbered(2, 1))
    content = path.read_bytes()
    store.close()

    for size in {before, before + 1, before + 30, len(content) - 1}:
        path.write_bytes(content[:size])
        assert check(path) == 2
    path.write_bytes(content[:before] + bytes(len(content) - before))
    assert check(path) == 2

    with (
        caplog.at_level(logging.WARNING),
        EmbeddingStore.open(path, fingerprint=MADE_BY) as store,
    ):
        store.append(numbered(2, 3))
    assert f"{len(content) - before} bytes of a batch" in caplog.text
    assert check(path) == 5


def open_until_refused(path):
    """The first writer closes it now and then, for a moment."""
    while True:
        EmbeddingStore.open(path, fingerprint=MADE_BY).close()


def test_a_second_writer_is_refused_and_told_of_the_first(tmp_path):
    path = tmp_path / "some.h5"
    process = start(path, 1)
    try:
        with pytest.raises(StoreError) as error:
            open_until_refused(path)
    finally:
        kill(process)

    assert f"is being written to by process {process.pid} on " in str(error.value)
    EmbeddingStore.open(path, fingerprint=MADE_BY).close()
    check(path)


def test_whoever_cannot_say_who_writes_still_refuses(tmp_path):
    path = tmp_path / "some.h5"
    with EmbeddingStore.open(path, fingerprint=MADE_BY):
        (tmp_path / ".some.h5.writer").unlink()

        with pytest.raises(StoreError, match="written to by another process"):
            EmbeddingStore.open(path, fingerprint=MADE_BY)


def test_a_reader_sees_whole_batches_while_another_process_writes(tmp_path):
    path = tmp_path / "some.h5"
    process = start(path, 10)
    try:
        counts = [check(path)]
        while len(counts) < 5 or counts[-1] <= counts[0]:
            counts.append(check(path))
    finally:
        kill(process)

    assert counts == sorted(counts)
    assert all(count % 10 == 0 for count in counts)


def run(program, *arguments):
    """Its exit status."""
    found = shutil.which(program)
    if found is None:
        return 127
    return subprocess.run([found, *arguments], check=False).returncode


def fill(store):
    """Append until it is refused -> how many records were not, and the message."""
    count = 0
    try:
        while True:
            store.append(numbered(count, 100))
            count += 100
    except StoreError as error:
        return count, str(error)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own, and what makes it larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    # Room for a store of a few hundred kB, and less than what folding needs.
    if os.geteuid() or run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder):
        pytest.skip("only root can make a small disk")

    yield folder, lambda: run("mount", "-o", "remount,size=20m", folder)
    run("umount", "-l", folder)


def test_a_full_disk_costs_nothing_that_was_stored(small_disk, caplog):
    folder, grow = small_disk
    path = folder / "some.h5"
    store = EmbeddingStore.open(path, fingerprint=MADE_BY)

    count, message = fill(store)

    assert "does not take 100 more records (No space left on device)" in message
    assert f"the {count} before them are safe" in message
    assert check(path) == len(store) == count > 0
    with caplog.at_level(logging.WARNING):
        store.close()
    assert "a copy cannot be written" in caplog.text
    assert check(path) == count
    grow()
    with EmbeddingStore.open(path, fingerprint=MADE_BY) as store:
        store.append(numbered(count, 100))
    assert check(path) == count + 100
    assert summarise(path).waiting == 0


def test_after_room_was_made_the_same_store_goes_on(small_disk):
    folder, grow = small_disk
    (folder / "other").write_bytes(bytes(700_000))
    store = EmbeddingStore.open(folder / "some.h5", fingerprint=MADE_BY)
    with pytest.raises(StoreError, match="No space left"):
        store.append(numbered(0, 2000))

    grow()
    store.append(numbered(0, 2000))
    store.close()

    assert check(folder / "some.h5") == 2000


def test_a_full_disk_takes_no_new_store(small_disk):
    folder, _ = small_disk
    with pytest.raises(OSError, match="No space"):
        (folder / "other").write_bytes(bytes(2_000_000))

    with pytest.raises(StoreError, match="cannot be opened for writing"):
        EmbeddingStore.open(folder / "some.h5", fingerprint=MADE_BY)

    assert not (folder / "some.h5").exists()


@pytest.mark.parametrize("content", [b"", b"no HDF5", None])
def test_what_is_no_store_is_refused(tmp_path, content):
    path = tmp_path / "some.h5"
    if content is not None:
        path.write_bytes(content)
        with pytest.raises(StoreError, match=r"some\.h5 cannot be read as a store"):
            EmbeddingStore.open(path, fingerprint=MADE_BY)

    with pytest.raises(StoreError, match=r"some\.h5 (cannot be read|is no file)"):
        EmbeddingStore.read(path)


def test_hdf5_of_another_kind_and_of_a_later_version(tmp_path):
    import h5py

    path = tmp_path / "some.h5"
    with h5py.File(path, "w") as file:
        file["embeddings"] = np.zeros((1, 2))
    with pytest.raises(StoreError, match=r"of another kind.*store import"):
        EmbeddingStore.read(path)

    path.unlink()
    EmbeddingStore.open(path, fingerprint=MADE_BY).close()
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = 99
    with pytest.raises(StoreError, match=r"version 99.*install a newer"):
        EmbeddingStore.read(path)


@pytest.fixture
def half_folded(tmp_path):
    """A store with 40 records in HDF5 and three batches of 20 behind it, as bytes."""
    path = tmp_path / "some.h5"
    with EmbeddingStore.open(path, fingerprint=MADE_BY) as store:
        store.append(numbered(0, 40))
    with EmbeddingStore.open(path, fingerprint=MADE_BY) as store:
        for first in (40, 60, 80):
            store.append(numbered(first, 20))
        content = path.read_bytes()
    return path, content


def test_a_damaged_batch_is_not_taken_for_one_that_was_cut_off(half_folded):
    path, content = half_folded
    with path.open("wb") as file:
        file.write(content)
    with path.open("rb") as file:
        end = store_image.end_of(file.fileno())
    path.write_bytes(content[: end + 100] + b"?" + content[end + 101 :])

    with pytest.raises(StoreError, match=f"some.h5 is damaged at byte {end}"):
        EmbeddingStore.read(path)
    with pytest.raises(StoreError, match=f"some.h5 is damaged at byte {end}"):
        EmbeddingStore.open(path, fingerprint=MADE_BY)
    assert path.stat().st_size == len(content), "the batches behind it are still there"


def test_a_flipped_bit_is_noticed_or_does_not_matter(half_folded):
    """Everywhere but in the last batch, which might have been cut off."""
    path, content = half_folded
    chance = random.Random(0)
    used = [place for place, byte in enumerate(content) if byte]
    noticed = 0
    for _ in range(150):
        damaged = bytearray(content)
        damaged[chance.choice(used)] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            assert check(path) in (80, 100)
        except StoreError:
            noticed += 1
    assert noticed > 50
