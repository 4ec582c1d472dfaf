// The systems under test, each defined in its own file in adapters/.
#pragma once

#include <string>
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

// Peers that are measured where they were found when the benchmark was built: adapters/peers.cc.in has the lists.
System rocksdb_system();
System leveldb_system();
System sqlite_system();
System berkeleydb_system();
System kyotocabinet_system();
System boost_system();
System pogreb_system();

OrderedSystem rocksdb_ordered_system();
OrderedSystem leveldb_ordered_system();
OrderedSystem sqlite_ordered_system();
OrderedSystem berkeleydb_ordered_system();
OrderedSystem kyotocabinet_ordered_system();
OrderedSystem boost_ordered_system();

std::vector<System> found_systems();
std::vector<OrderedSystem> found_ordered_systems();

// A peer that could not be had, and why. The report names it.
struct MissingPeer {
  std::string name;
  std::string reason;
};
std::vector<MissingPeer> missing_peers();

#ifdef UTAN_BENCH_HAS_UTAN
System utan_system();
OrderedSystem utan_ordered_system();
ListSystem utan_list_system();
DocumentSystem utan_document_system();
#endif

// The control first, then Utan (if it is built in), then its peers.
inline std::vector<System> all_systems() {
  std::vector<System> systems = {control_system(),
#ifdef UTAN_BENCH_HAS_UTAN
                                 utan_system(),
#endif
                                 absl_system(),    std_system(), tkrzw_system(), lmdb_system()};
  const std::vector<System> found = found_systems();
  systems.insert(systems.end(), found.begin(), found.end());
  return systems;
}

inline std::vector<OrderedSystem> all_ordered_systems() {
  std::vector<OrderedSystem> systems = {control_ordered_system(),
#ifdef UTAN_BENCH_HAS_UTAN
                                        utan_ordered_system(),
#endif
                                        std_ordered_system(), tkrzw_ordered_system(), lmdb_ordered_system()};
  const std::vector<OrderedSystem> found = found_ordered_systems();
  systems.insert(systems.end(), found.begin(), found.end());
  return systems;
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
