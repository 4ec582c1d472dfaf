/* Utan: an embedded object database in one memory-mapped file that many processes write without locks.
 *
 * This is the C interface that every language binding uses. C++ programs want <utan/utan.hpp>.
 *
 * A store holds containers: dicts, lists, collections and tables of values, nested to any depth, the first of which is the
 * store's root. They are edited in place; each call that changes something is one commit, seen by every process at once.
 *
 * Conventions
 * - Every call that can fail returns a utan_code: UTAN_OK (0) or what went wrong. utan_last_error() then says in words
 *   what happened, to which file, and what to do. Nothing is changed by a call that fails.
 * - Sizes are in bytes. Keys are 0 to UTAN_KEY_SIZE_MAX bytes, values 0 to UTAN_VALUE_SIZE_MAX; both may hold any bytes.
 *   A pointer may be null where its size is 0.
 * - Option and result structs begin with struct_size: set it to sizeof the struct. Older and newer libraries then
 *   understand each other. A zeroed struct with struct_size set means: all defaults.
 * - Handles (utan_store, utan_container, utan_table, utan_iterator, utan_data) are opaque, owned by who got them, and
 *   closed once. Closing null is fine.
 *
 * Threads and processes
 * - Stores and tables may be used by any number of threads at once, also in children made by fork. Iterators are used by
 *   one thread at a time. A utan_value is released by the thread that got it.
 * - Readers never wait: reading takes no lock and makes no system call. A single write never fails because somebody else
 *   wrote: it retries inside until it is in. Any process may be killed at any instruction.
 * - 4,096 processes and 16,384 threads have one store open at once, at most: who finds no place gets UTAN_NO_SPACE. A process
 *   keeps the places of threads that have ended, for its next ones, until it closes the store.
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
  UTAN_INTERNAL = 18,    /* a fault of the library */
  UTAN_GONE = 19,        /* the container is not there any more */
  UTAN_INTERRUPTED = 20  /* the caller's function said that the call is to end */
};

/* The message of the last call of this thread that failed: UTF-8, never null, valid until this thread's next call. */
UTAN_API const char *utan_last_error(void);

/* From now on calls of this thread that take long (storing much in one call, JSON, utan_sync) ask `stop`
 * now and then, every 20 ms at most, and end with UTAN_INTERRUPTED if it answers anything but 0. Nothing has changed then.
 * `stop` must not use the store. Null: nobody is asked. For what a user should be able to break off. */
UTAN_API void utan_set_stop(int (*stop)(void *context), void *context);

/* A word for a code: "UTAN_NOT_FOUND". Never null. */
UTAN_API const char *utan_code_name(utan_code code);

/* "0.1.0": the version of the library that is running. */
UTAN_API const char *utan_version(void);

typedef struct utan_store utan_store;
typedef struct utan_container utan_container;
typedef struct utan_table utan_table;
typedef struct utan_iterator utan_iterator;
typedef struct utan_data utan_data;

/* ---- Values ------------------------------------------------------------------------------------------------------ */

/* What a value is. */
typedef uint32_t utan_type;
enum {
  UTAN_NULL = 0,
  UTAN_BOOLEAN = 1,      /* integer: 0 or 1 */
  UTAN_INTEGER = 2,      /* integer */
  UTAN_BIG_INTEGER = 3,  /* data: two's complement, little-endian, at least one byte; read back as short as can be */
  UTAN_REAL = 4,         /* real */
  UTAN_DATETIME = 5,     /* integer: microseconds since 1970-01-01T00:00:00 of a clock on the wall, without a zone */
  UTAN_DATETIME_UTC = 6, /* integer: the same in UTC */
  UTAN_UUID = 7,         /* data: 16 bytes */
  UTAN_BYTES = 8,        /* data */
  UTAN_STRING = 9,       /* data: UTF-8, which is not checked; may hold NUL, need not end with one */
  UTAN_TUPLE = 10,       /* elements; of keys alone */
  UTAN_CONTAINER = 11,   /* container */
  UTAN_EXTENDED = 12,    /* data: a value of a codec, which programs agree on; bytes for the store. Never a key */
  UTAN_DATA = 64         /* plain: data of which containers are to be made; given alone, never got */
};

/* A value. Given to a call it is only read. Got from a call it is the caller's until utan_value_release, which this thread
 * calls; its bytes lie in the store and stay valid and unchanged until then, whatever is written meanwhile. Keep it for a
 * short time: what it sees cannot be reused. */
typedef struct utan_value {
  union {
    int64_t integer;
    double real;
    const void *data;
    const struct utan_value *elements;
    utan_container *container; /* got from a call: closed by utan_value_release, unless it is set to null before */
    const utan_data *plain;
  };
  size_t size;          /* bytes at data; of a tuple, elements */
  utan_type type;       /* UTAN_NULL, ... */
  uint32_t reserved0;   /* 0 */
  uint64_t reserved[2]; /* the library's; 0 in what is given */
} utan_value;

/* Lets go of a value that was got. A second call, or one on a zeroed value, does nothing. */
UTAN_API void utan_value_release(utan_value *value);

/* Keys are values of these types: null, booleans, numbers but NaN, datetimes, UUIDs, bytes, strings, and tuples of these.
 * They have one order: null < numbers (by exact value; booleans are 0 and 1) < datetimes < datetimes in UTC < UUIDs <
 * bytes < strings (by UTF-8) < tuples (element by element). 1, 1.0 and true are one key; its first spelling stays. */

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
  /* 1: also on a file system that other machines, or the host of this one, can reach, where nothing keeps two machines from
   * damaging the store; 0: UTAN_UNSUPPORTED there, unless UTAN_ANY_FILE_SYSTEM=1 is in the environment. */
  uint32_t any_file_system;
  uint32_t reserved; /* 0 */
} utan_open_options;

/* Opens the store at `path` (bytes, ended by NUL). `options` may be null. Opening an existing store writes nothing to it
 * and takes the same time whatever its size. The same file opened twice in a process shares one attachment. Beside it
 * lies PATH-lock, through which the processes that have it open work together: it is made when it is missing, means
 * nothing once all have closed the store, and must not be deleted, copied or replaced before.
 * Where PATH-lock may not be made or written (a read-only medium or folder, another user's store), UTAN_READ_ONLY_MODE
 * does without it while nobody has the store open to write: it reads the newest checkpoint, and that alone until the store
 * is opened again. Calls give UTAN_IN_USE once somebody has written since and made a newer one.
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

/* ---- Containers -------------------------------------------------------------------------------------------------- */

/* The types of containers. */
enum {
  UTAN_DICT = 1,       /* sorted by key */
  UTAN_LIST = 2,       /* by position */
  UTAN_COLLECTION = 3, /* sorted by key */
  UTAN_TABLE = 4       /* by hash: fastest by single key, in no order */
};

/* A handle on a container keeps it there even if nothing names it any more. Any number of threads may use one at once.
 * Where a call takes a key, a list takes an index: an integer, from its end if it is negative.
 * Errors of all calls: UTAN_TYPE (this cannot be a key, or such a container has no such operation), UTAN_GONE,
 * UTAN_TOO_LARGE, UTAN_CORRUPTION; of those that write: UTAN_READ_ONLY, UTAN_NO_SPACE. */

/* The container that names the others: a collection. */
UTAN_API utan_code utan_root(utan_store *store, utan_container **container);

/* The container of this type under the string `name` (0 to 4,096 bytes) of the root, made if it is missing when `create` is
 * not 0; otherwise UTAN_NOT_FOUND. UTAN_TYPE if something else is there. */
UTAN_API utan_code utan_named(utan_store *store, const void *name, size_t name_size, uint32_t type, int create,
                              utan_container **container);

/* A new container that nothing names yet; with `data`, which may be null and must be of the same type, as its contents. It
 * ends with its handle unless it is put somewhere. */
UTAN_API utan_code utan_new(utan_store *store, uint32_t type, const utan_data *data, utan_container **container);

/* The container of this id; UTAN_GONE if it is not there, or nothing names it. */
UTAN_API utan_code utan_container_open(utan_store *store, uint64_t id, utan_container **container);
UTAN_API void utan_container_close(utan_container *container);

/* The same container as `store` has it, a snapshot or the store itself, whether anything names it there or not; UTAN_GONE
 * if a snapshot is older than it. For reading several containers, or one and all below it, as they were at one instant,
 * and for coming back from there. UTAN_INVALID: it is of another store. */
UTAN_API utan_code utan_container_in(utan_container *container, utan_store *store, utan_container **out);

/* Names it for ever, in every process; never 0. Equal ids of one store: the same container. */
UTAN_API uint64_t utan_container_id(const utan_container *container);
/* UTAN_DICT, ... */
UTAN_API uint32_t utan_container_type(const utan_container *container);

/* Finds `key`. On UTAN_OK `value` must be released; UTAN_NOT_FOUND leaves it empty. Complexity: of a table O(1), otherwise
 * O(log n). */
UTAN_API utan_code utan_get(utan_container *container, const utan_value *key, utan_value *value);
/* UTAN_OK if `key` is there, UTAN_NOT_FOUND if not. */
UTAN_API utan_code utan_contains(utan_container *container, const utan_value *key);
/* How many entries or elements there are. O(1). */
UTAN_API utan_code utan_count(utan_container *container, uint64_t *count);

/* Sets `key` to `value`, whether it was there or not; of a list, UTAN_INVALID if the index is outside. Putting a container
 * where it already is changes nothing. */
UTAN_API utan_code utan_set(utan_container *container, const utan_value *key, const utan_value *value);
/* Sets `key` only if it is absent; UTAN_EXISTS otherwise. Not for lists. */
UTAN_API utan_code utan_add(utan_container *container, const utan_value *key, const utan_value *value);
/* Compare and replace: sets `key` only if it now has `expected`: numbers are compared by value, containers by identity,
 * and NaN is the same as NaN. UTAN_NOT_FOUND if the key is absent or has another value. */
UTAN_API utan_code utan_replace(utan_container *container, const utan_value *key, const utan_value *expected,
                                const utan_value *value);
/* What utan_alter() is to make of `old`, what is there, which is null if the key is absent: put into `now`, empty at first,
 * a value that stays valid until the next call or the end of utan_alter(). `old` is valid during the call. */
typedef utan_code (*utan_change)(void *context, const utan_value *old, utan_value *now);
/* Sets `key` to what `change` makes of what is there, atomically: if somebody else changes that meanwhile, `change` is called
 * again, with what is there then. If it answers anything but UTAN_OK nothing is changed, and utan_alter() answers that.
 * `out` (may be null): what has been put there. Of a list, UTAN_INVALID if the index is outside. */
UTAN_API utan_code utan_alter(utan_container *container, const utan_value *key, utan_change change, void *context,
                              utan_value *out);
/* Removes `key`; UTAN_NOT_FOUND if it is absent. */
UTAN_API utan_code utan_erase(utan_container *container, const utan_value *key);
/* Removes `key` and hands out what was there; UTAN_NOT_FOUND if it is absent. */
UTAN_API utan_code utan_pop(utan_container *container, const utan_value *key, utan_value *value);
/* Hands out what is there, or sets `key` to `value` and hands out that. `added` (may be null): 1 if it was set. Not for
 * lists. */
UTAN_API utan_code utan_set_default(utan_container *container, const utan_value *key, const utan_value *value,
                                    utan_value *out, int *added);
/* Adds the number `by` to the number that is there, or to 0 if there is none; `sum` (may be null) is the result. Integers
 * grow as large as need be. UTAN_TYPE if there is something else. */
UTAN_API utan_code utan_increase(utan_container *container, const utan_value *key, const utan_value *by,
                                 utan_value *sum);
/* Removes everything, in one commit, whatever there is. O(1); the space comes back with later calls. */
UTAN_API utan_code utan_clear(utan_container *container);
/* Sets every key of `data`, a mapping, in one commit. Not for lists. */
UTAN_API utan_code utan_update(utan_container *container, const utan_data *data);
/* Puts the contents of `data`, a mapping or a list as the container is one, in the place of all that is there, in one
 * commit. */
UTAN_API utan_code utan_assign(utan_container *container, const utan_data *data);

/* ---- Order: dicts and collections -------------------------------------------------------------------------------- */

/* The first or last entry, the last one not above `key`, the first one not below it. UTAN_NOT_FOUND if there is none.
 * `found` and `value` must be released. O(log n). */
UTAN_API utan_code utan_first(utan_container *container, utan_value *found, utan_value *value);
UTAN_API utan_code utan_last(utan_container *container, utan_value *found, utan_value *value);
UTAN_API utan_code utan_floor(utan_container *container, const utan_value *key, utan_value *found, utan_value *value);
UTAN_API utan_code utan_ceiling(utan_container *container, const utan_value *key, utan_value *found, utan_value *value);
/* Removes the last entry (of a table any) and hands it out; UTAN_NOT_FOUND if there is none. */
UTAN_API utan_code utan_pop_last(utan_container *container, utan_value *key, utan_value *value);

/* Which entries. Zeroed: all of them, in order. */
typedef struct utan_range {
  size_t struct_size;       /* sizeof(utan_range) */
  const utan_value *low;    /* keys from here on; null: from the first */
  const utan_value *high;   /* keys up to here; null: to the last */
  const utan_value *prefix; /* a string, or bytes: only keys of its type that begin so; null: all */
  int low_exclusive;        /* not 0: without `low` itself */
  int high_inclusive;       /* not 0: with `high` itself */
  int reverse;              /* not 0: from the last one on; for utan_iterate alone */
  uint64_t skip;            /* this many are left out first; for utan_iterate alone */
  uint64_t limit;           /* so many at most; 0: all; for utan_iterate alone */
} utan_range;

/* How many entries there are in the range. O(log n). */
UTAN_API utan_code utan_count_range(utan_container *container, const utan_range *range, uint64_t *count);
/* Removes them, in one commit, and says how many there were (`count` may be null). O(log n); the space comes back with later
 * calls. */
UTAN_API utan_code utan_delete_range(utan_container *container, const utan_range *range, uint64_t *count);

/* ---- Lists ------------------------------------------------------------------------------------------------------- */

/* Puts `value` before the element `index`, which counts from the end if it is negative; beyond either end: at that end. */
UTAN_API utan_code utan_insert(utan_container *list, int64_t index, const utan_value *value);
UTAN_API utan_code utan_append(utan_container *list, const utan_value *value);
/* Puts the elements of `data`, a list (null: none), into the place of the `count` elements from `index` on, in one commit.
 * Both are cut to what is there. O(log n + elements). */
UTAN_API utan_code utan_splice(utan_container *list, uint64_t index, uint64_t count, const utan_data *data);
/* The same, but only if the list has not changed since `seen`, which is this list in a snapshot (utan_container_in);
 * UTAN_NOT_FOUND if it has. So a list is sorted, or searched and changed, as if nobody else wrote meanwhile. */
UTAN_API utan_code utan_splice_unchanged(utan_container *list, const utan_container *seen, uint64_t index,
                                         uint64_t count, const utan_data *data);

/* ---- Paths: keys, each in the container that the one before it leads to ------------------------------------------ */

/* In a list a string of digits is an index, too. UTAN_NOT_FOUND if there is nothing at the path, or no container on the way.
 * No keys: the container itself. */
UTAN_API utan_code utan_get_at(utan_container *container, const utan_value *keys, size_t key_count, utan_value *value);
/* Sets the value at the path and makes the dicts that are missing on the way, in one commit. If `exist_ok` is 0:
 * UTAN_EXISTS if there is a value. UTAN_TYPE if a value that is no container is on the way. */
UTAN_API utan_code utan_set_at(utan_container *container, const utan_value *keys, size_t key_count,
                               const utan_value *value, int exist_ok);

/* ---- Iterating --------------------------------------------------------------------------------------------------- */

/* Goes over a container as it is at this call, whatever is written meanwhile; `range` may be null. Lists have no bounds,
 * tables neither bounds nor reverse. An open iterator holds its commit readable: close it. Containers that it hands out are
 * those of the store as it is now (of the snapshot, if the container is one's). */
UTAN_API utan_code utan_iterate(utan_container *container, const utan_range *range, utan_iterator **iterator);
/* The next key (of a list the index) and value; UTAN_NOT_FOUND at the end. Either may be null. Both are valid until the next
 * call on this iterator and need no release, but containers, which the caller closes by utan_value_release. */
UTAN_API utan_code utan_iterator_next(utan_iterator *iterator, utan_value *key, utan_value *value);
UTAN_API void utan_iterator_close(utan_iterator *iterator);

/* ---- Data: plain values, nested, in one piece -------------------------------------------------------------------- */

/* What is to be stored in one commit, built front to back: in a dict, collection or table keys and values in turn.
 * Containers of the store may be in it. One thread at a time; read by any number. */
UTAN_API utan_code utan_data_new(utan_data **data);
UTAN_API void utan_data_free(utan_data *data);
UTAN_API void utan_data_clear(utan_data *data);
/* A copy of `value`. UTAN_TYPE: a key that cannot be one; the message names the place. UTAN_INVALID: all is there already. */
UTAN_API utan_code utan_data_add(utan_data *data, const utan_value *value);
/* A container begins, and ends. `number` (may be null) is its number in this data, from 0. */
UTAN_API utan_code utan_data_begin(utan_data *data, uint32_t type, uint32_t *number);
UTAN_API utan_code utan_data_end(utan_data *data);
/* The container of this number stands here too; it may still be open. */
UTAN_API utan_code utan_data_part(utan_data *data, uint32_t number);
/* Where the next value comes, as one would write it: "['users'][3]"; valid until the next call. */
UTAN_API const char *utan_data_path(utan_data *data);

/* ---- JSON, in the lossless form ---------------------------------------------------------------------------------- */

/* {"$uuid": ...}, {"$date": ...}, {"$bytes": base64}, {"$int": "..."} beyond 2^53, {"$float": "nan"}, keys that are no
 * strings as {"$items": [[key, value], ...]}; a key that begins with $ has another $ in front. Objects become dicts, arrays
 * lists. UTAN_INVALID says line and column. */
UTAN_API utan_code utan_data_from_json(utan_data *data, const char *text, size_t size);
/* The container and all below it, of one commit, as UTF-8; `indent` in spaces, 0: in one line. UTAN_INVALID if it contains
 * itself. What is named in several places is written at each: UTAN_TOO_LARGE if that makes more values than a million and as
 * many as the file has bytes, or a text of more than 2 GiB. utan_set_stop says how to break it off. The text is ended by
 * NUL, which `size` (may be null) does not count, and freed by utan_text_free. */
UTAN_API utan_code utan_to_json(utan_container *container, uint32_t indent, char **text, size_t *size);
UTAN_API void utan_text_free(char *text);

/* ---- Tables of bytes: the short way ------------------------------------------------------------------------------ */

/* The same tables as above, for those whose keys and values are all bytes: no utan_value is made of a key. */

/* Opens the table called `name` (0 to 4,096 bytes). If it is missing it is made when `create` is not 0; otherwise
 * UTAN_NOT_FOUND. */
UTAN_API utan_code utan_table_open(utan_store *store, const void *name, size_t name_size, int create,
                                   utan_table **table);
UTAN_API void utan_table_close(utan_table *table);

/* Finds `key`. On UTAN_OK `value` must be released, by this thread. UTAN_NOT_FOUND leaves `value` empty: no release is
 * needed (and does no harm). UTAN_TYPE: it is there and not bytes. Complexity: O(1), about two cache misses. */
UTAN_API utan_code utan_table_get(utan_table *table, const void *key, size_t key_size, utan_value *value);

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

/* Goes over all keys as they are at this call, in no order; see utan_iterate. */
UTAN_API utan_code utan_table_iterate(utan_table *table, utan_iterator **iterator);

/* ---- Care -------------------------------------------------------------------------------------------------------- */

/* What is told during a check. Zeroed: nothing. */
typedef struct utan_check_options {
  size_t struct_size; /* sizeof(utan_check_options) */
  /* A problem, in words: where (an offset in bytes from the file's start) and what is wrong. Called at the end, for the
   * first 100 at most; `text` is valid during the call. */
  void (*problem)(void *context, const char *text);
  /* How many blocks have been looked at: now and then, during the check. */
  void (*progress)(void *context, uint64_t block_count);
  void *context;
  /* Asked now and then, during the check: not 0 ends it with UTAN_INTERRUPTED, without a report. */
  int (*stop)(void *context);
} utan_check_options;

/* What a check found. Counts and sizes of containers are those of the newest commit that could be read. */
typedef struct utan_check_report {
  size_t struct_size;         /* sizeof(utan_check_report) */
  uint64_t problem_count;     /* 0: sound */
  uint64_t commit_number;     /* of the commit that was walked; 0: there was none to be walked */
  uint64_t file_size;         /* of the data file */
  uint64_t container_count;   /* with the root, if anything was ever put into it */
  uint64_t dict_count;        /* of these, dicts */
  uint64_t list_count;        /* lists */
  uint64_t collection_count;  /* collections */
  uint64_t table_count;       /* tables */
  uint64_t orphan_count;      /* containers that nothing names any more: held by somebody, or still to be removed */
  uint64_t unreachable_count; /* containers that are named, but only by each other */
  uint64_t entry_count;       /* keys in dicts, collections and tables */
  uint64_t element_count;     /* elements in lists */
  uint64_t record_size;       /* bytes of blocks with keys, and values beside them */
  uint64_t value_size;        /* of blocks with values apart from their keys */
  uint64_t node_size;         /* of what leads to them, and of small containers */
  uint64_t commit_size;       /* of the commit itself, and of the table of containers */
  uint64_t whole;             /* 1: everything in the file was looked at; 0: this commit alone, as others may write */
  uint64_t block_count;       /* blocks of all that was walked */
  uint64_t waiting_count;     /* if `whole`: replaced blocks that cannot be used again yet */
  uint64_t held_count;        /* if `whole`: free blocks that threads keep for themselves */
  uint64_t leaked_count;      /* if `whole`: blocks that killed processes left behind, which nobody uses: no damage */
  uint64_t leaked_size;       /* if `whole`: their bytes */
} utan_check_report;

/* Looks at every byte of the newest commit, or of the snapshot, and says what is wrong with it: counts, orders, links,
 * checksums. Others go on reading and writing. UTAN_OK whatever is found; `options` may be null. Complexity: O(bytes in
 * use), 1 GB in some seconds; memory: up to 1/64 of the file. Errors: those of utan_snapshot, UTAN_INVALID, UTAN_MEMORY. */
UTAN_API utan_code utan_check(utan_store *store, const utan_check_options *options, utan_check_report *report);

/* The same of the store at `path`, which is opened for reading. If nobody else has it open, everything else in the file
 * is compared, too: each block is in use or free, and never both. If it cannot be opened, the file is looked at as it lies
 * there, at its newest checkpoint that is whole. UTAN_OK whatever is found. Where nothing can be walked at all, the error
 * that says why: UTAN_NOT_FOUND, UTAN_FORMAT, UTAN_VERSION, UTAN_CORRUPTION, UTAN_PERMISSION, UTAN_INVALID, UTAN_IO,
 * UTAN_MEMORY; `report` then has it as its problem. */
UTAN_API utan_code utan_check_file(const char *path, const utan_check_options *options, utan_check_report *report);

/* A process that has the store open. */
typedef struct utan_process {
  size_t struct_size;         /* sizeof(utan_process), of the library that is running */
  uint64_t process_id;        /* in its own numbering: a container may have another */
  uint64_t started_ns;        /* when it opened the store: nanoseconds since 1970 */
  uint64_t thread_count;      /* its threads that have used the store */
  uint64_t pin_count;         /* commits that it holds readable: operations under way, snapshots, iterators */
  uint64_t oldest_pin_number; /* the oldest of them; 0: none */
  uint32_t is_caller;         /* 1: it is the one that asks */
  uint32_t read_only;         /* 1: it only reads */
} utan_process;

/* Calls `visit` for each process that has the store open, in no order. One that was killed is among them until another one
 * takes over what it left. */
UTAN_API utan_code utan_processes(utan_store *store, void (*visit)(void *context, const utan_process *process),
                                  void *context);

#ifdef __cplusplus
}
#endif

#endif
