#include "object/record.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

namespace utan::object {

using format::Record;
using format::Tag;
using format::ValueBlock;

namespace {

// A value goes to extents of its own when its block would not fit into one run of segments.
constexpr std::uint64_t block_size_max = format::run_size_max;

std::uint64_t extent_count(std::uint64_t size) {
  return (size + format::extent_payload_max - 1) / format::extent_payload_max;
}

Offset offset_in(Bytes bytes) {
  std::uint64_t offset;
  std::memcpy(&offset, bytes.data(), sizeof offset);
  return Offset{offset};
}

// The checksum of everything behind the header is added to that of the header.
template <class Block>
void seal(Block* block, std::uint64_t size) {
  block->header.checksum += format::checksum_payload(&block->header + 1, size - sizeof(format::BlockHeader));
}

Result<Offset> make_extents(heap::Build& build, Bytes value) {
  const std::uint64_t count = extent_count(value.size());
  UTAN_ASSIGN(const heap::Made<format::List> list,
              build.make<format::List>(format::Kind::list, ByteCount{format::List::size_for(count)}, 0));
  list.at->drained = 0;
  list.at->count = count;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t from = i * format::extent_payload_max;
    const Bytes part = value.subspan(from, std::min<std::uint64_t>(value.size() - from, format::extent_payload_max));
    UTAN_ASSIGN(const heap::Made<format::Extent> extent,
                build.make_with<format::Extent>(format::Kind::extent, ByteCount{sizeof(format::Extent) + part.size()},
                                                0, part));
    seal(extent.at, sizeof(format::Extent) + part.size());
    list.at->entries()[i] = format::ReplacedEntry::make(extent.offset, format::ReplacedEntry::How::block).word;
  }
  list.at->header.checksum += format::checksum_words(list.at, format::list_checksum_first_word, 1 + count);
  return list.offset;
}

// What of a value lies in a block that has `before` other bytes: all of it, or the offset of its extents in `scratch`.
Result<Payload> within_block(heap::Build& build, const Payload& value, std::uint64_t before, std::uint64_t& scratch) {
  if (before + value.bytes.size() <= block_size_max) [[likely]]
    return value;
  UTAN_ASSIGN(const Offset extents, make_extents(build, value.bytes));
  scratch = extents.value;
  return Payload{value.tag | Tag::large, std::as_bytes(std::span(&scratch, 1))};
}

}  // namespace

Result<void> check_size(const Payload& value) {
  if (value.bytes.size() <= format::value_size_max) [[likely]]
    return {};
  return Error(Code::too_large, "a value has at most " + std::to_string(format::value_size_max) + " bytes, not " +
                                    std::to_string(value.bytes.size()));
}

Result<Offset> make_record(heap::Build& build, Tag key_tag, Bytes key, const Payload& value) {
  std::uint64_t extents;
  UTAN_ASSIGN(const Payload held, within_block(build, value, Record::head_size_max + key.size(), extents));
  const std::uint64_t head_size = Record::head_size(key.size(), value.bytes.size());
  const std::uint64_t size = head_size + key.size() + held.bytes.size();
  const auto aux = static_cast<std::uint16_t>(static_cast<unsigned>(key_tag) | (static_cast<unsigned>(held.tag) << 8));
  UTAN_ASSIGN(const heap::Made<Record> record,
              build.make_with<Record>(format::Kind::record, ByteCount{size}, aux, held.bytes));
  std::byte* const bytes = record.at->set_sizes(key.size(), value.bytes.size());
  if (!key.empty()) std::memcpy(bytes, key.data(), key.size());
  seal(record.at, size);
  return record.offset;
}

void drop_record(heap::Build& build, const Record* record, Offset offset) {
  if (format::is_large(record->value_tag())) build.drop_list(offset_in(stored_in(record).bytes));
  build.drop(offset, &record->header);
}

Result<Offset> make_value(heap::Build& build, const Payload& value) {
  std::uint64_t extents;
  UTAN_ASSIGN(const Payload held, within_block(build, value, sizeof(ValueBlock), extents));
  const std::uint64_t size = sizeof(ValueBlock) + held.bytes.size();
  UTAN_ASSIGN(const heap::Made<ValueBlock> block,
              build.make_with<ValueBlock>(format::Kind::value, ByteCount{size}, static_cast<std::uint16_t>(held.tag),
                                          held.bytes));
  block.at->size = value.bytes.size();
  seal(block.at, size);
  return block.offset;
}

Result<Stored> stored_at(const heap::View& view, Offset value_block) {
  const auto* block = view.follow<ValueBlock>(value_block, format::Kind::value);
  if (block == nullptr || block->size > format::value_size_max || block->used() > view.size().value - value_block.value)
    return view.damage(value_block, format::Kind::value);
  const Tag tag = block->tag();
  return Stored{tag, Bytes(block->value(), format::is_large(tag) ? sizeof(std::uint64_t) : block->size), block->size};
}

Result<void> drop_value(heap::Build& build, Offset value_block) {
  UTAN_ASSIGN(const Stored value, stored_at(build.view(), value_block));
  if (format::is_large(value.tag)) build.drop_list(offset_in(value.bytes));
  build.drop(value_block, build.view().follow<format::BlockHeader>(value_block, format::Kind::value));
  return {};
}

Result<const format::List*> extents_of(const heap::View& view, const Stored& value) {
  const Offset at = offset_in(value.bytes);
  const auto* list = view.follow<format::List>(at, format::Kind::list);
  const std::uint64_t count = extent_count(value.size);
  // A value that is longer than the file would be of extents that are named again and again.
  if (list == nullptr || value.size > view.size().value || list->count != count ||
      format::List::size_for(count) > view.size().value - at.value)
    return view.damage(at, format::Kind::list);
  return list;
}

Result<Bytes> extent_at(const heap::View& view, const format::List* list, std::uint64_t index, std::uint64_t size) {
  const Offset offset = format::ReplacedEntry{list->entries()[index]}.offset();
  const auto* extent = view.follow<format::Extent>(offset, format::Kind::extent);
  const std::uint64_t part = std::min(size, format::extent_payload_max);
  if (extent == nullptr || sizeof(format::Extent) + part > view.size().value - offset.value)
    return view.damage(offset, format::Kind::extent);
  return Bytes(reinterpret_cast<const std::byte*>(extent + 1), part);
}

Result<std::byte*> copy_of(const heap::View& view, const Stored& value) {
  auto* copy = static_cast<std::byte*>(std::malloc(std::max<std::size_t>(value.size, 1)));
  if (copy == nullptr) return Error(Code::memory, "no memory for a value of " + std::to_string(value.size) + " bytes");
  std::byte* end = copy;
  Result<bool> done = each_part(view, value, [&end](Bytes part) {
    if (!part.empty()) std::memcpy(end, part.data(), part.size());
    end += part.size();
    return true;
  });
  if (done.ok()) return copy;
  std::free(copy);
  return std::move(done).error();
}

Result<bool> is_same(const heap::View& view, const Stored& value, const Payload& other) {
  if (format::base_tag(value.tag) != other.tag || value.size != other.bytes.size()) return false;
  std::size_t at = 0;
  return each_part(view, value, [&](Bytes part) {
    const bool same = part.empty() || std::memcmp(part.data(), other.bytes.data() + at, part.size()) == 0;
    at += part.size();
    return same;
  });
}

}  // namespace utan::object
