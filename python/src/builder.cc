// Data of any depth on its way in: a walk over Python objects.
#include <cstring>

#include "values.h"

namespace utan::python {

namespace {

// bytearray, memoryview and the like. Not objects that have a buffer but are sequences of numbers (array, numpy).
bool is_buffer(PyObject* object) { return PyByteArray_Check(object) || PyMemoryView_Check(object); }

// Of anything that can be asked. -1: an error was set.
int is_instance(PyObject* object, PyObject* type) { return PyObject_IsInstance(object, type); }

}  // namespace

Builder::~Builder() {
  if (data_ == nullptr) return;
  utan_data_clear(data_);  // lets go of containers that it names
  if (state_.spare_data == nullptr && !is_much()) {
    state_.spare_data = data_;
  } else {
    utan_data_free(data_);
  }
}

bool Builder::open() {
  if (data_ != nullptr) return true;
  data_ = std::exchange(state_.spare_data, nullptr);
  if (data_ != nullptr) return true;
  const utan_code code = utan_data_new(&data_);
  return code == UTAN_OK || fail(state_, code) != nullptr;
}

// The message begins with the place in the data, which has a place itself.
bool Builder::fail_data(utan_code code) {
  const char* const path = utan_data_path(data_);
  const char* const message = utan_last_error();
  const char* const what = std::strncmp(message, "key", 3) == 0 ? "key" : "value";
  const Ref inner(PyUnicode_FromFormat("%s at %s: ", what, *path == '\0' ? "the top" : path));
  const char* const begin = inner ? PyUnicode_AsUTF8(inner.get()) : nullptr;
  const std::size_t size = begin == nullptr ? 0 : std::strlen(begin);
  if (size != 0 && std::strncmp(message, begin, size) == 0) {
    const Ref place(here(what));
    const Ref text(place ? PyUnicode_FromFormat("%U: %s", place.get(), message + size) : nullptr);
    const char* const whole = text ? PyUnicode_AsUTF8(text.get()) : nullptr;
    if (whole != nullptr) fail(state_, code, whole);
    return false;
  }
  fail(state_, code, message);
  return false;
}

// "value at ['a'][0]", or "value" alone at the top.
Ref Builder::here(const char* what) const {
  const char* const path = data_ == nullptr ? "" : utan_data_path(data_);
  if (place_ != nullptr) return Ref(PyUnicode_FromFormat("%s at [%R]%s", what, place_, path));
  return Ref(PyUnicode_FromFormat("%s%s%s", what, *path == '\0' ? "" : " at ", path));
}

bool Builder::fail_type(PyObject* object) {
  const Ref place(here("value"));
  if (!place) return false;
  PyErr_Format(PyExc_TypeError, "%U: an object of type '%s' cannot be stored (utan.register adds types)", place.get(),
               Py_TYPE(object)->tp_name);
  return false;
}

bool Builder::fail_here(const char* what) {
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  const Ref place(here(what));
  const bool is_text = PyErr_GivenExceptionMatches(type, PyExc_UnicodeEncodeError) != 0;
  const Ref reason(place && is_text ? PyUnicodeEncodeError_GetReason(value) : nullptr);
  const Ref both(reason ? PyUnicode_FromFormat("%U (%U)", reason.get(), place.get()) : nullptr);
  const char* const text = both ? PyUnicode_AsUTF8(both.get()) : nullptr;
  if (text != nullptr) static_cast<void>(PyUnicodeEncodeError_SetReason(value, text));
  const bool is_ours = trace == nullptr;  // what a codec's function raised stays as it is
  if (place && is_ours && (type == PyExc_TypeError || type == PyExc_ValueError)) {
    PyErr_Format(type, "%U: %S", place.get(), value);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    return false;
  }
  PyErr_Restore(type, value, trace);
  return false;
}

bool Builder::begin(utan_type type, std::uint32_t* number) {
  if (!open()) return false;
  ++item_count_;
  ++depth_;
  const utan_code code = utan_data_begin(data_, type, number);
  return code == UTAN_OK || fail_data(code);
}

bool Builder::end() {
  --depth_;
  const utan_code code = utan_data_end(data_);
  return code == UTAN_OK || fail_data(code);
}

bool Builder::add_value(const utan_value& value) {
  if (!open()) return false;
  ++item_count_;
  if (value.type >= UTAN_BYTES) byte_count_ += value.size;
  const utan_code code = utan_data_add(data_, &value);
  return code == UTAN_OK || fail_data(code);
}

bool Builder::add_key(PyObject* key) {
  utan_value value{};
  Scratch scratch;
  return take_key(state_, key, value, scratch) ? add_value(value) : fail_here("key");
}

bool Builder::add(PyObject* object, bool counted) {
  if (!check_signals(state_)) return false;
  utan_value value{};
  Scratch scratch;
  const Taken taken = take_exact(object, value, scratch);
  if (taken == Taken::failed) return fail_here("value");
  if (taken == Taken::done) return add_value(value);
  if (!open()) return false;
  const Depth depth;
  return depth && add_object(object, counted);
}

// What is no exact plain value.
bool Builder::add_object(PyObject* object, bool counted) {
  if (PyDict_CheckExact(object)) return add_dict(object, counted);
  if (PyList_CheckExact(object)) return add_list(object, counted);
  if (is_proxy(state_, object)) return add_proxy(object);
  utan_value value{};
  Scratch scratch;
  if (const Taken taken = take_known(state_, object, value, scratch); taken != Taken::other)
    return taken == Taken::done && add_value(value);
  PyObject* const codec = find_codec(state_, object);
  if (codec != nullptr)
    return take_extended(state_, codec, object, value, scratch) ? add_value(value) : fail_here("value");
  if (PyErr_Occurred() != nullptr) return false;
  const Ref own_form(PyObject_GetAttr(as_object(Py_TYPE(object)), state_.utan_method));
  if (own_form) {
    Ref form(PyObject_CallOneArg(own_form.get(), object));
    if (!form) return false;
    if (form.get() == object) return fail_type(object);
    PyObject* const kept = form.get();
    return with_memory([&] { kept_.push_back(std::move(form)); }) && add(kept);
  }
  if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return false;
  PyErr_Clear();
  switch (take_plain(state_, object, value, scratch)) {
    case Taken::done:
      return add_value(value);
    case Taken::failed:
      return fail_here("value");
    case Taken::other:
      break;
  }
  if (is_buffer(object)) {
    const Ref bytes(PyBytes_FromObject(object));
    return bytes && add(bytes.get());
  }
  if (PyDict_Check(object)) return add_any_mapping(object);
  if (PyList_Check(object)) return add_any_sequence(object);
  const int mapping = is_instance(object, state_.mapping_abc);
  if (mapping != 0) return mapping > 0 && add_any_mapping(object);
  const int sequence = is_instance(object, state_.sequence_abc);
  if (sequence != 0) return sequence > 0 && add_any_sequence(object);
  return fail_type(object);
}

template <class Contents>
bool Builder::add_container(PyObject* object, utan_type type, bool counted, Contents&& add_contents) {
  // The builder has one reference of its own, and the list or dict that it is in has one: nobody else has any then, and it
  // cannot be met again. An iterator or a mapping of another kind may hand out the same object at each step.
  const bool may_be_shared = !counted || Py_REFCNT(object) > 2;
  if (may_be_shared) {
    if (const auto known = numbers_.find(object); known != numbers_.end()) {
      const utan_code code = utan_data_part(data_, known->second);
      return code == UTAN_OK || fail_data(code);
    }
    std::uint32_t number = 0;
    if (!begin(type, &number)) return false;
    if (!with_memory([&] {
          numbers_.emplace(object, number);
          kept_.push_back(Ref::share(object));
        }))
      return false;
  } else if (!begin(type)) {
    return false;
  }
  return add_contents() && end();
}

bool Builder::add_dict(PyObject* dict, bool counted) {
  return add_container(dict, UTAN_DICT, counted, [&] { return add_dict_entries(dict); });
}

// A codec may run anything, also what takes things out of the dict: hence the references.
bool Builder::add_dict_entries(PyObject* dict) {
  const Py_ssize_t size = PyDict_GET_SIZE(dict);
  Py_ssize_t position = 0;
  PyObject* key;
  PyObject* value;
  while (PyDict_Next(dict, &position, &key, &value)) {
    const Ref held_key = Ref::share(key);
    const Ref held_value = Ref::share(value);
    if (!add_key(key) || !add(value, true)) return false;
    if (PyDict_GET_SIZE(dict) != size) {
      PyErr_SetString(PyExc_RuntimeError, "dictionary changed size while it was stored");
      return false;
    }
  }
  return true;
}

bool Builder::add_list(PyObject* list, bool counted) {
  return add_container(list, UTAN_LIST, counted, [&] { return add_list_elements(list); });
}

bool Builder::add_list_elements(PyObject* list) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    const Ref element = Ref::share(PyList_GET_ITEM(list, i));
    if (!add(element.get(), true)) return false;
  }
  return true;
}

bool Builder::add_any_mapping(PyObject* mapping) {
  return add_container(mapping, UTAN_DICT, false, [&] { return add_mapping_entries(mapping); });
}

bool Builder::add_any_sequence(PyObject* sequence) {
  return add_container(sequence, UTAN_LIST, false, [&] { return add_elements(sequence); });
}

bool Builder::add_mapping_entries(PyObject* mapping) {
  const Ref keys(PyMapping_Keys(mapping));
  if (!keys) return false;
  const Ref iterator(PyObject_GetIter(keys.get()));
  if (!iterator) return false;
  for (;;) {
    const Ref key(PyIter_Next(iterator.get()));
    if (!key) return PyErr_Occurred() == nullptr;
    const Ref value(PyObject_GetItem(mapping, key.get()));
    if (!value || !add_key(key.get()) || !add(value.get())) return false;
  }
}

bool Builder::add_pairs(PyObject* pairs) {
  const Ref iterator(PyObject_GetIter(pairs));
  if (!iterator) return false;
  for (Py_ssize_t i = 0;; ++i) {
    const Ref pair(PyIter_Next(iterator.get()));
    if (!pair) return PyErr_Occurred() == nullptr;
    const Ref both(PySequence_Fast(pair.get(), ""));
    if (!both) {
      if (PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_Format(PyExc_TypeError, "cannot convert element #%zd to a pair of key and value", i);
      return false;
    }
    if (PySequence_Fast_GET_SIZE(both.get()) != 2) {
      PyErr_Format(PyExc_ValueError, "element #%zd has length %zd; 2 is required", i,
                   PySequence_Fast_GET_SIZE(both.get()));
      return false;
    }
    const Ref key = Ref::share(PySequence_Fast_GET_ITEM(both.get(), 0));
    const Ref value = Ref::share(PySequence_Fast_GET_ITEM(both.get(), 1));
    if (!add_key(key.get()) || !add(value.get())) return false;
  }
}

bool Builder::add_entries(PyObject* from, PyObject* named) {
  if (from != nullptr && PyDict_CheckExact(from)) {
    if (!add_dict_entries(from)) return false;
  } else if (from != nullptr && is_proxy(state_, from) && expect_open(as_proxy(from)) && is_mapping(as_proxy(from))) {
    const Ref items(iterate(as_proxy(from), Part::items, nullptr));  // of one commit
    if (!items || !add_pairs(items.get())) return false;
  } else if (from != nullptr) {
    if (PyErr_Occurred() != nullptr) return false;
    const Ref keys(PyObject_GetAttr(from, state_.keys_name));
    if (!keys && !PyErr_ExceptionMatches(PyExc_AttributeError)) return false;
    PyErr_Clear();
    if (!(keys ? add_mapping_entries(from) : add_pairs(from))) return false;
  }
  return named == nullptr || add_dict_entries(named);
}

bool Builder::add_elements(PyObject* iterable) {
  if (PyList_CheckExact(iterable)) return add_list_elements(iterable);
  const Ref iterator(PyObject_GetIter(iterable));
  if (!iterator) return false;
  for (;;) {
    const Ref element(PyIter_Next(iterator.get()));
    if (!element) return PyErr_Occurred() == nullptr;
    if (!add(element.get())) return false;
  }
}

// A container of the same store is named once more, one of another store is copied as it is at one instant.
bool Builder::add_proxy(PyObject* object) {
  Proxy* const proxy = as_proxy(object);
  if (!expect_open(proxy)) return false;
  if (proxy->attachment == target_) {
    utan_value value{};
    value.type = UTAN_CONTAINER;
    value.container = proxy->container;
    return add_value(value);
  }
  Copying* copying = nullptr;
  for (Copying& one : copying_) {
    if (one.of == proxy->attachment) copying = &one;
  }
  if (copying == nullptr) {
    if (!with_memory([&] {
          auto moment = std::make_unique<Moment>();
          copying_.push_back(Copying{proxy->attachment, std::move(moment), {}});
        }))
      return false;
    copying = &copying_.back();
    if (!copying->moment->begin(proxy->attachment)) return false;
  }
  const Handle seen = copying->moment->enter(proxy->container);
  return seen && add_copy(static_cast<std::size_t>(copying - copying_.data()), seen.get());
}

bool Builder::add_copy(std::size_t copying, utan_container* container) {
  const Depth depth;
  if (!depth) return false;
  const std::uint64_t id = utan_container_id(container);
  auto& numbers = copying_[copying].numbers;
  if (const auto known = numbers.find(id); known != numbers.end()) {
    const utan_code code = utan_data_part(data_, known->second);
    return code == UTAN_OK || fail_data(code);
  }
  const std::uint32_t type = utan_container_type(container);
  std::uint32_t number = 0;
  if (!begin(type, &number) || !with_memory([&] { numbers.emplace(id, number); })) return false;
  Walk walk(state_);
  if (!walk.begin(container)) return false;
  while (walk.next()) {
    if (type != UTAN_LIST && !add_value(walk.key())) return false;
    const utan_value& value = walk.value();
    if (!(value.type == UTAN_CONTAINER ? add_copy(copying, value.container) : add_value(value))) return false;
  }
  return PyErr_Occurred() == nullptr && end();
}

}  // namespace utan::python
