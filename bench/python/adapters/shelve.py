"""The standard library's shelve, for one process."""

import pickle
import platform
import shelve


class Mapping:
    key_type = str
    put = "store[key] = value"
    get = "value = store[key]"

    def open(self, place):
        self.store = shelve.open(f"{place.folder}/bench.shelf", flag="n", protocol=pickle.HIGHEST_PROTOCOL)
        kind = type(self.store.dict).__module__
        self.settings = f"over {kind}, the first that this interpreter has; without writeback, newest pickle protocol"

    def close(self):
        self.store.close()

    def version(self):
        return platform.python_version()

    def load(self, records):
        self.store.update(records)

    def names(self, is_writing):
        return {"store": self.store}

    def items(self):
        return self.store.items()
