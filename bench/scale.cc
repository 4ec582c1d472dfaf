// Section "scale": what inserting and reading cost as tables grow, from a thousand records on, and as values grow, from eight
// bytes to a mebibyte; by one worker, and by two at once. Every value is compared after the insertion; what reads touch is
// compared as everywhere.
#include <algorithm>
#include <array>
#include <map>

#include "crew.h"

namespace bench {
namespace {

constexpr std::array<std::uint64_t, 4> kRecordCounts = {1'000, 10'000, 100'000, 1'000'000};
constexpr std::uint64_t kLargeRecordCount = 10'000'000;
constexpr std::array<std::size_t, 5> kValueSizes = {8, 1 << 10, 16 << 10, 128 << 10, 1 << 20};
constexpr std::uint64_t kRecordCountOfSizes = 100'000;  // at most, for each size
constexpr std::uint64_t kReadCountMin = 50'000;
constexpr std::uint64_t kReadCountMax = 500'000;
constexpr std::uint64_t kReadBytesMax = 512u << 20;
constexpr std::uint64_t kSmallRecordCount = 10'000;  // up to which a step is repeated, because it is over so soon
constexpr unsigned kSmallRepeatCount = 3;

struct Step {
  std::string name;
  std::uint64_t record_count = 0;
  std::size_t value_size = 0;
  double seconds_max = 0;  // that inserting may take, judged by the step before
};

std::vector<Step> steps_of(const Settings& settings) {
  std::vector<Step> steps;
  for (const std::uint64_t count : kRecordCounts) {
    if (count > settings.record_count) continue;
    steps.push_back({"records_" + std::to_string(count), count, kValueSize, settings.scale_seconds_max});
  }
  if (settings.is_large) {
    steps.push_back(
        {"records_" + std::to_string(kLargeRecordCount), kLargeRecordCount, kValueSize, settings.large_seconds_max});
  }
  for (const std::size_t size : kValueSizes) {
    steps.push_back({"size_" + std::to_string(size), std::min(kRecordCountOfSizes, settings.scale_bytes / size), size,
                     settings.scale_seconds_max});
  }
  return steps;
}

Order reads_of(const Bench& bench, const Step& step, unsigned worker) {
  const std::uint64_t by_bytes = std::max<std::uint64_t>(64, kReadBytesMax / step.value_size);
  const std::uint64_t count = std::min(std::clamp(step.record_count, kReadCountMin, kReadCountMax), by_bytes);
  return draw(bench.settings.seed + 600 + worker, step.record_count, count);
}

void insert_and_read(const Bench& bench, const System& system, const Step& step, const Place& place,
                     Reporter& reporter) {
  const SizedValues values(step.value_size, bench.settings.seed);
  const Order reads = reads_of(bench, step, 0);
  const std::unique_ptr<Runner> runner = system.make(bench.workload);
  runner->open(place, Access::create);
  report_phase(reporter, "insert", runner->insert_sized(values, {.record_count = step.record_count}));
  runner->check_sized(values, step.record_count);
  report_phase(reporter, "read", runner->read_sized(values, reads));
  if (system.kind == System::Kind::store) report_sizes(reporter, "", place.directory);
  report_memory(reporter, "");
  runner->close();
}

// Operations a second of all together: as many as they did in the time of the slowest.
Outcome together(const std::string& phase, const std::vector<Outcome>& outcomes) {
  Outcome sum;
  double op_count = 0;
  double wall_ns_max = 0;
  for (const Outcome& outcome : outcomes) {
    if (!outcome.error.empty()) {
      sum.error = phase + ": " + outcome.error;
      return sum;
    }
    op_count += outcome.number("op_count");
    wall_ns_max = std::max(wall_ns_max, outcome.number("wall_ns"));
  }
  sum.numbers.emplace_back(phase + ".wall_ns", wall_ns_max / op_count);
  return sum;
}

// Two workers insert a half each, and then read anything.
Outcome measure_two(const Bench& bench, const System& system, const Step& step, const Place& place) {
  const SizedValues values(step.value_size, bench.settings.seed);
  const Order reads[] = {reads_of(bench, step, 0), reads_of(bench, step, 1)};
  const auto make = [&](Reporter&) {
    const std::unique_ptr<Runner> runner = system.make(bench.workload);
    runner->open(place, Access::create);
    runner->close();
  };
  Outcome all = Child(make, {}).finish();
  if (!all.error.empty()) return all;

  const auto run = [&](const std::string& phase, const std::function<Phase(Runner&, Gate&, unsigned)>& work) {
    std::vector<Worker<Runner>> workers;
    for (unsigned i = 0; i < 2; ++i) {
      const auto report = [&work, i](Runner& runner, Gate& gate, Reporter& reporter) {
        const Phase done = work(runner, gate, i);
        reporter.number("op_count", static_cast<double>(done.op_count));
        reporter.number("wall_ns", done.wall_ns);
      };
      workers.push_back({Access::write, {i == 0 ? bench.cores.front() : bench.cores.back()}, report});
    }
    const Outcome both = together(phase, run_crew(system, bench.workload, place, sharing_of(system, true), workers, 0));
    all.numbers.insert(all.numbers.end(), both.numbers.begin(), both.numbers.end());
    all.error = both.error;
    return all.error.empty();
  };
  const auto insert = [&](Runner& runner, Gate& gate, unsigned worker) {
    gate.arrive_and_wait();
    return runner.insert_sized(values, {.worker = worker, .worker_count = 2, .record_count = step.record_count});
  };
  const auto read = [&](Runner& runner, Gate& gate, unsigned worker) {
    runner.check_sized(values, step.record_count);  // and what is read is in the caches
    gate.arrive_and_wait();
    return runner.read_sized(values, reads[worker]);
  };
  if (run("insert", insert)) run("read", read);
  return all;
}

// One step of one system by so many workers. Returns what an insertion took, in ns, or 0.
double measure_step(Bench& bench, const System& system, const Step& step, unsigned worker_count) {
  const unsigned repeat_count = step.record_count <= kSmallRecordCount ? kSmallRepeatCount : 1;
  double insert_ns = 0;
  for (unsigned repeat = 0; repeat < repeat_count; ++repeat) {
    const Place place = {fresh_directory(bench, "scale"), step.record_count, step.value_size};
    Outcome outcome;
    if (worker_count == 1) {
      const auto work = [&](Reporter& reporter) { insert_and_read(bench, system, step, place, reporter); };
      outcome = Child(work, {bench.cores.back()}).finish();
    } else {
      outcome = measure_two(bench, system, step, place);
    }
    if (outcome.error.empty()) insert_ns = outcome.number("insert.wall_ns");
    outcome.numbers.emplace_back("workers", worker_count);
    bench.record("scale", system.name, step.name, repeat, outcome);
    remove_directory(place.directory);
    if (!outcome.error.empty()) return 0;
  }
  return insert_ns;
}

}  // namespace

void run_scale(Bench& bench) {
  std::map<std::string, double> insert_ns;  // of the step before, by system
  for (const Step& step : steps_of(bench.settings)) {
    bench.say("scale, " + step.name);
    for (const System& system : bench.systems) {
      const bool is_like_before = step.value_size == kValueSize;
      const double seconds = insert_ns[system.name] * 1e-9 * static_cast<double>(step.record_count);
      if (is_like_before && seconds > step.seconds_max) continue;
      const double ns = measure_step(bench, system, step, 1);
      if (is_like_before) insert_ns[system.name] = ns;
      const bool is_shared = system.kind == System::Kind::store && sharing_of(system, true) != Sharing::none;
      if (ns != 0 && is_shared && bench.cores.size() > 1) (void)measure_step(bench, system, step, 2);
    }
  }
}

}  // namespace bench
