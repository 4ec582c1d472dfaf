// What the handles of the C interface are, and how its calls report and pass values. No logic of the store.
//
// Thread safety: messages are per thread; handles as utan.h says.
#pragma once

#include <utan/utan.h>

#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "object/container.h"
#include "object/data.h"
#include "object/iterator.h"
#include "object/store.h"

namespace utan::capi {
// Elements of tuples that were handed out. Costs nothing while there are none.
using Tuples = std::vector<std::unique_ptr<utan_value[]>>;
}  // namespace utan::capi

struct utan_store {
  std::unique_ptr<utan::object::Store> store;
};
struct utan_container {
  utan::object::Container container;
};
struct utan_table {
  std::unique_ptr<utan::object::Table> table;
};
struct utan_data {
  utan::object::Data data;
  std::string path;
  // What it names in a store, which must be there until it is stored.
  std::vector<utan::object::Hold> holds;
  const utan::commit::Attachment* attachment = nullptr;  // of that store; null: it names nothing
};
struct utan_iterator {
  // Over a table of bytes, or over any container.
  std::variant<std::unique_ptr<utan::object::Cursor>, utan::object::Iterator> over;
  utan::capi::Tuples tuples;  // of the present key
};

namespace utan::capi {

// --- Codes and messages

utan_code fail(const Error& error);
utan_code fail(Code code, const char* message);
// Absence is no failure, but what was said before does not explain it either.
utan_code not_found();
// An exception was caught: memory ran out, or nobody expected it.
utan_code fail_unexpectedly(Code code);

// No exception crosses the C interface; the only ones there are come from memory running out.
template <class Body>
utan_code guarded(Body&& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return fail_unexpectedly(Code::memory);
  } catch (...) {
    return fail_unexpectedly(Code::internal);
  }
}

inline utan_code done(const Result<void>& result) { return result.ok() ? UTAN_OK : fail(result.error()); }
// Of an operation that answers whether it found something.
inline utan_code found(const Result<bool>& result) {
  if (!result.ok()) return fail(result.error());
  return result.value() ? UTAN_OK : not_found();
}

// --- Values

inline object::Bytes bytes(const void* data, std::size_t size) { return {static_cast<const std::byte*>(data), size}; }

// The value, if it is one of the plain types that hold no more than bytes or a word; else nothing was done.
[[gnu::always_inline]] inline bool plain_quickly(const utan_value& given, format::Value& out) {
  switch (given.type) {
    case UTAN_STRING:
    case UTAN_BYTES:
      out.bytes = bytes(given.data, given.size);
      break;
    case UTAN_INTEGER:
    case UTAN_DATETIME:
    case UTAN_DATETIME_UTC:
      out.bits = static_cast<std::uint64_t>(given.integer);
      break;
    case UTAN_BOOLEAN:
      out.bits = given.integer != 0 ? 1 : 0;
      break;
    case UTAN_REAL:
      out = format::Value::real(given.real);
      break;
    case UTAN_NULL:
      break;
    default:
      return false;
  }
  out.tag = static_cast<format::Tag>(given.type);
  return true;
}

// A value that was given, in the engine's form, as long as this lives.
class Given {
 public:
  // Code::invalid: a type that there is not, a container of another store.
  Result<format::Value> value(const utan_value* given, const commit::Attachment* attachment) {
    format::Value quick;
    if (given != nullptr && plain_quickly(*given, quick)) [[likely]]
      return quick;
    return value_of_other(given, attachment);
  }

 private:
  Result<format::Value> value_of_other(const utan_value* given, const commit::Attachment* attachment);
  std::vector<std::unique_ptr<format::Value[]>> tuples_;
};

// Code::invalid: the data names containers of another store.
Result<void> check_store(const utan_data& data, const commit::Attachment& attachment);

// A value to be stored: a plain one, a container or data.
class GivenInput {
 public:
  Result<object::Input*> input(const utan_value* given, const commit::Attachment& attachment);

 private:
  Given given_;
  object::Input input_;
};

// The usual case of utan_get and utan_get_at; `unusual`: nothing was done.
inline constexpr utan_code unusual = -1;
utan_code get_quickly(const utan_container* container, const utan_value* keys, std::size_t key_count,
                      utan_value* value);
// The same of utan_contains.
utan_code contains_quickly(const utan_container* container, const utan_value* key);

// Hands a value over to the caller.
void hand_over(object::Loan loan, const object::Container& from, utan_value* out);
void hand_over(object::Loan loan, commit::Attachment& attachment, const std::shared_ptr<object::SnapshotPin>& snapshot,
               utan_value* out);
void hand_over(const object::Value& value, utan_value* out);
// A value that somebody else keeps; tuples are made in `tuples`.
void show_other(const format::Value& value, Tuples& tuples, utan_value* out);
inline void show_text(const format::Value& value, utan_value* out) {
  out->data = value.bytes.data();
  out->size = value.bytes.size();
  out->type = static_cast<utan_type>(value.tag);
  out->reserved0 = 0;
  out->reserved[0] = out->reserved[1] = 0;
}
// Text, or what 64 bits hold whole: all of these lie in the same place of a utan_value.
inline void show_usual(const format::Value& value, utan_value* out) {
  if (format::is_text(value.tag)) [[likely]]
    return show_text(value, out);
  out->integer = static_cast<std::int64_t>(value.bits);
  out->size = 0;
  out->type = static_cast<utan_type>(value.tag);
  out->reserved0 = 0;
  out->reserved[0] = out->reserved[1] = 0;
}
inline void show(const format::Value& value, Tuples& tuples, utan_value* out) {
  if (format::is_text(value.tag)) return show_text(value, out);
  show_other(value, tuples, out);
}

format::ContainerType type_of(std::uint32_t type);

}  // namespace utan::capi
