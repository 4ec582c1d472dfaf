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

void list_in(Attachment* attachment, IteratorObject* iterator) {
  iterator->next = attachment->iterators;
  iterator->place = &attachment->iterators;
  if (iterator->next != nullptr) iterator->next->place = &iterator->next;
  attachment->iterators = iterator;
}

void unlist(IteratorObject* iterator) {
  *iterator->place = iterator->next;
  if (iterator->next != nullptr) iterator->next->place = iterator->place;
}

// While objects are made of an entry, which lies in the iterator: what that runs may use or end the iterator, or close its
// store, and finds nothing to do it with.
class Busy {
 public:
  explicit Busy(IteratorObject* iterator) : iterator_(iterator), attachment_(iterator->attachment) {
    share(attachment_);
    unlist(iterator);
    opened_ = std::exchange(iterator->iterator, nullptr);
    iterator->busy = true;
  }
  ~Busy() {
    iterator_->busy = false;
    if (iterator_->attachment == nullptr || attachment_->store == nullptr) {
      utan_iterator_close(opened_);
    } else {
      iterator_->iterator = opened_;
      list_in(attachment_, iterator_);
    }
    let_go(attachment_);
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  IteratorObject* iterator_;
  Attachment* attachment_;
  utan_iterator* opened_;
};

// Of an entry of the iterator, of which only containers are to be released. `both`: a new pair to be filled; null: the part
// alone.
PyObject* entry_object(Attachment* attachment, Part part, const utan_value& key, utan_value* value, PyObject* both) {
  State& state = *attachment->state;
  // The value first: it is released whatever comes.
  PyObject* second = nullptr;
  if (part != Part::keys) {
    second = value->type == UTAN_CONTAINER ? take_value(attachment, value) : plain_object(state, *value);
    if (second == nullptr || part == Part::values) return second;
    PyTuple_SET_ITEM(both, 1, second);
  }
  PyObject* const first = plain_object(state, key);
  if (first == nullptr || part == Part::keys) return first;
  PyTuple_SET_ITEM(both, 0, first);
  return Py_NewRef(both);
}

PyObject* iterator_next(PyObject* self) {
  IteratorObject* const it = as_iterator(self);
  if (it->attachment == nullptr || !check_signals(*it->attachment->state)) return nullptr;
  // The collector may run here, as handlers of signals may above.
  const Ref both(it->part == Part::items ? PyTuple_New(2) : nullptr);
  if (it->part == Part::items && !both) return nullptr;
  if (it->attachment == nullptr) return nullptr;
  Attachment* const attachment = it->attachment;
  State& state = *attachment->state;
  if (it->busy) {
    PyErr_SetString(PyExc_ValueError, "the iterator is in use already");
    return nullptr;
  }
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
  if (!runs_code(state, key) && !runs_code(state, value)) [[likely]]
    return entry_object(attachment, it->part, key, &value, both.get());
  const Busy busy(it);
  return entry_object(attachment, it->part, key, &value, both.get());
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
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

bool make_iterator_type(State& state, PyObject* module) {
  state.iterator_type = make_type(module, &spec, nullptr);
  return state.iterator_type != nullptr;
}

void end_iterator(IteratorObject* iterator) {
  Attachment* const attachment = std::exchange(iterator->attachment, nullptr);
  if (attachment == nullptr) return;
  if (iterator->iterator != nullptr) {
    unlist(iterator);
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
  list_in(attachment, out);
  return as_object(out);
}

PyObject* iterate_reversed(Proxy* proxy, Part part) {
  utan_range range{};
  range.struct_size = sizeof range;
  range.reverse = 1;
  return iterate(proxy, part, &range);
}

}  // namespace utan::python
