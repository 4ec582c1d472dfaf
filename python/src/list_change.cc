// Slices of lists, and changes that depend on what is in a list: sort, reverse, remove, repeat.
//
// A change is one commit, as if nobody else wrote: the list is read as a snapshot has it, and the commit is made only if the
// list has not changed since (utan_splice_unchanged); otherwise all is done again with the list as it is then. That ends
// as soon as no other writer is faster in this one list.
#include <optional>

#include "list.h"
#include "values.h"

namespace utan::python {

namespace {

// A list as it was at one instant.
class Seen {
 public:
  explicit Seen(Proxy* proxy) : proxy_(proxy) {}

  bool begin() {
    if (!expect_open(proxy_) || !moment_.begin(proxy_->attachment)) return false;
    utan_container* seen = nullptr;
    handle_.emplace(moment_.enter(proxy_->container));
    seen = handle_->get();
    if (seen == nullptr) return false;
    std::uint64_t count = 0;
    const utan_code code = utan_count(seen, &count);
    count_ = static_cast<Py_ssize_t>(count);
    return code == UTAN_OK || fail(state_of(proxy_), code) != nullptr;
  }
  Py_ssize_t count() const { return count_; }

  // `number` elements from `from` on, as a plain list whose containers are live.
  PyObject* elements(Py_ssize_t from, Py_ssize_t number) const {
    Ref out(PyList_New(0));
    if (!out || number <= 0) return out.release();
    utan_range range{};
    range.struct_size = sizeof range;
    range.skip = static_cast<std::uint64_t>(from);
    range.limit = static_cast<std::uint64_t>(number);
    Walk walk(state_of(proxy_));
    if (!walk.begin(handle_->get(), &range)) return nullptr;
    while (walk.next()) {
      const Ref element(live(walk.value()));
      if (!element || PyList_Append(out.get(), element.get()) < 0) return nullptr;
    }
    return PyErr_Occurred() == nullptr ? out.release() : nullptr;
  }

  // Puts the elements of a plain list in the place of `number` from `from` on. 1: done; 0: the list has changed since;
  // -1: an error was set.
  int splice(Py_ssize_t from, Py_ssize_t number, PyObject* values) const {
    Builder builder(proxy_->attachment);
    if (!builder.begin(UTAN_LIST) || (values != nullptr && !builder.add_elements(values)) || !builder.end() ||
        !expect_open(proxy_))
      return -1;
    const utan_code code =
        call_of(proxy_->attachment, builder.is_much(), [&] { return commit(from, number, builder.data()); });
    if (code == UTAN_OK) return 1;
    if (code == UTAN_NOT_FOUND) return PyErr_CheckSignals() < 0 ? -1 : 0;
    fail(state_of(proxy_), code);
    return -1;
  }

 private:
  utan_code commit(Py_ssize_t from, Py_ssize_t number, const utan_data* data) const {
    return utan_splice_unchanged(proxy_->container, handle_->get(), static_cast<std::uint64_t>(from),
                                 static_cast<std::uint64_t>(number), data);
  }

  // Containers as the store has them now: those that were seen cannot be changed.
  PyObject* live(utan_value& value) const {
    if (value.type != UTAN_CONTAINER) return plain_object(state_of(proxy_), value);
    return live_object(proxy_->attachment, value.container);
  }

  Proxy* proxy_;
  Moment moment_;
  std::optional<Handle> handle_;
  Py_ssize_t count_ = 0;
};

// Runs `change(Seen&)`, 1, 0 or -1 as Seen::splice, until it is in. False: an error was set.
template <class Change>
bool change_list(Proxy* proxy, Change&& change) {
  for (;;) {
    Seen seen(proxy);
    if (!seen.begin()) return false;
    const int done = change(seen);
    if (done != 0) return done > 0;
  }
}

struct Bounds {
  Py_ssize_t start;
  Py_ssize_t stop;
  Py_ssize_t step;
  Py_ssize_t length;

  bool take(PyObject* slice, Py_ssize_t count) {
    if (PySlice_Unpack(slice, &start, &stop, &step) < 0) return false;
    length = PySlice_AdjustIndices(count, &start, &stop, step);
    return true;
  }
  // The same elements, from the lowest index on.
  Py_ssize_t lowest() const { return step > 0 ? start : start + (length - 1) * step; }
  Py_ssize_t width() const { return length == 0 ? 0 : (length - 1) * (step > 0 ? step : -step) + 1; }
};

// The elements that the slice leaves out of those that it spans.
PyObject* without(PyObject* elements, Py_ssize_t step) {
  Ref out(PyList_New(0));
  for (Py_ssize_t i = 0; out && i < PyList_GET_SIZE(elements); ++i) {
    if (i % step == 0) continue;
    if (PyList_Append(out.get(), PyList_GET_ITEM(elements, i)) < 0) return nullptr;
  }
  return out.release();
}

int delete_slice(const Seen& seen, const Bounds& bounds) {
  if (bounds.length == 0) return 1;
  const Py_ssize_t step = bounds.step > 0 ? bounds.step : -bounds.step;
  if (step == 1) return seen.splice(bounds.lowest(), bounds.length, nullptr);
  const Ref spanned(seen.elements(bounds.lowest(), bounds.width()));
  const Ref rest(spanned ? without(spanned.get(), step) : nullptr);
  return rest ? seen.splice(bounds.lowest(), bounds.width(), rest.get()) : -1;
}

int assign_slice(const Seen& seen, const Bounds& bounds, PyObject* values) {
  const Py_ssize_t given = PyList_GET_SIZE(values);
  // Between bounds that are the wrong way round elements are put in at the first.
  if (bounds.step == 1) return seen.splice(bounds.start, bounds.length, values);
  if (given != bounds.length) {
    PyErr_Format(PyExc_ValueError, "attempt to assign sequence of size %zd to extended slice of size %zd", given,
                 bounds.length);
    return -1;
  }
  if (given == 0) return 1;
  const Ref spanned(seen.elements(bounds.lowest(), bounds.width()));
  if (!spanned) return -1;
  for (Py_ssize_t i = 0; i < given; ++i) {
    const Py_ssize_t at = bounds.start + i * bounds.step - bounds.lowest();
    if (PyList_SetItem(spanned.get(), at, Py_NewRef(PyList_GET_ITEM(values, i))) < 0) return -1;
  }
  return seen.splice(bounds.lowest(), bounds.width(), spanned.get());
}

}  // namespace

PyObject* list_slice(Proxy* proxy, PyObject* slice) {
  Seen seen(proxy);
  Bounds bounds{};
  if (!seen.begin() || !bounds.take(slice, seen.count())) return nullptr;
  Ref spanned(seen.elements(bounds.lowest(), bounds.width()));
  if (!spanned || bounds.step == 1 || bounds.length == 0) return spanned.release();
  Ref out(PyList_New(bounds.length));
  for (Py_ssize_t i = 0; out && i < bounds.length; ++i) {
    PyObject* const element = PyList_GET_ITEM(spanned.get(), bounds.start + i * bounds.step - bounds.lowest());
    PyList_SET_ITEM(out.get(), i, Py_NewRef(element));
  }
  return out.release();
}

int list_assign_slice(Proxy* proxy, PyObject* slice, PyObject* values) {
  // Once, also if the list is read again: an iterator gives its elements one time.
  const Ref list(values == nullptr ? nullptr : PySequence_List(values));
  if (values != nullptr && !list) {
    if (PyErr_ExceptionMatches(PyExc_TypeError)) PyErr_SetString(PyExc_TypeError, "can only assign an iterable");
    return -1;
  }
  const bool done = change_list(proxy, [&](const Seen& seen) {
    Bounds bounds{};
    if (!bounds.take(slice, seen.count())) return -1;
    return list ? assign_slice(seen, bounds, list.get()) : delete_slice(seen, bounds);
  });
  return done ? 0 : -1;
}

PyObject* list_remove(PyObject* self, PyObject* value) {
  const bool done = change_list(as_proxy(self), [&](const Seen& seen) {
    const Ref elements(seen.elements(0, seen.count()));
    if (!elements) return -1;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(elements.get()); ++i) {
      const int same = PyObject_RichCompareBool(PyList_GET_ITEM(elements.get(), i), value, Py_EQ);
      if (same < 0) return -1;
      if (same == 1) return seen.splice(i, 1, nullptr);
    }
    PyErr_SetString(PyExc_ValueError, "list.remove(x): x not in list");
    return -1;
  });
  return done ? none() : nullptr;
}

PyObject* list_sort(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  Proxy* const proxy = as_proxy(self);
  const bool done = change_list(proxy, [&](const Seen& seen) {
    const Ref elements(seen.elements(0, seen.count()));
    const Ref sort(elements ? PyObject_GetAttr(elements.get(), state_of(proxy).sort_name) : nullptr);
    const Ref sorted(sort ? PyObject_Vectorcall(sort.get(), arguments, static_cast<std::size_t>(count), names)
                          : nullptr);
    return sorted ? seen.splice(0, seen.count(), elements.get()) : -1;
  });
  return done ? none() : nullptr;
}

PyObject* list_reverse(PyObject* self, PyObject*) {
  const bool done = change_list(as_proxy(self), [&](const Seen& seen) {
    const Ref elements(seen.elements(0, seen.count()));
    if (!elements || PyList_Reverse(elements.get()) < 0) return -1;
    return seen.splice(0, seen.count(), elements.get());
  });
  return done ? none() : nullptr;
}

PyObject* list_repeat_in_place(PyObject* self, Py_ssize_t times) {
  const bool done = change_list(as_proxy(self), [&](const Seen& seen) {
    if (times <= 0) return seen.splice(0, seen.count(), nullptr);
    const Ref elements(seen.elements(0, seen.count()));
    const Ref more(elements ? PySequence_Repeat(elements.get(), times - 1) : nullptr);
    return more ? seen.splice(seen.count(), 0, more.get()) : -1;
  });
  return done ? Py_NewRef(self) : nullptr;
}

}  // namespace utan::python
