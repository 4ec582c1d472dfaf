// Proxies: one Python object for each container, as long as anybody has it.
#include "moment.h"

namespace utan::python {

namespace {

PyTypeObject* type_of(const State& state, std::uint32_t type) {
  switch (type) {
    case UTAN_DICT:
      return state.dict_type;
    case UTAN_LIST:
      return state.list_type;
    case UTAN_COLLECTION:
      return state.collection_type;
    default:
      return state.table_type;
  }
}

}  // namespace

PyObject* make_container(Attachment* attachment, std::uint32_t type, bool is_much, const utan_data* content) {
  utan_container* made = nullptr;
  const utan_code code =
      call_of(attachment, is_much, [&] { return utan_new(attachment->store, type, content, &made); });
  if (code != UTAN_OK) return fail(*attachment->state, code);
  // It may have been closed before the lock was there again.
  if (attachment->store == nullptr) {
    utan_container_close(made);
    return fail_closed(*attachment->state);
  }
  return take_container(attachment, made);
}

PyObject* make_gone(Attachment* attachment, std::uint32_t type, std::uint64_t id) {
  PyTypeObject* const class_of_it = type_of(*attachment->state, type);
  PyObject* const self = class_of_it->tp_alloc(class_of_it, 0);
  if (self == nullptr) return nullptr;
  share(attachment);
  as_proxy(self)->attachment = attachment;
  as_proxy(self)->id = id;
  return self;
}

PyObject* take_container(Attachment* attachment, utan_container* container) {
  const std::uint64_t id = utan_container_id(container);
  const auto known = attachment->proxies.find(id);
  if (known != attachment->proxies.end()) {
    utan_container_close(container);
    return Py_NewRef(as_object(known->second));
  }
  // Proxies are not the collector's: making one runs nothing else.
  PyObject* const self = make_gone(attachment, utan_container_type(container), id);
  if (self == nullptr) {
    utan_container_close(container);
    return nullptr;
  }
  Proxy* const proxy = as_proxy(self);
  proxy->container = container;
  if (!with_memory([&] { attachment->proxies.emplace(id, proxy); })) {
    Py_DECREF(self);
    return nullptr;
  }
  return self;
}

PyObject* live_object(Attachment* attachment, utan_container* seen) {
  const auto known = attachment->proxies.find(utan_container_id(seen));
  if (known != attachment->proxies.end()) return Py_NewRef(as_object(known->second));
  if (attachment->store == nullptr) return fail_closed(*attachment->state);
  utan_container* opened = nullptr;
  const utan_code code = utan_container_in(seen, attachment->store, &opened);
  return code == UTAN_OK ? take_container(attachment, opened) : fail(*attachment->state, code);
}

void close_proxy(Proxy* proxy) {
  if (proxy->container == nullptr) return;
  utan_container_close(std::exchange(proxy->container, nullptr));
}

void free_proxy(PyObject* self) {
  Proxy* const proxy = as_proxy(self);
  PyTypeObject* const type = Py_TYPE(self);
  if (proxy->attachment != nullptr && type != proxy->attachment->state->store_type) {
    // Before anything can run that could find it there.
    const auto place = proxy->attachment->proxies.find(proxy->id);
    if (place != proxy->attachment->proxies.end() && place->second == proxy) proxy->attachment->proxies.erase(place);
  }
  close_proxy(proxy);  // before a callback of a weak reference closes the store
  if (proxy->weak_references != nullptr) PyObject_ClearWeakRefs(self);
  Attachment* const attachment = std::exchange(proxy->attachment, nullptr);
  type->tp_free(self);
  if (attachment != nullptr) let_go(attachment);
  Py_DECREF(type);  // last: it may be what keeps the module
}

PyTypeObject* make_type(PyObject* module, PyType_Spec* spec, PyTypeObject* base) {
  const Ref bases(base == nullptr ? nullptr : PyTuple_Pack(1, as_object(base)));
  if (base != nullptr && !bases) return nullptr;
  return reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, spec, bases.get()));
}

State& state_of_type(PyTypeObject* type) { return *static_cast<State*>(PyType_GetModuleState(type)); }

}  // namespace utan::python
