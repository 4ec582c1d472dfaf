// Tkrzw HashDBM: a hash table in a memory-mapped file, for the threads of one writing process or for many that read.
#include <tkrzw_dbm_hash.h>
#include <tkrzw_file_mmap.h>

#include "../systems.h"
#include "tkrzw.h"

namespace bench {
namespace {

class TkrzwHash : public TkrzwStore<tkrzw::HashDBM> {
 public:
  void open(const Place& place, Access access) {
    Tuning tuning = plain_tuning();
    tuning.offset_width = 4;
    tuning.align_pow = 3;
    tuning.num_buckets = static_cast<std::int64_t>(place.record_count_max * 2);
    // One read brings a whole record; the default of 48 bytes would take two, and is a tenth slower.
    tuning.min_read_size = 128;
    open_file(place.directory + "/store.tkh", access, tuning);
  }
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
          .shares_threads = true,
          .make = make_runner<TkrzwHash>};
}

}  // namespace bench
