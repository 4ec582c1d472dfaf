// Shows that the sections ordered, lists and documents cannot be fooled: each fault of a store is found out by some phase
// or check, and a right one passes. Deterministic: seed 7. Run by ctest as bench_containers.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <utility>

#include "systems.h"

namespace bench {
namespace {

int failure_count = 0;

void expect(bool is_true, const std::string& what) {
  if (is_true) return;
  std::printf("FAILED: %s\n", what.c_str());
  ++failure_count;
}

// What is thrown by `work`, or nothing.
std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

enum class Fault { none, unordered_scan, short_range, unordered_range, loses_of_batch, changes_of_batch };

// An ordered map with one fault.
template <Fault kFault>
class FaultyMap {
 public:
  void open(const Place&, Access) {}
  void close() {}
  void put(std::string_view key, std::string_view value) {
    map_.insert_or_assign(std::string(key), std::string(value));
  }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    const auto it = map_.find(key);
    if (it == map_.end()) return false;
    use(std::string_view(it->second));
    return true;
  }
  bool erase(std::string_view key) { return map_.erase(std::string(key)) == 1; }
  template <class Use>
  void each(Use&& use) {
    walk(map_.begin(), map_.size(), kFault == Fault::unordered_scan, use);
  }
  template <class Use>
  void range(std::string_view low, std::uint64_t count, Use&& use) {
    walk(map_.lower_bound(low), kFault == Fault::short_range ? count - 1 : count, kFault == Fault::unordered_range,
         use);
  }
  void batch_begin() {}
  void batch_add(std::string_view key, std::string_view value) {
    if (kFault == Fault::loses_of_batch && ++added_count_ % 500 == 0) return;
    std::string kept(value);
    if (kFault == Fault::changes_of_batch && ++added_count_ % 500 == 0) ++kept[33];
    put(key, kept);
  }
  void batch_end() {}

 private:
  using Map = std::map<std::string, std::string, std::less<>>;

  // Swapped: the first two records come in the wrong order.
  template <class Use>
  void walk(Map::const_iterator it, std::uint64_t count, bool is_swapped, Use& use) {
    if (is_swapped && count >= 2) {
      const auto first = it++;
      use(std::string_view(it->first), std::string_view(it->second));
      use(std::string_view(first->first), std::string_view(first->second));
      ++it;
      count -= 2;
    }
    for (; count > 0 && it != map_.end(); ++it, --count) use(std::string_view(it->first), std::string_view(it->second));
  }

  Map map_;
  int added_count_ = 0;
};

constexpr std::uint64_t kCount = 2000;

// The phases of section "ordered"; `make` makes runners of open, empty stores.
std::string drive_ordered(const std::function<std::unique_ptr<OrderedRunner>(const Workload&)>& make) {
  return error_of([&] {
    const Workload workload(7, KeyText::ascii);
    const Order sorted = sorted_records(workload, kCount);
    const std::unique_ptr<OrderedRunner> runner = make(workload);
    Expected expected(kCount);
    (void)runner->insert(kCount);
    runner->check(expected);
    (void)runner->scan(sorted, expected);
    (void)runner->scan_ranges(draw(1, kCount - 100, 50), 100, sorted, expected);
    Order erased = shuffle(2, kCount);
    erased.resize(kCount / 2);
    (void)runner->erase(erased);
    expected.erase(erased);
    runner->check(expected);
    (void)runner->scan(sorted, expected);
    runner->close();
    const std::unique_ptr<OrderedRunner> loaded = make(workload);
    (void)loaded->load(sorted, 300);
    (void)loaded->scan(sorted, Expected(kCount));
    loaded->close();
  });
}

template <Fault kFault>
std::string drive_faulty_map() {
  return drive_ordered(make_ordered_runner<FaultyMap<kFault>>);
}

void test_ordered() {
  expect(drive_faulty_map<Fault::none>().empty(), "a right ordered map passes");
  expect(!drive_faulty_map<Fault::unordered_scan>().empty(), "a scan out of order is found");
  expect(!drive_faulty_map<Fault::short_range>().empty(), "a range that ends early is found");
  expect(!drive_faulty_map<Fault::unordered_range>().empty(), "a range out of order is found");
  expect(!drive_faulty_map<Fault::loses_of_batch>().empty(), "a record lost in a batch is found");
  expect(!drive_faulty_map<Fault::changes_of_batch>().empty(), "a value changed in a batch is found");
  for (const OrderedSystem& system : all_ordered_systems()) {
    if (system.kind == SystemKind::memory) expect(drive_ordered(system.make).empty(), system.name);
  }
}

void test_ascii_keys() {
  const Workload workload(7, KeyText::ascii);
  std::map<std::string, int> keys;
  for (RecordNumber i = 0; i < 100'000; ++i) ++keys[std::string(workload.key(i).view())];
  expect(keys.size() == 100'000, "ASCII keys differ");
  for (const auto& [key, count] : keys) {
    for (const char c : key) expect(c >= '0' && c <= 'o', "a key of ASCII");
  }
}

enum class ListFault { none, loses_append, wrong_index, unordered_iteration, wrong_place, loses_insertion };

template <ListFault kFault>
class FaultyList {
 public:
  void open(const Place&, Access) {}
  void close() {}
  void append(std::int64_t element) {
    if (kFault == ListFault::loses_append && list_.size() == 700) element = list_[699];
    list_.push_back(element);
  }
  std::int64_t get(std::uint64_t index) {
    return list_[kFault == ListFault::wrong_index && index == 700 ? index - 1 : index];
  }
  void insert(std::uint64_t index, std::int64_t element) {
    if (kFault == ListFault::loses_insertion && ++insert_count_ == 70) return;
    if (kFault == ListFault::wrong_place && ++insert_count_ == 70) index = index == 0 ? 1 : index - 1;
    list_.insert(list_.begin() + static_cast<std::ptrdiff_t>(index), element);
  }
  template <class Use>
  void each(Use&& use) {
    std::vector<std::int64_t> list = list_;
    if (kFault == ListFault::unordered_iteration) std::swap(list[700], list[701]);
    for (const std::int64_t element : list) use(element);
  }

 private:
  std::vector<std::int64_t> list_;
  int insert_count_ = 0;
};

// The phases of section "lists".
std::string drive_list(const std::function<std::unique_ptr<ListRunner>(const Workload&)>& make) {
  return error_of([&] {
    const std::unique_ptr<ListRunner> runner = make(Workload(7));
    (void)runner->append(kCount);
    (void)runner->index(draw(1, kCount, 4 * kCount));
    (void)runner->iterate(kCount);
    const Order places = draw(2, kCount, 300);
    const Phase phase = runner->insert(kCount, places, 60);
    if (phase.op_count != places.size()) fail("insertions ended early");
    runner->check(kCount, places);
    runner->close();
  });
}

template <ListFault kFault>
std::string drive_faulty_list() {
  return drive_list(make_list_runner<FaultyList<kFault>>);
}

void test_lists() {
  expect(drive_faulty_list<ListFault::none>().empty(), "a right list passes");
  expect(!drive_faulty_list<ListFault::loses_append>().empty(), "a lost element is found");
  expect(!drive_faulty_list<ListFault::wrong_index>().empty(), "a wrong element at an index is found");
  expect(!drive_faulty_list<ListFault::unordered_iteration>().empty(), "an iteration out of order is found");
  expect(!drive_faulty_list<ListFault::wrong_place>().empty(), "an insertion in the wrong place is found");
  expect(!drive_faulty_list<ListFault::loses_insertion>().empty(), "a lost insertion is found");
  for (const ListSystem& system : all_list_systems()) {
    if (system.kind == SystemKind::memory) expect(drive_list(system.make).empty(), system.name);
  }
}

void test_insertions_end_in_time() {
  const std::unique_ptr<ListRunner> runner = make_list_runner<FaultyList<ListFault::none>>(Workload(7));
  (void)runner->append(kCount);
  expect(runner->insert(kCount, draw(2, kCount, 300), 0).op_count == 0, "no time, no insertions");
  expect(error_of([&] { runner->check(kCount, {}); }).empty(), "and the list is as it was");
}

void test_expected_list() {
  for (const std::uint64_t count : {0u, 1u, 5u, 64u, 100u}) {
    std::vector<std::uint32_t> list;
    std::vector<std::uint32_t> places;
    for (std::uint32_t i = 0; i < count; ++i) list.push_back(i);
    for (std::uint32_t n = 0; n < 200; ++n) {
      places.push_back(static_cast<std::uint32_t>(below(mix(n), list.size() + 1)));
      list.insert(list.begin() + places.back(), static_cast<std::uint32_t>(count) + n);
      expect(expected_list(count, places) == list, "expected_list is what inserting makes");
    }
  }
}

enum class DocumentFault { none, loses_put, wrong_field, wrong_score, loses_update, invents };

template <DocumentFault kFault>
class FaultyDocuments {
 public:
  void open(const Place&, Access) {}
  void close() {}
  void put(std::string_view key, const Document& document) {
    if (kFault == DocumentFault::loses_put && map_.size() == 700) return (void)map_.try_emplace(std::string(key));
    map_.insert_or_assign(std::string(key), document);
  }
  template <class Use>
  void field(std::string_view key, Field field, Use&& use) {
    if (kFault == DocumentFault::wrong_field && field == Field::city) field = Field::name;
    use(field_value(map_.find(key)->second, field));
  }
  bool get(std::string_view key, Document& document) {
    const auto it = map_.find(key);
    if (it == map_.end()) return kFault == DocumentFault::invents;
    document = it->second;
    if (kFault == DocumentFault::wrong_score) ++document.scores[4];
    return true;
  }
  void set_visits(std::string_view key, std::int64_t visits) {
    if (kFault == DocumentFault::loses_update && ++update_count_ == kCount) return;
    map_.find(key)->second.visits = visits;
  }

 private:
  std::map<std::string, Document, std::less<>> map_;
  std::uint64_t update_count_ = 0;
};

template <DocumentFault kFault>
std::string drive_faulty_documents() {
  return error_of([] {
    DocumentRunnerOf<FaultyDocuments<kFault>> runner{Workload(7, KeyText::ascii)};
    Expected expected(kCount);
    (void)runner.insert(kCount);
    runner.check(expected);
    const Order order = draw(1, kCount, kCount);
    (void)runner.read_field(order, expected);
    (void)runner.read_whole(order, expected);
    (void)runner.update_field(order, 1);
    expected.overwrite(order, 1);
    runner.check(expected);
  });
}

// As above, by the timed phases alone.
template <DocumentFault kFault>
std::string time_faulty_documents() {
  return error_of([] {
    DocumentRunnerOf<FaultyDocuments<kFault>> runner{Workload(7, KeyText::ascii)};
    (void)runner.insert(kCount);
    (void)runner.read_field(draw(1, kCount, kCount), Expected(kCount));
    (void)runner.read_whole(draw(1, kCount, kCount), Expected(kCount));
  });
}

void test_documents() {
  expect(drive_faulty_documents<DocumentFault::none>().empty(), "right documents pass");
  expect(!drive_faulty_documents<DocumentFault::loses_put>().empty(), "a lost document is found");
  expect(!drive_faulty_documents<DocumentFault::wrong_field>().empty(), "a wrong field is found");
  expect(!drive_faulty_documents<DocumentFault::wrong_score>().empty(), "a wrong score is found");
  expect(!drive_faulty_documents<DocumentFault::loses_update>().empty(), "a lost update is found");
  expect(!drive_faulty_documents<DocumentFault::invents>().empty(), "a document that nobody put is found");
  expect(!time_faulty_documents<DocumentFault::wrong_field>().empty(), "a wrong field is found while timed");
  expect(!time_faulty_documents<DocumentFault::wrong_score>().empty(), "a wrong score is found while timed");
}

// A place for a store of these tests, removed at the end.
class Directory {
 public:
  Directory() {
    char name[] = "/tmp/utan_bench_XXXXXX";
    if (mkdtemp(name) == nullptr) fail("mkdtemp failed");
    path_ = name;
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  [[nodiscard]] Place place() const { return {path_, kCount}; }

 private:
  std::string path_;
};

// The stores themselves, on a few records.
void test_stores() {
  for (const OrderedSystem& system : all_ordered_systems()) {
    if (system.kind != SystemKind::store) continue;
    const Directory first;
    const Directory second;
    bool is_first = true;
    const std::string error = drive_ordered([&](const Workload& workload) {
      std::unique_ptr<OrderedRunner> runner = system.make(workload);
      runner->open(std::exchange(is_first, false) ? first.place() : second.place(), Access::create);
      return runner;
    });
    expect(error.empty(), "ordered, " + system.name + ": " + error);
  }
  for (const ListSystem& system : all_list_systems()) {
    if (system.kind != SystemKind::store) continue;
    const Directory directory;
    const std::string error = drive_list([&](const Workload& workload) {
      std::unique_ptr<ListRunner> runner = system.make(workload);
      runner->open(directory.place(), Access::create);
      return runner;
    });
    expect(error.empty(), "list, " + system.name + ": " + error);
  }
  for (const DocumentSystem& system : all_document_systems()) {
    if (system.kind != SystemKind::store) continue;
    const Directory directory;
    const std::string error = error_of([&] {
      const std::unique_ptr<DocumentRunner> runner = system.make(Workload(7, KeyText::ascii));
      runner->open(directory.place(), Access::create);
      (void)runner->insert(kCount);
      const Order order = draw(1, kCount, kCount);
      (void)runner->update_field(order, 1);
      Expected expected(kCount);
      expected.overwrite(order, 1);
      runner->check(expected);
      runner->close();
    });
    expect(error.empty(), "documents, " + system.name + ": " + error);
  }
}

}  // namespace
}  // namespace bench

int main() {
  bench::test_ordered();
  bench::test_ascii_keys();
  bench::test_lists();
  bench::test_insertions_end_in_time();
  bench::test_expected_list();
  bench::test_documents();
  bench::test_stores();
  if (bench::failure_count == 0) std::puts("bench_containers: ok");
  return bench::failure_count == 0 ? 0 : 1;
}
