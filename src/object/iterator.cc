#include "object/iterator.h"

#include <algorithm>
#include <vector>

#include "object/operation.h"

namespace utan::object {

using format::EncodedKey;
using format::KeyClass;
using format::ObjectEntry;
using format::Tag;
using format::Value;

namespace {

// How many entries come before this key, and, if it is there and `with_it` says so, itself.
Result<std::uint64_t> rank_below(const heap::View& view, const Mapping& mapping, const EncodedKey& key, bool with_it,
                                 std::uint64_t hash_seed) {
  FoundItem found;
  UTAN_TRY(find_item(view, mapping, key, hash_seed, found));
  UTAN_ASSIGN(const std::uint64_t rank, rank_of(view, mapping, found));
  return rank + (found.there && with_it ? 1 : 0);
}

// The first key that is above all keys that begin so, among those of its kind or above them all.
EncodedKey behind_prefix(const EncodedKey& prefix, std::vector<std::byte>& bytes) {
  bytes.assign(prefix.order.begin(), prefix.order.end());
  while (!bytes.empty() && bytes.back() == std::byte{0xff}) bytes.pop_back();
  if (!bytes.empty()) {
    bytes.back() = static_cast<std::byte>(std::to_integer<unsigned>(bytes.back()) + 1);
    return {prefix.tag, prefix.key_class, bytes, bytes};
  }
  if (prefix.tag == Tag::bytes) return {Tag::string, KeyClass::string, {}, {}};
  return {Tag::tuple, KeyClass::tuple, {}, {}};
}

}  // namespace

Result<Ranks> ranks_of(const heap::View& view, const Mapping& mapping, const Range& range, std::uint64_t hash_seed) {
  if (mapping.type == ContainerType::table || mapping.type == ContainerType::list)
    return Error(Code::type, std::string("a ") + name_of(mapping.type) + " has no ranges of keys");
  UTAN_ASSIGN(const Count count, item_count(view, mapping));
  Ranks out{0, count.value};
  format::KeyBuffer buffer;
  if (range.low) {
    UTAN_ASSIGN(const EncodedKey key, buffer.encode(*range.low));
    UTAN_ASSIGN(out.from, rank_below(view, mapping, key, !range.low_inclusive, hash_seed));
  }
  if (range.high) {
    UTAN_ASSIGN(const EncodedKey key, buffer.encode(*range.high));
    UTAN_ASSIGN(out.to, rank_below(view, mapping, key, range.high_inclusive, hash_seed));
  }
  if (range.prefix) {
    if (range.prefix->tag != Tag::string && range.prefix->tag != Tag::bytes)
      return Error(Code::type, "a prefix is a string or bytes");
    UTAN_ASSIGN(const EncodedKey key, buffer.encode(*range.prefix));
    UTAN_ASSIGN(const std::uint64_t from, rank_below(view, mapping, key, false, hash_seed));
    std::vector<std::byte> bytes;
    UTAN_ASSIGN(const std::uint64_t to, rank_below(view, mapping, behind_prefix(key, bytes), false, hash_seed));
    out.from = std::max(out.from, from);
    out.to = std::min(out.to, to);
  }
  return out;
}

Result<void> Iterator::open(const IteratorOptions& options) {
  snapshot_ = own_snapshot_;
  if (snapshot_ == nullptr) {
    UTAN_ASSIGN(snapshot_, SnapshotPin::take(*attachment_));
  }
  UTAN_TRY(snapshot_->usable());
  UTAN_ASSIGN(commit::Session* const session, attachment_->session());
  const commit::Pinned& pinned = snapshot_->pinned();
  Result<void> begun = [&]() -> Result<void> {
    UTAN_ASSIGN(const ObjectEntry entry, find_entry(pinned.view, pinned.objects(), id_));
    return begin(entry, options, session->hash_seed());
  }();
  UTAN_TRY(snapshot_->usable_until_now());
  if (!begun.ok()) return commit::named(std::move(begun).error(), attachment_->path());
  return {};
}

Result<void> Iterator::begin(const ObjectEntry& entry, const IteratorOptions& options, std::uint64_t hash_seed) {
  const heap::View& view = snapshot_->pinned().view;
  const Offset root{entry.root};
  const bool bounded = options.range.low || options.range.high || options.range.prefix;
  reverse_ = options.reverse;
  const auto ranks_wanted = [&](Ranks ranks) {
    const std::uint64_t skipped = std::min(options.skip, ranks.count());
    remaining_ = std::min(ranks.count() - skipped, options.limit);
    return reverse_ ? ranks.to - 1 - skipped : ranks.from + skipped;
  };
  if (type_ == ContainerType::list) {
    if (bounded) return Error(Code::type, "a list has no ranges of keys");
    UTAN_ASSIGN(const Count count, tree::list_count(view, root));
    const std::uint64_t start = ranks_wanted({0, count.value});
    auto& elements = over_.emplace<tree::ListCursor>(view, root);
    return remaining_ == 0 ? Result<void>{} : elements.seek(start);
  }
  const Mapping mapping{type_, root};
  if (type_ == ContainerType::table && (bounded || reverse_)) return Error(Code::type, "a table has no order");
  auto& items = over_.emplace<ItemCursor>(view, mapping);
  Ranks ranks;
  if (bounded) {
    UTAN_ASSIGN(ranks, ranks_of(view, mapping, options.range, hash_seed));
  } else {
    UTAN_ASSIGN(const Count count, items.count());
    ranks.to = count.value;
  }
  const std::uint64_t start = ranks_wanted(ranks);
  if (type_ == ContainerType::table) {
    UTAN_TRY(items.seek_first());
    for (std::uint64_t i = 0; i < start && items.valid(); ++i) UTAN_TRY(items.next());
    return {};
  }
  return remaining_ == 0 ? Result<void>{} : items.seek_rank(start);
}

Result<Value> Iterator::value_of(const Slot& slot) {
  if (!slot.large()) return slot.value;
  UTAN_ASSIGN(std::byte* const copy, copy_of(snapshot_->pinned().view, slot.stored));
  copy_.reset(copy);
  return format::from_payload(slot.value.tag, Bytes(copy, slot.stored.size));
}

Result<bool> Iterator::advance(Value& key, Value& value) {
  if (auto* const elements = std::get_if<tree::ListCursor>(&over_)) {
    if (started_) {
      UTAN_TRY(reverse_ ? elements->previous() : elements->next());
    }
    started_ = true;
    if (elements->at_end()) return false;
    UTAN_ASSIGN(const Slot slot, slot_of(snapshot_->pinned().view, elements->word()));
    key = Value::integer(static_cast<std::int64_t>(elements->index()));
    UTAN_ASSIGN(value, value_of(slot));
    return true;
  }
  auto& items = std::get<ItemCursor>(over_);
  if (started_) UTAN_TRY(reverse_ ? items.previous() : items.next());
  started_ = true;
  if (!items.valid()) return false;
  const Item& item = items.item();
  if (format::is_text(item.key_tag)) [[likely]] {
    key = Value{item.key_tag, 0, item.key, nullptr, 0};
  } else {
    UTAN_ASSIGN(key, decoder_.decode(item.key_tag, item.key));
  }
  if (format::is_text(item.value.tag)) [[likely]] {
    value = Value{item.value.tag, 0, item.value.bytes, nullptr, 0};
    return true;
  }
  UTAN_ASSIGN(const Slot slot, slot_of(item.value));
  UTAN_ASSIGN(value, value_of(slot));
  return true;
}

Result<bool> Iterator::next(Value& key, Value& value) {
  UTAN_TRY(snapshot_->usable());
  if (remaining_ == 0) return false;
  Result<bool> more = advance(key, value);
  // Nor does it end where zeroes begin, or answer what was read there.
  UTAN_TRY(snapshot_->usable_until_now());
  if (!more.ok()) [[unlikely]] {
    // Where the cursor is now, nobody knows: it is not gone on with.
    remaining_ = 0;
    return commit::named(std::move(more).error(), attachment_->path());
  }
  remaining_ = more.value() ? remaining_ - 1 : 0;
  return more;
}

// The iterator's pin is of a commit in which the container is named: it may be held. Whether it was removed since, the
// newest commit says.
Result<Loan> Iterator::lend(format::ObjectId id) const {
  Reading reading;
  UTAN_TRY(reading.open(*attachment_, own_snapshot_.get()));
  Result<Loan> out = reading.lend(id);
  UTAN_TRY(attachment_->still_there());
  return out;
}

}  // namespace utan::object
