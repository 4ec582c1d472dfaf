"""Redis: a server of its own on a Unix socket, started here, ended by its process id."""

import os
import shutil
import subprocess
import tempfile

import redis

SETTINGS = "a server on a Unix socket, on the same core, nothing saved to disk; redis-py with hiredis, one connection"
READY = "ready to accept connections"
BATCH_SIZE = 1000


def start_server(folder, socket, core):
    """Debian's redis-tools has the server's program, too, under the name of redis-check-rdb: it is what it is called."""
    program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
    if program is None:
        raise FileNotFoundError("no redis-server is installed")
    server = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", folder],
        executable=program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    said = []
    for line in server.stdout:
        said.append(line)
        if READY in line.lower():
            os.sched_setaffinity(server.pid, {core})
            return server
    server.wait()
    raise RuntimeError("redis-server ended: " + "".join(said)[-400:])


class Mapping:
    settings = f"{SETTINGS}; keys are bytes"
    key_type = bytes
    put = "put(key, value)"
    get = "value = get(key)"

    def open(self, place):
        # Not in the place's folder: the path of a socket may have 107 characters.
        self.folder = tempfile.mkdtemp(prefix="utan-bench-")
        self.server = start_server(self.folder, f"{self.folder}/redis", place.server_core)
        self.store = redis.Redis(unix_socket_path=f"{self.folder}/redis", single_connection_client=True)
        self._server_version = self.store.info("server")["redis_version"]

    def close(self):
        self.store.close()
        self.server.terminate()
        self.server.wait()
        self.server.stdout.close()
        shutil.rmtree(self.folder)

    def version(self):
        return f"{self._server_version}, redis-py {redis.__version__}"

    def load(self, records):
        for at in range(0, len(records), BATCH_SIZE):
            self.store.mset(dict(records[at:at + BATCH_SIZE]))

    def names(self, is_writing):
        return {"get": self.store.get, "put": self.store.set}

    def items(self):
        """Keys by SCAN, which may repeat some while others write; nobody does, and a repetition would be an error."""
        cursor = None
        while cursor != 0:
            cursor, keys = self.store.scan(cursor or 0, count=BATCH_SIZE)
            yield from zip(keys, self.store.mget(keys)) if keys else ()


class List(Mapping):
    settings = f"{SETTINGS}; RPUSH, LINDEX, LRANGE of {BATCH_SIZE}"
    append = 'push("values", value)'
    index = 'value = int(index("values", key))'

    def load(self, values):
        for at in range(0, len(values), BATCH_SIZE):
            self.store.rpush("values", *values[at:at + BATCH_SIZE])

    def names(self, is_writing):
        return {"push": self.store.rpush, "index": self.store.lindex}

    def items(self):
        for at in range(0, self.store.llen("values"), BATCH_SIZE):
            yield from map(int, self.store.lrange("values", at, at + BATCH_SIZE - 1))
