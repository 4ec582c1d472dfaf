// Fuzzes sequences of calls of the C interface: what a store answers is what a model of standard containers does
// (calls_model.h), at each call, after closing and opening again, and in snapshots; and at the end the checker finds nothing.
//
// The input is the sequence: a byte that says which call, one that says on which of four containers (a dict, a list, a
// collection, a table), and what the call needs.
//
//   calls_fuzz -max_total_time=60 FOLDER     (libFuzzer; -help=1 says more)
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "capi/handles.h"
#include "os/sim/machine.h"
#include "support/calls_model.h"
#include "support/damage_exercise.h"
#include "support/damage_store.h"

namespace utan::fuzz {
namespace {

using damage::GotValue;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "the store is not as the model: %s; the last error: %s\n", what, utan_last_error());
  std::abort();
}
void expect(bool holds, const char* what) {
  if (!holds) fail(what);
}
void expect_done(utan_code code, const char* what) { expect(code == UTAN_OK, what); }

struct DataHandle {
  utan_data* data = nullptr;
  DataHandle() { expect_done(utan_data_new(&data), "utan_data_new"); }
  ~DataHandle() { utan_data_free(data); }
  DataHandle(const DataHandle&) = delete;
  DataHandle& operator=(const DataHandle&) = delete;
  void add(const Plain& plain) {
    const utan_value value = plain.given();
    expect_done(utan_data_add(data, &value), "utan_data_add");
  }
};

// A store beside its model.
class Run {
 public:
  explicit Run(os::sim::Machine& machine) : process_(machine.start_process()) {
    for (std::size_t i = 0; i < std::size(names); ++i) models_[i].type = types[i];
    open();
  }
  ~Run() {
    close();
    process_.kill();
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void call(FuzzBytes& bytes) {
    const std::uint64_t what = bytes.number(1);
    const std::size_t which = bytes.below(std::size(names), 1);
    Modelled& model = models_[which];
    utan_container* const container = containers_[which];
    switch (what % 16) {
      case 0:
        compare(container, model);
        break;
      case 1:
        expect_done(utan_clear(container), "clear");
        model.entries.clear();
        model.elements.clear();
        break;
      case 2:
        take_snapshot();
        break;
      case 3:
        if (what / 16 % 4 == 0) close_and_open();
        if (what / 16 % 4 == 1) expect_done(utan_sync(store_), "sync");
        break;
      default:
        if (model.is_list()) {
          call_list(container, model, what, bytes);
        } else {
          call_mapping(container, model, what, bytes);
        }
    }
  }

  void finish() {
    for (std::size_t i = 0; i < std::size(names); ++i) compare(containers_[i], models_[i]);
    compare_snapshot();
    close_and_open();
    for (std::size_t i = 0; i < std::size(names); ++i) compare(containers_[i], models_[i]);
    utan_check_report report{};
    report.struct_size = sizeof report;
    expect_done(utan_check(store_, nullptr, &report), "check");
    expect(report.problem_count == 0, "the checker finds problems");
  }

 private:
  static constexpr const char* names[] = {"dict", "list", "collection", "table"};
  static constexpr std::uint32_t types[] = {UTAN_DICT, UTAN_LIST, UTAN_COLLECTION, UTAN_TABLE};

  // --- The store

  void open() {
    auto opened = object::Store::open(process_, damage::store_path, damage::Images::options());
    expect(opened.ok(), "opening");
    store_ = new utan_store{std::move(opened).value()};
    for (std::size_t i = 0; i < std::size(names); ++i) {
      expect_done(utan_named(store_, names[i], std::strlen(names[i]), types[i], 1, &containers_[i]), "a container");
    }
  }
  void close() {
    close_snapshot();
    for (utan_container* container : containers_) utan_container_close(container);
    expect_done(utan_close(store_), "closing");
  }
  void close_and_open() {
    compare_snapshot();
    close();
    open();
  }
  void take_snapshot() {
    compare_snapshot();
    close_snapshot();
    expect_done(utan_snapshot(store_, &snapshot_), "a snapshot");
    std::ranges::copy(models_, models_then_);
  }
  void compare_snapshot() {
    if (snapshot_ == nullptr) return;
    for (std::size_t i = 0; i < std::size(names); ++i) {
      utan_container* then = nullptr;
      expect_done(utan_container_in(containers_[i], snapshot_, &then), "a container of a snapshot");
      compare(then, models_then_[i]);
      utan_container_close(then);
    }
  }
  void close_snapshot() {
    expect_done(utan_close(snapshot_), "closing a snapshot");
    snapshot_ = nullptr;
  }

  // --- Everything that is in a container

  static void compare(utan_container* container, const Modelled& model) {
    std::uint64_t count = 0;
    expect_done(utan_count(container, &count), "count");
    expect(count == model.size(), "how many there are");
    utan_iterator* iterator = nullptr;
    expect_done(utan_iterate(container, nullptr, &iterator), "iterate");
    auto entry = model.entries.begin();
    for (std::uint64_t i = 0; i < count; ++i) {
      utan_value key{};
      utan_value value{};
      expect_done(utan_iterator_next(iterator, &key, &value), "next");
      if (model.is_list()) {
        expect(model.elements[i].is(value), "an element");
      } else if (model.is_ordered()) {
        expect(entry->first.is(key) && entry->second.is(value), "an entry");
        ++entry;
      } else {
        const auto found = std::ranges::find_if(model.entries, [&](const auto& one) { return one.first.is(key); });
        expect(found != model.entries.end() && found->second.is(value), "an entry of a table");
      }
    }
    expect(utan_iterator_next(iterator, nullptr, nullptr) == UTAN_NOT_FOUND, "the end");
    utan_iterator_close(iterator);
  }

  // --- Mappings

  void call_mapping(utan_container* container, Modelled& model, std::uint64_t what, FuzzBytes& bytes) {
    if (what % 16 >= 12) return call_order(container, model, what, bytes);
    const Plain key = Plain::key(bytes);
    const utan_value given = key.given();
    const auto found = model.entries.find(key);
    const bool there = found != model.entries.end();
    GotValue got;
    switch (what % 16) {
      case 4: {
        const Plain value = Plain::value(bytes);
        const utan_value to_set = value.given();
        expect_done(utan_set(container, &given, &to_set), "set");
        model.entries[key] = value;
        break;
      }
      case 5: {
        const Plain value = Plain::value(bytes);
        const utan_value to_add = value.given();
        expect(utan_add(container, &given, &to_add) == (there ? UTAN_EXISTS : UTAN_OK), "add");
        model.entries.emplace(key, value);
        break;
      }
      case 6:
        expect(utan_erase(container, &given) == (there ? UTAN_OK : UTAN_NOT_FOUND), "erase");
        model.entries.erase(key);
        break;
      case 7:
        expect(utan_pop(container, &given, got.out()) == (there ? UTAN_OK : UTAN_NOT_FOUND), "pop");
        if (there) expect(found->second.is(*got), "what was taken out");
        model.entries.erase(key);
        break;
      case 8:
        expect(utan_get(container, &given, got.out()) == (there ? UTAN_OK : UTAN_NOT_FOUND), "get");
        if (there) expect(found->second.is(*got), "what is there");
        break;
      case 9:
        increase(container, model, key, there);
        break;
      case 10:
        put_many(container, model, bytes, false);
        break;
      default:
        put_many(container, model, bytes, true);
        break;
    }
  }

  static void increase(utan_container* container, Modelled& model, const Plain& key, bool there) {
    const utan_value given = key.given();
    const utan_value by = Plain::number(3).given();
    const bool is_number = !there || model.entries[key].type == Plain::Type::integer;
    expect(utan_increase(container, &given, &by, nullptr) == (is_number ? UTAN_OK : UTAN_TYPE), "increase");
    if (!is_number) return;
    Plain& now = model.entries[key];
    now = Plain::number(there ? now.integer + 3 : 3);
  }

  // Many in one commit: beside those that are there, or instead of them.
  static void put_many(utan_container* container, Modelled& model, FuzzBytes& bytes, bool instead) {
    const std::uint64_t count = bytes.number(1);
    const auto from = static_cast<std::int64_t>(bytes.number(2));
    const Plain value = Plain::value(bytes);
    DataHandle data;
    expect_done(utan_data_begin(data.data, model.type, nullptr), "begin");
    if (instead) model.entries.clear();
    for (std::uint64_t i = 0; i < count; ++i) {
      const Plain key = Plain::number(from + static_cast<std::int64_t>(i * 3));
      data.add(key);
      data.add(value);
      model.entries[key] = value;
    }
    expect_done(utan_data_end(data.data), "end");
    expect_done(instead ? utan_assign(container, data.data) : utan_update(container, data.data), "update or assign");
  }

  void call_order(utan_container* container, Modelled& model, std::uint64_t what, FuzzBytes& bytes) {
    if (!model.is_ordered()) return;
    const Plain key = Plain::key(bytes);
    const utan_value given = key.given();
    GotValue got_key;
    GotValue got_value;
    switch (what % 16) {
      case 12: {
        const auto above = model.entries.lower_bound(key);
        const bool any = above != model.entries.end();
        expect(utan_ceiling(container, &given, got_key.out(), got_value.out()) == (any ? UTAN_OK : UTAN_NOT_FOUND),
               "ceiling");
        if (any) expect(above->first.is(*got_key) && above->second.is(*got_value), "what is above");
        break;
      }
      case 13: {
        const auto above = model.entries.upper_bound(key);
        const bool any = above != model.entries.begin();
        expect(utan_floor(container, &given, got_key.out(), got_value.out()) == (any ? UTAN_OK : UTAN_NOT_FOUND),
               "floor");
        if (any) expect(std::prev(above)->first.is(*got_key), "what is below");
        break;
      }
      case 14:
        use_range(container, model, key, Plain::key(bytes), what);
        break;
      default: {
        const bool any = !model.entries.empty();
        expect(utan_pop_last(container, got_key.out(), got_value.out()) == (any ? UTAN_OK : UTAN_NOT_FOUND),
               "pop_last");
        if (!any) break;
        expect(std::prev(model.entries.end())->first.is(*got_key), "the last one");
        model.entries.erase(std::prev(model.entries.end()));
        break;
      }
    }
  }

  static void use_range(utan_container* container, Modelled& model, const Plain& a, const Plain& b,
                        std::uint64_t what) {
    const Plain& low = std::min(a, b);
    const Plain& high = std::max(a, b);
    const utan_value given_low = low.given();
    const utan_value given_high = high.given();
    utan_range range = damage::whole_range();
    range.low = &given_low;
    range.high = &given_high;
    const auto first = model.entries.lower_bound(low);
    const auto end = model.entries.lower_bound(high);
    const auto expected = static_cast<std::uint64_t>(std::distance(first, end));
    std::uint64_t count = 0;
    if (what / 16 % 2 == 0) {
      expect_done(utan_count_range(container, &range, &count), "count_range");
      expect(count == expected, "how many are in the range");
      return;
    }
    expect_done(utan_delete_range(container, &range, &count), "delete_range");
    expect(count == expected, "how many were in the range");
    model.entries.erase(first, end);
  }

  // --- Lists

  void call_list(utan_container* container, Modelled& model, std::uint64_t what, FuzzBytes& bytes) {
    auto& elements = model.elements;
    const std::uint64_t index = elements.empty() ? 0 : bytes.below(elements.size(), 2);
    const bool any = !elements.empty();
    const auto at = static_cast<std::ptrdiff_t>(index);
    const utan_value key = Plain::number(at).given();
    const Plain value = Plain::value(bytes);
    const utan_value given = value.given();
    GotValue got;
    switch (what % 16) {
      case 4:
      case 5:
        expect_done(utan_append(container, &given), "append");
        elements.push_back(value);
        break;
      case 6:
        expect_done(utan_insert(container, at, &given), "insert");
        elements.insert(elements.begin() + at, value);
        break;
      case 7:
        expect(utan_set(container, &key, &given) == (any ? UTAN_OK : UTAN_INVALID), "set");
        if (any) elements[index] = value;
        break;
      case 8:
        expect(utan_get(container, &key, got.out()) == (any ? UTAN_OK : UTAN_NOT_FOUND), "get");
        if (any) expect(elements[index].is(*got), "what is there");
        break;
      case 9:
        expect(utan_pop(container, &key, got.out()) == (any ? UTAN_OK : UTAN_NOT_FOUND), "pop");
        if (!any) break;
        expect(elements[index].is(*got), "what was taken out");
        elements.erase(elements.begin() + at);
        break;
      case 10:
        expect(utan_erase(container, &key) == (any ? UTAN_OK : UTAN_NOT_FOUND), "erase");
        if (any) elements.erase(elements.begin() + at);
        break;
      default:
        splice(container, elements, index, bytes);
        break;
    }
  }

  static void splice(utan_container* container, std::vector<Plain>& elements, std::uint64_t index, FuzzBytes& bytes) {
    const std::uint64_t removed = std::min<std::uint64_t>(bytes.number(1), elements.size() - index);
    const std::uint64_t added = bytes.number(1);
    const Plain value = Plain::value(bytes);
    DataHandle data;
    expect_done(utan_data_begin(data.data, UTAN_LIST, nullptr), "begin");
    for (std::uint64_t i = 0; i < added; ++i) data.add(value);
    expect_done(utan_data_end(data.data), "end");
    expect_done(utan_splice(container, index, removed, data.data), "splice");
    const auto at = elements.begin() + static_cast<std::ptrdiff_t>(index);
    const auto behind = elements.erase(at, at + static_cast<std::ptrdiff_t>(removed));
    elements.insert(behind, added, value);
  }

  os::sim::Process& process_;
  utan_store* store_ = nullptr;
  utan_store* snapshot_ = nullptr;
  utan_container* containers_[std::size(names)] = {};
  Modelled models_[std::size(names)];
  Modelled models_then_[std::size(names)];  // when the snapshot was taken
};

// A new store for each input, from a copy of an empty one.
class World {
 public:
  World() : machine_(1, damage::reservation) {
    os::sim::Process& maker = machine_.start_process();
    auto made = object::Store::open(maker, damage::store_path, damage::Images::options());
    expect(made.ok() && object::Store::close(std::move(made).value()).ok(), "an empty store");
    data_ = machine_.content(damage::store_path);
  }
  os::sim::Machine& empty_store() {
    machine_.restore_in_place(damage::store_path, data_);
    machine_.restore_in_place(damage::lock_path, {});
    return machine_;
  }

 private:
  os::sim::Machine machine_;
  damage::Bytes data_;
};

constexpr int call_count_max = 300;

}  // namespace
}  // namespace utan::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static utan::fuzz::World world;
  utan::fuzz::FuzzBytes bytes(data, size);
  utan::fuzz::Run run(world.empty_store());
  for (int i = 0; i < utan::fuzz::call_count_max && !bytes.empty(); ++i) run.call(bytes);
  run.finish();
  return 0;
}
