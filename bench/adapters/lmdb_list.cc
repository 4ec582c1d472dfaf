// A list emulated on LMDB: integer keys that are positions.
#include <cstring>
#include <utility>

#include "../systems.h"
#include "lmdb.h"

namespace bench {
namespace {

std::string_view view_of(const std::uint64_t& word) { return {reinterpret_cast<const char*>(&word), sizeof word}; }
std::string_view view_of(const std::int64_t& word) { return {reinterpret_cast<const char*>(&word), sizeof word}; }

std::int64_t element_of(std::string_view bytes) {
  std::int64_t element = 0;
  if (bytes.size() != sizeof element) fail("lmdb: an element of a wrong size");
  std::memcpy(&element, bytes.data(), sizeof element);
  return element;
}

// Writes `carried` to where the cursor stands and what was there to the next place, and so on to the end; returns what
// is left over.
std::int64_t shift(MDB_cursor* cursor, std::uint64_t first, std::int64_t carried) {
  MDB_val k = to_val(view_of(first));
  MDB_val v{};
  int code = mdb_cursor_get(cursor, &k, &v, MDB_SET_KEY);
  for (; code == MDB_SUCCESS; code = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
    const std::int64_t written = std::exchange(carried, element_of(to_view(v)));
    MDB_val replacement = to_val(view_of(written));
    lmdb_must(mdb_cursor_put(cursor, &k, &replacement, MDB_CURRENT));
  }
  if (code != MDB_NOTFOUND) lmdb_must(code);
  return carried;
}

class LmdbList {
 public:
  void open(const Place& place, Access access) { lmdb_.open(place, access); }
  void close() { lmdb_.close(); }
  void append(std::int64_t element) {
    lmdb_.write([&](MDB_txn* txn, MDB_dbi dbi) { put_last(txn, dbi, element); });
    ++count_;
  }
  std::int64_t get(std::uint64_t index) {
    std::int64_t element = 0;
    if (!lmdb_.get(view_of(index), [&](std::string_view bytes) { element = element_of(bytes); })) {
      fail("lmdb: no such element");
    }
    return element;
  }
  void insert(std::uint64_t index, std::int64_t element) {
    lmdb_.write([&](MDB_txn* txn, MDB_dbi dbi) {
      std::int64_t last = element;
      if (index < count_) {
        MDB_cursor* cursor = nullptr;
        lmdb_must(mdb_cursor_open(txn, dbi, &cursor));
        last = shift(cursor, index, element);
        mdb_cursor_close(cursor);
      }
      put_last(txn, dbi, last);
    });
    ++count_;
  }
  template <class Use>
  void each(Use&& use) {
    lmdb_.each([&use](std::string_view, std::string_view bytes) { use(element_of(bytes)); });
  }

 private:
  void put_last(MDB_txn* txn, MDB_dbi dbi, std::int64_t element) const {
    MDB_val k = to_val(view_of(count_));
    MDB_val v = to_val(view_of(element));
    lmdb_must(mdb_put(txn, dbi, &k, &v, MDB_APPEND));
  }

  Lmdb lmdb_{MDB_INTEGERKEY};
  std::uint64_t count_ = 0;  // the benchmark opens a list once
};

}  // namespace

ListSystem lmdb_list_system() {
  return {
      .name = "lmdb",
      .version = lmdb_version(),
      .settings = std::string(kLmdbSettings) +
                  "; no lists: MDB_INTEGERKEY, keyed by position, appended with MDB_APPEND; an insertion moves every "
                  "later element by one, in one transaction, by a cursor and MDB_CURRENT",
      .kind = System::Kind::store,
      .make = make_list_runner<LmdbList>};
}

}  // namespace bench
