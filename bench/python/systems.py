"""What is measured: in each section the systems, with the file of the adapter and the class in it.

A child imports the adapter that it measures and no other, so that a peer that is not installed is an error of that peer
alone, and no import of one costs another anything.
"""

import importlib
from dataclasses import dataclass


@dataclass(frozen=True)
class System:
    name: str
    file: str
    class_name: str

    def load(self):
        module = importlib.import_module(self.file.removesuffix(".py").replace("/", "."))
        return getattr(module, self.class_name)()


# By section; the control is first, then what is in memory, then stores.
SYSTEMS = {
    "mappings": (
        System("control", "adapters/control.py", "Mapping"),
        System("dict", "adapters/memory.py", "Mapping"),
        System("utan Table", "adapters/utan.py", "Table"),
        System("utan Collection", "adapters/utan.py", "Collection"),
        System("utan Dict", "adapters/utan.py", "Dict"),
        System("lmdb", "adapters/lmdb.py", "Mapping"),
        System("lmdb, one transaction", "adapters/lmdb.py", "OneTransaction"),
        System("viperdb", "adapters/viperdb.py", "Mapping"),
        System("shelve", "adapters/shelve.py", "Mapping"),
        System("sqlite3", "adapters/sqlite.py", "Mapping"),
        System("diskcache", "adapters/diskcache.py", "Mapping"),
        System("ZODB", "adapters/zodb.py", "Mapping"),
        System("Manager", "adapters/manager.py", "Mapping"),
        System("redis", "adapters/redis.py", "Mapping"),
    ),
    "lists": (
        System("control", "adapters/control.py", "List"),
        System("list", "adapters/memory.py", "List"),
        System("utan List", "adapters/utan.py", "List"),
        System("ZODB", "adapters/zodb.py", "List"),
        System("Manager", "adapters/manager.py", "List"),
        System("redis", "adapters/redis.py", "List"),
    ),
    "nested": (
        System("control", "adapters/control.py", "Nested"),
        System("dict", "adapters/memory.py", "Nested"),
        System("utan", "adapters/utan.py", "Nested"),
        System("ZODB", "adapters/zodb.py", "Nested"),
        System("ZODB, ZEO", "adapters/zodb.py", "NestedShared"),
    ),
    "opening": (
        System("utan", "adapters/utan.py", "Opening"),
        System("lmdb", "adapters/lmdb.py", "Opening"),
        System("sqlite3", "adapters/sqlite.py", "Opening"),
    ),
    "crowd": (
        System("utan", "adapters/utan.py", "Opening"),
        System("lmdb", "adapters/lmdb.py", "Opening"),
        System("sqlite3", "adapters/sqlite.py", "Opening"),
        System("diskcache", "adapters/diskcache.py", "Opening"),
    ),
}

# What `import` takes in a new process.
IMPORTED = ("utan", "lmdb", "viperdb", "shelve", "sqlite3", "diskcache", "ZODB", "multiprocessing.managers", "redis")


def find(section, name):
    return next(system for system in SYSTEMS[section] if system.name == name)
