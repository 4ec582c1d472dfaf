// Dict, Collection and Table: everything a dict has, and what order adds.

#include "values.h"

// After Python.h.
#include <structmember.h>

namespace utan::python {

namespace {

// --- One value

PyObject* mapping_subscript(PyObject* self, PyObject* key_object) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  utan_value key{};
  utan_value value{};
  Scratch scratch;
  if (!take_key(state_of(proxy), key_object, key, scratch)) return nullptr;
  const utan_code code = utan_get(proxy->container, &key, &value);
  if (code == UTAN_OK) [[likely]]
    return take_value(proxy->attachment, &value);
  return code == UTAN_NOT_FOUND ? fail_missing(key_object) : fail(state_of(proxy), code);
}

// value null: the key is removed.
int mapping_assign(PyObject* self, PyObject* key_object, PyObject* value_object) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return -1;
  State& state = state_of(proxy);
  utan_value key{};
  Scratch scratch;
  if (!take_key(state, key_object, key, scratch)) return -1;
  if (value_object == nullptr) {
    const utan_code code = utan_erase(proxy->container, &key);
    if (code == UTAN_OK) return 0;
    code == UTAN_NOT_FOUND ? fail_missing(key_object) : fail(state, code);
    return -1;
  }
  Given value(proxy->attachment);
  if (!value.take(value_object, key_object) || !expect_open(proxy)) return -1;
  const utan_code code =
      call_of(proxy->attachment, value.is_much(), [&] { return utan_set(proxy->container, &key, value.value()); });
  if (code == UTAN_OK) [[likely]]
    return 0;
  fail(state, code);
  return -1;
}

int mapping_contains(PyObject* self, PyObject* key_object) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return -1;
  utan_value key{};
  Scratch scratch;
  if (!take_key(state_of(proxy), key_object, key, scratch)) return -1;
  const utan_code code = utan_contains(proxy->container, &key);
  if (code == UTAN_OK) return 1;
  if (code == UTAN_NOT_FOUND) return 0;
  fail(state_of(proxy), code);
  return -1;
}

PyDoc_STRVAR(get_doc, "get($self, key, default=None, /)\n--\n\nThe value under the key, or the default.");
PyObject* mapping_get(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_count("get", count, 1, 2)) return nullptr;
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  utan_value key{};
  utan_value value{};
  Scratch scratch;
  if (!take_key(state_of(proxy), arguments[0], key, scratch)) return nullptr;
  const utan_code code = utan_get(proxy->container, &key, &value);
  if (code == UTAN_OK) return take_value(proxy->attachment, &value);
  if (code != UTAN_NOT_FOUND) return fail(state_of(proxy), code);
  return Py_NewRef(count == 2 ? arguments[1] : Py_None);
}

PyDoc_STRVAR(
    pop_doc,
    "pop(key[, default])\n--\n\n"
    "Removes the key and returns its value, or the default if it is missing (KeyError without one). A container\n"
    "is still live then, and named by nothing.");
PyObject* mapping_pop(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_count("pop", count, 1, 2)) return nullptr;
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  utan_value key{};
  utan_value value{};
  Scratch scratch;
  if (!take_key(state_of(proxy), arguments[0], key, scratch)) return nullptr;
  const utan_code code = utan_pop(proxy->container, &key, &value);
  if (code == UTAN_OK) return take_value(proxy->attachment, &value);
  if (code != UTAN_NOT_FOUND) return fail(state_of(proxy), code);
  return count == 2 ? Py_NewRef(arguments[1]) : fail_missing(arguments[0]);
}

PyDoc_STRVAR(popitem_doc,
             "popitem($self, /)\n--\n\nRemoves the entry with the last key (of a Table any) and returns (key, value). "
             "KeyError if there is none.");
PyObject* mapping_popitem(PyObject* self, PyObject*) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  utan_value key{};
  utan_value value{};
  const utan_code code = utan_pop_last(proxy->container, &key, &value);
  if (code == UTAN_OK) return take_pair(proxy->attachment, &key, &value);
  if (code != UTAN_NOT_FOUND) return fail(state_of(proxy), code);
  PyErr_Format(PyExc_KeyError, "popitem(): the %s is empty", Py_TYPE(self)->tp_name);
  return nullptr;
}

PyDoc_STRVAR(
    setdefault_doc,
    "setdefault($self, key, default=None, /)\n--\n\n"
    "The value under the key; if it is missing, it is set to the default, and what is there then is returned:\n"
    "live, if it is a container. One step, whoever else does the same.\n\n"
    "    db.setdefault(\"log\", []).append(line)");
PyObject* mapping_setdefault(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_count("setdefault", count, 1, 2)) return nullptr;
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  utan_value key{};
  utan_value found{};
  Scratch scratch;
  if (!take_key(state_of(proxy), arguments[0], key, scratch)) return nullptr;
  Given value(proxy->attachment);
  if (!value.take(count == 2 ? arguments[1] : Py_None, arguments[0]) || !expect_open(proxy)) return nullptr;
  const utan_code code = utan_set_default(proxy->container, &key, value.value(), &found, nullptr);
  return code == UTAN_OK ? take_value(proxy->attachment, &found) : fail(state_of(proxy), code);
}

// --- Many values

// Stores all entries in one commit.
bool update(Proxy* proxy, PyObject* from, PyObject* named) {
  if (!expect_open(proxy)) return false;
  Builder builder(proxy->attachment);
  if (!builder.begin(UTAN_DICT) || !builder.add_entries(from, named) || !builder.end() || !expect_open(proxy))
    return false;
  const utan_code code =
      call_of(proxy->attachment, builder.is_much(), [&] { return utan_update(proxy->container, builder.data()); });
  if (code != UTAN_OK) fail(state_of(proxy), code);
  return code == UTAN_OK;
}

PyDoc_STRVAR(update_doc,
             "update([other], **items)\n--\n\n"
             "Sets every key of a mapping, or of an iterable of pairs, and of the keyword arguments, in one commit.\n\n"
             "    db[\"joe\"].update(age=28, mail=\"joe@example.org\")");
PyObject* mapping_update(PyObject* self, PyObject* arguments, PyObject* named) {
  const Py_ssize_t count = PyTuple_GET_SIZE(arguments);
  if (!expect_count("update", count, 0, 1)) return nullptr;
  return update(as_proxy(self), count == 1 ? PyTuple_GET_ITEM(arguments, 0) : nullptr, named) ? none() : nullptr;
}

// Its entries as they are at one instant, put into a plain dict; containers are live.
bool put_entries(PyObject* dict, Proxy* proxy) {
  const Ref items(iterate(proxy, Part::items, nullptr));
  return items && PyDict_MergeFromSeq2(dict, items.get(), 1) == 0;
}

PyObject* mapping_or(PyObject* left, PyObject* right) {
  // One of the two is a proxy: it alone has this function.
  const bool left_is_own = Py_TYPE(left)->tp_as_number != nullptr && Py_TYPE(left)->tp_as_number->nb_or == mapping_or;
  State* const state = as_proxy(left_is_own ? left : right)->attachment->state;
  Ref out(PyDict_New());
  for (PyObject* const side : {left, right}) {
    if (!out) return nullptr;
    if (is_proxy(*state, side)) {
      if (!expect_open(as_proxy(side))) return nullptr;
      if (!is_mapping(as_proxy(side))) return not_implemented();
      if (!put_entries(out.get(), as_proxy(side))) return nullptr;
    } else if (PyDict_Check(side)) {
      if (PyDict_Update(out.get(), side) < 0) return nullptr;
    } else {
      return not_implemented();
    }
  }
  return out.release();
}

PyObject* mapping_or_in_place(PyObject* self, PyObject* other) {
  return update(as_proxy(self), other, nullptr) ? Py_NewRef(self) : nullptr;
}

// --- Going over it

PyObject* mapping_iterate(PyObject* self) { return iterate(as_proxy(self), Part::keys, nullptr); }
PyObject* sorted_reversed(PyObject* self, PyObject*) { return iterate_reversed(as_proxy(self), Part::keys); }

PyDoc_STRVAR(keys_doc, "keys($self, /)\n--\n\nA live view of the keys, with the operations of sets.");
PyObject* mapping_keys(PyObject* self, PyObject*) { return make_view(as_proxy(self), Part::keys); }
PyDoc_STRVAR(values_doc, "values($self, /)\n--\n\nA live view of the values.");
PyObject* mapping_values(PyObject* self, PyObject*) { return make_view(as_proxy(self), Part::values); }
PyDoc_STRVAR(items_doc, "items($self, /)\n--\n\nA live view of the entries as (key, value).");
PyObject* mapping_items(PyObject* self, PyObject*) { return make_view(as_proxy(self), Part::items); }

// What a notebook offers behind the opening bracket.
PyObject* mapping_completions(PyObject* self, PyObject*) {
  utan_range range{};
  range.struct_size = sizeof range;
  range.limit = 1'000;
  const Ref keys(iterate(as_proxy(self), Part::keys, &range));
  return keys ? PySequence_List(keys.get()) : nullptr;
}

// --- Order

using Nearest = utan_code(utan_container*, utan_value*, utan_value*);
template <Nearest find>
PyObject* end_of(PyObject* self, PyObject*) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  utan_value key{};
  utan_value value{};
  const utan_code code = find(proxy->container, &key, &value);
  if (code == UTAN_OK) return take_pair(proxy->attachment, &key, &value);
  if (code != UTAN_NOT_FOUND) return fail(state_of(proxy), code);
  PyErr_SetString(PyExc_KeyError, "there is no entry");
  return nullptr;
}

using NearestTo = utan_code(utan_container*, const utan_value*, utan_value*, utan_value*);
template <NearestTo find>
PyObject* nearest_to(PyObject* self, PyObject* key_object) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  utan_value bound{};
  utan_value key{};
  utan_value value{};
  Scratch scratch;
  if (!take_key(state_of(proxy), key_object, bound, scratch)) return nullptr;
  const utan_code code = find(proxy->container, &bound, &key, &value);
  if (code == UTAN_OK) return take_pair(proxy->attachment, &key, &value);
  return code == UTAN_NOT_FOUND ? fail_missing(key_object) : fail(state_of(proxy), code);
}

PyDoc_STRVAR(first_doc, "first($self, /)\n--\n\nThe first entry as (key, value). KeyError if there is none.");
PyDoc_STRVAR(last_doc, "last($self, /)\n--\n\nThe last entry as (key, value). KeyError if there is none.");
PyDoc_STRVAR(floor_doc,
             "floor($self, key, /)\n--\n\nThe last entry whose key is not above this one. KeyError if there is none.");
PyDoc_STRVAR(
    ceiling_doc,
    "ceiling($self, key, /)\n--\n\nThe first entry whose key is not below this one. KeyError if there is none.");

// Which entries, as range(), count_range() and delete_range() take it.
class GivenRange {
 public:
  // False: an error was set.
  bool take(Proxy* proxy, const char* function, bool whole, PyObject* const* arguments, Py_ssize_t count,
            PyObject* names) {
    PyObject* given[7] = {Py_None, Py_None, nullptr, Py_None, Py_False, Py_None, Py_None};
    const Signature bounds{function, {"low", "high", "inclusive", "prefix"}, 2, 0};
    const Signature all{function, {"low", "high", "inclusive", "prefix", "reverse", "limit"}, 2, 0};
    if (!read_arguments(whole ? all : bounds, arguments, count, names, given)) return false;
    range_.struct_size = sizeof range_;
    State& state = state_of(proxy);
    if (!take_bound(state, given[0], 0, range_.low) || !take_bound(state, given[1], 1, range_.high) ||
        !take_bound(state, given[3], 2, range_.prefix) || !take_inclusive(given[2]))
      return false;
    const int reverse = PyObject_IsTrue(given[4]);
    if (reverse < 0) return false;
    range_.reverse = reverse;
    return take_limit(given[5]) && expect_open(proxy);
  }
  const utan_range* range() const { return &range_; }

 private:
  bool take_bound(State& state, PyObject* object, std::size_t place, const utan_value*& out) {
    if (object == Py_None) return true;
    if (!take_key(state, object, values_[place], scratches_[place])) return false;
    out = &values_[place];
    return true;
  }
  bool take_inclusive(PyObject* pair) {
    if (pair == nullptr) return true;
    const Ref both(PySequence_Tuple(pair));
    if (!both && !PyErr_ExceptionMatches(PyExc_TypeError)) return false;
    if (!both || PyTuple_GET_SIZE(both.get()) != 2) {
      PyErr_SetString(both ? PyExc_ValueError : PyExc_TypeError,
                      "inclusive is a pair: (with low itself, with high itself)");
      return false;
    }
    const int low = PyObject_IsTrue(PyTuple_GET_ITEM(both.get(), 0));
    const int high = PyObject_IsTrue(PyTuple_GET_ITEM(both.get(), 1));
    range_.low_exclusive = low == 0;
    range_.high_inclusive = high;
    return low >= 0 && high >= 0;
  }
  bool take_limit(PyObject* limit) {
    if (limit == Py_None) return true;
    const Py_ssize_t number = PyNumber_AsSsize_t(limit, PyExc_OverflowError);
    if (number == -1 && PyErr_Occurred() != nullptr) return false;
    if (number < 0) {
      PyErr_SetString(PyExc_ValueError, "limit is negative");
      return false;
    }
    range_.limit = static_cast<std::uint64_t>(number);
    if (number == 0) range_.skip = UINT64_MAX;  // a limit of 0 means all of them to the C interface
    return true;
  }

  utan_range range_{};
  utan_value values_[3]{};
  Scratch scratches_[3];
};

PyDoc_STRVAR(
    range_doc,
    "range($self, low=None, high=None, *, inclusive=(True, False), prefix=None, reverse=False, limit=None)\n--\n\n"
    "The entries from low to high as (key, value), lazily and as they are now, in the order of the keys, or from\n"
    "the last one on. With a prefix, only keys that are strings (or bytes) and begin so.\n\n"
    "    for name, user in db[\"users\"].range(\"a\", \"c\", limit=10): ...\n"
    "    for path, page in db[\"pages\"].range(prefix=\"/blog/\"): ...");
PyObject* sorted_range(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  GivenRange given;
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy) || !given.take(proxy, "range", true, arguments, count, names)) return nullptr;
  return iterate(proxy, Part::items, given.range());
}

using RangeCall = utan_code(utan_container*, const utan_range*, std::uint64_t*);
template <RangeCall call>
PyObject* call_with_range(const char* function, PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                          PyObject* names) {
  GivenRange given;
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy) || !given.take(proxy, function, false, arguments, count, names)) return nullptr;
  std::uint64_t number = 0;
  const utan_code code = call(proxy->container, given.range(), &number);
  return code == UTAN_OK ? PyLong_FromUnsignedLongLong(number) : fail(state_of(proxy), code);
}
PyDoc_STRVAR(count_range_doc,
             "count_range($self, low=None, high=None, *, inclusive=(True, False), prefix=None)\n--\n\n"
             "How many entries range() would give, without going over them.");
PyObject* sorted_count_range(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  return call_with_range<utan_count_range>("count_range", self, arguments, count, names);
}
PyDoc_STRVAR(delete_range_doc,
             "delete_range($self, low=None, high=None, *, inclusive=(True, False), prefix=None)\n--\n\n"
             "Removes the entries that range() would give, in one commit, and returns how many there were.");
PyObject* sorted_delete_range(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  return call_with_range<utan_delete_range>("delete_range", self, arguments, count, names);
}

// --- Table

PyDoc_STRVAR(table_set_doc, "set($self, key, value)\n--\n\nThe same as table[key] = value.");
PyObject* table_set(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  PyObject* given[2] = {};
  static const Signature signature{"set", {"key", "value"}, 2, 2};
  if (!read_arguments(signature, arguments, count, names, given)) return nullptr;
  return mapping_assign(self, given[0], given[1]) == 0 ? none() : nullptr;
}
PyDoc_STRVAR(table_add_doc,
             "add($self, key, value)\n--\n\nSets the key only if it is absent, and says whether it was.\n\n"
             "    if jobs.add(name, \"mine\"): ...");
PyObject* table_add(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  PyObject* given[2] = {};
  static const Signature signature{"add", {"key", "value"}, 2, 2};
  Proxy* const proxy = as_proxy(self);
  if (!read_arguments(signature, arguments, count, names, given) || !expect_open(proxy)) return nullptr;
  utan_value key{};
  Scratch scratch;
  if (!take_key(state_of(proxy), given[0], key, scratch)) return nullptr;
  Given value(proxy->attachment);
  if (!value.take(given[1], given[0]) || !expect_open(proxy)) return nullptr;
  const utan_code code = utan_add(proxy->container, &key, value.value());
  if (code == UTAN_EXISTS) return boolean(false);
  return code == UTAN_OK ? boolean(true) : fail(state_of(proxy), code);
}

// --- Making new ones

utan_type type_number(const State& state, PyTypeObject* type) {
  if (type == state.dict_type) return UTAN_DICT;
  return type == state.collection_type ? UTAN_COLLECTION : UTAN_TABLE;
}

// Dict(db, mapping=(), /, **items), Collection(db, items=(), *, multi=False), Table(db, items=())
PyObject* mapping_new(PyTypeObject* type, PyObject* arguments, PyObject* named) {
  State& state = state_of_type(type);
  const Py_ssize_t count = PyTuple_GET_SIZE(arguments);
  if (!expect_count(type->tp_name, count, 1, 2)) return nullptr;
  PyObject* const of = PyTuple_GET_ITEM(arguments, 0);
  if (!PyObject_TypeCheck(of, state.store_type))
    return PyErr_Format(PyExc_TypeError, "a container is made for a store, not for '%s'", Py_TYPE(of)->tp_name);
  if (!expect_open(as_proxy(of))) return nullptr;
  Attachment* const attachment = as_proxy(of)->attachment;
  const utan_type number = type_number(state, type);
  PyObject* from = count == 2 ? PyTuple_GET_ITEM(arguments, 1) : nullptr;
  PyObject* items = named;
  if (number != UTAN_DICT && named != nullptr) {
    items = nullptr;
    PyObject* const multi = number == UTAN_COLLECTION ? PyDict_GetItemString(named, "multi") : nullptr;
    PyObject* const given_items = PyDict_GetItemString(named, "items");
    if (given_items != nullptr && from == nullptr) from = given_items;
    const Py_ssize_t known = (multi != nullptr ? 1 : 0) + (given_items != nullptr && count == 1 ? 1 : 0);
    if (PyDict_GET_SIZE(named) != known)
      return PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument", type->tp_name);
    if (multi != nullptr && PyObject_IsTrue(multi) != 0) {
      if (PyErr_Occurred() == nullptr)
        PyErr_SetString(PyExc_ValueError, "this version has no collections with several values for a key");
      return nullptr;
    }
  }
  Builder builder(attachment);
  if (!builder.begin(number) || !builder.add_entries(from, items) || !builder.end() || !expect_open(as_proxy(of)))
    return nullptr;
  return make_container(attachment, number, builder.is_much(), builder.data());
}

// --- Types

PyMethodDef mapping_methods[] = {{"get", method(mapping_get), METH_FASTCALL, get_doc},
                                 {"pop", method(mapping_pop), METH_FASTCALL, pop_doc},
                                 {"popitem", method(mapping_popitem), METH_NOARGS, popitem_doc},
                                 {"setdefault", method(mapping_setdefault), METH_FASTCALL, setdefault_doc},
                                 {"update", method(mapping_update), METH_VARARGS | METH_KEYWORDS, update_doc},
                                 {"keys", method(mapping_keys), METH_NOARGS, keys_doc},
                                 {"values", method(mapping_values), METH_NOARGS, values_doc},
                                 {"items", method(mapping_items), METH_NOARGS, items_doc},
                                 {"_ipython_key_completions_", method(mapping_completions), METH_NOARGS, nullptr},
                                 {nullptr, nullptr, 0, nullptr}};
PyMethodDef sorted_methods[] = {
    {"__reversed__", method(sorted_reversed), METH_NOARGS, "The keys, from the last one on."},
    {"first", method(end_of<utan_first>), METH_NOARGS, first_doc},
    {"last", method(end_of<utan_last>), METH_NOARGS, last_doc},
    {"floor", method(nearest_to<utan_floor>), METH_O, floor_doc},
    {"ceiling", method(nearest_to<utan_ceiling>), METH_O, ceiling_doc},
    {"range", method(sorted_range), METH_FASTCALL | METH_KEYWORDS, range_doc},
    {"count_range", method(sorted_count_range), METH_FASTCALL | METH_KEYWORDS, count_range_doc},
    {"delete_range", method(sorted_delete_range), METH_FASTCALL | METH_KEYWORDS, delete_range_doc},
    {nullptr, nullptr, 0, nullptr}};
PyMethodDef table_methods[] = {{"set", method(table_set), METH_FASTCALL | METH_KEYWORDS, table_set_doc},
                               {"add", method(table_add), METH_FASTCALL | METH_KEYWORDS, table_add_doc},
                               {nullptr, nullptr, 0, nullptr}};

PyMemberDef container_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Proxy, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyDoc_STRVAR(container_doc, "A container of a store: live, and edited in place.");
PyType_Slot container_slots[] = {{Py_tp_doc, const_cast<char*>(container_doc)},
                                 {Py_tp_dealloc, slot(free_proxy)},
                                 {Py_tp_repr, slot(container_repr)},
                                 {Py_tp_richcompare, slot(container_compare)},
                                 {Py_tp_hash, slot(PyObject_HashNotImplemented)},
                                 {Py_tp_methods, container_methods},
                                 {Py_tp_members, container_members},
                                 {0, nullptr}};
PyType_Slot mapping_slots[] = {{Py_tp_methods, mapping_methods},
                               {Py_tp_iter, slot(mapping_iterate)},
                               {Py_mp_subscript, slot(mapping_subscript)},
                               {Py_mp_ass_subscript, slot(mapping_assign)},
                               {Py_mp_length, slot(container_length)},
                               {Py_sq_contains, slot(mapping_contains)},
                               {Py_nb_or, slot(mapping_or)},
                               {Py_nb_inplace_or, slot(mapping_or_in_place)},
                               {0, nullptr}};
PyType_Slot sorted_slots[] = {{Py_tp_methods, sorted_methods}, {0, nullptr}};

PyDoc_STRVAR(
    dict_doc,
    "Dict(db, mapping=(), /, **items)\n--\n\n"
    "A new Dict of the store, which nothing names yet: assign it somewhere. A Dict is what a plain dict becomes when\n"
    "it is stored: everything a dict has, live, in the order of its keys.\n\n"
    "    joe = utan.Dict(db, name=\"Joe\", mails=[])\n"
    "    db[\"users\"][\"joe\"] = db[\"newest\"] = joe        # the same one in two places");
PyType_Slot dict_slots[] = {{Py_tp_doc, const_cast<char*>(dict_doc)}, {Py_tp_new, slot(mapping_new)}, {0, nullptr}};
PyDoc_STRVAR(
    collection_doc,
    "Collection(db, items=(), *, multi=False)\n--\n\n"
    "A new Collection of the store, which nothing names yet. A Collection is a mapping in the order of its keys, for\n"
    "many entries: null < numbers < datetimes < UUIDs < bytes < strings < tuples.\n\n"
    "    log = db.collection(\"log\")\n"
    "    log[datetime.now()] = \"started\"\n"
    "    newest, text = log.last()");
PyType_Slot collection_slots[] = {
    {Py_tp_doc, const_cast<char*>(collection_doc)}, {Py_tp_new, slot(mapping_new)}, {0, nullptr}};
PyDoc_STRVAR(table_doc,
             "Table(db, items=())\n--\n\n"
             "A new Table of the store, which nothing names yet. A Table is a mapping in no order: the fastest by "
             "single key.\n\n"
             "    pages = db.table(\"pages\")\n"
             "    pages[url] = body");
PyType_Slot table_slots[] = {{Py_tp_doc, const_cast<char*>(table_doc)},
                             {Py_tp_new, slot(mapping_new)},
                             {Py_tp_methods, table_methods},
                             {0, nullptr}};

// Immutable as built-in types are: an object must not become one of another class, whose functions would not fit it.
constexpr unsigned own_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE;
constexpr unsigned base_flags = own_flags | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION;
constexpr unsigned mapping_flags = own_flags | Py_TPFLAGS_MAPPING;
PyType_Spec container_spec = {"utan._utan.Container", sizeof(Proxy), 0, base_flags, container_slots};
PyType_Spec mapping_spec = {"utan._utan.Mapping", sizeof(Proxy), 0, base_flags | Py_TPFLAGS_MAPPING, mapping_slots};
PyType_Spec sorted_spec = {"utan._utan.Sorted", sizeof(Proxy), 0, base_flags | Py_TPFLAGS_MAPPING, sorted_slots};
PyType_Spec dict_spec = {"utan.Dict", sizeof(Proxy), 0, mapping_flags, dict_slots};
PyType_Spec collection_spec = {"utan.Collection", sizeof(Proxy), 0, mapping_flags, collection_slots};
PyType_Spec table_spec = {"utan.Table", sizeof(Proxy), 0, mapping_flags, table_slots};

}  // namespace

bool make_container_types(State& state, PyObject* module) {
  state.container_type = make_type(module, &container_spec, nullptr);
  if (state.container_type == nullptr) return false;
  state.mapping_type = make_type(module, &mapping_spec, state.container_type);
  if (state.mapping_type == nullptr) return false;
  state.sorted_type = make_type(module, &sorted_spec, state.mapping_type);
  if (state.sorted_type == nullptr) return false;
  state.dict_type = make_type(module, &dict_spec, state.sorted_type);
  state.collection_type = make_type(module, &collection_spec, state.sorted_type);
  state.table_type = make_type(module, &table_spec, state.mapping_type);
  if (state.dict_type == nullptr || state.collection_type == nullptr || state.table_type == nullptr) return false;
  return PyModule_AddType(module, state.dict_type) == 0 && PyModule_AddType(module, state.collection_type) == 0 &&
         PyModule_AddType(module, state.table_type) == 0;
}

}  // namespace utan::python
