// Room for values: copies what they point to, and frees all of it at once.
//
// Bytes lie in chunks that never move, so that a kept value stays valid until clear() or the end of the arena, also when
// the arena is moved. Chunks double in size up to a limit; what would fill a good part of one gets memory of its own.
// Thread safety: none. Complexity: O(1) per call and the copy.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "format/value.h"

namespace utan::object {

class Arena {
 public:
  Arena() = default;
  // What is moved away from is empty.
  Arena(Arena&& other) noexcept
      : chunks_(std::move(other.chunks_)),
        large_(std::move(other.large_)),
        chunk_size_(other.chunk_size_),
        room_(std::exchange(other.room_, {})) {}

  // A copy of the value with everything it points to. Recursive for tuples: the caller has checked how deep they are.
  format::Value keep(const format::Value& value) {
    format::Value out = value;
    if (!value.bytes.empty()) {
      std::byte* const bytes = allocate(value.bytes.size());
      std::memcpy(bytes, value.bytes.data(), value.bytes.size());
      out.bytes = {bytes, value.bytes.size()};
    } else {
      out.bytes = {};
    }
    out.elements = nullptr;
    if (value.element_count > 0) {
      const std::span<format::Value> elements = allocate_values(value.element_count);
      for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = keep(value.elements[i]);
      out.elements = elements.data();
    }
    return out;
  }

  std::span<const std::byte> keep_bytes(std::span<const std::byte> bytes) {
    if (bytes.empty()) return {};
    std::byte* const copy = allocate(bytes.size());
    std::memcpy(copy, bytes.data(), bytes.size());
    return {copy, bytes.size()};
  }

  // A tuple of values that are kept already: copies the list of them alone.
  format::Value keep_tuple(std::span<const format::Value> elements) {
    const std::span<format::Value> copy = allocate_values(elements.size());
    std::ranges::copy(elements, copy.begin());
    return format::Value::tuple(copy);
  }

  void clear() {
    large_.clear();
    if (chunks_.size() > 1) chunks_.resize(1);
    chunk_size_ = chunk_size_min;
    room_ = chunks_.empty() ? std::span<std::byte>() : std::span(chunks_.front().get(), chunk_size_);
  }

 private:
  static constexpr std::size_t chunk_size_min = 4096;
  static constexpr std::size_t chunk_size_max = 256 * 1024;
  static_assert(alignof(format::Value) <= alignof(std::uint64_t) && std::is_trivially_destructible_v<format::Value>);

  std::span<format::Value> allocate_values(std::size_t count) {
    auto* const values = reinterpret_cast<format::Value*>(allocate(count * sizeof(format::Value)));
    std::uninitialized_default_construct_n(values, count);
    return {values, count};
  }

  // Aligned for a Value; not null.
  std::byte* allocate(std::size_t size) {
    size = (size + alignof(format::Value) - 1) / alignof(format::Value) * alignof(format::Value);
    if (size > room_.size()) [[unlikely]]
      return allocate_beyond(size);
    std::byte* const out = room_.data();
    room_ = room_.subspan(size);
    return out;
  }
  [[gnu::noinline]] std::byte* allocate_beyond(std::size_t size) {
    if (size > chunk_size_min / 4 && size > chunk_size_ / 4)
      return large_.emplace_back(std::make_unique_for_overwrite<std::byte[]>(size)).get();
    const std::size_t chunk_size = chunks_.empty() ? chunk_size_min : std::min(chunk_size_ * 2, chunk_size_max);
    chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(chunk_size));
    chunk_size_ = chunk_size;
    room_ = std::span(chunks_.back().get(), chunk_size).subspan(size);
    return chunks_.back().get();
  }

  std::vector<std::unique_ptr<std::byte[]>> chunks_;  // the first one is always of the smallest size
  std::vector<std::unique_ptr<std::byte[]>> large_;
  std::size_t chunk_size_ = chunk_size_min;  // of the last chunk
  std::span<std::byte> room_;                // what is free of it
};

}  // namespace utan::object
