// Values on their way out.
#include <cstring>

#include "values.h"

namespace utan::python {

namespace {

PyObject* big_integer_object(const utan_value& value) {
#if PY_VERSION_HEX >= 0x030D0000
  return PyLong_FromNativeBytes(value.data, value.size, Py_ASNATIVEBYTES_LITTLE_ENDIAN);
#else
  return _PyLong_FromByteArray(static_cast<const unsigned char*>(value.data), value.size, 1, 1);
#endif
}

bool load_uuid(State& state) {
  if (state.uuid_safety != nullptr) return true;
  const Ref module(PyImport_ImportModule("uuid"));
  if (!module) return false;
  if (state.uuid_type == nullptr) state.uuid_type = PyObject_GetAttrString(module.get(), "UUID");
  const Ref safety(PyObject_GetAttrString(module.get(), "SafeUUID"));
  if (state.uuid_type == nullptr || !safety) return false;
  state.uuid_safety = PyObject_GetAttrString(safety.get(), "unknown");
  return state.uuid_safety != nullptr;
}

// What UUID(bytes=...) does, in a tenth of its time. A UUID refuses assignment to its attributes; the generic way is how
// its own constructor sets them.
PyObject* uuid_object(State& state, const utan_value& value) {
  if (!load_uuid(state)) return nullptr;
  auto* const type = reinterpret_cast<PyTypeObject*>(state.uuid_type);
  Ref out(type->tp_alloc(type, 0));
  if (!out) return nullptr;
  unsigned char bytes[17] = {};
  const auto* const data = static_cast<const unsigned char*>(value.data);
  for (std::size_t i = 0; i < 16; ++i) bytes[i] = data[15 - i];
  utan_value number{};
  number.data = bytes;
  number.size = sizeof bytes;  // with a byte of zero behind: it is not negative
  const Ref integer(big_integer_object(number));
  const Ref int_name(PyUnicode_InternFromString("int"));
  const Ref safe_name(PyUnicode_InternFromString("is_safe"));
  if (!integer || !int_name || !safe_name) return nullptr;
  if (PyObject_GenericSetAttr(out.get(), int_name.get(), integer.get()) < 0) return nullptr;
  if (PyObject_GenericSetAttr(out.get(), safe_name.get(), state.uuid_safety) < 0) return nullptr;
  return out.release();
}

PyObject* tuple_object(State& state, const utan_value& value) {
  Ref out(PyTuple_New(static_cast<Py_ssize_t>(value.size)));
  if (!out) return nullptr;
  for (std::size_t i = 0; i < value.size; ++i) {
    PyObject* const element = plain_object(state, value.elements[i]);
    if (element == nullptr) return nullptr;
    PyTuple_SET_ITEM(out.get(), static_cast<Py_ssize_t>(i), element);
  }
  return out.release();
}

// Most strings are ASCII, which are copied; Python has those of one character already.
PyObject* string_object(const char* text, std::size_t size) {
  unsigned char all = 0;
  for (std::size_t i = 0; i < size; ++i) all |= static_cast<unsigned char>(text[i]);
  if (all >= 0x80 || size < 2) return PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(size), nullptr);
  PyObject* const out = PyUnicode_New(static_cast<Py_ssize_t>(size), 127);
  if (out != nullptr) std::memcpy(PyUnicode_DATA(out), text, size);
  return out;
}

}  // namespace

PyObject* plain_object(State& state, const utan_value& value) {
  switch (value.type) {
    case UTAN_STRING:
      return string_object(static_cast<const char*>(value.data), value.size);
    case UTAN_BYTES:
      return PyBytes_FromStringAndSize(static_cast<const char*>(value.data), static_cast<Py_ssize_t>(value.size));
    case UTAN_INTEGER:
      return PyLong_FromLongLong(value.integer);
    case UTAN_REAL:
      return PyFloat_FromDouble(value.real);
    case UTAN_NULL:
      return none();
    case UTAN_BOOLEAN:
      return boolean(value.integer != 0);
    case UTAN_BIG_INTEGER:
      return big_integer_object(value);
    case UTAN_DATETIME:
    case UTAN_DATETIME_UTC:
      return datetime_object(state, value.integer, value.type == UTAN_DATETIME_UTC);
    case UTAN_UUID:
      return uuid_object(state, value);
    case UTAN_TUPLE:
      return tuple_object(state, value);
    case UTAN_EXTENDED:
      return extended_object(state, value.data, value.size);
    default:
      return fail(state, UTAN_VERSION, "a value of a type that this version does not know");
  }
}

bool runs_code(const State& state, const utan_value& value) {
  switch (value.type) {
    case UTAN_DATETIME:
    case UTAN_DATETIME_UTC:
      return !knows_datetimes(state);
    case UTAN_UUID:
    case UTAN_TUPLE:
    case UTAN_EXTENDED:
      return true;
    default:
      return false;
  }
}

PyObject* take_value(Attachment* attachment, utan_value* value) {
  if (value->type == UTAN_CONTAINER) {
    utan_container* const container = std::exchange(value->container, nullptr);
    utan_value_release(value);
    return take_container(attachment, container);
  }
  if (!runs_code(*attachment->state, *value)) [[likely]] {
    PyObject* const out = plain_object(*attachment->state, *value);
    utan_value_release(value);
    return out;
  }
  const KeptOpen kept(attachment);
  PyObject* const out = kept ? plain_object(*attachment->state, *value) : PyErr_NoMemory();
  utan_value_release(value);
  return out;
}

PyObject* take_pair(Attachment* attachment, utan_value* key, utan_value* value) {
  const KeptOpen kept(attachment);
  State& state = *attachment->state;
  // Containers before any code runs: the store is certainly open.
  const bool is_container = value->type == UTAN_CONTAINER;
  const Ref second(!kept          ? PyErr_NoMemory()
                   : is_container ? take_value(attachment, value)
                                  : plain_object(state, *value));
  const Ref first(second ? plain_object(state, *key) : nullptr);
  utan_value_release(value);
  utan_value_release(key);
  return first ? PyTuple_Pack(2, first.get(), second.get()) : nullptr;
}

}  // namespace utan::python
