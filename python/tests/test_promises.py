"""What docs/PYTHON.md says exactly, sentence by sentence: each test is named by its sentence."""

import copy
import errno
import gc
import multiprocessing
import os
import pickle
import signal
import statistics
import subprocess
import sys
import time
import weakref
from datetime import datetime, timezone

import pytest

import utan

# --- Root, settings


def test_the_store_has_all_mapping_path_and_atomic_methods_of_its_root(db):
    db["a"] = 1
    db.update(b=2, c=[3])
    assert db.root == db == {"a": 1, "b": 2, "c": [3]} and len(db) == 3 and "a" in db and list(db) == ["a", "b", "c"]
    assert db.at("c.0") == 3 and db.incr("a") == 2 and db.pop("b") == 2 and db.first() == ("a", 2)
    db.set_at("d.e", 5)
    assert db.alter("a", str) == "2" and db.replace("a", "2", 9) and db.setdefault("z", 0) == 0
    assert list(db.range("c", "e")) == [("c", [3]), ("d", {"e": 5})]
    assert type(db.root) is utan.Collection and db.root is db.root
    missing = [name for name in dir(utan.Collection) if not hasattr(db, name)]
    assert missing == []


def test_a_value_given_changes_the_stores_and_none_keeps_it(tmp_path):
    def growth(path):
        """What the file mostly grows by at once."""
        with utan.open(path) as db:
            sizes = [os.path.getsize(path)]
            for number in range(200):
                db[len(db)] = b"z" * 100_000
                sizes.append(os.path.getsize(path))
            return statistics.mode(after - before for before, after in zip(sizes, sizes[1:]) if after != before)

    path = tmp_path / "small.utan"
    utan.open(path, chunk_size=1 << 18).close()
    assert growth(path) == 1 << 18
    utan.open(path, chunk_size=4 << 20).close()
    assert growth(path) > 1 << 18


@pytest.mark.parametrize("wrong", [{"durability": "commit"}, {"durability": "interval"}, {"durability": "none"}, {"interval": 1},
                                   {"pickle": True}, {"mode": "a"}, {"mode": "rw"}, {"chunk_size": 1}, {"chunk_size": 0}])
def test_a_mode_that_is_not_built_yet_is_a_value_error(path, wrong):
    with pytest.raises(ValueError):
        utan.open(path, **wrong)
    assert not os.path.exists(path)
    utan.open(path, durability="manual").close()


def test_modes(path):
    for mode in ("w", "r"):
        with pytest.raises(FileNotFoundError) as raised:
            utan.open(path, mode)
        assert raised.value.filename == path
    with utan.open(path) as db:
        db["x"] = 1
        with pytest.raises(utan.Error):
            utan.open(path, "n")
    with utan.open(path, "r") as db:
        assert db["x"] == 1 and db.read_only
        for write in (lambda: db.__setitem__("x", 2), lambda: db.clear(), lambda: utan.List(db), lambda: db.list("new")):
            with pytest.raises(utan.ReadOnlyError):
                write()
    with utan.open(path, "w") as db:
        assert db["x"] == 1
    with utan.open(path, "n") as db:
        assert len(db) == 0


def test_paths_are_strings_or_path_like(tmp_path):
    with utan.open(tmp_path / "ä.utan") as db:
        assert db.path == str(tmp_path / "ä.utan")
    with utan.open(os.fsencode(tmp_path / "b.utan")):
        pass
    for wrong in (5, None):
        with pytest.raises(TypeError):
            utan.open(wrong)
    with pytest.raises(ValueError):
        utan.open("a\0b")


def test_a_store_in_memory_is_private_and_gone_at_close():
    with utan.open(":memory:") as a, utan.open(":memory:") as b:
        a["x"] = 1
        assert "x" not in b
        folder = os.path.dirname(a.path)
        assert os.listdir(folder)
        with pytest.raises(TypeError):
            pickle.dumps(a.list("l"))
    assert not os.path.exists(folder)
    with pytest.raises(ValueError):
        utan.open(":memory:", "r")


# --- Close


def test_closing_writes_nothing_if_nothing_changed(path):
    with utan.open(path) as db:
        db["x"] = 1
    before = os.stat(path).st_mtime_ns
    with open(path, "rb") as file:
        content = file.read()
    with utan.open(path) as db:
        assert db["x"] == 1
    with open(path, "rb") as file:
        assert file.read() == content
    assert os.stat(path).st_mtime_ns == before


def test_the_last_to_close_makes_a_checkpoint(path):
    with utan.open(path) as db:
        db["x"] = 1
    os.unlink(path + "-lock")  # as a power cut: what is in the file alone counts
    with utan.open(path) as db:
        assert db["x"] == 1


def test_everything_of_a_closed_store_raises_closed_error(path):
    db = utan.open(path)
    items, entries, iterator, view, snapshot = db.list("l"), db.dict("d"), iter(db), db.keys(), db.snapshot()
    inner = snapshot["l"]
    db.close()
    assert db.closed and snapshot.closed
    db.close()
    for use in (lambda: db["l"], lambda: len(db), lambda: items.append(1), lambda: entries == {}, lambda: next(iterator),
                lambda: list(view), lambda: snapshot["l"], lambda: len(inner), lambda: db.sync(), lambda: db.root,
                lambda: db.stats(), lambda: db.check(), lambda: db.snapshot(), lambda: items.sort(), lambda: items.native(),
                lambda: db.__enter__(), lambda: items[0:1], lambda: db | {}, lambda: pickle.dumps(items), lambda: utan.List(db)):
        with pytest.raises(utan.ClosedError):
            use()
    assert issubclass(utan.ClosedError, ValueError)
    assert "closed" in repr(items) and "closed" in repr(db) and "closed" in repr(view)


def test_stores_still_open_are_closed_at_interpreter_exit(path):
    script = f"import utan; db = utan.open({path!r}); db['x'] = [1]; keep = db['x']; it = iter(db)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    os.unlink(path + "-lock")  # only a checkpoint can have it
    with utan.open(path) as db:
        assert db["x"] == [1]


def test_the_same_file_opened_twice_is_one_attachment_that_ends_with_its_last_handle(path):
    first = utan.open(path)
    second = utan.open(path)
    first["x"] = []
    live = second["x"]
    assert live is first["x"] and first is not second and first.stats()["process_count"] == 1
    first.close()
    live.append(1)
    assert second["x"] == [1]
    with pytest.raises(utan.ClosedError):
        first["x"]
    second.close()
    with pytest.raises(utan.ClosedError):
        live.append(2)


# --- Missing


def test_subscript_pop_and_del_raise_key_error_get_and_at_give_the_default(mapping):
    for operation in (lambda: mapping["k"], lambda: mapping.pop("k"), lambda: mapping.__delitem__("k")):
        with pytest.raises(KeyError):
            operation()
    assert mapping.get("k", 1) == 1 and mapping.at("k", 1) == 1


def test_first_and_last_of_an_empty_one_are_a_key_error(ordered):
    for operation in (ordered.first, ordered.last):
        with pytest.raises(KeyError):
            operation()


def test_set_at_makes_missing_dicts_and_never_extends_a_list(db):
    db.set_at("a.b.c", [1])
    assert type(db["a"]) is utan.Dict and db == {"a": {"b": {"c": [1]}}}
    with pytest.raises(IndexError):
        db.set_at("a.b.c.1", 2)
    assert db.at("a.b.c") == [1]


def test_a_path_part_of_digits_is_an_index_in_a_list_and_a_string_key_elsewhere(db):
    db["x"] = {"0": "key", "l": ["element"]}
    assert db.at("x.0") == "key" and db.at("x.l.0") == "element" and db.at(["x", 0]) is None


# --- Results


def test_primitives_come_as_values_containers_as_live_proxies_unlinked_after_a_pop(db):
    db["x"] = [1]
    live = db.pop("x")
    live.append(2)
    assert live == [1, 2] and "x" not in db
    db["y"] = live
    assert db["y"] is live


def test_popitem_takes_the_last_key(ordered):
    ordered.update(a=1, b=2)
    assert ordered.popitem() == ("b", 2)


def test_incr_starts_from_0_and_returns_the_new_number(mapping):
    assert mapping.incr("n", 5) == 5


def test_replace_compares_with_equality_containers_by_identity_and_a_missing_key_is_false(mapping):
    mapping.update(a=1, b=[])
    assert mapping.replace("a", 1.0, 2) and not mapping.replace("b", [], 1) and not mapping.replace("c", None, 1)
    assert mapping.replace("b", mapping["b"], 1)


def test_alter_returns_the_new_value(mapping):
    assert mapping.alter("a", lambda old: old + [1], default=[]) == [1]


# --- One call, one commit


@pytest.mark.parametrize("change", ["update", "extend", "slice", "sort", "clear", "nested", "steps", "delete", "ior", "reverse"])
def test_one_call_one_commit(db, change):
    items, entries = db.list("l"), db.dict("d")
    items.extend([5, 3, 4, 1])
    entries.update(a=1)
    before = db.stats()["commit_number"]
    {
        "update": lambda: entries.update({i: [i] for i in range(50)}),
        "extend": lambda: items.extend([[i] for i in range(50)]),
        "slice": lambda: items.__setitem__(slice(1, 3), [[1], [2], [3]]),
        "steps": lambda: items.__setitem__(slice(None, None, 2), [[1], [2]]),
        "delete": lambda: items.__delitem__(slice(None, None, 2)),
        "sort": items.sort,
        "reverse": items.reverse,
        "clear": items.clear,
        "nested": lambda: db.__setitem__("n", {"a": {"b": [{"c": []}]}}),
        "ior": lambda: entries.__ior__({"z": {}}),
    }[change]()
    # Nothing was replaced that needs commits of its own to go.
    assert db.stats()["commit_number"] - before == 1 or change in ("clear", "slice", "steps", "delete")
    assert db.stats()["commit_number"] - before <= 3


def test_assigning_a_container_to_where_it_already_is_does_nothing(db):
    db["x"] = [1]
    before = db.stats()["commit_number"]
    db["x"] = db["x"]
    db["x"] += [2]  # extends it and assigns it to where it is
    assert db["x"] == [1, 2] and db.stats()["commit_number"] == before + 1


# --- Equality, identity


def test_equality_is_of_one_commit_for_both_sides(db):
    db["shared"] = {str(number): 0 for number in range(20)}
    db["a"], db["b"] = [db["shared"]] * 20, [db["shared"]] * 20
    a, b = db["a"], db["b"]
    writer = os.fork()
    if writer == 0:
        while True:
            db["shared"].incr("7")
    try:
        while db["shared"]["7"] == 0:
            pass
        before = db["shared"]["7"]
        for _ in range(300):
            # Read from different commits the two sides would differ, and one side even in itself.
            assert a == b
            assert len({entries["7"] for entries in a.native()}) == 1
        assert db["shared"]["7"] > before
    finally:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)


def test_what_is_shared_many_times_over_is_compared_once_and_has_no_json(db):
    for name in "ab":  # 2 ** 40 lists, if each place counted
        tower = []
        for _ in range(40):
            tower = [tower, tower]
        db[name] = tower
    assert db["a"] == db["b"]
    copy = db["a"].native()
    assert copy[0] is copy[1]
    with pytest.raises(ValueError, match="named in several places"):
        db["a"].to_json()
    last = db["b"]
    while last:
        last = last[1]
    last.append(1)
    assert db["a"] != db["b"]


def test_order_is_ignored_for_mappings_and_a_list_equals_a_list_never_a_tuple(db):
    db["x"] = {"b": 1, "a": [2]}
    assert db["x"] == {"a": [2], "b": 1} and db["x"]["a"] == [2] and db["x"]["a"] != (2,)


def test_the_same_container_is_the_same_python_object_while_one_is_alive(db):
    db["x"] = {"l": [1]}
    assert db["x"] is db["x"] and db["x"]["l"] is db.at("x.l") is list(db["x"].values())[0] is db["x"].pop("l")
    gone = weakref.ref(db["x"])
    gc.collect()
    assert gone() is None
    db["y"] = db["x"]
    assert db["x"] is db["y"]


# --- Assigning


def test_assigning_a_proxy_of_the_same_store_links_to_it_and_of_another_store_copies(db):
    db["a"] = {"l": [1]}
    db["b"] = {"inner": [db["a"]], "again": db["a"]}
    db["b"]["inner"][0]["l"].append(2)
    assert db["a"] == {"l": [1, 2]} and db["b"]["again"] is db["a"]
    with utan.open(":memory:") as other:
        db["a"]["self"] = db["a"]
        other["copy"] = db["a"]
        other["copies"] = [db["a"], db["a"]]
        other["copy"]["l"].append(3)
        assert other["copy"]["self"] is other["copy"] and db["a"]["l"] == [1, 2] and other["copy"]["l"] == [1, 2, 3]
        assert other["copies"][0] is other["copies"][1] and other["copies"][0] is not other["copy"]


def test_what_belongs_to_a_snapshot_is_copied_as_it_was(db):
    db["a"] = [1]
    with db.snapshot() as then:
        db["a"].append(2)
        db["restored"] = then["a"]
    assert db["restored"] == [1] and db["a"] == [1, 2]


def test_types_of_containers_are_kept_by_a_copy(db):
    with utan.open(":memory:") as other:
        db["t"] = utan.Table(db, {"c": utan.Collection(db, {1: 2})})
        other["t"] = db["t"]
        assert type(other["t"]) is utan.Table and type(other["t"]["c"]) is utan.Collection and other["t"] == db["t"]


# --- Iteration


def test_iteration_sees_one_commit_and_pins_it_until_exhausted_closed_or_dropped(mapping, db):
    mapping.update({i: i for i in range(100)})
    pins = db.stats()["pin_count"]
    for end in ("exhausted", "closed", "dropped"):
        iterator = mapping.range() if hasattr(mapping, "range") else iter(mapping.items())
        first = next(iterator)
        mapping["other"] = 1
        assert db.stats()["pin_count"] == pins + 1
        if end == "exhausted":
            assert len([first, *iterator]) == 100
        elif end == "closed":
            iterator.close()
        else:
            del iterator
        assert db.stats()["pin_count"] == pins
        del mapping["other"]


# --- Unlinked containers


def test_unlinked_containers_live_while_a_proxy_holds_them(db):
    alone = utan.List(db, [[1], [2]])
    for number in range(200):
        db["x"] = number
    alone.append(3)
    assert alone == [[1], [2], 3]


def test_using_a_container_that_is_gone_is_a_reference_error(db):
    db["x"] = [1]
    pickled = pickle.dumps(db["x"])
    assert pickle.loads(pickled) is db["x"]
    del db["x"]
    gone = pickle.loads(pickled)
    assert type(gone) is utan.List
    again = pickle.loads(pickled)
    for use in (lambda: gone[0], lambda: len(gone), lambda: gone.append(1), lambda: list(gone),
                lambda: gone.native(), lambda: pickle.dumps(gone), lambda: db.update(y=gone), lambda: db.update(y=[gone]),
                lambda: gone == again, lambda: gone[0:1]):
        with pytest.raises(ReferenceError) as raised:
            use()
        assert str(raised.value) == f"{db.path}: the container was gone when it was unpickled"
    assert repr(gone) == f"<utan.List: {db.path}: the container was gone when it was unpickled>"
    assert db.native() == {}


class Late:
    """What is unpickled as the container that these bytes are of."""

    def __init__(self, pickled):
        self.pickled = pickled

    def __reduce__(self):
        return pickle.loads, (self.pickled,)


def leave_and_return(path):
    with utan.open(path) as db:
        pickled = pickle.dumps(db["x"])
        del db["x"]
    return Late(pickled)


def test_a_pool_whose_worker_returns_what_is_gone_goes_on(db, path):
    db["x"] = {"a": 1}
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        gone = pool.apply_async(leave_and_return, (path,)).get(timeout=60)
        with pytest.raises(ReferenceError):
            gone["a"]
        assert pool.apply_async(len, ("abc",)).get(timeout=60) == 3


# --- Snapshots


def test_snapshots_are_read_only_stores_and_proxies_got_from_one_belong_to_it(db):
    db["x"] = {"l": [1]}
    live = db["x"]
    with db.snapshot() as then:
        live["l"].append(2)
        db["new"] = 1
        assert then["x"] == {"l": [1]} and "new" not in then and then["x"] is not live and then["x"] is then["x"]
        assert isinstance(then, utan.Store) and then.read_only and db["x"] == {"l": [1, 2]}
        assert then["x"] != live and then.native() == {"x": {"l": [1]}} and then.check()["problems"] == []
        with then.snapshot() as again:
            assert again["x"] == {"l": [1]}
        for write in (lambda: then["x"]["l"].append(1), lambda: then.clear(), lambda: then["x"]["l"].sort(),
                      lambda: utan.Dict(then), lambda: then.sync(), lambda: then["x"].update(a=1), lambda: then.pop("x")):
            with pytest.raises(utan.ReadOnlyError):
                write()
        kept = then["x"]
    with pytest.raises(utan.ClosedError):
        kept["l"]
    assert live == {"l": [1, 2]}


def test_any_thread_may_use_a_snapshot(db):
    from concurrent.futures import ThreadPoolExecutor

    db["x"] = list(range(100))
    with db.snapshot() as then, ThreadPoolExecutor(4) as pool:
        db["x"].clear()
        assert list(pool.map(lambda _: then["x"].native(), range(20))) == [list(range(100))] * 20


# --- repr


def test_repr_is_cut_after_a_thousand_items_and_never_raises(db):
    db["x"] = {i: [i] for i in range(2000)}
    assert repr(db["x"]).endswith(", ...}") and len(repr(db["x"])) < 20_000
    deep = []
    for _ in range(500):
        deep = [deep]
    db["deep"] = deep
    assert "[...]" in repr(db["deep"])


# --- Durability and care


def test_sync_makes_everything_durable_and_writes_nothing_if_nothing_changed(path):
    with utan.open(path) as db:
        db["x"] = 1
        db.sync()
        stats = db.stats()
        assert stats["durable_number"] == stats["commit_number"]
        db.sync()
        assert db.stats()["durable_number"] == stats["durable_number"]


def test_stats_and_check(db):
    db["x"] = {i: [i] for i in range(100)}
    stats, report = db.stats(), db.check()
    assert stats["process_count"] == 1 and stats["used_size"] > 0 and stats["file_size"] == os.path.getsize(db.path)
    assert report["problems"] == [] and report["list_count"] == 100 and report["entry_count"] == 101
    assert all(isinstance(number, int) for number in stats.values())


def test_processes_are_those_that_have_the_store_open(db, path):
    script = f"import utan; db = utan.open({path!r}, 'r'); it = iter(db); print('ready', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        processes = {process["process_id"]: process for process in db.processes()}
        assert set(processes) == {os.getpid(), other.pid}
        assert processes[os.getpid()]["is_caller"] is True and processes[other.pid]["read_only"] is True
        assert processes[other.pid]["pin_count"] == 1
        other.communicate(b"\n")
    assert [process["is_caller"] for process in db.processes()] == [True]


def test_progress_is_called_and_what_it_raises_is_raised(path):
    with utan.open(path) as db:
        db.table("t").update({i: bytes(100) for i in range(200_000)})
        calls = []
        assert db.check(progress=lambda done, total: calls.append((done, total)))["problems"] == []
        assert calls == sorted(calls, key=lambda call: call[0]) and all(total is None for _, total in calls)
        if calls:
            with pytest.raises(ZeroDivisionError):
                db.check(lambda done, total: 1 / 0)
            with pytest.raises(RuntimeError):
                db.check(lambda done, total: db.close())
        assert not db.closed and len(db["t"]) == 200_000
        assert calls, "a store of this size tells how far the check is"


def test_errors_have_one_base_and_are_what_they_are():
    for name, also in {"TimeoutError": TimeoutError, "NoSpaceError": OSError, "ClosedError": ValueError}.items():
        assert issubclass(getattr(utan, name), utan.Error) and issubclass(getattr(utan, name), also)
    for name in ("CorruptionError", "FormatError", "VersionError", "ReadOnlyError", "DuplicateKeyError"):
        assert issubclass(getattr(utan, name), utan.Error)


def test_what_is_no_store_is_a_format_error(path):
    with open(path, "wb") as file:
        file.write(b"no store" * 10_000)
    with pytest.raises(utan.FormatError):
        utan.open(path)
    with pytest.raises(ValueError, match="directory"):
        utan.open("/")


def test_import_is_quick_and_loads_nothing_that_is_not_needed():
    script = (
        "import sys, time; before = set(sys.modules); start = time.process_time(); import utan; "
        "took = time.process_time() - start; "
        "print(took, sorted(set(sys.modules) - before))"
    )
    times = []
    for _ in range(5):
        out = subprocess.run([sys.executable, "-c", script], check=True, timeout=60, capture_output=True, text=True).stdout
        took, modules = out.split(" ", 1)
        times.append(float(took))
        assert all(name not in modules for name in ("uuid", "datetime", "json", "decimal", "enum", "tempfile"))
    print(f"import utan: {min(times) * 1000:.2f} ms at best of {len(times)}")
    assert min(times) < 0.010


def test_a_name_that_has_another_kind_is_a_type_error(db):
    db.list("l")
    db["v"] = 1
    for use in (lambda: db.dict("l"), lambda: db.collection("l"), lambda: db.table("v"), lambda: db.list(5)):
        with pytest.raises(TypeError):
            use()
    with pytest.raises(ValueError):
        db.collection("c", multi=True)
    with db.snapshot() as then:
        with pytest.raises(KeyError):
            then.dict("missing")


def test_copy_and_deepcopy_are_plain_all_the_way_down(db):
    db["x"] = {"l": [{}]}
    for plain in (copy.copy(db["x"]), copy.deepcopy(db["x"]), db["x"].copy(), db["x"].native(), db.native()["x"]):
        assert type(plain) is dict and type(plain["l"]) is list and type(plain["l"][0]) is dict


def test_datetimes_keep_their_microseconds(db):
    db["x"] = [datetime(2024, 1, 1, 0, 0, 0, 1), datetime(2024, 1, 1, 0, 0, 0, 999999, timezone.utc)]
    assert db["x"][0].microsecond == 1 and db["x"][1].microsecond == 999999


def test_opening_an_existing_store_writes_nothing(path):
    with utan.open(path) as db:
        db["x"] = list(range(1000))
    before = os.stat(path)
    db = utan.open(path)
    assert db["x"][999] == 999
    after = os.stat(path)
    db.close()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)


# --- Paths


def test_a_path_may_have_any_bytes(tmp_path):
    folder = os.fsencode(tmp_path)
    with pytest.raises(FileNotFoundError) as raised:
        utan.open(folder + b"/\xff\xfe.utan", "w")
    assert raised.value.filename == os.fsdecode(folder + b"/\xff\xfe.utan") and raised.value.errno == errno.ENOENT
    with open(folder + b"/bad\xff", "wb") as file:
        file.write(b"no store" * 10_000)
    with pytest.raises(utan.FormatError, match="bad"):
        utan.open(folder + b"/bad\xff")
    with utan.open(folder + b"/good\xff.utan") as db:
        assert os.fsencode(db.path) == folder + b"/good\xff.utan" and repr(db)
        db["l"] = [1]
        assert pickle.loads(pickle.dumps(db["l"])) is db["l"]
        with pytest.raises(TypeError):
            db.dict("l")
