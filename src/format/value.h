// A value: what it is, and its bytes where they lie.
//
// The plain values of all languages: null, booleans, integers of any size, reals, datetimes, UUIDs, bytes, strings,
// containers by their id, and tuples of these as keys. A Value is a view: what it points to belongs to somebody else and
// must outlive it. Nothing is lost: integers and reals come back bit for bit.
// Thread safety: a value.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/result.h"
#include "format/word.h"

namespace utan::format {

struct Value {
  Tag tag = Tag::null;
  std::uint64_t bits = 0;            // of a boolean, an integer, a real, a datetime, a container
  std::span<const std::byte> bytes;  // of a big integer, a UUID, bytes, a string
  const Value* elements = nullptr;   // of a tuple
  std::size_t element_count = 0;

  static Value null() { return {}; }
  static Value boolean(bool value) { return {Tag::boolean, value ? 1u : 0u, {}, nullptr, 0}; }
  static Value integer(std::int64_t value) { return {Tag::integer, static_cast<std::uint64_t>(value), {}, nullptr, 0}; }
  // Two's complement, little-endian, at least one byte. What fits into 64 bits is an `integer`.
  static Value big_integer(std::span<const std::byte> bytes);
  static Value real(double value) { return {Tag::real, std::bit_cast<std::uint64_t>(value), {}, nullptr, 0}; }
  // Microseconds since 1970-01-01T00:00:00, of a clock on the wall.
  static Value datetime(std::int64_t microseconds) {
    return {Tag::datetime, static_cast<std::uint64_t>(microseconds), {}, nullptr, 0};
  }
  // The same in UTC.
  static Value datetime_utc(std::int64_t microseconds) {
    return {Tag::datetime_utc, static_cast<std::uint64_t>(microseconds), {}, nullptr, 0};
  }
  // Sixteen bytes.
  static Value uuid(std::span<const std::byte> bytes) { return {Tag::uuid, 0, bytes, nullptr, 0}; }
  static Value binary(std::span<const std::byte> bytes) { return {Tag::bytes, 0, bytes, nullptr, 0}; }
  // UTF-8; may hold NUL.
  static Value string(std::string_view text) {
    return {Tag::string, 0, std::as_bytes(std::span(text.data(), text.size())), nullptr, 0};
  }
  static Value tuple(std::span<const Value> elements) { return {Tag::tuple, 0, {}, elements.data(), elements.size()}; }
  static Value container(ObjectId id) { return {Tag::container, id.value, {}, nullptr, 0}; }

  bool as_boolean() const { return bits != 0; }
  std::int64_t as_integer() const { return static_cast<std::int64_t>(bits); }
  double as_real() const { return std::bit_cast<double>(bits); }
  std::int64_t as_microseconds() const { return static_cast<std::int64_t>(bits); }
  ObjectId as_container() const { return ObjectId{bits}; }
  std::string_view as_text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
  std::span<const Value> as_tuple() const { return {elements, element_count}; }
};

// The same value, spelled the same: 1 and 1.0 differ, NaN is the same as itself if its bits are.
bool is_identical(const Value& a, const Value& b);

// --- Values as words ---------------------------------------------------------------------------------------------------

// The value as a word that needs no block; false if it needs one.
bool to_word(const Value& value, Word& out);
// The value of a word that names no block. Text lies in the word itself, which must outlive it: little-endian, from its
// second byte on. Code::corruption if there is no such value.
Result<Value> from_word(const Word& word);

// --- Values as bytes ---------------------------------------------------------------------------------------------------

// The bytes that a record or a block of kind value holds beside the tag. Refers to the value's own bytes or to `scratch`.
// Not for tuples.
std::span<const std::byte> to_payload(const Value& value, std::array<std::byte, 8>& scratch);
// The value again, referring to `bytes`. Code::corruption if there is no such value.
Result<Value> from_payload(Tag tag, std::span<const std::byte> bytes);

// --- The usual case of both --------------------------------------------------------------------------------------------

// Of values that 64 bits hold whole, but for booleans, which are stored in one byte.
constexpr bool is_eight_bytes(Tag tag) {
  return tag == Tag::integer || tag == Tag::real || tag == Tag::datetime || tag == Tag::datetime_utc;
}

// from_payload of text, numbers, datetimes and booleans. False: that one has to be asked.
[[gnu::always_inline]] inline bool from_usual_payload(Tag tag, std::span<const std::byte> bytes, Value& out) {
  if (is_text(tag)) {
    out = Value{tag, 0, bytes, nullptr, 0};
    return true;
  }
  if (tag == Tag::boolean && bytes.size() == 1 && std::to_integer<unsigned>(bytes[0]) <= 1) {
    out = Value::boolean(bytes[0] != std::byte{0});
    return true;
  }
  if (!is_eight_bytes(tag) || bytes.size() != sizeof out.bits) [[unlikely]]
    return false;
  out = Value{tag, 0, {}, nullptr, 0};
  std::memcpy(&out.bits, bytes.data(), sizeof out.bits);
  return true;
}

// from_word of integers and reals.
[[gnu::always_inline]] inline bool from_usual_word(const Word& word, Value& out) {
  if (word.kind() == WordKind::integer) {
    out = Value::integer(word.signed_payload());
    return true;
  }
  if (word.kind() != WordKind::real) return false;
  out = Value::real(std::bit_cast<double>(word.payload() << 4));
  return true;
}

}  // namespace utan::format
