// Where the time goes: what single operations of Utan take, in nanoseconds, and, under Valgrind's callgrind, in instructions
// and cache misses; and how long memory takes to answer.
//
//   utan_bench_cost DIRECTORY RECORDS OPERATIONS
//
// Prints a line of JSON for each operation, {"operation": ..., "ns": ...}, the best of some rounds, and one for the latency of
// memory: what a step costs along a chain of cache lines, each of which names the next, through as many bytes as the store's
// file has. Under callgrind (--instr-atstart=no --cache-sim=yes) each operation is counted instead, once, and leaves a file of
// counts with its name; cost.py reads both.
//
// One process, one thread, nothing synced. Every value read is compared.
#include <sys/mman.h>
#include <sys/stat.h>
#include <valgrind/callgrind.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <numeric>
#include <string>
#include <vector>

#include "adapters/utan_containers.h"
#include "workload.h"

namespace bench {
namespace {

constexpr int kRounds = 5;
constexpr std::string_view kField = "visits";

class Store {
 public:
  Store(const std::string& path, std::uint64_t record_count) : path_(path), record_count_(record_count) {
    utan_open_options options{};
    options.struct_size = sizeof options;
    options.mode = UTAN_NEW;
    options.durability = UTAN_DURABILITY_MANUAL;
    utan_must(utan_open(path.c_str(), &options, &store_));
    table_ = named("table", UTAN_TABLE);
    collection_ = named("collection", UTAN_COLLECTION);
    documents_ = named("documents", UTAN_COLLECTION);
    single_ = named("single", UTAN_TABLE);
    for (const std::uint32_t i : shuffle(1, static_cast<std::uint32_t>(record_count))) {
      put(table_, i, 0);
      put(collection_, i, 0);
    }
    for (std::uint64_t i = 0; i < document_count(); ++i) put_document(i);
    put(single_, 0, 0);
  }
  ~Store() {
    for (utan_container* container : {table_, collection_, documents_, single_}) utan_container_close(container);
    utan_close(store_);
  }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  std::uint64_t document_count() const { return record_count_ / 4; }
  std::uint64_t file_size() const {
    struct stat status {};
    if (stat(path_.c_str(), &status) != 0) fail("the store's file is gone");
    return static_cast<std::uint64_t>(status.st_size);
  }

  void get(utan_container* from, std::uint64_t record) {
    const Key key = keys_.key(record);
    const utan_value k = utan_of_bytes(key.view());
    UtanGot value;
    if (!utan_found(utan_get(from, &k, &value)) || value.size != kValueSize) fail("a record is missing");
    sum_ += touch(utan_text(value));
  }
  void put(utan_container* into, std::uint64_t record, Version version) {
    const Key key = keys_.key(record);
    const Value value = keys_.value(record, version);
    const utan_value k = utan_of_bytes(key.view());
    const utan_value v = utan_of_bytes(value.view());
    utan_must(utan_set(into, &k, &v));
  }
  void get_field(std::uint64_t document) {
    const Key key = keys_.key(document);
    const utan_value path[] = {utan_of_bytes(key.view()), utan_of_string(kField)};
    UtanGot value;
    utan_must(utan_get_at(documents_, path, 2, &value));
    if (value.type != UTAN_INTEGER) fail("a field is of another type");
    sum_ += static_cast<std::uint64_t>(value.integer);
  }
  void set_field(std::uint64_t document, std::int64_t number) {
    const Key key = keys_.key(document);
    const utan_value path[] = {utan_of_bytes(key.view()), utan_of_string(kField)};
    const utan_value value = utan_of_integer(number);
    utan_must(utan_set_at(documents_, path, 2, &value, 1));
  }

  utan_container* table() const { return table_; }
  utan_container* collection() const { return collection_; }
  utan_container* single() const { return single_; }
  // So that what was read is used.
  std::uint64_t sum() const { return sum_; }

 private:
  utan_container* named(std::string_view name, utan_type type) {
    utan_container* out = nullptr;
    utan_must(utan_named(store_, name.data(), name.size(), type, 1, &out));
    return out;
  }
  void put_document(std::uint64_t document) {
    constexpr std::string_view fields[] = {"name", "email", "city", "age", kField, "balance", "created", "active"};
    const Key key = keys_.key(document);
    utan_data* data = nullptr;
    utan_must(utan_data_new(&data));
    utan_must(utan_data_begin(data, UTAN_DICT, nullptr));
    for (const std::string_view field : fields) {
      const utan_value name = utan_of_string(field);
      const utan_value value = field == "name" || field == "email" || field == "city"
                                   ? utan_of_bytes(key.view())
                                   : utan_of_integer(keys_.element(document));
      utan_must(utan_data_add(data, &name));
      utan_must(utan_data_add(data, &value));
    }
    utan_must(utan_data_end(data));
    const utan_value k = utan_of_bytes(key.view());
    const utan_value v = utan_of_plain(data);
    utan_must(utan_set(documents_, &k, &v));
    utan_data_free(data);
  }

  std::string path_;
  std::uint64_t record_count_;
  Workload keys_{42};
  utan_store* store_ = nullptr;
  utan_container* table_ = nullptr;
  utan_container* collection_ = nullptr;
  utan_container* documents_ = nullptr;
  utan_container* single_ = nullptr;
  std::uint64_t sum_ = 0;
};

// Nanoseconds a step of a chain through `size` bytes, each of whose cache lines names another one: no step can begin before
// the one before it has ended. Pages of 4 KiB, as the store's.
double memory_latency(std::uint64_t size) {
  constexpr std::uint64_t line = 64;
  const std::uint64_t count = size / line;
  void* const memory = mmap(nullptr, count * line, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("no memory to measure the latency with");
  madvise(memory, count * line, MADV_NOHUGEPAGE);
  auto* const words = static_cast<std::uint64_t*>(memory);
  // One ring of all lines (Sattolo 1986).
  for (std::uint64_t i = 0; i < count; ++i) words[i * 8] = i;
  for (std::uint64_t i = count - 1; i > 0; --i) std::swap(words[i * 8], words[below(mix(i), i) * 8]);
  constexpr std::uint64_t steps = 2'000'000;
  double best = 0;
  std::uint64_t at = 0;
  for (int round = 0; round < kRounds; ++round) {
    const Stopwatch watch;
    for (std::uint64_t i = 0; i < steps; ++i) at = words[at * 8];
    const double ns = watch.phase(steps).wall_ns / static_cast<double>(steps);
    best = round == 0 ? ns : std::min(best, ns);
  }
  munmap(memory, count * line);
  if (at >= count) fail("the chain left its memory");
  return best;
}

// Measures or, under callgrind, counts what `each(i)` takes, for i below `count`.
template <class Each>
void cost(const char* name, std::uint64_t count, Each&& each) {
  if (RUNNING_ON_VALGRIND) {
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    for (std::uint64_t i = 0; i < count; ++i) each(i);
    CALLGRIND_DUMP_STATS_AT(name);
    CALLGRIND_STOP_INSTRUMENTATION;
    return;
  }
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const Stopwatch watch;
    for (std::uint64_t i = 0; i < count; ++i) each(i);
    const double ns = watch.phase(count).wall_ns / static_cast<double>(count);
    best = round == 0 ? ns : std::min(best, ns);
  }
  std::printf("{\"operation\": \"%s\", \"ns\": %.1f}\n", name, best);
}

void measure(const std::string& directory, std::uint64_t record_count, std::uint64_t operation_count) {
  Store store(directory + "/cost.utan", record_count);
  const Order order = draw(7, record_count, operation_count);
  const Order documents = draw(8, store.document_count(), operation_count);
  const Workload keys{42};
  std::uint64_t sum = 0;
  cost("loop", operation_count, [&](std::uint64_t i) {
    const Key key = keys.key(order[i]);
    sum += touch(keys.value(order[i], i).view()) + key.words[0];
  });
  cost("table get", operation_count, [&](std::uint64_t i) { store.get(store.table(), order[i]); });
  cost("table put", operation_count, [&](std::uint64_t i) { store.put(store.table(), order[i], i); });
  cost("collection get", operation_count, [&](std::uint64_t i) { store.get(store.collection(), order[i]); });
  cost("collection put", operation_count, [&](std::uint64_t i) { store.put(store.collection(), order[i], i); });
  cost("field get", operation_count, [&](std::uint64_t i) { store.get_field(documents[i]); });
  cost("field set", operation_count,
       [&](std::uint64_t i) { store.set_field(documents[i], static_cast<std::int64_t>(i)); });
  cost("commit", operation_count, [&](std::uint64_t i) { store.put(store.single(), 0, i); });
  if (!RUNNING_ON_VALGRIND) {
    const std::uint64_t size = store.file_size();
    std::printf("{\"operation\": \"latency\", \"ns\": %.1f, \"bytes\": %llu}\n", memory_latency(size),
                static_cast<unsigned long long>(size));
  }
  if (store.sum() + sum == 0) fail("nothing was read");
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: utan_bench_cost DIRECTORY RECORDS OPERATIONS\n");
    return 2;
  }
  try {
    bench::measure(argv[1], std::strtoull(argv[2], nullptr, 10), std::strtoull(argv[3], nullptr, 10));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "utan_bench_cost: %s\n", error.what());
    return 1;
  }
  return 0;
}
