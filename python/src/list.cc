// List: everything a list has.
#include <algorithm>

#include "list.h"
#include "values.h"

namespace utan::python {

namespace {

// --- One element

PyObject* get_element(Proxy* proxy, Py_ssize_t index) {
  utan_value key{};
  utan_value value{};
  key.type = UTAN_INTEGER;
  key.integer = index;
  const utan_code code = utan_get(proxy->container, &key, &value);
  if (code == UTAN_OK) [[likely]]
    return take_value(proxy->attachment, &value);
  if (code != UTAN_NOT_FOUND) return fail(state_of(proxy), code);
  PyErr_SetString(PyExc_IndexError, "list index out of range");
  return nullptr;
}

// value null: the element is removed.
int put_element(Proxy* proxy, Py_ssize_t index, PyObject* value_object) {
  State& state = state_of(proxy);
  utan_value key{};
  key.type = UTAN_INTEGER;
  key.integer = index;
  utan_code code;
  if (value_object == nullptr) {
    code = utan_erase(proxy->container, &key);
  } else {
    const Ref place(PyLong_FromSsize_t(index));
    Given value(proxy->attachment);
    if (!place || !value.take(value_object, place.get()) || !expect_open(proxy)) return -1;
    code = utan_set(proxy->container, &key, value.value());
  }
  if (code == UTAN_OK) return 0;
  if (code != UTAN_NOT_FOUND && code != UTAN_INVALID) {
    fail(state, code);
    return -1;
  }
  PyErr_SetString(PyExc_IndexError,
                  value_object == nullptr ? "list index out of range" : "list assignment index out of range");
  return -1;
}

bool take_index(PyObject* object, Py_ssize_t& index) {
  index = PyNumber_AsSsize_t(object, PyExc_IndexError);
  return index != -1 || PyErr_Occurred() == nullptr;
}

PyObject* list_subscript(PyObject* self, PyObject* key) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  Py_ssize_t index = 0;
  if (PyIndex_Check(key)) return take_index(key, index) ? get_element(proxy, index) : nullptr;
  if (PySlice_Check(key)) return list_slice(proxy, key);
  return PyErr_Format(PyExc_TypeError, "list indices must be integers or slices, not %s", Py_TYPE(key)->tp_name);
}

int list_assign(PyObject* self, PyObject* key, PyObject* value) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return -1;
  Py_ssize_t index = 0;
  if (PyIndex_Check(key)) return take_index(key, index) ? put_element(proxy, index, value) : -1;
  if (PySlice_Check(key)) return list_assign_slice(proxy, key, value);
  PyErr_Format(PyExc_TypeError, "list indices must be integers or slices, not %s", Py_TYPE(key)->tp_name);
  return -1;
}

// By index, for C functions that take sequences; they have added the length to what was negative.
PyObject* list_item(PyObject* self, Py_ssize_t index) {
  if (!expect_open(as_proxy(self))) return nullptr;
  if (index >= 0) return get_element(as_proxy(self), index);
  PyErr_SetString(PyExc_IndexError, "list index out of range");
  return nullptr;
}

PyDoc_STRVAR(
    append_doc,
    "append($self, object, /)\n--\n\nPuts it at the end: exact, whoever else appends.\n\n    db[\"log\"].append(line)");
PyObject* list_append(PyObject* self, PyObject* object) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  Given value(proxy->attachment);
  if (!value.take(object, nullptr) || !expect_open(proxy)) return nullptr;
  const utan_code code = utan_append(proxy->container, value.value());
  return code == UTAN_OK ? none() : fail(state_of(proxy), code);
}

PyDoc_STRVAR(insert_doc, "insert($self, index, object, /)\n--\n\nPuts it before the element of this index.");
PyObject* list_insert(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_count("insert", count, 2, 2)) return nullptr;
  Proxy* const proxy = as_proxy(self);
  const Py_ssize_t index = PyNumber_AsSsize_t(arguments[0], PyExc_OverflowError);
  if ((index == -1 && PyErr_Occurred() != nullptr) || !expect_open(proxy)) return nullptr;
  Given value(proxy->attachment);
  if (!value.take(arguments[1], arguments[0]) || !expect_open(proxy)) return nullptr;
  const utan_code code = utan_insert(proxy->container, index, value.value());
  return code == UTAN_OK ? none() : fail(state_of(proxy), code);
}

PyDoc_STRVAR(pop_doc,
             "pop($self, index=-1, /)\n--\n\nRemoves an element and returns it: one step, so that no two get the same. "
             "IndexError if it is not there.");
PyObject* list_pop(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_count("pop", count, 0, 1)) return nullptr;
  Proxy* const proxy = as_proxy(self);
  Py_ssize_t index = -1;
  if ((count == 1 && !take_index(arguments[0], index)) || !expect_open(proxy)) return nullptr;
  utan_value key{};
  utan_value value{};
  key.type = UTAN_INTEGER;
  key.integer = index;
  const utan_code code = utan_pop(proxy->container, &key, &value);
  if (code == UTAN_OK) return take_value(proxy->attachment, &value);
  if (code != UTAN_NOT_FOUND && code != UTAN_INVALID) return fail(state_of(proxy), code);
  const Py_ssize_t length = container_length(self);
  if (length < 0) return nullptr;
  PyErr_SetString(PyExc_IndexError, length == 0 ? "pop from empty list" : "pop index out of range");
  return nullptr;
}

// --- Many elements

bool extend(Proxy* proxy, PyObject* iterable) {
  if (!expect_open(proxy)) return false;
  Builder builder(proxy->attachment);
  if (!builder.begin(UTAN_LIST) || !builder.add_elements(iterable) || !builder.end() || !expect_open(proxy))
    return false;
  const utan_code code = call_of(proxy->attachment, builder.is_much(),
                                 [&] { return utan_splice(proxy->container, UINT64_MAX, 0, builder.data()); });
  if (code != UTAN_OK) fail(state_of(proxy), code);
  return code == UTAN_OK;
}

PyDoc_STRVAR(extend_doc, "extend($self, iterable, /)\n--\n\nPuts all of them at the end, in one commit.");
PyObject* list_extend(PyObject* self, PyObject* iterable) {
  return extend(as_proxy(self), iterable) ? none() : nullptr;
}
PyObject* list_add_in_place(PyObject* self, PyObject* iterable) {
  return extend(as_proxy(self), iterable) ? Py_NewRef(self) : nullptr;
}

// --- Going over it

PyObject* list_iterate(PyObject* self) { return iterate(as_proxy(self), Part::values, nullptr); }
PyObject* list_reversed(PyObject* self, PyObject*) { return iterate_reversed(as_proxy(self), Part::values); }

int list_contains(PyObject* self, PyObject* value) {
  const Ref iterator(iterate(as_proxy(self), Part::values, nullptr));
  while (iterator) {
    const Ref element(PyIter_Next(iterator.get()));
    if (!element) return PyErr_Occurred() != nullptr ? -1 : 0;
    const int same = PyObject_RichCompareBool(element.get(), value, Py_EQ);
    if (same != 0) return same;
  }
  return -1;
}

PyDoc_STRVAR(count_doc, "count($self, value, /)\n--\n\nHow many elements equal the value.");
PyObject* list_count(PyObject* self, PyObject* value) {
  const Ref iterator(iterate(as_proxy(self), Part::values, nullptr));
  Py_ssize_t count = 0;
  while (iterator) {
    const Ref element(PyIter_Next(iterator.get()));
    if (!element) return PyErr_Occurred() != nullptr ? nullptr : PyLong_FromSsize_t(count);
    const int same = PyObject_RichCompareBool(element.get(), value, Py_EQ);
    if (same < 0) return nullptr;
    count += same;
  }
  return nullptr;
}

PyDoc_STRVAR(index_doc,
             "index($self, value, start=0, stop=sys.maxsize, /)\n--\n\nThe index of the first element that equals the "
             "value. ValueError if there is none.");
PyObject* list_index(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_count("index", count, 1, 3)) return nullptr;
  Py_ssize_t bounds[2] = {0, PY_SSIZE_T_MAX};
  for (Py_ssize_t i = 1; i < count; ++i) {
    if (!_PyEval_SliceIndexNotNone(arguments[i], &bounds[i - 1])) return nullptr;
  }
  const Ref elements(shallow_copy(as_proxy(self)));
  if (!elements) return nullptr;
  const Py_ssize_t size = PyList_GET_SIZE(elements.get());
  for (Py_ssize_t& bound : bounds) {
    if (bound < 0) bound = std::max<Py_ssize_t>(0, bound + size);
  }
  for (Py_ssize_t i = bounds[0]; i < std::min(bounds[1], size); ++i) {
    const int same = PyObject_RichCompareBool(PyList_GET_ITEM(elements.get(), i), arguments[0], Py_EQ);
    if (same < 0) return nullptr;
    if (same == 1) return PyLong_FromSsize_t(i);
  }
  return PyErr_Format(PyExc_ValueError, "%R is not in list", arguments[0]);
}

// --- Operators: the results are plain lists, whose containers are live

bool is_list(const State& state, PyObject* object) { return Py_TYPE(object) == state.list_type; }

PyObject* list_add(PyObject* left, PyObject* right) {
  const bool left_is_own = Py_TYPE(left)->tp_as_number != nullptr && Py_TYPE(left)->tp_as_number->nb_add == list_add;
  const State& state = state_of(as_proxy(left_is_own ? left : right));
  Ref out(PyList_New(0));
  for (PyObject* const side : {left, right}) {
    if (!out) return nullptr;
    if (!is_list(state, side) && !PyList_Check(side)) return not_implemented();
    const Ref part(is_list(state, side) ? shallow_copy(as_proxy(side)) : Py_NewRef(side));
    if (!part || PyList_SetSlice(out.get(), PY_SSIZE_T_MAX, PY_SSIZE_T_MAX, part.get()) < 0) return nullptr;
  }
  return out.release();
}

PyObject* list_repeat(PyObject* self, Py_ssize_t times) {
  const Ref copy(shallow_copy(as_proxy(self)));
  return copy ? PySequence_Repeat(copy.get(), times) : nullptr;
}

// By content, as lists do; order needs all elements of both sides.
PyObject* list_compare(PyObject* self, PyObject* other, int operation) {
  if (operation == Py_EQ || operation == Py_NE) return container_compare(self, other, operation);
  const State& state = state_of(as_proxy(self));
  if (!is_list(state, other) && !PyList_Check(other)) return not_implemented();
  const Ref a(native(as_proxy(self)));
  if (!a) return nullptr;
  const Ref b(is_list(state, other) ? native(as_proxy(other)) : Py_NewRef(other));
  return b ? PyObject_RichCompare(a.get(), b.get(), operation) : nullptr;
}

// --- The type

PyObject* list_new(PyTypeObject* type, PyObject* arguments, PyObject* named) {
  static const char* names[] = {"", "iterable", nullptr};
  PyObject* of = nullptr;
  PyObject* iterable = nullptr;
  if (PyArg_ParseTupleAndKeywords(arguments, named, "O|O:List", const_cast<char**>(names), &of, &iterable) == 0)
    return nullptr;
  State& state = state_of_type(type);
  if (!PyObject_TypeCheck(of, state.store_type))
    return PyErr_Format(PyExc_TypeError, "a container is made for a store, not for '%s'", Py_TYPE(of)->tp_name);
  if (!expect_open(as_proxy(of))) return nullptr;
  Attachment* const attachment = as_proxy(of)->attachment;
  Builder builder(attachment);
  if (!builder.begin(UTAN_LIST) || (iterable != nullptr && !builder.add_elements(iterable)) || !builder.end() ||
      !expect_open(as_proxy(of)))
    return nullptr;
  return make_container(attachment, UTAN_LIST, builder.is_much(), builder.data());
}

PyDoc_STRVAR(
    sort_doc,
    "sort($self, *, key=None, reverse=False)\n--\n\n"
    "Sorts it in place, stably, in one commit. If somebody changes it meanwhile it is sorted again, as it is then: "
    "key\nmust not.");
PyDoc_STRVAR(reverse_doc, "reverse($self, /)\n--\n\nReverses it in place, in one commit.");
PyDoc_STRVAR(
    remove_doc,
    "remove($self, value, /)\n--\n\nRemoves the first element that equals the value. ValueError if there is none.");

PyMethodDef methods[] = {{"append", method(list_append), METH_O, append_doc},
                         {"extend", method(list_extend), METH_O, extend_doc},
                         {"insert", method(list_insert), METH_FASTCALL, insert_doc},
                         {"pop", method(list_pop), METH_FASTCALL, pop_doc},
                         {"remove", method(list_remove), METH_O, remove_doc},
                         {"index", method(list_index), METH_FASTCALL, index_doc},
                         {"count", method(list_count), METH_O, count_doc},
                         {"sort", method(list_sort), METH_FASTCALL | METH_KEYWORDS, sort_doc},
                         {"reverse", method(list_reverse), METH_NOARGS, reverse_doc},
                         {"__reversed__", method(list_reversed), METH_NOARGS, "The elements, from the last one on."},
                         {nullptr, nullptr, 0, nullptr}};

PyDoc_STRVAR(list_doc,
             "List(db, iterable=())\n--\n\n"
             "A new List of the store, which nothing names yet: assign it somewhere. A List is what a plain list "
             "becomes when it\n"
             "is stored: everything a list has, live.\n\n"
             "    db[\"log\"] = []\n"
             "    db[\"log\"].append(\"started\")\n"
             "    newest = db[\"log\"][-10:]        # a plain list, whose containers are live");
PyType_Slot slots[] = {{Py_tp_doc, const_cast<char*>(list_doc)},
                       {Py_tp_new, slot(list_new)},
                       {Py_tp_methods, methods},
                       {Py_tp_iter, slot(list_iterate)},
                       {Py_tp_richcompare, slot(list_compare)},
                       {Py_tp_hash, slot(PyObject_HashNotImplemented)},
                       {Py_mp_subscript, slot(list_subscript)},
                       {Py_mp_ass_subscript, slot(list_assign)},
                       {Py_mp_length, slot(container_length)},
                       {Py_sq_length, slot(container_length)},
                       {Py_sq_item, slot(list_item)},
                       {Py_sq_contains, slot(list_contains)},
                       {Py_sq_repeat, slot(list_repeat)},
                       {Py_sq_inplace_repeat, slot(list_repeat_in_place)},
                       {Py_nb_add, slot(list_add)},
                       {Py_nb_inplace_add, slot(list_add_in_place)},
                       {0, nullptr}};
PyType_Spec spec = {"utan.List", sizeof(Proxy), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_SEQUENCE,
                    slots};

}  // namespace

PyObject* shallow_copy(Proxy* proxy) {
  const Ref iterator(iterate(proxy, Part::values, nullptr));
  return iterator ? PySequence_List(iterator.get()) : nullptr;
}

bool make_list_type(State& state, PyObject* module) {
  state.list_type = make_type(module, &spec, state.container_type);
  return state.list_type != nullptr && PyModule_AddType(module, state.list_type) == 0;
}

}  // namespace utan::python
