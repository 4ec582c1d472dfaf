"""ViperDB, a log-structured store in pure Python, for the threads of one process."""

import importlib.metadata

import viperdb


class Mapping:
    settings = "a folder, all keys in memory; values are bytes, which it stores as they are"
    key_type = str
    put = "store[key] = value"
    get = "value = store[key]"

    def open(self, place):
        self.store = viperdb.ViperDB(f"{place.folder}/bench.viper")

    def close(self):
        self.store.close()

    def version(self):
        return importlib.metadata.version("viperdb")

    def load(self, records):
        for key, value in records:
            self.store[key] = value

    def names(self, is_writing):
        return {"store": self.store}

    def items(self):
        """It has no iteration: its table of keys is gone through, and each value got."""
        store = self.store
        return ((key, store[key]) for key in list(store._table))
