"""Files that are written completely or not at all, and found out to be writable before."""

import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from napari_nst.io.atomic_write import check_size, check_writable, write_atomically


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="is full"):
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


def test_files_written_at_once_get_their_own_bytes(tmp_path):
    """An export in a thread beside Save…, again and again, into one folder."""

    def write(letter):
        for index in range(60):
            path = tmp_path / f"{letter}{index % 3}"
            write_atomically(path, letter.encode() * 100_000)
            assert path.read_bytes() == letter.encode() * 100_000

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, "abcd"))
    assert len(list(tmp_path.iterdir())) == 12


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


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links and devices")
def test_what_is_no_file_is_found_out_and_stays_as_it_is(tmp_path):
    nowhere = tmp_path / "nowhere.png"
    nowhere.symlink_to(tmp_path / "gone" / "a.png")
    device = tmp_path / "device.png"
    device.symlink_to(os.devnull)
    long = tmp_path / ("a" * 300 + ".png")
    says = {nowhere: "There is no folder .*gone", device: "is a device", long: "is too long"}
    for path, sentence in says.items():
        for check in (check_writable, partial(write_atomically, data=b"data")):
            with pytest.raises(OSError, match=sentence) as raised:
                check([path] if check is check_writable else path)
            assert str(raised.value).endswith(".")
            assert "Errno" not in str(raised.value)
    assert Path(os.devnull).is_char_device()
    assert sorted(tmp_path.iterdir()) == sorted([nowhere, device])


@pytest.mark.parametrize("name", ["ä ö#1 %d.png", "名前.png", "a.b.png", "-o.png"])
def test_names_of_every_kind_can_be_written(tmp_path, name):
    folder = tmp_path / "a folder #2, größer"
    folder.mkdir()
    check_writable([folder / name])
    write_atomically(folder / name, b"data")
    assert [path.name for path in folder.iterdir()] == [name]


def test_a_replaced_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write_atomically(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_removed_folder_and_a_full_disk_are_one_sentence(tmp_path, small_disk):
    with pytest.raises(FileNotFoundError, match=r"^There is no folder .*gone; make it first\.$"):
        write_atomically(tmp_path / "gone" / "a", b"data")
    with pytest.raises(OSError, match=rf"^The disk of the folder {small_disk} is full; "):
        write_atomically(small_disk / "a", bytes(2_000_000))
    assert not list(small_disk.iterdir())


@pytest.mark.parametrize(
    ("name", "fits", "too_large"),
    [
        ("a.png", (1, 1_000_000), (1_000_001, 1)),
        ("a.JPG", (65_500, 65_500), (65_501, 1)),
        ("a.gif", (1, 65_535), (1, 65_536)),
        ("a.mp4", (16_384, 8_192), (16_384, 8_194)),
        ("a.mp4", (2, 16_384), (2, 16_386)),
    ],
)
def test_sizes_that_a_format_cannot_hold_are_refused(name, fits, too_large):
    check_size(Path(name), fits)
    check_size(Path("a.tif"), too_large)
    with pytest.raises(ValueError, match="smaller size"):
        check_size(Path(name), too_large)


def test_a_folder_that_takes_no_files_is_found_out(tmp_path, monkeypatch):
    def refuse(**_options):
        raise PermissionError(13, "Permission denied", "x")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OSError, match="cannot be written to: Permission denied"):
        check_writable([tmp_path / "a.png"])
