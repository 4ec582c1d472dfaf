"""multiprocessing's Manager: a dict or list in a server process, reached through proxies."""

import multiprocessing.managers
import os
import platform


def pin(core):
    os.sched_setaffinity(0, {core})


class Mapping:
    settings = "Manager().dict(); the server process is on the same core"
    key_type = str
    put = "store[key] = value"
    get = "value = store[key]"

    def open(self, place):
        self.manager = multiprocessing.managers.SyncManager()
        self.manager.start(initializer=pin, initargs=(place.server_core,))
        self.store = self._make()

    def _make(self):
        return self.manager.dict()

    def close(self):
        self.manager.shutdown()

    def version(self):
        return platform.python_version()

    def load(self, records):
        self.store.update(records)

    def names(self, is_writing):
        return {"store": self.store}

    def items(self):
        return self.store.items()


class List(Mapping):
    settings = "Manager().list(); the server process is on the same core"
    append = "store.append(value)"
    index = "value = store[key]"

    def _make(self):
        return self.manager.list()

    def load(self, values):
        self.store.extend(values)

    def items(self):
        return self.store[:]
