// Keys, records, values, and what is apart from where it belongs: value blocks and extents.
#include <algorithm>
#include <cstring>

#include "check/commit.h"
#include "format/value.h"

namespace utan::check {

using format::Kind;
using format::List;
using format::ReplacedEntry;
using format::Tag;
using format::ValueBlock;
using format::Word;
using format::WordKind;

namespace {

std::uint64_t word_of(std::span<const std::byte> bytes) {
  std::uint64_t out;
  std::memcpy(&out, bytes.data(), sizeof out);
  return out;
}

bool can_be_large(Tag tag) {
  return tag == Tag::big_integer || tag == Tag::bytes || tag == Tag::string || tag == Tag::extended;
}

}  // namespace

// The key's bytes must be the one way of writing it.
bool CommitWalk::check_key(Offset offset, Tag tag, Bytes bytes, format::EncodedKey& out) {
  Result<format::EncodedKey> key = format::stored_key(tag, bytes);
  if (!key.ok()) {
    problem(offset, "a key is none: " + key.error().message());
    return false;
  }
  // Strings and bytes are as they are written.
  if (tag != Tag::string && tag != Tag::bytes) {
    const Result<format::Value> decoded = decoder_.decode(tag, bytes);
    if (!decoded.ok()) {
      problem(offset, "a key is none: " + decoded.error().message());
      return false;
    }
  }
  out = key.value();
  return true;
}

void CommitWalk::check_value(Offset offset, Tag tag, Bytes bytes) {
  const Result<format::Value> value = format::from_payload(tag, bytes);
  if (!value.ok()) {
    problem(offset, value.error().message() + " (tag " + std::to_string(static_cast<unsigned>(tag)) + ", " +
                        std::to_string(bytes.size()) + " bytes)");
  } else if (tag == Tag::container) {
    note_link(offset, value->as_container());
  }
}

CommitWalk::RecordFound CommitWalk::walk_record(Offset offset) {
  const Found block = follow(offset, Kind::record, "record");
  if (!block) return {};
  const auto* record = block.as<format::Record>();
  // Copies: what is compared is what is used, also where somebody writes to the file whom nobody keeps from it.
  const format::Record::Sizes sizes = record->sizes();
  const Tag key_tag = record->key_tag();
  const Tag tag = record->value_tag();
  ++entry_count_;
  if (sizes.key > format::key_size_max) {
    problem(offset, "a key cannot have " + std::to_string(sizes.key) + " bytes");
    lost_some_ = true;
    return {};
  }
  if (sizes.value > format::value_size_max)
    problem(offset, "a value cannot have " + std::to_string(sizes.value) + " bytes");
  if (!check_payload_sum(block, sizes.head + sizes.key + (format::is_large(tag) ? 8 : sizes.value))) return {};
  const auto* const key = reinterpret_cast<const std::byte*>(record) + sizes.head;
  const std::byte* const value = key + sizes.key;
  if (format::is_large(tag)) {
    walk_extents(offset, tag, Offset{word_of({value, 8})}, sizes.value);
  } else {
    check_value(offset, tag, {value, sizes.value});
  }
  RecordFound out;
  if (check_key(offset, key_tag, {key, sizes.key}, out.key)) out.record = record;
  return out;
}

void CommitWalk::walk_value_block(Offset offset, bool any_tag, Tag base) {
  const Found block = follow(offset, Kind::value, "value");
  if (!block) return;
  const auto* value = block.as<ValueBlock>();
  const ValueBlock fixed = *value;
  const Tag tag = fixed.tag();
  if (fixed.size > format::value_size_max) {
    problem(offset, "a value cannot have " + std::to_string(fixed.size) + " bytes");
    lost_some_ = true;
    return;
  }
  if (!check_payload_sum(block, fixed.used())) return;
  if (!any_tag && format::base_tag(tag) != base) {
    problem(offset, "the value has the tag " + std::to_string(static_cast<unsigned>(format::base_tag(tag))) +
                        ", and where it belongs " + std::to_string(static_cast<unsigned>(base)));
  }
  if (format::is_large(tag)) {
    walk_extents(offset, tag, Offset{word_of({value->value(), 8})}, fixed.size);
  } else {
    check_value(offset, tag, {value->value(), fixed.size});
  }
}

void CommitWalk::walk_extents(Offset from, Tag tag, Offset offset, std::uint64_t size) {
  if (!can_be_large(format::base_tag(tag)))
    problem(from, "a value with the tag " + std::to_string(static_cast<unsigned>(tag)) + " cannot be in extents");
  const std::uint64_t count = (size + format::extent_payload_max - 1) / format::extent_payload_max;
  const Found block = follow(offset, Kind::list, "list of extents");
  if (!block) return;
  const auto* list = block.as<List>();
  if (count == 0 || list->count != count || list->drained != 0 || List::size_for(count) > block.room) {
    problem(offset, "a list of extents has " + std::to_string(list->count) + ", and a value of " +
                        std::to_string(size) + " bytes needs " + std::to_string(count));
    lost_some_ = true;
    return;
  }
  if (format::checksum_header(list->header) +
          format::checksum_words(list, format::list_checksum_first_word, 1 + count) !=
      list->header.checksum)
    problem(offset, "checksum does not match");
  std::uint64_t rest = size;
  for (std::uint64_t i = 0; i < count; ++i) {
    const ReplacedEntry entry{list->entries()[i]};
    const std::uint64_t part = std::min(rest, format::extent_payload_max);
    rest -= part;
    if (entry.how() != ReplacedEntry::How::block) problem(offset, "an extent is named as if it were a list");
    const Found extent = follow(entry.offset(), Kind::extent, "extent");
    if (extent) check_payload_sum(extent, sizeof(format::Extent) + part);
  }
}

void CommitWalk::walk_word(Offset leaf, Word word) {
  if (word.kind() == WordKind::block) {
    walk_value_block(Offset{word.payload() * 8}, true, Tag::null);
    return;
  }
  const Result<format::Value> value = format::from_word(word);
  if (!value.ok()) {
    problem(leaf, value.error().message());
  } else if (value->tag == Tag::container) {
    note_link(leaf, value->as_container());
  }
}

}  // namespace utan::check
