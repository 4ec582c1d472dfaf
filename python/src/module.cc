// The module utan._utan: what `import utan` gives.
#include <cstring>

#include "moment.h"
#include "store.h"
#include "values.h"

namespace utan::python {

namespace {

State& state_of_module(PyObject* module) { return *static_cast<State*>(PyModule_GetState(module)); }

// --- open()

bool take_mode(PyObject* object, std::uint32_t& mode) {
  static constexpr std::pair<const char*, std::uint32_t> modes[] = {
      {"c", UTAN_CREATE}, {"w", UTAN_EXISTING}, {"r", UTAN_READ_ONLY_MODE}, {"n", UTAN_NEW}};
  for (const auto& [name, number] : modes) {
    if (PyUnicode_Check(object) && PyUnicode_CompareWithASCIIString(object, name) == 0) {
      mode = number;
      return true;
    }
  }
  PyErr_Format(PyExc_ValueError, "mode is \"c\", \"w\", \"r\" or \"n\", not %R", object);
  return false;
}

bool take_durability(PyObject* object, std::uint32_t& durability) {
  if (object == Py_None) return true;
  if (PyUnicode_Check(object) && PyUnicode_CompareWithASCIIString(object, "manual") == 0) {
    durability = UTAN_DURABILITY_MANUAL;
    return true;
  }
  PyErr_Format(PyExc_ValueError, "this version has the durability \"manual\" alone, not %R", object);
  return false;
}

bool take_chunk_size(PyObject* object, std::uint64_t& size) {
  if (object == Py_None) return true;
  if (!PyLong_Check(object)) {
    PyErr_Format(PyExc_TypeError, "chunk_size is a number of bytes, not '%s'", Py_TYPE(object)->tp_name);
    return false;
  }
  size = PyLong_AsUnsignedLongLong(object);
  if (size == static_cast<std::uint64_t>(-1) && PyErr_Occurred() != nullptr) return false;
  if (size != 0) return true;
  PyErr_SetString(PyExc_ValueError, "chunk_size is from 64 KiB to 1 GiB");
  return false;
}

PyDoc_STRVAR(
    open_doc,
    "open($module, path, mode=\"c\", *, durability=None, interval=None, chunk_size=None, pickle=False)\n--\n\n"
    "Opens a store: one file, used by any number of processes at once.\n\n"
    "    with utan.open(\"app.utan\") as db:\n"
    "        db[\"users\"] = {\"joe\": {\"age\": 27}}\n\n"
    "path: a string or path, or \":memory:\" for a private store that is gone when it is closed.\n"
    "mode: \"c\" makes it if it is missing, \"w\" must find it, \"r\" only reads it, \"n\" puts a new one in its "
    "place, which\n"
    "      is an error if anybody has it open.\n"
    "durability: \"manual\", the only one of this version: a power cut may lose what came after the last sync() or "
    "close().\n"
    "interval, pickle: of versions to come.\n"
    "chunk_size: the file grows by this many bytes at most at once. None keeps what the store has.\n\n"
    "The same file opened twice in a process is open once, until both are closed. Opening writes nothing to an "
    "existing\n"
    "store. Errors: FileNotFoundError, PermissionError, FormatError, VersionError, CorruptionError, NoSpaceError,\n"
    "TimeoutError.");
PyObject* module_open(PyObject* module, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  PyObject* given[6] = {nullptr, nullptr, Py_None, Py_None, Py_None, Py_False};
  static const Signature signature{"open", {"path", "mode", "durability", "interval", "chunk_size", "pickle"}, 2, 1};
  if (!read_arguments(signature, arguments, count, names, given)) return nullptr;
  utan_open_options options{};
  options.struct_size = sizeof options;
  if (given[1] != nullptr && !take_mode(given[1], options.mode)) return nullptr;
  if (!take_durability(given[2], options.durability) || !take_chunk_size(given[4], options.chunk_size)) return nullptr;
  const int pickle = PyObject_IsTrue(given[5]);
  if (pickle < 0) return nullptr;
  if (given[3] != Py_None || pickle == 1) {
    PyErr_SetString(PyExc_ValueError, "interval and pickle are not in this version");
    return nullptr;
  }
  State& state = state_of_module(module);
  if (PyUnicode_Check(given[0]) && PyUnicode_CompareWithASCIIString(given[0], ":memory:") == 0) {
    if (options.mode == UTAN_EXISTING || options.mode == UTAN_READ_ONLY_MODE) {
      PyErr_SetString(PyExc_ValueError, "a store in memory is always new: its mode is \"c\" or \"n\"");
      return nullptr;
    }
    Attachment* const attachment = open_private(state, options);
    return attachment == nullptr ? nullptr : make_store(attachment);
  }
  PyObject* converted = nullptr;
  if (PyUnicode_FSConverter(given[0], &converted) == 0) return nullptr;
  const Ref path(converted);
  if (PyBytes_GET_SIZE(path.get()) == 0) {
    PyErr_SetString(PyExc_ValueError, "the path is empty");
    return nullptr;
  }
  Attachment* const attachment = open_attachment(state, PyBytes_AS_STRING(path.get()), options);
  return attachment == nullptr ? nullptr : make_store(attachment);
}

// --- Pickled proxies and stores

// A reference to the attachment of the path: one that is open, or a new one, which ends with what was made of it.
Attachment* attachment_at(State& state, const char* path, bool read_only) {
  utan_open_options options{};
  options.struct_size = sizeof options;
  options.mode = read_only ? UTAN_READ_ONLY_MODE : UTAN_EXISTING;
  return open_attachment(state, path, options);
}

PyObject* open_pickled(PyObject* module, PyObject* arguments) {
  PyObject* path_object = nullptr;
  unsigned long long id = 0;
  int read_only = 0;
  unsigned int type = 0;
  if (PyArg_ParseTuple(arguments, "OKiI", &path_object, &id, &read_only, &type) == 0) return nullptr;
  PyObject* converted = nullptr;
  if (PyUnicode_FSConverter(path_object, &converted) == 0) return nullptr;
  const Ref path(converted);
  State& state = state_of_module(module);
  Attachment* const attachment = attachment_at(state, PyBytes_AS_STRING(path.get()), read_only != 0);
  if (attachment == nullptr) return nullptr;
  if (id == 0) return make_store(attachment);
  PyObject* out = nullptr;
  const auto known = attachment->proxies.find(id);
  if (known != attachment->proxies.end()) {
    out = Py_NewRef(as_object(known->second));
  } else {
    utan_container* container = nullptr;
    const utan_code code = utan_container_open(attachment->store, id, &container);
    // Not here: an error would end who unpickles, as the thread by which a pool gets its results.
    if (code == UTAN_GONE) {
      out = make_gone(attachment, type, id);
    } else {
      out = code == UTAN_OK ? take_container(attachment, container) : fail(state, code);
    }
  }
  let_go(attachment);
  return out;
}

// --- JSON

PyDoc_STRVAR(json_default_doc,
             "json_default($module, object, /)\n--\n\n"
             "For json.dumps: what plain JSON has no form for. Containers become dicts and lists, datetimes, UUIDs and "
             "bytes the\n"
             "lossless form of to_json().\n\n"
             "    json.dumps({\"users\": db[\"users\"]}, default=utan.json_default)");
PyObject* json_default(PyObject* module, PyObject* object) {
  if (is_proxy(state_of_module(module), object)) return native(as_proxy(object));
  const Ref other(PyImport_ImportModule("utan._json"));
  return other ? PyObject_CallMethod(other.get(), "default", "O", object) : nullptr;
}

// --- The life of the module

PyObject* close_all(PyObject* module, PyObject*) { return shut_all(state_of_module(module)) ? none() : nullptr; }

PyObject* after_fork(PyObject* module, PyObject*) {
  forget_threads(state_of_module(module));
  return none();
}

PyMethodDef functions[] = {{"open", method(module_open), METH_FASTCALL | METH_KEYWORDS, open_doc},
                           {"json_default", method(json_default), METH_O, json_default_doc},
                           {"_open_pickled", method(open_pickled), METH_VARARGS, nullptr},
                           {"_close_all", method(close_all), METH_NOARGS, nullptr},
                           {"_after_fork", method(after_fork), METH_NOARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

bool add_register(PyObject* module) {
  const Ref name(PyModule_GetNameObject(module));
  const Ref function(name ? PyCFunction_NewEx(&register_method, module, name.get()) : nullptr);
  return function && PyModule_AddObjectRef(module, "register", function.get()) == 0;
}

// Says to collections.abc what the types are, and to Python what is to be done at its end and after a fork.
bool tell_python(State& state, PyObject* module) {
  const Ref abc(PyImport_ImportModule("_collections_abc"));
  if (!abc) return false;
  state.mapping_abc = PyObject_GetAttrString(abc.get(), "Mapping");
  state.sequence_abc = PyObject_GetAttrString(abc.get(), "Sequence");
  state.set_abc = PyObject_GetAttrString(abc.get(), "Set");
  if (state.mapping_abc == nullptr || state.sequence_abc == nullptr || state.set_abc == nullptr) return false;
  const std::pair<const char*, PyTypeObject*> classes[] = {
      {"MutableMapping", state.mapping_type}, {"MutableSequence", state.list_type}, {"KeysView", state.keys_type},
      {"ValuesView", state.values_type},      {"ItemsView", state.items_type},
  };
  for (const auto& [name, type] : classes) {
    const Ref base(PyObject_GetAttrString(abc.get(), name));
    const Ref done(base ? PyObject_CallMethod(base.get(), "register", "O", as_object(type)) : nullptr);
    if (!done) return false;
  }
  const Ref at_exit(PyImport_ImportModule("atexit"));
  const Ref close(PyObject_GetAttrString(module, "_close_all"));
  const Ref closing(at_exit && close ? PyObject_CallMethod(at_exit.get(), "register", "O", close.get()) : nullptr);
  const Ref os(closing ? PyImport_ImportModule("os") : nullptr);
  const Ref forget(os ? PyObject_GetAttrString(module, "_after_fork") : nullptr);
  const Ref at_fork(forget ? PyObject_GetAttrString(os.get(), "register_at_fork") : nullptr);
  const Ref nothing(at_fork ? PyTuple_New(0) : nullptr);
  const Ref names(nothing ? Py_BuildValue("{sO}", "after_in_child", forget.get()) : nullptr);
  const Ref forking(names ? PyObject_Call(at_fork.get(), nothing.get(), names.get()) : nullptr);
  return static_cast<bool>(forking);
}

int execute(PyObject* module) {
  State& state = state_of_module(module);
  state.codecs = PyDict_New();
  state.decoders = PyDict_New();
  state.utan_method = PyUnicode_InternFromString("__utan__");
  state.keys_name = PyUnicode_InternFromString("keys");
  state.bytes_name = PyUnicode_InternFromString("bytes");
  state.sort_name = PyUnicode_InternFromString("sort");
  if (state.codecs == nullptr || state.decoders == nullptr || state.utan_method == nullptr ||
      state.keys_name == nullptr || state.bytes_name == nullptr || state.sort_name == nullptr)
    return -1;
  const bool done = make_errors(state, module) && make_container_types(state, module) &&
                    make_list_type(state, module) && make_store_type(state, module) &&
                    make_iterator_type(state, module) && make_view_types(state, module) && add_register(module) &&
                    tell_python(state, module) &&
                    PyModule_AddStringConstant(module, "__version__", utan_version()) == 0;
  return done ? 0 : -1;
}

int traverse(PyObject* module, visitproc visit, void* context) {
  auto* const state = static_cast<State*>(PyModule_GetState(module));
  if (state == nullptr) return 0;
  return visit_state(*state, [&](PyObject* object) { return object == nullptr ? 0 : visit(object, context); });
}

// Proxies that outlive the module's last user still need its types: those stay until the module is freed.
int clear(PyObject* module) {
  auto* const state = static_cast<State*>(PyModule_GetState(module));
  if (state == nullptr) return 0;
  Py_CLEAR(state->codecs);
  Py_CLEAR(state->decoders);
  return 0;
}

void free_module(void* module) {
  auto* const state = static_cast<State*>(PyModule_GetState(static_cast<PyObject*>(module)));
  if (state == nullptr) return;
  utan_data_free(std::exchange(state->spare_data, nullptr));
  visit_state(*state, [](PyObject*& object) {
    Py_CLEAR(object);
    return 0;
  });
}

PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, slot(execute)},
#ifdef Py_mod_gil
    // Attachments and proxies are guarded by the interpreter's lock: a free-threaded interpreter turns it on.
    {Py_mod_gil, Py_MOD_GIL_USED},
#endif
#ifdef Py_mod_multiple_interpreters
    // Everything that changes is in the module's state, of which each interpreter has one. The library below takes threads.
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "utan._utan",
                          "The extension behind the package utan.",
                          sizeof(State),
                          functions,
                          module_slots,
                          traverse,
                          clear,
                          free_module};

}  // namespace

}  // namespace utan::python

PyMODINIT_FUNC PyInit__utan() { return PyModuleDef_Init(&utan::python::definition); }
