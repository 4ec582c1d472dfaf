// SQLite: a B-tree of records in a file with a write-ahead log; any number of processes, one of which writes at a time.
#include <sqlite3.h>

#include <limits>
#include <string>

#include "../systems.h"

namespace bench {
namespace {

// Longer than any other process holds the lock.
constexpr int kBusyTimeoutMs = 60'000;
constexpr std::size_t kInIndexSizeMax = 200;

class Sqlite {
 public:
  void open(const Place& place, Access access) {
    const std::string path = place.directory + "/store.sqlite";
    const int flags = (access == Access::read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) |
                      (access == Access::create ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOMUTEX;
    must(sqlite3_open_v2(path.c_str(), &database_, flags, nullptr));
    must(sqlite3_busy_timeout(database_, kBusyTimeoutMs));
    // The cache is counted in KiB when it is negative.
    run("PRAGMA cache_size = -" + std::to_string(cache_size(place) >> 10));
    run("PRAGMA mmap_size = " + std::to_string(std::size_t{1} << 36));
    run("PRAGMA temp_store = MEMORY");
    if (access != Access::read) {
      run("PRAGMA journal_mode = WAL");
      run("PRAGMA synchronous = OFF");
    }
    // Records in the index itself are best where several fit a page, as its documentation says, and bad where none does.
    const std::string where = place.value_size <= kInIndexSizeMax ? "WITHOUT ROWID" : "";
    if (access == Access::create) run("CREATE TABLE record (key BLOB PRIMARY KEY, value BLOB) " + where);
    prepare(&get_, "SELECT value FROM record WHERE key = ?1");
    prepare(&range_, "SELECT key, value FROM record WHERE key >= ?1 ORDER BY key LIMIT ?2");
    if (access == Access::read) return;
    prepare(&put_, "INSERT INTO record VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value");
    prepare(&erase_, "DELETE FROM record WHERE key = ?1");
  }
  void close() {
    for (sqlite3_stmt* statement : {get_, range_, put_, erase_}) sqlite3_finalize(statement);
    must(sqlite3_close(database_));
  }

  void put(std::string_view key, std::string_view value) {
    bind(put_, 1, key);
    bind(put_, 2, value);
    step_once(put_);
  }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    bind(get_, 1, key);
    const int code = sqlite3_step(get_);
    if (code == SQLITE_ROW) use(column(get_, 0));
    must(sqlite3_reset(get_));
    return code == SQLITE_ROW;
  }
  bool erase(std::string_view key) {
    bind(erase_, 1, key);
    step_once(erase_);
    return sqlite3_changes(database_) > 0;
  }
  template <class Use>
  void each(Use&& use) {
    range({}, std::numeric_limits<std::int64_t>::max(), use);
  }
  template <class Use>
  void range(std::string_view low, std::uint64_t count, Use&& use) {
    // A null pointer would bind NULL, with which nothing compares.
    bind(range_, 1, low.data() == nullptr ? std::string_view("") : low);
    must(sqlite3_bind_int64(range_, 2, static_cast<sqlite3_int64>(count)));
    while (sqlite3_step(range_) == SQLITE_ROW) use(column(range_, 0), column(range_, 1));
    must(sqlite3_reset(range_));
  }
  void batch_begin() { run("BEGIN IMMEDIATE"); }
  void batch_add(std::string_view key, std::string_view value) { put(key, value); }
  void batch_end() { run("COMMIT"); }

 private:
  void must(int code) {
    if (code != SQLITE_OK) [[unlikely]]
      fail(std::string("sqlite: ") + sqlite3_errmsg(database_));
  }
  void run(const std::string& text) { must(sqlite3_exec(database_, text.c_str(), nullptr, nullptr, nullptr)); }
  void prepare(sqlite3_stmt** statement, const char* text) {
    must(sqlite3_prepare_v3(database_, text, -1, SQLITE_PREPARE_PERSISTENT, statement, nullptr));
  }
  // The bytes must stay until the statement is reset.
  void bind(sqlite3_stmt* statement, int index, std::string_view bytes) {
    must(sqlite3_bind_blob64(statement, index, bytes.data(), bytes.size(), SQLITE_STATIC));
  }
  // Runs a statement without rows. What went wrong is what reset says.
  void step_once(sqlite3_stmt* statement) {
    (void)sqlite3_step(statement);
    must(sqlite3_reset(statement));
  }
  static std::string_view column(sqlite3_stmt* statement, int index) {
    const void* const data = sqlite3_column_blob(statement, index);
    return {static_cast<const char*>(data), static_cast<std::size_t>(sqlite3_column_bytes(statement, index))};
  }

  sqlite3* database_ = nullptr;
  sqlite3_stmt* get_ = nullptr;
  sqlite3_stmt* range_ = nullptr;
  sqlite3_stmt* put_ = nullptr;
  sqlite3_stmt* erase_ = nullptr;
};

constexpr const char* kSettings =
    "one table (key BLOB PRIMARY KEY, value BLOB), WITHOUT ROWID up to 200 bytes; journal_mode WAL, synchronous OFF, "
    "checkpoints of 1,000 "
    "pages (default), cache_size that holds all (300 bytes per record, at least 256 MiB), the file mapped (mmap_size "
    "64 GiB), "
    "prepared statements, each its own transaction";

}  // namespace

System sqlite_system() {
  return {.name = "sqlite",
          .version = sqlite3_libversion(),
          .settings = kSettings,
          .kind = System::Kind::store,
          .shares_readers = true,
          .shares_writer = true,
          .round_count_max = kPeerRoundCount,
          .record_count_max = kSlowRecordCount,
          .make = make_runner<Sqlite>};
}

OrderedSystem sqlite_ordered_system() {
  return {.name = "sqlite",
          .version = sqlite3_libversion(),
          .settings = std::string(kSettings) + "; sorted records are loaded by the same statement in one transaction",
          .kind = System::Kind::store,
          .shares_readers = true,
          .shares_writer = true,
          .round_count_max = kPeerRoundCount,
          .record_count_max = kSlowRecordCount,
          .make = make_ordered_runner<Sqlite>};
}

}  // namespace bench
