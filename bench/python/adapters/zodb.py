"""ZODB with BTrees: alone over a file, and shared by way of a ZEO server, which is how several processes use it."""

import importlib.metadata
import os
import subprocess
import sys

import transaction
import ZEO
import ZODB
import ZODB.FileStorage.FileStorage
from BTrees.IOBTree import IOBTree
from BTrees.OOBTree import OOBTree
from persistent.list import PersistentList
from persistent.mapping import PersistentMapping

CACHE_SIZE = 1_000_000  # objects: all that was read stays in the connection's memory
ALONE = "FileStorage without its fsync, all objects cached; one transaction per set, one for all gets"
SERVER_READY_S = 30


def without_fsync():
    """Nothing else is synced in this benchmark. The module itself does this where a system has no fsync."""
    sys.modules["ZODB.FileStorage.FileStorage"].fsync = None  # the attribute of that name is the class


class Mapping:
    settings = f"OOBTree; {ALONE}"
    key_type = str
    put = "store[key] = value\ncommit()"
    get = "value = store[key]"
    make = OOBTree

    def open(self, place):
        without_fsync()
        self._connect(ZODB.DB(f"{place.folder}/bench.zodb", cache_size=CACHE_SIZE))

    def _connect(self, database):
        self.database = database
        self.connection = database.open()
        root = self.connection.root()
        if "store" not in root:
            root["store"] = self.make()
            transaction.commit()
        self.store = root["store"]

    def close(self):
        transaction.abort()
        self.connection.close()
        self.database.close()

    def version(self):
        return importlib.metadata.version("ZODB")

    def load(self, records):
        self.store.update(records)
        transaction.commit()

    def names(self, is_writing):
        return {"store": self.store, "root": self.connection.root(), "commit": transaction.commit,
                "sync": self.connection.sync}

    def items(self):
        return self.store.items()


class List(Mapping):
    """A PersistentList is written whole by every commit."""

    settings = f"IOBTree keyed by position; {ALONE}"
    append = "store[len(store)] = value\ncommit()"
    append = "store[key] = value\ncommit()"
    index = "value = store[key]"
    make = IOBTree

    def load(self, values):
        super().load(list(enumerate(values, start=len(self.store))))

    def items(self):
        return self.store.values()


class Nested(Mapping):
    settings = f"PersistentMappings in an OOBTree; {ALONE}"
    is_shared = False
    get = 'value = root["store"][key]["name"]'
    put = 'root["store"][key]["name"] = value\ncommit()'

    def load(self, documents):
        super().load([(key, PersistentMapping({**document, "mails": PersistentList(document["mails"])}))
                      for key, document in documents])


class NestedShared(Nested):
    """Clients of a ZEO server. Without server_sync a client may not have heard of a commit yet when
    its new transaction begins, and reads what was before: 3 times in 300, when that was tried."""

    settings = ("the same by way of ZEO: the server, with FileStorage without its fsync, on a Unix socket and the reader's core; "
                "clients with server_sync, so that a new transaction sees what was committed before it began; "
                "connection.sync() opens a new transaction")
    is_shared = True
    get = None  # alone it is measured without a server
    get_after_commit = 'sync()\nvalue = root["store"][key]["name"]'

    def open(self, place):
        code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from adapters import zodb; zodb.serve()"
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self.server = subprocess.Popen([sys.executable, "-c", code, root, "-a", self._socket(place), "-f",
                                        f"{place.folder}/bench.zodb"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.sched_setaffinity(self.server.pid, {place.server_core})
        self.attach(place)

    def _socket(self, place):
        return os.path.relpath(f"{place.folder}/zeo")

    def attach(self, place):
        self._connect(ZEO.DB(self._socket(place), wait_timeout=SERVER_READY_S, server_sync=True, cache_size=CACHE_SIZE))

    def change(self, key, name):
        self.connection.sync()
        self.connection.root()["store"][key]["name"] = name
        transaction.commit()

    def close(self):
        super().close()
        if hasattr(self, "server"):
            self.server.terminate()
            self.server.wait()

    def version(self):
        return f"{super().version()}, ZEO {importlib.metadata.version('ZEO')}"


def serve():
    """The server's whole program."""
    import ZEO.runzeo

    without_fsync()
    ZEO.runzeo.main()
