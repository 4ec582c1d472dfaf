// Values between Python and the C interface.
//
// In: a Given is one value or key as a call takes it; a Builder is data of any depth, made by a walk over Python objects.
// What a Given refers to is the Python object itself, which the caller keeps alive for the call, or memory of its own.
// Out: a value that was got becomes a Python object and is released.
//
// Thread safety: with the interpreter's lock held; the data may be read without it once it is complete. Complexity: one
// pass over the objects; strings are not copied but into the data.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "moment.h"
#include "state.h"

namespace utan::python {

// Memory for what a value has besides its object: a UUID, a large integer, the elements of a tuple, packed bytes.
class Scratch {
 public:
  unsigned char* small() { return small_; }  // 16 bytes
  // Null: an error was set.
  void* take(std::size_t size);
  // Keeps an object that the value refers to.
  bool keep(Ref object);

 private:
  alignas(8) unsigned char small_[16];
  std::vector<std::unique_ptr<unsigned char[]>> chunks_;
  std::vector<Ref> kept_;
};

enum class Taken { done, other, failed };  // other: it is not of this kind; failed: an error was set

// None, booleans, numbers, strings, bytes, datetimes, UUIDs, and subclasses of these.
Taken take_plain(State& state, PyObject* object, utan_value& out, Scratch& scratch);
// What take_plain takes without looking into more than the object's type; `other` says nothing.
Taken take_exact(PyObject* object, utan_value& out, Scratch& scratch);
// The same of datetimes and UUIDs, for which no codec needs to be looked for.
Taken take_known(State& state, PyObject* object, utan_value& out, Scratch& scratch);
// The class UUID, borrowed, or null without an error if nobody has loaded it.
PyObject* uuid_class(State& state);
// What take_plain takes, and tuples of these. TypeError: it cannot be a key.
bool take_key(State& state, PyObject* object, utan_value& out, Scratch& scratch);

// Data in one piece, built front to back.
class Builder {
 public:
  explicit Builder(Attachment* target) : target_(target), state_(*target->state) {}
  ~Builder();
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  // Messages say that what is built goes to `key` of a container, or to an index.
  void set_place(PyObject* key) { place_ = key; }

  // Each false: an error was set.
  bool begin(utan_type type, std::uint32_t* number = nullptr);
  bool end();
  bool add_key(PyObject* key);
  // Any value, with all below it. `counted`: it is in a plain list or dict, which has a reference for each place that it is
  // in, and the caller has one.
  bool add(PyObject* value, bool counted = false);
  // The entries of a mapping, or of an iterable of pairs, and of keyword arguments; either may be null.
  bool add_entries(PyObject* from, PyObject* named);
  bool add_elements(PyObject* iterable);

  utan_data* data() const { return data_; }
  // Is it so much that storing it should not hold the interpreter's lock?
  bool is_much() const { return item_count_ > 512 || byte_count_ > (1u << 16); }

 private:
  bool open();
  bool add_value(const utan_value& value);
  bool add_object(PyObject* object, bool counted);
  bool add_dict(PyObject* dict, bool counted);
  bool add_dict_entries(PyObject* dict);
  bool add_mapping_entries(PyObject* mapping);
  bool add_any_mapping(PyObject* mapping);
  bool add_pairs(PyObject* pairs);
  bool add_list(PyObject* list, bool counted);
  bool add_list_elements(PyObject* list);
  bool add_any_sequence(PyObject* sequence);
  bool add_proxy(PyObject* object);
  bool add_copy(std::size_t copying, utan_container* container);
  // Shared and cyclic parts stay so. `add_contents` adds what is in it.
  template <class Contents>
  bool add_container(PyObject* object, utan_type type, bool counted, Contents&& add_contents);
  // Where in the data it is, for messages; null: an error was set.
  Ref here(const char* what) const;
  // Says so in the error that was set.
  bool fail_here(const char* what);
  bool fail_type(PyObject* object);
  bool fail_data(utan_code code);

  struct Copying {
    Attachment* of;
    std::unique_ptr<Moment> moment;
    std::unordered_map<std::uint64_t, std::uint32_t> numbers;
  };

  Attachment* target_;
  State& state_;
  utan_data* data_ = nullptr;
  PyObject* place_ = nullptr;
  std::size_t depth_ = 0;  // containers that have begun and not ended
  std::size_t item_count_ = 0;
  std::size_t byte_count_ = 0;
  std::unordered_map<PyObject*, std::uint32_t> numbers_;  // of containers that may be met again
  std::vector<Ref> kept_;                                 // so that no other object gets the address of one of them
  std::vector<Copying> copying_;                          // of other stores
};

// One value for a call: a plain one, a container of the same store, or data.
class Given {
 public:
  explicit Given(Attachment* target) : target_(target) {}
  // `place`: the key or index it goes to, for messages; may be null.
  bool take(PyObject* object, PyObject* place);
  // After other code ran: is the container that it is, if it is one, still open? False: an error was set.
  bool expect_open() const { return proxy_ == nullptr || python::expect_open(proxy_); }
  const utan_value* value() const { return &value_; }
  bool is_much() const {
    return builder_ != nullptr ? builder_->is_much() : value_.type >= UTAN_BYTES && value_.size > (1u << 16);
  }

 private:
  Attachment* target_;
  Proxy* proxy_ = nullptr;  // that the value is; the scratch keeps it
  utan_value value_{};
  Scratch scratch_;
  std::unique_ptr<Builder> builder_;
};

// --- Out

// A plain value; it is not released.
PyObject* plain_object(State& state, const utan_value& value);
// May making an object of it run Python code: an import, a decoder, the collector? That code may do anything, also close the
// store.
bool runs_code(const State& state, const utan_value& value);
// Any value that was got of the attachment; released here, also where it fails.
PyObject* take_value(Attachment* attachment, utan_value* value);
// The same of an entry, as a pair.
PyObject* take_pair(Attachment* attachment, utan_value* key, utan_value* value);

// --- times.cc

bool is_datetime(State& state, PyObject* object);
// No subclass of it; false also if none was met before.
bool is_exact_datetime(const State& state, PyObject* object);
bool is_datetime_type(State& state, PyObject* type);
// The class `date`; false also if no datetime was met before.
bool is_date_type(const State& state, PyObject* type);
// Has one been met before? Then making one runs no Python code.
bool knows_datetimes(const State& state);
bool take_datetime(State& state, PyObject* object, utan_value& out);
PyObject* datetime_object(State& state, std::int64_t microseconds, bool utc);

// --- codecs.cc

// The codec for an object: (name, encode), borrowed, or null without an error if there is none.
PyObject* find_codec(State& state, PyObject* object);
// Encodes into `out`, whose bytes `scratch` keeps.
bool take_extended(State& state, PyObject* codec, PyObject* object, utan_value& out, Scratch& scratch);
PyObject* extended_object(State& state, const void* data, std::size_t size);
extern PyMethodDef register_method;

// --- packed.cc: plain values, nested, as bytes; docs/FORMAT.md has their form

bool pack(State& state, PyObject* object, std::string& out);
PyObject* unpack(State& state, const unsigned char*& at, const unsigned char* end);

}  // namespace utan::python
