// Iterators: over the keys, values or entries of a container, in one commit, whatever is written meanwhile.
#include "values.h"

namespace utan::python {

namespace {

IteratorObject* as_iterator(PyObject* object) { return reinterpret_cast<IteratorObject*>(object); }

void iterator_free(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  end_iterator(as_iterator(self));
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* pair_of(State& state, Attachment* attachment, const utan_value& key, utan_value* value) {
  Ref both(PyTuple_New(2));
  if (!both) {
    utan_value_release(value);
    return nullptr;
  }
  // The value first: it is released whatever comes.
  PyObject* const second = take_value(attachment, value);
  if (second == nullptr) return nullptr;
  PyTuple_SET_ITEM(both.get(), 1, second);
  PyObject* const first = plain_object(state, key);
  if (first == nullptr) return nullptr;
  PyTuple_SET_ITEM(both.get(), 0, first);
  return both.release();
}

PyObject* iterator_next(PyObject* self) {
  IteratorObject* const it = as_iterator(self);
  if (it->attachment == nullptr) return nullptr;
  Attachment* const attachment = it->attachment;
  State& state = *attachment->state;
  if (it->iterator == nullptr) return fail_closed(state);
  utan_value key{};
  utan_value value{};
  const utan_code code = utan_iterator_next(it->iterator, it->part == Part::values ? nullptr : &key,
                                            it->part == Part::keys ? nullptr : &value);
  if (code != UTAN_OK) {
    if (code != UTAN_NOT_FOUND) fail(state, code);
    end_iterator(it);
    return nullptr;
  }
  switch (it->part) {
    case Part::keys:
      return plain_object(state, key);
    case Part::values:
      return take_value(attachment, &value);
    default:
      return pair_of(state, attachment, key, &value);
  }
}

PyDoc_STRVAR(close_doc,
             "close($self, /)\n--\n\n"
             "Ends the iteration and lets go of the commit that it reads. Nothing follows.\n\n"
             "    entries = db[\"log\"].range(\"2024\")\n"
             "    newest = next(entries)\n"
             "    entries.close()");
PyObject* iterator_close(PyObject* self, PyObject*) {
  end_iterator(as_iterator(self));
  return none();
}

PyMethodDef methods[] = {{"close", method(iterator_close), METH_NOARGS, close_doc}, {nullptr, nullptr, 0, nullptr}};

PyDoc_STRVAR(iterator_doc, "Goes over a container as it was when the iteration began, whatever is written meanwhile.");
PyType_Slot slots[] = {{Py_tp_doc, const_cast<char*>(iterator_doc)},
                       {Py_tp_dealloc, slot(iterator_free)},
                       {Py_tp_iter, slot(PyObject_SelfIter)},
                       {Py_tp_iternext, slot(iterator_next)},
                       {Py_tp_methods, methods},
                       {0, nullptr}};
PyType_Spec spec = {"utan._utan.Iterator", sizeof(IteratorObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

bool make_iterator_type(State& state, PyObject* module) {
  state.iterator_type = make_type(module, &spec, nullptr);
  return state.iterator_type != nullptr;
}

void end_iterator(IteratorObject* iterator) {
  Attachment* const attachment = std::exchange(iterator->attachment, nullptr);
  if (attachment == nullptr) return;
  if (iterator->iterator != nullptr) {
    *iterator->place = iterator->next;
    if (iterator->next != nullptr) iterator->next->place = iterator->place;
    utan_iterator_close(std::exchange(iterator->iterator, nullptr));
  }
  let_go(attachment);
}

PyObject* iterate(Proxy* proxy, Part part, const utan_range* range) {
  if (!expect_open(proxy)) return nullptr;
  State& state = state_of(proxy);
  utan_iterator* opened = nullptr;
  const utan_code code = utan_iterate(proxy->container, range, &opened);
  if (code != UTAN_OK) return fail(state, code);
  IteratorObject* const out = as_iterator(state.iterator_type->tp_alloc(state.iterator_type, 0));
  if (out == nullptr) {
    utan_iterator_close(opened);
    return nullptr;
  }
  Attachment* const attachment = proxy->attachment;
  share(attachment);
  out->attachment = attachment;
  out->iterator = opened;
  out->part = part;
  out->next = attachment->iterators;
  out->place = &attachment->iterators;
  if (out->next != nullptr) out->next->place = &out->next;
  attachment->iterators = out;
  return as_object(out);
}

PyObject* iterate_reversed(Proxy* proxy, Part part) {
  utan_range range{};
  range.struct_size = sizeof range;
  range.reverse = 1;
  return iterate(proxy, part, &range);
}

}  // namespace utan::python
