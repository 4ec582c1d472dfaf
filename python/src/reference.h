// A reference to a Python object that is owned, and small helpers to call Python and to be called.
//
// Thread safety: as Python's objects: with the interpreter's lock held. No exception leaves any function here.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <initializer_list>
#include <utility>

namespace utan::python {

// Owns one reference, or none.
class Ref {
 public:
  Ref() = default;
  // Takes over a reference that the caller owns; null: an error was set, or there is nothing.
  explicit Ref(PyObject* owned) : object_(owned) {}
  // One more reference to an object that somebody else owns.
  static Ref share(PyObject* borrowed) {
    Py_XINCREF(borrowed);
    return Ref(borrowed);
  }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref&& other) noexcept {
    PyObject* const old = std::exchange(object_, std::exchange(other.object_, nullptr));
    Py_XDECREF(old);
    return *this;
  }
  Ref(const Ref&) = delete;
  Ref& operator=(const Ref&) = delete;
  ~Ref() { Py_XDECREF(object_); }

  explicit operator bool() const { return object_ != nullptr; }
  PyObject* get() const { return object_; }
  // Hands the reference over.
  PyObject* release() { return std::exchange(object_, nullptr); }

 private:
  PyObject* object_ = nullptr;
};

// A C function as a method table wants it.
template <class Function>
PyCFunction method(Function* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}
template <class Function>
void* slot(Function* function) {
  return reinterpret_cast<void*>(function);
}

inline PyObject* none() { return Py_NewRef(Py_None); }
inline PyObject* boolean(bool value) { return Py_NewRef(value ? Py_True : Py_False); }
inline PyObject* not_implemented() { return Py_NewRef(Py_NotImplemented); }

// What a function takes. The first `place_count` may be given by place, of these the first `only_by_place` not by name;
// the others by name alone. The first `required_count` must be there.
struct Signature {
  const char* function;
  std::initializer_list<const char*> names;
  Py_ssize_t place_count;
  Py_ssize_t required_count;
  Py_ssize_t only_by_place = 0;
};

// Reads the arguments of a fast call into `out`, one place for each name, which keeps what it had where none is given.
// False: a TypeError was set.
bool read_arguments(const Signature& signature, PyObject* const* arguments, Py_ssize_t count, PyObject* names,
                    PyObject** out);
// Without names, from `least` to `most` arguments.
bool expect_count(const char* function, Py_ssize_t count, Py_ssize_t least, Py_ssize_t most);

}  // namespace utan::python
