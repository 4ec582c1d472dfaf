// The systems under test, each defined in its own file in adapters/.
#pragma once

#include <vector>

#include "document_runner.h"
#include "list_runner.h"
#include "ordered_runner.h"
#include "runner.h"

namespace bench {

System control_system();
System absl_system();
System std_system();
System tkrzw_system();
System lmdb_system();

OrderedSystem control_ordered_system();
OrderedSystem std_ordered_system();
OrderedSystem tkrzw_ordered_system();
OrderedSystem lmdb_ordered_system();

ListSystem control_list_system();
ListSystem std_list_system();
ListSystem tkrzw_list_system();
ListSystem lmdb_list_system();

DocumentSystem control_document_system();
DocumentSystem lmdb_document_system();

#ifdef UTAN_BENCH_HAS_UTAN
System utan_system();
OrderedSystem utan_ordered_system();
ListSystem utan_list_system();
DocumentSystem utan_document_system();
#endif

// The control first, then Utan (if it is built in), then its peers.
inline std::vector<System> all_systems() {
  return {control_system(),
#ifdef UTAN_BENCH_HAS_UTAN
          utan_system(),
#endif
          absl_system(),    std_system(), tkrzw_system(), lmdb_system()};
}

inline std::vector<OrderedSystem> all_ordered_systems() {
  return {control_ordered_system(),
#ifdef UTAN_BENCH_HAS_UTAN
          utan_ordered_system(),
#endif
          std_ordered_system(), tkrzw_ordered_system(), lmdb_ordered_system()};
}

inline std::vector<ListSystem> all_list_systems() {
  return {control_list_system(),
#ifdef UTAN_BENCH_HAS_UTAN
          utan_list_system(),
#endif
          std_list_system(), tkrzw_list_system(), lmdb_list_system()};
}

inline std::vector<DocumentSystem> all_document_systems() {
  return {control_document_system(),
#ifdef UTAN_BENCH_HAS_UTAN
          utan_document_system(),
#endif
          lmdb_document_system()};
}

}  // namespace bench
