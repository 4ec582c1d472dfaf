/* Shows that a program in C can do all that utan.h offers, and that each call answers as utan.h says. */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE /* flock */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utan/utan.h>

static int failures;

static void failed(int line, const char* what) {
  ++failures;
  fprintf(stderr, "c_api_test.c:%d: %s; last error: %s\n", line, what, utan_last_error());
}
#define EXPECT(condition)                           \
  do {                                              \
    if (!(condition)) failed(__LINE__, #condition); \
  } while (0)
#define EXPECT_CODE(call, expected) expect_code(__LINE__, #call, (call), (expected))

static utan_code expect_code(int line, const char* call, utan_code code, utan_code expected) {
  if (code != expected) {
    char what[400];
    snprintf(what, sizeof what, "%s: %s instead of %s", call, utan_code_name(code), utan_code_name(expected));
    failed(line, what);
  }
  return code;
}
/* The same, and the message says so. */
#define EXPECT_ERROR(call, expected, said) expect_error(__LINE__, #call, (call), (expected), (said))
static void expect_error(int line, const char* call, utan_code code, utan_code expected, const char* said) {
  expect_code(line, call, code, expected);
  if (strstr(utan_last_error(), said) == NULL) {
    char what[400];
    snprintf(what, sizeof what, "%s: the message does not say \"%s\"", call, said);
    failed(line, what);
  }
}

/* --- Files of the test -------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/utan-c-XXXXXX";
static char names[8][64];
static const char* in_folder(const char* name) {
  static unsigned next;
  char* out = names[next++ % 8];
  snprintf(out, sizeof names[0], "%s/%s", folder, name);
  return out;
}

static void write_file(const char* path, const char* text) {
  FILE* file = fopen(path, "wb");
  EXPECT(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void remove_folder(void) {
  char command[100];
  snprintf(command, sizeof command, "rm -r %s", folder);
  EXPECT(system(command) == 0);
}

static utan_open_options defaults(void) {
  utan_open_options options;
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  return options;
}
static utan_code open_as(const char* path, uint32_t mode, utan_store** store) {
  utan_open_options options = defaults();
  options.mode = mode;
  return utan_open(path, &options, store);
}

static int holds(const utan_value* value, const char* text) {
  return value->size == strlen(text) && memcmp(value->data, text, value->size) == 0;
}
static int table_holds(utan_table* table, const char* key, const char* text) {
  utan_value value;
  int right;
  if (utan_table_get(table, key, strlen(key), &value) != UTAN_OK) return 0;
  right = holds(&value, text);
  utan_value_release(&value);
  return right;
}
static utan_code put(utan_table* table, const char* key, const char* text) {
  return utan_table_put(table, key, strlen(key), text, strlen(text));
}

/* --- Without a store ---------------------------------------------------------------------------------------------- */

static void test_names_and_version(void) {
  static const char* const expected[] = {
      "UTAN_OK",         "UTAN_NOT_FOUND", "UTAN_EXISTS",     "UTAN_INVALID",     "UTAN_TYPE",      "UTAN_TOO_LARGE",
      "UTAN_CORRUPTION", "UTAN_FORMAT",    "UTAN_VERSION",    "UTAN_NO_SPACE",    "UTAN_READ_ONLY", "UTAN_CLOSED",
      "UTAN_TIMEOUT",    "UTAN_IN_USE",    "UTAN_PERMISSION", "UTAN_UNSUPPORTED", "UTAN_IO",        "UTAN_MEMORY",
      "UTAN_INTERNAL",   "UTAN_GONE",      "UTAN_INTERRUPTED"};
  char version[40];
  int i;
  for (i = 0; i <= UTAN_INTERRUPTED; ++i) EXPECT(strcmp(utan_code_name(i), expected[i]) == 0);
  EXPECT(strcmp(utan_code_name(-1), "UTAN_UNKNOWN") == 0);
  EXPECT(strcmp(utan_code_name(UTAN_INTERRUPTED + 1), "UTAN_UNKNOWN") == 0);
  EXPECT(strcmp(utan_code_name(2147483647), "UTAN_UNKNOWN") == 0);
  snprintf(version, sizeof version, "%d.%d.%d", UTAN_VERSION_MAJOR, UTAN_VERSION_MINOR, UTAN_VERSION_PATCH);
  EXPECT(strcmp(utan_version(), version) == 0);
  EXPECT(utan_last_error() != NULL && *utan_last_error() == '\0');
}

static void test_open_refused(void) {
  utan_store* const untouched = (utan_store*)(void*)&failures;
  utan_store* store = untouched;
  utan_open_options options = defaults();
  int lock;

  EXPECT_ERROR(utan_open(NULL, NULL, &store), UTAN_INVALID, "path");
  EXPECT(store == NULL);
  EXPECT_ERROR(utan_open("", NULL, &store), UTAN_INVALID, "path");
  EXPECT_ERROR(utan_open(in_folder("a.utan"), NULL, NULL), UTAN_INVALID, "store");
  options.struct_size = 0;
  EXPECT_ERROR(utan_open(in_folder("a.utan"), &options, &store), UTAN_INVALID, "struct_size");
  options = defaults();
  options.mode = 4;
  EXPECT_ERROR(utan_open(in_folder("a.utan"), &options, &store), UTAN_INVALID, "mode");
  options = defaults();
  options.durability = 2;
  EXPECT_ERROR(utan_open(in_folder("a.utan"), &options, &store), UTAN_INVALID, "durability");
  options = defaults();
  options.chunk_size = 65535;
  EXPECT_ERROR(utan_open(in_folder("a.utan"), &options, &store), UTAN_INVALID, "chunk_size");
  options.chunk_size = (uint64_t)1073741825;
  EXPECT_ERROR(utan_open(in_folder("a.utan"), &options, &store), UTAN_INVALID, "chunk_size");
  EXPECT(access(in_folder("a.utan"), F_OK) != 0);

  store = untouched;
  EXPECT_ERROR(open_as(in_folder("missing"), UTAN_EXISTING, &store), UTAN_NOT_FOUND, "missing");
  EXPECT(store == NULL);
  EXPECT_ERROR(open_as(in_folder("missing"), UTAN_READ_ONLY_MODE, &store), UTAN_NOT_FOUND, "missing");
  EXPECT_ERROR(utan_open(in_folder("no/folder"), NULL, &store), UTAN_NOT_FOUND, "no/folder");
  EXPECT_ERROR(utan_open(folder, NULL, &store), UTAN_INVALID, "directory");
  write_file(in_folder("letter"), "This is a letter to somebody, and it is no store at all.");
  EXPECT_ERROR(utan_open(in_folder("letter"), NULL, &store), UTAN_FORMAT, "letter");
  EXPECT_ERROR(open_as(in_folder("letter"), UTAN_NEW, &store), UTAN_FORMAT, "letter");

  EXPECT_CODE(utan_open(in_folder("cut"), NULL, &store), UTAN_OK);
  EXPECT_CODE(utan_close(store), UTAN_OK);
  lock = open(in_folder("cut"), O_RDWR | O_CLOEXEC);
  EXPECT(flock(lock, LOCK_EX | LOCK_NB) == 0);
  options = defaults();
  options.timeout_ms = 20;
  EXPECT_ERROR(utan_open(in_folder("cut"), &options, &store), UTAN_TIMEOUT, "20 ms");
  close(lock);
  EXPECT(truncate(in_folder("cut"), 8192) == 0);
  EXPECT_ERROR(utan_open(in_folder("cut"), NULL, &store), UTAN_CORRUPTION, "truncated");
  EXPECT(store == NULL);
  /* A message stays until this thread's next call. */
  EXPECT(strstr(utan_last_error(), "truncated") != NULL);
}

/* --- Stores ------------------------------------------------------------------------------------------------------- */

static void test_options_of_other_versions(void) {
  utan_store* store = NULL;
  struct {
    utan_open_options known;
    uint64_t later[8];
  } large;
  utan_open_options small = defaults();
  struct stat status;

  /* An older program: only what it knows is read. */
  small.struct_size = sizeof(size_t);
  small.mode = 77;
  small.chunk_size = 1;
  EXPECT_CODE(utan_open(in_folder("old"), &small, &store), UTAN_OK);
  EXPECT_CODE(utan_close(store), UTAN_OK);
  small.struct_size = offsetof(utan_open_options, durability);
  small.mode = UTAN_EXISTING;
  small.durability = 77;
  EXPECT_CODE(utan_open(in_folder("old"), &small, &store), UTAN_OK);
  EXPECT_CODE(utan_close(store), UTAN_OK);
  EXPECT_CODE(utan_open(in_folder("not there"), &small, &store), UTAN_NOT_FOUND);
  small.struct_size = sizeof(size_t) - 1;
  EXPECT_CODE(utan_open(in_folder("old"), &small, &store), UTAN_INVALID);

  /* A newer one. */
  memset(&large, 0, sizeof large);
  large.known.struct_size = sizeof large;
  large.known.mode = UTAN_NEW;
  large.known.permissions = 0600;
  large.known.chunk_size = 65536;
  EXPECT_CODE(utan_open(in_folder("new"), &large.known, &store), UTAN_OK);
  EXPECT_CODE(utan_close(store), UTAN_OK);
  EXPECT(stat(in_folder("new"), &status) == 0 && (status.st_mode & 07777) == 0600);
}

static void test_stats(utan_store* store) {
  utan_store_stats stats;
  struct {
    utan_store_stats known;
    uint64_t later[4];
  } large;

  memset(&stats, 0xee, sizeof stats);
  stats.struct_size = sizeof stats;
  EXPECT_CODE(utan_stats(store, &stats), UTAN_OK);
  EXPECT(stats.struct_size == sizeof stats);
  EXPECT(stats.file_size >= 65536 && stats.file_size % 4096 == 0);
  EXPECT(stats.commit_number > stats.durable_number);
  EXPECT(stats.used_size > 0 && stats.free_size > 0 && stats.used_size + stats.free_size <= stats.file_size);
  EXPECT(stats.segment_count >= 16 && stats.empty_segment_count < stats.segment_count);
  EXPECT(stats.process_count == 1 && stats.thread_count >= 1);
  EXPECT(stats.pin_count == 0 && stats.oldest_pin_number == 0);
  EXPECT(stats.leaked_count_max == 0 && stats.incarnation != 0);

  EXPECT_ERROR(utan_stats(store, NULL), UTAN_INVALID, "struct_size");
  stats.struct_size = 0;
  EXPECT_ERROR(utan_stats(store, &stats), UTAN_INVALID, "struct_size");
  /* An older program gets what it knows, and nothing behind it is touched. */
  memset(&stats, 0xee, sizeof stats);
  stats.struct_size = offsetof(utan_store_stats, commit_number);
  EXPECT_CODE(utan_stats(store, &stats), UTAN_OK);
  EXPECT(stats.struct_size == offsetof(utan_store_stats, commit_number) && stats.file_size >= 65536);
  EXPECT(stats.commit_number == UINT64_C(0xeeeeeeeeeeeeeeee));
  memset(&large, 0xee, sizeof large);
  large.known.struct_size = sizeof large;
  EXPECT_CODE(utan_stats(store, &large.known), UTAN_OK);
  EXPECT(large.known.struct_size == sizeof large && large.known.process_count == 1);
  EXPECT(large.later[0] == UINT64_C(0xeeeeeeeeeeeeeeee));
}

static void test_modes(void) {
  const char* const path = in_folder("modes.utan");
  utan_store* store = NULL;
  utan_store* second = NULL;
  utan_table* table = NULL;
  utan_store_stats stats;

  EXPECT_CODE(utan_close(NULL), UTAN_OK);
  EXPECT_CODE(utan_open(path, NULL, &store), UTAN_OK);
  EXPECT(!utan_is_snapshot(store));
  EXPECT_CODE(utan_table_open(store, "t", 1, 1, &table), UTAN_OK);
  EXPECT_CODE(put(table, "k", "v"), UTAN_OK);
  EXPECT_ERROR(open_as(path, UTAN_NEW, &second), UTAN_IN_USE, "open");
  /* The same file twice. */
  EXPECT_CODE(open_as(path, UTAN_EXISTING, &second), UTAN_OK);
  EXPECT(second != store);
  utan_table_close(table);
  EXPECT_CODE(utan_close(store), UTAN_OK);
  EXPECT_CODE(utan_table_open(second, "t", 1, 0, &table), UTAN_OK);
  EXPECT(table_holds(table, "k", "v"));
  EXPECT_CODE(utan_sync(second), UTAN_OK);
  stats.struct_size = sizeof stats;
  EXPECT_CODE(utan_stats(second, &stats), UTAN_OK);
  EXPECT(stats.durable_number == stats.commit_number);
  utan_table_close(table);
  EXPECT_CODE(utan_close(second), UTAN_OK);

  EXPECT_CODE(open_as(path, UTAN_READ_ONLY_MODE, &store), UTAN_OK);
  EXPECT_CODE(utan_table_open(store, "t", 1, 0, &table), UTAN_OK);
  EXPECT(table_holds(table, "k", "v"));
  EXPECT_ERROR(put(table, "k", "w"), UTAN_READ_ONLY, "read only");
  EXPECT_CODE(utan_table_add(table, "l", 1, "w", 1), UTAN_READ_ONLY);
  EXPECT_CODE(utan_table_replace(table, "k", 1, "v", 1, "w", 1), UTAN_READ_ONLY);
  EXPECT_CODE(utan_table_erase(table, "k", 1), UTAN_READ_ONLY);
  EXPECT(table_holds(table, "k", "v"));
  utan_table_close(table);
  table = (utan_table*)(void*)&failures;
  EXPECT_CODE(utan_table_open(store, "u", 1, 1, &table), UTAN_READ_ONLY);
  EXPECT(table == NULL);
  EXPECT_CODE(utan_close(store), UTAN_OK);

  EXPECT_CODE(open_as(path, UTAN_NEW, &store), UTAN_OK);
  EXPECT_ERROR(utan_table_open(store, "t", 1, 0, &table), UTAN_NOT_FOUND, "'t'");
  EXPECT_CODE(utan_close(store), UTAN_OK);
}

/* --- Tables ------------------------------------------------------------------------------------------------------- */

static void test_keys_and_values(utan_table* table) {
  static char large[UTAN_KEY_SIZE_MAX + 1];
  utan_value value;
  uint64_t count = 0;

  EXPECT_CODE(put(table, "k", "1"), UTAN_OK);
  EXPECT_CODE(utan_table_contains(table, "k", 1), UTAN_OK);
  EXPECT_CODE(utan_table_contains(table, "x", 1), UTAN_NOT_FOUND);
  EXPECT_CODE(put(table, "k", "2"), UTAN_OK);
  EXPECT(table_holds(table, "k", "2"));
  EXPECT_ERROR(utan_table_add(table, "k", 1, "3", 1), UTAN_EXISTS, "there");
  EXPECT_CODE(utan_table_add(table, "l", 1, "3", 1), UTAN_OK);
  EXPECT_CODE(utan_table_replace(table, "k", 1, "1", 1, "4", 1), UTAN_NOT_FOUND);
  EXPECT_CODE(utan_table_replace(table, "x", 1, "1", 1, "4", 1), UTAN_NOT_FOUND);
  EXPECT_CODE(utan_table_replace(table, "k", 1, "2", 1, "4", 1), UTAN_OK);
  EXPECT(table_holds(table, "k", "4") && table_holds(table, "l", "3"));
  EXPECT_CODE(utan_table_count(table, &count), UTAN_OK);
  EXPECT(count == 2);
  EXPECT_CODE(utan_table_erase(table, "l", 1), UTAN_OK);
  EXPECT_CODE(utan_table_erase(table, "l", 1), UTAN_NOT_FOUND);

  /* Not found: the value is empty, and releasing it does no harm. */
  memset(&value, 0xee, sizeof value);
  EXPECT_CODE(utan_table_get(table, "l", 1, &value), UTAN_NOT_FOUND);
  EXPECT(value.data == NULL && value.size == 0);
  utan_value_release(&value);
  utan_value_release(&value);

  /* Nothing is a key and a value, too, and any byte is. */
  EXPECT_CODE(utan_table_put(table, NULL, 0, NULL, 0), UTAN_OK);
  EXPECT_CODE(utan_table_get(table, NULL, 0, &value), UTAN_OK);
  EXPECT(value.size == 0);
  utan_value_release(&value);
  EXPECT_CODE(utan_table_add(table, NULL, 0, NULL, 0), UTAN_EXISTS);
  EXPECT_CODE(utan_table_replace(table, NULL, 0, NULL, 0, "full", 4), UTAN_OK);
  EXPECT(table_holds(table, "", "full"));
  EXPECT_CODE(utan_table_contains(table, NULL, 0), UTAN_OK);
  EXPECT_CODE(utan_table_erase(table, NULL, 0), UTAN_OK);
  EXPECT_CODE(utan_table_put(table, "a\0b", 3, "\0\xff\n", 3), UTAN_OK);
  EXPECT_CODE(utan_table_contains(table, "a", 1), UTAN_NOT_FOUND);
  EXPECT_CODE(utan_table_get(table, "a\0b", 3, &value), UTAN_OK);
  EXPECT(value.size == 3 && memcmp(value.data, "\0\xff\n", 3) == 0);
  utan_value_release(&value);
  EXPECT_CODE(utan_table_erase(table, "a\0b", 3), UTAN_OK);

  memset(large, 'x', sizeof large);
  EXPECT_CODE(utan_table_put(table, large, UTAN_KEY_SIZE_MAX, "v", 1), UTAN_OK);
  EXPECT_CODE(utan_table_contains(table, large, UTAN_KEY_SIZE_MAX), UTAN_OK);
  EXPECT_CODE(utan_table_contains(table, large, sizeof large), UTAN_NOT_FOUND);
  EXPECT_CODE(utan_table_erase(table, large, UTAN_KEY_SIZE_MAX), UTAN_OK);
  EXPECT_ERROR(utan_table_put(table, large, sizeof large, "v", 1), UTAN_TOO_LARGE, "65536");
  EXPECT_ERROR(utan_table_put(table, "k", 1, "v", (size_t)UTAN_VALUE_SIZE_MAX + 1), UTAN_TOO_LARGE, "2147483648");
  EXPECT(table_holds(table, "k", "4"));
}

static void test_large_values(utan_table* table) {
  /* Larger than a region's run of segments: it lies in parts, and is copied together. */
  const size_t size = (size_t)40 << 20;
  char* bytes = malloc(size);
  utan_value value;
  size_t i;

  for (i = 0; i < size; ++i) bytes[i] = (char)(i * 31 >> 3);
  EXPECT_CODE(utan_table_put(table, "large", 5, bytes, size), UTAN_OK);
  EXPECT_CODE(utan_table_get(table, "large", 5, &value), UTAN_OK);
  EXPECT(value.size == size && memcmp(value.data, bytes, size) == 0);
  utan_value_release(&value);
  utan_value_release(&value); /* released is released */
  EXPECT_CODE(utan_table_replace(table, "large", 5, bytes, size, "small", 5), UTAN_OK);
  EXPECT(table_holds(table, "large", "small"));
  EXPECT_CODE(utan_table_erase(table, "large", 5), UTAN_OK);
  free(bytes);
}

/* A value that is held stays as it is, whatever is written. */
static void test_values_stay(utan_store* store, utan_table* table) {
  utan_value held[20];
  utan_store_stats stats;
  int i;
  int j;
  EXPECT_CODE(put(table, "k", "held"), UTAN_OK);
  for (i = 0; i < 20; ++i) EXPECT_CODE(utan_table_get(table, "k", 1, &held[i]), UTAN_OK);
  stats.struct_size = sizeof stats;
  EXPECT_CODE(utan_stats(store, &stats), UTAN_OK);
  EXPECT(stats.pin_count == 20 && stats.oldest_pin_number == stats.commit_number);
  for (j = 0; j < 500; ++j) EXPECT_CODE(put(table, "k", j % 2 ? "HELD" : "hELd"), UTAN_OK);
  for (i = 0; i < 20; ++i) {
    EXPECT(holds(&held[i], "held"));
    utan_value_release(&held[i]);
  }
  EXPECT(table_holds(table, "k", "HELD"));
}

static void test_snapshots_and_iterators(utan_store* store, utan_table* table) {
  utan_store* snapshot = NULL;
  utan_store* second = NULL;
  utan_table* early = NULL;
  utan_iterator* iterator = NULL;
  utan_value key;
  utan_value value;
  uint64_t count = 0;
  unsigned seen = 0;

  EXPECT_CODE(put(table, "0", "early"), UTAN_OK);
  EXPECT_CODE(put(table, "1", "early"), UTAN_OK);
  EXPECT_CODE(put(table, "2", "early"), UTAN_OK);
  EXPECT_CODE(utan_table_erase(table, "k", 1), UTAN_OK);
  EXPECT_CODE(utan_snapshot(store, &snapshot), UTAN_OK);
  EXPECT(utan_is_snapshot(snapshot) && !utan_is_snapshot(store));
  EXPECT_CODE(utan_table_iterate(table, &iterator), UTAN_OK);
  EXPECT_CODE(put(table, "1", "late"), UTAN_OK);
  EXPECT_CODE(put(table, "3", "late"), UTAN_OK);

  while (utan_iterator_next(iterator, &key, &value) == UTAN_OK) {
    EXPECT(key.size == 1 && holds(&value, "early"));
    seen |= 1u << (*(const char*)key.data - '0');
  }
  EXPECT(seen == 7);
  EXPECT_CODE(utan_iterator_next(iterator, &key, &value), UTAN_NOT_FOUND);
  utan_iterator_close(iterator);
  EXPECT_CODE(utan_table_iterate(table, &iterator), UTAN_OK);
  EXPECT_CODE(utan_iterator_next(iterator, NULL, &value), UTAN_OK);
  EXPECT_CODE(utan_iterator_next(iterator, &key, NULL), UTAN_OK);
  EXPECT_CODE(utan_iterator_next(iterator, NULL, NULL), UTAN_OK);
  EXPECT_CODE(utan_iterator_next(iterator, NULL, NULL), UTAN_OK);
  EXPECT_CODE(utan_iterator_next(iterator, NULL, NULL), UTAN_NOT_FOUND);
  utan_iterator_close(iterator);

  EXPECT_CODE(utan_table_open(snapshot, "t", 1, 1, &early), UTAN_OK);
  EXPECT(table_holds(early, "1", "early"));
  EXPECT_CODE(utan_table_contains(early, "3", 1), UTAN_NOT_FOUND);
  EXPECT_CODE(utan_table_count(early, &count), UTAN_OK);
  EXPECT(count == 3);
  EXPECT_ERROR(put(early, "1", "x"), UTAN_READ_ONLY, "snapshot");
  EXPECT_CODE(utan_table_erase(early, "1", 1), UTAN_READ_ONLY);
  EXPECT_CODE(utan_sync(snapshot), UTAN_READ_ONLY);
  EXPECT_CODE(utan_table_iterate(early, &iterator), UTAN_OK);
  for (seen = 0; utan_iterator_next(iterator, &key, NULL) == UTAN_OK;) ++seen;
  EXPECT(seen == 3);
  utan_iterator_close(iterator);
  utan_table_close(early);
  EXPECT_ERROR(utan_table_open(snapshot, "u", 1, 1, &early), UTAN_NOT_FOUND, "snapshot");
  /* A snapshot of a snapshot is of the same moment, and outlives it. */
  EXPECT_CODE(utan_snapshot(snapshot, &second), UTAN_OK);
  EXPECT_CODE(utan_close(snapshot), UTAN_OK);
  EXPECT_CODE(utan_table_open(second, "t", 1, 0, &early), UTAN_OK);
  EXPECT(table_holds(early, "1", "early") && table_holds(table, "1", "late"));
  utan_table_close(early);
  EXPECT_CODE(utan_close(second), UTAN_OK);
}

static void test_table_names(utan_store* store) {
  static char name[4097];
  utan_table* table = NULL;
  memset(name, 'n', sizeof name);
  EXPECT_CODE(utan_table_open(store, NULL, 0, 0, &table), UTAN_NOT_FOUND);
  EXPECT_CODE(utan_table_open(store, NULL, 0, 1, &table), UTAN_OK);
  EXPECT_CODE(put(table, "k", "of the table without a name"), UTAN_OK);
  utan_table_close(table);
  EXPECT_CODE(utan_table_open(store, name, 4096, 1, &table), UTAN_OK);
  EXPECT_CODE(utan_table_contains(table, "k", 1), UTAN_NOT_FOUND);
  utan_table_close(table);
  EXPECT_ERROR(utan_table_open(store, name, 4097, 1, &table), UTAN_TOO_LARGE, "4096");
  EXPECT(table == NULL);
  EXPECT_CODE(utan_table_open(store, "", 0, 0, &table), UTAN_OK);
  EXPECT(table_holds(table, "k", "of the table without a name"));
  utan_table_close(table);
}

static void test_fork(utan_store* store, utan_table* table) {
  utan_store* snapshot = NULL;
  utan_table* early = NULL;
  utan_value value;
  pid_t child;
  int status = -1;
  EXPECT_CODE(put(table, "k", "of the parent"), UTAN_OK);
  EXPECT_CODE(utan_snapshot(store, &snapshot), UTAN_OK);
  EXPECT_CODE(utan_table_open(snapshot, "t", 1, 0, &early), UTAN_OK);
  child = fork();
  if (child == 0) {
    EXPECT(table_holds(table, "k", "of the parent"));
    EXPECT_CODE(put(table, "k", "of the child"), UTAN_OK);
    EXPECT_ERROR(utan_table_get(early, "k", 1, &value), UTAN_CLOSED, "child");
    utan_table_close(early);
    EXPECT_CODE(utan_close(snapshot), UTAN_OK);
    utan_table_close(table);
    EXPECT_CODE(utan_close(store), UTAN_OK);
    _exit(failures != 0);
  }
  EXPECT(waitpid(child, &status, 0) == child && status == 0);
  EXPECT(table_holds(table, "k", "of the child") && table_holds(early, "k", "of the parent"));
  utan_table_close(early);
  EXPECT_CODE(utan_close(snapshot), UTAN_OK);
}

int main(void) {
  utan_store* store = NULL;
  utan_table* table = NULL;
  if (mkdtemp(folder) == NULL) {
    perror(folder);
    return 2;
  }
  test_names_and_version();
  test_open_refused();
  test_options_of_other_versions();
  test_modes();
  EXPECT_CODE(utan_open(in_folder("s.utan"), NULL, &store), UTAN_OK);
  EXPECT_CODE(utan_table_open(store, "t", 1, 1, &table), UTAN_OK);
  if (failures == 0) {
    test_stats(store);
    test_keys_and_values(table);
    test_large_values(table);
    test_values_stay(store, table);
    test_snapshots_and_iterators(store, table);
    test_table_names(store);
    test_fork(store, table);
    utan_table_close(table);
    EXPECT_CODE(utan_close(store), UTAN_OK);
  }
  remove_folder();
  if (failures != 0) fprintf(stderr, "%d failures\n", failures);
  return failures != 0;
}
