"""Utan's containers."""

import utan

DURABILITY = ("durability manual, the only one of this version; every set is a commit of its own, which other processes see "
              "at once")


class Table:
    settings = f"Table; {DURABILITY}"
    key_type = str
    put = "store[key] = value"
    get = "value = store[key]"

    def open(self, place):
        self.db = utan.open(f"{place.folder}/bench.utan")
        self.store = self._make()

    def _make(self):
        return self.db.table("records")

    def close(self):
        self.db.close()

    def version(self):
        return utan.__version__

    def load(self, records):
        self.store.update(records)

    def names(self, is_writing):
        return {"store": self.store}

    def items(self):
        return self.store.items()


class Collection(Table):
    settings = f"Collection; {DURABILITY}"

    def _make(self):
        return self.db.collection("records")


class Dict(Table):
    settings = f"Dict; {DURABILITY}"

    def _make(self):
        return self.db.dict("records")


class List(Table):
    settings = f"List; {DURABILITY}"
    append = "store.append(value)"
    index = "value = store[key]"

    def _make(self):
        return self.db.list("values")

    def load(self, values):
        self.store.extend(values)

    def items(self):
        return iter(self.store)


class Nested(Table):
    settings = f"Dicts in a Collection in the store; the other process opens the same file; {DURABILITY}"
    is_shared = True
    get = 'value = db["users"][key]["name"]'
    put = 'db["users"][key]["name"] = value'
    get_after_commit = get

    def _make(self):
        return self.db.collection("users")

    def names(self, is_writing):
        return {"db": self.db}

    def attach(self, place):
        self.open(place)

    def change(self, key, name):
        self.db["users"][key]["name"] = name


class Opening(Table):
    settings = "Table; open, find the Table, read a record"

    def read(self, path, key):
        """Opens and reads one record; what is timed. Leaves the store open."""
        self.db = utan.open(path)
        return self.db["records"][key]

    def fill(self, path, records):
        with utan.open(path) as db:
            db.table("records").update(records)
