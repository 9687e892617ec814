"""Rows of a store lie in the order of the list, whoever is done first."""

from pathlib import Path

import numpy as np
import pytest

from bob.learn.pytorch.inference.extract import extract, extract_into
from bob.learn.pytorch.store.reading import read_content
from bob.learn.pytorch.store.store import EmbeddingStore

NAMES = [f"r{number:02}" for number in range(64)]  # two processes: 8 partitions of 8
REST = 56  # all but the first partition


@pytest.fixture
def patient(monkeypatch, tmp_path):
    """Makes extractors that other processes can import, each with its own folder."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    from patient_extractor import PatientExtractor

    def make(**more):
        folder = tmp_path / f"run-{len(list(tmp_path.glob('run-*')))}"
        folder.mkdir()
        return PatientExtractor(str(folder), **more)

    return make


def run(extractor, place, names=NAMES, *, jobs=2):
    return extract_into(place, extractor, {name: name for name in names}, jobs=jobs)


def rows(place):
    """Names of every row, failures included."""
    return list(read_content(place).columns.names)


def check(place, order):
    """The rows have this order, and each has its own embedding."""
    stored = EmbeddingStore.read(place)
    good = [name for name in order if int(name[1:]) % 7 != 3]
    assert rows(place) == order
    assert list(stored.names) == good
    assert list(stored.failures) == [name for name in order if name not in good]
    np.testing.assert_array_equal(
        stored.embeddings[:, 0], [int(name[1:]) for name in good]
    )


def test_a_first_partition_that_is_the_last_one_done_comes_first(patient, tmp_path):
    place = tmp_path / "store.h5"

    done = run(patient(waits={"r00": REST}), place)

    check(place, NAMES)
    assert list(done.failures) == NAMES[3::7]
    assert done.computed == len(NAMES) - len(done.failures)


def test_a_process_that_dies_on_the_first_partition_changes_no_row(patient, tmp_path):
    place = tmp_path / "store.h5"

    run(patient(waits={"r05": REST + 5}, kills=("r05",)), place)

    check(place, NAMES)


def test_any_number_of_processes_gives_the_same_rows(patient, tmp_path):
    places = [tmp_path / f"{jobs}.h5" for jobs in (1, 2, 3)]

    for jobs, place in enumerate(places, start=1):
        run(patient(waits={"r00": 8 * (jobs > 1)}), place, jobs=jobs)

    for place in places:
        check(place, NAMES)


def test_what_an_earlier_run_stored_stays_first_and_the_rest_follows_the_list(
    patient, tmp_path
):
    place = tmp_path / "store.h5"
    earlier = [NAMES[number] for number in (40, 2, 9)]
    run(patient(), place, earlier, jobs=1)

    # 61 are left: 8 partitions, of which the first has 8.
    done = run(patient(waits={"r00": 53}), place)

    assert done.reused == 3
    check(place, earlier + [name for name in NAMES if name not in earlier])


def test_a_run_that_broke_off_leaves_a_beginning_and_the_next_one_completes_it(
    patient, tmp_path
):
    place = tmp_path / "store.h5"
    # The fourth partition ends the run when all others are done.
    broken = patient(waits={"r24": REST}, breaks=("r24",))

    with pytest.raises(RuntimeError, match="r24"):
        run(broken, place)

    check(place, NAMES[:24])
    run(patient(waits={"r24": 24}), place)
    check(place, NAMES)


def test_a_failure_that_is_mended_keeps_its_place(patient, tmp_path):
    place = tmp_path / "store.h5"
    run(patient(), place, jobs=1)

    done = run(patient(mended=True, waits={"r03": 7}), place)

    assert (done.reused, done.computed) == (55, 9)
    assert list(EmbeddingStore.read(place).names) == NAMES


def test_dask_workers_give_the_same_rows(patient, tmp_path):
    from distributed import Client, LocalCluster

    place = tmp_path / "store.h5"
    extractor = patient(waits={"r00": 8})
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
        EmbeddingStore.open(place, fingerprint=extractor.fingerprint()) as store,
    ):
        extract(extractor, {name: name for name in NAMES}, store, client=client)

    assert rows(place) == NAMES
