// Shows that the benchmark cannot be fooled: a store that loses, mixes up, forgets to change, forgets to erase or invents
// records is found out, each fault by some phase or check; and that a child that throws, crashes or hangs is an error.
// Deterministic: seed 7. Run by ctest as bench_harness.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include "process.h"
#include "systems.h"

namespace bench {
namespace {

int failure_count = 0;

void expect(bool is_true, const char* what) {
  if (is_true) return;
  std::printf("FAILED: %s\n", what);
  ++failure_count;
}

enum class Fault { none, loses_insert, flips_byte, loses_overwrite, keeps_erased, skips_in_iteration, invents, tears };

// A store in memory with one fault, at one record in 500.
template <Fault kFault>
class Faulty {
 public:
  void open(const Place&, Access) {}
  void close() {}
  void put(std::string_view key, std::string_view value) {
    std::string kept(value);
    const bool is_due = ++put_count_ % 500 == 0;
    const auto it = map_.find(key);
    if (is_due) {
      if (kFault == Fault::loses_insert && it == map_.end()) return;
      if (kFault == Fault::loses_overwrite && it != map_.end()) return;
      if (kFault == Fault::flips_byte) kept[50] = static_cast<char>(kept[50] ^ 1);  // a byte that touch() does not read
      if (kFault == Fault::tears && it != map_.end()) kept.replace(64, 36, it->second, 64, 36);
    }
    map_.insert_or_assign(std::string(key), kept);
  }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    const auto it = map_.find(key);
    if (it == map_.end()) {
      if (kFault == Fault::invents && ++miss_count_ % 500 == 0) return true;
      return false;
    }
    use(std::string_view(it->second));
    return true;
  }
  bool erase(std::string_view key) {
    if (kFault == Fault::keeps_erased && ++erase_count_ % 500 == 0) return true;
    const auto it = map_.find(key);
    if (it == map_.end()) return false;
    map_.erase(it);
    return true;
  }
  template <class Use>
  void each(Use&& use) {
    std::uint64_t count = 0;
    for (const auto& [key, value] : map_) {
      if (kFault == Fault::skips_in_iteration && ++count % 500 == 0) continue;
      use(std::string_view(key), std::string_view(value));
    }
  }

 private:
  std::map<std::string, std::string, std::less<>> map_;
  int put_count_ = 0;
  int miss_count_ = 0;
  int erase_count_ = 0;
};

constexpr std::uint64_t kRecordCount = 2000;

// The phases of section "point", in its order; returns what was found wrong, or nothing.
std::string drive(Runner& runner) {
  const Order order = draw(1, kRecordCount, kRecordCount);
  Order erased = shuffle(2, kRecordCount);
  erased.resize(kRecordCount / 2);
  Expected expected(kRecordCount);
  try {
    runner.open({"", kRecordCount}, Access::create);
    (void)runner.insert(kRecordCount);
    runner.check(expected);
    (void)runner.read(order, expected);
    (void)runner.miss(kRecordCount);
    (void)runner.overwrite(order, 1);
    expected.overwrite(order, 1);
    runner.check(expected);
    (void)runner.iterate(expected);
    (void)runner.erase(erased);
    expected.erase(erased);
    runner.check(expected);
    runner.close();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

template <Fault kFault>
std::string drive_faulty() {
  RunnerOf<Faulty<kFault>> runner{Workload(7)};
  return drive(runner);
}

void test_faults_are_found() {
  expect(drive_faulty<Fault::none>().empty(), "a right store passes");
  expect(!drive_faulty<Fault::loses_insert>().empty(), "a lost insert is found");
  expect(!drive_faulty<Fault::flips_byte>().empty(), "a changed byte that no read touches is found");
  expect(!drive_faulty<Fault::loses_overwrite>().empty(), "a lost overwrite is found");
  expect(!drive_faulty<Fault::keeps_erased>().empty(), "an erased record that is still there is found");
  expect(!drive_faulty<Fault::skips_in_iteration>().empty(), "a record left out of the iteration is found");
  expect(!drive_faulty<Fault::invents>().empty(), "an absent key that is found is found out");
  expect(!drive_faulty<Fault::tears>().empty(), "a value mixed from two versions is found");
}

void test_torn_values_are_seen_by_readers() {
  RunnerOf<Faulty<Fault::tears>> runner{Workload(7)};
  (void)runner.insert(kRecordCount);
  const Mixed mixed{.step_count = 1, .record_count = kRecordCount, .version_max = 1000};
  std::uint64_t write_random = 1;
  std::uint64_t read_random = 2;
  bool is_seen = false;
  try {
    for (int i = 0; i < 200'000; ++i) {
      runner.write_step(mixed, write_random);
      runner.read_step(mixed, read_random);
    }
  } catch (const std::exception&) {
    is_seen = true;
  }
  expect(is_seen, "a reader sees a value mixed from two versions");
}

void test_memory_systems_are_right() {
  for (const System& system : all_systems()) {
    if (system.kind != System::Kind::memory) continue;
    expect(drive(*system.make(Workload(7))).empty(), system.name.c_str());
  }
}

void test_workload() {
  const Workload workload(7);
  std::set<std::string> keys;
  for (RecordNumber i = 0; i < 100'000; ++i) {
    keys.emplace(workload.key(i).view());
    keys.emplace(workload.key(kAbsent + i).view());
  }
  expect(keys.size() == 200'000, "keys differ, and absent ones from loaded ones");

  const Value old_value = workload.value(5, 3);
  Value value = workload.value(5, 4);
  expect(workload.version_of(5, value.view()) == 4, "the version can be read back");
  expect(workload.is_whole(5, value.view(), 4), "a value is whole");
  expect(!workload.is_whole(5, value.view(), 3), "a version that nobody wrote is not");
  expect(!workload.is_whole(6, value.view(), 1000), "another record's value is not");
  value.words[12] = old_value.words[12];
  expect(!workload.is_whole(5, value.view(), 4), "a mixture of versions is not");
  expect(!workload.is_whole(5, value.view().substr(0, 7), 4), "a short value is not");

  const Order shuffled = shuffle(3, 1000);
  expect(std::set<std::uint32_t>(shuffled.begin(), shuffled.end()).size() == 1000, "a shuffle has each record once");
  for (const std::uint32_t record : draw(4, 1000, 10'000)) expect(record < 1000, "a draw stays in its range");
}

void test_children() {
  const Outcome good = Child([](Reporter& r) { r.number("x", 0.25); }, {}).finish();
  expect(good.error.empty() && good.number("x") == 0.25, "a child reports a number");
  expect(Child([](Reporter&) { fail("no"); }, {}).finish().error == "no", "a child's exception is its error");
  expect(!Child([](Reporter&) { raise(SIGKILL); }, {}).finish().error.empty(), "a child's crash is an error");
  expect(!Child([](Reporter&) { pause(); }, {}, 1).finish().error.empty(), "a child that hangs is ended");

  Gate gate;
  std::vector<Child> children;
  children.emplace_back([&](Reporter&) { gate.arrive_and_wait(); }, std::vector<int>{});
  children.emplace_back([&](Reporter&) { fail("before the gate"); }, std::vector<int>{});
  const std::vector<Outcome> outcomes = run_together(gate, children, 60);
  expect(outcomes[1].error == "before the gate", "who fails before the gate does not leave the others waiting");
}

}  // namespace
}  // namespace bench

int main() {
  bench::test_faults_are_found();
  bench::test_torn_values_are_seen_by_readers();
  bench::test_memory_systems_are_right();
  bench::test_workload();
  bench::test_children();
  if (bench::failure_count == 0) std::puts("bench_harness: ok");
  return bench::failure_count == 0 ? 0 : 1;
}
