// How a collection of records sorted by key is driven: as runner.h says, and in order.
//
// An adapter has what runner.h asks for, and
//   template <class Use> void range(std::string_view low, std::uint64_t count, Use&& use);  // use(key, value) in order
//   void batch_begin();                                          // what follows is one commit,
//   void batch_add(std::string_view key, std::string_view value);  // of records in ascending order,
//   void batch_end();                                            // which all come after those that are there
// each() goes in the order of the keys.
//
// Honesty: what a scan adds up depends on the order in which the records came, and holds a piece of every key.
#pragma once

#include <algorithm>
#include <span>

#include "runner.h"

namespace bench {

// All records, in the order of their keys.
[[nodiscard]] inline Order sorted_records(const Workload& workload, std::uint64_t record_count) {
  Order order(record_count);
  for (std::uint64_t i = 0; i < record_count; ++i) order[i] = static_cast<std::uint32_t>(i);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return workload.key(a).view() < workload.key(b).view(); });
  return order;
}

class OrderedRunner : public Runner {
 public:
  // All records, in order. `sorted` is all that was ever loaded; what `expected` says is gone is left out.
  virtual Phase scan(std::span<const std::uint32_t> sorted, const Expected& expected) = 0;
  // `length` records from each of `starts` on, which are places in `sorted`; nothing of it is gone. An operation is a
  // range.
  virtual Phase scan_ranges(std::span<const std::uint32_t> starts, std::uint64_t length,
                            std::span<const std::uint32_t> sorted, const Expected& expected) = 0;
  // Fills an empty store with all of `sorted`, so many in a commit.
  virtual Phase load(std::span<const std::uint32_t> sorted, std::uint64_t batch_size) = 0;
};

// A sum that tells orders apart.
class OrderedSum {
 public:
  void add(std::string_view key, std::string_view value) {
    std::uint64_t word = 0;
    if (key.size() >= sizeof word) std::memcpy(&word, key.data() + key.size() - sizeof word, sizeof word);
    sum_ = sum_ * 0x9e3779b97f4a7c15u + word + touch(value);
  }
  bool operator==(const OrderedSum&) const = default;

 private:
  std::uint64_t sum_ = 0;
};

template <class Adapter>
class OrderedRunnerOf final : public RunnerOf<Adapter, OrderedRunner> {
 public:
  using RunnerOf<Adapter, OrderedRunner>::RunnerOf;

  Phase scan(std::span<const std::uint32_t> sorted, const Expected& expected) override {
    this->answer(true, sorted.size());
    OrderedSum sum;
    std::uint64_t count = 0;
    const Stopwatch watch;
    this->adapter_.each([&](std::string_view key, std::string_view value) {
      sum.add(key, value);
      ++count;
    });
    const Phase phase = watch.phase(count);
    OrderedSum sum_expected;
    for (const std::uint32_t record : sorted) add_expected(record, expected, sum_expected);
    require(sum == sum_expected, "scan: not the records that were written, or not in order");
    return phase;
  }

  Phase scan_ranges(std::span<const std::uint32_t> starts, std::uint64_t length, std::span<const std::uint32_t> sorted,
                    const Expected& expected) override {
    this->answer(true, length);
    OrderedSum sum;
    const Stopwatch watch;
    for (const std::uint32_t start : starts) {
      const Key low = this->workload_.key(sorted[start]);
      this->adapter_.range(low.view(), length,
                           [&sum](std::string_view key, std::string_view value) { sum.add(key, value); });
    }
    const Phase phase = watch.phase(starts.size());
    OrderedSum sum_expected;
    for (const std::uint32_t start : starts) {
      for (const std::uint32_t record : sorted.subspan(start, length)) add_expected(record, expected, sum_expected);
    }
    require(sum == sum_expected, "range: not the records that were written, or not in order");
    return phase;
  }

  Phase load(std::span<const std::uint32_t> sorted, std::uint64_t batch_size) override {
    const std::size_t record_count = sorted.size();
    const Stopwatch watch;
    while (!sorted.empty()) {
      const auto batch = sorted.first(std::min<std::size_t>(batch_size, sorted.size()));
      this->adapter_.batch_begin();
      for (const std::uint32_t record : batch) {
        const Key key = this->workload_.key(record);
        const Value value = this->workload_.value(record, 0);
        this->adapter_.batch_add(key.view(), value.view());
      }
      this->adapter_.batch_end();
      sorted = sorted.subspan(batch.size());
    }
    return watch.phase(record_count);
  }

 protected:
  std::unique_ptr<RunnerOf<Adapter, OrderedRunner>> make_another() override {
    return std::make_unique<OrderedRunnerOf>(this->workload_);
  }

 private:
  void add_expected(std::uint32_t record, const Expected& expected, OrderedSum& sum) const {
    if (expected.versions[record] == kGone) return;
    sum.add(this->workload_.key(record).view(), this->workload_.value(record, expected.versions[record]).view());
  }
  static void require(bool is_right, const char* what) {
    if constexpr (ControlAdapter<Adapter>) return;
    if (!is_right) fail(what);
  }
};

using OrderedSystem = SystemOf<OrderedRunner>;

template <class Adapter>
std::unique_ptr<OrderedRunner> make_ordered_runner(const Workload& workload) {
  return std::make_unique<OrderedRunnerOf<Adapter>>(workload);
}

}  // namespace bench
