// Berkeley DB: a hash table or a B-tree in pages, with a log and locks that many processes share.
#include <db.h>

#include <algorithm>
#include <limits>
#include <string>

#include "../systems.h"

namespace bench {
namespace {

void berkeley_must(int code) {
  if (code != 0) fail(std::string("berkeleydb: ") + db_strerror(code));
}

// Nothing is synced by anybody here; Berkeley DB would do so at each checkpoint.
int sync_nothing(int) { return 0; }

DBT to_dbt(std::string_view bytes) {
  DBT out{};
  out.data = const_cast<char*>(bytes.data());
  out.size = static_cast<u_int32_t>(bytes.size());
  return out;
}
std::string_view to_view(const DBT& dbt) { return {static_cast<const char*>(dbt.data), dbt.size}; }

template <DBTYPE kType>
class BerkeleyDb {
 public:
  void open(const Place& place, Access access) {
    berkeley_must(db_env_set_func_fsync(sync_nothing));
    berkeley_must(db_env_create(&environment_, 0));
    const std::size_t cache = cache_size(place);
    berkeley_must(environment_->set_cachesize(environment_, static_cast<u_int32_t>(cache >> 30),
                                              static_cast<u_int32_t>(cache & ((1u << 30) - 1)), 1));
    berkeley_must(environment_->set_lg_bsize(environment_, 4u << 20));
    berkeley_must(environment_->set_lg_max(environment_, 64u << 20));
    berkeley_must(environment_->set_lk_detect(environment_, DB_LOCK_DEFAULT));
    // A batch of a million records holds a lock on each page that it fills.
    berkeley_must(environment_->set_lk_max_locks(environment_, kLockCountMax));
    berkeley_must(environment_->set_lk_max_objects(environment_, kLockCountMax));
    berkeley_must(environment_->log_set_config(environment_, DB_LOG_AUTO_REMOVE, 1));
    berkeley_must(environment_->set_flags(environment_, DB_TXN_WRITE_NOSYNC, 1));
    berkeley_must(environment_->open(
        environment_, place.directory.c_str(),
        DB_CREATE | DB_INIT_MPOOL | DB_INIT_LOCK | DB_INIT_LOG | DB_INIT_TXN | DB_REGISTER | DB_RECOVER, 0644));
    berkeley_must(db_create(&database_, environment_, 0));
    if (kType == DB_HASH) {
      berkeley_must(database_->set_h_nelem(database_, static_cast<u_int32_t>(place.record_count_max)));
    }
    berkeley_must(database_->open(database_, nullptr, "store.berkeleydb", nullptr, kType,
                                  DB_AUTO_COMMIT | (access == Access::create ? DB_CREATE | DB_EXCL : 0), 0644));
    buffer_.resize(4096);
  }
  void close() {
    berkeley_must(database_->close(database_, 0));
    berkeley_must(environment_->txn_checkpoint(environment_, 0, 0, DB_FORCE));
    berkeley_must(environment_->close(environment_, 0));
  }

  void put(std::string_view key, std::string_view value) {
    DBT k = to_dbt(key);
    DBT v = to_dbt(value);
    berkeley_must(until_no_deadlock([&] { return database_->put(database_, batch_, &k, &v, 0); }));
    checkpoint_if_due();
  }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    DBT k = to_dbt(key);
    DBT v = buffer();
    int code = until_no_deadlock([&] { return database_->get(database_, nullptr, &k, &v, 0); });
    if (code == DB_BUFFER_SMALL) {
      buffer_.resize(v.size);
      return get(key, use);
    }
    if (code == DB_NOTFOUND) return false;
    berkeley_must(code);
    use(to_view(v));
    return true;
  }
  bool erase(std::string_view key) {
    DBT k = to_dbt(key);
    const int code = until_no_deadlock([&] { return database_->del(database_, nullptr, &k, 0); });
    if (code == DB_NOTFOUND) return false;
    berkeley_must(code);
    checkpoint_if_due();
    return true;
  }
  template <class Use>
  void each(Use&& use) {
    walk({}, DB_FIRST, std::numeric_limits<std::uint64_t>::max(), use);
  }
  template <class Use>
  void range(std::string_view low, std::uint64_t count, Use&& use) {
    walk(low, DB_SET_RANGE, count, use);
  }
  void batch_begin() { berkeley_must(environment_->txn_begin(environment_, nullptr, &batch_, 0)); }
  void batch_add(std::string_view key, std::string_view value) { put(key, value); }
  void batch_end() {
    berkeley_must(batch_->commit(batch_, 0));
    batch_ = nullptr;
    checkpoint_if_due();
  }

 private:
  static constexpr u_int32_t kLockCountMax = 200'000;
  static constexpr u_int32_t kCheckpointKib = 64u << 10;  // of log, after which a checkpoint is due
  static constexpr unsigned kWritesPerQuestion = 4096;    // whether one is
  static constexpr std::size_t kWalkBufferSize = 64 << 10;
  static constexpr std::size_t kShortBufferSize = 16 << 10;  // for up to kShortCount records at once
  static constexpr std::uint64_t kShortCount = 100;

  // Another process had locks that this one's were waiting for, and the other way round: this one was chosen to try again.
  // Not within a batch, which would have to begin anew, and which nobody disturbs.
  template <class Call>
  int until_no_deadlock(Call&& call) {
    for (;;) {
      const int code = call();
      if (code != DB_LOCK_DEADLOCK || batch_ != nullptr) return code;
    }
  }
  // Without it the log would grow for ever; programs have a thread for it.
  void checkpoint_if_due() {
    if (batch_ != nullptr || ++write_count_ % kWritesPerQuestion != 0) return;
    berkeley_must(environment_->txn_checkpoint(environment_, kCheckpointKib, 0, 0));
  }
  DBT buffer() {
    DBT out{};
    out.data = buffer_.data();
    out.ulen = static_cast<u_int32_t>(buffer_.size());
    out.flags = DB_DBT_USERMEM;
    return out;
  }

  // By pages full of records, which is several times as fast as one by one. After a deadlock in the middle it goes on behind
  // what was handed over already.
  template <class Use>
  void walk(std::string_view low, u_int32_t first, std::uint64_t count, Use& use) {
    std::string at(low);
    // As much as a short range may have, because a page is copied whole, wanted or not.
    walk_buffer_.resize(std::max(walk_buffer_.size(), kWalkBufferSize));
    DBC* cursor = nullptr;
    berkeley_must(database_->cursor(database_, nullptr, &cursor, DB_CURSOR_BULK));
    DBT k = to_dbt(at);
    u_int32_t move = first;
    std::size_t size = count <= kShortCount ? kShortBufferSize : walk_buffer_.size();
    int code = 0;
    while (count > 0) {
      DBT v{};
      v.flags = DB_DBT_USERMEM;
      v.data = walk_buffer_.data();
      v.ulen = static_cast<u_int32_t>(size);
      code = cursor->get(cursor, &k, &v, move | DB_MULTIPLE_KEY);
      if (code == DB_BUFFER_SMALL) {
        size = (std::size_t{v.size} + 2047) & ~std::size_t{1023};  // a multiple of 1,024, as it must be
        walk_buffer_.resize(std::max(walk_buffer_.size(), size));
        code = 0;
        continue;
      }
      if (code != 0) break;
      at = hand_over(v, count, use) + '\0';
      move = DB_NEXT;
    }
    berkeley_must(cursor->close(cursor));
    if (code == DB_LOCK_DEADLOCK) return walk(at, move == first ? first : DB_SET_RANGE, count, use);
    if (code != DB_NOTFOUND) berkeley_must(code);
  }
  // Returns the last key.
  template <class Use>
  static std::string hand_over(DBT& v, std::uint64_t& count, Use& use) {
    std::string_view last;
    void* place = nullptr;
    DB_MULTIPLE_INIT(place, &v);
    while (count > 0) {
      void* key = nullptr;
      void* value = nullptr;
      std::size_t key_size = 0;
      std::size_t value_size = 0;
      DB_MULTIPLE_KEY_NEXT(place, &v, key, key_size, value, value_size);
      if (place == nullptr) break;
      use(std::string_view(static_cast<const char*>(key), key_size),
          std::string_view(static_cast<const char*>(value), value_size));
      --count;
      last = {static_cast<const char*>(key), key_size};
    }
    return std::string(last);
  }

  DB_ENV* environment_ = nullptr;
  DB* database_ = nullptr;
  DB_TXN* batch_ = nullptr;
  unsigned write_count_ = 0;
  std::string buffer_;
  std::string walk_buffer_;
};

std::string version() {
  return std::to_string(DB_VERSION_MAJOR) + "." + std::to_string(DB_VERSION_MINOR) + "." +
         std::to_string(DB_VERSION_PATCH);
}

constexpr const char* kSettings =
    "transactions with DB_TXN_WRITE_NOSYNC (log written at each commit, not synced), fsync replaced by nothing, a "
    "checkpoint "
    "per 64 MiB of log, old logs removed, cache that holds all (300 bytes per record, at least 256 MiB), deadlocks "
    "detected "
    "and tried again, DB_REGISTER with recovery; reads copy into a buffer that is kept";

}  // namespace

System berkeleydb_system() {
  return {.name = "berkeleydb",
          .version = version(),
          .settings = std::string("DB_HASH, told the number of records; ") + kSettings,
          .kind = System::Kind::store,
          .shares_readers = true,
          .shares_writer = true,
          .round_count_max = kPeerRoundCount,
          .record_count_max = kSlowRecordCount,
          .make = make_runner<BerkeleyDb<DB_HASH>>};
}

OrderedSystem berkeleydb_ordered_system() {
  return {.name = "berkeleydb",
          .version = version(),
          .settings = std::string("DB_BTREE; ") + kSettings +
                      "; scans by DB_MULTIPLE_KEY with 64 KiB at once, short ones with 16",
          .kind = System::Kind::store,
          .shares_readers = true,
          .shares_writer = true,
          .round_count_max = kPeerRoundCount,
          .record_count_max = kSlowRecordCount,
          .make = make_ordered_runner<BerkeleyDb<DB_BTREE>>};
}

}  // namespace bench
