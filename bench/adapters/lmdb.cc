// LMDB: a copy-on-write B+ tree in a memory-mapped file; many reading processes, one writer at a time.
#include <lmdb.h>

#include <algorithm>

#include "../systems.h"

namespace bench {
namespace {

void must(int code) {
  if (code != MDB_SUCCESS) fail(std::string("lmdb: ") + mdb_strerror(code));
}

MDB_val to_val(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
std::string_view to_view(const MDB_val& val) { return {static_cast<const char*>(val.mv_data), val.mv_size}; }

class Lmdb {
 public:
  void open(const Place& place, Access access) {
    must(mdb_env_create(&env_));
    // The map is an address range and, with MDB_WRITEMAP, the apparent size of a sparse file: large costs nothing.
    must(mdb_env_set_mapsize(env_, std::max<std::size_t>(std::size_t{1} << 30, place.record_count_max * 4096)));
    // MDB_WRITEMAP with MDB_NOSYNC is what its documentation calls fastest: no write call, nothing flushed. (Without
    // MDB_WRITEMAP a commit takes 12 us.) The other flags are measured to be worth little.
    const unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NOSYNC | MDB_NOMETASYNC | MDB_NORDAHEAD | MDB_NOMEMINIT |
                           (access == Access::read ? MDB_RDONLY : MDB_WRITEMAP);
    must(mdb_env_open(env_, (place.directory + "/store.lmdb").c_str(), flags, 0644));
    must(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader_));
    must(mdb_dbi_open(reader_, nullptr, 0, &dbi_));
    mdb_txn_reset(reader_);
  }
  void close() {
    mdb_txn_abort(reader_);
    mdb_env_close(env_);
  }

  void put(std::string_view key, std::string_view value) {
    MDB_txn* txn = nullptr;
    must(mdb_txn_begin(env_, nullptr, 0, &txn));
    MDB_val k = to_val(key);
    MDB_val v = to_val(value);
    must(mdb_put(txn, dbi_, &k, &v, 0));
    must(mdb_txn_commit(txn));
  }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    must(mdb_txn_renew(reader_));
    MDB_val k = to_val(key);
    MDB_val v{};
    const int code = mdb_get(reader_, dbi_, &k, &v);
    if (code == MDB_SUCCESS) use(to_view(v));
    mdb_txn_reset(reader_);
    if (code == MDB_NOTFOUND) return false;
    must(code);
    return true;
  }
  bool erase(std::string_view key) {
    MDB_txn* txn = nullptr;
    must(mdb_txn_begin(env_, nullptr, 0, &txn));
    MDB_val k = to_val(key);
    const int code = mdb_del(txn, dbi_, &k, nullptr);
    if (code == MDB_NOTFOUND) {
      mdb_txn_abort(txn);
      return false;
    }
    must(code);
    must(mdb_txn_commit(txn));
    return true;
  }
  template <class Use>
  void each(Use&& use) {
    must(mdb_txn_renew(reader_));
    MDB_cursor* cursor = nullptr;
    must(mdb_cursor_open(reader_, dbi_, &cursor));
    MDB_val k{};
    MDB_val v{};
    int code = MDB_SUCCESS;
    while ((code = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == MDB_SUCCESS) use(to_view(k), to_view(v));
    mdb_cursor_close(cursor);
    mdb_txn_reset(reader_);
    if (code != MDB_NOTFOUND) must(code);
  }

 private:
  MDB_env* env_ = nullptr;
  MDB_txn* reader_ = nullptr;
  MDB_dbi dbi_ = 0;
};

}  // namespace

System lmdb_system() {
  return {.name = "lmdb",
          .version = std::to_string(MDB_VERSION_MAJOR) + "." + std::to_string(MDB_VERSION_MINOR) + "." +
                     std::to_string(MDB_VERSION_PATCH),
          .settings =
              "MDB_NOSYNC | NOMETASYNC | WRITEMAP | NOTLS | NORDAHEAD | NOMEMINIT | NOSUBDIR, map 4 KiB per "
              "record; one transaction per write, one reader transaction renewed per get; readers of other "
              "processes MDB_RDONLY",
          .kind = System::Kind::store,
          .shares_readers = true,
          .shares_writer = true,
          .make = make_runner<Lmdb>};
}

}  // namespace bench
