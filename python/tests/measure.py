"""Measures the package beside plain Python objects: nanoseconds an operation, the best of some runs. Prints a table.

    build/python-venv-cpython-311/bin/python python/tests/measure.py [COUNT]

It says how much of a read or a write is the way through Python: bench/ measures the engine. Run it on a quiet machine.
"""

import random
import sys
import tempfile
import time

import utan

RUNS = 3


def per_operation(work, count, runs=RUNS):
    best = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best / count * 1e9


def report(name, **figures):
    print(f"{name:12}" + "".join(f"  {what} {figure:8.0f} ns" for what, figure in figures.items()))


def measure_mapping(name, mapping, keys, values):
    def put():
        for key, value in zip(keys, values):
            mapping[key] = value

    def get():
        for key in keys:
            mapping[key]

    def contains():
        for key in keys:
            key in mapping

    def items():
        for _ in mapping.items():
            pass

    count = len(keys)
    report(name, insert=per_operation(put, count, 1), overwrite=per_operation(put, count), get=per_operation(get, count),
           contains=per_operation(contains, count), items=per_operation(items, count))


def measure_list(name, items, indexes):
    def get():
        for index in indexes:
            items[index]

    def append():
        for index in indexes:
            items.append(index)

    def iterate():
        for _ in items:
            pass

    count = len(indexes)
    report(name, index=per_operation(get, count), append=per_operation(append, count, 1),
           iterate=per_operation(iterate, len(items)))


def measure_documents(name, documents, keys):
    def field():
        for key in keys:
            documents[key]["age"]

    def element():
        for key in keys:
            documents[key]["tags"][0]

    def put():
        for key in keys:
            documents[key]["age"] = 5

    def held():
        document = documents[keys[0]]
        for _ in keys:
            document["age"]

    def overwrite():
        for key in keys:
            documents[key] = {"name": "new", "age": 1, "tags": ["a", "b"]}

    count = len(keys)
    report(name, field=per_operation(field, count), element=per_operation(element, count), held=per_operation(held, count),
           put=per_operation(put, count), overwrite=per_operation(overwrite, count, 1))


def measure_whole(db, documents):
    count = len(documents)
    start = time.perf_counter()
    db["documents"] = utan.Collection(db, documents)
    stored = time.perf_counter()
    plain = db["documents"].native()
    read = time.perf_counter()
    same = db["documents"] == plain
    compared = time.perf_counter()
    assert same
    report("a document", store=(stored - start) / count * 1e9, native=(read - stored) / count * 1e9,
           compare=(compared - read) / count * 1e9)


def main(count):
    chance = random.Random(1)
    keys = [f"key{number:08d}" for number in range(count)]
    chance.shuffle(keys)
    values = [f"value {number} " * 5 for number in range(count)]
    indexes = list(range(count))
    chance.shuffle(indexes)
    documents = {key: {"name": key, "age": number, "tags": ["a", "b"]} for number, key in enumerate(sorted(keys))}
    print(f"{count} records, Python {sys.version.split()[0]}, utan {utan.__version__}")
    with tempfile.TemporaryDirectory() as folder, utan.open(f"{folder}/measure.utan") as db:
        measure_mapping("dict", {}, keys, values)
        measure_mapping("Dict", db.dict("dict"), keys, values)
        measure_mapping("Table", db.table("table"), keys, values)
        measure_mapping("Collection", db.collection("collection"), keys, values)
        measure_list("list", list(range(count)), indexes)
        db["list"] = range(count)
        measure_list("List", db["list"], indexes)
        measure_whole(db, documents)
        measure_documents("dict", documents, keys)
        measure_documents("Collection", db["documents"], keys)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
