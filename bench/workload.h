// What the benchmark stores: keys of 16 random-looking bytes, values of 100 bytes, and the order in which they are used.
//
// Everything is a pure function of the seed and of a record's number, so that no table of keys competes with a store for
// the cache, every system gets the same bytes in the same order, and any value can be checked against what it must be.
// The cost of making keys and values is measured by the control system and subtracted.
//
// Threads and processes: values only, no shared state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace bench {

inline constexpr std::size_t kKeySize = 16;
inline constexpr std::size_t kValueSize = 100;

// The number of a record: 0 to record_count - 1 are loaded, those from kAbsent on never are.
using RecordNumber = std::uint64_t;
inline constexpr RecordNumber kAbsent = RecordNumber{1} << 40;

// Which of a record's values: 0 is the loaded one, the n-th overwrite of a run writes n.
using Version = std::uint64_t;

// splitmix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", section 3).
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// A number in [0, limit), limit < 2^32, from a random word.
[[nodiscard]] constexpr std::uint64_t below(std::uint64_t random, std::uint64_t limit) noexcept {
  return ((random >> 32) * limit) >> 32;
}

// The number of which mix() made `x`: its steps backwards.
[[nodiscard]] constexpr std::uint64_t unmix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 31) ^ (x >> 62)) * 0x319642b2d24d8ec3u;  // the inverses of the factors modulo 2^64
  x = (x ^ (x >> 27) ^ (x >> 54)) * 0x96de1b173f119089u;
  x = x ^ (x >> 30) ^ (x >> 60);
  return x - 0x9e3779b97f4a7c15u;
}
static_assert(unmix(mix(0)) == 0 && unmix(mix(0x123456789abcdef0u)) == 0x123456789abcdef0u);

struct Key {
  std::array<std::uint64_t, 2> words;
  [[nodiscard]] std::string_view view() const noexcept {
    return {reinterpret_cast<const char*>(words.data()), kKeySize};
  }
};

struct Value {
  std::array<std::uint64_t, 13> words;  // the last four bytes are not part of the value
  [[nodiscard]] std::string_view view() const noexcept {
    return {reinterpret_cast<const char*>(words.data()), kValueSize};
  }
};

// What keys are made of: any bytes, or 64 characters of ASCII, so that they are strings wherever strings must be UTF-8.
enum class KeyText { bytes, ascii };

class Workload {
 public:
  explicit Workload(std::uint64_t seed, KeyText text = KeyText::bytes)
      : key_seed_(mix(seed)),
        value_seed_(mix(seed + 1)),
        key_mask_(text == KeyText::ascii ? 0x3f3f3f3f3f3f3f3fu : ~std::uint64_t{0}),
        key_base_(text == KeyText::ascii ? 0x3030303030303030u : 0) {}

  [[nodiscard]] Key key(RecordNumber record) const noexcept {
    const std::uint64_t first = mix(record ^ key_seed_);
    return {{(first & key_mask_) + key_base_, (mix(first + record) & key_mask_) + key_base_}};
  }

  // The element of a list that was the n-th to be put into it: 40 bits.
  [[nodiscard]] std::int64_t element(std::uint64_t n) const noexcept {
    return static_cast<std::int64_t>(mix(n ^ value_seed_) >> 24);
  }

  // A random word that belongs to a record.
  [[nodiscard]] std::uint64_t word(RecordNumber record) const noexcept { return mix(record ^ value_seed_); }

  // Every word depends on record and version. The version can be read back from the first one, see version_of.
  [[nodiscard]] Value value(RecordNumber record, Version version) const noexcept {
    const std::uint64_t base = mix(record ^ value_seed_);
    const std::uint64_t state = base + version * 0xd6e8feb86659fd93u;
    Value out;
    out.words[0] = base ^ version;
    for (std::size_t i = 1; i < out.words.size(); ++i) out.words[i] = (state + i) * (0x9e3779b97f4a7c15u ^ (i << 7));
    return out;
  }

  // Which version `bytes` claims to be.
  [[nodiscard]] Version version_of(RecordNumber record, std::string_view bytes) const noexcept {
    std::uint64_t first = 0;
    if (bytes.size() >= sizeof first) std::memcpy(&first, bytes.data(), sizeof first);
    return first ^ mix(record ^ value_seed_);
  }

  // Is `bytes` whole: exactly some version of this record's value, of at most `version_max`?
  [[nodiscard]] bool is_whole(RecordNumber record, std::string_view bytes, Version version_max) const noexcept {
    const Version version = version_of(record, bytes);
    return version <= version_max && value(record, version).view() == bytes;
  }

  // Are these the key and the loaded value (version 0) of one record, whichever it is?
  [[nodiscard]] bool is_loaded(std::string_view key_bytes, std::string_view bytes) const noexcept {
    std::uint64_t first = 0;
    if (bytes.size() >= sizeof first) std::memcpy(&first, bytes.data(), sizeof first);
    const RecordNumber record = unmix(first) ^ value_seed_;
    return key(record).view() == key_bytes && value(record, 0).view() == bytes;
  }

 private:
  std::uint64_t key_seed_;
  std::uint64_t value_seed_;
  std::uint64_t key_mask_;
  std::uint64_t key_base_;
};

// What a reader does with a value: reads bytes spread over both ends of it, so that no cache line of it is spared.
[[nodiscard]] inline std::uint64_t touch(std::string_view value) noexcept {
  const auto at = [value](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(value[i])}; };
  if (value.size() != kValueSize) return 1u << 20;  // far from any sum of four bytes: the check of the sum will fail
  return at(0) + at(33) + at(66) + at(99);
}

using Order = std::vector<std::uint32_t>;

// `count` records drawn at random from `record_count`, with repetition.
[[nodiscard]] inline Order draw(std::uint64_t seed, std::uint64_t record_count, std::uint64_t count) {
  Order order(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    order[i] = static_cast<std::uint32_t>(below(mix(seed * 0x2545f4914f6cdd1du + i), record_count));
  }
  return order;
}

// Every record once, in random order (Fisher, Yates; Durstenfeld 1964).
[[nodiscard]] inline Order shuffle(std::uint64_t seed, std::uint64_t record_count) {
  Order order(record_count);
  for (std::uint64_t i = 0; i < record_count; ++i) order[i] = static_cast<std::uint32_t>(i);
  for (std::uint64_t i = record_count; i > 1; --i) {
    std::swap(order[i - 1], order[below(mix(seed * 0x2545f4914f6cdd1du + i), i)]);
  }
  return order;
}

}  // namespace bench
