// Sections "readers" (two readers against one), "writer" (two readers and a writer) and "open". Workers are processes, or
// threads of one where a store is not for several processes. One store per system is loaded by a child of its own and
// closed; then the systems take turns on them.
#include <sys/mman.h>

#include <algorithm>

#include "crew.h"

namespace bench {
namespace {

inline constexpr Version kSharedVersionMax = 1000;
inline constexpr double kOpenSecondsMax = 3;  // for all openings of one kind of a system

// Works in steps until time is called, and reports how fast it was by its own clock. cpu_share tells how much of the time
// it had the core: below 1 somebody else was at work there.
void work_until_time(Gate& gate, std::uint64_t step_count, Reporter& reporter, const std::function<void()>& step) {
  gate.arrive_and_wait();
  const Stopwatch watch(CLOCK_THREAD_CPUTIME_ID);
  std::uint64_t op_count = 0;
  while (!gate.is_over()) {
    step();
    op_count += step_count;
  }
  const Phase phase = watch.phase(op_count);
  reporter.number("op_per_s", static_cast<double>(op_count) * 1e9 / phase.wall_ns);
  reporter.number("op_per_cpu_s", static_cast<double>(op_count) * 1e9 / phase.cpu_ns);
  reporter.number("cpu_share", phase.cpu_ns / phase.wall_ns);
}

struct Loaded {
  System system;
  Place place;
};

Mixed mixed_of(const Loaded& loaded) {
  return {.record_count = loaded.place.record_count_max, .version_max = kSharedVersionMax};
}

Worker<Runner> reader_of(const Bench& bench, const Loaded& loaded, unsigned index, const std::vector<int>& cores) {
  const auto work = [&bench, &loaded, index](Runner& runner, Gate& gate, Reporter& reporter) {
    const Mixed mixed = mixed_of(loaded);
    std::uint64_t random = mix(bench.settings.seed + 100 + index);
    // Every page mapped and every record looked at once before the clock starts.
    for (RecordNumber i = 0; i < mixed.record_count; ++i) runner.read_one(i, kSharedVersionMax);
    work_until_time(gate, mixed.step_count, reporter, [&] { runner.read_step(mixed, random); });
  };
  return {Access::read, cores, work};
}

Worker<Runner> writer_of(const Bench& bench, const Loaded& loaded, const std::vector<int>& cores) {
  const auto work = [&bench, &loaded](Runner& runner, Gate& gate, Reporter& reporter) {
    const Mixed mixed = mixed_of(loaded);
    std::uint64_t random = mix(bench.settings.seed + 200);
    work_until_time(gate, mixed.step_count, reporter, [&] { runner.write_step(mixed, random); });
  };
  return {Access::write, cores, work};
}

// The control of "readers": as many dependent cache misses per operation in memory that nobody shares. What two of
// these lose against one is what the machine's memory and cores cost, not the store.
void read_private(const Bench& bench, Gate& gate, unsigned index, Reporter& reporter) {
  const std::uint64_t count = bench.settings.control_array_size / sizeof(std::uint64_t);
  void* memory =
      mmap(nullptr, bench.settings.control_array_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap of the control's array failed");
  (void)madvise(memory, bench.settings.control_array_size, MADV_NOHUGEPAGE);  // a mapped file has small pages, too
  auto* const array = static_cast<std::uint64_t*>(memory);
  for (std::uint64_t i = 0; i < count; ++i) array[i] = mix(i + index);
  std::uint64_t random = mix(bench.settings.seed + 300 + index);
  const std::uint64_t step_count = Mixed().step_count;
  volatile std::uint64_t sink = 0;
  work_until_time(gate, step_count, reporter, [&] {
    for (std::uint64_t i = 0; i < step_count; ++i) {
      std::uint64_t word = mix(++random);
      for (unsigned k = 0; k < bench.settings.control_miss_count; ++k) word = array[below(word, count)];
      sink = sink + word;
    }
  });
}

// The control's readers, one on each of `cores`.
std::vector<Outcome> run_control_readers(const Bench& bench, const std::vector<int>& cores) {
  Gate gate;
  std::vector<Child> children;
  for (unsigned index = 0; index < cores.size(); ++index) {
    const auto work = [&, index](Reporter& reporter) { read_private(bench, gate, index, reporter); };
    children.emplace_back(work, std::vector<int>{cores[index]});
  }
  return run_together(gate, children, bench.settings.sharing_seconds);
}

// Starts readers, one on each of `cores`, of a store or (null) of the control, and adds up how fast they were.
Outcome run_readers(const Bench& bench, const Loaded* loaded, const std::vector<int>& cores) {
  std::vector<Outcome> outcomes;
  if (loaded == nullptr) {
    outcomes = run_control_readers(bench, cores);
  } else {
    std::vector<Worker<Runner>> readers;
    for (unsigned i = 0; i < cores.size(); ++i) readers.push_back(reader_of(bench, *loaded, i, {cores[i]}));
    outcomes = run_crew(loaded->system, bench.workload, loaded->place, sharing_of(loaded->system, false), readers,
                        bench.settings.sharing_seconds);
  }
  Outcome sum;
  double op_per_s = 0;
  double op_per_cpu_s = 0;
  double cpu_share_min = 1;
  for (const Outcome& outcome : outcomes) {
    if (!outcome.error.empty()) {
      sum.error = outcome.error;
      return sum;
    }
    op_per_s += outcome.number("op_per_s");
    op_per_cpu_s += outcome.number("op_per_cpu_s");
    cpu_share_min = std::min(cpu_share_min, outcome.number("cpu_share"));
  }
  sum.numbers = {{"op_per_s", op_per_s}, {"op_per_cpu_s", op_per_cpu_s}, {"cpu_share_min", cpu_share_min}};
  return sum;
}

void run_two_readers(Bench& bench, const std::vector<Loaded>& stores) {
  const std::vector<int> first = {bench.cores.front()};
  const std::vector<int> second = {bench.cores.back()};
  const std::vector<int> both = {bench.cores.front(), bench.cores.back()};
  for (unsigned round = 0; round < bench.settings.sharing_round_count; ++round) {
    for (std::size_t i = 0; i <= stores.size(); ++i) {
      const Loaded* loaded = i == 0 ? nullptr : &stores[i - 1];
      if (loaded != nullptr && sharing_of(loaded->system, false) == Sharing::none) continue;
      if (loaded != nullptr && round >= loaded->system.round_count_max) continue;
      const std::string name = loaded == nullptr ? "control" : loaded->system.name;
      bench.say("readers, round " + std::to_string(round + 1) + ", " + name);
      bench.record("readers", name, "one_first_core", round, run_readers(bench, loaded, first));
      bench.record("readers", name, "two", round, run_readers(bench, loaded, both));
      bench.record("readers", name, "one_second_core", round, run_readers(bench, loaded, second));
    }
  }
}

void run_readers_and_writer(Bench& bench, const std::vector<Loaded>& stores) {
  const std::vector<int> both = {bench.cores.front(), bench.cores.back()};
  for (unsigned round = 0; round < bench.settings.sharing_round_count; ++round) {
    for (const Loaded& loaded : stores) {
      const Sharing sharing = sharing_of(loaded.system, true);
      if (sharing == Sharing::none || round >= loaded.system.round_count_max) continue;
      bench.say("writer, round " + std::to_string(round + 1) + ", " + loaded.system.name);
      const std::vector<Worker<Runner>> workers = {reader_of(bench, loaded, 0, both), reader_of(bench, loaded, 1, both),
                                                   writer_of(bench, loaded, both)};
      const std::vector<Outcome> outcomes =
          run_crew(loaded.system, bench.workload, loaded.place, sharing, workers, bench.settings.sharing_seconds);
      Outcome sum;
      for (std::size_t i = 0; i < outcomes.size(); ++i) {
        if (!outcomes[i].error.empty()) sum.error += (i < 2 ? "reader: " : "writer: ") + outcomes[i].error + ". ";
      }
      if (sum.error.empty()) {
        sum.numbers = {{"read_per_s", outcomes[0].number("op_per_s") + outcomes[1].number("op_per_s")},
                       {"write_per_s", outcomes[2].number("op_per_s")},
                       {"writer_cpu_share", outcomes[2].number("cpu_share")},
                       {"data_allocated", sizes_of(loaded.place.directory).data_allocated}};
      }
      bench.record("writer", loaded.system.name, "two_readers_one_writer", round, sum);
    }
  }
}

// Opens in a new process, reads one record, and says how long both took.
Outcome time_open(const Bench& bench, const Loaded& loaded, unsigned round) {
  const auto work = [&](Reporter& reporter) {
    const RecordNumber record = below(mix(bench.settings.seed + round), loaded.place.record_count_max);
    const std::unique_ptr<Runner> runner = loaded.system.make(bench.workload);
    const Stopwatch watch;
    runner->open(loaded.place, Access::write);
    runner->read_one(record, kSharedVersionMax);
    reporter.number("wall_ns", watch.phase(1).wall_ns);
    runner->close();
  };
  return Child(work, {bench.cores.back()}).finish();
}

// A process opens the store, writes to it, and is killed in the middle of writing.
Outcome kill_a_writer(const Bench& bench, const Loaded& loaded) {
  Gate gate;
  Child child(
      [&](Reporter&) {
        const std::unique_ptr<Runner> runner = loaded.system.make(bench.workload);
        runner->open(loaded.place, Access::write);
        const Mixed mixed = mixed_of(loaded);
        std::uint64_t random = mix(bench.settings.seed + 400);
        runner->write_step(mixed, random);
        gate.arrive_and_wait();
        for (;;) runner->write_step(mixed, random);
      },
      {bench.cores.front()});
  while (gate.ready_count() == 0) {
    if (child.is_ended()) return child.finish();
  }
  gate.open();
  timespec pause = {0, 5'000'000};
  nanosleep(&pause, nullptr);
  child.kill();
  return {};
}

// Some repair for seconds after a kill: so often as that takes, and once at least.
bool is_too_long(const Stopwatch& watch) { return watch.phase(0).wall_ns > kOpenSecondsMax * 1e9; }

void run_open(Bench& bench, const std::vector<Loaded>& stores) {
  for (const Loaded& loaded : stores) {
    bench.say("open, " + loaded.system.name);
    Stopwatch watch;
    for (unsigned round = 0; round < bench.settings.open_count && !is_too_long(watch); ++round) {
      bench.record("open", loaded.system.name, "after_clean_close", round, time_open(bench, loaded, round));
    }
    if (!loaded.system.survives_kill) continue;
    watch = Stopwatch();
    for (unsigned round = 0; round < bench.settings.open_count && !is_too_long(watch); ++round) {
      const Outcome killed = kill_a_writer(bench, loaded);
      const Outcome opened = killed.error.empty() ? time_open(bench, loaded, round) : killed;
      bench.record("open", loaded.system.name, "after_kill", round, opened);
      if (!opened.error.empty()) break;
    }
  }
}

// Loads a store, closes it, opens it again and checks it. Reports its sizes when closed.
Outcome load(const Bench& bench, const System& system, const Place& place) {
  const auto work = [&](Reporter& reporter) {
    {
      const std::unique_ptr<Runner> runner = system.make(bench.workload);
      runner->open(place, Access::create);
      (void)runner->insert(place.record_count_max);
      runner->close();
    }
    const FileSizes sizes = sizes_of(place.directory);
    reporter.number("data_apparent", sizes.data_apparent);
    reporter.number("data_allocated", sizes.data_allocated);
    reporter.number("side_allocated", sizes.side_allocated);
    const std::unique_ptr<Runner> runner = system.make(bench.workload);
    runner->open(place, Access::read);
    runner->check(Expected(place.record_count_max));
    runner->close();
  };
  return Child(work, {bench.cores.back()}).finish();
}

}  // namespace

void run_shared(Bench& bench) {
  std::vector<Loaded> stores;
  for (const System& system : bench.systems) {
    if (system.kind != System::Kind::store) continue;
    bench.say("loading " + system.name);
    const Place place = {fresh_directory(bench, "shared-" + system.name),
                         record_count_of(system, bench.settings.record_count)};
    const Outcome outcome = load(bench, system, place);
    bench.record("load", system.name, "closed", 0, outcome);
    if (outcome.error.empty()) stores.push_back({system, place});
    settle(place.directory);
  }
  run_two_readers(bench, stores);
  run_readers_and_writer(bench, stores);
  run_open(bench, stores);
  for (const Loaded& loaded : stores) remove_directory(loaded.place.directory);
}

}  // namespace bench
