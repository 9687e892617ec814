"""Databases opened by their path or object, and written in any format.

=============  ==================================================================
form           files that `convert` writes into the folder
=============  ==================================================================
``bob``        the CSV protocol of `formats.bob_csv`
``voxceleb``   ``<group>.txt``: ``1 a.wav b.wav``
``kaldi``      ``<group>/trials`` and ``<group>/{enroll,test}/`` with ``wav.scp``,
               ``utt2spk`` and ``spk2utt``; ``enroll/utt2spk`` names references
``wespeaker``  ``wav.scp``, ``utt2spk``, ``spk2utt``, ``trials/<group>.kaldi``
``espnet``     ``<group>/{trial.scp,trial2.scp,trial_label}`` and the data folder
``sre``        ``<group>_{enrollment,trials,trial_key,segment_key}.tsv``
=============  ==================================================================

All are read again by `as_database`, with the same trials and labels. Speakers are as
far as the form tells them: in ``voxceleb`` only labels do. Metadata of recordings and
of trials have a place in ``bob`` and ``sre``; the other forms leave them out.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.protocols.formats import FORMS
from bob.learn.pytorch.protocols.trials import (
    ENROLLING_FILE,
    Database,
    DatabaseError,
    labelled,
)

if TYPE_CHECKING:
    from bob.learn.pytorch.protocols.speakers import SpeakerRule
    from bob.learn.pytorch.protocols.writing import Written

    _Directory = str | os.PathLike[str] | None


def read_protocol(
    path: str | os.PathLike[str],
    *,
    protocol: str | None = None,
    original_directory: str | os.PathLike[str] | None = None,
    rule: SpeakerRule | None = None,
    blind: bool = False,
) -> Database:
    r"""Read a protocol or a list of trials of any format.

    Parameters
    ----------
    path : path
        A Bob CSV protocol, a Kaldi (WeSpeaker) or ESPnet data folder, a folder of
        speakers, a file of trials (VoxCeleb, Kaldi, SRE), or one CSV file that lists
        the recordings.
    protocol : str, optional
        Protocol to use; for a folder of speakers ``session``, ``recording``, either
        with ``-one-group``, or ``all-pairs``. Trial lists and CSV files have one only:
        there it names the results.
    original_directory : path, optional
        Folder that the paths in a list are relative to. Default: the list's own.
    rule : SpeakerRule, optional
        Rule for a folder of speakers, Kaldi's included.
    blind : bool
        Take a list without labels too, whose subjects are empty. Default: False.

    Returns
    -------
    Database
        ``groups()`` names its groups, ``trials(group)`` returns their `Trials`.

    Raises
    ------
    DatabaseError
        The path is of no such format; with file and line for what is wrong in it.

    Notes
    -----
    No recording is opened, and no Bob package is imported. A trial list with its label
    last names Kaldi utterances if there is a ``wav.scp`` beside it (see
    `formats.kaldi_trials`); otherwise the names are paths.

    Examples
    --------
    >>> trials = getfixture("tmp_path") / "trials.txt"
    >>> _ = trials.write_text("1 ann/1.wav ann/2.wav\n0 ann/1.wav bob/1.wav\n")
    >>> read_protocol(trials).trials("dev").count()
    2
    """
    found = _from_path(Path(path).expanduser(), protocol, original_directory, rule)
    return found if blind else labelled(found, path)


def as_database(
    source: object,
    *,
    protocol: str | None = None,
    original_directory: str | os.PathLike[str] | None = None,
    rule: SpeakerRule | None = None,
    blind: bool = False,
) -> Database:
    """Return a source of recordings and a protocol as a `Database`.

    Parameters
    ----------
    source : object
        A `Database`; a Bob database of the legacy (``model_ids``, ``enroll_files``,
        ``probe_files``) or of today's interface (``references``, ``probes``); or a path
        for `read_protocol`, which describes the other parameters.

    Raises
    ------
    DatabaseError
        The source is none of these; with file and line for what is wrong.
    """
    if isinstance(source, type):
        raise DatabaseError(
            f"{source.__name__} is a class; expected a database object: call it with "
            f"what it needs, {source.__name__}(…)"
        )
    if isinstance(source, (str, os.PathLike)):
        return read_protocol(
            source,
            protocol=protocol,
            original_directory=original_directory,
            rule=rule,
            blind=blind,
        )
    if rule is not None or original_directory is not None:
        raise DatabaseError(
            f"{type(source).__name__} has its own recordings and enrolment: set them "
            "there, not through a rule or an original directory"
        )
    if hasattr(source, "trials") and hasattr(source, "groups"):
        if protocol is not None:
            source.protocol = protocol  # type: ignore[attr-defined]
        if not blind:
            labelled(source, getattr(source, "name", source))
        return source  # type: ignore[return-value]
    from bob.learn.pytorch.protocols.formats import bob_databases

    return bob_databases.wrap(source, protocol=protocol)


def _from_path(
    path: Path, protocol: str | None, directory: _Directory, rule: SpeakerRule | None
) -> Database:
    if path.is_dir():
        return _from_folder(path, protocol, directory, rule)
    if not path.is_file():
        raise DatabaseError(
            f"database {str(path)!r} does not exist (seen from {Path.cwd()}); expected "
            "a folder of speakers, a Bob CSV protocol, a Kaldi data folder, a trial "
            "list or a CSV file"
        )
    if rule is not None:
        raise DatabaseError(
            f"{path} lists its own references and probes; layout, enrolment count and "
            "minimum duration are for folders of speakers: leave them out"
        )
    return _from_file(path, protocol, directory)


def _from_file(path: Path, protocol: str | None, directory: _Directory) -> Database:
    """Read a list in the first format that recognises it, or else one of trials."""
    from bob.learn.pytorch.protocols.formats import (
        csv_file,
        kaldi_trials,
        sre,
        trial_list,
    )

    for form in (csv_file, sre, kaldi_trials):
        if form.is_it(path):
            found: Database = form.read(
                path, protocol=protocol, original_directory=directory
            )
            return found
    return trial_list.read(path, protocol=protocol, original_directory=directory)


def _from_folder(
    path: Path, protocol: str | None, directory: _Directory, rule: SpeakerRule | None
) -> Database:
    """Read a folder by the format whose files are in it; else it is of speakers."""
    if rule is None and any(
        any(path.glob(f"{folders}/{ENROLLING_FILE}")) for folders in ("*", "*/*")
    ):
        from bob.learn.pytorch.protocols.formats import bob_csv

        return bob_csv.read(path, protocol=protocol, original_directory=directory)
    if rule is None and (path / "trial_label").is_file():
        from bob.learn.pytorch.protocols.formats import espnet

        return espnet.read(path, protocol=protocol, original_directory=directory)
    if rule is None and (path / "trials").exists():
        from bob.learn.pytorch.protocols.formats import kaldi_trials

        if kaldi_trials.has_lists(path):
            listed, protocol = kaldi_trials.list_in(path, protocol)
            return _from_file(listed, protocol, directory)
    return _of_speakers(path, protocol, directory, rule)


def _of_speakers(
    path: Path, protocol: str | None, directory: _Directory, rule: SpeakerRule | None
) -> Database:
    """Read recordings by speaker, of which a rule makes trials."""
    if (path / "wav.scp").is_file():
        from bob.learn.pytorch.protocols.formats import kaldi

        return kaldi.read(
            path, protocol=protocol, original_directory=directory, rule=rule
        )
    from bob.learn.pytorch.protocols.formats import folder

    return folder.read(path, protocol=protocol, original_directory=directory, rule=rule)


def convert(
    database: Database, folder: str | os.PathLike[str], *, form: str
) -> Written:
    """Write a database in another form.

    Parameters
    ----------
    database : Database
        The database to write.
    folder : path
        Is made; files of these names are replaced, each whole or not at all.
    form : {"bob", "voxceleb", "kaldi", "wespeaker", "espnet", "sre"}
        See the top of this module.

    Returns
    -------
    dict of str to Path
        For each group the path that `as_database` reads (for ``bob`` always the
        folder). Its attribute `seen_from` is the folder that paths in the lists are
        relative to, None if they are absolute.

    Raises
    ------
    DatabaseError
        The form cannot say what the database says: a reference of several recordings
        in a list of pairs, a probe of several, a name with white space.
    """
    if form not in FORMS:
        raise DatabaseError(f"form {form!r}; expected one of {', '.join(FORMS)}")
    from bob.learn.pytorch.protocols.formats import (
        bob_csv,
        espnet,
        kaldi_trials,
        sre,
        trial_list,
    )

    writers = (
        bob_csv.write,
        trial_list.write,
        kaldi_trials.write,
        kaldi_trials.write_wespeaker,
        espnet.write,
        sre.write,
    )
    write = dict(zip(FORMS, writers, strict=True))[form]
    return write(database, Path(folder).resolve())
