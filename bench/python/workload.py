"""What is stored: keys, values, documents and orders, computed from a seed.

Every key that a loop gets is an object of its own, made for that loop: it is not interned, and its hash is not cached.
"""

import random

KEY_SIZE = 16
VALUE_SIZE = 100
LIST_VALUE_MAX = 1 << 40
NAME_SIZES = (4, 20)


BLOCK_SIZE = 1000  # records whose bytes are made together, so that one record can be had without all


class Workload:
    """`count` records. Keys are numbered from 0; a value belongs to a number and a version."""

    def __init__(self, seed, count):
        self.seed = seed
        self.count = count
        self._blocks = {}

    def _chance(self, purpose):
        return random.Random(f"{self.seed} {purpose}")

    def _bytes(self, purpose, numbers, size):
        """Of each number `size` bytes that are its own."""
        blocks = self._blocks.setdefault(purpose, {})
        out = []
        for number in numbers:
            block, at = divmod(number, BLOCK_SIZE)
            if block not in blocks:
                blocks[block] = self._chance(f"{purpose} {block}").randbytes(BLOCK_SIZE * size)
            out.append(blocks[block][at * size:(at + 1) * size])
        return out

    def keys(self, numbers, key_type=str):
        """Fresh strings of 16 hexadecimal digits, or bytes for a system that would have to convert them."""
        digits = [half.hex() for half in self._bytes("keys", numbers, KEY_SIZE // 2)]
        return digits if key_type is str else [text.encode() for text in digits]

    def key(self, number):
        return self.keys([number])[0]

    def values(self, numbers, version=0):
        """Fresh bytes objects."""
        return self._bytes(f"values {version}", numbers, VALUE_SIZE)

    def value(self, number, version=0):
        return self.values([number], version)[0]

    def order(self, purpose):
        """All numbers in a random order, another one for every purpose."""
        return self._chance(f"order {purpose}").sample(range(self.count), self.count)

    def integers(self):
        """What a list holds: integers of up to 40 bits."""
        chance = self._chance("integers")
        return [chance.randrange(LIST_VALUE_MAX) for _ in range(self.count)]

    def name(self, number, version=0):
        """A fresh string of 4 to 20 letters, that a document has under "name"."""
        chance = self._chance(f"name {number} {version}")
        return "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(*NAME_SIZES)))

    def document(self, number):
        name = self.name(number)
        return {"name": name, "age": number % 90, "mails": [f"{name}@example.org", f"{name}@example.net"]}
