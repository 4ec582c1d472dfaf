// Section "growth": how large Utan's file gets under steady overwriting, with nothing held, with a snapshot held since
// the load, and with a checkpoint made after the load.
#include "sections.h"

#ifdef UTAN_BENCH_HAS_UTAN
#include <optional>
#include <utan/utan.hpp>
#endif

namespace bench {

#ifdef UTAN_BENCH_HAS_UTAN
namespace {

enum class Held { nothing, snapshot, checkpoint };

// Compares every record of a table with what it must be.
void check_table(const Workload& workload, const utan::Table& table, const Expected& expected) {
  for (RecordNumber i = 0; i < expected.versions.size(); ++i) {
    const utan::Value value = table.get(workload.key(i).view());
    if (!value) fail("growth: record " + std::to_string(i) + " is missing");
    if (workload.value(i, expected.versions[i]).view() != value.view()) {
      fail("growth: record " + std::to_string(i) + " has a wrong value");
    }
  }
  if (table.count() != expected.versions.size()) fail("growth: the table has another number of records");
}

void report_size(Reporter& reporter, const std::string& prefix, const std::string& directory,
                 const utan::Store& store) {
  const FileSizes sizes = sizes_of(directory);
  const utan::Stats stats = store.stats();
  reporter.number(prefix + ".data_apparent", sizes.data_apparent);
  reporter.number(prefix + ".data_allocated", sizes.data_allocated);
  reporter.number(prefix + ".used_size", static_cast<double>(stats.used_size));
  reporter.number(prefix + ".free_size", static_cast<double>(stats.free_size));
}

void grow(const Bench& bench, Held held, const std::string& directory, Reporter& reporter) {
  const std::uint64_t record_count = bench.settings.record_count;
  const Workload& workload = bench.workload;
  utan::Options options;
  options.mode = utan::Mode::fresh;
  options.durability = utan::Durability::manual;
  utan::Store store = utan::Store::open(directory + "/store.utan", options);
  utan::Table table = store.table("bench");
  for (RecordNumber i = 0; i < record_count; ++i) table.put(workload.key(i).view(), workload.value(i, 0).view());
  report_size(reporter, "loaded", directory, store);

  std::optional<utan::Store> snapshot;
  if (held == Held::snapshot) snapshot.emplace(store.snapshot());
  if (held == Held::checkpoint) store.sync();

  const Order order = draw(bench.settings.seed + 20, record_count, bench.settings.growth_overwrite_count);
  Version version = 1;
  const Stopwatch watch;
  for (const std::uint32_t record : order) {
    table.put(workload.key(record).view(), workload.value(record, version++).view());
  }
  const Phase phase = watch.phase(order.size());
  reporter.number("overwrite.wall_ns", phase.wall_ns / static_cast<double>(phase.op_count));
  report_size(reporter, "grown", directory, store);

  Expected expected(record_count);
  if (snapshot) {
    const std::optional<utan::Table> seen = snapshot->find_table("bench");
    if (!seen) fail("growth: the snapshot lacks the table");
    check_table(workload, *seen, expected);
  }
  expected.overwrite(order, 1);
  check_table(workload, table, expected);
}

}  // namespace

void run_growth(Bench& bench) {
  bool is_selected = false;
  for (const System& system : bench.systems) is_selected = is_selected || system.name == "utan";
  if (!is_selected) return;
  const std::pair<Held, std::string> cases[] = {
      {Held::nothing, "nothing_held"}, {Held::snapshot, "snapshot_held"}, {Held::checkpoint, "checkpoint_after_load"}};
  for (const auto& [held, name] : cases) {
    bench.say("growth, " + name);
    const std::string directory = fresh_directory(bench, "growth");
    Child child([&, what = held](Reporter& reporter) { grow(bench, what, directory, reporter); }, {bench.cores.back()});
    bench.record("growth", "utan", name, 0, child.finish());
    remove_directory(directory);
  }
}

#else

void run_growth(Bench&) {}

#endif

}  // namespace bench
