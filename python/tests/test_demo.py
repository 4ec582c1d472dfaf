"""The examples. The demo runs on a small folder of odd files: a worker is killed, and what is in the store is what a count made
here says. What goes wrong is said."""

import collections
import datetime
import os
import pathlib
import pty
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import sysconfig

import pytest

import utan

DEMO = pathlib.Path(__file__).resolve().parents[2] / "examples" / "demo_python"
SEED = 20
FILE_COUNT = 200  # enough for a worker to be met at work half way
WORD_COUNT = 2000  # of each of them
NEWEST = datetime.datetime(2020, 9, 13, 12, 26, 40, 123456, tzinfo=datetime.timezone.utc)
ODD_NAME = b"new\nline \xff\\.py"
ODD_NAME_SHOWN = r"new\nline \xff\.py"
IMPORTS = """import os, re as regex , json.decoder  # all three
from collections.abc import Mapping
  from . import neighbour; import after_another_statement
import os
the word import in prose, and
import what prose goes on with
from here to there
#include <stdio.h>
  #  include "own/name.h" // why
#include no_name
"""
IMPORTED = ["os", "re", "json.decoder", "collections.abc", ".", "stdio.h", "own/name.h"]


def make_tree(root):
    """Files that a careless reader gets wrong, and many plain ones. All have different times; the odd name is the newest."""
    print("seed", SEED)
    shuffled = random.Random(SEED)
    words = [f"name_{number}" for number in range(3000)]
    for number in range(FILE_COUNT):
        folder = root / f"part{number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file{number}.txt").write_text(" ".join(["hot"] * (number + 1) + shuffled.choices(words, k=WORD_COUNT)))
    (root / "empty").write_bytes(b"")
    (root / "binary").write_bytes(b"import name " + bytes(range(256)) * 300)
    (root / "latin").write_bytes("naïve café".encode("latin-1"))
    (root / "letters").write_text("größe 变量 x1 1x _ a.b\n" + "l" * 255 + " " + "m" * 256 + " " + "n" * 100_000)
    (root / "imports.py").write_text(IMPORTS)
    (root / "no_modules" / "__pycache__").mkdir(parents=True)
    (root / "no_modules" / "__pycache__" / "left_out.py").write_text("left_out")
    with open(os.path.join(os.fsencode(root), ODD_NAME), "wb") as file:
        file.write(b"import json\nodd_name odd_name")
    files = sorted(path for path in root.rglob("*") if path.is_file())
    files.sort(key=lambda path: os.fsencode(path.name) != ODD_NAME)
    for hours, path in enumerate(files):
        time_ns = (NEWEST - datetime.timedelta(hours=hours) - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc))
        os.utime(path, ns=(0, time_ns // datetime.timedelta(microseconds=1) * 1000))
    os.symlink("latin", root / "link")
    os.symlink("..", root / "loop")
    os.mkfifo(root / "pipe")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo") / "tree"
    root.mkdir()
    make_tree(root)
    return root


@pytest.fixture(scope="module")
def kept(tree, tmp_path_factory):
    """What the demo printed on a terminal, and the store that it made."""
    store = tmp_path_factory.mktemp("kept") / "kept.utan"
    shown, terminal = pty.openpty()
    command = [sys.executable, str(DEMO / "main.py"), str(tree), "--store", str(store)]
    with subprocess.Popen(command, stdout=terminal, stderr=terminal) as demo:
        os.close(terminal)
        output = b""
        while more := read_some(shown):
            output += more
        os.close(shown)
    text = output.decode().replace("\r\n", "\n")
    assert demo.returncode == 0, text
    return text, store


def read_some(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so that nobody has the other side any more
        return b""


def contents(root):
    """Path below the root, in bytes -> what is in the file."""
    found = {}
    for folder, _, names in os.walk(os.fsencode(root)):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path) and b"__pycache__" not in path:
                with open(path, "rb") as file:
                    found[os.path.relpath(path, os.fsencode(root))] = file.read()
    return found


def words_of(data):
    """The identifiers, found in another way than the demo does."""
    if b"\0" in data:
        return []
    return [word for word in re.findall(r"\w+", data.decode(errors="replace")) if len(word) <= 255 and not word[0].isdecimal()]


def run(*words, status=0, **options):
    done = subprocess.run([sys.executable, str(DEMO / "main.py"), *map(str, words)], capture_output=True, text=True, timeout=300,
                          **options)
    assert done.returncode == status, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout if status == 0 else done.stderr


def test_a_worker_is_killed_and_the_index_is_exact(tree, kept):
    output, store = kept
    for line in ("is killed with SIGKILL in the middle of ", "worker 5 takes its place", "has taken over ", "  identical: ",
                 "The store is sound: ", f"2020-09-13 12:26:40  {ODD_NAME_SHOWN}\n", "Who imports or includes json ("):
        assert line in output, output

    files = contents(tree)
    counts = {path: collections.Counter(words_of(data)) for path, data in files.items()}
    times, in_files = collections.Counter(), collections.Counter()
    for count in counts.values():
        times.update(count)
        in_files.update(count.keys())
    with utan.open(store, "r") as db:
        assert list(db["files"]) == sorted(files)
        assert db["identifiers"] == {name: (times[name], in_files[name]) for name in times}
        assert {state[0] for state in db["work"].values()} == {"done"}
        for path, data in files.items():
            check_document(db["files"][path], data, counts[path])
        assert len({document["id"] for document in db["files"].values()}) == len(files)
        assert db["files"][b"imports.py"]["imports"] == IMPORTED
        assert db["files"][ODD_NAME]["modified"] == NEWEST == db["by_change"].last()[0][0]
        assert [path for (name, path), _ in db["by_import"].range(("json",), ("json\0",))] == [ODD_NAME]
        assert list(db["by_size"]) == sorted((len(data), path) for path, data in files.items())
        assert db["totals"] == {
            "files": len(files), "bytes": sum(map(len, files.values())), "identifiers": times.total(),
            "imports": len(IMPORTED) + 1, "lines": sum(document["lines"] for document in db["files"].values())}


def check_document(document, data, count):
    text = b"" if b"\0" in data else data
    assert document["size"] == len(data) and document["identifiers"] == count
    assert document["lines"] == len(text.split(b"\n")) - (text == b"" or text.endswith(b"\n"))


def test_a_difference_is_found(tree, kept, tmp_path):
    """What is compared is everything: each part is changed in a store that was right."""
    store = shutil.copy(kept[1], tmp_path / "changed.utan")
    script = f"""
import utan
from compare import compare
from index import Index
with utan.open({str(store)!r}) as db:
    root = {os.fsencode(tree)!r}
    index = Index(db)
    assert compare(index, root).differences == []
    db["identifiers"]["hot"] = (1, 1)
    db["files"][b"latin"]["lines"] += 1
    db["totals"].incr("lines")
    for name in ("by_size", "by_change", "by_import", "by_frequency"):
        db[name].popitem()
    del db["files"][b"empty"]
    print(*compare(index, root).differences)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300,
                          env={"PYTHONPATH": str(DEMO)})
    assert done.returncode == 0, done.stderr
    expected = ["empty", "latin", "files", "identifiers", "totals", "by_frequency", "by_size", "by_change", "by_import"]
    assert done.stdout.split() == expected


def test_on_a_terminal_there_are_bars(tree, kept):
    output, _ = kept
    lines = r"  worker 1  \[[#.]+\] +\d+ files  .*\n(  worker .*\n)+  all       "
    assert re.search(rf"{lines}\[#+\] +{len(contents(tree))} of \d+\n", output), output
    assert re.search(rf"{lines}.*\n\x1b\[\dA\x1b\[J", output), output  # and were drawn again in their place


def test_a_small_folder_is_done_before_a_worker_can_be_killed(tmp_path):
    (tmp_path / "file.py").write_text("import json")
    assert "no worker was killed" in run(tmp_path)


def test_the_program_of_the_readme_prints_what_it_says(tmp_path):
    program = DEMO.parent / "hello.py"
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    said = re.findall(r"^ +print\(.*  # (.*?)(?:: a Dict .*)?$", program.read_text(), re.MULTILINE)
    assert (done.stdout.splitlines(), done.stderr) == (said, "") and len(said) == 4


def test_what_goes_wrong_is_said(tree, tmp_path):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "file").write_text("text")
    for status, words, message in (
        (2, ["--workers", "0"], "--workers takes a number from 1 to 64"),
        (5, [tmp_path / "absent"], "absent: No such file or directory"),
        (5, [tmp_path / "file"], "file: Not a directory"),
        (5, [tmp_path / "nothing"], "nothing: no files in it"),
        (5, [tree, "--store", tmp_path / "file"], "file: it is there already"),
        (5, [tree, "--store", tmp_path / "absent" / "x.utan"], "x.utan"),
    ):
        error = run(*words, status=status)
        assert message in error and "Traceback" not in error, error


def test_a_full_disk_is_said(tree, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))

    error = run(tree, "--store", tmp_path / "x.utan", status=5, preexec_fn=limit)
    assert "--store PATH makes the store elsewhere" in error and "Traceback" not in error, error


def test_control_c_ends_all_and_leaves_nothing(tmp_path):
    folder = sysconfig.get_path("stdlib")  # much is left to do when the first quarter is done
    with subprocess.Popen([sys.executable, str(DEMO / "main.py"), folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env={**os.environ, "TMPDIR": str(tmp_path)}, start_new_session=True,
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler)) as demo:
        while " %" not in (line := demo.stdout.readline()):
            assert line, "the demo ended before anything was done"
        os.killpg(demo.pid, signal.SIGINT)
        _, error = demo.communicate(timeout=120)  # until the workers are gone, too, who have its output open
    assert (demo.returncode, error) == (130, "demo: stopped\n")
    assert os.listdir(tmp_path) == []
