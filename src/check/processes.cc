#include "check/processes.h"

#include <algorithm>

namespace utan::check {

using format::Coordination;
using format::Line;
using format::OwnerOfLine;

namespace {

void count_pin(const format::PinSlot& pin, Process& process) {
  const std::uint64_t number = pin.number.load(std::memory_order_relaxed);  // relaxed: only for a message
  if (number == format::pin_free) return;
  ++process.pins.value;
  if (number != format::pin_open && (!process.oldest_pin || number < process.oldest_pin.value))
    process.oldest_pin = CommitNumber{number};
}

void count_line(const Line& line, Process& process) {
  if (line.role.load(std::memory_order_relaxed) != static_cast<std::uint64_t>(format::LineRole::thread)) return;
  ++process.threads.value;
  for (const auto& pin : line.pins) count_pin(pin, process);
  for (const auto& extra : line.extra_pins) {
    for (const auto& pin : extra.pins) count_pin(pin, process);
  }
}

}  // namespace

std::vector<Process> processes_of(Coordination coordination) {
  std::vector<Process> out;
  for (std::uint32_t i = 0; i < format::process_entry_count; ++i) {
    const format::ProcessEntry& entry = coordination.entry(i);
    if ((entry.claim.load(std::memory_order_relaxed) & 1) == 0) continue;
    Process process;
    process.entry = i;
    process.process_id = entry.process_id.load(std::memory_order_relaxed);
    process.started = Nanoseconds{entry.started_ns.load(std::memory_order_relaxed)};
    process.read_only = (entry.flags.load(std::memory_order_relaxed) & 1) != 0;
    out.push_back(process);
  }
  const auto& fixed = coordination.fixed();
  const std::uint64_t lines = std::min({fixed.line_high.load(std::memory_order_relaxed),
                                        fixed.line_count.load(std::memory_order_relaxed), format::line_count_max});
  for (std::uint64_t i = 0; i < lines; ++i) {
    const OwnerOfLine owner{coordination.line(i).owner.load(std::memory_order_relaxed)};
    if (owner.word == 0) continue;
    const auto process =
        std::find_if(out.begin(), out.end(), [owner](const Process& one) { return one.entry == owner.entry(); });
    if (process != out.end()) count_line(coordination.line(i), *process);
  }
  return out;
}

Attendance attendance_of(Coordination coordination) {
  Attendance out;
  // acquire: what was done before somebody left or committed is seen.
  out.head = coordination.fixed().head.load(std::memory_order_acquire);
  for (std::uint32_t i = 0; i < format::process_entry_count; ++i) {
    const std::uint64_t claim = coordination.entry(i).claim.load(std::memory_order_acquire);
    out.present_count += claim & 1;
    out.generations += claim >> 1;
  }
  return out;
}

}  // namespace utan::check
