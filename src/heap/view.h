// Following offsets: the only way from an offset to a block.
//
// A View is the mapped file as one pinned commit may see it. `follow` checks what a damaged or hostile file could get
// wrong: in range, aligned, of the right kind, not born after the commit that is being read, whole within the file. It
// answers null; `damage` then says why, for the message. What a View returns is valid while the commit is pinned.
// Thread safety: a value; reading only.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/result.h"
#include "base/types.h"
#include "format/block.h"
#include "format/nodes.h"

namespace utan::heap {

class View {
 public:
  View() = default;
  View(std::byte* base, ByteCount size, CommitNumber number) : base_(base), size_(size.value), number_(number.value) {}

  CommitNumber number() const { return CommitNumber{number_}; }
  ByteCount size() const { return ByteCount{size_}; }
  std::byte* base() const { return base_; }
  // The same file as another commit sees it.
  View at(CommitNumber number) const { return View(base_, ByteCount{size_}, number); }

  // The block at `offset` as a T of kind `kind`, or null. T's fixed part is inside the file; for what follows it use
  // the functions below, which check the counts too.
  template <class T>
  const T* follow(Offset offset, format::Kind kind) const {
    return follow_within<T>(offset, kind, ByteCount{sizeof(T)});
  }
  // The same if at least `bytes` from its start are inside the file, else null.
  template <class T>
  [[gnu::always_inline]] const T* follow_within(Offset offset, format::Kind kind, ByteCount bytes) const {
    // One comparison for both: rotated, an offset that is not aligned is beyond any file.
    if (std::rotr(offset.value - format::regions_offset, 3) > (size_ - format::regions_offset - bytes.value) / 8)
        [[unlikely]]
      return nullptr;
    const auto* header = reinterpret_cast<const format::BlockHeader*>(base_ + offset.value);
    if (header->kind != kind || header->birth > number_) [[unlikely]] {
      DCHECK_SOUND(header->kind != format::Kind::freed);
      return nullptr;
    }
    return reinterpret_cast<const T*>(header);
  }

  // A node with `count()` entries that are `size_for(count)` bytes in all.
  template <class T>
  const T* follow_node(Offset offset, format::Kind kind) const {
    const T* node = follow<T>(offset, kind);
    if (node == nullptr || T::size_for(node->count()) > size_ - offset.value) [[unlikely]]
      return nullptr;
    return node;
  }
  [[gnu::always_inline]] const format::Record* follow_record(Offset offset) const {
    // No record is in a block that is smaller than the longest head.
    static_assert(format::Record::head_size_max <= format::block_size_min);
    const auto* record = follow_within<format::Record>(offset, format::Kind::record, ByteCount{format::block_size_min});
    if (record == nullptr || record->size() > size_ - offset.value) [[unlikely]]
      return nullptr;
    return record;
  }

  // Where a block lies that was followed.
  Offset offset_of(const void* block) const {
    return Offset{static_cast<std::uint64_t>(static_cast<const std::byte*>(block) - base_)};
  }

  // Why `follow` of this offset and kind answered null.
  Error damage(Offset offset, format::Kind kind) const;

 private:
  std::byte* base_ = nullptr;
  std::uint64_t size_ = 0;
  std::uint64_t number_ = 0;
};

}  // namespace utan::heap
