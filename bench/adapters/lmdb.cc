// LMDB's records in sections point, shared and ordered.
#include "lmdb.h"

#include "../systems.h"

namespace bench {

System lmdb_system() {
  return {.name = "lmdb",
          .version = lmdb_version(),
          .settings = std::string(kLmdbSettings) + "; readers of other processes MDB_RDONLY",
          .kind = System::Kind::store,
          .shares_readers = true,
          .shares_writer = true,
          .make = make_runner<Lmdb>};
}

OrderedSystem lmdb_ordered_system() {
  return {.name = "lmdb",
          .version = lmdb_version(),
          .settings = std::string(kLmdbSettings) +
                      "; one cursor for all scans; sorted records are loaded by a cursor with MDB_APPEND",
          .kind = System::Kind::store,
          .shares_readers = true,
          .shares_writer = true,
          .make = make_ordered_runner<Lmdb>};
}

}  // namespace bench
