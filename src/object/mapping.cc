#include "object/mapping.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "tree/ordered_find.h"
#include "tree/table_find.h"

namespace utan::object {

using format::ContainerType;
using format::EncodedKey;
using format::Kind;
using format::Tag;
using tree::SortedBlock;
using tree::SortedItem;
using tree::Status;

namespace {

tree::Key table_key(const EncodedKey& key, std::uint64_t hash_seed) {
  return {key.order, key.tag, format::hash_key(key.order.data(), key.order.size(), hash_seed), key.key_class};
}

Item item_of(const format::Record* record, Offset offset) {
  return {record->key_tag(), Bytes(record->key(), record->key_size()), stored_in(record), offset};
}

Offset offset_in(Bytes bytes) {
  std::uint64_t offset;
  std::memcpy(&offset, bytes.data(), sizeof offset);
  return Offset{offset};
}

// A value of a sorted block, which may lie in a block of its own.
Result<Stored> stored_in(const heap::View& view, const SortedItem& item) {
  if (format::is_large(item.value_tag)) return stored_at(view, offset_in(item.value));
  return Stored{item.value_tag, item.value, item.value.size()};
}
Result<Item> item_of(const heap::View& view, const SortedItem& item) {
  UTAN_ASSIGN(const Stored value, stored_in(view, item));
  return Item{item.key_tag, item.key, value, Offset{}};
}

// What a sorted block has of a value: itself, or, if it is too large, where it lies, which is then kept in `offset`.
Result<void> make_sorted_value(heap::Build& build, Payload& value, std::uint64_t& offset) {
  if (value.bytes.size() <= format::sorted_value_size_max) return {};
  UTAN_ASSIGN(const Offset block, make_value(build, value));
  offset = block.value;
  value = {value.tag | Tag::large, std::as_bytes(std::span(&offset, 1))};
  return {};
}
std::uint64_t sorted_value_size(std::uint64_t size) {
  return size <= format::sorted_value_size_max ? size : sizeof(std::uint64_t);
}

// A record of an entry of a sorted block. Its value's own block, if it has one, is dropped.
Result<Offset> record_of(heap::Build& build, const SortedItem& item) {
  if (!format::is_large(item.value_tag))
    return make_record(build, item.key_tag, item.key, Payload{item.value_tag, item.value});
  const Offset block = offset_in(item.value);
  UTAN_ASSIGN(const Stored stored, stored_at(build.view(), block));
  std::unique_ptr<std::byte, void (*)(void*)> copy(nullptr, std::free);
  UTAN_ASSIGN(std::byte* const bytes, copy_of(build.view(), stored));
  copy.reset(bytes);
  UTAN_ASSIGN(const Offset record, make_record(build, item.key_tag, item.key,
                                               Payload{format::base_tag(stored.tag), Bytes(bytes, stored.size)}));
  UTAN_TRY(drop_value(build, block));
  return record;
}

// A tree of the records of a sorted block's entries, which is dropped.
Result<Offset> tree_of_sorted(heap::Build& build, Offset root) {
  UTAN_ASSIGN(const SortedBlock block, tree::sorted_block(build.view(), root));
  std::vector<Offset> records;
  UTAN_TRY(tree::each_sorted(build.view(), root, block, [&](const SortedItem& item) -> Result<void> {
    UTAN_ASSIGN(const Offset record, record_of(build, item));
    records.push_back(record);
    return {};
  }));
  tree::drop_sorted(build, root, block);
  return tree::load_ordered(build, records);
}

}  // namespace

Result<Form> form_of(const heap::View& view, const Mapping& mapping) {
  if (!mapping.root) return Form::empty;
  if (mapping.type == ContainerType::table) return Form::table;
  if (view.follow<format::BlockHeader>(mapping.root, Kind::sorted) != nullptr) return Form::sorted;
  if (view.follow<format::BlockHeader>(mapping.root, Kind::ordered_leaf) != nullptr ||
      view.follow<format::BlockHeader>(mapping.root, Kind::ordered_branch) != nullptr)
    return Form::ordered;
  return view.damage(mapping.root, Kind::sorted);
}

Result<void> find_item(const heap::View& view, const Mapping& mapping, const EncodedKey& key, std::uint64_t hash_seed,
                       FoundItem& out) {
  UTAN_ASSIGN(out.form, form_of(view, mapping));
  switch (out.form) {
    case Form::empty:
      break;
    case Form::sorted: {
      const auto& found = out.place.emplace<tree::FoundSorted>(tree::find_sorted(view, mapping.root, key));
      if (found.status == Status::damaged) return view.damage(found.damaged, Kind::sorted);
      out.there = found.status == Status::found;
      if (out.there) {
        UTAN_ASSIGN(out.item, item_of(view, found.item));
      }
      break;
    }
    case Form::ordered: {
      auto& found = out.place.emplace<tree::FoundOrdered>();
      tree::find_ordered_here(view, mapping.root, key, found);
      if (found.status == Status::damaged) return view.damage(found.damaged, found.expected);
      out.there = found.status == Status::found;
      if (out.there) out.item = item_of(found.record, found.offset);
      break;
    }
    case Form::table: {
      auto& found = out.place.emplace<tree::FoundRecord>();
      tree::find_record_here(view, mapping.root, table_key(key, hash_seed), found);
      if (found.status == Status::damaged) return view.damage(found.damaged, found.expected);
      out.there = found.status == Status::found;
      if (out.there) out.item = item_of(found.record, found.offset);
      break;
    }
  }
  return {};
}

namespace {

// Drops what an entry has besides its place in the tree.
Result<void> drop_item(heap::Build& build, const FoundItem& found) {
  if (found.item.record) {
    const auto* record = build.view().follow_record(found.item.record);
    if (record == nullptr) return build.view().damage(found.item.record, Kind::record);
    drop_record(build, record, found.item.record);
  } else if (const SortedItem& item = std::get<tree::FoundSorted>(found.place).item; format::is_large(item.value_tag)) {
    return drop_value(build, offset_in(item.value));
  }
  return {};
}

// A new record of this key and value. The first spelling of a key stays.
Result<Offset> record_for(heap::Build& build, const FoundItem& where, const EncodedKey& key, const Payload& value) {
  if (where.there) return make_record(build, where.item.key_tag, where.item.key, value);
  return make_record(build, key.tag, key.bytes, value);
}

Result<Offset> put_in_tree(heap::Build& build, Offset root, const tree::FoundOrdered& place, bool there,
                           const EncodedKey& key, Offset record) {
  return there ? tree::replace_ordered(build, root, place, record)
               : tree::insert_ordered(build, root, place, key, record);
}

}  // namespace

Result<Offset> put_item(heap::Build& build, const Mapping& mapping, const FoundItem& where, const EncodedKey& key,
                        const Payload& value, std::uint64_t hash_seed) {
  Offset root = mapping.root;
  if (mapping.type == ContainerType::table) {
    UTAN_ASSIGN(const Offset record, record_for(build, where, key, value));
    if (where.there) {
      UTAN_TRY(drop_item(build, where));
      return tree::replace_record(build, root, std::get<tree::FoundRecord>(where.place), record);
    }
    if (where.form != Form::empty)
      return tree::insert_record(build, root, hash_seed, std::get<tree::FoundRecord>(where.place), record);
    UTAN_ASSIGN(root, tree::make_table(build));
    return tree::insert_record(build, root, hash_seed, tree::find_record(build.view(), root, table_key(key, hash_seed)),
                               record);
  }
  if (where.form == Form::ordered) {
    UTAN_ASSIGN(const Offset record, record_for(build, where, key, value));
    if (where.there) UTAN_TRY(drop_item(build, where));
    return put_in_tree(build, root, std::get<tree::FoundOrdered>(where.place), where.there, key, record);
  }
  const tree::FoundSorted nowhere;
  const auto& place = where.form == Form::sorted ? std::get<tree::FoundSorted>(where.place) : nowhere;
  UTAN_ASSIGN(const bool fits,
              tree::sorted_fits(build.view(), root, ByteCount{where.there ? place.item.key.size() : key.bytes.size()},
                                ByteCount{sorted_value_size(value.bytes.size())}, where.there ? &place.item : nullptr));
  if (fits) {
    Payload held = value;
    std::uint64_t offset;
    UTAN_TRY(make_sorted_value(build, held, offset));
    if (where.there) {
      UTAN_TRY(drop_item(build, where));
      return tree::replace_sorted(build, root, place, held.tag, held.bytes);
    }
    return tree::insert_sorted(build, root, place, key, held.tag, held.bytes);
  }
  if (root) {
    UTAN_ASSIGN(root, tree_of_sorted(build, root));
  }
  FoundItem again;
  UTAN_TRY(find_item(build.view(), Mapping{mapping.type, root}, key, hash_seed, again));
  UTAN_ASSIGN(const Offset record, record_for(build, again, key, value));
  if (again.there) UTAN_TRY(drop_item(build, again));
  if (again.form == Form::empty) return tree::insert_ordered(build, root, tree::FoundOrdered{}, key, record);
  return put_in_tree(build, root, std::get<tree::FoundOrdered>(again.place), again.there, key, record);
}

Result<Offset> erase_item(heap::Build& build, const Mapping& mapping, const FoundItem& where, std::uint64_t hash_seed) {
  UTAN_TRY(drop_item(build, where));
  if (where.form == Form::sorted)
    return tree::erase_sorted(build, mapping.root, std::get<tree::FoundSorted>(where.place));
  if (where.form == Form::ordered)
    return tree::erase_ordered(build, mapping.root, std::get<tree::FoundOrdered>(where.place));
  return tree::erase_record(build, mapping.root, hash_seed, std::get<tree::FoundRecord>(where.place));
}

Result<Count> item_count(const heap::View& view, const Mapping& mapping) {
  UTAN_ASSIGN(const Form form, form_of(view, mapping));
  switch (form) {
    case Form::sorted:
      return tree::sorted_count(view, mapping.root);
    case Form::ordered:
      return tree::ordered_count(view, mapping.root);
    case Form::table:
      return tree::record_count(view, mapping.root);
    case Form::empty:
      break;
  }
  return Count{0};
}

Result<std::uint64_t> rank_of(const heap::View& view, const Mapping& mapping, const FoundItem& where) {
  DCHECK(where.form != Form::table);
  if (where.form == Form::sorted) return std::get<tree::FoundSorted>(where.place).index;
  if (where.form == Form::ordered)
    return tree::ordered_rank(view, mapping.root, std::get<tree::FoundOrdered>(where.place));
  return std::uint64_t{0};
}

Result<std::pair<Offset, Offset>> split_mapping(heap::Build& build, const Mapping& mapping, std::uint64_t rank) {
  using Halves = std::pair<Offset, Offset>;
  UTAN_ASSIGN(const Form form, form_of(build.view(), mapping));
  DCHECK(form != Form::table);
  if (form == Form::empty) return Halves{};
  if (form == Form::ordered) return tree::split_ordered(build, mapping.root, rank);
  UTAN_ASSIGN(const SortedBlock block, tree::sorted_block(build.view(), mapping.root));
  if (rank == 0) return Halves{Offset{}, mapping.root};
  if (rank >= block.count) return Halves{mapping.root, Offset{}};
  std::vector<SortedItem> items;
  UTAN_TRY(tree::each_sorted(build.view(), mapping.root, block, [&](const SortedItem& item) -> Result<void> {
    items.push_back(item);
    return {};
  }));
  const std::span<const SortedItem> all(items);
  UTAN_ASSIGN(const Offset left, tree::make_sorted(build, all.first(rank)));
  UTAN_ASSIGN(const Offset right, tree::make_sorted(build, all.subspan(rank)));
  tree::drop_sorted(build, mapping.root, block);
  return Halves{left, right};
}

Result<Offset> join_mappings(heap::Build& build, const Mapping& left, const Mapping& right) {
  if (!left.root) return right.root;
  if (!right.root) return left.root;
  UTAN_ASSIGN(const Form left_form, form_of(build.view(), left));
  UTAN_ASSIGN(const Form right_form, form_of(build.view(), right));
  DCHECK(left_form != Form::table && right_form != Form::table);
  Offset left_root = left.root;
  Offset right_root = right.root;
  if (left_form == Form::sorted && right_form == Form::sorted) {
    std::vector<SortedItem> items;
    std::uint64_t size = sizeof(format::BlockHeader);
    const auto take = [&items, &size](const SortedItem& item) -> Result<void> {
      items.push_back(item);
      size += format::sorted_item_size(item.key.size(), item.value.size());
      return {};
    };
    UTAN_ASSIGN(const SortedBlock left_block, tree::sorted_block(build.view(), left_root));
    UTAN_ASSIGN(const SortedBlock right_block, tree::sorted_block(build.view(), right_root));
    UTAN_TRY(tree::each_sorted(build.view(), left_root, left_block, take));
    UTAN_TRY(tree::each_sorted(build.view(), right_root, right_block, take));
    if (size <= format::sorted_size_max) {
      UTAN_ASSIGN(const Offset both, tree::make_sorted(build, items));
      tree::drop_sorted(build, left_root, left_block);
      tree::drop_sorted(build, right_root, right_block);
      return both;
    }
  }
  if (left_form == Form::sorted) {
    UTAN_ASSIGN(left_root, tree_of_sorted(build, left_root));
  }
  if (right_form == Form::sorted) {
    UTAN_ASSIGN(right_root, tree_of_sorted(build, right_root));
  }
  return tree::join_ordered(build, left_root, right_root);
}

Result<void> drop_mapping(heap::Build& build, const Mapping& mapping) {
  UTAN_ASSIGN(const Form form, form_of(build.view(), mapping));
  DCHECK(form != Form::table);
  if (form == Form::empty) return {};
  if (form == Form::ordered) {
    tree::OrderedCursor cursor(build.view(), mapping.root);
    UTAN_TRY(cursor.seek_first());
    while (cursor.record() != nullptr) {
      drop_record(build, cursor.record(), cursor.offset());
      UTAN_TRY(cursor.next());
    }
    return tree::drop_ordered(build, mapping.root);
  }
  UTAN_ASSIGN(const SortedBlock block, tree::sorted_block(build.view(), mapping.root));
  UTAN_TRY(tree::each_sorted(build.view(), mapping.root, block, [&build](const SortedItem& item) -> Result<void> {
    return format::is_large(item.value_tag) ? drop_value(build, offset_in(item.value)) : Result<void>();
  }));
  tree::drop_sorted(build, mapping.root, block);
  return {};
}

namespace {

Result<Offset> load_table(heap::Build& build, std::span<const NewItem> items, std::uint64_t hash_seed) {
  Offset root;
  for (const NewItem& item : items) {
    const Mapping mapping{ContainerType::table, root};
    const EncodedKey key = format::made_key(item.key_tag, item.key);
    FoundItem where;
    UTAN_TRY(find_item(build.view(), mapping, key, hash_seed, where));
    UTAN_ASSIGN(root, put_item(build, mapping, where, key, Payload{item.value_tag, item.value}, hash_seed));
  }
  return root;
}

// Do all entries together fit into one sorted block, and, where `whole` is true, each value with its key?
bool fit_into_sorted(std::span<const NewItem> items, bool& whole) {
  std::uint64_t size = sizeof(format::BlockHeader);
  whole = true;
  for (const NewItem& item : items) {
    if (item.key.size() > format::sorted_key_size_max) return false;
    whole = whole && item.value.size() <= format::sorted_value_size_max;
    size += format::sorted_item_size(item.key.size(), sorted_value_size(item.value.size()));
    if (size > format::sorted_size_max) return false;
  }
  return true;
}

}  // namespace

Result<Offset> load_mapping(heap::Build& build, ContainerType type, std::span<const NewItem> items,
                            std::uint64_t hash_seed) {
  if (type == ContainerType::table) return load_table(build, items, hash_seed);
  if (items.empty()) return Offset{};
  bool whole = false;
  if (!fit_into_sorted(items, whole)) {
    std::vector<Offset> records(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      const NewItem& item = items[i];
      UTAN_ASSIGN(records[i], make_record(build, item.key_tag, item.key, Payload{item.value_tag, item.value}));
    }
    return tree::load_ordered(build, records, tree::Ascending::known);
  }
  if (whole) return tree::make_sorted(build, items);
  std::vector<SortedItem> sorted(items.begin(), items.end());
  std::vector<std::uint64_t> offsets(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    Payload value{items[i].value_tag, items[i].value};
    UTAN_TRY(make_sorted_value(build, value, offsets[i]));
    sorted[i].value_tag = value.tag;
    sorted[i].value = value.bytes;
  }
  return tree::make_sorted(build, sorted);
}

// --- Going over entries ------------------------------------------------------------------------------------------------

Result<void> ItemCursor::open() {
  if (form_ == Form::empty) {
    UTAN_ASSIGN(form_, form_of(view_, mapping_));
    if (form_ == Form::sorted) {
      UTAN_ASSIGN(block_, tree::sorted_block(view_, mapping_.root));
    }
  }
  if (form_ == Form::ordered && !ordered_) ordered_.emplace(view_, mapping_.root);
  valid_ = false;
  walked_size_ = 0;
  return {};
}

Result<Count> ItemCursor::count() {
  UTAN_TRY(open());
  return form_ == Form::sorted ? Count{block_.count} : item_count(view_, mapping_);
}

Result<void> ItemCursor::at_index(std::uint64_t index) {
  index_ = index;
  valid_ = index < block_.count;
  if (!valid_) return {};
  SortedItem item;
  if (!block_.read(index, item)) [[unlikely]]
    return view_.damage(mapping_.root, Kind::sorted);
  if (!format::is_large(item.value_tag)) [[likely]] {
    item_ = Item{item.key_tag, item.key, Stored{item.value_tag, item.value, item.value.size()}, Offset{}};
    return {};
  }
  UTAN_ASSIGN(item_, item_of(view_, item));
  return {};
}

Result<void> ItemCursor::at_record() {
  valid_ = ordered_->record() != nullptr;
  if (!valid_) return {};
  item_ = item_of(ordered_->record(), ordered_->offset());
  // Each has a block of its own, unless the nodes of a damaged tree name one another in many ways.
  walked_size_ += std::max(ordered_->record()->size(), format::block_size_min);
  if (walked_size_ > view_.size().value) return view_.damage(mapping_.root, Kind::ordered_branch);
  return {};
}

Result<void> ItemCursor::at_next_of_table() {
  UTAN_ASSIGN(const format::Record* const record, table_->next());
  valid_ = record != nullptr;
  if (valid_) item_ = item_of(record, view_.offset_of(record));
  return {};
}

Result<void> ItemCursor::seek_first() { return seek_rank(0); }

Result<void> ItemCursor::seek_last() {
  UTAN_TRY(open());
  if (form_ == Form::sorted) return at_index(block_.count - 1);
  DCHECK(form_ != Form::table);
  if (form_ == Form::empty) return {};
  UTAN_TRY(ordered_->seek_last());
  return at_record();
}

Result<void> ItemCursor::seek_rank(std::uint64_t rank) {
  UTAN_TRY(open());
  switch (form_) {
    case Form::sorted:
      return at_index(rank);
    case Form::ordered:
      UTAN_TRY(rank == 0 ? ordered_->seek_first() : ordered_->seek_rank(rank));
      return at_record();
    case Form::table:
      DCHECK(rank == 0);
      table_.emplace(view_, mapping_.root);
      return at_next_of_table();
    case Form::empty:
      break;
  }
  return {};
}

Result<void> ItemCursor::next() {
  DCHECK(valid_);
  if (form_ == Form::sorted) return at_index(index_ + 1);
  if (form_ == Form::table) return at_next_of_table();
  UTAN_TRY(ordered_->next());
  return at_record();
}

Result<void> ItemCursor::previous() {
  DCHECK(valid_);
  DCHECK(form_ != Form::table);
  // Before the first one the index is beyond any count.
  if (form_ == Form::sorted) return at_index(index_ - 1);
  UTAN_TRY(ordered_->previous());
  return at_record();
}

}  // namespace utan::object
