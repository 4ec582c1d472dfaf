// Containers as users see them: dicts, lists, collections and tables of values, nested to any depth.
//
// A Container is a handle on one container of a store, or of a snapshot of it, by its object id. Every change is one
// commit that retries until it is in; every reading sees one commit. Where a method takes a key, a list takes an index: an
// integer, from the end if it is negative.
//
// Errors, besides those of the store: Code::type (the key cannot be one, or the container has no such operation),
// Code::gone (the container is no longer there), Code::read_only (it is a snapshot's). Messages begin with the store's path.
// Thread safety: all methods may be called by any number of threads at once. Ownership: keeps its store open.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"
#include "commit/attachment.h"
#include "format/value.h"
#include "object/data.h"
#include "object/edit.h"
#include "object/json.h"
#include "object/mapping.h"
#include "object/slot.h"
#include "object/snapshot.h"

namespace utan::object {

using format::ContainerType;

// "dict", "list", "collection", "table".
const char* name_of(ContainerType type);

class Iterator;
struct QuickValue;

// Bounds of a range of keys. Without a bound it is open on that side.
struct Range {
  std::optional<format::Value> low;
  std::optional<format::Value> high;
  bool low_inclusive = true;
  bool high_inclusive = false;
  // Only keys that are strings (or bytes) and begin so: a string (or bytes).
  std::optional<format::Value> prefix;
};

class Container {
 public:
  // `hold` may be empty for a snapshot's and for the root.
  Container(commit::Attachment& attachment, std::shared_ptr<SnapshotPin> snapshot, format::ObjectId id,
            ContainerType type, Hold hold);
  ~Container();
  // What is moved away from may only be destroyed.
  Container(Container&& other) noexcept
      : attachment_(std::exchange(other.attachment_, nullptr)),
        snapshot_(std::move(other.snapshot_)),
        id_(other.id_),
        type_(other.type_),
        hold_(std::move(other.hold_)) {}
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  // A new container of this type that nothing names yet, holding `data` (of the same type) if that is given.
  static Result<std::unique_ptr<Container>> create(commit::Attachment& attachment, ContainerType type,
                                                   const Data* data);
  // The container of this id, as it is now. Code::gone if there is none, or nothing names it.
  static Result<std::unique_ptr<Container>> open(commit::Attachment& attachment, std::shared_ptr<SnapshotPin> snapshot,
                                                 format::ObjectId id);

  // The container that was lent.
  static std::unique_ptr<Container> of(commit::Attachment& attachment, std::shared_ptr<SnapshotPin> snapshot,
                                       Loan loan);

  // The same container in a snapshot, or, if that is null, in the store itself: this handle or the pin of its snapshot has
  // kept it there. Code::gone: the snapshot is older than it; Code::invalid: the attachment is another one.
  Result<std::unique_ptr<Container>> as_seen_by(commit::Attachment& attachment,
                                                std::shared_ptr<SnapshotPin> snapshot) const;

  ContainerType type() const { return type_; }
  format::ObjectId id() const { return id_; }
  commit::Attachment& attachment() const { return *attachment_; }
  const std::shared_ptr<SnapshotPin>& snapshot() const { return snapshot_; }

  // What is usual of the readings below, by a shorter way; unusual: nothing was done.
  tree::Quick get_quickly(std::span<const format::Value> path, QuickValue& out) const;  // object/quick.h

  // --- One value
  // False: not there.
  Result<bool> get(const format::Value& key, Loan& out) const;
  Result<bool> contains(const format::Value& key) const;
  Result<Count> count() const;
  // Of a list, the index must be there.
  Result<void> set(const format::Value& key, Input& value);
  // Only where it is absent; false otherwise. Not for lists. `now`, here and below: what has been put there.
  Result<bool> add(const format::Value& key, Input& value, Loan* now = nullptr);
  // Only if the value is the same as `expected` (are_equal); false otherwise, and where it is absent.
  Result<bool> replace(const format::Value& key, const format::Value& expected, Input& value, Loan* now = nullptr);
  // False: not there.
  Result<bool> erase(const format::Value& key);
  Result<bool> pop(const format::Value& key, Loan& out);
  // What is there, or what has been put there now: `out`. True if it was put. Not for lists.
  Result<bool> set_default(const format::Value& key, Input& value, Loan& out);
  // Adds to the number that is there, or to 0: `out` is the sum.
  Result<void> increase(const format::Value& key, const format::Value& by, Loan& out);

  // --- All values
  Result<void> clear();
  // Sets every key of `data`, a mapping, in one commit.
  Result<void> update(const Data& data);
  // Puts what is in `data` in the place of all that is there, in one commit.
  Result<void> assign(const Data& data);

  // --- Order: dicts and collections
  // Each false: there is none.
  enum class Where { first, last, floor, ceiling };
  Result<bool> nearest(Where where, const format::Value* key, Loan& found_key, Loan& value) const;
  // Takes the last entry out (a table: any).
  Result<bool> pop_last(Loan& key, Loan& value);
  Result<Count> count_range(const Range& range) const;
  // How many were deleted.
  Result<Count> delete_range(const Range& range);

  // --- Lists
  // Puts it before the element of this index; the number of elements appends. From the end if it is negative, as in
  // Python: cut to the ends.
  Result<void> insert(std::int64_t index, Input& value);
  Result<void> append(Input& value);
  // Puts the elements of `data`, a list, into the place of `count` elements from `index` on, both cut to what is there.
  Result<void> splice(std::uint64_t index, std::uint64_t count, const Data& data);
  // The same if the list is as it was in the snapshot that `seen`, this list, is of; false: it has changed since.
  Result<bool> splice_unchanged(const Container& seen, std::uint64_t index, std::uint64_t count, const Data& data);

  // The container and all below it, of one commit. Code::invalid: it contains itself.
  Result<std::string> to_json(const JsonOptions& options) const;

  // --- Paths: keys one below the other, from this container on
  Result<bool> get_at(std::span<const format::Value> path, Loan& out) const;
  // Makes the dicts that are missing. Not `exist_ok`: Code::exists if there is a value already.
  Result<void> set_at(std::span<const format::Value> path, Input& value, bool exist_ok);

 private:
  friend class Iterator;
  struct Put;
  template <class Body>
  Result<bool> write(Body&& body);
  template <class Body>
  Result<bool> write(heap::Room room, Body&& body);
  Result<bool> put(const format::Value& key, Input& value, const Put& how);
  static Result<bool> put(Edit& edit, Place& place, Input& value, const Put& how);
  Error no_such(const char* operation) const;
  Result<bool> put_all(Edit& edit, Input& input);
  Result<bool> splice(Edit& edit, const format::ObjectEntry& entry, std::uint64_t index, std::uint64_t count,
                      Input& input);
  template <class Body>
  auto read(Body&& body) const;

  commit::Attachment* attachment_;
  std::shared_ptr<SnapshotPin> snapshot_;
  format::ObjectId id_;
  ContainerType type_;
  Hold hold_;
};

}  // namespace utan::object
