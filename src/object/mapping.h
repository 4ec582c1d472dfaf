// The entries of a dict, a collection or a table, however it is stored.
//
// A small dict or collection is one sorted block; a large one is an ordered tree of records; a table is a hash table of
// records. Which of the first two it is, its topmost block says: a sorted block that grows too long becomes a tree and
// stays one until it is empty. Complexity: as tree/sorted.h, tree/ordered.h, tree/table.h say. Thread safety: reading by
// anyone under a pin; changing within one Build.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <variant>

#include "base/result.h"
#include "base/types.h"
#include "format/key.h"
#include "format/sorted.h"
#include "format/word.h"
#include "heap/build.h"
#include "heap/view.h"
#include "object/record.h"
#include "tree/ordered.h"
#include "tree/sorted.h"
#include "tree/table.h"

namespace utan::object {

enum class Form : std::uint8_t { empty, sorted, ordered, table };

// A mapping in one commit: what it is and where it begins.
struct Mapping {
  format::ContainerType type = format::ContainerType::none;
  Offset root;
};

// An entry as it is stored. Valid while its commit is pinned.
struct Item {
  format::Tag key_tag = format::Tag::null;
  Bytes key;  // as stored: EncodedKey::bytes
  Stored value;
  Offset record;  // 0: it lies in a sorted block
};

// Where a key is, or would be.
struct FoundItem {
  Form form = Form::empty;
  bool there = false;
  Item item;
  std::variant<std::monostate, tree::FoundSorted, tree::FoundOrdered, tree::FoundRecord> place;

  FoundItem() = default;
  // It is large: found where it is used.
  FoundItem(const FoundItem&) = delete;
  FoundItem& operator=(const FoundItem&) = delete;
};

// How a mapping is stored. Code::corruption if its topmost block is none of it.
Result<Form> form_of(const heap::View& view, const Mapping& mapping);

Result<void> find_item(const heap::View& view, const Mapping& mapping, const format::EncodedKey& key,
                       std::uint64_t hash_seed, FoundItem& out);

// Each takes what find_item answered in the same build's view, and answers the new root. What was there before is
// dropped, its value too; what containers it named is the caller's to unlink.
Result<Offset> put_item(heap::Build& build, const Mapping& mapping, const FoundItem& where,
                        const format::EncodedKey& key, const Payload& value, std::uint64_t hash_seed);
Result<Offset> erase_item(heap::Build& build, const Mapping& mapping, const FoundItem& where, std::uint64_t hash_seed);

Result<Count> item_count(const heap::View& view, const Mapping& mapping);
// How many entries come before the place where the key is or would be. Not for tables.
Result<std::uint64_t> rank_of(const heap::View& view, const Mapping& mapping, const FoundItem& where);

// The entries before `rank` and those from there on, as two mappings of their own. Not for tables.
Result<std::pair<Offset, Offset>> split_mapping(heap::Build& build, const Mapping& mapping, std::uint64_t rank);
// Both in one; every key of `left` is below every key of `right`. Not for tables.
Result<Offset> join_mappings(heap::Build& build, const Mapping& left, const Mapping& right);

// Drops a dict's or collection's nodes, entries and values.
Result<void> drop_mapping(heap::Build& build, const Mapping& mapping);

// A new mapping of these entries, whose values are whole. For dicts and collections in ascending order, without equal keys.
using NewItem = format::SortedItem;
Result<Offset> load_mapping(heap::Build& build, format::ContainerType type, std::span<const NewItem> items,
                            std::uint64_t hash_seed);

// Goes over the entries of one commit's mapping: of a table forward and in no order. In one direction: what it comes by, from
// where it was led to, is no more than the file has bytes, or the file is damaged.
class ItemCursor {
 public:
  ItemCursor(const heap::View& view, const Mapping& mapping) : view_(view), mapping_(mapping) {}

  // Each leads to an entry, or beyond either end.
  Result<void> seek_first();
  Result<void> seek_last();
  // The entry of this rank, from 0; the number of entries is beyond the end.
  Result<void> seek_rank(std::uint64_t rank);
  // Only from an entry.
  Result<void> next();
  Result<void> previous();
  // The usual case of next(), or with no `step` of where it was led to, of a dict or collection: the key is text, and the value
  // text, a number or a boolean. item() is not of what it finds. False: nothing has changed.
  [[gnu::always_inline]] bool next_quickly(std::uint64_t step, format::Value& key, format::Value& value) {
    if (ordered_) [[likely]] {
      if (step == 0) [[unlikely]]
        return false;
      const auto is_usual = [&value](const format::Record* of) {
        return format::is_text(of->key_tag()) &&
               format::from_usual_payload(of->value_tag(), Bytes(of->value(), of->value_size()), value);
      };
      if (!ordered_->next_quickly(is_usual)) [[unlikely]]
        return false;
      const format::Record* const record = ordered_->record();
      key = format::Value{record->key_tag(), 0, Bytes(record->key(), record->key_size()), nullptr, 0};
      return true;
    }
    format::SortedItem item;
    if (form_ != Form::sorted || index_ + step >= block_.count || !block_.read(index_ + step, item) ||
        !format::is_text(item.key_tag) || !format::from_usual_payload(item.value_tag, item.value, value)) [[unlikely]]
      return false;
    index_ += step;
    key = format::Value{item.key_tag, 0, item.key, nullptr, 0};
    return true;
  }
  // How many entries there are.
  Result<Count> count();
  // Is it at an entry?
  bool valid() const { return valid_; }
  const Item& item() const { return item_; }

 private:
  Result<void> open();
  Result<void> at_index(std::uint64_t index);
  Result<void> at_record();
  Result<void> at_next_of_table();

  heap::View view_;
  Mapping mapping_;
  Form form_ = Form::empty;
  bool valid_ = false;
  Item item_;
  std::uint64_t index_ = 0;        // in a sorted block
  std::uint64_t walked_size_ = 0;  // bytes of the records of a tree since it was last sought in
  tree::SortedBlock block_;
  std::optional<tree::OrderedCursor> ordered_;
  std::optional<tree::TableWalk> table_;
};

}  // namespace utan::object
