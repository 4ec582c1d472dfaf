// What the extension knows: its types and errors, the stores that are open, and what its objects look like in memory.
//
// An Attachment is a store that this interpreter has open, however many `Store` objects were made for it, or a snapshot of
// one. A Proxy is a container of an attachment; while it is alive it is the only one for its container, so that the same
// container is the same Python object. All of these live under the interpreter's lock: the module says that it needs it,
// so that a free-threaded interpreter turns the lock on again. Where the lock is let go of (Released), the attachment counts
// it, and is not closed meanwhile.
//
// Ownership: proxies, iterators and stores own a reference to their attachment. None of them refers to an object of the user,
// so there are no cycles for the collector to find. The attachment knows its proxies and iterators without owning them.
#pragma once

#include <sys/types.h>
#include <utan/utan.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "private.h"
#include "reference.h"

namespace utan::python {

struct Attachment;

// Of one import of the module.
struct State {
  PyTypeObject* container_type;
  PyTypeObject* mapping_type;
  PyTypeObject* sorted_type;
  PyTypeObject* dict_type;
  PyTypeObject* list_type;
  PyTypeObject* collection_type;
  PyTypeObject* table_type;
  PyTypeObject* store_type;
  PyTypeObject* iterator_type;
  PyTypeObject* keys_type;
  PyTypeObject* values_type;
  PyTypeObject* items_type;

  PyObject* error;
  PyObject* timeout_error;
  PyObject* corruption_error;
  PyObject* format_error;
  PyObject* version_error;
  PyObject* no_space_error;
  PyObject* read_only_error;
  PyObject* closed_error;
  PyObject* duplicate_key_error;

  PyObject* mapping_abc;
  PyObject* sequence_abc;
  PyObject* set_abc;
  PyObject* codecs;     // type -> (name, encode), as registered
  PyObject* decoders;   // name -> decode
  bool own_codecs;      // those of utan._codecs are registered
  PyObject* uuid_type;  // null until one is met
  PyObject* uuid_safety;
  PyObject* datetimes_capsule;  // null until a datetime is met
  // Names that are looked up often. Others would each fill a place of the interpreter's cache of attributes.
  PyObject* utan_method;  // "__utan__"
  PyObject* keys_name;    // "keys"
  PyObject* bytes_name;   // "bytes"
  PyObject* sort_name;    // "sort"

  void* datetimes;        // what the capsule has; null with it
  utan_data* spare_data;  // for the next value that needs one; null: in use
  Attachment* attachments;
  mutable unsigned step_count;  // of loops, between two looks for signals
};

// Every reference that the state has, for traversal and clearing.
template <class Visit>
int visit_state(State& state, Visit&& visit) {
  PyObject** const objects[] = {
      reinterpret_cast<PyObject**>(&state.container_type),
      reinterpret_cast<PyObject**>(&state.mapping_type),
      reinterpret_cast<PyObject**>(&state.sorted_type),
      reinterpret_cast<PyObject**>(&state.dict_type),
      reinterpret_cast<PyObject**>(&state.list_type),
      reinterpret_cast<PyObject**>(&state.collection_type),
      reinterpret_cast<PyObject**>(&state.table_type),
      reinterpret_cast<PyObject**>(&state.store_type),
      reinterpret_cast<PyObject**>(&state.iterator_type),
      reinterpret_cast<PyObject**>(&state.keys_type),
      reinterpret_cast<PyObject**>(&state.values_type),
      reinterpret_cast<PyObject**>(&state.items_type),
      &state.error,
      &state.timeout_error,
      &state.corruption_error,
      &state.format_error,
      &state.version_error,
      &state.no_space_error,
      &state.read_only_error,
      &state.closed_error,
      &state.duplicate_key_error,
      &state.mapping_abc,
      &state.sequence_abc,
      &state.set_abc,
      &state.codecs,
      &state.decoders,
      &state.uuid_type,
      &state.uuid_safety,
      &state.datetimes_capsule,
      &state.utan_method,
      &state.keys_name,
      &state.bytes_name,
      &state.sort_name,
  };
  for (PyObject** const object : objects) {
    if (const int stop = visit(*object); stop != 0) return stop;
  }
  return 0;
}

// A container of a store, or of a snapshot. A Store object has the same layout: it is the mapping of its root.
struct Proxy {
  PyObject ob_base;
  Attachment* attachment;
  utan_container* container;  // null: closed, or gone
  std::uint64_t id;
  PyObject* weak_references;
};

struct StoreObject {
  Proxy root;
  StoreObject* next;    // of the attachment's that are open
  StoreObject** place;  // null: closed
};

enum class Part { keys, values, items };

struct IteratorObject {
  PyObject ob_base;
  Attachment* attachment;   // null: at its end, or closed by its owner
  utan_iterator* iterator;  // null: its store was closed, or it is busy
  bool busy;                // its last entry is being made into objects, which may run Python code
  Part part;
  IteratorObject* next;  // of the attachment's
  IteratorObject** place;
};

// A thread that is inside a call without the interpreter's lock, and has taken that again to call a function of the user's.
struct Calling {
  unsigned long thread;
  Calling* next;  // of the attachment's
};

struct Attachment {
  State* state = nullptr;
  utan_store* store = nullptr;  // null: closed
  Py_ssize_t references = 0;
  StoreObject* stores = nullptr;  // that are open
  Attachment* parent = nullptr;   // of a snapshot
  bool read_only = false;
  std::string path;
  dev_t device = 0;
  ino_t inode = 0;
  PrivateFolder folder;  // of ":memory:"
  std::unordered_map<std::uint64_t, Proxy*> proxies;
  IteratorObject* iterators = nullptr;
  Attachment* next = nullptr;  // of the state's
  Attachment** place = nullptr;

  // Threads that use it without the interpreter's lock; guarded by `mutex`.
  std::mutex mutex;
  std::condition_variable idle;
  int released_count = 0;

  Calling* callings = nullptr;  // under the interpreter's lock
};

inline Proxy* as_proxy(PyObject* object) { return reinterpret_cast<Proxy*>(object); }
inline PyObject* as_object(void* object) { return static_cast<PyObject*>(object); }
inline State& state_of(const Proxy* proxy) { return *proxy->attachment->state; }
inline bool is_proxy(const State& state, PyObject* object) {
  return PyObject_TypeCheck(object, state.container_type) != 0;
}
// Also of one that is closed.
inline bool is_mapping(const Proxy* proxy) { return Py_TYPE(&proxy->ob_base) != state_of(proxy).list_type; }
State& state_of_type(PyTypeObject* type);

// --- errors.cc

bool make_errors(State& state, PyObject* module);
// Sets the Python error for a code, with the C interface's message, and answers null.
PyObject* fail(const State& state, utan_code code);
PyObject* fail(const State& state, utan_code code, const char* message);
// The same of an index of a list that is not there: IndexError.
PyObject* fail_at(const State& state, const Proxy* proxy, utan_code code);
// KeyError, with the key.
PyObject* fail_missing(PyObject* key);
PyObject* fail_closed(const State& state);
// Of a proxy without a container: its store was closed, or it was unpickled when the container was gone.
void fail_without_container(const Proxy* proxy);

inline bool expect_open(const Proxy* proxy) {
  if (proxy->container != nullptr) [[likely]]
    return true;
  fail_without_container(proxy);
  return false;
}

// Runs what may throw for want of memory.
template <class Body>
bool with_memory(Body&& body) noexcept {
  try {
    body();
    return true;
  } catch (...) {
    PyErr_NoMemory();
    return false;
  }
}

// Now and then in a loop: runs the handlers of signals, and with them any code. False: an error was set.
inline bool check_signals(const State& state) { return (++state.step_count & 0xfff) != 0 || PyErr_CheckSignals() == 0; }

// --- attachment.cc

void share(Attachment* attachment);
void let_go(Attachment* attachment);
// The attachment of an open file, or null. `writable`: one that may be written is wanted, else any.
Attachment* find_attachment(State& state, dev_t device, ino_t inode, bool writable, bool exactly);
// Opens; a borrowed reference is handed out, with one more reference of the caller's. Null: an error was set.
Attachment* open_attachment(State& state, const char* path, const utan_open_options& options);
Attachment* open_private(State& state, utan_open_options options);
Attachment* open_snapshot(Attachment* parent);
// Closes the store with everything that was made of it. False: an error was set; it is closed all the same.
bool shut(Attachment* attachment);
// The attachments of a child of fork have no threads in calls.
void forget_threads(State& state);
bool shut_all(State& state);

// Takes the interpreter's lock again. At the interpreter's end a thread that is not the main one never gets it: here it waits
// for the end of the process. Python would end it by an exception, which may not go through destructors.
void take_lock(PyThreadState* thread) noexcept;

// The interpreter's lock is let go of.
class Unlocked {
 public:
  Unlocked() : thread_(PyEval_SaveThread()) {}
  ~Unlocked() { take_lock(thread_); }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  PyThreadState* thread_;
};

// The same during a call that uses an attachment, which is not closed meanwhile.
class Released {
 public:
  explicit Released(Attachment* attachment);
  ~Released();
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

  // In the middle of the call, by the thread that makes it: `body` has the interpreter's lock, and may run Python code.
  template <class Body>
  void with_lock(Body&& body) {
    take_lock(thread_);
    Calling calling{PyThread_get_thread_ident(), attachment_->callings};
    attachment_->callings = &calling;
    body();
    end_calling(&calling);
    thread_ = PyEval_SaveThread();
  }

 private:
  void end_calling(const Calling* calling);

  Attachment* attachment_;
  PyThreadState* thread_;
};

// Has long calls of this thread end when Ctrl-C was pressed. Only asked: handlers run when the call has ended.
class Interruptible {
 public:
  explicit Interruptible(Released& released);
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;
};

// Makes a call that may be long, without the interpreter's lock. Ctrl-C ends it: UTAN_INTERRUPTED, with the exception set that
// the handler raised. If it raised none, the call is made again.
template <class Call>
utan_code call_released(Attachment* attachment, Call&& call) {
  for (;;) {
    utan_code code;
    {
      Released released(attachment);
      const Interruptible interruptible(released);
      code = call();
    }
    if (code != UTAN_INTERRUPTED || PyErr_CheckSignals() < 0) return code;
    if (attachment->store == nullptr) {
      fail_closed(*attachment->state);
      return code;
    }
  }
}
// The same, if it is one of much; otherwise it is over sooner than the lock would be given back.
template <class Call>
utan_code call_of(Attachment* attachment, bool is_much, Call&& call) {
  if (!is_much) [[likely]]
    return call();
  return call_released(attachment, call);
}

// Keeps the store's file open while what lies in it is made into objects, whatever the code that this runs closes.
class KeptOpen {
 public:
  explicit KeptOpen(Attachment* attachment) {
    if (attachment->store != nullptr) static_cast<void>(utan_root(attachment->store, &container_));
  }
  ~KeptOpen() { utan_container_close(container_); }
  KeptOpen(const KeptOpen&) = delete;
  KeptOpen& operator=(const KeptOpen&) = delete;
  explicit operator bool() const { return container_ != nullptr; }

 private:
  utan_container* container_ = nullptr;
};

// --- proxies.cc: the same container is the same object

// Takes the handle over, also where it fails.
PyObject* take_container(Attachment* attachment, utan_container* container);
// A proxy of a container that is gone, of which each use is a ReferenceError.
PyObject* make_gone(Attachment* attachment, std::uint32_t type, std::uint64_t id);
// A new container of this type with this content, which is not linked yet.
PyObject* make_container(Attachment* attachment, std::uint32_t type, bool is_much, const utan_data* content);
void close_proxy(Proxy* proxy);
void free_proxy(PyObject* self);

// --- types

PyTypeObject* make_type(PyObject* module, PyType_Spec* spec, PyTypeObject* base);
bool make_container_types(State& state, PyObject* module);
bool make_list_type(State& state, PyObject* module);
bool make_store_type(State& state, PyObject* module);
bool make_iterator_type(State& state, PyObject* module);
bool make_view_types(State& state, PyObject* module);

// iterator.cc
PyObject* iterate(Proxy* proxy, Part part, const utan_range* range);
PyObject* iterate_reversed(Proxy* proxy, Part part);
void end_iterator(IteratorObject* iterator);
// views.cc
PyObject* make_view(Proxy* proxy, Part part);
// container.cc
extern PyMethodDef container_methods[];
PyObject* container_compare(PyObject* self, PyObject* other, int operation);
PyObject* container_repr(PyObject* self);
Py_ssize_t container_length(PyObject* self);

}  // namespace utan::python
