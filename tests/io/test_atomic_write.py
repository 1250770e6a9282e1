"""Files that are written completely or not at all, and found out to be writable before."""

import os
import stat
import subprocess
import sys
import threading

import pytest

from napari_nst.io.atomic_write import check_writable, write_atomically


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_threads_may_write_the_same_file(tmp_path, monkeypatch):
    """Each thread waits for the other between writing its bytes and replacing the file."""
    both_have_written, fsync = threading.Barrier(2), os.fsync

    def wait(descriptor):
        fsync(descriptor)
        both_have_written.wait(timeout=30)

    monkeypatch.setattr(os, "fsync", wait)
    contents, errors = [b"a" * 100_000, b"b" * 50_000], []

    def write(data):
        try:
            write_atomically(tmp_path / "a", data)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(data,)) for data in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert (tmp_path / "a").read_bytes() in contents
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_processes_may_write_the_same_file(tmp_path):
    code = (
        "import sys, pathlib; from napari_nst.io.atomic_write import write_atomically as write\n"
        "for _ in range(100): write(pathlib.Path(sys.argv[1]), sys.argv[2].encode() * 10_000)"
    )
    path = tmp_path / "a"
    running = [subprocess.Popen([sys.executable, "-c", code, path, letter]) for letter in "ab"]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert path.read_bytes() in (b"a" * 10_000, b"b" * 10_000)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_a_written_file_has_the_usual_permissions_and_links_stay_links(tmp_path):
    usual = tmp_path / "usual"
    usual.touch()
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "a.png")
    write_atomically(link, b"data")
    assert link.is_symlink()
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)


def test_files_that_cannot_be_written_are_found_out(tmp_path):
    with pytest.raises(OSError, match="no folder"):
        check_writable([tmp_path / "missing" / "a.png"])
    with pytest.raises(OSError, match="is a folder"):
        check_writable([tmp_path])
    one, other = tmp_path / "a.png", tmp_path / "b.png"
    one.write_bytes(b"")
    os.link(one, other)
    with pytest.raises(ValueError, match="would be overwritten"):
        check_writable([other], inputs=[one])
    with pytest.raises(ValueError, match="would be overwritten"):
        check_writable([tmp_path / "new", tmp_path / "." / "new"])
    check_writable([one, tmp_path / "new"], inputs=[tmp_path / "c.png"])
    assert sorted(tmp_path.iterdir()) == [one, other]


def test_a_folder_that_takes_no_files_is_found_out(tmp_path, monkeypatch):
    def refuse(**_options):
        raise PermissionError(13, "Permission denied", "x")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OSError, match="cannot be written to: Permission denied"):
        check_writable([tmp_path / "a.png"])
