// One value on its way in.
#include <cstring>

#include "values.h"

namespace utan::python {

namespace {

constexpr std::size_t tuple_depth_max = 64;

bool take_big_integer(PyObject* object, utan_value& out, Scratch& scratch) {
#if PY_VERSION_HEX >= 0x030D0000
  const Py_ssize_t size = PyLong_AsNativeBytes(object, nullptr, 0, Py_ASNATIVEBYTES_LITTLE_ENDIAN);
  if (size < 0) return false;
  void* const bytes = scratch.take(static_cast<std::size_t>(size));
  if (bytes == nullptr) return false;
  if (PyLong_AsNativeBytes(object, bytes, size, Py_ASNATIVEBYTES_LITTLE_ENDIAN) < 0) return false;
  out.size = static_cast<std::size_t>(size);
#else
  const std::size_t bits = _PyLong_NumBits(object);
  if (bits == static_cast<std::size_t>(-1) && PyErr_Occurred() != nullptr) return false;
  out.size = bits / 8 + 1;  // with the sign
  void* const bytes = scratch.take(out.size);
  if (bytes == nullptr) return false;
  if (_PyLong_AsByteArray(reinterpret_cast<PyLongObject*>(object), static_cast<unsigned char*>(bytes), out.size, 1, 1) <
      0)
    return false;
#endif
  out.type = UTAN_BIG_INTEGER;
  out.data = bytes;
  return true;
}

Taken take_integer(PyObject* object, utan_value& out, Scratch& scratch) {
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow != 0) return take_big_integer(object, out, scratch) ? Taken::done : Taken::failed;
  if (number == -1 && PyErr_Occurred() != nullptr) return Taken::failed;
  out.type = UTAN_INTEGER;
  out.integer = number;
  return Taken::done;
}

Taken take_string(PyObject* object, utan_value& out) {
  Py_ssize_t size = 0;
  out.data = PyUnicode_AsUTF8AndSize(object, &size);
  if (out.data == nullptr) return Taken::failed;
  out.size = static_cast<std::size_t>(size);
  out.type = UTAN_STRING;
  return Taken::done;
}

Taken take_bytes(PyObject* object, utan_value& out) {
  out.type = UTAN_BYTES;
  out.data = PyBytes_AS_STRING(object);
  out.size = static_cast<std::size_t>(PyBytes_GET_SIZE(object));
  return Taken::done;
}

Taken take_real(PyObject* object, utan_value& out) {
  out.type = UTAN_REAL;
  out.real = PyFloat_AS_DOUBLE(object);
  return Taken::done;
}

bool is_uuid(State& state, PyObject* object) {
  PyObject* const type = uuid_class(state);
  return type != nullptr && PyObject_TypeCheck(object, reinterpret_cast<PyTypeObject*>(type)) != 0;
}

Taken take_uuid(const State& state, PyObject* object, utan_value& out, Scratch& scratch) {
  const Ref bytes(PyObject_GetAttr(object, state.bytes_name));
  if (!bytes) return Taken::failed;
  if (!PyBytes_Check(bytes.get()) || PyBytes_GET_SIZE(bytes.get()) != 16) {
    PyErr_SetString(PyExc_TypeError, "a UUID has 16 bytes");
    return Taken::failed;
  }
  std::memcpy(scratch.small(), PyBytes_AS_STRING(bytes.get()), 16);
  out.type = UTAN_UUID;
  out.data = scratch.small();
  out.size = 16;
  return Taken::done;
}

bool take_key_at(State& state, PyObject* object, utan_value& out, Scratch& scratch, std::size_t depth);

bool take_tuple(State& state, PyObject* object, utan_value& out, Scratch& scratch, std::size_t depth) {
  if (depth == tuple_depth_max) {
    PyErr_SetString(PyExc_ValueError, "tuples are nested too deeply for a key");
    return false;
  }
  const auto size = static_cast<std::size_t>(PyTuple_GET_SIZE(object));
  auto* const elements = static_cast<utan_value*>(scratch.take(size * sizeof(utan_value)));
  if (elements == nullptr) return false;
  for (std::size_t i = 0; i < size; ++i) {
    elements[i] = utan_value{};
    PyObject* const element = PyTuple_GET_ITEM(object, static_cast<Py_ssize_t>(i));
    if (!take_key_at(state, element, elements[i], scratch, depth + 1)) return false;
    if (elements[i].type == UTAN_UUID) {
      // The small place is needed again.
      void* const copy = scratch.take(16);
      if (copy == nullptr) return false;
      std::memcpy(copy, scratch.small(), 16);
      elements[i].data = copy;
    }
  }
  out.type = UTAN_TUPLE;
  out.elements = elements;
  out.size = size;
  return true;
}

bool take_key_at(State& state, PyObject* object, utan_value& out, Scratch& scratch, std::size_t depth) {
  switch (take_plain(state, object, out, scratch)) {
    case Taken::done:
      return true;
    case Taken::failed:
      return false;
    case Taken::other:
      break;
  }
  if (PyTuple_Check(object)) return take_tuple(state, object, out, scratch, depth);
  PyErr_Format(PyExc_TypeError, "a key cannot be of type '%s'", Py_TYPE(object)->tp_name);
  return false;
}

}  // namespace

void* Scratch::take(std::size_t size) {
  void* out = nullptr;
  with_memory([&] { out = chunks_.emplace_back(new unsigned char[size + 1]).get(); });
  return out;
}

bool Scratch::keep(Ref object) {
  return with_memory([&] { kept_.push_back(std::move(object)); });
}

Taken take_exact(PyObject* object, utan_value& out, Scratch& scratch) {
  PyTypeObject* const type = Py_TYPE(object);
  if (type == &PyUnicode_Type) return take_string(object, out);
  if (type == &PyLong_Type) return take_integer(object, out, scratch);
  if (type == &PyFloat_Type) return take_real(object, out);
  if (type == &PyBytes_Type) return take_bytes(object, out);
  if (type == &PyBool_Type) {
    out.type = UTAN_BOOLEAN;
    out.integer = object == Py_True ? 1 : 0;
    return Taken::done;
  }
  if (object == Py_None) {
    out.type = UTAN_NULL;
    return Taken::done;
  }
  return Taken::other;
}

// Who has one has loaded the module.
PyObject* uuid_class(State& state) {
  if (state.uuid_type != nullptr) return state.uuid_type;
  const Ref name(PyUnicode_InternFromString("uuid"));
  const Ref module(name ? PyImport_GetModule(name.get()) : nullptr);
  state.uuid_type = module ? PyObject_GetAttrString(module.get(), "UUID") : nullptr;
  PyErr_Clear();
  return state.uuid_type;
}

Taken take_known(State& state, PyObject* object, utan_value& out, Scratch& scratch) {
  if (is_exact_datetime(state, object)) return take_datetime(state, object, out) ? Taken::done : Taken::failed;
  if (state.uuid_type != nullptr && as_object(Py_TYPE(object)) == state.uuid_type)
    return take_uuid(state, object, out, scratch);
  return Taken::other;
}

Taken take_plain(State& state, PyObject* object, utan_value& out, Scratch& scratch) {
  if (const Taken taken = take_exact(object, out, scratch); taken != Taken::other) return taken;
  if (PyTuple_Check(object) || PyList_Check(object) || PyDict_Check(object)) return Taken::other;
  if (PyUnicode_Check(object)) return take_string(object, out);
  if (PyLong_Check(object)) return take_integer(object, out, scratch);
  if (PyFloat_Check(object)) return take_real(object, out);
  if (PyBytes_Check(object)) return take_bytes(object, out);
  if (is_datetime(state, object)) return take_datetime(state, object, out) ? Taken::done : Taken::failed;
  if (is_uuid(state, object)) return take_uuid(state, object, out, scratch);
  return Taken::other;
}

bool take_key(State& state, PyObject* object, utan_value& out, Scratch& scratch) {
  return take_key_at(state, object, out, scratch, 0);
}

bool Given::take(PyObject* object, PyObject* place) {
  switch (take_exact(object, value_, scratch_)) {
    case Taken::done:
      return true;
    case Taken::failed:
      return false;
    case Taken::other:
      break;
  }
  if (const Taken taken = take_known(*target_->state, object, value_, scratch_); taken != Taken::other)
    return taken == Taken::done;
  if (is_proxy(*target_->state, object) && as_proxy(object)->attachment == target_) {
    if (!python::expect_open(as_proxy(object))) return false;
    value_.type = UTAN_CONTAINER;
    value_.container = as_proxy(object)->container;
    proxy_ = as_proxy(object);
    return scratch_.keep(Ref::share(object));
  }
  if (!with_memory([&] { builder_ = std::make_unique<Builder>(target_); })) return false;
  builder_->set_place(place);
  if (!builder_->add(object)) return false;
  value_.type = UTAN_DATA;
  value_.plain = builder_->data();
  return true;
}

}  // namespace utan::python
