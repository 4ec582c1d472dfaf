// Section "documents": what one operation on a collection of documents costs, one process on one core, each operation a
// commit, nothing synced.
#include "sections.h"

namespace bench {
namespace {

void measure(const DocumentSystem& system, const Workload& workload, const Order& reads, const Order& updates,
             const std::string& directory, Reporter& reporter) {
  const std::uint64_t count = reads.size();
  const std::unique_ptr<DocumentRunner> runner = system.make(workload);
  runner->open({directory, count}, Access::create);
  Expected expected(count);
  report_phase(reporter, "insert", runner->insert(count));
  if (system.kind == System::Kind::store) report_sizes(reporter, "", directory);
  runner->check(expected);

  report_phase(reporter, "read_field", runner->read_field(reads, expected));
  report_phase(reporter, "read_whole", runner->read_whole(reads, expected));
  report_phase(reporter, "update_field", runner->update_field(updates, 1));
  expected.overwrite(updates, 1);
  runner->check(expected);
  runner->close();
  report_disturbance(reporter);
}

}  // namespace

void run_documents(Bench& bench) {
  const Workload workload(bench.settings.seed, KeyText::ascii);
  const std::uint64_t count = bench.settings.document_count;
  const Order reads = draw(bench.settings.seed + 50, count, count);
  const Order updates = draw(bench.settings.seed + 51, count, count);
  take_turns(bench, "documents", bench.document_systems, bench.settings.container_round_count,
             [&](const DocumentSystem& system, const std::string& directory, Reporter& reporter) {
               measure(system, workload, reads, updates, directory, reporter);
             });
}

}  // namespace bench
