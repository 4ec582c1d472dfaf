// The systems under test, each defined in its own file in adapters/.
#pragma once

#include <vector>

#include "runner.h"

namespace bench {

System control_system();
System absl_system();
System std_system();
System tkrzw_system();
System lmdb_system();
#ifdef UTAN_BENCH_HAS_UTAN
System utan_system();
#endif

// The control first, then Utan (if it is built in), then its peers.
inline std::vector<System> all_systems() {
  std::vector<System> systems;
  systems.push_back(control_system());
#ifdef UTAN_BENCH_HAS_UTAN
  systems.push_back(utan_system());
#endif
  systems.push_back(absl_system());
  systems.push_back(std_system());
  systems.push_back(tkrzw_system());
  systems.push_back(lmdb_system());
  return systems;
}

}  // namespace bench
