// What of a List is in files of its own: slices, and changes that depend on all elements.
//
// Thread safety: with the interpreter's lock held.
#pragma once

#include "state.h"

namespace utan::python {

// --- list.cc

// The elements at one instant as a plain list, whose containers are live.
PyObject* shallow_copy(Proxy* proxy);

// --- list_change.cc: each reads the list, and changes it if nobody else has meanwhile; else it begins anew

PyObject* list_slice(Proxy* proxy, PyObject* slice);
// values null: the slice is removed.
int list_assign_slice(Proxy* proxy, PyObject* slice, PyObject* values);
PyObject* list_remove(PyObject* self, PyObject* value);
PyObject* list_sort(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names);
PyObject* list_reverse(PyObject* self, PyObject*);
PyObject* list_repeat_in_place(PyObject* self, Py_ssize_t times);

}  // namespace utan::python
