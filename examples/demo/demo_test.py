#!/usr/bin/env python3
"""Runs utan_demo on a small tree of odd files, and compares what it answers with a count made here.

    demo_test.py PROGRAM
"""

import collections
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile

SEED = 20
FILE_COUNT = 130  # three buckets of files
WORDS_PER_FILE = 400
HOUR_NS = 3_600_000_000_000
NEWEST_NS = 1_600_000_000_123_456_000  # 2020-09-13 12:26:40.123456 UTC
INCLUDES = """#include <shared.h>
  #  include "shared.h" // once more
#include <own/name.h>
// #include <comment>
#include no_name
#include <>
#include_next <not_this>
"""


def make_tree(root):
    """Files that a careless reader gets wrong, and enough plain ones for a worker to be killed half way."""
    shuffled = random.Random(SEED)
    for i in range(FILE_COUNT):
        folder = root / f"part{i % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        words = [f"name_{shuffled.randrange(2000)}" for _ in range(WORDS_PER_FILE)]
        (folder / f"file{i}.txt").write_text(" ".join(["hot"] * (i + 1) + words))
    os.mkdir(root / "empty folder")
    (root / "empty").write_bytes(b"")
    (root / "binary").write_bytes(bytes(range(256)) * 300)
    # A word across the border of two blocks, one of the greatest size, one too long, and numbers.
    (root / "edges").write_bytes(b" " * 65530 + b"across_the_border 0x1F 1e5 _ " + b"m" * 1024 + b" " + b"l" * 1025 + b" last")
    with open(os.fsencode(root) + b"/new\nline \xff\\", "wb") as file:
        file.write(b"odd_name odd_name")
    # Lines that include something, and lines that only look so. All files get times of their own.
    (root / "part1" / "a.h").write_text(INCLUDES)
    (root / "part1" / "b.h").write_text("#include <shared.h>")
    (root / "part2" / "odd.h").write_bytes(b'#include "\xff.h"\n')
    for i, path in enumerate(sorted(p for p in root.rglob("*") if p.is_file())):
        os.utime(path, ns=(0, NEWEST_NS - i * HOUR_NS))
    os.symlink("edges", root / "link")
    os.symlink("..", root / "loop")
    os.mkfifo(root / "pipe")


def count(root):
    """Identifier -> (occurrences, files)."""
    totals = collections.defaultdict(lambda: [0, 0])
    for folder, _, names in os.walk(os.fsencode(root)):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                words = re.findall(rb"[A-Za-z0-9_]+", file.read())
            words = [word.decode() for word in words if not word[:1].isdigit() and len(word) <= 1024]
            for word, times in collections.Counter(words).items():
                totals[word][0] += times
                totals[word][1] += 1
    return {word: tuple(total) for word, total in totals.items()}


def regular_files(root):
    """Path below the root, in bytes -> contents."""
    files = {}
    for folder, _, names in os.walk(os.fsencode(root)):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path) and os.path.isfile(path):
                with open(path, "rb") as file:
                    files[os.path.relpath(path, os.fsencode(root))] = file.read()
    return files


def line_count(contents):
    return contents.count(b"\n") + (contents != b"" and not contents.endswith(b"\n"))


def run(program, *words, folder, code=0):
    environment = {**os.environ, "TMPDIR": str(folder / "tmp"), "DIR": ""}
    done = subprocess.run([program, *words], capture_output=True, text=True, errors="replace", env=environment,
                          timeout=200)
    assert done.returncode == code, f"{words}: exit code {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def all_totals(output):
    """What --top shows, as count() gives it."""
    lines = re.findall(r"^ *([\d,]+) in +([\d,]+) files  (\w+)$", output, re.MULTILINE)
    return {word: (int(times.replace(",", "")), int(files.replace(",", ""))) for times, files, word in lines}


def check_run(program, folder, tree, expected):
    """Indexes with a death half way; the kept store answers exactly."""
    store = str(folder / "kept.utan")
    output = run(program, str(tree), "--store", store, "--where", "odd_name", folder=folder)
    documents = f" {len(regular_files(tree))} documents ("
    for line in (documents, "is killed with SIGKILL in the middle of", "has taken over", "  identical: "):
        assert line in output, output
    assert "The store is sound: " in output and output.count("\n") < 85, output
    assert "odd_name is in 1 files, 2 times" in output and "new\\x0aline" in output, output

    assert all_totals(run(program, "--store", store, "--top", "1000000", folder=folder)) == expected
    hot = run(program, "--store", store, "--where", "hot", folder=folder)
    assert f"hot is in {FILE_COUNT} files, {expected['hot'][0]:,} times" in hot, hot
    assert "absent is in no file" in run(program, "--store", store, "--where", "absent", folder=folder)
    check_questions(program, store, folder, tree, expected)


def check_questions(program, store, folder, tree, expected):
    """What is answered from documents and indexes, with a count made here."""
    files = regular_files(tree)
    output = run(program, "--store", store, folder=folder)
    total = re.search(r"^([\d,]+) files have \S+ MB, ([\d,]+) lines, ([\d,]+) identifiers, ([\d,]+) #include lines", output,
                      re.MULTILINE)
    assert [int(number.replace(",", "")) for number in total.groups()] == [
        len(files), sum(map(line_count, files.values())), sum(times for times, _ in expected.values()), 5], output
    largest = sorted(map(len, files.values()), reverse=True)[:5]
    shown = re.search(r"The largest:\n((?: +[\d,]+  .*\n)+)", output).group(1)
    assert [int(line.split()[0].replace(",", "")) for line in shown.splitlines()] == largest, output

    assert f"{min(25, len(files))} files were changed since 2020-09-12 12:26:40 UTC" in output, output
    assert f"  2020-09-13 12:26:40 UTC  {sorted_first(tree)}\n" in output, output

    under = run(program, "--store", store, "--under", "part1/", folder=folder)
    assert f"{sum(path.startswith(b'part1/') for path in files)} files are under part1/" in under, under
    assert "          7 lines  part1/a.h\n          1 lines  part1/b.h\n" in under, under
    assert "0 files are under absent/" in run(program, "--store", store, "--under", "absent/", folder=folder)

    includes = run(program, "--store", store, "--includes", "shared.h", folder=folder)
    assert re.match(r"2 files include shared.h .*:\n +part1/a.h\n +part1/b.h\n$", includes), includes
    assert "1 files include own/name.h" in run(program, "--store", store, "--includes", "own/name.h", folder=folder)
    assert "1 files include " in run(program, "--store", store, "--includes", b"\xff.h", folder=folder)
    for absent in ("shared", "comment", "not_this"):
        assert f"0 files include {absent} " in run(program, "--store", store, "--includes", absent, folder=folder)


def sorted_first(root):
    return sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink())[0].relative_to(root)


def check_continued(program, folder, tree, expected):
    """The parent is killed as soon as the list is made: the next run goes on where the workers stopped."""
    store = str(folder / "continued.utan")
    with subprocess.Popen([program, str(tree), "--store", store], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True) as first:
        assert first.stdout.readline().startswith("Indexing")
        first.send_signal(signal.SIGKILL)
    run(program, "--store", store, "--workers", "2", folder=folder)
    assert all_totals(run(program, "--store", store, "--top", "1000000", folder=folder)) == expected


def check_errors(program, folder, tree):
    (folder / "no_store").write_text("plain text, and long enough to hold a header. " * 1000)
    empty = folder / "nothing"
    empty.mkdir()
    for code, words, message in (
        (2, ["--workers", "0"], "--workers takes a number from 1 to 64"),
        (2, ["--top"], "--top needs an argument"),
        (2, ["--sideways"], "unknown option --sideways"),
        (2, ["--where", "two words"], "not an identifier"),
        (2, [str(tree), str(tree)], "more than one folder"),
        (2, [str(tree), "--store", str(folder / "kept.utan")], "is there already"),
        (5, [str(folder / "absent")], "no such folder"),
        (5, [str(folder / "no_store")], "not a folder"),
        (5, [str(empty)], "no regular files"),
        (5, ["--store", str(folder / "no_store")], "no_store"),
        (5, [str(tree), "--store", str(folder / "absent" / "x.utan")], "x.utan"),
    ):
        error = run(program, *words, folder=folder, code=code)
        assert message in error, error
    assert run(program, "--help", folder=folder).startswith("usage: utan_demo")


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="utan_demo_test.") as name:
        folder = pathlib.Path(name)
        tree = folder / "tree"
        tree.mkdir()
        (folder / "tmp").mkdir()
        make_tree(tree)
        expected = count(tree)
        check_run(program, folder, tree, expected)
        check_continued(program, folder, tree, expected)
        check_errors(program, folder, tree)

        assert "no worker was killed" in run(program, str(tree), "--workers", "1", folder=folder)
        assert not os.listdir(folder / "tmp"), "a temporary store was left behind"
        kept = run(program, str(tree), "--keep", folder=folder)
        path = re.search(r"^  (/.*/index\.utan)$", kept, re.MULTILINE).group(1)
        assert all_totals(run(program, "--store", path, "--top", "1000000", folder=folder)) == expected
    print("demo_test: all is well")


if __name__ == "__main__":
    main()
