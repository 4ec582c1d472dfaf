#include "reference.h"

namespace utan::python {

namespace {

const char* plural(Py_ssize_t count) { return count == 1 ? "" : "s"; }

}  // namespace

bool expect_count(const char* function, Py_ssize_t count, Py_ssize_t least, Py_ssize_t most) {
  if (count >= least && count <= most) return true;
  const bool few = count < least;
  const Py_ssize_t bound = few ? least : most;
  PyErr_Format(PyExc_TypeError, "%s() takes %s %zd argument%s (%zd given)", function,
               least == most ? "exactly" : (few ? "at least" : "at most"), bound, plural(bound), count);
  return false;
}

bool read_arguments(const Signature& signature, PyObject* const* arguments, Py_ssize_t count, PyObject* names,
                    PyObject** out) {
  const auto total = static_cast<Py_ssize_t>(signature.names.size());
  if (count > signature.place_count) {
    PyErr_Format(PyExc_TypeError, "%s() takes at most %zd positional argument%s (%zd given)", signature.function,
                 signature.place_count, plural(signature.place_count), count);
    return false;
  }
  for (Py_ssize_t i = 0; i < count; ++i) out[i] = arguments[i];
  Py_ssize_t by_name_required = 0;
  const Py_ssize_t name_count = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
  for (Py_ssize_t i = 0; i < name_count; ++i) {
    PyObject* const name = PyTuple_GET_ITEM(names, i);
    Py_ssize_t at = signature.only_by_place;
    while (at < total && PyUnicode_CompareWithASCIIString(name, signature.names.begin()[at]) != 0) ++at;
    if (at == total) {
      PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", signature.function, name);
      return false;
    }
    if (at < count) {
      PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'", signature.function, name);
      return false;
    }
    if (at < signature.required_count) ++by_name_required;
    out[at] = arguments[count + i];
  }
  const Py_ssize_t required = count < signature.required_count ? count : signature.required_count;
  if (required + by_name_required >= signature.required_count) return true;
  for (Py_ssize_t i = count; i < signature.required_count; ++i) {
    bool given = false;
    for (Py_ssize_t j = 0; j < name_count; ++j) {
      given = given || PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, j), signature.names.begin()[i]) == 0;
    }
    if (given) continue;
    PyErr_Format(PyExc_TypeError, "%s() missing required argument: '%s' (pos %zd)", signature.function,
                 signature.names.begin()[i], i + 1);
    break;
  }
  return false;
}

}  // namespace utan::python
