// Shows that mixed loads and values of any size cannot fool the benchmark either: a store that loses a write, mixes or changes
// a value, answers with what was there before, leaves out or mixes up scanned records, or loses an insertion is found out, by
// one worker or in the end after two; that the replay is right about a right store; that numbers are drawn as they should be;
// and that workers who are threads report, and fail, as processes do. Deterministic: seed 7. Run by ctest as bench_scripts.
#include <atomic>
#include <cstdio>
#include <map>
#include <mutex>

#include "crew.h"
#include "systems.h"

namespace bench {
namespace {

int failure_count = 0;

void expect(bool is_true, const std::string& what) {
  if (is_true) return;
  std::printf("FAILED: %s\n", what.c_str());
  ++failure_count;
}

enum class Fault {
  none,
  loses_update,
  loses_insert,
  flips_byte,
  is_stale,
  mixes_up,
  skips_in_scan,
  swaps_in_scan,
  stops_early
};

// A sorted store in memory with one fault, at one operation in 500, which may be shared by threads.
template <Fault kFault>
class Faulty {
 public:
  void open(const Place&, Access) { shared_ = std::make_shared<Shared>(); }
  void join(const Faulty& first) { shared_ = first.shared_; }
  void close() { shared_.reset(); }

  void put(std::string_view key, std::string_view value) {
    const std::lock_guard lock(shared_->mutex);
    auto& map = shared_->map;
    const auto at = map.find(key);
    const bool is_due = ++shared_->put_count % 500 == 0;
    if (is_due && kFault == Fault::loses_update && at != map.end()) return;
    if (is_due && kFault == Fault::loses_insert && at == map.end() && map.size() >= kLoadedCount) return;
    std::string kept(value);
    if (is_due && kFault == Fault::flips_byte) kept.back() = static_cast<char>(kept.back() ^ 1);
    if (at != map.end()) shared_->old = {std::string(key), at->second};
    map.insert_or_assign(std::string(key), kept);
  }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    const std::lock_guard lock(shared_->mutex);
    const auto at = shared_->map.find(key);
    if (at == shared_->map.end()) return false;
    if (kFault == Fault::is_stale && shared_->old.first == key) {
      use(std::string_view(shared_->old.second));
    } else if (kFault == Fault::mixes_up && ++shared_->get_count % 500 == 0) {
      use(std::string_view(shared_->map.begin()->second));
    } else {
      use(std::string_view(at->second));
    }
    return true;
  }
  bool erase(std::string_view key) { return shared_->map.erase(std::string(key)) == 1; }
  template <class Use>
  void each(Use&& use) {
    for (const auto& [key, value] : shared_->map) use(std::string_view(key), std::string_view(value));
  }
  template <class Use>
  void range(std::string_view low, std::uint64_t count, Use&& use) {
    const std::lock_guard lock(shared_->mutex);
    const bool is_due = ++shared_->scan_count % 50 == 0 && count > 3;
    if (is_due && kFault == Fault::stops_early) --count;
    auto at = shared_->map.lower_bound(low);
    for (std::uint64_t i = 0; i < count && at != shared_->map.end(); ++i, ++at) {
      if (is_due && kFault == Fault::skips_in_scan && i == 1 && ++at == shared_->map.end()) return;
      const auto next = std::next(at);
      const bool is_swapped = is_due && kFault == Fault::swaps_in_scan && i == 1 && next != shared_->map.end();
      use(std::string_view(at->first), std::string_view((is_swapped ? next : at)->second));
    }
  }
  void batch_begin() {}
  void batch_add(std::string_view key, std::string_view value) { put(key, value); }
  void batch_end() {}

  static constexpr std::uint64_t kLoadedCount = 2000;

 private:
  struct Shared {
    std::mutex mutex;
    std::map<std::string, std::string, std::less<>> map;
    std::pair<std::string, std::string> old;  // what the last update replaced
    int put_count = 0;
    int get_count = 0;
    int scan_count = 0;
  };
  std::shared_ptr<Shared> shared_;
};

constexpr std::uint64_t kRecordCount = Faulty<Fault::none>::kLoadedCount;
constexpr std::uint64_t kStepCount = 100;

// Ends a script after so many steps.
std::function<bool()> after_steps(std::uint64_t count) {
  return [count]() mutable { return --count == 0; };
}

// Plays `mixture` alone, as section "ycsb" does; returns what was found wrong, or nothing.
template <Fault kFault>
std::string play_alone(const Mixture& mixture) {
  const Workload workload(7, KeyText::ascii);
  OrderedRunnerOf<Faulty<kFault>> runner{workload};
  runner.open({"", kRecordCount}, Access::create);
  try {
    (void)runner.insert(kRecordCount);
    Replay replay(workload, kRecordCount);
    const Zipf zipf(kRecordCount, kZipfTheta);
    for (std::uint64_t run = 0; run < 2; ++run) {
      const Script script(mixture, zipf, 7, run, 0);
      const Played played = runner.play(script, after_steps(kStepCount));
      if (played.op_count != kStepCount * Script::kStepTurnCount)
        return "";  // was not played to its end: nothing was shown
      if (replay.alone(script, played.op_count) != played.seen) fail("something else was read");
    }
    runner.check(replay.candidates());
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

// Two workers in turns, a step each, and the check in the end; returns what was found wrong there.
template <Fault kFault>
std::string play_together(const Mixture& mixture) {
  const Workload workload(7, KeyText::ascii);
  OrderedRunnerOf<Faulty<kFault>> first{workload};
  first.open({"", kRecordCount}, Access::create);
  (void)first.insert(kRecordCount);
  const auto second = first.sibling();
  const Zipf zipf(kRecordCount, kZipfTheta);
  const std::vector<Script> scripts = {Script(mixture, zipf, 7, 0, 0), Script(mixture, zipf, 7, 0, 1)};
  std::vector<std::uint64_t> op_counts;
  try {
    op_counts.push_back(first.play(scripts[0], after_steps(kStepCount)).op_count);
    op_counts.push_back(second->play(scripts[1], after_steps(kStepCount)).op_count);
    Replay replay(workload, kRecordCount);
    replay.together(scripts, op_counts);
    first.check(replay.candidates());
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

void test_scripts_find_faults() {
  const Mixture changing = {.name = "A", .read = 50, .update = 50};
  const Mixture modifying = {.name = "F", .read = 50, .modify = 50};
  const Mixture scanning = {.name = "E", .scan = 95, .insert = 5};
  const Mixture inserting = {.name = "insertions", .scan = 50, .insert = 50};
  for (const Mixture& mixture : {changing, modifying, scanning, inserting}) {
    expect(play_alone<Fault::none>(mixture).empty(), std::string("a right store passes ") + mixture.name);
    expect(play_together<Fault::none>(mixture).empty(), std::string("a right store passes two of ") + mixture.name);
  }
  for (const Mixture& mixture : {changing, modifying}) {
    expect(!play_alone<Fault::loses_update>(mixture).empty(), "a lost update is found by one worker");
    expect(!play_alone<Fault::flips_byte>(mixture).empty(), "a changed byte is found");
    expect(!play_alone<Fault::is_stale>(mixture).empty(), "a value that was there before is found");
    expect(!play_alone<Fault::mixes_up>(mixture).empty(), "another record's value is found");
    expect(!play_together<Fault::loses_update>(mixture).empty(), "a lost update is found after two workers");
    expect(!play_together<Fault::mixes_up>(mixture).empty(), "another record's value is found by two workers");
  }
  expect(!play_alone<Fault::skips_in_scan>(scanning).empty(), "a record left out of a scan is found");
  expect(!play_alone<Fault::swaps_in_scan>(scanning).empty(), "a value at a wrong place of a scan is found");
  expect(!play_alone<Fault::stops_early>(scanning).empty(), "a scan that is too short is found");
  expect(!play_alone<Fault::loses_insert>(inserting).empty(), "a lost insertion is found by one worker");
  expect(!play_together<Fault::loses_insert>(inserting).empty(), "a lost insertion is found after two workers");
}

template <Fault kFault>
std::string drive_sized(std::size_t value_size) {
  RunnerOf<Faulty<kFault>> runner{Workload(7)};
  runner.open({"", kRecordCount, value_size}, Access::create);
  const SizedValues values(value_size, 7);
  try {
    (void)runner.insert_sized(values, {.worker = 0, .worker_count = 2, .record_count = kRecordCount});
    (void)runner.insert_sized(values, {.worker = 1, .worker_count = 2, .record_count = kRecordCount});
    (void)runner.read_sized(values, draw(1, kRecordCount, 1000));
    runner.check_sized(values, kRecordCount);
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

void test_sized_values_find_faults() {
  for (const std::size_t size : {std::size_t{8}, std::size_t{1000}, std::size_t{100'000}}) {
    const std::string of_size = " with values of " + std::to_string(size);
    expect(drive_sized<Fault::none>(size).empty(), "a right store passes" + of_size);
    expect(!drive_sized<Fault::flips_byte>(size).empty(), "a changed byte is found" + of_size);
    expect(!drive_sized<Fault::mixes_up>(size).empty(), "another record's value is found" + of_size);
  }
}

void test_draws() {
  constexpr std::uint64_t kCount = 1000;
  constexpr std::uint64_t kDrawCount = 1'000'000;
  const Zipf zipf(kCount, kZipfTheta);
  std::vector<std::uint64_t> counts(kCount, 0);
  for (std::uint64_t i = 0; i < kDrawCount; ++i) ++counts.at(zipf.draw(mix(i)));
  double sum = 0;
  for (std::uint64_t i = 1; i <= kCount; ++i) sum += 1 / std::pow(static_cast<double>(i), kZipfTheta);
  const auto share = [&](std::uint64_t rank) { return static_cast<double>(counts[rank]) / kDrawCount; };
  expect(std::abs(share(0) * sum - 1) < 0.02, "the most frequent is as frequent as a Zipf distribution has it");
  expect(std::abs(share(1) * sum * std::pow(2, kZipfTheta) - 1) < 0.02, "and so is the second");
  std::uint64_t tail = 0;
  double tail_expected = 0;
  for (std::uint64_t i = 500; i < kCount; ++i) {
    tail += counts[i];
    tail_expected += 1 / std::pow(static_cast<double>(i + 1), kZipfTheta) / sum;
  }
  expect(std::abs(static_cast<double>(tail) / kDrawCount / tail_expected - 1) < 0.1, "and so are the rare ones");

  unsigned action_counts[5] = {};
  const Script script({.name = "", .read = 50, .update = 20, .modify = 15, .scan = 10, .insert = 5}, zipf, 7, 0, 0);
  for (std::uint64_t n = 0; n < Script::kTurnCount; ++n) {
    const Turn& turn = script.turn(n);
    ++action_counts[static_cast<int>(turn.action)];
    if (turn.length < 1 || turn.length > kScanLengthMax || turn.record >= kCount) expect(false, "a turn out of range");
  }
  const unsigned percents[] = {50, 20, 15, 10, 5};
  for (int i = 0; i < 5; ++i) {
    const double measured = 100.0 * action_counts[i] / static_cast<double>(Script::kTurnCount);
    expect(std::abs(measured - percents[i]) < 0.5, "actions are drawn in their shares");
  }
  for (std::uint64_t i = 0; i < 1000; ++i) expect(unmix(mix(mix(i))) == mix(i), "unmix undoes mix");
  const Workload workload(7);
  const Key key = workload.key(5);
  const Value value = workload.value(5, 0);
  expect(workload.is_loaded(key.view(), value.view()), "a loaded record is known by its value");
  expect(!workload.is_loaded(workload.key(6).view(), value.view()), "with another key it is none");
  const Value changed = workload.value(5, 1);
  expect(!workload.is_loaded(key.view(), changed.view()), "a changed one is not a loaded one");
}

void test_thread_crews() {
  const System system = {.name = "faulty",
                         .version = "",
                         .settings = "",
                         .shares_threads = true,
                         .make = make_runner<Faulty<Fault::none>>};
  const Workload workload(7);
  const auto run = [&](const std::function<void(Runner&, Gate&, Reporter&)>& second) {
    const std::vector<Worker<Runner>> workers = {{Access::write,
                                                  {},
                                                  [](Runner& runner, Gate& gate, Reporter& reporter) {
                                                    (void)runner.insert(10);
                                                    gate.arrive_and_wait();
                                                    reporter.number("x", 1);
                                                  }},
                                                 {Access::write, {}, second}};
    return run_crew(system, workload, {"", 10}, sharing_of(system, true), workers, 0);
  };
  const std::vector<Outcome> good = run([](Runner& runner, Gate& gate, Reporter& reporter) {
    gate.arrive_and_wait();
    runner.read_one(3, 0);  // the other thread has inserted it
    reporter.number("x", 2);
  });
  expect(good[0].error.empty() && good[0].number("x") == 1 && good[1].number("x") == 2, "each thread reports its own");
  const std::vector<Outcome> bad = run([](Runner&, Gate&, Reporter&) { fail("no"); });
  expect(bad[0].error == "no" && bad[1].error == "no", "a thread that fails before the gate is the error of all");
}

}  // namespace
}  // namespace bench

int main() {
  bench::test_scripts_find_faults();
  bench::test_sized_values_find_faults();
  bench::test_draws();
  bench::test_thread_crews();
  if (bench::failure_count == 0) std::puts("bench_scripts: ok");
  return bench::failure_count == 0 ? 0 : 1;
}
