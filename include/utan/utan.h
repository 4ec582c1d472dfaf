/* Utan: an embedded object database in one memory-mapped file that many processes write without locks.
 *
 * This is the C interface that every language binding uses. C++ programs want <utan/utan.hpp>.
 *
 * Conventions
 * - Every call that can fail returns a utan_code: UTAN_OK (0) or what went wrong. utan_last_error() then says in words
 *   what happened, to which file, and what to do. Nothing is changed by a call that fails.
 * - Sizes are in bytes. Keys are 0 to UTAN_KEY_SIZE_MAX bytes, values 0 to UTAN_VALUE_SIZE_MAX; both may hold any bytes.
 *   A pointer may be null where its size is 0.
 * - Option and result structs begin with struct_size: set it to sizeof the struct. Older and newer libraries then
 *   understand each other. A zeroed struct with struct_size set means: all defaults.
 * - Handles (utan_store, utan_table, utan_iterator) are opaque, owned by who got them, and closed once.
 *
 * Threads and processes
 * - Stores and tables may be used by any number of threads at once, also in children made by fork. Iterators are used by
 *   one thread at a time. A utan_value is released by the thread that got it.
 * - Readers never wait: reading takes no lock and makes no system call. A single write never fails because somebody else
 *   wrote: it retries inside until it is in. Any process may be killed at any instruction.
 */
#ifndef UTAN_UTAN_H
#define UTAN_UTAN_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define UTAN_API
#else
#define UTAN_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define UTAN_VERSION_MAJOR 0
#define UTAN_VERSION_MINOR 1
#define UTAN_VERSION_PATCH 0

#define UTAN_KEY_SIZE_MAX 65536u        /* 64 KiB */
#define UTAN_VALUE_SIZE_MAX 2147483648u /* 2 GiB */

/* What a call came to. */
typedef int32_t utan_code;
enum {
  UTAN_OK = 0,
  UTAN_NOT_FOUND = 1,    /* no such key, table or file */
  UTAN_EXISTS = 2,       /* there is one already */
  UTAN_INVALID = 3,      /* an argument outside its range */
  UTAN_TYPE = 4,         /* the name holds another kind of thing */
  UTAN_TOO_LARGE = 5,    /* a key or value over its limit */
  UTAN_CORRUPTION = 6,   /* the bytes of the store contradict each other */
  UTAN_FORMAT = 7,       /* not a Utan store */
  UTAN_VERSION = 8,      /* a store of a version that this library does not read */
  UTAN_NO_SPACE = 9,     /* the disk, a quota or the address space is full */
  UTAN_READ_ONLY = 10,   /* the store or snapshot may not be written */
  UTAN_CLOSED = 11,      /* the store, snapshot or iterator is closed */
  UTAN_TIMEOUT = 12,     /* waited for as long as was allowed */
  UTAN_IN_USE = 13,      /* other processes use it */
  UTAN_PERMISSION = 14,  /* the operating system says no */
  UTAN_UNSUPPORTED = 15, /* this file system or kernel lacks what is needed */
  UTAN_IO = 16,          /* a system call failed */
  UTAN_MEMORY = 17,      /* no memory */
  UTAN_INTERNAL = 18     /* a fault of the library */
};

/* The message of the last call of this thread that failed: UTF-8, never null, valid until this thread's next call. */
UTAN_API const char *utan_last_error(void);

/* A word for a code: "UTAN_NOT_FOUND". Never null. */
UTAN_API const char *utan_code_name(utan_code code);

/* "0.1.0": the version of the library that is running. */
UTAN_API const char *utan_version(void);

typedef struct utan_store utan_store;
typedef struct utan_table utan_table;
typedef struct utan_iterator utan_iterator;

/* ---- Stores ------------------------------------------------------------------------------------------------------ */

/* How to open. */
enum {
  UTAN_CREATE = 0,         /* open it, or create it if it is missing (the default) */
  UTAN_EXISTING = 1,       /* it must be there */
  UTAN_READ_ONLY_MODE = 2, /* it must be there and is only read */
  UTAN_NEW = 3             /* a new, empty store in its place; UTAN_IN_USE if somebody has the old one open */
};

/* What a power cut may lose. A mode that this version does not have is UTAN_INVALID. */
enum {
  UTAN_DURABILITY_KEEP = 0,  /* what the store has; a new one gets "manual" */
  UTAN_DURABILITY_MANUAL = 1 /* everything since utan_sync() or the last close */
};

typedef struct utan_open_options {
  size_t struct_size;   /* sizeof(utan_open_options) */
  uint32_t mode;        /* UTAN_CREATE, ... */
  uint32_t durability;  /* UTAN_DURABILITY_KEEP, ... */
  uint64_t chunk_size;  /* most bytes the file grows by at once; 64 KiB to 1 GiB; 0: keep (new stores: 16 MiB) */
  uint32_t permissions; /* of a new file, before umask; 0: 0666 */
  uint32_t timeout_ms;  /* how long to wait for one who creates or recovers the store; 0: 10,000 */
} utan_open_options;

/* Opens the store at `path` (bytes, ended by NUL). `options` may be null. Opening an existing store writes nothing to it
 * and takes the same time whatever its size. The same file opened twice in a process shares one attachment. Beside it
 * lies PATH-lock, through which the processes that have it open work together: it is made when it is missing, means
 * nothing once all have closed the store, and must not be deleted, copied or replaced before.
 * Errors: UTAN_NOT_FOUND, UTAN_FORMAT, UTAN_VERSION, UTAN_CORRUPTION, UTAN_PERMISSION, UTAN_TIMEOUT, UTAN_NO_SPACE,
 * UTAN_INVALID, UTAN_IN_USE, UTAN_UNSUPPORTED, UTAN_IO. */
UTAN_API utan_code utan_open(const char *path, const utan_open_options *options, utan_store **store);

/* Closes a store or snapshot; null is fine. The last process to close a changed store makes a checkpoint and flushes it;
 * what fails then is returned, and the handle is gone all the same. Tables, iterators and values of this handle must be
 * closed before. */
UTAN_API utan_code utan_close(utan_store *store);

/* Makes every commit so far durable: a checkpoint that survives a power cut. Writes nothing if nothing changed. */
UTAN_API utan_code utan_sync(utan_store *store);

/* The whole store at this instant, as a read-only store, while others go on. Costs a pin; close it with utan_close. */
UTAN_API utan_code utan_snapshot(utan_store *store, utan_store **snapshot);

/* Is this handle a snapshot (1) or not (0)? */
UTAN_API int utan_is_snapshot(const utan_store *store);

typedef struct utan_store_stats {
  size_t struct_size;      /* sizeof(utan_store_stats) */
  uint64_t file_size;      /* of the data file */
  uint64_t commit_number;  /* of the newest commit */
  uint64_t durable_number; /* of the newest commit that survives a power cut; 0: none but the empty store */
  uint64_t used_size;      /* bytes in blocks that are handed out, reachable or not yet reusable */
  uint64_t free_size;      /* bytes of the file that can be handed out */
  uint64_t segment_count;  /* segments of 16 KiB in the file */
  uint64_t empty_segment_count;
  uint64_t process_count;     /* processes that have the store open */
  uint64_t thread_count;      /* threads of these that have used it */
  uint64_t pin_count;         /* commits held readable: operations under way, snapshots, iterators */
  uint64_t oldest_pin_number; /* the oldest of them; 0: none */
  uint64_t leaked_count_max;  /* blocks that killed processes may have left behind, at most */
  uint64_t incarnation;       /* changes whenever the coordination file is made anew */
} utan_store_stats;

/* Complexity: one pass over the bitmaps, 64 bytes per 16 KiB of file. */
UTAN_API utan_code utan_stats(utan_store *store, utan_store_stats *stats);

/* ---- Tables: bytes to bytes -------------------------------------------------------------------------------------- */

/* Opens the table called `name` (0 to 4,096 bytes). If it is missing it is made when `create` is not 0; otherwise
 * UTAN_NOT_FOUND. */
UTAN_API utan_code utan_table_open(utan_store *store, const void *name, size_t name_size, int create,
                                   utan_table **table);
UTAN_API void utan_table_close(utan_table *table);

/* A value read in place. `data` points into the store and stays valid and unchanged until utan_value_release, whatever
 * is written meanwhile. Keep it for a short time: what it sees cannot be reused. */
typedef struct utan_value {
  const void *data;
  size_t size;
  uint64_t reserved[2]; /* the library's */
} utan_value;

/* Finds `key`. On UTAN_OK `value` must be released, by this thread. UTAN_NOT_FOUND leaves `value` empty: no release is
 * needed (and does no harm). Complexity: O(1), about two cache misses. */
UTAN_API utan_code utan_table_get(utan_table *table, const void *key, size_t key_size, utan_value *value);
UTAN_API void utan_value_release(utan_value *value);

/* UTAN_OK if `key` is there, UTAN_NOT_FOUND if not. */
UTAN_API utan_code utan_table_contains(utan_table *table, const void *key, size_t key_size);

/* Sets `key` to `value`, whether it was there or not. */
UTAN_API utan_code utan_table_put(utan_table *table, const void *key, size_t key_size, const void *value,
                                  size_t value_size);

/* Sets `key` only if it is absent; UTAN_EXISTS otherwise. */
UTAN_API utan_code utan_table_add(utan_table *table, const void *key, size_t key_size, const void *value,
                                  size_t value_size);

/* Compare and replace: sets `key` to `value` only if it now has exactly `expected`. UTAN_NOT_FOUND if the key is absent
 * or has another value. */
UTAN_API utan_code utan_table_replace(utan_table *table, const void *key, size_t key_size, const void *expected,
                                      size_t expected_size, const void *value, size_t value_size);

/* Removes `key`; UTAN_NOT_FOUND if it is absent. */
UTAN_API utan_code utan_table_erase(utan_table *table, const void *key, size_t key_size);

/* How many keys there are. O(1). */
UTAN_API utan_code utan_table_count(utan_table *table, uint64_t *count);

/* Goes over all keys as they are at this call, in no order, whatever is written meanwhile. An open iterator holds its
 * commit readable: close it. */
UTAN_API utan_code utan_iterate(utan_table *table, utan_iterator **iterator);

/* The next key and value, valid until the next call on this iterator; UTAN_NOT_FOUND at the end. Either may be null. */
UTAN_API utan_code utan_iterator_next(utan_iterator *iterator, utan_value *key, utan_value *value);
UTAN_API void utan_iterator_close(utan_iterator *iterator);

#ifdef __cplusplus
}
#endif

#endif
