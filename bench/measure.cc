#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "sections.h"

namespace bench {
namespace {

// Of a store's files the one with the records: every other one is named after it, with an addition.
// Or it is one of many files of tables or segments.
bool is_data(const std::filesystem::path& path) {
  static const std::set<std::string> names = {"store.utan",       "store.tkh",    "store.tkt",
                                              "store.lmdb",       "store.sqlite", "store.boost",
                                              "store.berkeleydb", "store.kch",    "store.kct"};
  static const std::set<std::string> suffixes = {".sst", ".ldb", ".psg", ".pix"};  // RocksDB, LevelDB, Pogreb
  return names.contains(path.filename().string()) || suffixes.contains(path.extension().string());
}

}  // namespace

std::string fresh_directory(const Bench& bench, const std::string& name) {
  const std::string directory = bench.settings.work + "/" + name;
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  return directory;
}

void remove_directory(const std::string& directory) { std::filesystem::remove_all(directory); }

FileSizes sizes_of(const std::string& directory) {
  FileSizes sizes;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    struct stat status {};
    if (stat(entry.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const double allocated = static_cast<double>(status.st_blocks) * 512;
    if (is_data(entry.path())) {
      sizes.data_apparent += static_cast<double>(status.st_size);
      sizes.data_allocated += allocated;
    } else {
      sizes.side_allocated += allocated;
    }
  }
  return sizes;
}

void settle(const std::string& directory) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    const int fd = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    (void)fsync(fd);
    close(fd);
  }
}

void report_phase(Reporter& reporter, const std::string& name, const Phase& phase) {
  const double ops = static_cast<double>(phase.op_count);
  reporter.number(name + ".wall_ns", phase.wall_ns / ops);
  reporter.number(name + ".cpu_ns", phase.cpu_ns / ops);
}

void report_sizes(Reporter& reporter, const std::string& prefix, const std::string& directory) {
  const FileSizes sizes = sizes_of(directory);
  reporter.number(prefix + "data_apparent", sizes.data_apparent);
  reporter.number(prefix + "data_allocated", sizes.data_allocated);
  reporter.number(prefix + "side_allocated", sizes.side_allocated);
}

void report_memory(Reporter& reporter, const std::string& prefix) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string name;
    double kib = 0;
    words >> name >> kib;
    if (name == "VmHWM:") reporter.number(prefix + "memory_peak", kib * 1024);
    if (name == "RssAnon:") reporter.number(prefix + "memory_own", kib * 1024);
  }
}

void report_disturbance(Reporter& reporter) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  reporter.number("preempted_count", static_cast<double>(usage.ru_nivcsw));
  reporter.number("major_fault_count", static_cast<double>(usage.ru_majflt));
}

}  // namespace bench
