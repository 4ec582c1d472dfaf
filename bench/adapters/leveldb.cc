// LevelDB: the log-structured merge tree from which RocksDB came. For the threads of one process.
#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>

#include <limits>
#include <memory>
#include <string>

#include "../systems.h"

namespace bench {
namespace {

void leveldb_must(const leveldb::Status& status) {
  if (!status.ok()) fail("leveldb: " + status.ToString());
}

leveldb::Slice to_slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view to_view(const leveldb::Slice& slice) { return {slice.data(), slice.size()}; }

// A database and what it was given and does not own. The database goes first.
struct Opened {
  std::unique_ptr<leveldb::Cache> cache;
  std::unique_ptr<const leveldb::FilterPolicy> filter;
  std::unique_ptr<leveldb::DB> database;
};

class LevelDb {
 public:
  void open(const Place& place, Access access) {
    opened_ = std::make_shared<Opened>();
    opened_->cache.reset(leveldb::NewLRUCache(cache_size(place)));
    opened_->filter.reset(leveldb::NewBloomFilterPolicy(10));
    leveldb::Options options;
    options.create_if_missing = access == Access::create;
    options.error_if_exists = access == Access::create;
    options.compression = leveldb::kNoCompression;
    options.block_cache = opened_->cache.get();
    options.filter_policy = opened_->filter.get();
    options.write_buffer_size = std::size_t{64} << 20;
    options.max_file_size = std::size_t{64} << 20;
    leveldb::DB* database = nullptr;
    leveldb_must(leveldb::DB::Open(options, place.directory + "/store.leveldb", &database));
    opened_->database.reset(database);
    database_ = database;
  }
  void join(const LevelDb& first) {
    opened_ = first.opened_;
    database_ = first.database_;
  }
  void close() { opened_.reset(); }

  void put(std::string_view key, std::string_view value) {
    leveldb_must(database_->Put(writing_, to_slice(key), to_slice(value)));
  }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    const leveldb::Status status = database_->Get(reading_, to_slice(key), &found_);
    if (status.IsNotFound()) return false;
    leveldb_must(status);
    use(std::string_view(found_));
    return true;
  }
  // Does not look whether the key is there: no program would, and the check after the phase does.
  bool erase(std::string_view key) {
    leveldb_must(database_->Delete(writing_, to_slice(key)));
    return true;
  }
  template <class Use>
  void each(Use&& use) {
    range({}, std::numeric_limits<std::uint64_t>::max(), use);
  }
  template <class Use>
  void range(std::string_view low, std::uint64_t count, Use&& use) {
    const std::unique_ptr<leveldb::Iterator> iterator(database_->NewIterator(reading_));
    for (iterator->Seek(to_slice(low)); count > 0 && iterator->Valid(); iterator->Next(), --count) {
      use(to_view(iterator->key()), to_view(iterator->value()));
    }
    leveldb_must(iterator->status());
  }
  void batch_begin() { batch_.Clear(); }
  void batch_add(std::string_view key, std::string_view value) { batch_.Put(to_slice(key), to_slice(value)); }
  void batch_end() { leveldb_must(database_->Write(writing_, &batch_)); }

 private:
  std::shared_ptr<Opened> opened_;
  leveldb::DB* database_ = nullptr;  // of opened_
  leveldb::WriteOptions writing_;    // sync is off
  leveldb::ReadOptions reading_;
  std::string found_;
  leveldb::WriteBatch batch_;
};

std::string version() { return std::to_string(leveldb::kMajorVersion) + "." + std::to_string(leveldb::kMinorVersion); }

constexpr const char* kSettings =
    "log written at each commit, not synced; no compression; block cache that holds all (300 bytes per record, at "
    "least "
    "256 MiB), Bloom filters of 10 bits, write buffer and files of 64 MiB, one background thread on the same cores, "
    "whose "
    "work counts; reads copy into a string that is kept; erases without looking";

}  // namespace

System leveldb_system() {
  return {.name = "leveldb",
          .version = version(),
          .settings = kSettings,
          .kind = System::Kind::store,
          .shares_threads = true,
          .round_count_max = kPeerRoundCount,
          .record_count_max = kSlowRecordCount,
          .make = make_runner<LevelDb>};
}

OrderedSystem leveldb_ordered_system() {
  return {.name = "leveldb",
          .version = version(),
          .settings = std::string(kSettings) + "; an iterator per scan; sorted records are loaded by WriteBatch",
          .kind = System::Kind::store,
          .shares_threads = true,
          .round_count_max = kPeerRoundCount,
          .record_count_max = kSlowRecordCount,
          .make = make_ordered_runner<LevelDb>};
}

}  // namespace bench
