// Tkrzw HashDBM: a hash table in a memory-mapped file, for the threads of one writing process or for many that read.
#include <tkrzw_dbm_hash.h>
#include <tkrzw_file_mmap.h>

#include "../systems.h"
#include "tkrzw.h"

namespace bench {
namespace {

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
    tkrzw_must(dbm_.OpenAdvanced(place.directory + "/store.tkh", access != Access::read, options, tuning));
  }
  void close() { tkrzw_must(dbm_.Close()); }

  void put(std::string_view key, std::string_view value) { tkrzw_must(dbm_.Set(key, value)); }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    TkrzwReader<std::remove_reference_t<Use>> reader(use);
    tkrzw_must(dbm_.Process(key, &reader, false));
    return reader.is_found();
  }
  bool erase(std::string_view key) {
    const tkrzw::Status status = dbm_.Remove(key);
    if (status == tkrzw::Status::NOT_FOUND_ERROR) return false;
    tkrzw_must(status);
    return true;
  }
  template <class Use>
  void each(Use&& use) {
    TkrzwEachReader<std::remove_reference_t<Use>> reader(use);
    tkrzw_must(dbm_.ProcessEach(&reader, false));
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
