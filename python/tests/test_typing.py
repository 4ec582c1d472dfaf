"""The types: the stub says what the module has, and mypy accepts what is right and finds what is wrong."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TYPED = pathlib.Path(__file__).resolve().parent / "typed"


def run(*words):
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_stub_is_what_the_module_has():
    """Names, arguments, kinds and defaults, of all that is public."""
    run("-m", "mypy.stubtest", "utan")


def test_mypy_accepts_what_is_right_and_finds_each_mistake():
    run("-m", "mypy", "--strict", "--cache-dir", "build/mypy-cache", str(TYPED), "examples/hello.py", "examples/demo_python")


def test_the_typed_example_runs(path):
    run(str(TYPED / "example.py"), path)
