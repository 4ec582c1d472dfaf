"""sqlite3 of the standard library, used as a mapping."""

import sqlite3

PRAGMAS = ("journal_mode = wal", "synchronous = off", "cache_size = -262144")
MAKE = "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID"
GET = "SELECT value FROM records WHERE key = ?"
SETTINGS = f"one table WITHOUT ROWID, {', '.join(PRAGMAS)}; statements prepared and cached"


def connect(path):
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


class Mapping:
    settings = f"{SETTINGS}; one transaction per set and per get"
    key_type = str
    put = 'execute("REPLACE INTO records VALUES (?, ?)", (key, value))'
    get = f'(value,) = execute("{GET}", (key,)).fetchone()'

    def open(self, place):
        self.connection = connect(f"{place.folder}/bench.sqlite")
        self.connection.execute(MAKE)

    def close(self):
        self.connection.close()

    def version(self):
        return sqlite3.sqlite_version

    def load(self, records):
        self.connection.execute("BEGIN")
        self.connection.executemany("REPLACE INTO records VALUES (?, ?)", records)
        self.connection.execute("COMMIT")

    def names(self, is_writing):
        return {"execute": self.connection.cursor().execute}

    def items(self):
        return self.connection.execute("SELECT key, value FROM records")


class Opening(Mapping):
    settings = f"{SETTINGS}; connect, select"

    def read(self, path, key):
        self.connection = connect(path)
        return self.connection.execute(GET, (key,)).fetchone()[0]

    def fill(self, path, records):
        self.connection = connect(path)
        self.connection.execute(MAKE)
        self.load(records)
        self.connection.close()
