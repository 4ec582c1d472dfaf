// RocksDB: a log-structured merge tree. One process writes it, with any number of threads; others may read a copy of what
// was there when they opened it.
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/slice.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string>

#include "../systems.h"

namespace bench {
namespace {

void rocksdb_must(const rocksdb::Status& status) {
  if (!status.ok()) fail("rocksdb: " + status.ToString());
}

rocksdb::Slice to_slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view to_view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

rocksdb::Options rocksdb_options(const Place& place) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(cache_size(place));
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  rocksdb::Options options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kNoCompression;
  options.max_open_files = -1;
  // What is not there is known without a search of the newest records, too.
  options.memtable_whole_key_filtering = true;
  options.memtable_prefix_bloom_size_ratio = 0.1;
  options.IncreaseParallelism(2);
  return options;
}

class RocksDb {
 public:
  void open(const Place& place, Access access) {
    const std::string path = place.directory + "/store.rocksdb";
    rocksdb::Options options = rocksdb_options(place);
    options.create_if_missing = access == Access::create;
    options.error_if_exists = access == Access::create;
    rocksdb::DB* opened = nullptr;
    rocksdb_must(access == Access::read ? rocksdb::DB::OpenForReadOnly(options, path, &opened)
                                        : rocksdb::DB::Open(options, path, &opened));
    database_.reset(opened);
  }
  void join(const RocksDb& first) { database_ = first.database_; }
  void close() {
    found_.Reset();
    rocksdb_must(database_->Close());
    database_.reset();
  }

  void put(std::string_view key, std::string_view value) {
    rocksdb_must(database_->Put(writing_, to_slice(key), to_slice(value)));
  }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    found_.Reset();
    const rocksdb::Status status = database_->Get(reading_, database_->DefaultColumnFamily(), to_slice(key), &found_);
    if (status.IsNotFound()) return false;
    rocksdb_must(status);
    use(to_view(found_));
    return true;
  }
  // Does not look whether the key is there: no program would, and the check after the phase does.
  bool erase(std::string_view key) {
    rocksdb_must(database_->Delete(writing_, to_slice(key)));
    return true;
  }
  template <class Use>
  void each(Use&& use) {
    range({}, std::numeric_limits<std::uint64_t>::max(), use);
  }
  template <class Use>
  void range(std::string_view low, std::uint64_t count, Use&& use) {
    const std::unique_ptr<rocksdb::Iterator> iterator(database_->NewIterator(reading_));
    for (iterator->Seek(to_slice(low)); count > 0 && iterator->Valid(); iterator->Next(), --count) {
      use(to_view(iterator->key()), to_view(iterator->value()));
    }
    rocksdb_must(iterator->status());
  }
  void batch_begin() { batch_.Clear(); }
  void batch_add(std::string_view key, std::string_view value) {
    rocksdb_must(batch_.Put(to_slice(key), to_slice(value)));
  }
  void batch_end() { rocksdb_must(database_->Write(writing_, &batch_)); }

 private:
  std::shared_ptr<rocksdb::DB> database_;
  rocksdb::WriteOptions writing_;  // sync is off
  rocksdb::ReadOptions reading_;
  rocksdb::PinnableSlice found_;  // stays where it lies in the cache until the next read
  rocksdb::WriteBatch batch_;
};

std::string version() {
  return std::to_string(ROCKSDB_MAJOR) + "." + std::to_string(ROCKSDB_MINOR) + "." + std::to_string(ROCKSDB_PATCH);
}

constexpr const char* kSettings =
    "log written at each commit, not synced; no compression; block cache that holds all (300 bytes per record, at "
    "least "
    "256 MiB), Bloom filters of 10 bits and of the newest records, hash index in blocks, two background threads on the "
    "same cores, whose work counts; "
    "read in place by PinnableSlice; erases without looking";

}  // namespace

System rocksdb_system() {
  return {.name = "rocksdb",
          .version = version(),
          .settings = std::string(kSettings) + "; readers of other processes by OpenForReadOnly",
          .kind = System::Kind::store,
          .shares_readers = true,
          .shares_threads = true,
          .round_count_max = kPeerRoundCount,
          .record_count_max = kSlowRecordCount,
          .make = make_runner<RocksDb>};
}

OrderedSystem rocksdb_ordered_system() {
  return {.name = "rocksdb",
          .version = version(),
          .settings = std::string(kSettings) + "; an iterator per scan; sorted records are loaded by WriteBatch",
          .kind = System::Kind::store,
          .shares_threads = true,
          .round_count_max = kPeerRoundCount,
          .record_count_max = kSlowRecordCount,
          .make = make_ordered_runner<RocksDb>};
}

}  // namespace bench
