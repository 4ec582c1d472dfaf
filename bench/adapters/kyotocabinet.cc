// Kyoto Cabinet: a hash table, or a B+ tree over one, in a file, for the threads of one process or for processes that only
// read. Tkrzw is by the same author and newer.
#include <kchashdb.h>

#include <limits>
#include <memory>
#include <string>
#include <type_traits>

#include "../systems.h"

namespace bench {
namespace {

// Hands a record to `Use` where it lies. `kWithKey`: use(key, value) instead of use(value).
template <class Use, bool kWithKey>
class KyotoReader final : public kyotocabinet::DB::Visitor {
 public:
  explicit KyotoReader(Use& use) : use_(use) {}
  const char* visit_full(const char* key, std::size_t key_size, const char* value, std::size_t value_size,
                         std::size_t*) override {
    is_found_ = true;
    if constexpr (kWithKey) {
      use_(std::string_view(key, key_size), std::string_view(value, value_size));
    } else {
      use_(std::string_view(value, value_size));
    }
    return NOP;
  }
  [[nodiscard]] bool is_found() const { return is_found_; }

 private:
  Use& use_;
  bool is_found_ = false;
};

template <class Database>
class KyotoStore {
 public:
  void join(const KyotoStore& first) { database_ = first.database_; }
  void close() {
    must(database_->close());
    database_.reset();
  }
  void put(std::string_view key, std::string_view value) {
    must(database_->set(key.data(), key.size(), value.data(), value.size()));
  }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    KyotoReader<std::remove_reference_t<Use>, false> reader(use);
    must(database_->accept(key.data(), key.size(), &reader, false));
    return reader.is_found();
  }
  bool erase(std::string_view key) {
    if (database_->remove(key.data(), key.size())) return true;
    if (database_->error().code() == kyotocabinet::BasicDB::Error::NOREC) return false;
    must(false);
    return false;  // not reached
  }
  template <class Use>
  void each(Use&& use) {
    KyotoReader<std::remove_reference_t<Use>, true> reader(use);
    must(database_->iterate(&reader, false));
  }

 protected:
  void must(bool is_done) {
    if (!is_done) [[unlikely]]
      fail(std::string("kyotocabinet: ") + database_->error().name() + ": " + database_->error().message());
  }
  // All of the file is mapped; `path` as the kind of database wants it.
  void open_file(const std::string& path, const Place& place, Access access) {
    must(database_->tune_map(static_cast<std::int64_t>(cache_size(place))));
    must(database_->tune_buckets(static_cast<std::int64_t>(place.record_count_max * 2)));
    must(database_->open(path, access == Access::create ? Database::OWRITER | Database::OCREATE | Database::OTRUNCATE
                               : access == Access::read ? Database::OREADER
                                                        : Database::OWRITER));
  }

  std::shared_ptr<Database> database_;
};

class KyotoHash : public KyotoStore<kyotocabinet::HashDB> {
 public:
  void open(const Place& place, Access access) {
    database_ = std::make_shared<kyotocabinet::HashDB>();
    open_file(place.directory + "/store.kch", place, access);
  }
};

class KyotoTree : public KyotoStore<kyotocabinet::TreeDB> {
 public:
  void open(const Place& place, Access access) {
    database_ = std::make_shared<kyotocabinet::TreeDB>();
    must(database_->tune_page_cache(static_cast<std::int64_t>(cache_size(place))));
    open_file(place.directory + "/store.kct", place, access);
  }
  template <class Use>
  void range(std::string_view low, std::uint64_t count, Use&& use) {
    KyotoReader<std::remove_reference_t<Use>, true> reader(use);
    const std::unique_ptr<kyotocabinet::TreeDB::Cursor> cursor(database_->cursor());
    bool is_there = cursor->jump(low.data(), low.size());
    for (; is_there && count > 0; --count) is_there = cursor->accept(&reader, false, true);
    // Behind the last record there is none, which is no error.
    must(is_there || database_->error().code() == kyotocabinet::BasicDB::Error::NOREC);
  }

  // Transactions of Kyoto Cabinet copy every page that they touch into a log: a commit for each record is faster.
  void batch_begin() {}
  void batch_add(std::string_view key, std::string_view value) { put(key, value); }
  void batch_end() {}
};

}  // namespace

System kyotocabinet_system() {
  return {.name = "kyotocabinet",
          .version = kyotocabinet::VERSION,
          .settings =
              "HashDB, buckets = 2 x records, all of the file mapped, no compression, no transactions (what was in "
              "the middle of a change at a kill is repaired by rebuilding on opening); read in place by a visitor",
          .kind = System::Kind::store,
          .shares_readers = true,
          .shares_threads = true,
          .round_count_max = kPeerRoundCount,
          .make = make_runner<KyotoHash>};
}

OrderedSystem kyotocabinet_ordered_system() {
  return {.name = "kyotocabinet",
          .version = kyotocabinet::VERSION,
          .settings =
              "TreeDB, pages of 8,192 bytes (default), all of them cached in memory and written when closed, all of "
              "the file mapped, no compression; sorted records are set one by one",
          .kind = System::Kind::store,
          .shares_threads = true,
          .round_count_max = kPeerRoundCount,
          .make = make_ordered_runner<KyotoTree>};
}

}  // namespace bench
