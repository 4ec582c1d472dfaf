// Views: the keys, values and entries of a mapping, live, as dict's views are.
#include "values.h"

namespace utan::python {

namespace {

struct View {
  PyObject ob_base;
  Proxy* of;
};

View* as_view(PyObject* object) { return reinterpret_cast<View*>(object); }

Part part_of(PyObject* self) {
  const State& state = state_of(as_view(self)->of);
  if (Py_TYPE(self) == state.keys_type) return Part::keys;
  return Py_TYPE(self) == state.values_type ? Part::values : Part::items;
}

void view_free(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  PyObject* const of = as_object(as_view(self)->of);
  type->tp_free(self);
  Py_XDECREF(of);
  Py_DECREF(type);
}

Py_ssize_t view_length(PyObject* self) { return PyObject_Size(as_object(as_view(self)->of)); }
PyObject* view_iterate(PyObject* self) { return iterate(as_view(self)->of, part_of(self), nullptr); }
PyObject* view_reversed(PyObject* self, PyObject*) { return iterate_reversed(as_view(self)->of, part_of(self)); }
int keys_contain(PyObject* self, PyObject* key) { return PySequence_Contains(as_object(as_view(self)->of), key); }

int items_contain(PyObject* self, PyObject* item) {
  if (!PyTuple_Check(item) || PyTuple_GET_SIZE(item) != 2) return 0;
  const Ref value(PyObject_GetItem(as_object(as_view(self)->of), PyTuple_GET_ITEM(item, 0)));
  if (!value) {
    if (!PyErr_ExceptionMatches(PyExc_KeyError)) return -1;
    PyErr_Clear();
    return 0;
  }
  return PyObject_RichCompareBool(value.get(), PyTuple_GET_ITEM(item, 1), Py_EQ);
}

PyObject* view_mapping(PyObject* self, void*) { return PyDictProxy_New(as_object(as_view(self)->of)); }

PyObject* view_repr(PyObject* self) {
  if (as_view(self)->of->container == nullptr)
    return PyUnicode_FromFormat("<%s: the store is closed>", Py_TYPE(self)->tp_name);
  const Ref list(PySequence_List(self));
  const char* const name = part_of(self) == Part::keys ? "keys" : (part_of(self) == Part::values ? "values" : "items");
  return list ? PyUnicode_FromFormat("%s_view(%R)", name, list.get()) : nullptr;
}

// --- As sets: the results are plain sets

using Operation = PyObject*(PyObject*, PyObject*);
template <Operation operation>
PyObject* as_sets(PyObject* left, PyObject* right) {
  const Ref a(PySet_New(left));
  if (!a) return nullptr;
  const Ref b(PySet_New(right));
  return b ? operation(a.get(), b.get()) : nullptr;
}

// Is everything in the one also in the other? -1: an error was set.
int all_inside(PyObject* one, PyObject* other) {
  const Ref iterator(PyObject_GetIter(one));
  while (iterator) {
    const Ref item(PyIter_Next(iterator.get()));
    if (!item) return PyErr_Occurred() != nullptr ? -1 : 1;
    const int inside = PySequence_Contains(other, item.get());
    if (inside != 1) return inside;
  }
  return -1;
}

// As dict's views: one by one, because entries may have values that no set can hold.
PyObject* set_compare(PyObject* self, PyObject* other, int operation) {
  const State& state = state_of(as_view(self)->of);
  int is_set = PyAnySet_Check(other) || PyDictViewSet_Check(other) || Py_TYPE(other) == state.keys_type ||
               Py_TYPE(other) == state.items_type;
  if (is_set == 0) is_set = PyObject_IsInstance(other, state.set_abc);
  if (is_set < 0) return nullptr;
  if (is_set == 0) return not_implemented();
  const Py_ssize_t own = PyObject_Size(self);
  const Py_ssize_t others = own < 0 ? -1 : PyObject_Size(other);
  if (others < 0) return nullptr;
  int holds = 0;
  switch (operation) {
    case Py_EQ:
    case Py_NE:
      holds = own == others ? all_inside(self, other) : 0;
      break;
    case Py_LT:
      holds = own < others ? all_inside(self, other) : 0;
      break;
    case Py_LE:
      holds = own <= others ? all_inside(self, other) : 0;
      break;
    case Py_GT:
      holds = own > others ? all_inside(other, self) : 0;
      break;
    default:
      holds = own >= others ? all_inside(other, self) : 0;
  }
  return holds < 0 ? nullptr : boolean((holds == 1) != (operation == Py_NE));
}

PyObject* view_isdisjoint(PyObject* self, PyObject* other) {
  const Ref iterator(PyObject_GetIter(other));
  while (iterator) {
    const Ref item(PyIter_Next(iterator.get()));
    if (!item) return PyErr_Occurred() != nullptr ? nullptr : boolean(true);
    const int inside = PySequence_Contains(self, item.get());
    if (inside != 0) return inside < 0 ? nullptr : boolean(false);
  }
  return nullptr;
}

// --- Types

PyGetSetDef attributes[] = {
    {"mapping", view_mapping, nullptr, "The mapping that this is a view of, read only.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef set_methods[] = {{"__reversed__", method(view_reversed), METH_NOARGS, "The same from the last key on."},
                             {"isdisjoint", method(view_isdisjoint), METH_O,
                              "isdisjoint($self, other, /)\n--\n\nHas it nothing in common with the other?"},
                             {nullptr, nullptr, 0, nullptr}};
PyMethodDef values_methods[] = {{"__reversed__", method(view_reversed), METH_NOARGS, "The same from the last key on."},
                                {nullptr, nullptr, 0, nullptr}};

#define UTAN_VIEW_SLOTS                                                                              \
  {Py_tp_dealloc, slot(view_free)}, {Py_tp_repr, slot(view_repr)}, {Py_tp_iter, slot(view_iterate)}, \
      {Py_sq_length, slot(view_length)}, {                                                           \
    Py_tp_getset, attributes                                                                         \
  }
#define UTAN_SET_SLOTS                                                                                \
  {Py_tp_richcompare, slot(set_compare)}, {Py_tp_hash, slot(PyObject_HashNotImplemented)},            \
      {Py_nb_and, slot(as_sets<PyNumber_And>)}, {Py_nb_or, slot(as_sets<PyNumber_Or>)},               \
      {Py_nb_subtract, slot(as_sets<PyNumber_Subtract>)}, {Py_nb_xor, slot(as_sets<PyNumber_Xor>)}, { \
    Py_tp_methods, set_methods                                                                        \
  }

PyType_Slot keys_slots[] = {UTAN_VIEW_SLOTS, UTAN_SET_SLOTS, {Py_sq_contains, slot(keys_contain)}, {0, nullptr}};
PyType_Slot items_slots[] = {UTAN_VIEW_SLOTS, UTAN_SET_SLOTS, {Py_sq_contains, slot(items_contain)}, {0, nullptr}};
PyType_Slot values_slots[] = {UTAN_VIEW_SLOTS, {Py_tp_methods, values_methods}, {0, nullptr}};

#undef UTAN_VIEW_SLOTS
#undef UTAN_SET_SLOTS

constexpr unsigned flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION;
PyType_Spec keys_spec = {"utan._utan.KeysView", sizeof(View), 0, flags, keys_slots};
PyType_Spec values_spec = {"utan._utan.ValuesView", sizeof(View), 0, flags, values_slots};
PyType_Spec items_spec = {"utan._utan.ItemsView", sizeof(View), 0, flags, items_slots};

}  // namespace

bool make_view_types(State& state, PyObject* module) {
  state.keys_type = make_type(module, &keys_spec, nullptr);
  state.values_type = make_type(module, &values_spec, nullptr);
  state.items_type = make_type(module, &items_spec, nullptr);
  return state.keys_type != nullptr && state.values_type != nullptr && state.items_type != nullptr;
}

PyObject* make_view(Proxy* proxy, Part part) {
  if (!expect_open(proxy)) return nullptr;
  const State& state = state_of(proxy);
  PyTypeObject* const type =
      part == Part::keys ? state.keys_type : (part == Part::values ? state.values_type : state.items_type);
  PyObject* const out = type->tp_alloc(type, 0);
  if (out == nullptr) return nullptr;
  Py_INCREF(as_object(proxy));
  as_view(out)->of = proxy;
  return out;
}

}  // namespace utan::python
