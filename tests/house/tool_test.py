"""Shows what the command utan answers: exit codes, lines, JSON; of sound, damaged, foreign and missing stores.

    tool_test.py UTAN MAKE_STORE
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

UTAN, MAKE_STORE = sys.argv[1:]
SOUND, USAGE, DAMAGED, FAILED = 0, 2, 4, 5


def run(*arguments, code, environment=None):
    command = [UTAN, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, errors="surrogateescape", timeout=60, check=False,
                          env=environment)
    assert done.returncode == code, f"{command}: {done.returncode}, not {code}: {done.stdout}{done.stderr}"
    return done


def run_json(*arguments, code):
    output = run(*arguments, "--json", code=code).stdout
    assert output.count("\n") == 1, output
    return json.loads(output)


def test_arguments():
    assert run("--version", code=SOUND).stdout.startswith("utan 0.")
    assert "utan check FILE" in run("--help", code=SOUND).stdout
    for arguments in ([], ["check"], ["stat"], ["check", "a", "b"], ["mend", "a"], ["check", "--fast", "a"], ["check", ""]):
        assert "utan" in run(*arguments, code=USAGE).stderr


def test_sound(path):
    subprocess.run([MAKE_STORE, path], check=True)
    last = run("check", path, code=SOUND).stdout.splitlines()[-1]
    assert last.startswith(f"{path}: sound: 4 containers, 408 entries, "), last
    assert last.endswith("kB in use"), last
    found = run_json("check", path, code=SOUND)
    assert found["file"] == str(path) and found["sound"] is True and found["whole"] is True, found
    assert found["problems"] == [] and found["problem_count"] == 0 and found["error"] is None, found
    assert found["containers"] == {"all": 4, "dicts": 1, "lists": 1, "collections": 1, "tables": 1, "orphans": 0,
                                   "unreachable": 0}, found
    assert found["entries"] == 108 and found["elements"] == 300, found
    assert found["bytes"]["file"] == path.stat().st_size and found["blocks"]["leaked"] == 0, found
    found = run_json("stat", path, code=SOUND)
    assert found["containers"]["all"] == 4 and found["processes"] == [] and found["used_size"] > 0, found
    assert found["commit_number"] == found["durable_number"], found
    assert "4: 1 dict, 1 list, 1 collection, 1 table" in run("stat", path, code=SOUND).stdout


def test_in_use(path):
    holder = subprocess.Popen([MAKE_STORE, path, "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "holding\n"
    found = run_json("check", path, code=SOUND)
    assert found["sound"] and not found["whole"] and found["containers"]["all"] == 5, found
    (process,) = run_json("stat", path, code=SOUND)["processes"]
    assert process["process_id"] == holder.pid and process["pins"] == 1 and process["commits_behind"] == 1, process
    text = run("stat", path, code=SOUND).stdout
    assert f"process {holder.pid}, since 2" in text and "1 pin, the oldest 1 commit behind" in text, text
    holder.communicate()
    assert holder.returncode == 0


def test_damaged(path, folder):
    content = bytearray(path.read_bytes())
    # A record's key and value: the byte behind the key.
    at = content.index(b"key 77") + 6
    content[at] ^= 1
    damaged = folder / "damaged.utan"
    damaged.write_bytes(content)
    lines = run("check", damaged, code=DAMAGED).stdout.splitlines()
    assert len(lines) == 2 and lines[0].startswith("block ") and "checksum does not match" in lines[0], lines
    assert "in table " in lines[0] and lines[1] == f"{damaged}: damaged: 1 problem", lines
    found = run_json("check", damaged, code=DAMAGED)
    assert not found["sound"] and found["problem_count"] == 1 and found["problems"] == [lines[0]], found
    assert found["error"] is None and found["entries"] == 108, found
    assert "1 problem" in run("stat", damaged, code=DAMAGED).stdout
    damaged.write_bytes(content[:5000])
    assert "truncated" in run("check", damaged, code=DAMAGED).stderr
    found = run_json("check", damaged, code=DAMAGED)
    assert not found["sound"] and found["error"]["code"] == "UTAN_CORRUPTION" and found["problem_count"] == 1, found
    assert run_json("stat", damaged, code=DAMAGED)["error"]["code"] == "UTAN_CORRUPTION"


def test_foreign(folder):
    foreign = folder / "foreign"
    for content in (b"", b"#!/bin/sh\n", b"x" * 1_000_000):
        foreign.write_bytes(content)
        done = run("check", foreign, code=DAMAGED)
        assert "not a Utan store" in done.stderr and str(foreign) in done.stderr, done.stderr
    for command in ("check", "stat"):
        assert str(folder / "absent") in run(command, folder / "absent", code=FAILED).stderr
        assert run_json(command, folder / "absent", code=FAILED)["error"]["code"] == "UTAN_NOT_FOUND"
        run(command, folder, code=FAILED)
    assert not (folder / "absent").exists()


def test_permission(path):
    if os.geteuid() == 0:
        return  # may read everything
    mode = path.stat().st_mode
    path.chmod(0)
    assert "user" in run("check", path, code=FAILED).stderr
    path.chmod(mode)


def test_odd_names(path, folder):
    odd = os.fsencode(folder) + b'/quo"te\n\xff.utan'
    with open(odd, "wb") as file:
        file.write(path.read_bytes())
    done = subprocess.run([UTAN, "check", odd, "--json"], capture_output=True, check=True, timeout=60)
    assert json.loads(done.stdout.decode())["file"] == f'{folder}/quo"te\n\ufffd.utan'


def test_full_disk(path):
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w", encoding="utf-8") as full:
            assert subprocess.run([UTAN, "check", path], stdout=full, stderr=subprocess.DEVNULL,
                                  check=False).returncode == FAILED


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        path = folder / "app.utan"
        test_arguments()
        test_sound(path)
        test_in_use(folder / "used.utan")
        test_damaged(path, folder)
        test_foreign(folder)
        test_permission(path)
        test_odd_names(path, folder)
        test_full_disk(path)


if __name__ == "__main__":
    main()
