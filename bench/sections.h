// The sections of the benchmark. Each measures one thing for all systems that can do it, taking turns, and writes what it
// measured, one JSON object per line, unjudged: report.py computes medians and ratios and compares them with the targets.
//
// Owner: main owns the Bench; sections borrow it. Everything that touches a store happens in child processes.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "document_runner.h"
#include "list_runner.h"
#include "ordered_runner.h"
#include "process.h"
#include "runner.h"

namespace bench {

struct Settings {
  std::uint64_t record_count = 1'000'000;
  std::uint64_t growth_overwrite_count = 10'000'000;
  std::uint64_t document_count = 100'000;
  std::uint64_t list_insert_count_max = 100'000;
  double list_insert_seconds_max = 1.0;
  unsigned round_count = 3;            // of section point
  unsigned container_round_count = 2;  // of sections ordered, lists, documents
  unsigned sharing_round_count = 3;
  unsigned open_count = 20;
  double sharing_seconds = 0.7;
  std::uint64_t script_record_count = 1'000'000;  // of section ycsb
  unsigned script_repeat_count = 2;               // of each script
  double script_seconds = 0.2;                    // of each
  bool is_large = false;                          // section scale goes to ten million records
  std::uint64_t scale_bytes = 16u << 20;          // of values, of each size
  // A system for which inserting would take longer than this, judged by the step before, is left out of a step.
  double scale_seconds_max = 2.5;
  double large_seconds_max = 100;
  std::uint64_t beyond_bytes = 0;                 // of each store of section beyond; 0: none
  std::uint64_t control_array_size = 160u << 20;  // bytes, of each process
  unsigned control_miss_count = 3;                // dependent misses of one operation of the sharing control
  std::uint64_t seed = 42;
  std::string work = "bench/results/work";
};

// The file to which a run writes its lines. One per run; flushed after each line.
class Journal {
 public:
  explicit Journal(const std::string& path);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  using Texts = std::vector<std::pair<std::string, std::string>>;
  using Numbers = std::vector<std::pair<std::string, double>>;
  void line(const Texts& texts, const Numbers& numbers);

 private:
  std::FILE* file_;
};

struct Bench {
  Settings settings;
  std::vector<System> systems;
  std::vector<OrderedSystem> ordered_systems;
  std::vector<ListSystem> list_systems;
  std::vector<DocumentSystem> document_systems;
  Workload workload;
  std::vector<int> cores;
  Journal& journal;
  unsigned error_count = 0;

  // Writes an outcome as one line; an error is also said on the terminal, and counted.
  void record(const std::string& section, const std::string& system, const std::string& what, unsigned round,
              const Outcome& outcome);
  // Says on the terminal what is being done.
  void say(const std::string& text) const;
};

// Each operation by one process on one core; all systems.
void run_point(Bench& bench);
// Collections of records sorted by key, lists, and documents: the same for containers that a table is not.
void run_ordered(Bench& bench);
void run_lists(Bench& bench);
void run_documents(Bench& bench);
// Mixed loads of the Yahoo! Cloud Serving Benchmark, by one worker and by two.
void run_ycsb(Bench& bench);
// Tables of a thousand to a million records (ten, if large), and values of eight bytes to a mebibyte.
void run_scale(Bench& bench);
// Stores larger than memory: Utan, LMDB and RocksDB.
void run_beyond(Bench& bench);
// Two readers against one; two readers and a writer; opening. Stores are loaded once and then used by all three.
void run_shared(Bench& bench);
// How the file grows under steady overwriting; Utan only.
void run_growth(Bench& bench);

// ---- Files of a store ----------------------------------------------------------------------------------------------

struct FileSizes {
  double data_apparent = 0;   // the data file, as ls shows it
  double data_allocated = 0;  // the data file, what the file system gave it
  double side_allocated = 0;  // every other file in the directory
};

// Makes an empty directory of that name under the work directory, removing what was there.
[[nodiscard]] std::string fresh_directory(const Bench& bench, const std::string& name);
void remove_directory(const std::string& directory);
[[nodiscard]] FileSizes sizes_of(const std::string& directory);
// Writes everything in the directory back, so that the kernel does not do so during what follows.
void settle(const std::string& directory);

// ---- What sections share -------------------------------------------------------------------------------------------

// Time per operation, by the clock and by the processor.
void report_phase(Reporter& reporter, const std::string& name, const Phase& phase);
// sizes_of, each number's name behind `prefix`.
void report_sizes(Reporter& reporter, const std::string& prefix, const std::string& directory);
// The most memory that was resident in this process so far, and what of it now is its own, not a file's. In bytes; what the
// control reports is what the benchmark itself takes.
void report_memory(Reporter& reporter, const std::string& prefix);
// How often something else was at work on this process's core, and how often a page had to be read.
void report_disturbance(Reporter& reporter);

// Runs measure(system, directory, reporter) in a child of its own, on the last core, for each system in each round.
template <class SystemType, class Measure>
void take_turns(Bench& bench, const std::string& section, const std::vector<SystemType>& systems, unsigned round_count,
                Measure&& measure) {
  for (unsigned round = 0; round < round_count; ++round) {
    for (const SystemType& system : systems) {
      if (round >= system.round_count_max) continue;
      bench.say(section + ", round " + std::to_string(round + 1) + ", " + system.name);
      const std::string directory = fresh_directory(bench, section);
      Child child([&](Reporter& reporter) { measure(system, directory, reporter); }, {bench.cores.back()});
      bench.record(section, system.name, "phases", round, child.finish());
      remove_directory(directory);
    }
  }
}

}  // namespace bench
