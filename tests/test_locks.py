from __future__ import annotations

import errno
import logging
import os
import shutil
from pathlib import Path

import pytest

from pdesurrogate.locks import LOCK, FolderInUseError, held
from tests.training.processes import exit_codes, kill_oneself

fcntl = pytest.importorskip("fcntl")


def is_free(folder: Path) -> bool:
    """Whether another process could hold it."""

    def hold(rank: int) -> None:
        with held(folder):
            pass

    return exit_codes(hold) == [0]


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"

    def be_refused(rank: int) -> None:
        with pytest.raises(FolderInUseError, match="folder is in use by another process"):
            held(folder).__enter__()

    with held(folder):
        be_refused(0)
        assert exit_codes(be_refused) == [0]
    with held(folder):
        pass


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    def hold_and_die(rank: int) -> None:
        with held(tmp_path):
            kill_oneself()

    assert exit_codes(hold_and_die)[0] < 0
    assert (tmp_path / LOCK).exists()
    with held(tmp_path):
        pass


def test_a_lock_that_was_copied_holds_nothing(tmp_path: Path) -> None:
    """And the folder that it was copied to is held like any other."""
    original, copied = tmp_path / "original", tmp_path / "copied"
    with held(original):
        shutil.copytree(original, copied)
        assert (copied / LOCK).exists()
        assert is_free(copied)
        assert not is_free(original)
        with held(copied):
            assert not is_free(copied)


@pytest.mark.parametrize("answer", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_nothing_is_held_and_a_warning_says_so(
    answer: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is a file left that a later process would take for a lock."""

    def answered(*_: object) -> None:
        raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(fcntl, "flock", answered)
    with caplog.at_level(logging.WARNING, "pdesurrogate"), held(tmp_path), held(tmp_path):
        pass
    assert caplog.text.count("cannot be locked") == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_lock_that_may_not_be_opened_is_no_missing_lock(tmp_path: Path) -> None:
    (tmp_path / LOCK).touch(mode=0o000)
    with pytest.raises(PermissionError):
        held(tmp_path).__enter__()


def test_other_errors_are_not_taken_for_missing_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answered(*_: object) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(fcntl, "flock", answered)
    with pytest.raises(OSError, match="the disk is broken"):
        held(tmp_path).__enter__()
