"""Odd places and odd users: paths of any bytes, what may only be read, what is not there, and what the errors say."""

import os
import stat
import tempfile

import pytest

import utan


def run_as(user, group, function):
    """What `function` raises in a process of this user fails the test."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(group)
            os.setuid(user)
            function()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_path_is_any_bytes(tmp_path):
    for name in [b"\xff\xfe.utan", "\u00fc\u4e2d.utan".encode(), b"a b\n'\".utan"]:
        path = os.path.join(os.fsencode(tmp_path), name)
        with utan.open(path) as db:
            db["k"] = "v"
            assert os.fsencode(db.path) == os.path.realpath(path)
        with utan.open(os.fsdecode(path), "r") as db:
            assert db["k"] == "v"
        with open(path, "wb") as file:
            file.write(b"no store any more")
        with pytest.raises(utan.FormatError) as raised:
            utan.open(path)
        assert os.fsdecode(name) in str(raised.value)


def test_what_is_no_store_says_what_it_is_and_stays(tmp_path):
    empty, text, fifo = tmp_path / "empty", tmp_path / "text", tmp_path / "fifo"
    empty.write_bytes(b"")
    text.write_bytes(b"dear reader" * 1000)
    os.mkfifo(fifo)
    for place, error, said in [
        (empty, utan.FormatError, "empty file"),
        (text, utan.FormatError, "not a Utan store"),
        (fifo, ValueError, "a FIFO"),
        (tmp_path, ValueError, "a directory"),
        (tmp_path / "missing" / "s", FileNotFoundError, "missing"),
        ("", ValueError, "^the path is empty$"),
    ]:
        for mode in "cwr":
            with pytest.raises(error, match=said):
                utan.open(place, mode)
    for mode, said in ("c", "there is no folder"), ("n", "there is no folder"), ("w", "no such store"), ("r", "no such store"):
        with pytest.raises(FileNotFoundError, match=said):
            utan.open(tmp_path / "missing" / "s", mode)
    with pytest.raises(TypeError, match="^chunk_size is a number of bytes, not 'str'$"):
        utan.open(tmp_path / "s", chunk_size="16M")
    assert empty.read_bytes() == b"" and text.read_bytes() == b"dear reader" * 1000
    assert stat.S_ISFIFO(os.stat(fifo).st_mode)
    assert sorted(os.listdir(tmp_path)) == ["empty", "fifo", "text"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_who_may_only_read_reads():
    # Not below tmp_path, which others may not enter.
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        folder = os.path.join(place, "place")
        os.mkdir(folder)
        read_as_another_user(folder)


def read_as_another_user(folder):
    path = os.path.join(folder, "s.utan")
    with utan.open(path) as db:
        db["birds"] = {"auk": [1, 2, {"deep": True}]}
    os.chmod(path, 0o644)
    os.chmod(folder, 0o555)

    def read():
        with utan.open(path, "r") as db:
            assert db["birds"] == {"auk": [1, 2, {"deep": True}]}
            assert list(db["birds"]["auk"]) == [1, 2, {"deep": True}]
            assert db.snapshot()["birds"]["auk"][2]["deep"] is True
            assert db.check()["problems"] == []
            assert db.stats()["process_count"] == 1
            with pytest.raises(utan.ReadOnlyError):
                db["x"] = 1
        with pytest.raises(PermissionError, match="open it only to read it"):
            utan.open(path)

    run_as(61001, 61001, read)

    def write():
        with pytest.raises(PermissionError, match="-lock: get the right to, or open it only to read it"):
            utan.open(path)

    os.chmod(path, 0o666)
    run_as(61001, 61001, write)
    os.chmod(path, 0o644)
    os.remove(path + "-lock")
    run_as(61001, 61001, read)
    assert os.listdir(folder) == ["s.utan"]
