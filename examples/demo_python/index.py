"""What the demo keeps in its store, and how a file comes into it.

    work           path -> None (to do), or the state that it is in and whose it is: ("claimed", 2), ("done", 2)
    files          path -> a document: {"id": UUID, "size": ..., "modified": ..., "lines": ..., "imports": [...],
                   "identifiers": {name: how often}}
    by_size        (size, path) -> None
    by_change      (modified, path) -> None
    by_import      (name, path) -> None
    identifiers    name -> (how often in all files, in how many of them)
    by_frequency   (how often, name) -> None
    totals         {"files": ..., "bytes": ..., "lines": ..., "imports": ..., "identifiers": ...}

All but the totals are Collections: mappings in the order of their keys, so that a range of keys answers a question. A path
is bytes, below the folder that is indexed.

Why the index is exact, though a worker may be killed at any instant: each call on a container is one commit, which is there
wholly or not at all. A document with everything in it comes by one call, and stays if it is there already. All that
follows is made from the document in the store, and says what is ("this key is there"), never what changes ("add one"), so
that doing it twice is doing it once. A file is "done" by the last of these calls: if its worker is killed before it,
another worker does the file again.

This is also why the workers do not add their counts to common ones, though `incr` would lose none: nobody could say
whether a worker that is dead had added or not. The sums are made at the end, from all documents.
"""

import os
import uuid
from collections import Counter
from typing import Any

import utan
from files import read_facts

State = tuple[str, int]  # ("claimed" | "done" | "unreadable", the number of the worker)


class Index:
    """The containers of a store that is open, each made if it is missing. Any process may have one of its own."""

    def __init__(self, db: utan.Store) -> None:
        self.db = db
        self.work: utan.Collection[bytes, State | None] = db.collection("work")
        self.files: utan.Collection[bytes, utan.Dict[str, Any]] = db.collection("files")
        self.by_size: utan.Collection[tuple[Any, ...], None] = db.collection("by_size")
        self.by_change: utan.Collection[tuple[Any, ...], None] = db.collection("by_change")
        self.by_import: utan.Collection[tuple[Any, ...], None] = db.collection("by_import")
        self.identifiers: utan.Collection[str, tuple[int, int]] = db.collection("identifiers")
        self.by_frequency: utan.Collection[tuple[Any, ...], None] = db.collection("by_frequency")
        self.totals: utan.Dict[str, int] = db.dict("totals")

    def claim(self, path: bytes, worker: int) -> bool:
        """True: the file was to do and is this worker's now. Of all who try at once, one succeeds."""
        return self.work.replace(path, None, ("claimed", worker))

    def give_back(self, worker: int) -> list[bytes]:
        """Makes what the worker had in hand to do again, and returns it. The worker must be dead."""
        claimed = ("claimed", worker)
        return [path for path, state in self.work.items() if state == claimed and self.work.replace(path, claimed, None)]

    def put_file(self, root: bytes, path: bytes, worker: int) -> None:
        """Indexes a file that the worker has claimed. It may be killed anywhere in here."""
        facts = read_facts(os.path.join(root, path))
        if facts is None:
            self.work[path] = ("unreadable", worker)
            return
        document = self.files.setdefault(path, {"id": uuid.uuid4(), **facts})
        self.by_size[document["size"], path] = None
        self.by_change[document["modified"], path] = None
        self.by_import.update({(name, path): None for name in document["imports"]})
        self.work[path] = ("done", worker)

    def sum_up(self) -> None:
        """Makes the sums of all documents, when all files are done."""
        times: Counter[str] = Counter()
        files: Counter[str] = Counter()
        totals: Counter[str] = Counter()
        for document in self.files.values():  # all at one instant
            counts = document["identifiers"].native()  # a plain dict, read in one step
            times.update(counts)
            files.update(counts.keys())
            totals.update(bytes=document["size"], lines=document["lines"], imports=len(document["imports"]))
        self.identifiers.update({name: (times[name], files[name]) for name in times})
        self.by_frequency.update({(count, name): None for name, count in times.items()})
        self.totals.update(totals, files=len(self.files), identifiers=times.total())
