"""Several interpreters in one process: each has a module of its own, and all share a store's one attachment.

In a process of their own, and without decimals: some of Python's own modules (decimal in 3.11) are left broken in the main
interpreter by another one that ends.
"""

import importlib
import os
import subprocess
import sys
import textwrap

import pytest

import utan

USE = """
import sys
sys.path[:] = {search_path!r}
import datetime, utan
db = utan.open({path!r})
db["from"] = {name!r}
db["when"] = datetime.datetime(2024, 1, 1)
db["coded"] = datetime.date(2024, 2, 29)
assert db["when"].year == 2024 and db["coded"] == datetime.date(2024, 2, 29)
assert db.check(progress=lambda done, total: None)["problems"] == []
kept = db["list"]
kept.append({name!r})
{end}
"""


def run_legacy(code):
    """An interpreter that shares the lock of the main one."""
    import _testcapi

    assert _testcapi.run_in_subinterp(code) == 0


def own_lock_module():
    """What can run such an interpreter; None: this Python has none."""
    try:
        testing = importlib.import_module("_testinternalcapi" if sys.version_info >= (3, 13) else "_testcapi")
    except ImportError:
        return None
    return testing if hasattr(testing, "run_in_subinterp_with_config") else None


def run_own_lock(code):
    """An interpreter with a lock of its own (Python 3.12 or newer)."""
    testing = own_lock_module()
    options = {"use_main_obmalloc": False, "allow_fork": False, "allow_exec": False, "allow_threads": True,
               "allow_daemon_threads": False, "check_multi_interp_extensions": True}
    if sys.version_info >= (3, 13):
        import types

        code_result = testing.run_in_subinterp_with_config(code, types.SimpleNamespace(**options, gil="own"))
    else:
        code_result = testing.run_in_subinterp_with_config(code, **options, gil=2)  # PyInterpreterConfig_OWN_GIL
    assert code_result == 0


def use(run, end, path):
    with utan.open(path) as db:
        db["list"] = []
        for name in ("first", "second"):
            run(textwrap.dedent(USE).format(search_path=sys.path, path=path, name=name, end=end))
            assert db["from"] == name
        # What was loaded in an interpreter that is gone is not used here.
        importlib.import_module("datetime")
        assert db["when"].year == 2024 and db["coded"].day == 29 and db["list"] == ["first", "second"]
        assert db.check()["problems"] == []
        assert [process["process_id"] for process in db.processes()] == [os.getpid()]


@pytest.mark.parametrize("run", [run_legacy, run_own_lock])
@pytest.mark.parametrize("end", ["db.close()", ""], ids=["closed", "left open"])
def test_an_interpreter_uses_a_store_and_ends(path, run, end):
    pytest.importorskip("_testcapi")
    if run is run_own_lock and own_lock_module() is None:
        pytest.skip("this Python has no interpreters with a lock of their own")
    done = subprocess.run([sys.executable, __file__, run.__name__, end, path], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    with utan.open(path) as db:
        assert db["from"] == "second" and db["list"] == ["first", "second"]


if __name__ == "__main__":
    use(globals()[sys.argv[1]], *sys.argv[2:])
