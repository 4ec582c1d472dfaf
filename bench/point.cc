// Section "point": what one operation costs one process on one core, each operation a commit, nothing synced.
#include <map>

#include "sections.h"

namespace bench {
namespace {

struct Orders {
  Order reads;
  Order overwrites;
  Order erased;  // all
};

Orders make_orders(std::uint64_t seed, std::uint64_t record_count) {
  return {draw(seed + 10, record_count, record_count), draw(seed + 11, record_count, record_count),
          shuffle(seed + 12, record_count)};
}

void measure(const Bench& bench, const System& system, const Orders& orders, const std::string& directory,
             Reporter& reporter) {
  const std::uint64_t record_count = orders.erased.size();
  const std::unique_ptr<Runner> runner = system.make(bench.workload);
  runner->open({directory, record_count}, Access::create);
  Expected expected(record_count);

  report_phase(reporter, "insert", runner->insert(record_count));
  if (system.kind == System::Kind::store) report_sizes(reporter, "", directory);
  runner->check(expected);
  report_memory(reporter, "");

  report_phase(reporter, "read", runner->read(orders.reads, expected));
  report_phase(reporter, "miss", runner->miss(record_count));
  report_phase(reporter, "overwrite", runner->overwrite(orders.overwrites, 1));
  expected.overwrite(orders.overwrites, 1);
  runner->check(expected);

  report_phase(reporter, "iterate", runner->iterate(expected));
  // In two halves, so that what is left can be compared in between.
  const std::span<const std::uint32_t> erased(orders.erased);
  report_phase(reporter, "erase", runner->erase(erased.first(record_count / 2)));
  expected.erase(erased.first(record_count / 2));
  runner->check(expected);
  report_phase(reporter, "erase_rest", runner->erase(erased.subspan(record_count / 2)));
  expected.erase(erased);
  runner->check(expected);

  if (system.call_ns != nullptr) reporter.number("call_ns", system.call_ns());
  report_disturbance(reporter);
  runner->close();
}

}  // namespace

void run_point(Bench& bench) {
  // By number of records: slow systems have fewer.
  std::map<std::uint64_t, Orders> orders;
  for (const System& system : bench.systems) {
    const std::uint64_t record_count = record_count_of(system, bench.settings.record_count);
    if (!orders.contains(record_count)) orders.emplace(record_count, make_orders(bench.settings.seed, record_count));
  }
  take_turns(bench, "point", bench.systems, bench.settings.round_count,
             [&](const System& system, const std::string& directory, Reporter& reporter) {
               const std::uint64_t record_count = record_count_of(system, bench.settings.record_count);
               measure(bench, system, orders.at(record_count), directory, reporter);
             });
}

}  // namespace bench
