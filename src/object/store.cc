#include "object/store.h"

#include <cstdlib>

namespace utan::object {

using commit::Attachment;
using commit::Pinned;
using commit::Session;
using commit::Thread;
using format::ObjectId;

// --- Snapshots -------------------------------------------------------------------------------------------------------

Result<std::shared_ptr<SnapshotPin>> SnapshotPin::take(Attachment& attachment) {
  UTAN_ASSIGN(Session* const session, attachment.session());
  std::shared_ptr<SnapshotPin> out(new SnapshotPin(attachment));
  UTAN_ASSIGN(out->place_, session->claim_pin());
  out->session_id_ = session->unique_id();
  attachment.share();
  if (!out->place_.thread->pin_extra(out->place_.index, out->pinned_)) {
    return Error(Code::corruption, session->path() + ": the newest commit cannot be read");
  }
  return out;
}

SnapshotPin::~SnapshotPin() {
  if (session_id_ == 0) return;
  const Result<Session*> session = attachment_->session();
  if (session.ok() && session.value()->unique_id() == session_id_) place_.thread->unpin_extra(place_.index);
  static_cast<void>(Attachment::close(attachment_));
}

Result<void> SnapshotPin::usable() const {
  UTAN_ASSIGN(const Session* session, attachment_->session());
  if (session->unique_id() == session_id_) return {};
  return Error(Code::closed,
               attachment_->path() + ": a snapshot or iterator is not inherited by a child process: take a new one");
}

// --- Stores ----------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Store>> Store::open(os::System& system, const std::string& path,
                                           const commit::OpenOptions& options) {
  UTAN_ASSIGN(Attachment* const attachment, Attachment::open(system, path, options));
  return std::unique_ptr<Store>(new Store(*attachment, nullptr));
}

Result<void> Store::close(std::unique_ptr<Store> store) {
  Attachment* const attachment = store->attachment_;
  store->attachment_ = nullptr;
  store->snapshot_.reset();
  return Attachment::close(attachment);
}

Store::~Store() {
  snapshot_.reset();
  if (attachment_ != nullptr) static_cast<void>(Attachment::close(attachment_));
}

Result<std::unique_ptr<Store>> Store::snapshot() const {
  std::shared_ptr<SnapshotPin> pin = snapshot_;
  if (pin == nullptr) {
    UTAN_ASSIGN(pin, SnapshotPin::take(*attachment_));
  }
  attachment_->share();
  return std::unique_ptr<Store>(new Store(*attachment_, std::move(pin)));
}

Result<std::optional<ObjectId>> Store::find_table(std::string_view name, const Pinned& pinned) const {
  const tree::FoundObject root = tree::find_object(pinned.view, pinned.objects(), format::root_object);
  if (root.status == tree::Status::damaged) return pinned.view.damage(root.at, root.expected).in(attachment_->path());
  if (root.status == tree::Status::missing) return std::optional<ObjectId>{};
  UTAN_ASSIGN(Session* const session, attachment_->session());
  const tree::Key key{std::as_bytes(std::span(name)), format::Tag::string,
                      format::hash_key(name.data(), name.size(), session->hash_seed())};
  const tree::FoundRecord found = tree::find_record(pinned.view, Offset{root.entry->root}, key);
  if (found.status == tree::Status::damaged)
    return pinned.view.damage(found.damaged, found.expected).in(attachment_->path());
  if (found.status == tree::Status::missing) return std::optional<ObjectId>{};
  ObjectId id;
  if (found.record->value_tag() != format::Tag::container || found.record->value_size != sizeof id.value) {
    return Error(Code::type, attachment_->path() + ": '" + std::string(name) + "' is not a table");
  }
  std::memcpy(&id.value, found.record->value(), sizeof id.value);
  return std::optional<ObjectId>(id);
}

namespace {

// Adds a new, empty table under `name` to the root, which is made if it is missing.
Result<bool> create_table(heap::Build& build, const Pinned& base, commit::Draft& draft, std::uint64_t hash_seed,
                          std::string_view name, ObjectId id) {
  const tree::FoundObject root = tree::find_object(base.view, draft.objects, format::root_object);
  if (root.status == tree::Status::damaged) return base.view.damage(root.at, root.expected);
  format::ObjectEntry root_entry{0, 1, 1};
  if (root.status == tree::Status::found) {
    root_entry = *root.entry;
  } else {
    UTAN_ASSIGN(const Offset made, tree::make_table(build));
    root_entry.root = made.value;
    ++draft.container_count;
  }
  const tree::Key key{std::as_bytes(std::span(name)), format::Tag::string,
                      format::hash_key(name.data(), name.size(), hash_seed)};
  const tree::FoundRecord found = tree::find_record(build.view(), Offset{root_entry.root}, key);
  if (found.status == tree::Status::damaged) return base.view.damage(found.damaged, found.expected);
  if (found.status == tree::Status::found) return false;  // somebody else made it

  const std::uint64_t value = id.value;
  const std::uint64_t size = sizeof(format::Record) + name.size() + sizeof value;
  const auto aux = static_cast<std::uint16_t>(static_cast<unsigned>(format::Tag::string) |
                                              (static_cast<unsigned>(format::Tag::container) << 8));
  UTAN_ASSIGN(const heap::Made<format::Record> record,
              build.make<format::Record>(format::Kind::record, ByteCount{size}, aux));
  record.at->key_size = static_cast<std::uint32_t>(name.size());
  record.at->value_size = sizeof value;
  if (!name.empty()) std::memcpy(reinterpret_cast<std::byte*>(record.at + 1), name.data(), name.size());
  std::memcpy(reinterpret_cast<std::byte*>(record.at + 1) + name.size(), &value, sizeof value);
  record.at->header.checksum += format::checksum_payload(&record.at->key_size, size - sizeof(format::BlockHeader));
  UTAN_ASSIGN(const Offset now,
              tree::insert_record(build, Offset{root_entry.root}, hash_seed, found, key, record.offset));
  root_entry.root = now.value;
  UTAN_ASSIGN(const Offset table, tree::make_table(build));
  UTAN_TRY(tree::set_object(build, draft.objects, format::root_object, root_entry));
  UTAN_TRY(tree::set_object(build, draft.objects, id,
                            format::ObjectEntry{table.value, static_cast<std::uint32_t>(id.generation()), 1}));
  draft.object_index_high = std::max(draft.object_index_high, id.index() + 1);
  ++draft.container_count;
  return true;
}

}  // namespace

Result<std::unique_ptr<Table>> Store::table(std::string_view name, bool create) const {
  if (name.size() > table_name_size_max) {
    return Error(Code::too_large, "a table's name has at most " + std::to_string(table_name_size_max) + " bytes, not " +
                                      std::to_string(name.size()));
  }
  std::uint64_t own_index = 0;
  for (;;) {
    UTAN_ASSIGN(Thread* const thread, attachment_->thread());
    std::optional<ObjectId> id;
    if (snapshot_ != nullptr) {
      UTAN_TRY(snapshot_->usable());
      UTAN_ASSIGN(id, find_table(name, snapshot_->pinned()));
    } else {
      Pinned pinned;
      UTAN_ASSIGN(const unsigned pin, thread->pin(pinned));
      Result<std::optional<ObjectId>> found = find_table(name, pinned);
      thread->unpin(pin);
      if (!found.ok()) return std::move(found).error();
      id = found.value();
    }
    if (id) return std::unique_ptr<Table>(new Table(*attachment_, snapshot_, *id));
    if (!create || snapshot_ != nullptr) {
      return Error(Code::not_found, attachment_->path() + ": there is no table '" + std::string(name) + "'" +
                                        (snapshot_ != nullptr ? " in this snapshot" : ""));
    }
    Session& session = thread->session();
    UTAN_TRY(session.prepare_writing());
    // C5: indices come from a counter; index 0 is the root's.
    if (own_index == 0) {
      auto& next = session.coordination().fixed().object_index_next;
      do {
        own_index = next.fetch_add(1, std::memory_order_relaxed);  // relaxed: only distinctness matters
      } while (own_index == 0);
    }
    const std::uint64_t seed = session.hash_seed();
    Result<bool> made = thread->commit([&](heap::Build& build, const Pinned& base, commit::Draft& draft) {
      return create_table(build, base, draft, seed, name, ObjectId::make(own_index, 1));
    });
    if (!made.ok()) return std::move(made).error().in(attachment_->path());
  }
}

Result<void> Store::sync() const {
  if (snapshot_ != nullptr) return Error(Code::read_only, "a snapshot has nothing to sync");
  UTAN_ASSIGN(Session* const session, attachment_->session());
  return session->checkpoint();
}

Result<commit::SessionStatistics> Store::statistics() const {
  UTAN_ASSIGN(const Session* session, attachment_->session());
  commit::SessionStatistics out = session->statistics();
  if (snapshot_ != nullptr) out.newest = snapshot_->pinned().number();
  return out;
}

}  // namespace utan::object
