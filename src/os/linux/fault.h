// Faults: what becomes of an access to mapped memory whose page cannot be had, because somebody made the file shorter, or
// because the disk failed or is full. The kernel says SIGBUS, which ends a program that expects none.
//
// Here the page becomes one of zeroes that is this process's alone, and the mapping is lost: `is_lost` says so, and a word
// that somebody watches becomes 0 before the access goes on. What reads the zeroes finds no block among them; what would
// write for others looks at the word first. A fault outside the ranges that are known here is left to whoever handled
// SIGBUS before, or to the kernel.
//
// Thread safety: all functions by any thread at once; the handler takes no lock and allocates nothing. Complexity: a fault
// looks at every known range, a few hundred at most. Each fault in a range replaces twice as many pages as the one before,
// so that a range of n pages has log2(n) faults.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace utan::os::linux_os {

// A range of addresses that is looked after. Places are reused and never freed, so that the handler may walk them at any
// time.
struct WatchedRange {
  std::atomic<std::uintptr_t> begin{0};  // 0: none; written last
  std::atomic<std::size_t> size{0};
  std::atomic<std::uint64_t> faults{0};
  std::atomic<std::atomic<std::uint64_t>*> word{nullptr};  // becomes 0 with the first
  std::atomic<bool> is_taken{false};
  WatchedRange* next = nullptr;
};

// Begins to look after a range that has just been mapped. Null: there is no memory for it, or no handler could be set; the
// range is then as any other.
WatchedRange* watch_range(void* begin, std::size_t size);
// As a fault in it would. Answers how many there were before.
std::uint64_t lose_range(WatchedRange& range);
// Before it is unmapped.
void forget_range(WatchedRange* range);

}  // namespace utan::os::linux_os
