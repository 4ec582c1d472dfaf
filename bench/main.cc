// utan_bench: runs the benchmark's sections and writes what it measured, one JSON object per line. See README.md.
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <sstream>

#include "crew.h"
#include "sections.h"
#include "systems.h"

namespace bench {
namespace {

constexpr const char* kUsage =
    "utan_bench [--name value]...\n"
    "  --out FILE        where to write (bench/results/raw.jsonl)\n"
    "  --work DIR        where stores are made and removed again (bench/results/work)\n"
    "  --sections LIST   of point,ordered,ycsb,scale,lists,documents,shared,growth,beyond (all)\n"
    "  --systems LIST    of control,utan,absl,unordered_map,map,vector,tkrzw,lmdb,rocksdb,leveldb,sqlite,\n"
    "                    berkeleydb,kyotocabinet,boost,pogreb (all);\n"
    "                    the control always runs\n"
    "  --records N       loaded (1000000)         --overwrites N       of section growth (10000000)\n"
    "  --documents N     of section documents (100000)\n"
    "  --list-inserts N  at most, of section lists (100000), in at most --list-insert-seconds S (1)\n"
    "  --rounds N        of section point (3)     --container-rounds N of sections ordered, lists and documents (2)\n"
    "  --sharing-rounds N   of section shared (3)  --seconds S  of each sharing run (0.7)\n"
    "  --script-records N   of section ycsb (1000000)  --script-seconds S  of each script (0.2)\n"
    "  --scale-bytes N        of values of each size, of section scale (16777216)\n"
    "  --large 1              section scale goes to ten million records (0)\n"
    "  --beyond-bytes N       that each store of section beyond takes (0: it is left out)\n"
    "  --opens N            of each kind (20)\n"
    "  --seed N          of keys, values and orders (42)\n";

struct Options {
  Settings settings;
  std::string out = "bench/results/raw.jsonl";
  std::string sections = "point,ordered,ycsb,scale,lists,documents,shared,growth,beyond";
  std::string systems;
};

// Is `name` in the list "a,b,c"? An empty list has everything.
bool is_listed(const std::string& list, const std::string& name) {
  if (list.empty()) return true;
  std::stringstream stream(list);
  for (std::string item; std::getline(stream, item, ',');) {
    if (item == name) return true;
  }
  return false;
}

Options parse(int argc, char** argv) {
  Options o;
  Settings& s = o.settings;
  const std::map<std::string, std::function<void(const char*)>> setters = {
      {"--out", [&](const char* v) { o.out = v; }},
      {"--work", [&](const char* v) { s.work = v; }},
      {"--sections", [&](const char* v) { o.sections = v; }},
      {"--systems", [&](const char* v) { o.systems = v; }},
      {"--records", [&](const char* v) { s.record_count = std::strtoull(v, nullptr, 10); }},
      {"--overwrites", [&](const char* v) { s.growth_overwrite_count = std::strtoull(v, nullptr, 10); }},
      {"--rounds", [&](const char* v) { s.round_count = static_cast<unsigned>(std::atoi(v)); }},
      {"--documents", [&](const char* v) { s.document_count = std::strtoull(v, nullptr, 10); }},
      {"--list-inserts", [&](const char* v) { s.list_insert_count_max = std::strtoull(v, nullptr, 10); }},
      {"--list-insert-seconds", [&](const char* v) { s.list_insert_seconds_max = std::atof(v); }},
      {"--container-rounds", [&](const char* v) { s.container_round_count = static_cast<unsigned>(std::atoi(v)); }},
      {"--sharing-rounds", [&](const char* v) { s.sharing_round_count = static_cast<unsigned>(std::atoi(v)); }},
      {"--seconds", [&](const char* v) { s.sharing_seconds = std::atof(v); }},
      {"--script-records", [&](const char* v) { s.script_record_count = std::strtoull(v, nullptr, 10); }},
      {"--script-seconds", [&](const char* v) { s.script_seconds = std::atof(v); }},
      {"--large", [&](const char* v) { s.is_large = std::atoi(v) != 0; }},
      {"--scale-bytes", [&](const char* v) { s.scale_bytes = std::strtoull(v, nullptr, 10); }},
      {"--beyond-bytes", [&](const char* v) { s.beyond_bytes = std::strtoull(v, nullptr, 10); }},
      {"--opens", [&](const char* v) { s.open_count = static_cast<unsigned>(std::atoi(v)); }},
      {"--seed", [&](const char* v) { s.seed = std::strtoull(v, nullptr, 10); }},
  };
  for (int i = 1; i < argc; i += 2) {
    const auto setter = setters.find(argv[i]);
    if (setter == setters.end() || i + 1 == argc) {
      std::fputs(kUsage, stderr);
      std::exit(2);
    }
    setter->second(argv[i + 1]);
  }
  if (s.record_count < 1000 || s.record_count > 0xffffffffu) fail("--records must be from 1,000 to 2^32 - 1");
  return o;
}

// Those of `all` that are listed, and the control.
template <class SystemType>
std::vector<SystemType> chosen(const std::vector<SystemType>& all, const std::string& list) {
  std::vector<SystemType> out;
  for (const SystemType& system : all) {
    if (system.kind == SystemKind::control || is_listed(list, system.name)) out.push_back(system);
  }
  return out;
}

template <class SystemType>
void describe(Journal& journal, const std::string& part, const std::vector<SystemType>& systems,
              std::uint64_t record_count_max) {
  for (const SystemType& system : systems) {
    const char* const kinds[] = {"control", "memory", "store"};
    journal.line({{"section", "system"},
                  {"part", part},
                  {"system", system.name},
                  {"version", system.version},
                  {"kind", kinds[static_cast<int>(system.kind)]},
                  {"settings", system.settings},
                  {"readers_are", name_of(sharing_of(system, false))},
                  {"writers_are", name_of(sharing_of(system, true))}},
                 {{"record_count_max", static_cast<double>(std::min(record_count_max, system.record_count_max))},
                  {"round_count_max", std::min(1e9, static_cast<double>(system.round_count_max))}});
  }
}

void describe(const Bench& bench) {
  const Settings& s = bench.settings;
  bench.journal.line({{"section", "run"}, {"compiler", __VERSION__}},
                     {{"record_count", static_cast<double>(s.record_count)},
                      {"document_count", static_cast<double>(s.document_count)},
                      {"list_insert_count_max", static_cast<double>(s.list_insert_count_max)},
                      {"list_insert_seconds_max", s.list_insert_seconds_max},
                      {"key_size", static_cast<double>(kKeySize)},
                      {"value_size", static_cast<double>(kValueSize)},
                      {"growth_overwrite_count", static_cast<double>(s.growth_overwrite_count)},
                      {"round_count", static_cast<double>(s.round_count)},
                      {"container_round_count", static_cast<double>(s.container_round_count)},
                      {"sharing_round_count", static_cast<double>(s.sharing_round_count)},
                      {"sharing_seconds", s.sharing_seconds},
                      {"control_array_size", static_cast<double>(s.control_array_size)},
                      {"control_miss_count", static_cast<double>(s.control_miss_count)},
                      {"script_record_count", static_cast<double>(s.script_record_count)},
                      {"script_repeat_count", static_cast<double>(s.script_repeat_count)},
                      {"script_seconds", s.script_seconds},
                      {"is_large", s.is_large ? 1.0 : 0.0},
                      {"scale_bytes", static_cast<double>(s.scale_bytes)},
                      {"scale_seconds_max", s.scale_seconds_max},
                      {"large_seconds_max", s.large_seconds_max},
                      {"beyond_bytes", static_cast<double>(s.beyond_bytes)},
                      {"open_count", static_cast<double>(s.open_count)},
                      {"core_count", static_cast<double>(bench.cores.size())},
                      {"seed", static_cast<double>(s.seed)}});
  describe(bench.journal, "point", bench.systems, s.record_count);
  describe(bench.journal, "ordered", bench.ordered_systems, s.record_count);
  describe(bench.journal, "lists", bench.list_systems, s.record_count);
  describe(bench.journal, "documents", bench.document_systems, s.document_count);
  for (const MissingPeer& peer : missing_peers()) {
    bench.journal.line({{"section", "missing"}, {"system", peer.name}, {"reason", peer.reason}}, {});
  }
}

int run(const Options& options) {
  std::filesystem::create_directories(options.settings.work);
  Journal journal(options.out);
  Bench bench{.settings = options.settings,
              .systems = chosen(all_systems(), options.systems),
              .ordered_systems = chosen(all_ordered_systems(), options.systems),
              .list_systems = chosen(all_list_systems(), options.systems),
              .document_systems = chosen(all_document_systems(), options.systems),
              .workload = Workload(options.settings.seed),
              .cores = allowed_cores(),
              .journal = journal};
  describe(bench);
  if (is_listed(options.sections, "point")) run_point(bench);
  if (is_listed(options.sections, "ordered")) run_ordered(bench);
  if (is_listed(options.sections, "ycsb")) run_ycsb(bench);
  if (is_listed(options.sections, "scale")) run_scale(bench);
  if (is_listed(options.sections, "lists")) run_lists(bench);
  if (is_listed(options.sections, "documents")) run_documents(bench);
  if (is_listed(options.sections, "shared")) run_shared(bench);
  if (is_listed(options.sections, "growth")) run_growth(bench);
  if (is_listed(options.sections, "beyond")) run_beyond(bench);
  if (bench.error_count != 0) std::fprintf(stderr, "bench: %u errors\n", bench.error_count);
  return bench.error_count == 0 ? 0 : 1;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  try {
    return bench::run(bench::parse(argc, argv));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench: %s\n", e.what());
    return 1;
  }
}
