from collections import Counter

from bob.learn.pytorch.experiment.options import (
    GRID_OPTIONS,
    NOT_OFFERED,
    OPTIONS,
    STAGES,
    STAGES_WITHOUT_WORK,
    UNUSED_PLACES,
)

ALL = [
    *OPTIONS,
    *GRID_OPTIONS,
    *UNUSED_PLACES,
    *(option for option, _ in NOT_OFFERED.values()),
]

# The command line of bob.bio.base 4.1.1.
SHORT = {
    "-d": "database", "-p": "preprocessor", "-e": "extractor", "-a": "algorithm",
    "-g": "grid", "-r": "parallel", "-s": "sub-directory", "-P": "protocol",
    "-T": "temp-directory", "-R": "result-directory", "-v": "verbose",
    "-q": "dry-run", "-F": "force", "-A": "allow-missing-files", "-z": "zt-norm",
    "-C": "calibrate-scores", "-U": "write-five-column-score-files",
    "-Z": "write-compressed-score-files", "-B": "timer", "-o": "execute-only",
    "-I": "imports", "-W": "preferred-package", "-S": "stop-on-failure",
    "-X": "external-dependencies", "-L": "run-local-scheduler", "-N": "nice",
    "-D": "delete-jobs-finished-with-status", "-G": "gridtk-database-file",
    "-t": "environment",
}  # fmt: skip


def test_every_flag_of_the_old_command_means_what_it_meant():
    flags = {flag: option.long for option in ALL for flag in option.flags}

    assert {flag: flags.get(flag) for flag in SHORT} == SHORT


def test_no_flag_and_no_variable_is_given_twice():
    flags = Counter(flag for option in ALL for flag in option.flags)
    names = Counter(option.name for option in ALL)

    assert [flag for flag, count in flags.items() if count > 1] == []
    assert [name for name, count in names.items() if count > 1] == []


def test_every_stage_can_be_left_out():
    names = {option.name for option in OPTIONS}

    for stage in (*STAGES, *STAGES_WITHOUT_WORK):
        assert f"skip_{stage.replace('-', '_')}" in names
