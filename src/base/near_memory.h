// Memory for lists that live no longer than a function: the first bytes lie in the object itself, more on the heap.
//
// Thread safety: none. Ownership: what it gives is freed with it, all at once. Complexity: O(1) per call.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <memory_resource>
#include <span>

namespace utan {

template <std::size_t size>
class NearMemory {
 public:
  NearMemory() : resource_(room_.data(), room_.size()) {}
  NearMemory(const NearMemory&) = delete;
  NearMemory& operator=(const NearMemory&) = delete;

  std::pmr::memory_resource* resource() { return &resource_; }
  // A copy of its own.
  std::span<const std::byte> keep(std::span<const std::byte> bytes) {
    if (bytes.empty()) return {};
    void* const copy = resource_.allocate(bytes.size());
    std::memcpy(copy, bytes.data(), bytes.size());
    return {static_cast<const std::byte*>(copy), bytes.size()};
  }

 private:
  alignas(std::max_align_t) std::array<std::byte, size> room_;
  std::pmr::monotonic_buffer_resource resource_;
};

}  // namespace utan
