// Attachments: stores and snapshots that are open, and how they are closed while others still use them.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include "store.h"

namespace utan::python {

namespace {

// A wait is interrupted this often to see whether there was a signal.
constexpr std::chrono::milliseconds patience(50);
constexpr std::chrono::milliseconds open_timeout(10'000);

void list_in(Attachment** first, Attachment* attachment) {
  attachment->next = *first;
  attachment->place = first;
  if (attachment->next != nullptr) attachment->next->place = &attachment->next;
  *first = attachment;
}

void unlist(Attachment* attachment) {
  if (attachment->place == nullptr) return;
  *attachment->place = attachment->next;
  if (attachment->next != nullptr) attachment->next->place = attachment->place;
  attachment->place = nullptr;
}

// Waits until no thread uses it without the interpreter's lock. False: an error was set.
bool wait_until_idle(Attachment* attachment) {
  for (const Calling* calling = attachment->callings; calling != nullptr; calling = calling->next) {
    if (calling->thread != PyThread_get_thread_ident()) continue;
    PyErr_SetString(PyExc_RuntimeError, "a store cannot be closed by the progress function of its own check");
    return false;
  }
  for (;;) {
    {
      const std::lock_guard lock(attachment->mutex);
      if (attachment->released_count == 0) return true;
    }
    {
      const Unlocked unlocked;
      std::unique_lock lock(attachment->mutex);
      attachment->idle.wait_for(lock, patience, [&] { return attachment->released_count == 0; });
    }
    if (PyErr_CheckSignals() < 0) return false;
  }
}

// Closes what was made of the store, so that nothing keeps it open.
void close_parts(Attachment* attachment) {
  for (const auto& [id, proxy] : attachment->proxies) close_proxy(proxy);
  attachment->proxies.clear();
  while (attachment->stores != nullptr) {
    StoreObject* const store = attachment->stores;
    unlist_store(store);
    close_proxy(&store->root);
  }
  while (attachment->iterators != nullptr) {
    IteratorObject* const iterator = attachment->iterators;
    attachment->iterators = iterator->next;
    if (iterator->next != nullptr) iterator->next->place = &attachment->iterators;
    iterator->place = nullptr;
    utan_iterator_close(std::exchange(iterator->iterator, nullptr));
  }
}

// A snapshot of the store that is still open, or null.
Attachment* snapshot_of(const State& state, const Attachment* attachment) {
  for (Attachment* at = state.attachments; at != nullptr; at = at->next) {
    if (at->parent == attachment && at->store != nullptr) return at;
  }
  return nullptr;
}

PyObject* fail_to_open(State& state, utan_code code, const char* path, std::uint32_t mode) {
  if (code != UTAN_NOT_FOUND) return fail(state, code);
  const bool makes = mode == UTAN_CREATE || mode == UTAN_NEW;
  const char* const said = makes ? "there is no folder to make the store in" : "there is no such store";
  const Ref arguments(Py_BuildValue("(isN)", ENOENT, said, PyUnicode_DecodeFSDefault(path)));
  if (arguments) PyErr_SetObject(PyExc_FileNotFoundError, arguments.get());
  return nullptr;
}

// Null: an error was set. Somebody else's work on the file is waited for a bit at a time, so that Ctrl-C ends it.
utan_store* open_patiently(State& state, const char* path, utan_open_options options) {
  const auto begin = std::chrono::steady_clock::now();
  options.timeout_ms = static_cast<std::uint32_t>(patience.count());
  for (;;) {
    utan_store* store = nullptr;
    utan_code code;
    {
      const Unlocked unlocked;
      code = utan_open(path, &options, &store);
    }
    if (code == UTAN_OK) return store;
    if (code != UTAN_TIMEOUT) {
      fail_to_open(state, code, path, options.mode);
      return nullptr;
    }
    if (std::chrono::steady_clock::now() - begin >= open_timeout) {
      // The engine knows of the last wait alone.
      const std::string message = std::string(path) +
                                  ": somebody else is creating, recovering or replacing this store; gave up after " +
                                  std::to_string(open_timeout.count()) + " ms";
      fail(state, code, message.c_str());
      return nullptr;
    }
    if (PyErr_CheckSignals() < 0) return nullptr;
  }
}

}  // namespace

void share(Attachment* attachment) { ++attachment->references; }

void let_go(Attachment* attachment) {
  if (--attachment->references > 0) return;
  unlist(attachment);
  if (attachment->store != nullptr) {
    // Nobody can be told what fails here; what was committed is in the file in any case.
    utan_store* const store = std::exchange(attachment->store, nullptr);
    const Unlocked unlocked;
    static_cast<void>(utan_close(store));
  }
  Attachment* const parent = attachment->parent;
  delete attachment;
  if (parent != nullptr) let_go(parent);
}

Attachment* find_attachment(State& state, dev_t device, ino_t inode, bool writable, bool exactly) {
  Attachment* other = nullptr;
  for (Attachment* at = state.attachments; at != nullptr; at = at->next) {
    if (at->store == nullptr || at->parent != nullptr || at->device != device || at->inode != inode) continue;
    if (at->read_only != writable) return at;
    other = at;
  }
  return exactly ? nullptr : other;
}

Attachment* open_attachment(State& state, const char* path, const utan_open_options& options) {
  utan_store* const store = open_patiently(state, path, options);
  if (store == nullptr) return nullptr;
  struct stat status;
  char resolved[PATH_MAX];
  if (realpath(path, resolved) == nullptr || stat(resolved, &status) != 0) {
    PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
    utan_close(store);
    return nullptr;
  }
  const bool read_only = options.mode == UTAN_READ_ONLY_MODE;
  Attachment* const open = find_attachment(state, status.st_dev, status.st_ino, !read_only, true);
  if (open != nullptr) {
    share(open);
    utan_close(store);  // one handle of an attachment that has others: nothing is written
    return open;
  }
  Attachment* out = nullptr;
  if (!with_memory([&] {
        auto made = std::make_unique<Attachment>();
        made->path = resolved;
        out = made.release();
      })) {
    utan_close(store);
    return nullptr;
  }
  out->state = &state;
  out->store = store;
  out->references = 1;
  out->read_only = read_only;
  out->device = status.st_dev;
  out->inode = status.st_ino;
  list_in(&state.attachments, out);
  return out;
}

Attachment* open_private(State& state, utan_open_options options) {
  PrivateFolder folder;
  bool made = false;
  if (!with_memory([&] { made = folder.make(); })) return nullptr;
  if (!made) {
    PyErr_SetFromErrno(PyExc_OSError);
    return nullptr;
  }
  options.permissions = 0600;
  Attachment* const out = open_attachment(state, folder.store_path().c_str(), options);
  if (out != nullptr) out->folder.swap(folder);
  return out;
}

Attachment* open_snapshot(Attachment* parent) {
  utan_store* snapshot = nullptr;
  const utan_code code = utan_snapshot(parent->store, &snapshot);
  if (code != UTAN_OK) {
    fail(*parent->state, code);
    return nullptr;
  }
  Attachment* out = nullptr;
  if (!with_memory([&] {
        auto made = std::make_unique<Attachment>();
        made->path = parent->path;
        out = made.release();
      })) {
    utan_close(snapshot);
    return nullptr;
  }
  // What a snapshot is taken of is the store itself, so that closing that closes all of its snapshots.
  Attachment* const of = parent->parent != nullptr ? parent->parent : parent;
  share(of);
  out->parent = of;
  out->state = parent->state;
  out->store = snapshot;
  out->references = 1;
  out->read_only = true;
  list_in(&parent->state->attachments, out);
  return out;
}

bool shut(Attachment* attachment) {
  share(attachment);
  State& state = *attachment->state;
  bool done = true;
  for (;;) {
    // Waiting lets other threads go on: what is asked behind it must be asked again after the next one.
    done = wait_until_idle(attachment);
    Attachment* const snapshot = done && attachment->store != nullptr ? snapshot_of(state, attachment) : nullptr;
    if (snapshot == nullptr) break;
    done = shut(snapshot);
    if (!done) break;
  }
  if (done && attachment->store != nullptr) {
    utan_store* const store = std::exchange(attachment->store, nullptr);
    close_parts(attachment);
    unlist(attachment);
    utan_code code;
    {
      const Unlocked unlocked;
      code = utan_close(store);
    }
    if (code != UTAN_OK) fail(state, code);
    done = code == UTAN_OK;
    attachment->folder.close();
  }
  let_go(attachment);
  return done;
}

void list_store(StoreObject* store) {
  Attachment* const attachment = store->root.attachment;
  store->next = attachment->stores;
  store->place = &attachment->stores;
  if (store->next != nullptr) store->next->place = &store->next;
  attachment->stores = store;
}

void unlist_store(StoreObject* store) {
  if (store->place == nullptr) return;
  *store->place = store->next;
  if (store->next != nullptr) store->next->place = store->place;
  store->place = nullptr;
}

bool close_handle(StoreObject* store) {
  Attachment* const attachment = store->root.attachment;
  // A thread in a call may use this handle's container.
  if (store->place == nullptr) return true;
  if (!wait_until_idle(attachment)) return false;
  if (store->place == nullptr) return true;  // another thread was faster
  if (attachment->stores == store && store->next == nullptr) return shut(attachment);
  unlist_store(store);
  close_proxy(&store->root);
  return true;
}

bool shut_all(State& state) {
  bool all = true;
  while (state.attachments != nullptr) {
    Attachment* const first = state.attachments;
    share(first);
    all = shut(first) && all;
    unlist(first);
    let_go(first);
  }
  return all;
}

void forget_threads(State& state) {
  for (Attachment* at = state.attachments; at != nullptr; at = at->next) {
    // Whoever held or waited for these in the parent does not exist here, but the thread that forked, which may be in a
    // function that is called in the middle of a call.
    new (&at->mutex) std::mutex;
    new (&at->idle) std::condition_variable;
    at->released_count = 0;
    for (Calling** place = &at->callings; *place != nullptr;) {
      if ((*place)->thread == PyThread_get_thread_ident()) {
        ++at->released_count;
        place = &(*place)->next;
      } else {
        *place = (*place)->next;
      }
    }
  }
}

void take_lock(PyThreadState* thread) noexcept {
  try {
    PyEval_RestoreThread(thread);
  } catch (...) {
    for (;;) pause();
  }
}

Released::Released(Attachment* attachment) : attachment_(attachment) {
  share(attachment);
  {
    const std::lock_guard lock(attachment->mutex);
    ++attachment->released_count;
  }
  thread_ = PyEval_SaveThread();
}

Released::~Released() {
  {
    const std::lock_guard lock(attachment_->mutex);
    --attachment_->released_count;
  }
  attachment_->idle.notify_all();
  take_lock(thread_);
  let_go(attachment_);
}

Interruptible::Interruptible(Released& released) {
  // Signals are the main thread's.
  if (::gettid() != ::getpid()) return;
  const auto stop = [](void* context) {
    int stopped = 0;
    static_cast<Released*>(context)->with_lock([&] {
      if (PyOS_InterruptOccurred() == 0) return;
      // It takes the signal for handled.
      PyErr_SetInterrupt();
      stopped = 1;
    });
    return stopped;
  };
  utan_set_stop(stop, &released);
}

Interruptible::~Interruptible() { utan_set_stop(nullptr, nullptr); }

void Released::end_calling(const Calling* calling) {
  Calling** place = &attachment_->callings;
  while (*place != calling) place = &(*place)->next;
  *place = calling->next;
}

}  // namespace utan::python
