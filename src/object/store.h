// Stores and tables as users see them, without the C ABI's clothes.
//
// A Store is a handle of an attachment; a Snapshot pins one commit of it; a Table is a container named in the store's
// root. All operations on a table are single commits that retry until they are in.
// Thread safety: stores, snapshots and tables may be used by any thread; a Value is released by the thread that got it;
// a Cursor belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "commit/attachment.h"
#include "commit/thread.h"
#include "format/word.h"
#include "object/container.h"
#include "object/record.h"
#include "object/snapshot.h"
#include "tree/table.h"

namespace utan::object {

inline constexpr std::uint64_t container_name_size_max = 4096;

// Bytes of a value, where they lie or, for a value in several extents, copied together.
struct Value {
  const std::byte* data = nullptr;
  std::uint64_t size = 0;
  commit::Thread* thread = nullptr;  // whose pin `pin` protects the bytes; null: a snapshot does, or they are `copy`
  unsigned pin = 0;
  std::byte* copy = nullptr;  // from std::malloc

  void release();
};

class Store;

class Table {
 public:
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // False: not found.
  Result<bool> get(Bytes key, Value& out) const;
  // The same if all is as usual: no snapshot, no damage, a value in one piece, and no other Value of this thread is
  // alive. Unusual: nothing was done.
  tree::Quick get_quickly(Bytes key, Value& out) const;  // object/table_get.h
  Result<bool> contains(Bytes key) const;
  Result<Count> count() const;

  enum class Put { always, if_absent };
  // False: it was there and `if_absent` was asked for.
  Result<bool> put(Bytes key, Bytes value, Put how);
  // False: the key is absent or has another value than `expected`.
  Result<bool> replace(Bytes key, Bytes expected, Bytes value);
  // False: it was not there.
  Result<bool> erase(Bytes key);

  commit::Attachment& attachment() const { return *attachment_; }
  const std::shared_ptr<SnapshotPin>& snapshot() const { return snapshot_; }
  format::ObjectId id() const { return id_; }

 private:
  friend class Store;
  Table(commit::Attachment& attachment, std::shared_ptr<SnapshotPin> snapshot, format::ObjectId id, Hold hold)
      : attachment_(&attachment), snapshot_(std::move(snapshot)), id_(id), hold_(std::move(hold)) {
    attachment.share();
  }
  struct Write;
  Result<bool> write_as_container(const Write& write);
  Error no_bytes() const;
  Result<bool> get_newest(Bytes key, Value& out) const;
  Result<bool> get_from_snapshot(Bytes key, Value& out) const;
  Result<bool> write(const Write& write);

  commit::Attachment* attachment_;
  std::shared_ptr<SnapshotPin> snapshot_;
  format::ObjectId id_;
  Hold hold_;
};

// Goes over one commit of a table.
class Cursor {
 public:
  static Result<std::unique_ptr<Cursor>> open(const Table& table);
  // False at the end. The spans are valid until the next call.
  Result<bool> next(Bytes& key, Bytes& value);

 private:
  Cursor(std::shared_ptr<SnapshotPin> snapshot, tree::TableWalk walk) : snapshot_(std::move(snapshot)), walk_(walk) {}
  Result<bool> advance(Bytes& key, Bytes& value);
  std::shared_ptr<SnapshotPin> snapshot_;
  tree::TableWalk walk_;
  std::unique_ptr<std::byte, void (*)(void*)> copy_{nullptr, std::free};
};

class Store {
 public:
  static Result<std::unique_ptr<Store>> open(os::System& system, const std::string& path,
                                             const commit::OpenOptions& options);
  // Closes the handle; the last one of the process leaves the store.
  static Result<void> close(std::unique_ptr<Store> store);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  Result<std::unique_ptr<Store>> snapshot() const;
  bool is_snapshot() const { return snapshot_ != nullptr; }
  // The container that names the others.
  std::unique_ptr<Container> root() const;
  // The container of this type under a string key of the root, made if it is missing and `create` says so; else
  // Code::not_found. Code::type if something else is there.
  Result<std::unique_ptr<Container>> container(std::string_view name, ContainerType type, bool create) const;
  // The same of a table of bytes.
  Result<std::unique_ptr<Table>> table(std::string_view name, bool create) const;
  // Nothing in the snapshot's or newest commit names it: Code::gone.
  Result<std::unique_ptr<Container>> open_container(format::ObjectId id) const;
  // The same container as this store or snapshot has it. Code::gone if it has none; Code::invalid: it is another store's.
  Result<std::unique_ptr<Container>> view_of(const Container& container) const;
  // A new container that nothing names yet, holding `data`, of the same type, if that is given.
  Result<std::unique_ptr<Container>> create_container(ContainerType type, const Data* data) const;
  Result<void> sync() const;
  Result<commit::SessionStatistics> statistics() const;
  commit::Attachment& attachment() const { return *attachment_; }

 private:
  Store() = default;

  commit::Attachment* attachment_ = nullptr;  // null: nothing is open yet, or any more
  std::shared_ptr<SnapshotPin> snapshot_;
};

}  // namespace utan::object
