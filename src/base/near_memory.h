// Memory for what lives no longer than a function: the first bytes lie in the object itself, more on the heap.
//
// Thread safety: none. Ownership: what it gives is freed with it, all at once. Complexity: O(1) per call.
#pragma once

#include <array>
#include <cstddef>
#include <memory_resource>
#include <type_traits>

namespace utan {

template <std::size_t size>
class NearMemory {
 public:
  NearMemory() {}  // NOLINT(modernize-use-equals-default): leaves the room as it is
  NearMemory(const NearMemory&) = delete;
  NearMemory& operator=(const NearMemory&) = delete;

  // Room for `count` objects, which are not made yet.
  template <class T>
  [[gnu::always_inline]] T* room_for(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= alignment);
    if (count > (size - used_) / sizeof(T)) [[unlikely]]
      return static_cast<T*>(far_.allocate(count * sizeof(T), alignment));
    std::byte* const out = room_.data() + used_;
    used_ += (count * sizeof(T) + alignment - 1) / alignment * alignment;
    return reinterpret_cast<T*>(out);
  }

 private:
  static constexpr std::size_t alignment = 8;
  static_assert(size % alignment == 0);

  std::size_t used_ = 0;
  alignas(alignment) std::array<std::byte, size> room_;
  std::pmr::monotonic_buffer_resource far_{size};
};

}  // namespace utan
