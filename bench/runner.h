// How a system under test is driven. An adapter, one small file in adapters/, says how to put, get, erase and iterate;
// RunnerOf<Adapter> makes whole phases of these, with the adapter's calls inlined in the timed loop, so that all systems
// and the control share one loop. Outside this header a system is only seen as Runner, whose virtual calls are one per
// phase and cost nothing. ordered_runner.h, list_runner.h and document_runner.h do the same for other containers.
//
// An Adapter has
//   void open(const Place&, Access);              // Access::create starts with an empty store
//   void close();                                 // orderly, so that another process may open it
//   void put(std::string_view key, std::string_view value);           // insert or overwrite; one commit, nothing synced
//   template <class Use> bool get(std::string_view key, Use&& use);   // use(std::string_view) in place; false: absent
//   bool erase(std::string_view key);                                 // false: absent
//   template <class Use> void each(Use&& use);                        // use(key, value) for all records
// Any failure is thrown as std::runtime_error. Not thread-safe: one runner belongs to one process.
//
// Honesty: timed phases add up what they touched, and the sum must be what the workload says; check() compares every
// record, byte for byte, outside the timed part.
#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "script.h"
#include "sized.h"
#include "workload.h"

namespace bench {

enum class Access { create, write, read };

// Where a store lives and what its makers may be told in advance.
struct Place {
  std::string directory;
  std::uint64_t record_count_max = 0;
  std::size_t value_size = kValueSize;           // of each record, when not told otherwise
  std::size_t cache_size_max = ~std::size_t{0};  // of a cache of its own
};

// What a peer with a cache of its own is given: room for all records with what a page wastes, so that none is read twice.
[[nodiscard]] inline std::size_t cache_size(const Place& place) {
  const std::size_t all =
      std::max<std::size_t>(std::size_t{256} << 20, place.record_count_max * (place.value_size + 200));
  return std::min(all, place.cache_size_max);
}

struct Phase {
  double wall_ns = 0;
  double cpu_ns = 0;
  std::uint64_t op_count = 0;
};

// What the store must hold: the version of each record.
inline constexpr Version kGone = ~Version{0};
struct Expected {
  std::vector<Version> versions;

  explicit Expected(std::uint64_t record_count) : versions(record_count, 0) {}
  // The n-th of `order` got version `version_first` + n.
  void overwrite(std::span<const std::uint32_t> order, Version version_first) {
    for (std::size_t i = 0; i < order.size(); ++i) versions[order[i]] = version_first + i;
  }
  void erase(std::span<const std::uint32_t> order) {
    for (const std::uint32_t record : order) versions[record] = kGone;
  }
};

class Stopwatch {
 public:
  // The processor time is that of the process, or with CLOCK_THREAD_CPUTIME_ID of the thread.
  explicit Stopwatch(clockid_t cpu_clock = CLOCK_PROCESS_CPUTIME_ID)
      : cpu_clock_(cpu_clock), wall_(now_ns(CLOCK_MONOTONIC)), cpu_(now_ns(cpu_clock)) {}
  [[nodiscard]] Phase phase(std::uint64_t op_count) const {
    const double wall = now_ns(CLOCK_MONOTONIC);
    return {wall - wall_, now_ns(cpu_clock_) - cpu_, op_count};
  }
  [[nodiscard]] static double now_ns(clockid_t clock) {
    timespec t{};
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
  }

 private:
  clockid_t cpu_clock_;
  double wall_;
  double cpu_;
};

// What two processes do at once, in small steps, until told to stop.
struct Mixed {
  std::uint64_t step_count = 64;  // operations in a step
  std::uint64_t record_count = 0;
  Version version_max = 0;  // versions beyond it are nobody's
};

class Runner {
 public:
  virtual ~Runner() = default;
  virtual void open(const Place& place, Access access) = 0;
  virtual void close() = 0;

  // Timed. Each throws if what it met is not what it must be.
  virtual Phase insert(std::uint64_t record_count) = 0;
  virtual Phase read(std::span<const std::uint32_t> order, const Expected& expected) = 0;
  virtual Phase miss(std::uint64_t count) = 0;
  virtual Phase overwrite(std::span<const std::uint32_t> order, Version version_first) = 0;
  virtual Phase erase(std::span<const std::uint32_t> order) = 0;
  virtual Phase iterate(const Expected& expected) = 0;

  // Not timed: every record, byte for byte, by get and by iteration.
  virtual void check(const Expected& expected) = 0;

  // One step each; `random` is advanced. A reader checks one value of a step whole.
  virtual void read_step(const Mixed& mixed, std::uint64_t& random) = 0;
  virtual void write_step(const Mixed& mixed, std::uint64_t& random) = 0;
  // Reads one record whole.
  virtual void read_one(RecordNumber record, Version version_max) = 0;

  // Not timed: every record must have one of its candidates as its value, and those inserted later must be there.
  virtual void check(const Candidates& candidates) = 0;
  // Plays a script until it is told to stop, see script.h. Throws if a value was not whole, or not of its record.
  virtual Played play(const Script& script, const std::function<bool()>& is_over) = 0;

  // For another thread of this process: a runner of the store that this one has open. It is not closed, but destroyed
  // before this one is closed.
  [[nodiscard]] virtual std::unique_ptr<Runner> sibling() = 0;

  // Section scale: a worker's share of the records, timed; random ones of all, timed; and every one, compared.
  virtual Phase insert_sized(const SizedValues& values, const Share& share) = 0;
  virtual Phase read_sized(const SizedValues& values, std::span<const std::uint32_t> order) = 0;
  virtual void check_sized(const SizedValues& values, std::uint64_t record_count) = 0;
  // Section beyond, timed: each of these gets the value that it had, and so many records in the order of iteration.
  virtual Phase overwrite_sized(const SizedValues& values, std::span<const std::uint32_t> order) = 0;
  virtual Phase iterate_some(std::size_t value_size, std::uint64_t count) = 0;
};

[[noreturn]] inline void fail(const std::string& what) { throw std::runtime_error(what); }

// The loop itself, without a store: answers what is asked so that the same code runs around it.
template <class Adapter>
concept ControlAdapter = requires(Adapter a) {
  a.answer(true, std::uint64_t{0});
};

// What goes in the order of the keys.
template <class Adapter>
concept OrderedAdapter = requires(Adapter a) {
  a.batch_begin();
};

// What the threads of one process may share.
template <class Adapter>
concept JoiningAdapter = requires(Adapter a, const Adapter& first) {
  a.join(first);
};

// `Interface` is Runner or what adds phases to it.
template <class Adapter, class Interface = Runner>
class RunnerOf : public Interface {
 public:
  explicit RunnerOf(const Workload& workload) : workload_(workload) {}

  void open(const Place& place, Access access) override { adapter_.open(place, access); }
  void close() override { adapter_.close(); }

  Phase insert(std::uint64_t record_count) override {
    const Stopwatch watch;
    for (RecordNumber i = 0; i < record_count; ++i) {
      const Key key = workload_.key(i);
      const Value value = workload_.value(i, 0);
      adapter_.put(key.view(), value.view());
    }
    return watch.phase(record_count);
  }

  Phase read(std::span<const std::uint32_t> order, const Expected& expected) override {
    answer(true, 0);
    std::uint64_t sum = 0;
    std::uint64_t found_count = 0;
    const Stopwatch watch;
    for (const std::uint32_t record : order) {
      const Key key = workload_.key(record);
      found_count += adapter_.get(key.view(), [&sum](std::string_view value) { sum += touch(value); });
    }
    const Phase phase = watch.phase(order.size());
    if constexpr (ControlAdapter<Adapter>) return phase;
    std::uint64_t sum_expected = 0;
    for (const std::uint32_t record : order)
      sum_expected += touch(workload_.value(record, expected.versions[record]).view());
    if (found_count != order.size())
      fail("read: " + std::to_string(order.size() - found_count) + " loaded keys not found");
    if (sum != sum_expected) fail("read: the bytes touched are not those that were written");
    return phase;
  }

  Phase miss(std::uint64_t count) override {
    answer(false, 0);
    std::uint64_t sum = 0;
    std::uint64_t found_count = 0;
    const Stopwatch watch;
    for (std::uint64_t i = 0; i < count; ++i) {
      const Key key = workload_.key(kAbsent + i);
      found_count += adapter_.get(key.view(), [&sum](std::string_view value) { sum += touch(value); });
    }
    const Phase phase = watch.phase(count);
    if (found_count != 0) fail("miss: " + std::to_string(found_count) + " absent keys found");
    return phase;
  }

  Phase overwrite(std::span<const std::uint32_t> order, Version version_first) override {
    Version version = version_first;
    const Stopwatch watch;
    for (const std::uint32_t record : order) {
      const Key key = workload_.key(record);
      const Value value = workload_.value(record, version++);
      adapter_.put(key.view(), value.view());
    }
    return watch.phase(order.size());
  }

  Phase erase(std::span<const std::uint32_t> order) override {
    answer(true, 0);
    std::uint64_t gone_count = 0;
    const Stopwatch watch;
    for (const std::uint32_t record : order) {
      const Key key = workload_.key(record);
      gone_count += adapter_.erase(key.view());
    }
    const Phase phase = watch.phase(order.size());
    if (gone_count != order.size())
      fail("erase: " + std::to_string(order.size() - gone_count) + " keys were not there");
    return phase;
  }

  Phase iterate(const Expected& expected) override {
    answer(true, expected.versions.size());
    std::uint64_t sum = 0;
    std::uint64_t count = 0;
    const Stopwatch watch;
    adapter_.each([&](std::string_view key, std::string_view value) {
      sum += touch(value) + static_cast<unsigned char>(key[0]);
      ++count;
    });
    const Phase phase = watch.phase(count);
    if constexpr (ControlAdapter<Adapter>) return phase;
    std::uint64_t sum_expected = 0;
    std::uint64_t count_expected = 0;
    for (RecordNumber i = 0; i < expected.versions.size(); ++i) {
      if (expected.versions[i] == kGone) continue;
      ++count_expected;
      sum_expected += touch(workload_.value(i, expected.versions[i]).view());
      sum_expected += static_cast<unsigned char>(workload_.key(i).view()[0]);
    }
    if (count != count_expected) {
      fail("iterate: " + std::to_string(count) + " records instead of " + std::to_string(count_expected));
    }
    if (sum != sum_expected) fail("iterate: the bytes touched are not those that were written");
    return phase;
  }

  void check(const Expected& expected) override {
    if constexpr (ControlAdapter<Adapter>) return;
    for (RecordNumber i = 0; i < expected.versions.size(); ++i) {
      const Version version = expected.versions[i];
      bool is_right = true;
      const bool is_found = adapter_.get(workload_.key(i).view(), [&](std::string_view value) {
        is_right = version != kGone && workload_.value(i, version).view() == value;
      });
      if (is_found != (version != kGone)) {
        fail("check: record " + std::to_string(i) + (is_found ? " is still there" : " is missing"));
      }
      if (!is_right) fail("check: record " + std::to_string(i) + " has a wrong value");
    }
    (void)iterate(expected);
  }

  void check(const Candidates& candidates) override {
    if constexpr (ControlAdapter<Adapter>) return;
    for (RecordNumber i = 0; i < candidates.record_count(); ++i)
      check_one(i, candidates.first(i), candidates.second(i));
    for (const RecordNumber record : candidates.inserted()) check_one(record, 0, 0);
    std::uint64_t count = 0;
    adapter_.each([&count](std::string_view, std::string_view) { ++count; });
    const std::uint64_t count_expected = candidates.record_count() + candidates.inserted().size();
    if (count != count_expected) {
      fail("check: " + std::to_string(count) + " records instead of " + std::to_string(count_expected));
    }
  }

  Played play(const Script& script, const std::function<bool()>& is_over) override {
    answer(true, kScanLengthMax / 2);
    ScriptPlayer<Adapter> player(workload_, adapter_, script);
    const Stopwatch watch;
    do {
      player.step();
    } while (!is_over());
    Played played = player.played();
    const Phase phase = watch.phase(played.op_count);
    played.wall_ns = phase.wall_ns;
    if constexpr (!ControlAdapter<Adapter>) {
      if (played.wrong_count != 0) {
        fail("script: " + std::to_string(played.wrong_count) + " reads were not what they must be");
      }
    }
    return played;
  }

  Phase insert_sized(const SizedValues& values, const Share& share) override {
    std::uint64_t count = 0;
    const Stopwatch watch;
    for (RecordNumber i = share.first + share.worker; i < share.record_count; i += share.worker_count, ++count) {
      const Key key = workload_.key(i);
      adapter_.put(key.view(), values.value(i));
    }
    return watch.phase(count);
  }

  Phase read_sized(const SizedValues& values, std::span<const std::uint32_t> order) override {
    answer(true, 0);
    std::uint64_t sum = 0;
    std::uint64_t found_count = 0;
    const Stopwatch watch;
    for (const std::uint32_t record : order) {
      const Key key = workload_.key(record);
      found_count += adapter_.get(key.view(), [&sum](std::string_view value) { sum += touch_lines(value); });
    }
    const Phase phase = watch.phase(order.size());
    if constexpr (ControlAdapter<Adapter>) return phase;
    for (const std::uint32_t record : order) sum -= touch_lines(values.value(record));
    if (found_count != order.size()) fail("read: a loaded key was not found");
    if (sum != 0) fail("read: the bytes touched are not those that were written");
    return phase;
  }

  void check_sized(const SizedValues& values, std::uint64_t record_count) override {
    if constexpr (ControlAdapter<Adapter>) return;
    for (RecordNumber i = 0; i < record_count; ++i) {
      bool is_right = false;
      const auto compare = [&](std::string_view value) { is_right = value == values.value(i); };
      if (!adapter_.get(workload_.key(i).view(), compare)) fail("check: record " + std::to_string(i) + " is missing");
      if (!is_right) fail("check: record " + std::to_string(i) + " has a wrong value");
    }
  }

  Phase overwrite_sized(const SizedValues& values, std::span<const std::uint32_t> order) override {
    const Stopwatch watch;
    for (const std::uint32_t record : order) {
      const Key key = workload_.key(record);
      adapter_.put(key.view(), values.value(record));
    }
    return watch.phase(order.size());
  }

  Phase iterate_some(std::size_t value_size, std::uint64_t count) override {
    // Ends the iteration, for which an adapter has no other way.
    struct Enough {};
    answer(true, count);
    std::uint64_t seen = 0;
    std::uint64_t sum = 0;
    bool is_right = true;
    const Stopwatch watch;
    try {
      adapter_.each([&](std::string_view key, std::string_view value) {
        sum += touch_lines(value) + static_cast<unsigned char>(key[0]);
        is_right = is_right && value.size() == value_size;
        if (++seen == count) throw Enough();
      });
    } catch (const Enough&) {
    }
    const Phase phase = watch.phase(seen);
    sum_ = sum_ + sum;
    if constexpr (ControlAdapter<Adapter>) return phase;
    if (seen != count || !is_right) fail("iterate: records are missing, or of another size");
    return phase;
  }

  std::unique_ptr<Runner> sibling() override {
    if constexpr (JoiningAdapter<Adapter>) {
      std::unique_ptr<RunnerOf> other = make_another();
      other->adapter_.join(adapter_);
      return other;
    } else {
      fail("this system is not for several threads");
    }
  }

  void read_step(const Mixed& mixed, std::uint64_t& random) override {
    answer(true, 0);
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < mixed.step_count; ++i) {
      const RecordNumber record = below(mix(++random), mixed.record_count);
      const bool is_checked = i == 0;
      bool is_whole = true;
      const bool is_found = adapter_.get(workload_.key(record).view(), [&](std::string_view value) {
        sum += touch(value);
        if (is_checked) is_whole = workload_.is_whole(record, value, mixed.version_max);
      });
      if (!is_found) fail("read: a loaded key was not found");
      if constexpr (!ControlAdapter<Adapter>) {
        if (!is_whole) fail("read: a value is not whole");
      }
    }
    sum_ = sum_ + sum;
  }

  void write_step(const Mixed& mixed, std::uint64_t& random) override {
    for (std::uint64_t i = 0; i < mixed.step_count; ++i) {
      const std::uint64_t word = mix(++random);
      const RecordNumber record = below(word, mixed.record_count);
      const Value value = workload_.value(record, (word & 0xffff) % (mixed.version_max + 1));
      adapter_.put(workload_.key(record).view(), value.view());
    }
  }

  void read_one(RecordNumber record, Version version_max) override {
    bool is_whole = false;
    const bool is_found = adapter_.get(workload_.key(record).view(), [&](std::string_view value) {
      is_whole = workload_.is_whole(record, value, version_max);
    });
    if (!is_found || !is_whole) fail("the record read after opening is " + std::string(is_found ? "wrong" : "missing"));
  }

 protected:
  void answer(bool is_found, std::uint64_t count) {
    if constexpr (ControlAdapter<Adapter>) adapter_.answer(is_found, count);
  }

  // A closed one of the same class.
  virtual std::unique_ptr<RunnerOf> make_another() {
    if constexpr (std::is_same_v<Interface, Runner>) return std::make_unique<RunnerOf>(workload_);
    return nullptr;  // not reached: what adds to the interface overrides this
  }

  Workload workload_;
  Adapter adapter_;

 private:
  // The record is there, with one of two versions.
  void check_one(RecordNumber record, Version first, Version second) {
    bool is_right = false;
    const bool is_found = adapter_.get(workload_.key(record).view(), [&](std::string_view value) {
      is_right = workload_.value(record, first).view() == value || workload_.value(record, second).view() == value;
    });
    if (!is_found) fail("check: record " + std::to_string(record) + " is missing");
    if (!is_right) fail("check: record " + std::to_string(record) + " has a wrong value");
  }

  volatile std::uint64_t sum_ = 0;  // keeps the reads of read_step
};

// Peers that take long, or are many, take part in the first round only, so that a run has an end.
inline constexpr unsigned kPeerRoundCount = 1;
inline constexpr unsigned kRoundCountMax = ~0u;
// As many records as those hold that take several microseconds for each. It favours them: less memory is touched.
inline constexpr std::uint64_t kSlowRecordCount = 200'000;

enum class SystemKind { control, memory, store };

// A system under test: what it is, with which settings, and how to make a runner of it.
template <class RunnerType>
struct SystemOf {
  using Kind = SystemKind;
  std::string name;
  std::string version;
  std::string settings;
  Kind kind = Kind::store;
  bool shares_readers = false;  // several processes may read at once
  bool shares_writer = false;   // and write, too
  bool shares_threads = false;  // several threads of one process may do all: the adapter has join()
  bool survives_kill = true;    // can be opened after a process was killed that had it open
  unsigned round_count_max = kRoundCountMax;
  std::uint64_t record_count_max = ~std::uint64_t{0};
  double (*call_ns)() = nullptr;  // measures what a call that does nothing costs, where it goes to another language
  std::unique_ptr<RunnerType> (*make)(const Workload&) = nullptr;
};
using System = SystemOf<Runner>;

// How many records a system holds, of those that are asked for.
template <class RunnerType>
[[nodiscard]] std::uint64_t record_count_of(const SystemOf<RunnerType>& system, std::uint64_t record_count) {
  return std::min(record_count, system.record_count_max);
}

template <class Adapter>
std::unique_ptr<Runner> make_runner(const Workload& workload) {
  return std::make_unique<RunnerOf<Adapter>>(workload);
}

}  // namespace bench
