"""Shows that a store is the same on two processors, and that processes of both may have it open at once.

    two_machines_test.py A B    each a command (one argument, split at its blanks) that runs tests/programs/two_machines.cc

With the same command twice it shows the same of one processor. One process of each round is killed.
"""

import pathlib
import shlex
import subprocess
import sys
import tempfile

COMMANDS = [shlex.split(command) for command in sys.argv[1:]]
TIMES = 400
ENDLESS = 1_000_000_000
TIMEOUT_S = 300


def run(command, *arguments):
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, f"{command} {arguments}: {done.returncode}: {done.stderr.decode(errors='replace')}"
    return done.stdout


def test_written_by_one_read_by_the_other(folder):
    printed = []
    for index, writer in enumerate(COMMANDS):
        path = folder / f"{index}.utan"
        run(writer, "write", path)
        for reader in COMMANDS:
            printed.append(run(reader, "print", path))
    assert len(printed[0]) > 100_000, len(printed[0])
    assert all(one == printed[0] for one in printed), [len(one) for one in printed]


def test_shared(folder):
    path = folder / "shared.utan"
    for victim_command in COMMANDS:
        start = lambda command, times: subprocess.Popen([*command, "count", path, str(times)], stdout=subprocess.PIPE)
        victim = start(victim_command, ENDLESS)
        crew = [start(command, TIMES) for command in COMMANDS * 2]
        assert victim.stdout.readline() == b"counting\n"
        victim.kill()
        assert victim.wait(TIMEOUT_S) == -9
        for process in crew:
            process.communicate(timeout=TIMEOUT_S)
            assert process.returncode == 0, process.args
    # What each of two commands did. A victim may have been killed between its record and its counts.
    for command in COMMANDS:
        words = run(command, "sum", path).decode().split()
        found = dict(zip(words[-8::2], map(int, words[-7::2])))
        whole = len(COMMANDS) * 2 * len(COMMANDS) * TIMES
        assert found["problems"] == 0, words
        assert found["counter"] > whole, found
        assert 0 <= found["counter"] - found["parts"] <= len(COMMANDS), found
        assert 0 <= found["records"] - found["counter"] <= len(COMMANDS), found


def main():
    with tempfile.TemporaryDirectory() as name:
        test_written_by_one_read_by_the_other(pathlib.Path(name))
        test_shared(pathlib.Path(name))


if __name__ == "__main__":
    main()
