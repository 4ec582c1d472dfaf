"""py-lmdb, in the mode in which LMDB is fastest and a power cut can ruin the file."""

import lmdb

OPTIONS = {"sync": False, "metasync": False, "writemap": True, "readahead": False, "meminit": False, "subdir": False,
           "lock": True}
SETTINGS = "MDB_NOSYNC | NOMETASYNC | WRITEMAP | NORDAHEAD | NOMEMINIT | NOSUBDIR; keys are bytes; one transaction per set"


class Mapping:
    settings = f"{SETTINGS} and per get"
    key_type = bytes
    put = "with begin(write=True) as transaction:\n    transaction.put(key, value)"
    get = "value = begin().get(key)  # it ends when it is dropped, which is faster than a with block"

    def open(self, place):
        self.environment = lmdb.open(f"{place.folder}/bench.lmdb", map_size=4 << 30, **OPTIONS)

    def close(self):
        self.environment.close()

    def version(self):
        return f"{lmdb.__version__}, LMDB {'.'.join(str(part) for part in lmdb.version())}"

    def load(self, records):
        with self.environment.begin(write=True) as transaction, transaction.cursor() as cursor:
            cursor.putmulti(records)

    def names(self, is_writing):
        return {"begin": self.environment.begin}

    def items(self):
        with self.environment.begin() as transaction, transaction.cursor() as cursor:
            yield from cursor


class OneTransaction(Mapping):
    """All gets in one reading transaction, which ends before sets come, so that it holds no pages for them."""

    settings = f"{SETTINGS}, one for all gets"
    get = "value = get(key)"

    def open(self, place):
        super().open(place)
        self._transaction = None

    def names(self, is_writing):
        self._end()
        if is_writing:
            return super().names(is_writing)
        self._transaction = self.environment.begin()
        return {"get": self._transaction.get}

    def _end(self):
        if self._transaction is not None:
            self._transaction.abort()
            self._transaction = None

    def close(self):
        self._end()
        super().close()


class Opening(Mapping):
    settings = f"{SETTINGS}; open, begin a transaction, get"

    def read(self, path, key):
        self.environment = lmdb.open(path, map_size=4 << 30, max_readers=1024, **OPTIONS)
        with self.environment.begin() as transaction:
            return transaction.get(key)

    def fill(self, path, records):
        with lmdb.open(path, map_size=4 << 30, max_readers=1024, **OPTIONS) as self.environment:
            self.load(records)
