"""Several processes share a store: by fork, by spawn, and with proxies passed between them."""

import multiprocessing
import os
import pickle
import subprocess
import sys
import threading

import pytest

import utan


def in_child(function, *arguments):
    """Runs the function in a child made by fork; answers its exit status."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            function(*arguments)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    return status


def count_to(path, key, number):
    with utan.open(path) as db:
        for _ in range(number):
            db.incr(key)
            db["log"].append(os.getpid())


def append_to(proxy, count):
    for _ in range(count):
        proxy.append(os.getpid())
    return len(proxy)


def alter_all(proxy, count):
    for _ in range(count):
        proxy.alter("n", lambda n: n + 1)
        proxy.setdefault("pids", {})[str(os.getpid())] = True


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_processes_lose_nothing_of_what_others_write(db, path, way):
    db["log"] = []
    context = multiprocessing.get_context(way)
    children = [context.Process(target=count_to, args=(path, "n", 200)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
        assert child.exitcode == 0
    assert db["n"] == 600 and len(db["log"]) == 600 and len(set(db["log"])) == 3


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_a_proxy_is_passed_to_another_process(db, way):
    db["log"] = []
    db["d"] = {"n": 0}
    context = multiprocessing.get_context(way)
    with context.Pool(2) as pool:
        lengths = pool.starmap(append_to, [(db["log"], 50)] * 4)
        pool.starmap(alter_all, [(db["d"], 50)] * 4)
    assert max(lengths) == 200 and len(db["log"]) == 200 and db["d"]["n"] == 200
    assert 1 <= len(db["d"]["pids"]) <= 2


def test_a_proxy_pickles_as_path_and_id(db, path):
    db["x"] = {"l": [1]}
    text = pickle.dumps([db["x"], db["x"]["l"], db])
    assert path.encode() in text
    entries, items, store = pickle.loads(text)
    assert entries is db["x"] and items is db["x"]["l"] and store == db and isinstance(store, utan.Store)
    store.close()
    script = f"""
import pickle
entries, items, store = pickle.loads({text!r})
assert entries["l"] is items and store["x"] is entries
items.append(2)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert db["x"]["l"] == [1, 2]
    with db.snapshot() as then, pytest.raises(TypeError):
        pickle.dumps(then["x"])


def test_a_store_opened_by_an_unpickled_proxy_ends_with_it(path):
    with utan.open(path) as db:
        db["x"] = [1]
        text = pickle.dumps(db["x"])
    script = f"""
import pickle, utan
items = pickle.loads({text!r})
items.append(2)
with utan.open({path!r}) as db:
    assert db["x"] is items and db.stats()["process_count"] == 1
try:
    items.append(3)
except utan.ClosedError:
    pass
else:
    raise AssertionError("it ended with its last handle")
items = pickle.loads({text!r})
del items
utan.open({path!r}, "n").close()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_child_of_fork_uses_its_parents_store(db):
    db["x"] = [1]
    live = db["x"]
    iterator = iter(live)

    def child():
        assert live == [1]
        live.append(2)
        db["child"] = os.getpid()
        with pytest.raises(utan.ClosedError):
            next(iterator)
        assert list(live) == [1, 2]
        db.close()

    with db.snapshot() as then:
        assert in_child(child) == 0
        assert then["x"] == [1]
    assert db["x"] == [1, 2] and db["child"] != os.getpid() and next(iterator) == 1


def test_a_child_may_close_although_a_thread_of_its_parent_was_in_a_call(db):
    db.table("t").update({i: bytes(100) for i in range(100_000)})
    stop = threading.Event()

    def work():
        while not stop.is_set():
            db.check()
            db.sync()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(20):
            assert in_child(db.close) == 0
    finally:
        stop.set()
        worker.join()


def test_a_store_in_memory_is_not_removed_by_a_child():
    with utan.open(":memory:") as db:
        db["x"] = 1
        assert in_child(db.close) == 0
        assert os.path.exists(db.path)
        db["y"] = 2
        assert db == {"x": 1, "y": 2}


def test_a_killed_process_leaves_whole_commits(db, path):
    script = f"""
import utan
db = utan.open({path!r})
print("ready", flush=True)
n = 0
while True:
    n += 1
    db.update(a=[n], b=[n], n=n)
"""
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
            child.stdout.readline()
            seen = db.get("n", 0)
            while db.get("n", 0) < seen + 100:
                pass
            child.kill()
        whole = db.native()
        assert whole["a"] == whole["b"] == [whole["n"]]
    assert db.check()["problems"] == []


# --- ":memory:"


def private_folders():
    return {name for name in os.listdir("/dev/shm") if name.startswith("utan-private-")}


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="private stores are elsewhere here")
def test_a_private_store_of_a_killed_process_is_removed_by_the_next():
    utan.open(":memory:").close()
    before = private_folders()
    script = "import utan; db = utan.open(':memory:'); db['x'] = [1]; print('ready', flush=True); input()"
    children = [subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
    for child in children:
        assert child.stdout.readline() == b"ready\n"
    assert len(private_folders() - before) == 3
    children[0].kill()
    children[0].wait()
    with utan.open(":memory:") as db:
        db["x"] = 1
        assert len(private_folders() - before) == 3  # those of the living, and this one
    for child in children[1:]:
        child.communicate(b"\n")
        assert child.returncode == 0
    assert private_folders() <= before
    for child in children:
        child.stdin.close()
        child.stdout.close()


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="private stores are elsewhere here")
def test_a_private_store_stays_as_long_as_a_child_uses_it():
    utan.open(":memory:").close()
    before = private_folders()
    script = """
import os, utan
db = utan.open(":memory:")
db["l"] = [1]
read, write = os.pipe()
if os.fork():
    os.kill(os.getpid(), 9)
os.close(write)
os.read(read, 1)                    # the parent is dead
utan.open(":memory:").close()       # removes what is abandoned
db["l"].append(2)
print(db["l"], db.check()["problems"], flush=True)
db.close()
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert child.communicate(timeout=60)[0] == b"[1, 2] []\n"
    assert private_folders() <= before
