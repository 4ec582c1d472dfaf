#include "object/store.h"

#include <cstdlib>
#include <string>

#include "object/orphans.h"

namespace utan::object {

using commit::Attachment;
using commit::Session;
using commit::Thread;
using format::ObjectId;

// --- Stores ----------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Store>> Store::open(os::System& system, const std::string& path,
                                           const commit::OpenOptions& options) {
  // Made first: memory that runs out behind the opening would leave the file open.
  std::unique_ptr<Store> out(new Store);
  UTAN_ASSIGN(out->attachment_, Attachment::open(system, path, options));
  return out;
}

Result<void> Store::close(std::unique_ptr<Store> store) {
  Attachment* const attachment = store->attachment_;
  // What this thread has left behind would be found by nobody but a collection of the whole store.
  if (!attachment->read_only()) {
    const Result<Thread*> thread = attachment->thread();
    if (thread.ok() && !thread.value()->leftovers().orphans.empty()) work_off_orphans(*thread.value());
  }
  store->attachment_ = nullptr;
  store->snapshot_.reset();
  return Attachment::close(attachment);
}

Store::~Store() {
  snapshot_.reset();
  if (attachment_ != nullptr) Attachment::close_quietly(attachment_);
}

Result<std::unique_ptr<Store>> Store::snapshot() const {
  std::shared_ptr<SnapshotPin> pin = snapshot_;
  if (pin == nullptr) {
    UTAN_ASSIGN(pin, SnapshotPin::take(*attachment_));
  }
  std::unique_ptr<Store> out(new Store);
  out->snapshot_ = std::move(pin);
  attachment_->share();
  out->attachment_ = attachment_;
  return out;
}

std::unique_ptr<Container> Store::root() const {
  return std::make_unique<Container>(*attachment_, snapshot_, format::root_object, ContainerType::collection, Hold{});
}

Result<std::unique_ptr<Container>> Store::container(std::string_view name, ContainerType type, bool create) const {
  if (name.size() > container_name_size_max) {
    return Error(Code::too_large, "a name has at most " + std::to_string(container_name_size_max) + " bytes, not " +
                                      std::to_string(name.size()));
  }
  const std::unique_ptr<Container> root = this->root();
  const format::Value key = format::Value::string(name);
  const std::string quoted = "'" + std::string(name) + "'";
  Data empty;
  UTAN_TRY(empty.begin(type));
  UTAN_TRY(empty.end());
  for (;;) {
    Loan found;
    UTAN_ASSIGN(const bool there, root->get(key, found));
    if (there) {
      if (found.value().tag == format::Tag::container) {
        if (found.type() == type) return Container::of(*attachment_, snapshot_, std::move(found));
        return Error(Code::type, attachment_->path() + ": " + quoted + " is a " + name_of(found.type()) + ", not a " +
                                     name_of(type));
      }
      return Error(Code::type, attachment_->path() + ": " + quoted + " is a value, not a " + name_of(type));
    }
    if (!create || snapshot_ != nullptr) {
      return Error(Code::not_found, attachment_->path() + ": there is no " + name_of(type) + " " + quoted +
                                        (snapshot_ != nullptr ? " in this snapshot" : ""));
    }
    Input input(empty);
    UTAN_TRY(root->add(key, input));
  }
}

Result<std::unique_ptr<Table>> Store::table(std::string_view name, bool create) const {
  UTAN_ASSIGN(const std::unique_ptr<Container> found, container(name, ContainerType::table, create));
  Hold hold;
  if (snapshot_ == nullptr) {
    UTAN_ASSIGN(hold, Hold::take(*attachment_, found->id()));
  }
  return std::unique_ptr<Table>(new Table(*attachment_, snapshot_, found->id(), std::move(hold)));
}

Result<std::unique_ptr<Container>> Store::open_container(ObjectId id) const {
  return Container::open(*attachment_, snapshot_, id);
}

Result<std::unique_ptr<Container>> Store::view_of(const Container& container) const {
  return container.as_seen_by(*attachment_, snapshot_);
}

Result<std::unique_ptr<Container>> Store::create_container(ContainerType type, const Data* data) const {
  if (snapshot_ != nullptr) return Error(Code::read_only, attachment_->path() + ": a snapshot cannot be written");
  return Container::create(*attachment_, type, data);
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
