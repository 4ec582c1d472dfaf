// What may happen in a run of a crash test, whatever the store in it holds: the kinds of crashes, how often a point is
// looked at, which calls may fail, how sectors are torn, and the count of what was looked at. crash_run.h runs by it.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/step.h"
#include "format/layout.h"
#include "os/sim/machine.h"
#include "os/sim/random.h"

namespace utan::test {

constexpr unsigned crash_depth_max = 3;  // crashes one after the other, each in what follows the one before

enum class Crash {
  power,       // one of the possible disks
  power_torn,  // the same, and sectors of the header and of the checkpoints that were being written are half written
  power_old_lock,  // the same, and the coordination file is there as it was some time ago
  power_no_lock,   // the same, and there is none
  reboot,          // everything reached the disk
  kill,            // all processes are gone, the boot goes on
  kill_no_lock,    // the same, and the coordination file was deleted
};
inline const char* crash_name(Crash crash) {
  constexpr const char* names[] = {"power",  "power_torn", "power_old_lock", "power_no_lock",
                                   "reboot", "kill",       "kill_no_lock"};
  return names[static_cast<int>(crash)];
}

// `in_checkpoint`: a slot was written, and is not known to be durable; that is of interest to those that come after a
// kill. `has_old_lock`: there is a coordination file of some time ago.
inline Crash random_crash(os::sim::Random& random, bool in_checkpoint, bool has_old_lock) {
  const std::uint64_t chosen = random.below(in_checkpoint ? 30 : 16);
  switch (chosen < 16 ? chosen : chosen < 24 ? 1 : 4) {
    case 0:
      return Crash::reboot;
    case 1:
    case 2:
    case 3:
      return Crash::kill;
    case 4:
      return Crash::kill_no_lock;
    case 5:
      return has_old_lock ? Crash::power_old_lock : Crash::power;
    case 6:
      return Crash::power_no_lock;
    case 7:
    case 8:
      return Crash::power_torn;
    default:
      return Crash::power;
  }
}

// Header and checkpoint slots of a store are written in place. The simulated disk writes sectors whole; a real one may
// leave a mixture of what the last complete flush had written and what came after it.
class CrashPrefix {
 public:
  // As it is now; empty: there is no store.
  static std::vector<std::byte> of(const os::sim::Machine& machine, const std::string& path) {
    if (!machine.exists(path)) return {};
    std::vector<std::byte> bytes = machine.content(path);
    bytes.resize(std::min<std::size_t>(bytes.size(), format::regions_offset));
    return bytes;
  }

  const std::vector<std::byte>& flushed() const { return flushed_; }
  void set_flushed(std::vector<std::byte> prefix) { flushed_ = std::move(prefix); }
  void flush_began(std::vector<std::byte> prefix) { flushing_ = std::move(prefix); }
  void flush_ended() { flushed_ = flushing_; }
  // Another file is made in its place.
  void forget() {
    flushing_.clear();
    flushed_.clear();
  }

  // Half writes in `image`, which a crash left, what has changed since the last complete flush up to `now`.
  void tear(os::sim::Machine& image, const std::string& path, const std::vector<std::byte>& now,
            os::sim::Random& random) const {
    if (now.empty() || now.size() != flushed_.size() || !image.exists(path)) return;
    std::vector<std::byte> bytes = image.content(path);
    constexpr std::size_t sector = 512;
    for (std::size_t at = 0; at + sector <= now.size(); at += sector) {
      if (std::memcmp(&now[at], &flushed_[at], sector) == 0 || random.one_in(3)) continue;
      for (std::size_t i = at; i < at + sector; i += 8)
        std::memcpy(&bytes[i], random.one_in(2) ? &now[i] : &flushed_[i], 8);
    }
    image.restore_in_place(path, bytes);
  }

 private:
  std::vector<std::byte> flushing_;  // when the flush under way began
  std::vector<std::byte> flushed_;   // when the last complete one did
};

// What all runs of a test share.
struct CrashTally {
  std::uint64_t images = 0;
  std::map<std::string, std::uint64_t> at_point;
  std::map<std::string, std::uint64_t> of_crash;
  std::uint64_t of_depth[crash_depth_max + 1] = {};
  std::uint64_t calls_failed = 0;

  void print(const char* title) const {
    std::printf("%s: %llu images", title, static_cast<unsigned long long>(images));
    for (const auto& [name, count] : of_crash)
      std::printf(", %s %llu", name.c_str(), static_cast<unsigned long long>(count));
    std::printf("\n  by depth:");
    for (unsigned i = 1; i <= crash_depth_max; ++i) std::printf(" %llu", static_cast<unsigned long long>(of_depth[i]));
    std::printf("; calls that failed: %llu\n  by point:", static_cast<unsigned long long>(calls_failed));
    for (const auto& [name, count] : at_point)
      std::printf(" %s %llu", name.c_str(), static_cast<unsigned long long>(count));
    std::printf("\n");
  }
};

// How often a point is looked at: those that come by with every operation seldom, the others nearly always.
struct Odds {
  std::uint64_t image;     // an image once in so many times
  std::uint64_t capture;   // what the disk may get is recorded once in so many times
  std::uint64_t overtake;  // another process works meanwhile once in so many times
};
inline Odds odds_of(Step step) {
  if (step >= Step::checkpoint_pinned && step <= Step::checkpoint_published) return {1, 1, 3};
  if (step >= Step::close_checkpointed && step <= Step::close_flagged) return {1, 1, 5};
  if (step == Step::recover_started || step == Step::recover_slot_chosen) return {12, 12, 5};
  if (step == Step::grow_allocated || step == Step::grow_published) return {2, 2, 5};
  if (step == Step::header_half_written || step == Step::attach_marked) return {1, 1, 5};
  if (step >= Step::attach_byte_locked && step <= Step::attach_coordination_renamed) return {8, 8, 5};
  if (step >= Step::adopt_byte_locked && step <= Step::adopt_entry_cleared) return {8, 8, 5};
  if (step >= Step::wait_counted && step <= Step::wait_taken) return {60, 30, 60};
  if (step >= Step::drain_counted && step <= Step::drain_block_freed) return {400, 200, 500};
  return {200, 70, 150};
}
inline Odds odds_of(os::sim::CallKind kind) {
  using os::sim::CallKind;
  switch (kind) {
    case CallKind::flush:
    case CallKind::flush_end:
    case CallKind::flush_folder:
      return {1, 1, 0};
    case CallKind::rename_new:
    case CallKind::remove:
      return {2, 1, 0};
    case CallKind::allocate:
    case CallKind::write:
    case CallKind::rename:
      return {6, 3, 0};
    default:
      return {30, 15, 0};
  }
}

inline bool can_fail(os::sim::CallKind kind) {
  using os::sim::CallKind;
  switch (kind) {
    case CallKind::unlock:
    case CallKind::unlock_byte:
    case CallKind::close:
    case CallKind::match_ownership:
    case CallKind::sleep:
    case CallKind::futex_wait:
    case CallKind::futex_wake:
    // Where no boot can be told from another, a kill is a power cut and nobody else is let in: odd_users_test.
    case CallKind::boot_id:
      return false;
    default:
      return true;
  }
}
inline Error failure_of(const os::sim::Call& call) {
  const std::string what =
      std::string("this ") + os::sim::call_name(call.kind) + " of " + call.path + " fails in this test";
  if (call.kind == os::sim::CallKind::allocate) return {Code::no_space, ENOSPC, what};
  if (call.kind == os::sim::CallKind::map) return {Code::no_space, ENOMEM, what};
  return {Code::io, EIO, what};
}

// What happens in a run.
struct CrashPlan {
  std::uint64_t operations = 150;  // 0: only what a crash left is looked at
  std::uint64_t sync_one_in = 20;
  std::uint64_t images_max = 40;                // 0: no hooks
  std::uint64_t image_factor = 1;               // images are so many times rarer
  std::uint64_t fail_call = ~std::uint64_t{0};  // number of the call that fails, of those that can
  bool full_disks = false;                      // now and then the disk is full
  bool two_processes = false;
  std::uint64_t chunk_size = 64 * 1024;
};

// Says how to replay a run also where a failed check ends the whole program.
class AnnouncedSeed {
 public:
  explicit AnnouncedSeed(std::uint64_t seed) {
    length_ = std::snprintf(text_, sizeof text_, "the run that died: UTAN_SEED=%llu\n",
                            static_cast<unsigned long long>(seed));
    std::signal(SIGABRT, [](int) {
      if (::write(STDERR_FILENO, text_, static_cast<std::size_t>(length_)) < 0) return;
    });
  }
  AnnouncedSeed(const AnnouncedSeed&) = delete;
  AnnouncedSeed& operator=(const AnnouncedSeed&) = delete;
  ~AnnouncedSeed() { std::signal(SIGABRT, SIG_DFL); }

 private:
  static inline char text_[64] = "";
  static inline int length_ = 0;
};

inline CrashPlan random_plan(os::sim::Random& random) {
  CrashPlan plan;
  plan.operations = 20 + random.below(200);
  plan.sync_one_in = 4 + random.below(60);
  plan.images_max = 20 + random.below(40);
  plan.image_factor = 1 + random.below(8);
  plan.two_processes = random.one_in(3);
  plan.full_disks = random.one_in(8);
  if (random.one_in(3)) plan.fail_call = random.below(200);
  return plan;
}

// What is done in what a crash left, the `depth`-th of crashes one after the other.
inline CrashPlan plan_after_crash(os::sim::Random& random, unsigned depth, Crash crash, bool in_checkpoint) {
  const bool last = depth == crash_depth_max;
  // What a checkpoint that was not finished holds on to shows only after much work without another one.
  const bool long_work = !last && in_checkpoint && crash == Crash::kill;
  const bool on = long_work || random.one_in(depth == 1 ? 2 : 3);
  CrashPlan plan;
  plan.operations = long_work ? 150 : on ? 1 + random.below(random.one_in(3) ? 100 : 12) : 0;
  plan.sync_one_in = long_work ? 200 : 2 + random.below(30);
  const std::uint64_t nested_one_in = crash == Crash::kill_no_lock ? 2 : depth == 1 ? 4 : 3;
  plan.images_max = long_work || (!last && random.one_in(nested_one_in)) ? 3 : 0;
  if (long_work) plan.image_factor = 4;
  plan.two_processes = on && random.one_in(8);
  return plan;
}

}  // namespace utan::test
