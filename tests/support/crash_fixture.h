// The three tests of crashes, of whatever Subject (crash_run.h). Each prints its seed and what it has looked at.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include "base/types.h"
#include "os/sim/machine.h"
#include "os/sim/random.h"
#include "support/crash_opening.h"
#include "support/crash_plan.h"
#include "support/crash_run.h"
#include "support/store_fixture.h"

namespace utan::test {

// Addresses that a simulated machine has: as many as the coordination file may need.
constexpr ByteCount crash_reservation{std::uint64_t{256} << 20};

inline std::uint64_t printed_seed() {
  const std::uint64_t seed = seed_of_run();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

// Random runs until so many images were looked at.
template <class Subject>
void crash_at_any_point(std::uint64_t image_count) {
  const std::uint64_t seed = printed_seed();
  CrashTally tally;
  for (std::uint64_t i = 0; tally.images < image_count && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("replay with UTAN_SEED=" + std::to_string(seed + i));
    const AnnouncedSeed announced(seed + i);
    os::sim::Random random(seed + i);
    const CrashPlan plan = random_plan(random);
    os::sim::Machine machine(random.next(), crash_reservation);
    CrashRun<Subject>(machine, random.next(), plan, tally).go();
  }
  tally.print("crashes");
}

// Each sequence again and again: each time another of its calls fails.
template <class Subject>
void fail_every_call(std::uint64_t sequence_count) {
  const std::uint64_t seed = printed_seed();
  CrashTally tally;
  for (std::uint64_t i = 0; i < sequence_count && !::testing::Test::HasFailure(); ++i) {
    CrashPlan plan;
    plan.operations = 50;
    plan.sync_one_in = 12;
    plan.images_max = 2;
    plan.image_factor = 40;
    plan.two_processes = (seed + i) % 3 == 1;
    const std::uint64_t images_before = tally.images;
    bool more = true;
    for (plan.fail_call = 0; more && !::testing::Test::HasFailure(); ++plan.fail_call) {
      SCOPED_TRACE("replay with UTAN_SEED=" + std::to_string(seed + i) + ", call " + std::to_string(plan.fail_call));
      if (tally.images - images_before > 1000) plan.images_max = 0;  // the last calls that fail do without
      const AnnouncedSeed announced(seed + i);
      os::sim::Machine machine(seed + i, crash_reservation);
      CrashRun<Subject> run(machine, seed + i, plan, tally);
      run.go();
      more = run.failure_met();
    }
  }
  tally.print("failing calls");
}

// Random runs with disks that are full for a while.
template <class Subject>
void fill_disks(std::uint64_t run_count) {
  const std::uint64_t seed = printed_seed();
  CrashTally tally;
  for (std::uint64_t i = 0; i < run_count && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("replay with UTAN_SEED=" + std::to_string(seed + i));
    const AnnouncedSeed announced(seed + i);
    os::sim::Random random(seed + i);
    CrashPlan plan = random_plan(random);
    plan.fail_call = ~std::uint64_t{0};
    plan.full_disks = true;
    plan.images_max = 10;
    os::sim::Machine machine(random.next(), crash_reservation);
    CrashRun<Subject>(machine, random.next(), plan, tally).go();
  }
  tally.print("full disks");
}

}  // namespace utan::test
