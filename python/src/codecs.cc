// Codecs: how objects of other types are stored, as the name of a codec and what its encoder makes of the object.
//
// In the store such a value is one of its own kind, a name and packed bytes, which other programs see as just that. The
// codecs that come with Utan are in Python (utan/_codecs.py) and loaded when the first object of an unknown type is met.
#include <cstring>
#include <string>

#include "values.h"

namespace utan::python {

namespace {

constexpr Py_ssize_t name_size_max = 255;

extern PyMethodDef register_own_method;

// Complete for every thread: a second one that comes while the first is at it does the same over again.
bool load_own_codecs(State& state) {
  if (state.own_codecs) return true;
  PyObject* const self = PyType_GetModule(state.container_type);
  const Ref add(self == nullptr ? nullptr : PyCFunction_New(&register_own_method, self));
  const Ref module(add ? PyImport_ImportModule("utan._codecs") : nullptr);
  const Ref done(module ? PyObject_CallMethod(module.get(), "add_all", "O", add.get()) : nullptr);
  if (done) state.own_codecs = true;
  return static_cast<bool>(done);
}

// Types that the store has values or containers for.
bool is_own_type(State& state, PyObject* type) {
  for (PyTypeObject* const own : {&PyUnicode_Type, &PyLong_Type, &PyFloat_Type, &PyBytes_Type, &PyBool_Type,
                                  &PyDict_Type, &PyList_Type, &PyBaseObject_Type, Py_TYPE(Py_None)}) {
    if (type == as_object(own)) return true;
  }
  if (is_datetime_type(state, type) || type == uuid_class(state)) return true;
  return PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(type), state.container_type) != 0;
}

// register(type, name, encode, decode) for a codec that comes with Utan: what is registered already stays.
PyObject* register_own(PyObject* module, PyObject* arguments) {
  const State& state = *static_cast<State*>(PyModule_GetState(module));
  PyObject* type;
  PyObject* name;
  PyObject* encode;
  PyObject* decode;
  if (PyArg_ParseTuple(arguments, "OOOO", &type, &name, &encode, &decode) == 0) return nullptr;
  const Ref codec(PyTuple_Pack(2, name, encode));
  if (!codec || PyDict_SetDefault(state.codecs, type, codec.get()) == nullptr) return nullptr;
  return PyDict_SetDefault(state.decoders, name, decode) == nullptr ? nullptr : none();
}
PyMethodDef register_own_method = {"register", method(register_own), METH_VARARGS, nullptr};

PyObject* register_codec(PyObject* module, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  PyObject* given[4] = {};
  static const Signature signature{"register", {"type", "name", "encode", "decode"}, 4, 4};
  if (!read_arguments(signature, arguments, count, names, given)) return nullptr;
  State& state = *static_cast<State*>(PyModule_GetState(module));
  if (!load_own_codecs(state)) return nullptr;
  if (!PyType_Check(given[0]) || is_own_type(state, given[0]))
    return PyErr_Format(PyExc_TypeError, "a codec is for a class that has no values of its own in a store, not for %R",
                        given[0]);
  Py_ssize_t size = 0;
  const char* const name = PyUnicode_Check(given[1]) ? PyUnicode_AsUTF8AndSize(given[1], &size) : nullptr;
  if (name == nullptr || size == 0 || size > name_size_max) {
    if (PyErr_Occurred() == nullptr)
      PyErr_SetString(PyExc_ValueError, "the name of a codec is a string of 1 to 255 bytes");
    return nullptr;
  }
  if (PyCallable_Check(given[2]) == 0 || PyCallable_Check(given[3]) == 0) {
    PyErr_SetString(PyExc_TypeError, "encode and decode are functions");
    return nullptr;
  }
  // A subclass of str might have another hash than what is read from a store.
  const Ref exact_name(PyUnicode_FromStringAndSize(name, size));
  const Ref codec(exact_name ? PyTuple_Pack(2, exact_name.get(), given[2]) : nullptr);
  if (!codec || PyDict_SetItem(state.decoders, exact_name.get(), given[3]) < 0) return nullptr;
  return PyDict_SetItem(state.codecs, given[0], codec.get()) < 0 ? nullptr : none();
}

}  // namespace

PyDoc_STRVAR(
    register_doc,
    "register($module, type, name, encode, decode)\n--\n\n"
    "Stores objects of a class, and of its subclasses, by a codec.\n\n"
    "encode(object) makes plain data of one: None, numbers, strings, bytes, datetimes, UUIDs, and lists, tuples\n"
    "and dicts of these; decode(data) makes an object of it again. The store has the codec's name, never code:\n"
    "every program that reads such values registers the same name. Objects are stored whole, and read as new\n"
    "ones; they are no keys.\n\n"
    "    utan.register(Fraction, \"fraction\", lambda f: [f.numerator, f.denominator], lambda d: Fraction(*d))\n"
    "    db[\"half\"] = Fraction(1, 2)\n\n"
    "date, time, timedelta, Decimal, tuple, set, frozenset, Enum and complex have codecs already.");
PyMethodDef register_method = {"register", method(register_codec), METH_FASTCALL | METH_KEYWORDS, register_doc};

PyObject* find_codec(State& state, PyObject* object) {
  if (!load_own_codecs(state)) return nullptr;
  const Ref classes = Ref::share(Py_TYPE(object)->tp_mro);  // a metaclass may run code where its classes are compared
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(classes.get()); ++i) {
    PyObject* const type = PyTuple_GET_ITEM(classes.get(), i);
    // datetimes are dates for Python, and values of their own here.
    if (is_datetime(state, object) && is_date_type(state, type)) continue;
    PyObject* const codec = PyDict_GetItemWithError(state.codecs, type);
    if (codec != nullptr) return codec;
    if (PyErr_Occurred() != nullptr) return nullptr;
  }
  return nullptr;
}

bool take_extended(State& state, PyObject* codec, PyObject* object, utan_value& out, Scratch& scratch) {
  const Ref held = Ref::share(codec);
  const Ref form(PyObject_CallOneArg(PyTuple_GET_ITEM(codec, 1), object));
  if (!form) return false;
  Py_ssize_t name_size = 0;
  const char* const name = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(codec, 0), &name_size);
  if (name == nullptr) return false;
  std::string bytes;
  if (!with_memory([&] {
        bytes.push_back(static_cast<char>(name_size));
        bytes.append(name, static_cast<std::size_t>(name_size));
      }))
    return false;
  if (!pack(state, form.get(), bytes)) return false;
  void* const copy = scratch.take(bytes.size());
  if (copy == nullptr) return false;
  std::memcpy(copy, bytes.data(), bytes.size());
  out.type = UTAN_EXTENDED;
  out.data = copy;
  out.size = bytes.size();
  return true;
}

PyObject* extended_object(State& state, const void* data, std::size_t size) {
  if (!load_own_codecs(state)) return nullptr;
  // A decoder may do anything, so the bytes must not be the store's.
  const Ref copy(PyBytes_FromStringAndSize(static_cast<const char*>(data), static_cast<Py_ssize_t>(size)));
  if (!copy) return nullptr;
  const auto* at = reinterpret_cast<const unsigned char*>(PyBytes_AS_STRING(copy.get()));
  const unsigned char* const end = at + size;
  if (size == 0 || *at == 0 || *at >= size) return fail(state, UTAN_CORRUPTION, "a value of a codec has no name");
  const std::size_t name_size = *at++;
  const Ref name(PyUnicode_DecodeUTF8(reinterpret_cast<const char*>(at), static_cast<Py_ssize_t>(name_size), nullptr));
  at += name_size;
  if (!name) return nullptr;
  const Ref decode = Ref::share(PyDict_GetItemWithError(state.decoders, name.get()));
  if (!decode) {
    if (PyErr_Occurred() == nullptr)
      PyErr_Format(state.error, "the value is of a codec %R that is not registered here: call utan.register first",
                   name.get());
    return nullptr;
  }
  const Ref form(unpack(state, at, end));
  if (!form) return nullptr;
  if (at != end) return fail(state, UTAN_CORRUPTION, "a value of a codec has bytes behind its end");
  return PyObject_CallOneArg(decode.get(), form.get());
}

}  // namespace utan::python
