// Section "point": what one operation costs one process on one core, each operation a commit, nothing synced.
#include "sections.h"

namespace bench {
namespace {

struct Orders {
  Order reads;
  Order overwrites;
  Order erased;  // half of all
};

void measure(const Bench& bench, const System& system, const Orders& orders, const std::string& directory,
             Reporter& reporter) {
  const std::uint64_t record_count = bench.settings.record_count;
  const std::unique_ptr<Runner> runner = system.make(bench.workload);
  runner->open({directory, record_count}, Access::create);
  Expected expected(record_count);

  report_phase(reporter, "insert", runner->insert(record_count));
  if (system.kind == System::Kind::store) report_sizes(reporter, "", directory);
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

  report_disturbance(reporter);
  runner->close();
}

}  // namespace

void run_point(Bench& bench) {
  const std::uint64_t record_count = bench.settings.record_count;
  const std::uint64_t seed = bench.settings.seed;
  Orders orders = {draw(seed + 10, record_count, record_count), draw(seed + 11, record_count, record_count),
                   shuffle(seed + 12, record_count)};
  orders.erased.resize(record_count / 2);

  take_turns(bench, "point", bench.systems, bench.settings.round_count,
             [&](const System& system, const std::string& directory, Reporter& reporter) {
               measure(bench, system, orders, directory, reporter);
             });
}

}  // namespace bench
