// Who has a store open, as its coordination file says.
//
// Thread safety: pure functions; all of it may change while it is read.
#pragma once

#include <cstdint>
#include <vector>

#include "base/types.h"
#include "format/coordination.h"

namespace utan::check {

struct Process {
  std::uint32_t entry = 0;
  std::uint64_t process_id = 0;
  Nanoseconds started;  // wall clock, when it attached
  bool read_only = false;
  Count threads;            // that have used the store
  Count pins;               // commits that it holds readable
  CommitNumber oldest_pin;  // 0: none
};

// One that was killed is among them until somebody takes over what it left.
std::vector<Process> processes_of(format::Coordination coordination);

// Has anybody come, gone, or committed between two looks?
struct Attendance {
  std::uint64_t head = 0;
  std::uint64_t present_count = 0;
  std::uint64_t generations = 0;  // of all entries: grows with each who comes
  bool operator==(const Attendance&) const = default;
};
Attendance attendance_of(format::Coordination coordination);

}  // namespace utan::check
