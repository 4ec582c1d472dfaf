// Section "beyond": stores that are larger than the memory that is left for them. Each is loaded with records of 1 KiB until its
// files take so many bytes; then records are read and overwritten at random, and a part is iterated over. Beside the time of
// each phase: how often a page had to be read from the disk, and how much of the store was in memory at its end.
//
// Nothing runs where the file system has not the room for it, and files are removed before the next system's turn.
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sections.h"

namespace bench {
namespace {

constexpr std::size_t kBeyondValueSize = 1024;
constexpr std::uint64_t kPartCount = 64;  // of a load, after each of which is looked how much there is
constexpr double kPhaseSecondsMax = 30;
constexpr std::uint64_t kStepCount = 5'000;  // operations between two looks at the clock
constexpr std::uint64_t kIterateCount = 1'000'000;
constexpr double kRoomFactor = 1.4;  // what a system may need for a while, beside its files
constexpr unsigned kChildSecondsMax = 3600;

double major_fault_count() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_majflt);
}

// What is in memory now of this process and of the files that it has mapped, in bytes.
double resident_size() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string name;
    double kib = 0;
    words >> name >> kib;
    if (name == "VmRSS:") return kib * 1024;
  }
  return 0;
}

// Reports what a phase took, in all and per operation.
class Watched {
 public:
  Watched(Reporter& reporter, std::string name)
      : reporter_(reporter), name_(std::move(name)), faults_before_(major_fault_count()) {}
  void add(const Phase& phase) {
    sum_.wall_ns += phase.wall_ns;
    sum_.cpu_ns += phase.cpu_ns;
    sum_.op_count += phase.op_count;
  }
  [[nodiscard]] bool is_long() const { return sum_.wall_ns > kPhaseSecondsMax * 1e9; }
  void report() {
    report_phase(reporter_, name_, sum_);
    reporter_.number(name_ + ".op_count", static_cast<double>(sum_.op_count));
    reporter_.number(name_ + ".major_fault_count", major_fault_count() - faults_before_);
    reporter_.number(name_ + ".resident", resident_size());
  }

 private:
  Reporter& reporter_;
  const std::string name_;
  const double faults_before_;
  Phase sum_;
};

double allocated(const std::string& directory) {
  const FileSizes sizes = sizes_of(directory);
  return sizes.data_allocated + sizes.side_allocated;
}

// Until its files take so many bytes. Answers how many records there are.
std::uint64_t load(Runner& runner, const SizedValues& values, const Place& place, std::uint64_t bytes,
                   Reporter& reporter) {
  Watched watched(reporter, "load");
  const std::uint64_t part = std::max<std::uint64_t>(1, bytes / kBeyondValueSize / kPartCount);
  std::uint64_t count = 0;
  while (allocated(place.directory) < static_cast<double>(bytes) && count < place.record_count_max) {
    const std::uint64_t end = std::min(count + part, place.record_count_max);
    watched.add(runner.insert_sized(values, {.first = count, .record_count = end}));
    count = end;
  }
  watched.report();
  return count;
}

void measure_beyond(const Bench& bench, const System& system, const Place& place, Reporter& reporter) {
  const SizedValues values(kBeyondValueSize, bench.settings.seed);
  const std::unique_ptr<Runner> runner = system.make(bench.workload);
  runner->open(place, Access::create);
  const std::uint64_t count = load(*runner, values, place, bench.settings.beyond_bytes, reporter);
  reporter.number("record_count", static_cast<double>(count));
  std::uint64_t seed = bench.settings.seed + 700;
  const auto run_for_a_while = [&](const char* name, const std::function<Phase(const Order&)>& some) {
    Watched watched(reporter, name);
    while (!watched.is_long()) watched.add(some(draw(seed++, count, kStepCount)));
    watched.report();
  };
  run_for_a_while("read", [&](const Order& order) { return runner->read_sized(values, order); });
  run_for_a_while("overwrite", [&](const Order& order) { return runner->overwrite_sized(values, order); });
  Watched iterated(reporter, "iterate");
  iterated.add(runner->iterate_some(kBeyondValueSize, std::min(count, kIterateCount)));
  iterated.report();
  report_sizes(reporter, "", place.directory);
  runner->close();
}

// Empty: there is room for it.
std::string want_of_room(const Bench& bench) {
  std::filesystem::create_directories(bench.settings.work);
  const double free = static_cast<double>(std::filesystem::space(bench.settings.work).available);
  const double needed = kRoomFactor * static_cast<double>(bench.settings.beyond_bytes);
  if (free >= needed) return {};
  return "the file system of " + bench.settings.work + " has " + std::to_string(static_cast<std::uint64_t>(free)) +
         " bytes left, and this section needs " + std::to_string(static_cast<std::uint64_t>(needed));
}

}  // namespace

void run_beyond(Bench& bench) {
  if (bench.settings.beyond_bytes == 0) return;
  for (const System& system : bench.systems) {
    if (system.name != "utan" && system.name != "lmdb" && system.name != "rocksdb") continue;
    bench.say("beyond, " + system.name);
    if (const std::string want = want_of_room(bench); !want.empty()) {
      bench.record("beyond", system.name, "phases", 0, Outcome{.numbers = {}, .error = want});
      continue;
    }
    const Place place = {.directory = fresh_directory(bench, "beyond"),
                         .record_count_max = bench.settings.beyond_bytes / kBeyondValueSize,
                         .value_size = kBeyondValueSize,
                         .cache_size_max = static_cast<std::size_t>(bench.settings.beyond_bytes / 8)};
    Child child([&](Reporter& reporter) { measure_beyond(bench, system, place, reporter); }, {bench.cores.back()},
                kChildSecondsMax);
    bench.record("beyond", system.name, "phases", 0, child.finish());
    remove_directory(place.directory);
  }
}

}  // namespace bench
