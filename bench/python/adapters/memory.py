"""Python's own dict and list, in the memory of one process."""

import platform


class Mapping:
    settings = "a dict, not filled beforehand"
    key_type = str
    put = "store[key] = value"
    get = "value = store[key]"

    def open(self, place):
        self.store = {}

    def close(self):
        pass

    def version(self):
        return platform.python_version()

    def load(self, records):
        self.store.update(records)

    def names(self, is_writing):
        return {"store": self.store}

    def items(self):
        return self.store.items()


class List(Mapping):
    settings = "a list"
    append = "store.append(value)"
    index = "value = store[key]"

    def open(self, place):
        self.store = []

    def load(self, values):
        self.store.extend(values)

    def items(self):
        return self.store


class Nested(Mapping):
    settings = "dicts in a dict in a dict"
    is_shared = False
    get = 'value = store["users"][key]["name"]'
    put = 'store["users"][key]["name"] = value'

    def load(self, documents):
        self.store["users"] = dict(documents)
