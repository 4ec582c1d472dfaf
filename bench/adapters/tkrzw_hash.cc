// Tkrzw HashDBM: a hash table in a memory-mapped file, for the threads of one writing process or for many that read.
#include <tkrzw_dbm_hash.h>
#include <tkrzw_file_mmap.h>

#include "../systems.h"

namespace bench {
namespace {

void must(const tkrzw::Status& status) {
  if (!status.IsOK()) fail("tkrzw: " + tkrzw::ToString(status));
}

// Hands a value to `Use` where it lies, without the copy that Get makes.
template <class Use>
class Reader final : public tkrzw::DBM::RecordProcessor {
 public:
  explicit Reader(Use& use) : use_(use) {}
  std::string_view ProcessFull(std::string_view, std::string_view value) override {
    use_(value);
    is_found_ = true;
    return NOOP;
  }
  [[nodiscard]] bool is_found() const { return is_found_; }

 private:
  Use& use_;
  bool is_found_ = false;
};

template <class Use>
class EachReader final : public tkrzw::DBM::RecordProcessor {
 public:
  explicit EachReader(Use& use) : use_(use) {}
  std::string_view ProcessFull(std::string_view key, std::string_view value) override {
    use_(key, value);
    return NOOP;
  }

 private:
  Use& use_;
};

class TkrzwHash {
 public:
  void open(const Place& place, Access access) {
    tkrzw::HashDBM::TuningParameters tuning;
    tuning.update_mode = tkrzw::HashDBM::UPDATE_IN_PLACE;
    tuning.record_crc_mode = tkrzw::HashDBM::RECORD_CRC_NONE;
    tuning.record_comp_mode = tkrzw::HashDBM::RECORD_COMP_NONE;
    tuning.offset_width = 4;
    tuning.align_pow = 3;
    tuning.num_buckets = static_cast<std::int64_t>(place.record_count_max * 2);
    tuning.restore_mode = tkrzw::HashDBM::RESTORE_NOOP;
    // One read brings a whole record; the default of 48 bytes would take two, and is a tenth slower.
    tuning.min_read_size = 128;
    const std::int32_t options = access == Access::create ? tkrzw::File::OPEN_TRUNCATE : tkrzw::File::OPEN_NO_CREATE;
    must(dbm_.OpenAdvanced(place.directory + "/store.tkh", access != Access::read, options, tuning));
  }
  void close() { must(dbm_.Close()); }

  void put(std::string_view key, std::string_view value) { must(dbm_.Set(key, value)); }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    Reader<std::remove_reference_t<Use>> reader(use);
    must(dbm_.Process(key, &reader, false));
    return reader.is_found();
  }
  bool erase(std::string_view key) {
    const tkrzw::Status status = dbm_.Remove(key);
    if (status == tkrzw::Status::NOT_FOUND_ERROR) return false;
    must(status);
    return true;
  }
  template <class Use>
  void each(Use&& use) {
    EachReader<std::remove_reference_t<Use>> reader(use);
    must(dbm_.ProcessEach(&reader, false));
  }

 private:
  tkrzw::HashDBM dbm_;
};

}  // namespace

System tkrzw_system() {
  return {.name = "tkrzw",
          .version = tkrzw::PACKAGE_VERSION,
          .settings =
              "HashDBM, MemoryMapParallelFile, num_buckets = 2 x records, offset_width 4, align_pow 3, update in "
              "place, no CRC, no compression, min_read_size 128, restore mode NOOP (no recovery after a kill); "
              "read in place by Process",
          .kind = System::Kind::store,
          .shares_readers = true,
          .make = make_runner<TkrzwHash>};
}

}  // namespace bench
