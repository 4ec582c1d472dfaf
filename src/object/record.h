// Records and values as blocks: making, reading and dropping them.
//
// A record holds a key and its value; a value block holds a value alone. What does not fit into one run of segments goes
// to extents, which a list block names. Thread safety: reading by anyone under a pin; making and dropping within one
// Build. Ownership: what is read belongs to the pinned commit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "base/types.h"
#include "format/key.h"
#include "format/nodes.h"
#include "format/word.h"
#include "heap/build.h"
#include "heap/view.h"

namespace utan::object {

using Bytes = std::span<const std::byte>;

// A value as bytes with its tag: what is to be stored.
struct Payload {
  format::Tag tag = format::Tag::null;
  Bytes bytes;
};

// A value as it lies in the store: `bytes` are its own, or, if the tag is large, those of the offset of its extents.
struct Stored {
  format::Tag tag = format::Tag::null;
  Bytes bytes;
  std::uint64_t size = 0;  // of the value
};

inline Stored stored_in(const format::Record* record) {
  const format::Tag tag = record->value_tag();
  return {tag, Bytes(record->value(), format::is_large(tag) ? sizeof(std::uint64_t) : record->value_size()),
          record->value_size()};
}

// Code::too_large if the value has more bytes than there may be.
Result<void> check_size(const Payload& value);

// A new record. `key_tag` and `key` are as stored (EncodedKey::tag, bytes).
Result<Offset> make_record(heap::Build& build, format::Tag key_tag, Bytes key, const Payload& value);
// The record and its extents are no longer part of the tree.
void drop_record(heap::Build& build, const format::Record* record, Offset offset);

Result<Offset> make_value(heap::Build& build, const Payload& value);
Result<Stored> stored_at(const heap::View& view, Offset value_block);
Result<void> drop_value(heap::Build& build, Offset value_block);

// Calls `with(Bytes) -> bool` for each part of a value, in order, until it answers false. False if it did.
template <class With>
Result<bool> each_part(const heap::View& view, const Stored& value, With&& with);

// A large value in one piece, from std::malloc.
Result<std::byte*> copy_of(const heap::View& view, const Stored& value);
Result<bool> is_same(const heap::View& view, const Stored& value, const Payload& other);

// --- Implementation ----------------------------------------------------------------------------------------------------

// The extents of a large value: their list, checked to be as long as the value needs.
Result<const format::List*> extents_of(const heap::View& view, const Stored& value);
// Part `index` of it.
Result<Bytes> extent_at(const heap::View& view, const format::List* list, std::uint64_t index, std::uint64_t size);

template <class With>
Result<bool> each_part(const heap::View& view, const Stored& value, With&& with) {
  if (!format::is_large(value.tag)) return with(value.bytes);
  UTAN_ASSIGN(const format::List* const list, extents_of(view, value));
  std::uint64_t rest = value.size;
  for (std::uint64_t i = 0; rest > 0; ++i) {
    UTAN_ASSIGN(const Bytes part, extent_at(view, list, i, rest));
    if (!with(part)) return false;
    rest -= part.size();
  }
  return true;
}

}  // namespace utan::object
