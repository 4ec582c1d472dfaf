#include "commit/attachment.h"

#include <new>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/step.h"
#include "commit/place.h"
#include "commit/thread.h"

namespace utan::commit {

thread_local constinit ThreadCache thread_cache __attribute__((tls_model("initial-exec")));

namespace {

// What this thread holds in each session; given back when the thread ends.
struct ThreadTable {
  struct Item {
    std::weak_ptr<Session> session;
    std::uint64_t id;
    Thread* thread;
  };
  std::vector<Item> items;
  ~ThreadTable() {
    thread_cache = ThreadCache{};
    for (const Item& item : items) {
      const std::shared_ptr<Session> session = item.session.lock();
      if (session != nullptr && session->is_usable()) session->release_thread(item.thread);
    }
  }
};
thread_local ThreadTable thread_table;

}  // namespace

// All attachments of this process. The one mutable global of the engine: that one file is one attachment, and that a
// child must find what its parent had open, are facts of a process.
struct Registry {
  // Places are reused and never freed, so that the handler in a child can walk them whatever the parent was doing.
  struct Place {
    std::atomic<Attachment*> attachment{nullptr};
    Place* next = nullptr;
  };

  static Registry& instance() {
    static Registry registry;
    return registry;
  }

  static void in_child() {
    Registry& registry = instance();
    // Whoever held these in the parent does not exist here.
    new (&registry.mutex) std::mutex;
    for (Place* place = registry.first.load(std::memory_order_acquire); place != nullptr; place = place->next) {
      Attachment* attachment = place->attachment.load(std::memory_order_acquire);
      if (attachment == nullptr) continue;
      new (&attachment->mutex_) std::mutex;
      attachment->holds_.forget_lock();
    }
  }

  Result<void> hook(os::System& system) {
    for (const Hooked* one = hooked; one != nullptr; one = one->next) {
      if (one->system == &system) return {};
    }
    UTAN_TRY(system.at_fork_in_child(&Registry::in_child));
    hooked = new Hooked{&system, hooked};
    return {};
  }

  Attachment* find(os::System& system, os::FileIdentity identity, bool read_only) const {
    for (Place* place = first.load(std::memory_order_acquire); place != nullptr; place = place->next) {
      Attachment* attachment = place->attachment.load(std::memory_order_acquire);
      if (attachment != nullptr && attachment->system_ == &system &&
          attachment->current_.load(std::memory_order_acquire)->identity() == identity &&
          attachment->read_only() == read_only) {
        return attachment;
      }
    }
    return nullptr;
  }

  // Found before there is something to put there, which memory that runs out would leave open.
  Place& free_place() {
    for (Place* place = first.load(std::memory_order_acquire); place != nullptr; place = place->next) {
      if (place->attachment.load(std::memory_order_acquire) == nullptr) return *place;
    }
    auto* place = new Place;
    place->next = first.load(std::memory_order_relaxed);
    first.store(place, std::memory_order_release);
    return *place;
  }

  void remove(const Attachment* attachment) {
    for (Place* place = first.load(std::memory_order_acquire); place != nullptr; place = place->next) {
      if (place->attachment.load(std::memory_order_acquire) == attachment)
        place->attachment.store(nullptr, std::memory_order_release);
    }
  }

  std::mutex mutex;
  std::atomic<Place*> first{nullptr};
  // Systems whose fork handler is registered; changed by one store, so that a fork finds it whole.
  struct Hooked {
    os::System* system;
    const Hooked* next;
  };
  const Hooked* hooked = nullptr;
};

Attachment::Attachment(os::System& system, std::string path, const OpenOptions& options,
                       std::shared_ptr<Session> session)
    : system_(&system),
      path_(std::move(path)),
      options_(options),
      current_(session.get()),
      held_(new Held{std::move(session), nullptr}) {
  // A child opens what its parent had; it never creates or replaces it.
  if (options_.mode != OpenMode::read_only) options_.mode = OpenMode::existing;
  options_.chunk_size = 0;
}

Attachment::~Attachment() {
  while (held_ != nullptr) delete std::exchange(held_, held_->older);
}

Result<Attachment*> Attachment::open(os::System& system, const std::string& path, const OpenOptions& options) {
  UTAN_ASSIGN(std::string resolved, system.resolve(path));
  UTAN_TRY(check_options(resolved, options));
  Registry& registry = Registry::instance();
  std::unique_lock lock(registry.mutex);
  if (Result<void> hooked = registry.hook(system); !hooked.ok()) return named(std::move(hooked).error(), resolved);
  const Result<os::FileStatus> status = system.status(resolved);
  if (status.ok()) {
    Attachment* open = registry.find(system, status->identity, options.mode == OpenMode::read_only);
    if (open != nullptr && options.mode == OpenMode::fresh) {
      return Error(Code::in_use,
                   resolved + ": this process has it open: it cannot be replaced by a new store before it is closed");
    }
    if (open != nullptr) {
      // In a child, what its parent had open is attached anew here.
      UTAN_ASSIGN(Session* const session, open->session());
      UTAN_TRY(session->apply_settings(options));
      ++open->handles_;
      return open;
    }
  }
  // Opening may wait for others; nobody who uses another store of this process waits with it.
  lock.unlock();
  UTAN_ASSIGN(std::shared_ptr<Session> session, Session::open(system, resolved, options));
  lock.lock();
  Attachment* const faster = registry.find(system, session->identity(), options.mode == OpenMode::read_only);
  if (faster != nullptr) {
    UTAN_TRY(session->leave());
    ++faster->handles_;
    return faster;
  }
  Registry::Place& place = registry.free_place();
  auto* attachment = new Attachment(system, std::move(resolved), options, std::move(session));
  place.attachment.store(attachment, std::memory_order_release);
  return attachment;
}

void Attachment::share() { handles_.fetch_add(1, std::memory_order_relaxed); }  // relaxed: the caller has a handle

Result<void> Attachment::close(Attachment* attachment) {
  int handles = attachment->handles_.load(std::memory_order_relaxed);
  while (handles > 1) {
    // release: what was done with this handle comes before the end of the last one.
    if (attachment->handles_.compare_exchange_weak(handles, handles - 1, std::memory_order_release,
                                                   std::memory_order_relaxed))
      return {};
  }
  // Perhaps the last one: that nobody finds it any more, and that it is the last one, is decided under the mutex.
  Registry& registry = Registry::instance();
  const std::lock_guard lock(registry.mutex);
  if (attachment->handles_.fetch_sub(1, std::memory_order_acq_rel) > 1) return {};
  registry.remove(attachment);
  // Also where memory runs out in leaving.
  struct Deleting {
    Attachment* attachment;
    ~Deleting() { delete attachment; }
  };
  const Deleting deleting{attachment};
  Session* const session = attachment->current_.load(std::memory_order_acquire);
  if (session->forked()) return {};
  return session->leave();
}

void Attachment::close_quietly(Attachment* attachment) noexcept {
  try {
    static_cast<void>(close(attachment));
  } catch (const std::bad_alloc&) {
  }
}

Result<void> Attachment::attach_in_child() {
  const std::lock_guard lock(mutex_);
  Session* const parents = held_->session.get();
  if (!parents->forked()) return {};  // another thread was faster
  // Also where no handler ran: the parent's locks must not seem alive because of this process.
  parents->forget_in_child();
  UTAN_ASSIGN(std::shared_ptr<Session> fresh, Session::open(*system_, path_, options_));
  if (fresh->identity() != parents->identity()) {
    static_cast<void>(fresh->leave());
    return Error(Code::closed, path_ + ": the file was replaced since this process was forked: open it again");
  }
  // Before anything is published: what follows that cannot fail.
  std::unique_ptr<Held> held(new Held{fresh, held_});
  UTAN_TRY(holds_.publish_again(*fresh));
  step(Step::hold_published);
  held_ = held.release();
  current_.store(held_->session.get(), std::memory_order_release);
  return {};
}

Result<Session*> Attachment::session() {
  if (!current_.load(std::memory_order_acquire)->is_usable()) {
    if (current_.load(std::memory_order_acquire)->is_lost()) return current_.load(std::memory_order_acquire)->lost();
    UTAN_TRY(attach_in_child());
  }
  return current_.load(std::memory_order_acquire);
}

Result<Thread*> Attachment::thread_slowly() {
  UTAN_ASSIGN(Session* const session, this->session());
  UTAN_TRY(session->still_current());
  const std::uint64_t id = session->unique_id();
  auto& items = thread_table.items;
  for (const auto& item : items) {
    if (item.id == id) {
      thread_cache = {id, item.thread};
      return item.thread;
    }
  }
  std::erase_if(items, [](const auto& item) { return item.session.expired(); });
  items.reserve(items.size() + 1);  // a thread that was claimed and cannot be noted would never be given back
  UTAN_ASSIGN(Thread* const thread, session->claim_thread());
  items.push_back({session->weak_from_this(), id, thread});
  thread_cache = {id, thread};
  return thread;
}

}  // namespace utan::commit
