// Errors: what the C interface says, as Python's exceptions.
#include <cerrno>

#include "state.h"

namespace utan::python {

namespace {

struct ErrorClass {
  PyObject* State::*place;
  const char* name;
  const char* doc;
  PyObject** also;  // a built-in class that it is, too
};

// A message as Python's text. Paths in it may have any bytes, which come out as they do in Python's own names of files.
PyObject* text_of(const char* message) { return PyUnicode_DecodeFSDefault(message); }

// (errno, message), so that errno is set.
PyObject* fail_with_number(PyObject* type, int number, const char* message) {
  const Ref arguments(Py_BuildValue("(iN)", number, text_of(message)));
  if (arguments) PyErr_SetObject(type, arguments.get());
  return nullptr;
}

PyObject* class_of(const State& state, utan_code code) {
  switch (code) {
    case UTAN_NOT_FOUND:
      return PyExc_KeyError;
    case UTAN_EXISTS:
      return state.duplicate_key_error;
    case UTAN_INVALID:
    case UTAN_TOO_LARGE:
      return PyExc_ValueError;
    case UTAN_TYPE:
      return PyExc_TypeError;
    case UTAN_CORRUPTION:
      return state.corruption_error;
    case UTAN_FORMAT:
      return state.format_error;
    case UTAN_VERSION:
      return state.version_error;
    case UTAN_READ_ONLY:
      return state.read_only_error;
    case UTAN_CLOSED:
      return state.closed_error;
    case UTAN_MEMORY:
      return PyExc_MemoryError;
    case UTAN_GONE:
      return PyExc_ReferenceError;
    default:
      return state.error;
  }
}

}  // namespace

bool make_errors(State& state, PyObject* module) {
  const ErrorClass classes[] = {
      {&State::error, "Error", "What only Utan can say is wrong; the base of its other errors.", nullptr},
      {&State::timeout_error, "TimeoutError", "Somebody else took longer than could be waited for.",
       &PyExc_TimeoutError},
      {&State::corruption_error, "CorruptionError", "The bytes of the store contradict each other.", nullptr},
      {&State::format_error, "FormatError", "The file is not a Utan store.", nullptr},
      {&State::version_error, "VersionError", "The store has a version that this library does not read.", nullptr},
      {&State::no_space_error, "NoSpaceError", "The disk, a quota or the address space is full.", &PyExc_OSError},
      {&State::read_only_error, "ReadOnlyError", "A snapshot, or a store opened for reading, cannot be written.",
       nullptr},
      {&State::closed_error, "ClosedError", "The store, snapshot or iterator is closed.", &PyExc_ValueError},
      {&State::duplicate_key_error, "DuplicateKeyError", "There is a value already where there may be none.", nullptr},
  };
  for (const ErrorClass& one : classes) {
    const std::string name = std::string("utan.") + one.name;
    Ref bases;
    if (one.also != nullptr) {
      bases = Ref(PyTuple_Pack(2, state.error, *one.also));
    } else if (one.place != &State::error) {
      bases = Ref(PyTuple_Pack(1, state.error));
    }
    if (!bases && PyErr_Occurred() != nullptr) return false;
    PyObject* const made = PyErr_NewExceptionWithDoc(name.c_str(), one.doc, bases.get(), nullptr);
    if (made == nullptr) return false;
    state.*one.place = made;
    if (PyModule_AddObjectRef(module, one.name, made) < 0) return false;
  }
  return true;
}

PyObject* fail(const State& state, utan_code code, const char* message) {
  switch (code) {
    case UTAN_INTERRUPTED:
      return nullptr;  // a signal's handler has raised something
    case UTAN_NO_SPACE:
      return fail_with_number(state.no_space_error, ENOSPC, message);
    case UTAN_TIMEOUT:
      return fail_with_number(state.timeout_error, ETIMEDOUT, message);
    case UTAN_PERMISSION:
      return fail_with_number(PyExc_PermissionError, EACCES, message);
    case UTAN_IO:
      return fail_with_number(PyExc_OSError, EIO, message);
    default:
      if (const Ref text(text_of(message)); text) PyErr_SetObject(class_of(state, code), text.get());
      return nullptr;
  }
}

PyObject* fail(const State& state, utan_code code) { return fail(state, code, utan_last_error()); }

PyObject* fail_at(const State& state, const Proxy* proxy, utan_code code) {
  if (code == UTAN_INVALID && !is_mapping(proxy)) {
    PyErr_SetString(PyExc_IndexError, "list index out of range");
    return nullptr;
  }
  return fail(state, code);
}

PyObject* fail_missing(PyObject* key) {
  // A tuple would be taken for the error's arguments.
  const Ref arguments(PyTuple_Pack(1, key));
  if (arguments) PyErr_SetObject(PyExc_KeyError, arguments.get());
  return nullptr;
}

PyObject* fail_closed(const State& state) {
  PyErr_SetString(state.closed_error, "the store is closed");
  return nullptr;
}

void fail_without_container(const Proxy* proxy) {
  const State& state = state_of(proxy);
  const Attachment& attachment = *proxy->attachment;
  if (attachment.store == nullptr || proxy->ob_base.ob_type == state.store_type) {
    fail_closed(state);
  } else {
    fail(state, UTAN_GONE, (attachment.path + ": the container was gone when it was unpickled").c_str());
  }
}

}  // namespace utan::python
