"""No store: what the loops themselves cost. Subtracted from the others."""

import itertools

SAMPLE_KEY, SAMPLE = "0123456789abcdef", bytes(100)


class Mapping:
    settings = "no store: the loop alone; subtracted from the others"
    key_type = str
    is_control = True
    put = "pass"
    get = "value = sample"

    def open(self, place):
        self._count = 100_000

    def close(self):
        pass

    def version(self):
        return ""

    def names(self, is_writing):
        return {"sample": SAMPLE}

    def items(self):
        return itertools.repeat((SAMPLE_KEY, SAMPLE), self._count)


class List(Mapping):
    append = Mapping.put
    index = Mapping.get

    def items(self):
        return itertools.repeat(1, self._count)


class Nested(Mapping):
    is_shared = True
    get_after_commit = Mapping.get

    def load(self, documents):
        pass

    def attach(self, place):
        pass

    def change(self, key, name):
        pass
