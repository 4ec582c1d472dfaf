// How a list of integers is driven; see runner.h for what holds of all runners.
//
// An adapter has
//   void open(const Place&, Access);
//   void close();
//   void append(std::int64_t element);                       // one commit
//   std::int64_t get(std::uint64_t index);                   // which is there
//   void insert(std::uint64_t index, std::int64_t element);  // before what is at `index`; one commit
//   template <class Use> void each(Use&& use);               // use(element), in order
//
// Honesty: all elements differ; an iteration's sum depends on their order; after the insertions the whole list is compared
// with what it must be, by iteration and by index.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "runner.h"

namespace bench {

// The list after `count` elements were appended and further ones inserted, the n-th of them before place inserted_at[n].
// An element is known by its number (Workload::element): 0 to count - 1 were appended, the others inserted, in turn.
[[nodiscard]] inline std::vector<std::uint32_t> expected_list(std::uint64_t count,
                                                              std::span<const std::uint32_t> inserted_at) {
  // From the last insertion back: its place is final. That of the one before counts among the places still free. A tree
  // of sums (Fenwick 1994) over the free places finds the n-th of them.
  const std::size_t total = count + inserted_at.size();
  std::vector<std::uint32_t> free_count(total + 1, 0);
  for (std::size_t i = 1; i <= total; ++i) free_count[i] = static_cast<std::uint32_t>(i & (~i + 1));
  std::size_t top = 1;
  while (top * 2 <= total) top *= 2;
  const auto take = [&](std::uint64_t rank) {
    std::size_t place = 0;
    for (std::size_t step = top; step != 0; step /= 2) {
      if (place + step > total) continue;
      if (free_count[place + step] <= rank) {
        place += step;
        rank -= free_count[place];
      } else {
        --free_count[place + step];
      }
    }
    return place;
  };
  constexpr std::uint32_t kFree = ~std::uint32_t{0};
  std::vector<std::uint32_t> list(total, kFree);
  for (std::size_t n = inserted_at.size(); n > 0; --n)
    list[take(inserted_at[n - 1])] = static_cast<std::uint32_t>(count + n - 1);
  std::uint32_t appended = 0;
  for (std::uint32_t& element : list) {
    if (element == kFree) element = appended++;
  }
  return list;
}

class ListRunner {
 public:
  virtual ~ListRunner() = default;
  virtual void open(const Place& place, Access access) = 0;
  virtual void close() = 0;

  // Timed.
  virtual Phase append(std::uint64_t count) = 0;
  // Before anything is inserted.
  virtual Phase index(std::span<const std::uint32_t> order) = 0;
  virtual Phase iterate(std::uint64_t count) = 0;
  // Into a list of `count` elements, at these places; stops early when `seconds_max` have passed. Phase::op_count tells
  // how many were inserted.
  virtual Phase insert(std::uint64_t count, std::span<const std::uint32_t> places, double seconds_max) = 0;

  // Not timed: every element, by iteration and by index.
  virtual void check(std::uint64_t count, std::span<const std::uint32_t> inserted_at) = 0;
};

// The loop itself, without a list.
template <class Adapter>
concept ControlList = requires(Adapter a) {
  a.answer(std::uint64_t{0});
};

template <class Adapter>
class ListRunnerOf final : public ListRunner {
 public:
  explicit ListRunnerOf(const Workload& workload) : workload_(workload) {}

  void open(const Place& place, Access access) override { adapter_.open(place, access); }
  void close() override { adapter_.close(); }

  Phase append(std::uint64_t count) override {
    const Stopwatch watch;
    for (std::uint64_t i = 0; i < count; ++i) adapter_.append(workload_.element(i));
    return watch.phase(count);
  }

  Phase index(std::span<const std::uint32_t> order) override {
    std::uint64_t sum = 0;
    const Stopwatch watch;
    for (const std::uint32_t i : order) sum += static_cast<std::uint64_t>(adapter_.get(i));
    const Phase phase = watch.phase(order.size());
    std::uint64_t sum_expected = 0;
    for (const std::uint32_t i : order) sum_expected += static_cast<std::uint64_t>(workload_.element(i));
    require(sum == sum_expected, "index: the elements are not those that were appended");
    return phase;
  }

  Phase iterate(std::uint64_t count) override {
    answer(count);
    std::uint64_t sum = 0;
    std::uint64_t seen_count = 0;
    const Stopwatch watch;
    adapter_.each([&](std::int64_t element) {
      sum = sum * kSumFactor + static_cast<std::uint64_t>(element);
      ++seen_count;
    });
    const Phase phase = watch.phase(seen_count);
    std::uint64_t sum_expected = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      sum_expected = sum_expected * kSumFactor + static_cast<std::uint64_t>(workload_.element(i));
    }
    require(sum == sum_expected, "iterate: not the elements that were appended, or not in order");
    return phase;
  }

  Phase insert(std::uint64_t count, std::span<const std::uint32_t> places, double seconds_max) override {
    const double end_ns = Stopwatch::now_ns(CLOCK_MONOTONIC) + seconds_max * 1e9;
    std::uint64_t n = 0;
    const Stopwatch watch;
    // The clock is read every time: it costs little beside any insertion, and the control pays for it, too.
    while (n < places.size() && Stopwatch::now_ns(CLOCK_MONOTONIC) < end_ns) {
      adapter_.insert(places[n], workload_.element(count + n));
      ++n;
    }
    return watch.phase(n);
  }

  void check(std::uint64_t count, std::span<const std::uint32_t> inserted_at) override {
    if constexpr (ControlList<Adapter>) return;
    const std::vector<std::uint32_t> expected = expected_list(count, inserted_at);
    std::size_t at = 0;
    adapter_.each([&](std::int64_t element) {
      require(at < expected.size(), "check: the list is too long");
      require(element == workload_.element(expected[at]), "check: a wrong element in the iteration");
      ++at;
    });
    require(at == expected.size(), "check: the list is too short");
    for (at = 0; at < expected.size(); ++at) {
      require(adapter_.get(at) == workload_.element(expected[at]), "check: a wrong element at an index");
    }
  }

 private:
  static constexpr std::uint64_t kSumFactor = 0x9e3779b97f4a7c15u;

  static void require(bool is_right, const char* what) {
    if constexpr (ControlList<Adapter>) return;
    if (!is_right) fail(what);
  }
  void answer(std::uint64_t count) {
    if constexpr (ControlList<Adapter>) adapter_.answer(count);
  }

  Workload workload_;
  Adapter adapter_;
};

using ListSystem = SystemOf<ListRunner>;

template <class Adapter>
std::unique_ptr<ListRunner> make_list_runner(const Workload& workload) {
  return std::make_unique<ListRunnerOf<Adapter>>(workload);
}

}  // namespace bench
