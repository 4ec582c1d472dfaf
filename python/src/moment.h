// A moment: one commit of a store, for reading several containers, or one and all below it, as they were at one instant.
//
// Thread safety: with the interpreter's lock held. Ownership: the handles that it gives belong to the caller, who closes
// them before the moment ends. All of them keep the file open, so that they stay good when what is done meanwhile closes the
// store.
#pragma once

#include "state.h"

namespace utan::python {

// A handle on a container that is closed at the end.
class Handle {
 public:
  Handle() = default;
  explicit Handle(utan_container* container) : container_(container) {}
  Handle(Handle&& other) noexcept : container_(std::exchange(other.container_, nullptr)) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() { utan_container_close(container_); }
  explicit operator bool() const { return container_ != nullptr; }
  utan_container* get() const { return container_; }

 private:
  utan_container* container_ = nullptr;
};

class Moment {
 public:
  Moment() = default;
  ~Moment() {
    static_cast<void>(utan_close(snapshot_));
    if (attachment_ != nullptr) let_go(attachment_);
  }
  Moment(const Moment&) = delete;
  Moment& operator=(const Moment&) = delete;

  // False: an error was set.
  bool begin(Attachment* attachment) {
    if (attachment->store == nullptr) return fail_closed(*attachment->state) != nullptr;
    attachment_ = attachment;
    share(attachment);
    const utan_code code = utan_snapshot(attachment->store, &snapshot_);
    return code == UTAN_OK || fail(*attachment->state, code) != nullptr;
  }
  // The container as it was then. Empty: an error was set.
  Handle enter(utan_container* container) const {
    utan_container* seen = nullptr;
    const utan_code code = utan_container_in(container, snapshot_, &seen);
    if (code != UTAN_OK) fail(*attachment_->state, code);
    return Handle(seen);
  }

 private:
  Attachment* attachment_ = nullptr;
  utan_store* snapshot_ = nullptr;
};

// Goes over a container, without Python's iterators. The values are the iterator's until the next step, but containers.
class Walk {
 public:
  explicit Walk(const State& state) : state_(&state) {}
  ~Walk() {
    utan_value_release(&value_);
    utan_iterator_close(iterator_);
  }
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  bool begin(utan_container* container, const utan_range* range = nullptr) {
    const utan_code code = utan_iterate(container, range, &iterator_);
    return code == UTAN_OK || fail(*state_, code) != nullptr;
  }
  // False at the end, and where an error was set.
  bool next() {
    utan_value_release(&value_);
    const utan_code code = utan_iterator_next(iterator_, &key_, &value_);
    if (code == UTAN_OK) [[likely]]
      return check_signals(*state_);
    if (code != UTAN_NOT_FOUND) fail(*state_, code);
    return false;
  }
  const utan_value& key() const { return key_; }
  utan_value& value() { return value_; }

 private:
  const State* state_;
  utan_iterator* iterator_ = nullptr;
  utan_value key_{};
  utan_value value_{};
};

// A call that nests in itself as deeply as the data; false: RecursionError was set.
class Depth {
 public:
  Depth() : entered_(Py_EnterRecursiveCall(" in a nested container") == 0) {}
  ~Depth() {
    if (entered_) Py_LeaveRecursiveCall();
  }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;
  explicit operator bool() const { return entered_; }

 private:
  bool entered_;
};

// proxies.cc: the proxy of a container that was seen at a moment, in the attachment as it is now. A new reference.
PyObject* live_object(Attachment* attachment, utan_container* seen);

// deep.cc: the container and all below it as plain Python objects; shared and cyclic parts stay so.
PyObject* native(Proxy* proxy);
// 1: equal; 0: not; -1: an error was set. `other` is a proxy, or a mapping or list that could be equal.
int equal(Proxy* proxy, PyObject* other);
PyObject* describe(Proxy* proxy);

}  // namespace utan::python
