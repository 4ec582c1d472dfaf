// Section "point": what one operation costs one process on one core, each operation a commit, nothing synced.
#include <sys/resource.h>

#include "sections.h"

namespace bench {
namespace {

struct Orders {
  Order reads;
  Order overwrites;
  Order erased;  // half of all
};

void report_phase(Reporter& reporter, const std::string& name, const Phase& phase) {
  const double ops = static_cast<double>(phase.op_count);
  reporter.number(name + ".wall_ns", phase.wall_ns / ops);
  reporter.number(name + ".cpu_ns", phase.cpu_ns / ops);
}

void report_sizes(Reporter& reporter, const std::string& directory) {
  const FileSizes sizes = sizes_of(directory);
  reporter.number("data_apparent", sizes.data_apparent);
  reporter.number("data_allocated", sizes.data_allocated);
  reporter.number("side_allocated", sizes.side_allocated);
}

void measure(const Bench& bench, const System& system, const Orders& orders, const std::string& directory,
             Reporter& reporter) {
  const std::uint64_t record_count = bench.settings.record_count;
  const std::unique_ptr<Runner> runner = system.make(bench.workload);
  runner->open({directory, record_count}, Access::create);
  Expected expected(record_count);

  report_phase(reporter, "insert", runner->insert(record_count));
  if (system.kind == System::Kind::store) report_sizes(reporter, directory);
  runner->check(expected);

  report_phase(reporter, "read", runner->read(orders.reads, expected));
  report_phase(reporter, "miss", runner->miss(record_count));
  report_phase(reporter, "overwrite", runner->overwrite(orders.overwrites, 1));
  expected.overwrite(orders.overwrites, 1);
  runner->check(expected);

  report_phase(reporter, "iterate", runner->iterate(expected));
  report_phase(reporter, "erase", runner->erase(orders.erased));
  expected.erase(orders.erased);
  runner->check(expected);

  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  reporter.number("preempted_count", static_cast<double>(usage.ru_nivcsw));
  reporter.number("major_fault_count", static_cast<double>(usage.ru_majflt));
  runner->close();
}

}  // namespace

void run_point(Bench& bench) {
  const std::uint64_t record_count = bench.settings.record_count;
  const std::uint64_t seed = bench.settings.seed;
  Orders orders = {draw(seed + 10, record_count, record_count), draw(seed + 11, record_count, record_count),
                   shuffle(seed + 12, record_count)};
  orders.erased.resize(record_count / 2);

  const std::vector<int> core = {bench.cores.back()};
  for (unsigned round = 0; round < bench.settings.round_count; ++round) {
    for (const System& system : bench.systems) {
      bench.say("point, round " + std::to_string(round + 1) + ", " + system.name);
      const std::string directory = fresh_directory(bench, "point");
      Child child([&](Reporter& reporter) { measure(bench, system, orders, directory, reporter); }, core);
      bench.record("point", system.name, "phases", round, child.finish());
      remove_directory(directory);
    }
  }
}

}  // namespace bench
