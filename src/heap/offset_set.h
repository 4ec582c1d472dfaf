// A set of offsets, to which is only added: open addressing, half empty at least.
//
// Thread safety: none. Complexity: O(1) per call, O(capacity) for clear().
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/types.h"

namespace utan::heap {

class OffsetSet {
 public:
  // Room for `count` more, all of which are not 0.
  void reserve(std::size_t count) {
    const std::size_t wanted = std::bit_ceil((count_ + count) * 2);
    if (wanted <= slots_.size()) return;
    std::vector<std::uint64_t> before(wanted);
    before.swap(slots_);
    for (const std::uint64_t offset : before) {
      if (offset != 0) slots_[place_of(offset)] = offset;
    }
  }
  // There must be room.
  void insert(Offset offset) {
    std::uint64_t& slot = slots_[place_of(offset.value)];
    count_ += slot == 0 ? 1 : 0;
    slot = offset.value;
  }
  bool contains(Offset offset) const { return !slots_.empty() && slots_[place_of(offset.value)] == offset.value; }
  void clear() {
    slots_.clear();
    count_ = 0;
  }

 private:
  // Where it is, or would be. Multiplied by 2^64 / the golden ratio, neighbours lie far apart (Knuth, volume 3, 6.4).
  std::size_t place_of(std::uint64_t offset) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = (offset * 0x9e3779b97f4a7c15u >> 20) & mask;
    while (slots_[at] != 0 && slots_[at] != offset) at = (at + 1) & mask;
    return at;
  }

  std::vector<std::uint64_t> slots_;  // a power of two of them; 0: free
  std::size_t count_ = 0;
};

}  // namespace utan::heap
