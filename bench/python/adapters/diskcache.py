"""diskcache.Cache: a cache in SQLite, for several processes."""

import diskcache


class Mapping:
    settings = "Cache, nothing evicted or culled, sqlite_synchronous 0 (never synced), no statistics, one commit per set"
    key_type = str
    put = "store[key] = value"
    get = "value = store[key]"

    def open(self, place):
        self.store = diskcache.Cache(f"{place.folder}/bench.diskcache", eviction_policy="none", size_limit=1 << 40,
                                     cull_limit=0, sqlite_synchronous=0, statistics=0)

    def close(self):
        self.store.close()

    def version(self):
        return diskcache.__version__

    def load(self, records):
        with self.store.transact():
            for key, value in records:
                self.store[key] = value

    def names(self, is_writing):
        return {"store": self.store}

    def items(self):
        store = self.store
        return ((key, store[key]) for key in store)


class Opening(Mapping):
    settings = f"{Mapping.settings}; open, get"

    def read(self, path, key):
        self.store = diskcache.Cache(path, eviction_policy="none", size_limit=1 << 40, cull_limit=0, sqlite_synchronous=0,
                                     statistics=0)
        return self.store[key]

    def fill(self, path, records):
        with diskcache.Cache(path, eviction_policy="none", size_limit=1 << 40, cull_limit=0, sqlite_synchronous=0,
                             statistics=0) as self.store:
            self.load(records)
