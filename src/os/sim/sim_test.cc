// Shows: every call of the simulated system is reported and can fail; killing a process ends its locks and its calls
// and nothing else; an administrator's doings; points; that files end where they end.
// Labels: tsan
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <thread>

#include "base/step.h"
#include "os/sim/machine.h"
#include "os/sim/points.h"

namespace utan::os::sim {
namespace {

std::unique_ptr<File> open(Process& process, const std::string& path, Creation creation = Creation::existing) {
  auto file = process.open(path, Access::read_write, creation, 0600);
  if (!file.ok()) {
    ADD_FAILURE() << file.error().message();
    std::abort();
  }
  return std::move(file).value();
}

// Makes every call once, and returns the codes of those that have one, by their kind.
std::map<CallKind, Code> call_everything(Process& process) {
  std::map<CallKind, Code> codes;
  auto file = open(process, "/a");
  std::byte byte{};
  const auto bytes = std::span(&byte, 1);
  codes[CallKind::file_status] = file->status().code();
  codes[CallKind::medium] = file->medium().code();
  codes[CallKind::read] = file->read(Offset{0}, bytes).code();
  codes[CallKind::write] = file->write(Offset{0}, bytes).code();
  codes[CallKind::allocate] = file->allocate(ByteCount{8192}).code();
  codes[CallKind::flush] = file->flush().code();
  codes[CallKind::flush_end] = codes[CallKind::flush];
  codes[CallKind::write_back] = file->write_back(Offset{0}, ByteCount{1}).code();
  codes[CallKind::map] = file->map(ByteCount{8192}, Access::read_write).code();
  codes[CallKind::lock] = file->try_lock(LockMode::shared).code();
  file->unlock();
  codes[CallKind::lock_byte] = file->try_lock_byte(0, LockMode::shared).code();
  file->unlock_byte(0);
  codes[CallKind::test_bytes] = file->others_hold_bytes(0, 1).code();
  codes[CallKind::status] = process.status("/a").code();
  codes[CallKind::resolve] = process.resolve("/a").code();
  codes[CallKind::rename_new] = process.rename_new("/b", "/c").code();
  codes[CallKind::rename] = process.rename("/c", "/b").code();
  codes[CallKind::flush_folder] = process.flush_folder_of("/b").code();
  process.match_ownership("/b", FileStatus{});
  codes[CallKind::remove] = process.remove("/b").code();
  process.sleep(milliseconds(1));
  std::atomic<std::uint32_t> word{0};
  process.futex_wait(word, 0, milliseconds(1));
  process.futex_wake_all(word);
  codes[CallKind::boot_id] = process.boot_id().has_value() ? Code::ok : Code::io;
  codes[CallKind::random] = process.random(bytes).code();
  codes[CallKind::private_memory] = process.private_memory(ByteCount{8192}).code();
  codes[CallKind::fork_sentinel] = process.fork_sentinel().code();
  codes[CallKind::at_fork] = process.at_fork_in_child([] {}).code();
  return codes;
}

TEST(SimFaults, EveryCallIsReportedAndCanFailAlone) {
  const auto prepare = [](Machine& machine) {
    const std::byte byte{1};
    machine.put_file("/a", std::span(&byte, 1));
    machine.put_file("/b", std::span(&byte, 1));
  };
  Machine machine{1};
  prepare(machine);
  std::set<CallKind> reported;
  std::uint64_t next = 0;
  machine.on_call([&](const Call& call) -> Error {
    EXPECT_EQ(call.number, next++);
    reported.insert(call.kind);
    return {};
  });
  for (const auto& [kind, code] : call_everything(machine.start_process())) {
    EXPECT_EQ(code, Code::ok) << call_name(kind);
  }
  machine.on_call({});
  EXPECT_EQ(machine.call_count(), next);
#define COUNT_ONE(name) +1
  EXPECT_EQ(reported.size(), std::size_t{0 UTAN_SIM_CALL_LIST(COUNT_ONE)}) << "a kind that is never reported";
#undef COUNT_ONE

  for (const CallKind failing : reported) {
    if (failing == CallKind::open) continue;  // Without it there is nothing to call; see below.
    Machine other{1};
    prepare(other);
    other.on_call([failing](const Call& call) -> Error {
      if (call.kind == failing) return Error{Code::io, EIO, "injected"};
      return {};
    });
    for (const auto& [kind, code] : call_everything(other.start_process())) {
      const bool same_call = kind == failing || (kind == CallKind::flush && failing == CallKind::flush_end) ||
                             (kind == CallKind::flush_end && failing == CallKind::flush);
      // Where there was no first rename there is nothing to rename back.
      const bool follows = kind == CallKind::rename && failing == CallKind::rename_new;
      const bool precedes = failing == CallKind::rename && (kind == CallKind::remove || kind == CallKind::flush_folder);
      if (follows || precedes) continue;
      EXPECT_EQ(code, same_call ? Code::io : Code::ok) << call_name(kind) << " while failing " << call_name(failing);
    }
    other.on_call({});
  }
}

TEST(SimFaults, AFailedCallDoesNothing) {
  Machine machine{1};
  Process& process = machine.start_process();
  machine.on_call([](const Call&) -> Error { return Error{Code::no_space, ENOSPC, "injected"}; });
  EXPECT_EQ(process.open("/a", Access::read_write, Creation::create_new, 0600).code(), Code::no_space);
  EXPECT_FALSE(machine.exists("/a"));
  machine.on_call({});
  const auto file = open(process, "/a", Creation::create_new);
  machine.on_call([](const Call&) -> Error { return Error{Code::no_space, ENOSPC, "injected"}; });
  EXPECT_EQ(file->allocate(ByteCount{4096}).code(), Code::no_space);
  machine.on_call({});
  EXPECT_EQ(file->status()->size, ByteCount{0});
}

// Each description of a file is told of it once, as Linux does.
TEST(SimFaults, AFailedFlushIsToldToAllWhoHaveTheFileOpen) {
  Machine machine{1};
  const auto file = open(machine.start_process(), "/a", Creation::create_new);
  const auto others = open(machine.start_process(), "/a");
  ASSERT_TRUE(file->allocate(ByteCount{4096}).ok());
  machine.on_call([](const Call& call) -> Error {
    return call.kind == CallKind::flush ? Error{Code::io, EIO, "injected"} : Error{};
  });
  EXPECT_EQ(file->flush().code(), Code::io);
  machine.on_call({});
  EXPECT_TRUE(file->flush().ok());
  EXPECT_EQ(others->flush().code(), Code::io);
  EXPECT_TRUE(others->flush().ok());
}

TEST(SimFaults, TheReservationIsTheLargestFile) {
  Machine machine{1, ByteCount{1 << 20}};
  Process& process = machine.start_process();
  const auto file = open(process, "/a", Creation::create_new);
  EXPECT_EQ(process.address_space_max(), ByteCount{1 << 20});
  EXPECT_EQ(file->map(ByteCount{2 << 20}, Access::read_write).code(), Code::no_space);
  EXPECT_TRUE(file->allocate(ByteCount{1 << 20}).ok());
  EXPECT_EQ(file->allocate(ByteCount{(1 << 20) + 1}).code(), Code::no_space);
  EXPECT_EQ(file->status()->size, ByteCount{1 << 20});
}

TEST(SimFaults, AFullDiskTakesNoMoreGrowthUntilThereIsRoom) {
  Machine machine{1};
  Process& process = machine.start_process();
  const auto file = open(process, "/a", Creation::create_new);
  machine.fill_disk_after(1, EDQUOT);
  ASSERT_TRUE(file->allocate(ByteCount{8192}).ok());
  const Result<void> refused = file->allocate(ByteCount{8193});
  EXPECT_EQ(refused.code(), Code::no_space);
  EXPECT_EQ(refused.error().system_error(), EDQUOT);
  std::byte bytes[16]{};
  EXPECT_EQ(file->write(Offset{8190}, bytes).code(), Code::no_space);
  EXPECT_EQ(file->status()->size.value, 8192U);
  EXPECT_TRUE(file->allocate(ByteCount{8192}).ok()) << "what is there already takes no room";
  EXPECT_TRUE(file->write(Offset{0}, bytes).ok());
  EXPECT_EQ(machine.growth_count(), 1U);
  EXPECT_EQ(machine.refused_growth_count(), 2U);
  machine.free_disk();
  EXPECT_TRUE(file->allocate(ByteCount{8193}).ok());
}

TEST(SimProcess, KillingEndsLocksAndCalls) {
  Machine machine{1};
  Process& first = machine.start_process();
  Process& second = machine.start_process();
  auto own = open(first, "/a", Creation::create_new);
  const auto own_other = open(first, "/a");
  const auto others = open(second, "/a");
  ASSERT_TRUE(*own->try_lock(LockMode::exclusive));
  ASSERT_TRUE(*own->try_lock_byte(1, LockMode::exclusive));
  ASSERT_TRUE(*own_other->try_lock_byte(2, LockMode::exclusive));
  ASSERT_TRUE(*others->try_lock_byte(3, LockMode::exclusive));
  EXPECT_FALSE(*own->try_lock_byte(2, LockMode::exclusive)) << "descriptions of one process are apart";
  first.kill();
  EXPECT_FALSE(first.alive());
  EXPECT_FALSE(*others->others_hold_bytes(0, 10));
  EXPECT_TRUE(*others->try_lock(LockMode::exclusive));
  for (const auto& [kind, code] : std::map<CallKind, Code>{
           {CallKind::write, own->write(Offset{0}, {}).code()},
           {CallKind::lock, own->try_lock(LockMode::shared).code()},
           {CallKind::lock_byte, own->try_lock_byte(9, LockMode::exclusive).code()},
           {CallKind::remove, first.remove("/a").code()},
           {CallKind::open, first.open("/b", Access::read_write, Creation::create_new, 0600).code()}}) {
    EXPECT_EQ(code, Code::io) << call_name(kind);
  }
  // What a destructor of the dead one would do is not done.
  own->unlock();
  own.reset();
  EXPECT_TRUE(machine.exists("/a"));
  EXPECT_EQ(own_other->others_hold_bytes(0, 1).code(), Code::io);
  EXPECT_TRUE(*others->try_lock_byte(1, LockMode::exclusive));
}

TEST(SimProcess, AThreadParksWhereItsProcessIsKilled) {
  // The parked thread stands in a call of the machine for ever: it is leaked, as the thread is.
  static auto& machine = *new Machine{1};
  static std::atomic<bool> killed{false};  // Outlives the thread's notify_all.
  killed.store(false);
  Process& victim = machine.start_process();
  const auto held = open(victim, "/a", Creation::create_new);
  ASSERT_TRUE(*held->try_lock_byte(0, LockMode::exclusive));
  machine.on_call([&](const Call& call) -> Error {
    if (&call.process == &victim && call.kind == CallKind::allocate) {
      victim.kill();
      killed.store(true);
      killed.notify_all();
      victim.kill_and_park();
    }
    return {};
  });
  auto* file = held.get();
  std::thread([file] {
    (void)file->allocate(ByteCount{4096});
    std::abort();  // Never reached.
  }).detach();
  killed.wait(false);
  Process& other = machine.start_process();
  const auto file_of_other = open(other, "/a");
  EXPECT_FALSE(*file_of_other->others_hold_bytes(0, 1));
  EXPECT_EQ(file_of_other->status()->size, ByteCount{0});
  machine.on_call({});
}

TEST(SimProcess, AForkIsPlayed) {
  Machine machine{1};
  Process& process = machine.start_process();
  const auto sentinel = process.fork_sentinel();
  static int handled;  // Handlers have no argument.
  handled = 0;
  ASSERT_TRUE(process.at_fork_in_child([] { ++handled; }).ok());
  EXPECT_NE(sentinel.value()->word().load(), 0U);
  process.become_fork_child();
  EXPECT_EQ(sentinel.value()->word().load(), 0U);
  EXPECT_EQ(handled, 1);
}

TEST(SimMachine, TimeStandsStillUnlessItIsMoved) {
  Machine machine{1};
  Process& process = machine.start_process();
  const auto start = process.monotonic_now();
  EXPECT_EQ(process.monotonic_now(), start);
  machine.advance(milliseconds(5));
  process.sleep(milliseconds(7));
  EXPECT_EQ(process.monotonic_now() - start, milliseconds(12));
  machine.set_wall(Nanoseconds{5});
  EXPECT_EQ(process.wall_now(), Nanoseconds{5});
  std::atomic<std::uint32_t> word{1};
  process.futex_wait(word, 0, milliseconds(1));
  EXPECT_EQ(process.monotonic_now() - start, milliseconds(12)) << "the word was another: no waiting";
  process.futex_wait(word, 1, milliseconds(1));
  EXPECT_EQ(process.monotonic_now() - start, milliseconds(13));
}

TEST(SimMachine, TheSameSeedGivesTheSameRun) {
  const auto run = [](std::uint64_t seed) {
    Machine machine{seed};
    Process& process = machine.start_process();
    std::array<std::byte, 24> bytes{};
    EXPECT_TRUE(process.random(bytes).ok());
    (void)machine.kill_image();
    (void)machine.reboot_image();
    std::array<std::byte, 24> more{};
    EXPECT_TRUE(process.random(more).ok());
    return std::tuple(*process.boot_id(), bytes, more);
  };
  EXPECT_EQ(run(3), run(3));
  EXPECT_NE(run(3), run(4));
}

TEST(SimMachine, AnAdministratorCopiesReplacesRemovesAndRestores) {
  Machine machine{1};
  Process& process = machine.start_process();
  const auto file = open(process, "/a", Creation::create_new);
  ASSERT_TRUE(file->allocate(ByteCount{8192}).ok());
  const auto mapping = file->map(ByteCount{1 << 20}, Access::read_write).value();
  std::memset(mapping->data(), 1, 8192);
  const auto earlier = machine.content("/a");
  machine.copy_file("/a", "/copy");
  EXPECT_NE(process.status("/copy")->identity, file->status()->identity);
  EXPECT_EQ(machine.content("/copy"), earlier);

  ASSERT_TRUE(file->allocate(ByteCount{16384}).ok());
  std::memset(mapping->data(), 2, 16384);
  machine.restore_in_place("/a", earlier);
  EXPECT_EQ(file->status()->size, ByteCount{8192});
  EXPECT_EQ(mapping->data()[8191], std::byte{1});
  ASSERT_TRUE(file->allocate(ByteCount{16384}).ok());
  EXPECT_EQ(mapping->data()[8192], std::byte{0}) << "what was cut off does not come back";
  EXPECT_EQ(machine.version_count("/a", 0), 1U);

  machine.rename_file("/copy", "/a");
  EXPECT_EQ(file->status()->link_count, 0U);
  EXPECT_NE(process.status("/a")->identity, file->status()->identity);
  machine.remove_file("/a");
  EXPECT_FALSE(machine.exists("/a"));
  EXPECT_EQ(mapping->data()[0], std::byte{1}) << "those who have it go on";
}

#if !defined(__SANITIZE_THREAD__)
TEST(SimMachineDeathTest, AFileCannotBeTouchedPastItsEnd) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Machine machine{1};
  Process& process = machine.start_process();
  const auto file = open(process, "/a", Creation::create_new);
  ASSERT_TRUE(file->allocate(ByteCount{65536}).ok());
  const auto mapping = file->map(ByteCount{1 << 20}, Access::read_write).value();
  mapping->data()[65535] = std::byte{1};
  EXPECT_DEATH(mapping->data()[65536] = std::byte{1}, "");
  // A fault that is no file's is no other matter than without them.
  void* const elsewhere = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(elsewhere, MAP_FAILED);
  EXPECT_DEATH(*static_cast<volatile char*>(elsewhere) = 1, "");
}
#endif

TEST(SimPoints, CallsAndStepsAreCountedTogetherAndTheCallbackIsLeftInPeace) {
  Machine machine{1};
  Process& process = machine.start_process();
  const auto file = open(process, "/a", Creation::create_new);
  std::vector<std::string> names;
  {
    Points points{machine, [&](std::uint64_t index, const char* name) -> Error {
                    EXPECT_EQ(index, names.size());
                    names.emplace_back(name);
                    // Not reported: they would recurse for ever.
                    step(Step::cas_won);
                    EXPECT_TRUE(file->status().ok());
                    if (index == 2) return Error{Code::io, EIO, "injected"};
                    return {};
                  }};
    EXPECT_TRUE(file->allocate(ByteCount{4096}).ok());
    step(Step::grow_allocated);
    if constexpr (UTAN_STEPS != 0) {
      EXPECT_EQ(file->flush().code(), Code::io);
      EXPECT_EQ(points.count(), 3U);
      EXPECT_EQ(names, (std::vector<std::string>{"allocate", "grow_allocated", "flush"}));
    }
  }
  const auto count = names.size();
  EXPECT_TRUE(file->flush().ok());
  step(Step::grow_published);
  EXPECT_EQ(names.size(), count);
}

TEST(SimPoints, ThreadsAtOnce) {
  Machine machine{1};
  Process& process = machine.start_process();
  std::atomic<std::uint64_t> seen{0};
  Points points{machine, [&seen](std::uint64_t, const char*) -> Error {
                  seen.fetch_add(1);
                  return {};
                }};
  constexpr int threads = 4;
  constexpr int rounds = 200;
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([&, t] {
      points.join_thread();
      const auto file = open(process, "/" + std::to_string(t), Creation::create_new);
      for (int i = 0; i < rounds; ++i) {
        EXPECT_TRUE(file->allocate(ByteCount{static_cast<std::uint64_t>(i) * 512}).ok());
        EXPECT_TRUE(file->try_lock_byte(static_cast<std::uint32_t>(i), LockMode::exclusive).ok());
        EXPECT_TRUE(file->flush().ok());
      }
    });
  }
  for (auto& thread : all) thread.join();
  // open, close, and per round: allocate, lock_byte, flush, flush_end.
  EXPECT_EQ(seen.load(), std::uint64_t{threads} * (2 + 4 * rounds));
  EXPECT_EQ(points.count(), seen.load());
}

}  // namespace
}  // namespace utan::os::sim
