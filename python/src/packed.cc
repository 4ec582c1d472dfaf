// Packed values: what a codec encodes to, nested, as bytes.
//
// Each value is one byte that says what it is, the number of its type in utan.h, and its contents: numbers of 8 bytes
// little-endian; everything else after its size. A size is 7 bits a byte, the lowest first, the highest bit set on all but
// the last. Lists, tuples and dicts have their number of parts in its place, and then the parts.
#include <cstring>

#include "values.h"

namespace utan::python {

namespace {

// Beyond the types of values.
enum : unsigned char { packed_list = 65, packed_dict = 66 };

void put_size(std::string& out, std::size_t size) {
  for (; size >= 0x80; size >>= 7) out.push_back(static_cast<char>(size | 0x80));
  out.push_back(static_cast<char>(size));
}

bool put_plain(const utan_value& value, std::string& out) {
  return with_memory([&] {
    out.push_back(static_cast<char>(value.type));
    switch (value.type) {
      case UTAN_NULL:
        return;
      case UTAN_BOOLEAN:
        out.push_back(static_cast<char>(value.integer));
        return;
      case UTAN_INTEGER:
      case UTAN_REAL:
      case UTAN_DATETIME:
      case UTAN_DATETIME_UTC:
        out.append(reinterpret_cast<const char*>(&value.integer), sizeof value.integer);
        return;
      default:
        put_size(out, value.size);
        out.append(static_cast<const char*>(value.data), value.size);
    }
  });
}

bool put_head(std::string& out, unsigned char kind, Py_ssize_t count) {
  return with_memory([&] {
    out.push_back(static_cast<char>(kind));
    put_size(out, static_cast<std::size_t>(count));
  });
}

bool pack_parts(State& state, PyObject* sequence, unsigned char kind, std::string& out) {
  const Ref parts(PySequence_Tuple(sequence));
  if (!parts || !put_head(out, kind, PyTuple_GET_SIZE(parts.get()))) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(parts.get()); ++i) {
    if (!pack(state, PyTuple_GET_ITEM(parts.get(), i), out)) return false;
  }
  return true;
}

bool pack_dict(State& state, PyObject* dict, std::string& out) {
  const Ref copy(PyDict_Copy(dict));
  if (!copy || !put_head(out, packed_dict, PyDict_GET_SIZE(copy.get()))) return false;
  Py_ssize_t position = 0;
  PyObject* key;
  PyObject* value;
  while (PyDict_Next(copy.get(), &position, &key, &value)) {
    if (!pack(state, key, out) || !pack(state, value, out)) return false;
  }
  return true;
}

PyObject* fail_packed(const State& state) {
  return fail(state, UTAN_CORRUPTION, "a value of a codec is not what its first bytes say");
}

bool read_size(const unsigned char*& at, const unsigned char* end, std::size_t& size) {
  size = 0;
  for (unsigned shift = 0; shift < 63; shift += 7) {
    if (at == end) return false;
    const unsigned char byte = *at++;
    size |= static_cast<std::size_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

PyObject* unpack_parts(State& state, bool as_list, std::size_t count, const unsigned char*& at,
                       const unsigned char* end) {
  Ref list(PyList_New(0));
  for (std::size_t i = 0; list && i < count; ++i) {
    const Ref part(unpack(state, at, end));
    if (!part || PyList_Append(list.get(), part.get()) < 0) return nullptr;
  }
  if (!list) return nullptr;
  return as_list ? list.release() : PyList_AsTuple(list.get());
}

PyObject* unpack_dict(State& state, std::size_t count, const unsigned char*& at, const unsigned char* end) {
  Ref out(PyDict_New());
  for (std::size_t i = 0; out && i < count; ++i) {
    const Ref key(unpack(state, at, end));
    if (!key) return nullptr;
    const Ref value(unpack(state, at, end));
    if (!value || PyDict_SetItem(out.get(), key.get(), value.get()) < 0) return nullptr;
  }
  return out.release();
}

}  // namespace

bool pack(State& state, PyObject* object, std::string& out) {
  const Depth depth;
  if (!depth) return false;
  if (PyList_CheckExact(object)) return pack_parts(state, object, packed_list, out);
  if (PyTuple_CheckExact(object)) return pack_parts(state, object, UTAN_TUPLE, out);
  if (PyDict_CheckExact(object)) return pack_dict(state, object, out);
  utan_value value{};
  Scratch scratch;
  Taken taken = take_exact(object, value, scratch);
  if (taken == Taken::other) {
    PyObject* const codec = find_codec(state, object);
    if (codec != nullptr) return take_extended(state, codec, object, value, scratch) && put_plain(value, out);
    if (PyErr_Occurred() != nullptr) return false;
    taken = take_plain(state, object, value, scratch);
  }
  if (taken == Taken::done) return put_plain(value, out);
  if (taken == Taken::other)
    PyErr_Format(PyExc_TypeError, "an object of type '%s' cannot be stored inside a value of a codec",
                 Py_TYPE(object)->tp_name);
  return false;
}

PyObject* unpack(State& state, const unsigned char*& at, const unsigned char* end) {
  const Depth depth;
  if (!depth) return nullptr;
  if (at == end) return fail_packed(state);
  utan_value value{};
  const unsigned char kind = *at++;
  value.type = kind;
  switch (kind) {
    case UTAN_NULL:
      return none();
    case UTAN_BOOLEAN:
      if (at == end) return fail_packed(state);
      return boolean(*at++ != 0);
    case UTAN_INTEGER:
    case UTAN_REAL:
    case UTAN_DATETIME:
    case UTAN_DATETIME_UTC:
      if (end - at < 8) return fail_packed(state);
      std::memcpy(&value.integer, at, 8);
      at += 8;
      return plain_object(state, value);
    default:
      break;
  }
  if (!read_size(at, end, value.size)) return fail_packed(state);
  if (kind == packed_dict) return unpack_dict(state, value.size, at, end);
  if (kind == packed_list || kind == UTAN_TUPLE) return unpack_parts(state, kind == packed_list, value.size, at, end);
  const bool has_bytes = kind == UTAN_BIG_INTEGER || kind == UTAN_UUID || kind == UTAN_BYTES || kind == UTAN_STRING ||
                         kind == UTAN_EXTENDED;
  if (!has_bytes || static_cast<std::size_t>(end - at) < value.size) return fail_packed(state);
  if (kind == UTAN_UUID && value.size != 16) return fail_packed(state);
  value.data = at;
  at += value.size;
  return plain_object(state, value);
}

}  // namespace utan::python
