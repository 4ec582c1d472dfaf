// A container with all below it, as it is at one instant: as plain Python objects, compared, and described.
#include <algorithm>
#include <set>
#include <utility>

#include "values.h"

namespace utan::python {

namespace {

// --- native()

class Native {
 public:
  explicit Native(State& state) : state_(state) {}

  // Shared and cyclic parts stay so. A new reference.
  PyObject* object_of(utan_container* container) {
    const std::uint64_t id = utan_container_id(container);
    if (const auto known = made_.find(id); known != made_.end()) return Py_NewRef(known->second.get());
    const Depth depth;
    if (!depth) return nullptr;
    const bool is_list = utan_container_type(container) == UTAN_LIST;
    Ref out(is_list ? PyList_New(0) : PyDict_New());
    if (!out || !with_memory([&] { made_.emplace(id, Ref::share(out.get())); })) return nullptr;
    return (is_list ? fill_list(container, out.get()) : fill_dict(container, out.get())) ? out.release() : nullptr;
  }

 private:
  bool fill_list(utan_container* container, PyObject* out) {
    Walk walk(state_);
    if (!walk.begin(container)) return false;
    while (walk.next()) {
      const Ref value(value_of(walk.value()));
      if (!value || PyList_Append(out, value.get()) < 0) return false;
    }
    return PyErr_Occurred() == nullptr;
  }
  bool fill_dict(utan_container* container, PyObject* out) {
    Walk walk(state_);
    if (!walk.begin(container)) return false;
    while (walk.next()) {
      const Ref key(plain_object(state_, walk.key()));
      if (!key) return false;
      const Ref value(value_of(walk.value()));
      if (!value || PyDict_SetItem(out, key.get(), value.get()) < 0) return false;
    }
    return PyErr_Occurred() == nullptr;
  }
  PyObject* value_of(const utan_value& value) {
    return value.type == UTAN_CONTAINER ? object_of(value.container) : plain_object(state_, value);
  }

  State& state_;
  std::unordered_map<std::uint64_t, Ref> made_;
};

// --- Equality

// What a side of a comparison is: a container at the moment, or a Python object.
class Comparison {
 public:
  Comparison(Attachment* attachment, Moment& moment)
      : attachment_(attachment), state_(*attachment->state), moment_(moment) {}

  int compare(utan_container* container, PyObject* other) {
    const Depth depth;
    if (!depth) return -1;
    if (is_proxy(state_, other)) return compare_with_proxy(container, as_proxy(other));
    if (utan_container_type(container) == UTAN_LIST) {
      return PyList_Check(other) ? compare_list(container, other) : compare_as_object(container, other);
    }
    if (PyDict_Check(other)) return compare_mapping(container, other);
    const int mapping = PyObject_IsInstance(other, state_.mapping_abc);
    if (mapping < 0) return -1;
    return mapping > 0 ? compare_mapping(container, other) : compare_as_object(container, other);
  }

 private:
  // Of the same store at the same commit; of others each at an instant of its own.
  int compare_with_proxy(utan_container* container, Proxy* other) {
    if (!expect_open(other)) return -1;
    if (other->attachment == attachment_) {
      const Handle seen = moment_.enter(other->container);
      return seen ? compare_containers(container, seen.get()) : -1;
    }
    Moment moment;
    if (!moment.begin(other->attachment)) return -1;
    const Handle seen = moment.enter(other->container);
    if (!seen) return -1;
    // Of another pair of moments.
    std::set<Pair> kept;
    kept.swap(equal_);
    const int same = compare_containers(container, seen.get());
    equal_.swap(kept);
    return same;
  }

  int compare_containers(utan_container* a, utan_container* b) {
    const Depth depth;
    if (!depth) return -1;
    if ((utan_container_type(a) == UTAN_LIST) != (utan_container_type(b) == UTAN_LIST)) return 0;
    std::uint64_t a_count = 0;
    std::uint64_t b_count = 0;
    if (const utan_code code = utan_count(a, &a_count); code != UTAN_OK) return failed(code);
    if (const utan_code code = utan_count(b, &b_count); code != UTAN_OK) return failed(code);
    if (a_count != b_count) return 0;
    const Pair pair(utan_container_id(a), utan_container_id(b));
    if (equal_.contains(pair)) return 1;
    const bool is_list = utan_container_type(a) == UTAN_LIST;
    Walk walk(state_);
    if (!walk.begin(a)) return -1;
    Walk other(state_);
    if (is_list && !other.begin(b)) return -1;
    while (walk.next()) {
      utan_value found{};
      if (is_list) {
        if (!other.next()) return PyErr_Occurred() != nullptr ? -1 : 0;
        found = std::exchange(other.value(), utan_value{});
      } else {
        const utan_code code = utan_get(b, &walk.key(), &found);
        if (code == UTAN_NOT_FOUND) return 0;
        if (code != UTAN_OK) return failed(code);
      }
      const int same = compare_values(walk.value(), found);
      utan_value_release(&found);
      if (same != 1) return same;
    }
    if (PyErr_Occurred() != nullptr) return -1;
    return with_memory([&] { equal_.insert(pair); }) ? 1 : -1;
  }

  int compare_values(const utan_value& a, const utan_value& b) {
    if (a.type == UTAN_CONTAINER && b.type == UTAN_CONTAINER) return compare_containers(a.container, b.container);
    if (a.type == UTAN_CONTAINER || b.type == UTAN_CONTAINER) return 0;
    const Ref first(plain_object(state_, a));
    if (!first) return -1;
    const Ref second(plain_object(state_, b));
    return second ? PyObject_RichCompareBool(first.get(), second.get(), Py_EQ) : -1;
  }

  int compare_with_object(const utan_value& value, PyObject* other) {
    if (value.type == UTAN_CONTAINER) return compare(value.container, other);
    const Ref own(plain_object(state_, value));
    return own ? PyObject_RichCompareBool(own.get(), other, Py_EQ) : -1;
  }

  int compare_list(utan_container* container, PyObject* list) {
    std::uint64_t count = 0;
    if (const utan_code code = utan_count(container, &count); code != UTAN_OK) return failed(code);
    if (count != static_cast<std::uint64_t>(PyList_GET_SIZE(list))) return 0;
    Walk walk(state_);
    if (!walk.begin(container)) return -1;
    // What compares may change the list.
    for (Py_ssize_t i = 0; walk.next(); ++i) {
      if (i >= PyList_GET_SIZE(list)) return 0;
      const Ref element = Ref::share(PyList_GET_ITEM(list, i));
      const int same = compare_with_object(walk.value(), element.get());
      if (same != 1) return same;
    }
    return PyErr_Occurred() != nullptr ? -1 : 1;
  }

  int compare_mapping(utan_container* container, PyObject* mapping) {
    std::uint64_t count = 0;
    if (const utan_code code = utan_count(container, &count); code != UTAN_OK) return failed(code);
    const Py_ssize_t size = PyObject_Size(mapping);
    if (size < 0) return -1;
    if (count != static_cast<std::uint64_t>(size)) return 0;
    Walk walk(state_);
    if (!walk.begin(container)) return -1;
    while (walk.next()) {
      const Ref key(plain_object(state_, walk.key()));
      if (!key) return -1;
      const Ref value(item_of(mapping, key.get()));
      if (!value) return PyErr_Occurred() != nullptr ? -1 : 0;
      const int same = compare_with_object(walk.value(), value.get());
      if (same != 1) return same;
    }
    return PyErr_Occurred() != nullptr ? -1 : 1;
  }

  // A new reference; null without an error: it is not there.
  static PyObject* item_of(PyObject* mapping, PyObject* key) {
    if (PyDict_CheckExact(mapping)) {
      PyObject* const value = PyDict_GetItemWithError(mapping, key);
      Py_XINCREF(value);
      return value;
    }
    PyObject* const value = PyObject_GetItem(mapping, key);
    if (value == nullptr && PyErr_ExceptionMatches(PyExc_KeyError)) PyErr_Clear();
    return value;
  }

  // Something else may say that it equals containers: it is asked about the live one.
  int compare_as_object(utan_container* container, PyObject* other) {
    if (PyUnicode_Check(other) || PyLong_Check(other) || PyTuple_Check(other) || other == Py_None) return 0;
    const Ref live(live_object(attachment_, container));
    return live ? ask(other, live.get()) : -1;
  }
  static int ask(PyObject* other, PyObject* live) {
    if (Py_TYPE(other)->tp_richcompare == nullptr) return 0;
    const Ref answer(Py_TYPE(other)->tp_richcompare(other, live, Py_EQ));
    if (!answer) return -1;
    return answer.get() == Py_NotImplemented ? 0 : PyObject_IsTrue(answer.get());
  }

  int failed(utan_code code) const {
    fail(state_, code);
    return -1;
  }

  using Pair = std::pair<std::uint64_t, std::uint64_t>;

  Attachment* attachment_;
  State& state_;
  Moment& moment_;
  // Containers that were found to be equal: what is shared is compared once, not at each of its places, of which a few
  // containers that each name the next one twice have more than anybody can wait for.
  std::set<Pair> equal_;
};

// --- repr()

constexpr std::size_t described_max = 1'000;  // entries and elements in all
constexpr std::size_t described_depth_max = 100;

class Description {
 public:
  explicit Description(State& state) : state_(state), parts_(PyList_New(0)) {}

  // False: an error was set.
  bool add(utan_container* container) {
    const std::uint64_t id = utan_container_id(container);
    const bool is_list = utan_container_type(container) == UTAN_LIST;
    const bool inside = std::find(path_.begin(), path_.end(), id) != path_.end();
    if (inside || path_.size() == described_depth_max) return put(is_list ? "[...]" : "{...}");
    if (!with_memory([&] { path_.push_back(id); })) return false;
    const bool done = put(is_list ? "[" : "{") && add_parts(container, is_list) && put(is_list ? "]" : "}");
    path_.pop_back();
    return done;
  }
  PyObject* text() const {
    const Ref nothing(PyUnicode_FromString(""));
    return nothing ? PyUnicode_Join(nothing.get(), parts_.get()) : nullptr;
  }

 private:
  bool add_parts(utan_container* container, bool is_list) {
    Walk walk(state_);
    if (!walk.begin(container)) return false;
    bool first = true;
    while (walk.next()) {
      if (!std::exchange(first, false) && !put(", ")) return false;
      if (++count_ > described_max) return put("...");
      if (!is_list && !(put_object(walk.key()) && put(": "))) return false;
      const utan_value& value = walk.value();
      if (!(value.type == UTAN_CONTAINER ? add(value.container) : put_object(value))) return false;
    }
    return PyErr_Occurred() == nullptr;
  }
  bool put_object(const utan_value& value) {
    const Ref object(plain_object(state_, value));
    const Ref text(object ? PyObject_Repr(object.get()) : nullptr);
    return text && parts_ && PyList_Append(parts_.get(), text.get()) == 0;
  }
  bool put(const char* text) {
    const Ref object(PyUnicode_FromString(text));
    return object && parts_ && PyList_Append(parts_.get(), object.get()) == 0;
  }

  State& state_;
  Ref parts_;
  std::vector<std::uint64_t> path_;
  std::size_t count_ = 0;
};

PyObject* describe_content(Proxy* proxy) {
  Moment moment;
  if (!expect_open(proxy) || !moment.begin(proxy->attachment)) return nullptr;
  const Handle seen = moment.enter(proxy->container);
  Description description(state_of(proxy));
  return seen && description.add(seen.get()) ? description.text() : nullptr;
}

}  // namespace

PyObject* native(Proxy* proxy) {
  Moment moment;
  if (!expect_open(proxy) || !moment.begin(proxy->attachment)) return nullptr;
  const Handle seen = moment.enter(proxy->container);
  return seen ? Native(state_of(proxy)).object_of(seen.get()) : nullptr;
}

int equal(Proxy* proxy, PyObject* other) {
  Moment moment;
  if (!expect_open(proxy) || !moment.begin(proxy->attachment)) return -1;
  const Handle seen = moment.enter(proxy->container);
  return seen ? Comparison(proxy->attachment, moment).compare(seen.get(), other) : -1;
}

// Never raises but where the program is to be ended: what is wrong stands in the text.
PyObject* describe(Proxy* proxy) {
  PyObject* const text = describe_content(proxy);
  if (text != nullptr || !PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError))
    return text;
  PyObject* type;
  PyObject* value;
  PyObject* trace;
  PyErr_Fetch(&type, &value, &trace);
  const Ref owned_type(type);
  const Ref owned_value(value);
  const Ref owned_trace(trace);
  const Ref message(value == nullptr ? nullptr : PyObject_Str(value));
  PyErr_Clear();
  const char* const name = Py_TYPE(proxy)->tp_name;
  if (!message) return PyUnicode_FromFormat("<%s: unreadable>", name);
  return PyUnicode_FromFormat("<%s: %U>", name, message.get());
}

}  // namespace utan::python
