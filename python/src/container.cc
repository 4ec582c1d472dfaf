// What all containers have: paths, atomic steps, JSON, copies, equality, pickling.
#include <cstring>

#include "values.h"

namespace utan::python {

namespace {

// --- Keys as calls take them

// A key of a mapping, or an index of a list.
bool take_place(Proxy* proxy, PyObject* key, utan_value& out, Scratch& scratch) {
  if (is_mapping(proxy)) return take_key(state_of(proxy), key, out, scratch);
  if (!PyIndex_Check(key)) {
    PyErr_Format(PyExc_TypeError, "list indices must be integers, not %s", Py_TYPE(key)->tp_name);
    return false;
  }
  const Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
  if (index == -1 && PyErr_Occurred() != nullptr) return false;
  out.type = UTAN_INTEGER;
  out.integer = index;
  return true;
}

PyObject* fail_absent(Proxy* proxy, PyObject* key) {
  if (is_mapping(proxy)) return fail_missing(key);
  PyErr_SetString(PyExc_IndexError, "list index out of range");
  return nullptr;
}

// --- Paths

class PathKeys {
 public:
  const utan_value* keys() const { return keys_.data(); }
  std::size_t count() const { return keys_.size(); }

  // "a.b.0", parts of which refer to the string, or a list or tuple of keys.
  bool take(State& state, PyObject* path, PyObject* separator) {
    if (PyUnicode_Check(path)) return take_text(path, separator);
    if (!PyList_Check(path) && !PyTuple_Check(path)) {
      PyErr_Format(PyExc_TypeError, "a path is a string, or a list or tuple of keys, not '%s'", Py_TYPE(path)->tp_name);
      return false;
    }
    held_ = Ref(PySequence_Tuple(path));
    if (!held_) return false;
    const auto size = static_cast<std::size_t>(PyTuple_GET_SIZE(held_.get()));
    if (!with_memory([&] {
          keys_.resize(size);
          scratches_ = std::make_unique<Scratch[]>(size);
        }))
      return false;
    for (std::size_t i = 0; i < size; ++i) {
      if (!take_key(state, PyTuple_GET_ITEM(held_.get(), static_cast<Py_ssize_t>(i)), keys_[i], scratches_[i]))
        return false;
    }
    return true;
  }

 private:
  bool take_text(PyObject* path, PyObject* separator) {
    Py_ssize_t separator_size = 1;
    const char* mark = ".";
    if (separator != nullptr) {
      if (!PyUnicode_Check(separator)) {
        PyErr_Format(PyExc_TypeError, "sep is a string, not '%s'", Py_TYPE(separator)->tp_name);
        return false;
      }
      mark = PyUnicode_AsUTF8AndSize(separator, &separator_size);
      if (mark == nullptr) return false;
    }
    if (separator_size == 0) {
      PyErr_SetString(PyExc_ValueError, "empty separator");
      return false;
    }
    Py_ssize_t size = 0;
    const char* const text = PyUnicode_AsUTF8AndSize(path, &size);
    if (text == nullptr) return false;
    return with_memory([&] {
      std::string_view rest(text, static_cast<std::size_t>(size));
      const std::string_view wanted(mark, static_cast<std::size_t>(separator_size));
      for (;;) {
        const std::size_t end = rest.find(wanted);
        utan_value& key = keys_.emplace_back();
        key.type = UTAN_STRING;
        key.data = rest.data();
        key.size = std::min(end, rest.size());
        if (end == std::string_view::npos) return;
        rest.remove_prefix(end + wanted.size());
      }
    });
  }

  std::vector<utan_value> keys_;
  std::unique_ptr<Scratch[]> scratches_;
  Ref held_;
};

PyDoc_STRVAR(
    at_doc,
    "at($self, path, default=None, sep=\".\")\n--\n\n"
    "What is at a path through nested containers, or the default. A part of digits is an index in a List and a\n"
    "key elsewhere; a list or tuple of keys serves as a path, too.\n\n"
    "    db.at(\"users.joe.mails.0\")\n"
    "    db.at([\"users\", \"joe\", \"mails\", 0], default=\"\")");
PyObject* container_at(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  PyObject* given[3] = {nullptr, Py_None, nullptr};
  static const Signature signature{"at", {"path", "default", "sep"}, 3, 1};
  Proxy* const proxy = as_proxy(self);
  if (!read_arguments(signature, arguments, count, names, given) || !expect_open(proxy)) return nullptr;
  PathKeys path;
  if (!path.take(state_of(proxy), given[0], given[2])) return nullptr;
  utan_value value{};
  const utan_code code = utan_get_at(proxy->container, path.keys(), path.count(), &value);
  if (code == UTAN_OK) return take_value(proxy->attachment, &value);
  // UTAN_TYPE: a part of the path is no index, and a List is there.
  if (code == UTAN_NOT_FOUND || code == UTAN_TYPE) return Py_NewRef(given[1]);
  return fail(state_of(proxy), code);
}

PyDoc_STRVAR(
    set_at_doc,
    "set_at($self, path, value, *, sep=\".\", exist_ok=True)\n--\n\n"
    "Sets what is at a path, in one commit. Dicts that are missing on the way are made; a List is never made longer\n"
    "(IndexError). With exist_ok=False, DuplicateKeyError if there is a value already.\n\n"
    "    db.set_at(\"users.joe.mails\", [])");
PyObject* container_set_at(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  PyObject* given[4] = {nullptr, nullptr, nullptr, Py_True};
  static const Signature signature{"set_at", {"path", "value", "sep", "exist_ok"}, 2, 2};
  Proxy* const proxy = as_proxy(self);
  if (!read_arguments(signature, arguments, count, names, given) || !expect_open(proxy)) return nullptr;
  const int exist_ok = PyObject_IsTrue(given[3]);
  PathKeys path;
  if (exist_ok < 0 || !path.take(state_of(proxy), given[0], given[2])) return nullptr;
  if (path.count() == 0) {
    PyErr_SetString(PyExc_ValueError, "the path is empty");
    return nullptr;
  }
  Given value(proxy->attachment);
  if (!value.take(given[1], given[0]) || !expect_open(proxy)) return nullptr;
  const utan_code code = utan_set_at(proxy->container, path.keys(), path.count(), value.value(), exist_ok);
  if (code == UTAN_OK) return none();
  if (code == UTAN_INVALID) {
    PyErr_SetString(PyExc_IndexError, "a list index of the path is out of range");
    return nullptr;
  }
  return fail(state_of(proxy), code);
}

// --- Atomic steps

PyDoc_STRVAR(
    incr_doc,
    "incr($self, key, by=1)\n--\n\n"
    "Adds to the number under the key, or to 0 if there is none, and returns the new one. Exact, whoever else\n"
    "adds to it at the same time, in this process or another.\n\n"
    "    db.incr(\"visits\")");
PyObject* container_incr(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  PyObject* given[2] = {};
  static const Signature signature{"incr", {"key", "by"}, 2, 1};
  Proxy* const proxy = as_proxy(self);
  if (!read_arguments(signature, arguments, count, names, given) || !expect_open(proxy)) return nullptr;
  State& state = state_of(proxy);
  utan_value key{};
  utan_value by{};
  Scratch key_scratch;
  Scratch by_scratch;
  by.type = UTAN_INTEGER;
  by.integer = 1;
  if (given[1] != nullptr) {
    if (!PyLong_Check(given[1]) && !PyFloat_Check(given[1]))
      return PyErr_Format(PyExc_TypeError, "a number can be increased by a number only, not by '%s'",
                          Py_TYPE(given[1])->tp_name);
    if (take_plain(state, given[1], by, by_scratch) != Taken::done) return nullptr;
  }
  if (!take_place(proxy, given[0], key, key_scratch) || !expect_open(proxy)) return nullptr;
  utan_value sum{};
  const utan_code code = utan_increase(proxy->container, &key, &by, &sum);
  return code == UTAN_OK ? take_value(proxy->attachment, &sum) : fail_at(state, proxy, code);
}

// A value that another one is compared with by the store: containers by identity. Taken::other: Python must compare.
Taken take_expected(Proxy* proxy, PyObject* object, utan_value& out, Scratch& scratch) {
  State& state = state_of(proxy);
  if (is_proxy(state, object)) {
    if (as_proxy(object)->attachment != proxy->attachment) return Taken::other;
    if (!expect_open(as_proxy(object))) return Taken::failed;
    out.type = UTAN_CONTAINER;
    out.container = as_proxy(object)->container;
    return Taken::done;
  }
  const Taken exact = take_exact(object, out, scratch);
  if (exact != Taken::other) return exact;
  if (find_codec(state, object) != nullptr) return Taken::other;
  if (PyErr_Occurred() != nullptr) return Taken::failed;
  return take_plain(state, object, out, scratch);
}

// What is under a key now, as an object, and as the value that the store compares with what is there later. That one must
// not be made of the object: a codec may encode equal objects differently, sets for example.
class Present {
 public:
  explicit Present(Proxy* proxy) : proxy_(proxy) {}

  // 1: it is there; 0: there is nothing; -1: an error was set.
  int take(PyObject* key_object) {
    utan_value key{};
    utan_value found{};
    Scratch scratch;
    if (!expect_open(proxy_) || !take_place(proxy_, key_object, key, scratch)) return -1;
    const utan_code code = utan_get(proxy_->container, &key, &found);
    if (code == UTAN_NOT_FOUND) return 0;
    if (code != UTAN_OK) return failed(code);
    value_ = found;
    if (found.type >= UTAN_BYTES || found.type == UTAN_BIG_INTEGER || found.type == UTAN_UUID) {
      void* const copy = found.type == UTAN_CONTAINER ? nullptr : scratch_.take(found.size);
      if (found.type != UTAN_CONTAINER && copy == nullptr) {
        utan_value_release(&found);
        return -1;
      }
      if (copy != nullptr) std::memcpy(copy, found.data, found.size);
      value_.data = copy;
    }
    object_ = Ref(take_value(proxy_->attachment, &found));
    return object_ ? 1 : -1;
  }
  PyObject* object() const { return object_.get(); }
  // The value, if its container, if it is one, is still open; else null, and an error was set.
  const utan_value* value() {
    if (value_.type != UTAN_CONTAINER) return &value_;
    if (!expect_open(as_proxy(object_.get()))) return nullptr;
    value_.container = as_proxy(object_.get())->container;
    return &value_;
  }
  bool is_extended() const { return value_.type == UTAN_EXTENDED; }
  // As replace() compares: containers by identity, everything else by ==. -1: an error was set.
  int equals(PyObject* other) const {
    if (value_.type == UTAN_CONTAINER) return object_.get() == other ? 1 : 0;
    return PyObject_RichCompareBool(object_.get(), other, Py_EQ);
  }

 private:
  int failed(utan_code code) const {
    fail(state_of(proxy_), code);
    return -1;
  }

  Proxy* proxy_;
  Ref object_;
  utan_value value_{};
  Scratch scratch_;
};

// Compare and replace. 1: done; 0: another value is there; -1: an error was set.
int replace_value(Proxy* proxy, PyObject* key_object, const utan_value* expected, const Given& value) {
  utan_value key{};
  Scratch scratch;
  if (expected == nullptr || !take_place(proxy, key_object, key, scratch)) return -1;
  if (!expect_open(proxy) || !value.expect_open()) return -1;
  const utan_code code = utan_replace(proxy->container, &key, expected, value.value());
  if (code == UTAN_OK) return 1;
  if (code == UTAN_NOT_FOUND) return 0;
  fail_at(state_of(proxy), proxy, code);
  return -1;
}

// The same for what Python alone can compare: a value of a codec, or with one.
int replace_equal(Proxy* proxy, PyObject* key_object, PyObject* expected_object, const Given& value) {
  for (;;) {
    Present present(proxy);
    if (const int there = present.take(key_object); there != 1) return there;
    if (const int same = present.equals(expected_object); same != 1) return same;
    if (const int done = replace_value(proxy, key_object, present.value(), value); done != 0) return done;
    if (PyErr_CheckSignals() < 0) return -1;
  }
}

int replace(Proxy* proxy, PyObject* key_object, PyObject* expected_object, PyObject* value_object) {
  utan_value expected{};
  Scratch scratch;
  Given value(proxy->attachment);
  if (!value.take(value_object, key_object)) return -1;
  switch (take_expected(proxy, expected_object, expected, scratch)) {
    case Taken::failed:
      return -1;
    case Taken::other:
      return replace_equal(proxy, key_object, expected_object, value);
    case Taken::done:
      break;
  }
  if (const int done = replace_value(proxy, key_object, &expected, value); done != 0) return done;
  Present present(proxy);
  if (const int there = present.take(key_object); there != 1) return there;
  return present.is_extended() ? replace_equal(proxy, key_object, expected_object, value) : 0;
}

PyDoc_STRVAR(
    replace_doc,
    "replace($self, key, old, new)\n--\n\n"
    "Sets the key to `new` if it has `old` now, and says whether it did. Values are compared with ==, containers\n"
    "by identity; a missing key is False.\n\n"
    "    if not db.replace(\"owner\", None, \"me\"): ...");
PyObject* container_replace(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  PyObject* given[3] = {};
  static const Signature signature{"replace", {"key", "old", "new"}, 3, 3};
  if (!read_arguments(signature, arguments, count, names, given) || !expect_open(as_proxy(self))) return nullptr;
  const int replaced = replace(as_proxy(self), given[0], given[1], given[2]);
  return replaced < 0 ? nullptr : boolean(replaced == 1);
}

int replace_present(Proxy* proxy, PyObject* key_object, Present& present, PyObject* value_object) {
  Given value(proxy->attachment);
  return value.take(value_object, key_object) ? replace_value(proxy, key_object, present.value(), value) : -1;
}

// Sets a key that was absent. 1: done; 0: it is there by now; -1: an error was set.
int add_absent(Proxy* proxy, PyObject* key_object, PyObject* value_object) {
  utan_value key{};
  Scratch scratch;
  Given value(proxy->attachment);
  if (!take_place(proxy, key_object, key, scratch) || !value.take(value_object, key_object) || !expect_open(proxy))
    return -1;
  const utan_code code = utan_add(proxy->container, &key, value.value());
  if (code == UTAN_OK) return 1;
  if (code == UTAN_EXISTS) return 0;
  fail_at(state_of(proxy), proxy, code);
  return -1;
}

// The new value as it will be read: data becomes a container of its own first, so that the live one can be returned.
PyObject* as_stored(Proxy* proxy, PyObject* place, PyObject* object) {
  Given value(proxy->attachment);
  if (!value.take(object, place)) return nullptr;
  if (value.value()->type != UTAN_DATA) return Py_NewRef(object);
  const bool is_container = PyDict_Check(object) || PyList_Check(object) || is_proxy(state_of(proxy), object) ||
                            PyObject_IsInstance(object, state_of(proxy).mapping_abc) > 0;
  if (!is_container) return PyErr_Occurred() == nullptr ? Py_NewRef(object) : nullptr;
  if (!expect_open(proxy)) return nullptr;
  const bool is_list = PyList_Check(object) || (is_proxy(state_of(proxy), object) && !is_mapping(as_proxy(object)));
  std::uint32_t type = is_list ? UTAN_LIST : UTAN_DICT;
  if (is_proxy(state_of(proxy), object)) type = utan_container_type(as_proxy(object)->container);
  return make_container(proxy->attachment, type, value.is_much(), value.value()->plain);
}

PyDoc_STRVAR(
    alter_doc,
    "alter($self, key, fn, default=...)\n--\n\n"
    "Sets the key to fn(value) and returns that, as one step: if somebody else changes it meanwhile, fn is called\n"
    "again with the newer value; so it must not change it itself. If the key is missing, fn gets the default; without\n"
    "one, KeyError.\n\n"
    "    db.alter(\"tags\", lambda tags: sorted({*tags, \"new\"}), default=[])");
PyObject* container_alter(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  PyObject* given[3] = {};
  static const Signature signature{"alter", {"key", "fn", "default"}, 3, 2};
  Proxy* const proxy = as_proxy(self);
  if (!read_arguments(signature, arguments, count, names, given)) return nullptr;
  for (;;) {
    Present old(proxy);
    const int there = old.take(given[0]);
    if (there < 0) return nullptr;
    if (there == 0 && (given[2] == nullptr || !is_mapping(proxy))) return fail_absent(proxy, given[0]);
    const Ref made(PyObject_CallOneArg(given[1], there == 1 ? old.object() : given[2]));
    if (!made) return nullptr;
    Ref now(as_stored(proxy, given[0], made.get()));
    if (!now || !expect_open(proxy)) return nullptr;
    const int done =
        there == 1 ? replace_present(proxy, given[0], old, now.get()) : add_absent(proxy, given[0], now.get());
    if (done < 0) return nullptr;
    if (done == 1) return now.release();
    if (PyErr_CheckSignals() < 0) return nullptr;
  }
}

PyDoc_STRVAR(clear_doc, "clear($self, /)\n--\n\nRemoves everything, in one commit.");
PyObject* container_clear(PyObject* self, PyObject*) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  const utan_code code = utan_clear(proxy->container);
  return code == UTAN_OK ? none() : fail(state_of(proxy), code);
}

// --- Copies and JSON

PyDoc_STRVAR(
    native_doc,
    "native($self, /)\n--\n\n"
    "It and all below it as plain dicts and lists, as they are at one instant. What is shared or contains itself\n"
    "stays so.\n\n    json.dumps(db[\"users\"].native())");
PyObject* container_native(PyObject* self, PyObject*) { return native(as_proxy(self)); }
PyDoc_STRVAR(copy_doc, "copy($self, /)\n--\n\nThe same as native(): plain Python all the way down.");

PyDoc_STRVAR(
    to_json_doc,
    "to_json($self, indent=None)\n--\n\n"
    "It and all below it, at one instant, as JSON in the lossless form: {\"$uuid\": ...}, {\"$date\": ...},\n"
    "{\"$bytes\": base64}, {\"$int\": \"...\"} past 2**53, {\"$float\": \"nan\"}, keys that are no strings as\n"
    "{\"$items\": [[key, value], ...]}; a key that begins with $ has another $ in front. ValueError if it contains\n"
    "itself; TypeError for values of codecs.");
PyObject* container_to_json(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  PyObject* given[1] = {Py_None};
  static const Signature signature{"to_json", {"indent"}, 1, 0};
  Proxy* const proxy = as_proxy(self);
  if (!read_arguments(signature, arguments, count, names, given) || !expect_open(proxy)) return nullptr;
  const long indent = given[0] == Py_None ? 0 : PyLong_AsLong(given[0]);
  if (indent == -1 && PyErr_Occurred() != nullptr) return nullptr;
  if (indent < 0 || indent > 64) {
    PyErr_SetString(PyExc_ValueError, "indent is a number of spaces from 0 to 64");
    return nullptr;
  }
  char* text = nullptr;
  std::size_t size = 0;
  const utan_code code = call_released(proxy->attachment, [&] {
    return utan_to_json(proxy->container, static_cast<std::uint32_t>(indent), &text, &size);
  });
  if (code != UTAN_OK) return fail(state_of(proxy), code);
  PyObject* const out = PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(size), nullptr);
  utan_text_free(text);
  return out;
}

PyDoc_STRVAR(
    load_json_doc,
    "load_json($self, text, /)\n--\n\n"
    "Replaces everything in it by what JSON in the lossless form says (to_json), in one commit. ValueError says line\n"
    "and column of what is no JSON; TypeError if the text is an array and this is no List, or the other way.");
PyObject* container_load_json(PyObject* self, PyObject* text) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  if (!PyUnicode_Check(text) && PyObject_CheckBuffer(text) == 0)
    return PyErr_Format(PyExc_TypeError, "JSON is a string or bytes, not '%s'", Py_TYPE(text)->tp_name);
  const Ref bytes(PyUnicode_Check(text) ? Py_NewRef(text) : PyBytes_FromObject(text));
  if (!bytes) return nullptr;
  Py_ssize_t size = 0;
  const char* characters = nullptr;
  if (PyUnicode_Check(bytes.get())) {
    characters = PyUnicode_AsUTF8AndSize(bytes.get(), &size);
    if (characters == nullptr) return nullptr;
  } else {
    characters = PyBytes_AS_STRING(bytes.get());
    size = PyBytes_GET_SIZE(bytes.get());
  }
  const utan_code code = call_released(proxy->attachment, [&] {
    utan_data* data = nullptr;
    utan_code done = utan_data_new(&data);
    if (done == UTAN_OK) done = utan_data_from_json(data, characters, static_cast<std::size_t>(size));
    if (done == UTAN_OK) done = utan_assign(proxy->container, data);
    utan_data_free(data);
    return done;
  });
  return code == UTAN_OK ? none() : fail(state_of(proxy), code);
}

// --- Python's protocols

PyObject* container_reduce(PyObject* self, PyObject*) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  const Attachment& attachment = *proxy->attachment;
  if (attachment.parent != nullptr || !attachment.folder.store_path().empty())
    return PyErr_Format(PyExc_TypeError, "what belongs to %s cannot be pickled: it ends with this process",
                        attachment.parent != nullptr ? "a snapshot" : "a store in memory");
  const Ref module(PyImport_ImportModule("utan._utan"));
  const Ref open(module ? PyObject_GetAttrString(module.get(), "_open_pickled") : nullptr);
  const Ref path(open ? PyUnicode_DecodeFSDefault(attachment.path.c_str()) : nullptr);
  if (!path) return nullptr;
  const bool is_store = Py_TYPE(self) == attachment.state->store_type;
  return Py_BuildValue("O(OKiI)", open.get(), path.get(), is_store ? 0ULL : static_cast<unsigned long long>(proxy->id),
                       attachment.read_only ? 1 : 0, utan_container_type(proxy->container));
}

PyDoc_STRVAR(deepcopy_doc, "__deepcopy__($self, memo, /)\n--\n\nThe same as native().");
PyObject* container_deepcopy(PyObject* self, PyObject*) { return native(as_proxy(self)); }

PyObject* container_html(PyObject* self, PyObject*) {
  const Ref module(PyImport_ImportModule("utan._html"));
  return module ? PyObject_CallMethod(module.get(), "describe", "O", self) : nullptr;
}

}  // namespace

PyMethodDef container_methods[] = {
    {"at", method(container_at), METH_FASTCALL | METH_KEYWORDS, at_doc},
    {"set_at", method(container_set_at), METH_FASTCALL | METH_KEYWORDS, set_at_doc},
    {"incr", method(container_incr), METH_FASTCALL | METH_KEYWORDS, incr_doc},
    {"replace", method(container_replace), METH_FASTCALL | METH_KEYWORDS, replace_doc},
    {"alter", method(container_alter), METH_FASTCALL | METH_KEYWORDS, alter_doc},
    {"clear", method(container_clear), METH_NOARGS, clear_doc},
    {"native", method(container_native), METH_NOARGS, native_doc},
    {"copy", method(container_native), METH_NOARGS, copy_doc},
    {"__copy__", method(container_native), METH_NOARGS, copy_doc},
    {"__deepcopy__", method(container_deepcopy), METH_O, deepcopy_doc},
    {"to_json", method(container_to_json), METH_FASTCALL | METH_KEYWORDS, to_json_doc},
    {"load_json", method(container_load_json), METH_O, load_json_doc},
    {"__reduce__", method(container_reduce), METH_NOARGS, nullptr},
    {"_repr_html_", method(container_html), METH_NOARGS, nullptr},
    {"__class_getitem__", method(Py_GenericAlias), METH_O | METH_CLASS, "The class with the types of what is in it."},
    {nullptr, nullptr, 0, nullptr}};

Py_ssize_t container_length(PyObject* self) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return -1;
  std::uint64_t count = 0;
  const utan_code code = utan_count(proxy->container, &count);
  if (code == UTAN_OK) return static_cast<Py_ssize_t>(count);
  fail(state_of(proxy), code);
  return -1;
}

PyObject* container_repr(PyObject* self) { return describe(as_proxy(self)); }

PyObject* container_compare(PyObject* self, PyObject* other, int operation) {
  if (operation != Py_EQ && operation != Py_NE) return not_implemented();
  if (self == other) return boolean(operation == Py_EQ);
  Proxy* const proxy = as_proxy(self);
  State& state = state_of(proxy);
  if (!is_proxy(state, other)) {
    bool comparable = is_mapping(proxy) ? PyDict_Check(other) != 0 : PyList_Check(other) != 0;
    if (!comparable && is_mapping(proxy)) {
      const int mapping = PyObject_IsInstance(other, state.mapping_abc);
      if (mapping < 0) return nullptr;
      comparable = mapping > 0;
    }
    if (!comparable) return not_implemented();
  }
  const int same = equal(proxy, other);
  return same < 0 ? nullptr : boolean((same == 1) == (operation == Py_EQ));
}

}  // namespace utan::python
