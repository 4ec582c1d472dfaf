// Integer types that cannot be mixed up: an offset is not a size, a commit number is not an object index.
//
// Each is a 64-bit value with explicit construction and only the arithmetic that makes sense for it. All of them
// compile to a bare register. Thread safety: values.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace utan {

// A 64-bit integer of one meaning. `Tag` makes the type distinct; the value is reached by `.value`.
template <class Tag>
struct Strong {
  std::uint64_t value = 0;

  constexpr Strong() = default;
  constexpr explicit Strong(std::uint64_t v) : value(v) {}

  constexpr auto operator<=>(const Strong&) const = default;
  constexpr explicit operator bool() const { return value != 0; }
};

// Bytes, as an amount. Range 0 to 2^63.
struct ByteCount : Strong<ByteCount> {
  using Strong::Strong;
  friend constexpr ByteCount operator+(ByteCount a, ByteCount b) { return ByteCount{a.value + b.value}; }
};

// A position in the data file, in bytes from its start. 0 means "nothing": the header lies there, never a block.
struct Offset : Strong<Offset> {
  using Strong::Strong;
  friend constexpr Offset operator+(Offset a, ByteCount b) { return Offset{a.value + b.value}; }
  friend constexpr ByteCount operator-(Offset a, Offset b) { return ByteCount{a.value - b.value}; }
};

// The number of a commit: 1 for the first, growing by one per commit, and by at least 2^40 across a recovery.
// 0 is no commit.
struct CommitNumber : Strong<CommitNumber> {
  using Strong::Strong;
  constexpr CommitNumber next() const { return CommitNumber{value + 1}; }
};

// How many of something.
struct Count : Strong<Count> {
  using Strong::Strong;
};

// The index of a 16 KiB segment, counted through all regions from the start of the first one.
struct SegmentIndex : Strong<SegmentIndex> {
  using Strong::Strong;
  constexpr SegmentIndex next() const { return SegmentIndex{value + 1}; }
};

// The index of a 16 MiB region.
struct RegionIndex : Strong<RegionIndex> {
  using Strong::Strong;
};

// A time span or a point of time in nanoseconds.
struct Nanoseconds : Strong<Nanoseconds> {
  using Strong::Strong;
  friend constexpr Nanoseconds operator+(Nanoseconds a, Nanoseconds b) { return Nanoseconds{a.value + b.value}; }
  friend constexpr Nanoseconds operator-(Nanoseconds a, Nanoseconds b) { return Nanoseconds{a.value - b.value}; }
};

constexpr Nanoseconds milliseconds(std::uint64_t n) { return Nanoseconds{n * 1'000'000}; }

}  // namespace utan
