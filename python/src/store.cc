// Stores and snapshots as users see them: the mapping of the root, and what is done with the whole.

#include <chrono>

#include "store.h"
#include "values.h"

namespace utan::python {

namespace {

StoreObject* as_store(PyObject* object) { return reinterpret_cast<StoreObject*>(object); }

void store_free(PyObject* self) {
  unlist_store(as_store(self));
  free_proxy(self);
}

bool expect_no_snapshot(PyObject* self, const char* operation) {
  if (as_proxy(self)->attachment->parent == nullptr) return true;
  fail(state_of(as_proxy(self)), UTAN_READ_ONLY, operation);
  return false;
}

// --- The containers under names

PyObject* named(PyObject* self, PyObject* name, utan_type type) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  if (!PyUnicode_Check(name))
    return PyErr_Format(PyExc_TypeError, "a name is a string, not '%s'", Py_TYPE(name)->tp_name);
  Py_ssize_t size = 0;
  const char* const text = PyUnicode_AsUTF8AndSize(name, &size);
  if (text == nullptr) return nullptr;
  utan_container* found = nullptr;
  const utan_code code = utan_named(proxy->attachment->store, text, static_cast<std::size_t>(size), type, 1, &found);
  if (code == UTAN_OK) return take_container(proxy->attachment, found);
  return code == UTAN_NOT_FOUND ? fail_missing(name) : fail(state_of(proxy), code);
}

PyDoc_STRVAR(dict_doc,
             "dict($self, name, /)\n--\n\nThe Dict under this key of the root, made if it is missing. TypeError if "
             "another kind is there.");
PyObject* store_dict(PyObject* self, PyObject* name) { return named(self, name, UTAN_DICT); }
PyDoc_STRVAR(list_doc,
             "list($self, name, /)\n--\n\nThe List under this key of the root, made if it is missing. TypeError if "
             "another kind is there.");
PyObject* store_list(PyObject* self, PyObject* name) { return named(self, name, UTAN_LIST); }
PyDoc_STRVAR(table_doc,
             "table($self, name, /)\n--\n\nThe Table under this key of the root, made if it is missing. TypeError if "
             "another kind is there.");
PyObject* store_table(PyObject* self, PyObject* name) { return named(self, name, UTAN_TABLE); }
PyDoc_STRVAR(collection_doc,
             "collection($self, name, multi=False)\n--\n\n"
             "The Collection under this key of the root, made if it is missing. TypeError if another kind is there.");
PyObject* store_collection(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  PyObject* given[2] = {nullptr, Py_False};
  static const Signature signature{"collection", {"name", "multi"}, 2, 1};
  if (!read_arguments(signature, arguments, count, names, given)) return nullptr;
  const int multi = PyObject_IsTrue(given[1]);
  if (multi < 0) return nullptr;
  if (multi == 1) {
    PyErr_SetString(PyExc_ValueError, "this version has no collections with several values for a key");
    return nullptr;
  }
  return named(self, given[0], UTAN_COLLECTION);
}

// --- Care

PyDoc_STRVAR(sync_doc,
             "sync($self, /)\n--\n\nMakes every commit so far durable: when it returns, a power cut loses none of "
             "them. Writes nothing if nothing\n"
             "changed.");
PyObject* store_sync(PyObject* self, PyObject*) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy) || !expect_no_snapshot(self, "a snapshot has nothing to sync")) return nullptr;
  const utan_code code = call_released(proxy->attachment, [&] { return utan_sync(proxy->attachment->store); });
  return code == UTAN_OK ? none() : fail(state_of(proxy), code);
}

bool put_number(PyObject* dict, const char* name, std::uint64_t number) {
  const Ref object(PyLong_FromUnsignedLongLong(number));
  return object && PyDict_SetItemString(dict, name, object.get()) == 0;
}

PyDoc_STRVAR(
    stats_doc,
    "stats($self, /)\n--\n\n"
    "Numbers about the store, as a dict: file_size, used_size and free_size in bytes, commit_number, durable_number\n"
    "(the newest commit that a power cut does not lose), process_count, thread_count, pin_count (commits that are\n"
    "held readable), oldest_pin_number, and more.");
PyObject* store_stats(PyObject* self, PyObject*) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  utan_store_stats stats{};
  stats.struct_size = sizeof stats;
  utan_code code;
  {
    const Released released(proxy->attachment);
    code = utan_stats(proxy->attachment->store, &stats);
  }
  if (code != UTAN_OK) return fail(state_of(proxy), code);
  const std::pair<const char*, std::uint64_t> numbers[] = {
      {"file_size", stats.file_size},
      {"commit_number", stats.commit_number},
      {"durable_number", stats.durable_number},
      {"used_size", stats.used_size},
      {"free_size", stats.free_size},
      {"segment_count", stats.segment_count},
      {"empty_segment_count", stats.empty_segment_count},
      {"process_count", stats.process_count},
      {"thread_count", stats.thread_count},
      {"pin_count", stats.pin_count},
      {"oldest_pin_number", stats.oldest_pin_number},
      {"leaked_count_max", stats.leaked_count_max},
      {"incarnation", stats.incarnation},
  };
  Ref out(PyDict_New());
  for (const auto& [name, number] : numbers) {
    if (!out || !put_number(out.get(), name, number)) return nullptr;
  }
  return out.release();
}

// What is noted of processes, before Python objects are made of it.
struct Processes {
  std::vector<utan_process> found;
  bool no_memory;
};

void note_process(void* context, const utan_process* process) {
  auto* const processes = static_cast<Processes*>(context);
  try {
    processes->found.push_back(*process);
  } catch (...) {
    processes->no_memory = true;
  }
}

PyObject* process_object(const utan_process& process) {
  Ref out(PyDict_New());
  if (!out || !put_number(out.get(), "process_id", process.process_id) ||
      !put_number(out.get(), "started_ns", process.started_ns) ||
      !put_number(out.get(), "thread_count", process.thread_count) ||
      !put_number(out.get(), "pin_count", process.pin_count) ||
      !put_number(out.get(), "oldest_pin_number", process.oldest_pin_number) ||
      PyDict_SetItemString(out.get(), "is_caller", process.is_caller != 0 ? Py_True : Py_False) < 0 ||
      PyDict_SetItemString(out.get(), "read_only", process.read_only != 0 ? Py_True : Py_False) < 0)
    return nullptr;
  return out.release();
}

PyDoc_STRVAR(
    processes_doc,
    "processes($self, /)\n--\n\n"
    "Who has the store open, as a list of dicts: process_id, started_ns (since 1970), thread_count, pin_count and\n"
    "oldest_pin_number (commits that it holds readable), is_caller, read_only. One that was killed is among them "
    "until\n"
    "another one takes over what it left.");
PyObject* store_processes(PyObject* self, PyObject*) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  Processes processes{{}, false};
  utan_code code;
  {
    const Released released(proxy->attachment);
    code = utan_processes(proxy->attachment->store, note_process, &processes);
  }
  if (code != UTAN_OK) return fail(state_of(proxy), code);
  if (processes.no_memory) return PyErr_NoMemory();
  Ref out(PyList_New(0));
  for (const utan_process& process : processes.found) {
    const Ref one(process_object(process));
    if (!out || !one || PyList_Append(out.get(), one.get()) < 0) return nullptr;
  }
  return out.release();
}

// What a check tells while it runs, without the interpreter's lock.
struct Checking {
  Released* released;
  PyObject* progress;  // null: nobody asked
  std::vector<std::string> problems;
  bool no_memory;
  PyObject* error_type;  // null: nothing was raised meanwhile
  PyObject* error_value;
  PyObject* error_trace;
  std::chrono::steady_clock::time_point asked;  // whether there was a signal
};

void note_problem(void* context, const char* text) {
  auto* const checking = static_cast<Checking*>(context);
  try {
    checking->problems.emplace_back(text);
  } catch (...) {
    checking->no_memory = true;
  }
}

// What it raises ends the check.
void call_progress(void* context, std::uint64_t block_count) {
  auto* const checking = static_cast<Checking*>(context);
  if (checking->error_type != nullptr) return;
  checking->released->with_lock([&] {
    const Ref answer(
        PyObject_CallFunction(checking->progress, "KO", static_cast<unsigned long long>(block_count), Py_None));
    if (!answer) PyErr_Fetch(&checking->error_type, &checking->error_value, &checking->error_trace);
  });
}

// A signal ends the check, if its handler raises something. Asked so rarely that taking the lock costs nothing.
int stop_check(void* context) {
  auto* const checking = static_cast<Checking*>(context);
  if (checking->error_type != nullptr) return 1;
  const auto now = std::chrono::steady_clock::now();
  if (now - checking->asked < std::chrono::milliseconds(20)) return 0;
  checking->asked = now;
  checking->released->with_lock([&] {
    if (PyErr_CheckSignals() < 0) PyErr_Fetch(&checking->error_type, &checking->error_value, &checking->error_trace);
  });
  return checking->error_type != nullptr ? 1 : 0;
}

PyObject* problems_of(const Checking& checking) {
  Ref out(PyList_New(0));
  for (const std::string& text : checking.problems) {
    const Ref object(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
    if (!out || !object || PyList_Append(out.get(), object.get()) < 0) return nullptr;
  }
  return out.release();
}

PyObject* report_object(const utan_check_report& report, const Checking& checking) {
  const std::pair<const char*, std::uint64_t> numbers[] = {
      {"problem_count", report.problem_count},
      {"commit_number", report.commit_number},
      {"file_size", report.file_size},
      {"container_count", report.container_count},
      {"dict_count", report.dict_count},
      {"list_count", report.list_count},
      {"collection_count", report.collection_count},
      {"table_count", report.table_count},
      {"orphan_count", report.orphan_count},
      {"unreachable_count", report.unreachable_count},
      {"entry_count", report.entry_count},
      {"element_count", report.element_count},
      {"block_count", report.block_count},
      {"record_size", report.record_size},
      {"value_size", report.value_size},
      {"node_size", report.node_size},
      {"commit_size", report.commit_size},
  };
  Ref out(PyDict_New());
  const Ref problems(problems_of(checking));
  if (!out || !problems || PyDict_SetItemString(out.get(), "problems", problems.get()) < 0) return nullptr;
  for (const auto& [name, number] : numbers) {
    if (!put_number(out.get(), name, number)) return nullptr;
  }
  return out.release();
}

PyDoc_STRVAR(
    check_doc,
    "check($self, progress=None)\n--\n\n"
    "Looks at every byte of the newest commit, or of the snapshot, while others go on, and returns what it "
    "found, as a\n"
    "dict: \"problems\" is a list of texts, empty if the store is sound. `progress` is called now and then "
    "with how many\n"
    "blocks were looked at, and None, as it is not known how many there are; what it raises ends the check.\n\n"
    "    assert db.check()[\"problems\"] == []");
PyObject* store_check(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  PyObject* given[1] = {Py_None};
  static const Signature signature{"check", {"progress"}, 1, 0};
  Proxy* const proxy = as_proxy(self);
  if (!read_arguments(signature, arguments, count, names, given) || !expect_open(proxy)) return nullptr;
  Checking checking{nullptr, given[0] == Py_None ? nullptr : given[0], {}, false, nullptr, nullptr,
                    nullptr, std::chrono::steady_clock::now()};
  utan_check_options options{};
  options.struct_size = sizeof options;
  options.problem = note_problem;
  options.progress = checking.progress == nullptr ? nullptr : call_progress;
  options.context = &checking;
  options.stop = stop_check;
  utan_check_report report{};
  report.struct_size = sizeof report;
  utan_code code;
  {
    Released released(proxy->attachment);
    checking.released = &released;
    code = utan_check(proxy->attachment->store, &options, &report);
  }
  if (checking.error_type != nullptr) {
    PyErr_Restore(checking.error_type, checking.error_value, checking.error_trace);
    return nullptr;
  }
  if (checking.no_memory) return PyErr_NoMemory();
  return code == UTAN_OK ? report_object(report, checking) : fail(state_of(proxy), code);
}

PyDoc_STRVAR(snapshot_doc,
             "snapshot($self, /)\n--\n\n"
             "The whole store at this instant, as a store that cannot be written, while others go on. Space that it "
             "alone still\n"
             "sees is not used again until it is closed.\n\n"
             "    with db.snapshot() as then: ...");
PyObject* store_snapshot(PyObject* self, PyObject*) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  Attachment* const snapshot = open_snapshot(proxy->attachment);
  return snapshot == nullptr ? nullptr : make_store(snapshot);
}

PyDoc_STRVAR(
    close_doc,
    "close($self, /)\n--\n\n"
    "Closes this handle. With the last one of this process the store is left: what is owed is written, and all that "
    "was\n"
    "got from it raises ClosedError from then on. The last process to close a changed store makes it durable.");
PyObject* store_close(PyObject* self, PyObject*) { return close_handle(as_store(self)) ? none() : nullptr; }

PyObject* store_enter(PyObject* self, PyObject*) {
  if (!expect_open(as_proxy(self))) return nullptr;
  return Py_NewRef(self);
}
PyObject* store_exit(PyObject* self, PyObject* const*, Py_ssize_t) { return store_close(self, nullptr); }

// --- Attributes

PyObject* store_root(PyObject* self, void*) {
  Proxy* const proxy = as_proxy(self);
  if (!expect_open(proxy)) return nullptr;
  utan_container* root = nullptr;
  const utan_code code = utan_root(proxy->attachment->store, &root);
  return code == UTAN_OK ? take_container(proxy->attachment, root) : fail(state_of(proxy), code);
}
PyObject* store_path(PyObject* self, void*) {
  return PyUnicode_DecodeFSDefault(as_proxy(self)->attachment->path.c_str());
}
PyObject* store_closed(PyObject* self, void*) { return boolean(as_proxy(self)->container == nullptr); }
PyObject* store_read_only(PyObject* self, void*) { return boolean(as_proxy(self)->attachment->read_only); }

PyObject* store_repr(PyObject* self) {
  const Proxy* const proxy = as_proxy(self);
  const Ref path(store_path(self, nullptr));
  if (!path) return nullptr;
  const char* const kind = proxy->attachment->parent != nullptr ? "snapshot of " : "";
  return PyUnicode_FromFormat("<utan.Store: %s%U%s>", kind, path.get(), proxy->container == nullptr ? ", closed" : "");
}

PyGetSetDef attributes[] = {
    {"root", store_root, nullptr, "The Collection that names the others; the store itself is its mapping.", nullptr},
    {"path", store_path, nullptr, "Where the file is.", nullptr},
    {"closed", store_closed, nullptr, "Has it been closed?", nullptr},
    {"read_only", store_read_only, nullptr, "Is it a snapshot, or opened with mode \"r\"?", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMethodDef methods[] = {{"dict", method(store_dict), METH_O, dict_doc},
                         {"list", method(store_list), METH_O, list_doc},
                         {"collection", method(store_collection), METH_FASTCALL | METH_KEYWORDS, collection_doc},
                         {"table", method(store_table), METH_O, table_doc},
                         {"snapshot", method(store_snapshot), METH_NOARGS, snapshot_doc},
                         {"sync", method(store_sync), METH_NOARGS, sync_doc},
                         {"stats", method(store_stats), METH_NOARGS, stats_doc},
                         {"processes", method(store_processes), METH_NOARGS, processes_doc},
                         {"check", method(store_check), METH_FASTCALL | METH_KEYWORDS, check_doc},
                         {"close", method(store_close), METH_NOARGS, close_doc},
                         {"__enter__", method(store_enter), METH_NOARGS, nullptr},
                         {"__exit__", method(store_exit), METH_FASTCALL, nullptr},
                         {nullptr, nullptr, 0, nullptr}};

PyDoc_STRVAR(store_doc,
             "A store that is open, or a snapshot of one: the mapping of its root. Made by utan.open.\n\n"
             "    with utan.open(\"app.utan\") as db:\n"
             "        db[\"users\"] = {\"joe\": {\"age\": 27}}\n"
             "        db[\"users\"][\"joe\"][\"age\"] += 1");
PyType_Slot slots[] = {{Py_tp_doc, const_cast<char*>(store_doc)},
                       {Py_tp_dealloc, slot(store_free)},
                       {Py_tp_repr, slot(store_repr)},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, attributes},
                       {0, nullptr}};
PyType_Spec spec = {
    "utan.Store", sizeof(StoreObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_MAPPING | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

bool make_store_type(State& state, PyObject* module) {
  state.store_type = make_type(module, &spec, state.sorted_type);
  return state.store_type != nullptr && PyModule_AddType(module, state.store_type) == 0;
}

PyObject* make_store(Attachment* attachment) {
  State& state = *attachment->state;
  utan_container* root = nullptr;
  const utan_code code = utan_root(attachment->store, &root);
  PyObject* const self = code == UTAN_OK ? state.store_type->tp_alloc(state.store_type, 0) : fail(state, code);
  if (self == nullptr) {
    utan_container_close(root);
    let_go(attachment);
    return nullptr;
  }
  StoreObject* const store = as_store(self);
  store->root.attachment = attachment;
  store->root.container = root;
  store->root.id = utan_container_id(root);
  list_store(store);
  return self;
}

}  // namespace utan::python
