// Iterators: over the entries of a mapping, or a range of them, or the elements of a list, in one commit.
//
// An iterator pins its commit until it is dropped, whatever is written meanwhile. Thread safety: used by one thread at a
// time. Ownership: keeps its store open.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>
#include <variant>

#include "base/result.h"
#include "format/key.h"
#include "object/container.h"
#include "object/mapping.h"
#include "object/snapshot.h"
#include "tree/positional.h"

namespace utan::object {

struct IteratorOptions {
  Range range;           // of keys; not for lists and tables
  bool reverse = false;  // not for tables
  std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t skip = 0;
};

class Iterator {
 public:
  explicit Iterator(const Container& container)
      : attachment_(&container.attachment()),
        own_snapshot_(container.snapshot()),
        id_(container.id()),
        type_(container.type()) {}

  // Once, before anything else.
  Result<void> open(const IteratorOptions& options);

  // False at the end. `key`: of a list the index. What both refer to is valid until the next call.
  Result<bool> next(format::Value& key, format::Value& value);
  // The usual case of next(), forward: text, numbers or booleans under text in a dict or collection, or numbers in a list.
  // False: next() has to be asked.
  [[gnu::always_inline]] bool next_quickly(format::Value& key, format::Value& value) {
    if (remaining_ == 0 || reverse_ || !snapshot_->is_usable()) [[unlikely]]
      return false;
    const std::uint64_t step = started_ ? 1 : 0;
    if (auto* const items = std::get_if<ItemCursor>(&over_)) {
      if (!items->next_quickly(step, key, value)) [[unlikely]]
        return false;
    } else {
      const auto is_usual = [&value](const format::Word& word) { return format::from_usual_word(word, value); };
      auto& elements = *std::get_if<tree::ListCursor>(&over_);
      if (elements.next_quickly(step, is_usual) == nullptr) return false;
      key = format::Value::integer(static_cast<std::int64_t>(elements.index()));
    }
    started_ = true;
    --remaining_;
    // What is handed out as it was read is not read again by the caller.
    return format::is_text(value.tag) || snapshot_->was_usable();
  }
  // Has next() nothing more to answer? False in a child as well, where it says why not.
  bool at_end() const { return remaining_ == 0 && snapshot_->is_usable(); }
  // A container that next() has answered: of the store as it is now, or of the snapshot if that is what is gone over.
  // Code::gone: it has been removed since.
  Result<Loan> lend(format::ObjectId id) const;
  commit::Attachment& attachment() const { return *attachment_; }
  // The snapshot that the container belongs to; null: the store itself.
  const std::shared_ptr<SnapshotPin>& own_snapshot() const { return own_snapshot_; }

 private:
  Result<void> begin(const format::ObjectEntry& entry, const IteratorOptions& options, std::uint64_t hash_seed);
  Result<bool> advance(format::Value& key, format::Value& value);
  Result<format::Value> value_of(const Slot& slot);

  commit::Attachment* attachment_;  // the snapshot below keeps it open
  std::shared_ptr<SnapshotPin> own_snapshot_;
  format::ObjectId id_;
  ContainerType type_;
  std::shared_ptr<SnapshotPin> snapshot_;
  bool reverse_ = false;
  bool started_ = false;
  std::uint64_t remaining_ = 0;
  std::variant<std::monostate, ItemCursor, tree::ListCursor> over_;
  format::KeyDecoder decoder_;
  std::unique_ptr<std::byte, void (*)(void*)> copy_{nullptr, std::free};
};

// The ranks of the first key of a range and of the one behind its last. Code::type if the mapping is a table.
struct Ranks {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::uint64_t count() const { return to > from ? to - from : 0; }
};
Result<Ranks> ranks_of(const heap::View& view, const Mapping& mapping, const Range& range, std::uint64_t hash_seed);

}  // namespace utan::object
