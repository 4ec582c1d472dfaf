// Section "ordered": what one operation on a collection of records sorted by key costs, one process on one core, each
// operation a commit, nothing synced; and filling an empty one with sorted records, many in a commit.
#include <filesystem>
#include <map>

#include "sections.h"

namespace bench {
namespace {

inline constexpr std::uint64_t kRangeLength = 100;
inline constexpr std::uint64_t kBatchSize = 1000;

struct OrderedOrders {
  Order sorted;
  Order reads;
  Order overwrites;
  Order range_starts;
  Order erased;  // half of all
};

OrderedOrders make_orders(const Workload& workload, std::uint64_t seed, std::uint64_t record_count) {
  OrderedOrders orders{.sorted = sorted_records(workload, record_count),
                       .reads = draw(seed + 30, record_count, record_count),
                       .overwrites = draw(seed + 31, record_count, record_count),
                       .range_starts = draw(seed + 32, record_count - kRangeLength, record_count / kRangeLength),
                       .erased = shuffle(seed + 33, record_count)};
  orders.erased.resize(record_count / 2);
  return orders;
}

void measure_single(const OrderedSystem& system, const Workload& workload, const OrderedOrders& orders,
                    const Place& place, Reporter& reporter) {
  const std::uint64_t record_count = place.record_count_max;
  const std::unique_ptr<OrderedRunner> runner = system.make(workload);
  runner->open(place, Access::create);
  Expected expected(record_count);
  report_phase(reporter, "insert", runner->insert(record_count));
  runner->check(expected);

  report_phase(reporter, "read", runner->read(orders.reads, expected));
  report_phase(reporter, "scan", runner->scan(orders.sorted, expected));
  report_phase(reporter, "range", runner->scan_ranges(orders.range_starts, kRangeLength, orders.sorted, expected));
  report_phase(reporter, "overwrite", runner->overwrite(orders.overwrites, 1));
  expected.overwrite(orders.overwrites, 1);
  (void)runner->scan(orders.sorted, expected);
  report_phase(reporter, "erase", runner->erase(orders.erased));
  expected.erase(orders.erased);
  runner->check(expected);
  (void)runner->scan(orders.sorted, expected);
  runner->close();
}

// How large a store is that was filled in random order, when it is closed. A store of its own, because some keep their
// newest pages in memory until then, and closing makes others slower to change (Utan: a checkpoint).
void measure_random_size(const OrderedSystem& system, const Workload& workload, const Place& place,
                         Reporter& reporter) {
  if (system.kind != System::Kind::store) return;
  const std::unique_ptr<OrderedRunner> runner = system.make(workload);
  runner->open(place, Access::create);
  (void)runner->insert(place.record_count_max);
  runner->close();
  report_sizes(reporter, "random.", place.directory);
}

void measure_load(const OrderedSystem& system, const Workload& workload, const Order& sorted, std::uint64_t batch_size,
                  const std::string& name, const Place& place, Reporter& reporter) {
  const std::unique_ptr<OrderedRunner> runner = system.make(workload);
  runner->open(place, Access::create);
  report_phase(reporter, name, runner->load(sorted, batch_size));
  (void)runner->scan(sorted, Expected(sorted.size()));
  runner->close();
  if (system.kind == System::Kind::store) report_sizes(reporter, name + ".", place.directory);
}

// An empty directory below that of the section, for one more store.
Place fresh_place(const std::string& directory, const std::string& name, std::uint64_t record_count) {
  std::filesystem::remove_all(directory + "/" + name);
  std::filesystem::create_directory(directory + "/" + name);
  return {directory + "/" + name, record_count};
}

}  // namespace

void run_ordered(Bench& bench) {
  const Workload workload(bench.settings.seed, KeyText::ascii);
  // By number of records: slow systems have fewer.
  std::map<std::uint64_t, OrderedOrders> all_orders;
  for (const OrderedSystem& system : bench.ordered_systems) {
    const std::uint64_t record_count = record_count_of(system, bench.settings.record_count);
    if (all_orders.contains(record_count)) continue;
    all_orders.emplace(record_count, make_orders(workload, bench.settings.seed, record_count));
  }
  take_turns(bench, "ordered", bench.ordered_systems, bench.settings.container_round_count,
             [&](const OrderedSystem& system, const std::string& directory, Reporter& reporter) {
               const std::uint64_t record_count = record_count_of(system, bench.settings.record_count);
               const OrderedOrders& orders = all_orders.at(record_count);
               const auto place = [&] { return fresh_place(directory, "store", record_count); };
               measure_single(system, workload, orders, place(), reporter);
               measure_random_size(system, workload, place(), reporter);
               measure_load(system, workload, orders.sorted, kBatchSize, "load_batches", place(), reporter);
               measure_load(system, workload, orders.sorted, record_count, "load_whole", place(), reporter);
               report_disturbance(reporter);
             });
}

}  // namespace bench
