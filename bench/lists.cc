// Section "lists": what one operation on a list of integers costs, one process on one core, each operation a commit,
// nothing synced.
#include "sections.h"

namespace bench {
namespace {

// Places of insertions into a list that has `count` elements before the first: the n-th is anywhere in what is there.
Order draw_places(std::uint64_t seed, std::uint64_t count, std::uint64_t insert_count) {
  Order places(insert_count);
  for (std::uint64_t n = 0; n < insert_count; ++n) {
    places[n] = static_cast<std::uint32_t>(below(mix(seed * 0x2545f4914f6cdd1du + n), count + n + 1));
  }
  return places;
}

void measure(const Bench& bench, const ListSystem& system, const Order& reads, const Order& places,
             const std::string& directory, Reporter& reporter) {
  const std::uint64_t count = bench.settings.record_count;
  const std::unique_ptr<ListRunner> runner = system.make(bench.workload);
  runner->open({directory, count}, Access::create);
  report_phase(reporter, "append", runner->append(count));
  if (system.kind == System::Kind::store) report_sizes(reporter, "appended.", directory);
  report_phase(reporter, "index", runner->index(reads));
  report_phase(reporter, "iterate", runner->iterate(count));

  const Phase insertions = runner->insert(count, places, bench.settings.list_insert_seconds_max);
  report_phase(reporter, "insert", insertions);
  reporter.number("insert.count", static_cast<double>(insertions.op_count));
  runner->check(count, std::span(places).first(insertions.op_count));
  runner->close();
  if (system.kind == System::Kind::store) report_sizes(reporter, "inserted.", directory);
  report_disturbance(reporter);
}

}  // namespace

void run_lists(Bench& bench) {
  const std::uint64_t count = bench.settings.record_count;
  const Order reads = draw(bench.settings.seed + 40, count, count);
  const Order places = draw_places(bench.settings.seed + 41, count, bench.settings.list_insert_count_max);
  take_turns(bench, "lists", bench.list_systems, bench.settings.container_round_count,
             [&](const ListSystem& system, const std::string& directory, Reporter& reporter) {
               measure(bench, system, reads, places, directory, reporter);
             });
}

}  // namespace bench
