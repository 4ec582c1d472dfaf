// Section "ycsb": mixed loads on records of which few are asked for often, by one worker and by two at once; nothing synced.
// A and B change records, C only reads, F reads and changes, on tables; E scans and inserts, on what is in order. Each system
// is loaded once and then plays all of them, several times; in the end its records are compared with what a replay says.
#include "crew.h"

namespace bench {
namespace {

// One script that was played, or two at once, and how far.
struct PlayedRun {
  const Mixture* mixture;
  std::vector<std::uint64_t> op_counts;
};

std::vector<Script> scripts_of(const Bench& bench, const Mixture& mixture, const Zipf& zipf, std::uint64_t run,
                               std::size_t worker_count) {
  std::vector<Script> scripts;
  for (unsigned worker = 0; worker < worker_count; ++worker) {
    scripts.emplace_back(mixture, zipf, bench.settings.seed + 500, run, worker);
  }
  return scripts;
}

void report_run(Reporter& reporter, const std::string& name, const Played& played) {
  reporter.number(name + ".op_count", static_cast<double>(played.op_count));
  reporter.number(name + ".op_per_s", static_cast<double>(played.op_count) * 1e9 / played.wall_ns);
}

std::string run_name(const Mixture& mixture, std::size_t worker_count, unsigned repeat) {
  return std::string(mixture.name) + "." + std::to_string(worker_count) + "." + std::to_string(repeat);
}

// Loads the store and plays all scripts with one worker, in one process, which is compared exactly.
template <class RunnerType>
void measure_alone(const Bench& bench, const SystemOf<RunnerType>& system, const Workload& workload,
                   std::span<const Mixture> mixtures, const Zipf& zipf, const Place& place, Reporter& reporter) {
  const std::unique_ptr<RunnerType> runner = system.make(workload);
  runner->open(place, Access::create);
  (void)runner->insert(place.record_count_max);
  Replay replay(workload, place.record_count_max);
  // The control does so much in a moment that replaying it takes longer.
  const double seconds = bench.settings.script_seconds / (system.kind == SystemKind::control ? 10 : 1);
  std::uint64_t run = 0;
  for (const Mixture& mixture : mixtures) {
    for (unsigned repeat = 0; repeat < bench.settings.script_repeat_count; ++repeat, ++run) {
      const std::vector<Script> scripts = scripts_of(bench, mixture, zipf, run, 1);
      const double end_ns = Stopwatch::now_ns(CLOCK_MONOTONIC) + seconds * 1e9;
      const Played played = runner->play(scripts[0], [end_ns] { return Stopwatch::now_ns(CLOCK_MONOTONIC) >= end_ns; });
      report_run(reporter, run_name(mixture, 1, repeat), played);
      const std::uint64_t seen = replay.alone(scripts[0], played.op_count);
      if (system.kind != SystemKind::control && seen != played.seen) {
        fail(std::string("script ") + mixture.name + ": something else was read than was written last");
      }
    }
  }
  runner->check(replay.candidates());
  report_memory(reporter, "");
  runner->close();
}

// Plays a script each by two workers at once, and returns what both did.
template <class RunnerType>
Outcome measure_together(const Bench& bench, const SystemOf<RunnerType>& system, const Workload& workload,
                         const Mixture& mixture, const Zipf& zipf, const Place& place, std::uint64_t run,
                         const std::string& name) {
  const std::vector<Script> scripts = scripts_of(bench, mixture, zipf, run, Script::kWorkerCountMax);
  std::vector<Worker<RunnerType>> workers;
  for (std::size_t i = 0; i < scripts.size(); ++i) {
    const auto work = [&script = scripts[i]](RunnerType& runner, Gate& gate, Reporter& reporter) {
      gate.arrive_and_wait();
      const Played played = runner.play(script, [&gate] { return gate.is_over(); });
      report_run(reporter, "script", played);
    };
    workers.push_back({Access::write, {i == 0 ? bench.cores.front() : bench.cores.back()}, work});
  }
  Outcome sum;
  double op_per_s = 0;
  const Sharing sharing = sharing_of(system, true);
  const auto outcomes = run_crew(system, workload, place, sharing, workers, bench.settings.script_seconds);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].error.empty()) {
      sum.error = name + ": " + outcomes[i].error;
      return sum;
    }
    op_per_s += outcomes[i].number("script.op_per_s");
    sum.numbers.emplace_back(name + "." + std::to_string(i) + ".op_count", outcomes[i].number("script.op_count"));
  }
  sum.numbers.emplace_back(name + ".op_per_s", op_per_s);
  return sum;
}

// Replays all that was played and compares every record with it.
template <class RunnerType>
void check_all(const Bench& bench, const SystemOf<RunnerType>& system, const Workload& workload,
               const std::vector<PlayedRun>& runs, const Zipf& zipf, const Place& place) {
  Replay replay(workload, place.record_count_max);
  for (std::uint64_t run = 0; run < runs.size(); ++run) {
    const auto scripts = scripts_of(bench, *runs[run].mixture, zipf, run, runs[run].op_counts.size());
    if (scripts.size() == 1) {
      (void)replay.alone(scripts[0], runs[run].op_counts[0]);
    } else {
      replay.together(scripts, runs[run].op_counts);
    }
  }
  const std::unique_ptr<RunnerType> runner = system.make(workload);
  runner->open(place, Access::write);
  runner->check(replay.candidates());
  runner->close();
}

// All of one system, on a store of its own.
template <class RunnerType>
Outcome measure(Bench& bench, const SystemOf<RunnerType>& system, const Workload& workload,
                std::span<const Mixture> mixtures, const std::string& directory) {
  const Place place = {directory, record_count_of(system, bench.settings.script_record_count)};
  const Zipf zipf(place.record_count_max, kZipfTheta);
  const auto alone = [&](Reporter& reporter) {
    measure_alone(bench, system, workload, mixtures, zipf, place, reporter);
  };
  Outcome all = Child(alone, {bench.cores.back()}).finish();
  if (!all.error.empty() || system.kind != SystemKind::store || bench.cores.size() < 2) return all;
  std::vector<PlayedRun> runs;
  const auto count_of = [&all](const std::string& name) { return static_cast<std::uint64_t>(all.number(name)); };
  for (const Mixture& mixture : mixtures) {
    for (unsigned repeat = 0; repeat < bench.settings.script_repeat_count; ++repeat) {
      runs.push_back({&mixture, {count_of(run_name(mixture, 1, repeat) + ".op_count")}});
    }
  }
  if (sharing_of(system, true) == Sharing::none) return all;
  for (const Mixture& mixture : mixtures) {
    for (unsigned repeat = 0; repeat < bench.settings.script_repeat_count; ++repeat) {
      const std::string name = run_name(mixture, 2, repeat);
      const Outcome both = measure_together(bench, system, workload, mixture, zipf, place, runs.size(), name);
      all.numbers.insert(all.numbers.end(), both.numbers.begin(), both.numbers.end());
      all.error = both.error;
      if (!all.error.empty()) return all;
      runs.push_back({&mixture, {count_of(name + ".0.op_count"), count_of(name + ".1.op_count")}});
    }
  }
  all.error = Child([&](Reporter&) { check_all(bench, system, workload, runs, zipf, place); }, {}).finish().error;
  return all;
}

template <class RunnerType>
void measure_systems(Bench& bench, const std::vector<SystemOf<RunnerType>>& systems, const Workload& workload,
                     std::span<const Mixture> mixtures, const std::string& section) {
  for (const SystemOf<RunnerType>& system : systems) {
    bench.say(section + ", " + system.name);
    const std::string directory = fresh_directory(bench, section);
    const Outcome outcome = measure(bench, system, workload, mixtures, directory);
    bench.record(section, system.name, name_of(sharing_of(system, true)), 0, outcome);
    remove_directory(directory);
  }
}

}  // namespace

void run_ycsb(Bench& bench) {
  measure_systems<Runner>(bench, bench.systems, bench.workload, kMixtures, "ycsb");
  measure_systems<OrderedRunner>(bench, bench.ordered_systems, Workload(bench.settings.seed, KeyText::ascii),
                                 kOrderedMixtures, "ycsb_ordered");
}

}  // namespace bench
