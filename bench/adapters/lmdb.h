// LMDB: a copy-on-write B+ tree in a memory-mapped file; many reading processes, one writer at a time. What the sections'
// adapters of it share.
#pragma once

#include <lmdb.h>

#include <algorithm>
#include <limits>
#include <string>

#include "../runner.h"

namespace bench {

inline void lmdb_must(int code) {
  if (code != MDB_SUCCESS) fail(std::string("lmdb: ") + mdb_strerror(code));
}

inline MDB_val to_val(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
inline std::string_view to_view(const MDB_val& val) { return {static_cast<const char*>(val.mv_data), val.mv_size}; }

class Lmdb {
 public:
  Lmdb() = default;
  explicit Lmdb(unsigned database_flags) : database_flags_(database_flags) {}

  void open(const Place& place, Access access) {
    lmdb_must(mdb_env_create(&env_));
    // The map is an address range and, with MDB_WRITEMAP, the apparent size of a sparse file: large costs nothing.
    lmdb_must(mdb_env_set_mapsize(
        env_, std::max<std::size_t>(std::size_t{1} << 30, place.record_count_max * (4096 + 2 * place.value_size))));
    // MDB_WRITEMAP with MDB_NOSYNC is what its documentation calls fastest: no write call, nothing flushed. (Without
    // MDB_WRITEMAP a commit takes 12 us.) The other flags are measured to be worth little.
    const unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NOSYNC | MDB_NOMETASYNC | MDB_NORDAHEAD | MDB_NOMEMINIT |
                           (access == Access::read ? MDB_RDONLY : MDB_WRITEMAP);
    lmdb_must(mdb_env_open(env_, (place.directory + "/store.lmdb").c_str(), flags, 0644));
    open_database(access);
    lmdb_must(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader_));
    lmdb_must(mdb_cursor_open(reader_, dbi_, &cursor_));
    mdb_txn_reset(reader_);
  }
  void close() {
    mdb_cursor_close(cursor_);
    mdb_txn_abort(reader_);
    mdb_env_close(env_);
  }

  void put(std::string_view key, std::string_view value) {
    MDB_txn* txn = nullptr;
    lmdb_must(mdb_txn_begin(env_, nullptr, 0, &txn));
    MDB_val k = to_val(key);
    MDB_val v = to_val(value);
    lmdb_must(mdb_put(txn, dbi_, &k, &v, 0));
    lmdb_must(mdb_txn_commit(txn));
  }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    lmdb_must(mdb_txn_renew(reader_));
    MDB_val k = to_val(key);
    MDB_val v{};
    const int code = mdb_get(reader_, dbi_, &k, &v);
    if (code == MDB_SUCCESS) use(to_view(v));
    mdb_txn_reset(reader_);
    if (code == MDB_NOTFOUND) return false;
    lmdb_must(code);
    return true;
  }
  bool erase(std::string_view key) {
    MDB_txn* txn = nullptr;
    lmdb_must(mdb_txn_begin(env_, nullptr, 0, &txn));
    MDB_val k = to_val(key);
    const int code = mdb_del(txn, dbi_, &k, nullptr);
    if (code == MDB_NOTFOUND) {
      mdb_txn_abort(txn);
      return false;
    }
    lmdb_must(code);
    lmdb_must(mdb_txn_commit(txn));
    return true;
  }
  template <class Use>
  void each(Use&& use) {
    walk({}, MDB_FIRST, std::numeric_limits<std::uint64_t>::max(), use);
  }

  // In order of the keys, for what needs it.
  template <class Use>
  void range(std::string_view low, std::uint64_t count, Use&& use) {
    walk(low, MDB_SET_RANGE, count, use);
  }
  void batch_begin() {
    lmdb_must(mdb_txn_begin(env_, nullptr, 0, &batch_));
    lmdb_must(mdb_cursor_open(batch_, dbi_, &batch_cursor_));
  }
  void batch_add(std::string_view key, std::string_view value) {
    MDB_val k = to_val(key);
    MDB_val v = to_val(value);
    lmdb_must(mdb_cursor_put(batch_cursor_, &k, &v, MDB_APPEND));
  }
  void batch_end() {
    mdb_cursor_close(batch_cursor_);
    lmdb_must(mdb_txn_commit(batch_));
  }
  // change(MDB_txn*, MDB_dbi), in one transaction.
  template <class Change>
  void write(Change&& change) {
    MDB_txn* txn = nullptr;
    lmdb_must(mdb_txn_begin(env_, nullptr, 0, &txn));
    change(txn, dbi_);
    lmdb_must(mdb_txn_commit(txn));
  }

 private:
  void open_database(Access access) {
    // Only flags that are to be kept need a transaction that writes.
    const unsigned flags = access == Access::create ? database_flags_ : 0;
    MDB_txn* txn = nullptr;
    lmdb_must(mdb_txn_begin(env_, nullptr, flags == 0 ? MDB_RDONLY : 0, &txn));
    lmdb_must(mdb_dbi_open(txn, nullptr, flags, &dbi_));
    lmdb_must(mdb_txn_commit(txn));
  }
  template <class Use>
  void walk(std::string_view low, MDB_cursor_op first, std::uint64_t count, Use& use) {
    lmdb_must(mdb_txn_renew(reader_));
    lmdb_must(mdb_cursor_renew(reader_, cursor_));
    MDB_val k = to_val(low);
    MDB_val v{};
    int code = mdb_cursor_get(cursor_, &k, &v, first);
    for (; code == MDB_SUCCESS; code = mdb_cursor_get(cursor_, &k, &v, MDB_NEXT)) {
      use(to_view(k), to_view(v));
      if (--count == 0) break;
    }
    mdb_txn_reset(reader_);
    if (code != MDB_NOTFOUND) lmdb_must(code);
  }

  unsigned database_flags_ = 0;
  MDB_env* env_ = nullptr;
  MDB_txn* reader_ = nullptr;
  MDB_cursor* cursor_ = nullptr;  // of reader_
  MDB_dbi dbi_ = 0;
  MDB_txn* batch_ = nullptr;
  MDB_cursor* batch_cursor_ = nullptr;
};

inline std::string lmdb_version() {
  return std::to_string(MDB_VERSION_MAJOR) + "." + std::to_string(MDB_VERSION_MINOR) + "." +
         std::to_string(MDB_VERSION_PATCH);
}

inline constexpr const char* kLmdbSettings =
    "MDB_NOSYNC | NOMETASYNC | WRITEMAP | NOTLS | NORDAHEAD | NOMEMINIT | NOSUBDIR, map 4 KiB per record; one "
    "transaction "
    "per write, one reader transaction renewed per read";

}  // namespace bench
