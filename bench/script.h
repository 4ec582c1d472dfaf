// Mixed loads: scripts of operations on records of which few are asked for often, as in the Yahoo! Cloud Serving Benchmark
// (Cooper, Silberstein, Tam, Ramakrishnan, Sears 2010, "Benchmarking Cloud Serving Systems with YCSB", section 4).
//
// A Script is what one worker does: operations drawn beforehand, so that drawing them is not measured, and played again from
// the beginning when they are used up. The versions that it writes are its own and count up, so that they tell what a reader
// saw. Played is what came of it. A Replay does the same to nothing but version numbers: it says what a lone worker must
// have read, and, when two worked at once, which two values each record may have.
//
// Threads and processes: values only; each worker has its own Script.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "workload.h"

namespace bench {

// Percentages. A scan is of 1 to kScanLengthMax records, evenly distributed.
struct Mixture {
  const char* name;
  unsigned read = 0;
  unsigned update = 0;
  unsigned modify = 0;  // read, and write what was made of it
  unsigned scan = 0;
  unsigned insert = 0;
};

inline constexpr Mixture kMixtures[] = {{.name = "A", .read = 50, .update = 50},
                                        {.name = "B", .read = 95, .update = 5},
                                        {.name = "C", .read = 100},
                                        {.name = "F", .read = 50, .modify = 50}};
// For what is in the order of its keys.
inline constexpr Mixture kOrderedMixtures[] = {{.name = "E", .scan = 95, .insert = 5}};

inline constexpr std::uint64_t kScanLengthMax = 100;
inline constexpr double kZipfTheta = 0.99;

// Numbers of a Zipf distribution: 0 is the most frequent. Gray, Sundaresan, Englert, Baclawski, Weinberger 1994, "Quickly
// Generating Billion-Record Synthetic Databases", section 3.2, the inverse of an approximated distribution.
class Zipf {
 public:
  Zipf(std::uint64_t count, double theta) : count_(static_cast<double>(count)), theta_(theta) {
    double sum = 0;
    for (std::uint64_t i = 1; i <= count; ++i) sum += 1 / std::pow(static_cast<double>(i), theta);
    sum_ = sum;
    const double sum_of_two = 1 + std::pow(0.5, theta);
    eta_ = (1 - std::pow(2 / count_, 1 - theta)) / (1 - sum_of_two / sum_);
  }
  [[nodiscard]] std::uint64_t count() const { return static_cast<std::uint64_t>(count_); }
  [[nodiscard]] std::uint64_t draw(std::uint64_t random) const {
    const double u = static_cast<double>(random >> 11) * 0x1p-53;
    const double area = u * sum_;
    if (area < 1) return 0;
    if (area < 1 + std::pow(0.5, theta_)) return 1;
    const double drawn = count_ * std::pow(eta_ * u - eta_ + 1, 1 / (1 - theta_));
    return std::min(static_cast<std::uint64_t>(drawn), static_cast<std::uint64_t>(count_) - 1);
  }

 private:
  double count_;
  double theta_;
  double sum_ = 0;
  double eta_ = 0;
};

enum class Action : std::uint16_t { read, update, modify, scan, insert };

struct Turn {
  std::uint32_t record = 0;
  Action action = Action::read;
  std::uint16_t length = 0;  // of a scan
};

class Script {
 public:
  static constexpr std::uint64_t kTurnCount = 1u << 18;
  static constexpr std::uint64_t kStepTurnCount = 64;
  static constexpr unsigned kWorkerCountMax = 2;

  // `run` counts the scripts that are played one after the other on one store; their versions come later and later.
  Script(const Mixture& mixture, const Zipf& zipf, std::uint64_t seed, std::uint64_t run, unsigned worker)
      : run_(run), worker_(worker), record_count_(zipf.count()), turns_(kTurnCount) {
    std::uint64_t random = mix(seed ^ mix(run * kWorkerCountMax + worker));
    for (Turn& turn : turns_) {
      // Scrambled, so that frequent ones are not those that were loaded first. Two may become one, as in the original.
      turn.record = static_cast<std::uint32_t>(below(mix(zipf.draw(mix(++random)) ^ mix(seed)), record_count_));
      turn.action = action_of(mixture, static_cast<unsigned>(below(mix(++random), 100)));
      turn.length = static_cast<std::uint16_t>(1 + below(mix(++random), kScanLengthMax));
    }
  }

  [[nodiscard]] const Turn& turn(std::uint64_t n) const { return turns_[n % kTurnCount]; }
  // What the n-th operation writes.
  [[nodiscard]] Version version(std::uint64_t n) const { return (run_ + 1) * kRunSpan + n * kWorkerCountMax + worker_; }
  // The record that the n-th insertion makes; its version is 0.
  [[nodiscard]] RecordNumber inserted(std::uint64_t n) const {
    return record_count_ + run_ * kRunSpan + n * kWorkerCountMax + worker_;
  }
  // Versions from here on are nobody's yet.
  [[nodiscard]] Version version_end() const { return (run_ + 2) * kRunSpan; }
  [[nodiscard]] std::uint64_t record_count() const { return record_count_; }

 private:
  static constexpr std::uint64_t kRunSpan = std::uint64_t{1} << 32;  // more than any run has operations

  static Action action_of(const Mixture& mixture, unsigned percent) {
    const std::pair<Action, unsigned> shares[] = {{Action::read, mixture.read},
                                                  {Action::update, mixture.update},
                                                  {Action::modify, mixture.modify},
                                                  {Action::scan, mixture.scan}};
    for (const auto& [action, share] : shares) {
      if (percent < share) return action;
      percent -= share;
    }
    return Action::insert;
  }

  std::uint64_t run_;
  unsigned worker_;
  std::uint64_t record_count_;
  std::vector<Turn> turns_;
};

// What a worker met. `seen` depends on every version that it read, or record that it scanned, and on their order.
struct Played {
  std::uint64_t op_count = 0;
  std::uint64_t seen = 0;
  std::uint64_t wrong_count = 0;
  double wall_ns = 0;
};

// Adds to `seen`.
inline void see(std::uint64_t& seen, std::uint64_t word) { seen = seen * 0x9e3779b97f4a7c15u + word + 1; }
inline void see_record(std::uint64_t& seen, std::string_view key, std::string_view value) {
  std::uint64_t word = 0;
  if (key.size() >= sizeof word) std::memcpy(&word, key.data() + key.size() - sizeof word, sizeof word);
  see(seen, word + touch(value));
}

// Plays a script on an adapter, as runner.h describes it. Every value that is read alone is compared, byte for byte, with
// the version that it says it is; of scanned records the order of the keys, of one scan in 16 all values.
template <class Adapter>
class ScriptPlayer {
 public:
  ScriptPlayer(const Workload& workload, Adapter& adapter, const Script& script)
      : workload_(workload), adapter_(adapter), script_(script) {}

  void step() {
    for (std::uint64_t i = 0; i < Script::kStepTurnCount; ++i) {
      const Turn& turn = script_.turn(played_.op_count);
      switch (turn.action) {
        case Action::read:
          (void)read(turn.record);
          break;
        case Action::update:
          write(turn.record, script_.version(played_.op_count));
          break;
        case Action::modify:
          // What is written depends on what was read only in that it comes after it: a version is enough to tell.
          if (!read(turn.record)) ++played_.wrong_count;
          write(turn.record, script_.version(played_.op_count));
          break;
        case Action::scan:
          scan(turn);
          break;
        case Action::insert:
          write(script_.inserted(inserted_count_++), 0);
          break;
      }
      ++played_.op_count;
    }
  }
  [[nodiscard]] const Played& played() const { return played_; }

 private:
  bool read(RecordNumber record) {
    const Key key = workload_.key(record);
    const bool is_found = adapter_.get(key.view(), [&](std::string_view value) {
      const Version version = workload_.version_of(record, value);
      if (version >= script_.version_end() || workload_.value(record, version).view() != value) ++played_.wrong_count;
      see(played_.seen, version);
    });
    if (!is_found) ++played_.wrong_count;
    return is_found;
  }
  void write(RecordNumber record, Version version) {
    const Key key = workload_.key(record);
    const Value value = workload_.value(record, version);
    adapter_.put(key.view(), value.view());
  }
  void scan(const Turn& turn) {
    if constexpr (requires { adapter_.batch_begin(); }) {
      const Key low = workload_.key(turn.record);
      const bool is_checked = ++scan_count_ % 16 == 0;
      Key last{};
      std::uint64_t count = 0;
      adapter_.range(low.view(), turn.length, [&](std::string_view key, std::string_view value) {
        // The first is the one that was asked for: scripts begin scans at records that are never erased.
        if (count == 0 ? key != low.view() : key <= last.view()) ++played_.wrong_count;
        if (key.size() == kKeySize) std::memcpy(last.words.data(), key.data(), kKeySize);
        if (is_checked && !workload_.is_loaded(key, value)) ++played_.wrong_count;
        see_record(played_.seen, key, value);
        ++count;
      });
      if (count == 0 || count > turn.length) ++played_.wrong_count;
    } else {
      ++played_.wrong_count;  // a script with scans is for what is in order
    }
  }

  const Workload& workload_;
  Adapter& adapter_;
  const Script& script_;
  Played played_;
  std::uint64_t inserted_count_ = 0;
  std::uint64_t scan_count_ = 0;
};

// Which versions each record may have: two, if two workers wrote to it at once, and the same one twice otherwise.
class Candidates {
 public:
  explicit Candidates(std::uint64_t record_count) : first_(record_count, 0), second_(record_count, 0) {}
  [[nodiscard]] std::uint64_t record_count() const { return first_.size(); }
  [[nodiscard]] Version first(RecordNumber record) const { return first_[record]; }
  [[nodiscard]] Version second(RecordNumber record) const { return second_[record]; }
  [[nodiscard]] const std::vector<RecordNumber>& inserted() const { return inserted_; }

 private:
  friend class Replay;
  std::vector<Version> first_;
  std::vector<Version> second_;
  std::vector<RecordNumber> inserted_;
};

// Does to version numbers what was done to a store, script after script.
class Replay {
 public:
  Replay(const Workload& workload, std::uint64_t record_count) : workload_(workload), candidates_(record_count) {}

  [[nodiscard]] const Candidates& candidates() const { return candidates_; }

  // What a lone worker that played `op_count` operations must have seen. Nobody else may have written since the load but
  // those who were alone, too.
  [[nodiscard]] std::uint64_t alone(const Script& script, std::uint64_t op_count) {
    std::uint64_t seen = 0;
    std::uint64_t inserted_count = 0;
    for (std::uint64_t n = 0; n < op_count; ++n) {
      const Turn& turn = script.turn(n);
      if (turn.action == Action::read || turn.action == Action::modify) see(seen, candidates_.first_[turn.record]);
      if (turn.action == Action::update || turn.action == Action::modify) set(turn.record, script.version(n));
      if (turn.action == Action::scan) see_scan(seen, turn);
      if (turn.action == Action::insert) insert(script.inserted(inserted_count++));
    }
    return seen;
  }

  // Two workers at once: the last write to a record is the last one of either. One that neither wrote stays what it was.
  void together(std::span<const Script> scripts, std::span<const std::uint64_t> op_counts) {
    std::vector<Version> last[Script::kWorkerCountMax];
    for (std::size_t worker = 0; worker < scripts.size(); ++worker) {
      last[worker].assign(candidates_.record_count(), kNone);
      std::uint64_t inserted_count = 0;
      for (std::uint64_t n = 0; n < op_counts[worker]; ++n) {
        const Turn& turn = scripts[worker].turn(n);
        if (turn.action == Action::insert) insert(scripts[worker].inserted(inserted_count++));
        if (turn.action != Action::update && turn.action != Action::modify) continue;
        last[worker][turn.record] = scripts[worker].version(n);
      }
    }
    for (RecordNumber i = 0; i < candidates_.record_count(); ++i) {
      const Version first = last[0][i];
      const Version second = last[1].empty() ? kNone : last[1][i];
      if (first == kNone && second == kNone) continue;
      candidates_.first_[i] = first == kNone ? second : first;
      candidates_.second_[i] = second == kNone ? first : second;
    }
  }

 private:
  static constexpr Version kNone = ~Version{0};

  void set(RecordNumber record, Version version) {
    candidates_.first_[record] = version;
    candidates_.second_[record] = version;
  }
  void insert(RecordNumber record) {
    candidates_.inserted_.push_back(record);
    if (!sorted_.empty()) sorted_.emplace(workload_.key(record).view(), record);
  }
  void see_scan(std::uint64_t& seen, const Turn& turn) {
    if (sorted_.empty()) {
      for (RecordNumber i = 0; i < candidates_.record_count(); ++i) sorted_.emplace(workload_.key(i).view(), i);
      for (const RecordNumber record : candidates_.inserted_) sorted_.emplace(workload_.key(record).view(), record);
    }
    auto at = sorted_.find(std::string(workload_.key(turn.record).view()));
    for (std::uint16_t i = 0; i < turn.length && at != sorted_.end(); ++i, ++at) {
      see_record(seen, at->first, workload_.value(at->second, 0).view());
    }
  }

  Workload workload_;
  Candidates candidates_;
  std::map<std::string, RecordNumber> sorted_;  // made when there is a scan
};

}  // namespace bench
