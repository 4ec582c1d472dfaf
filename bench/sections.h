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

#include "process.h"
#include "runner.h"

namespace bench {

struct Settings {
  std::uint64_t record_count = 1'000'000;
  std::uint64_t growth_overwrite_count = 10'000'000;
  unsigned round_count = 5;
  unsigned sharing_round_count = 5;
  unsigned open_count = 20;
  double sharing_seconds = 2.0;
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
// Two reading processes against one; two readers and a writer; opening. Stores are loaded once and then used by all three.
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

}  // namespace bench
