// Tags, object ids, and words: the tagged form of any value in 64 bits.
//
// A tag says what a value is; it is stored beside the value's bytes (records). Where a value has only 8 bytes, in nodes
// of many small entries, it is a word: what is small enough lies in it, everything else in a block that it names. Tags
// and kinds of words are the same in every language and never renumbered; their order is not the order of values.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace utan::format {

enum class Tag : std::uint8_t {
  null = 0,
  boolean = 1,
  integer = 2,       // signed, 64 bits
  big_integer = 3,   // two's complement, little-endian, any size
  real = 4,          // IEEE 754 binary64, bit for bit
  datetime = 5,      // microseconds since 1970, naive
  datetime_utc = 6,  // the same, aware
  uuid = 7,          // 16 bytes
  bytes = 8,
  string = 9,  // UTF-8
  tuple = 10,
  container = 11,      // an object id
  extended = 12,       // a value of a registered codec
  negative_zero = 13,  // of keys alone: the real -0.0, which is the same key as 0
  spelled_tuple =
      14,        // of keys alone: a tuple whose numbers are not all spelled as their values suggest (format/key.h)
  large = 0x80,  // flag: the bytes are not here but in extents named by a list block
};

constexpr Tag operator|(Tag a, Tag b) {
  return static_cast<Tag>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
constexpr bool is_large(Tag tag) { return (static_cast<std::uint8_t>(tag) & 0x80) != 0; }
constexpr Tag base_tag(Tag tag) { return static_cast<Tag>(static_cast<std::uint8_t>(tag) & 0x7f); }

// Strings and bytes: the value is its bytes, and as a key its order is, too.
constexpr bool is_text(Tag tag) { return tag == Tag::bytes || tag == Tag::string; }
// Does a value of this tag lie elsewhere than in its word?
constexpr bool has_bytes(Tag tag) {
  switch (tag) {
    case Tag::null:
    case Tag::boolean:
    case Tag::integer:
    case Tag::real:
    case Tag::datetime:
    case Tag::datetime_utc:
    case Tag::container:
      return false;
    default:
      return true;
  }
}

inline constexpr unsigned object_index_bits = 36;
inline constexpr unsigned object_generation_bits = 24;
inline constexpr std::uint64_t object_generation_max = (std::uint64_t{1} << object_generation_bits) - 1;
inline constexpr std::uint64_t object_index_max = (std::uint64_t{1} << object_index_bits) - 1;

// Names a container for ever: an index into the object table (36 bits) and the generation of that place (24 bits, from
// 1). 0 is no object. The top four bits are 0, so that an id fits into a word beside its tag.
struct ObjectId : Strong<ObjectId> {
  using Strong::Strong;
  static constexpr ObjectId make(std::uint64_t index, std::uint64_t generation) {
    return ObjectId{(index << object_generation_bits) | (generation & object_generation_max)};
  }
  constexpr std::uint64_t index() const { return (value >> object_generation_bits) & object_index_max; }
  constexpr std::uint64_t generation() const { return value & object_generation_max; }
};

// The first container of every store, a collection: it names the others. It is there without an entry of its own until
// something is put into it.
inline constexpr ObjectId root_object = ObjectId::make(0, 1);

// What a container is. Never renumbered.
enum class ContainerType : std::uint8_t {
  none = 0,  // there is no container
  dict = 1,
  list = 2,
  collection = 3,
  table = 4,
};

// What the other 60 bits of a word are; in its lowest four bits.
enum class WordKind : std::uint8_t {
  constant = 0,      // 0: null, 1: false, 2: true
  integer = 1,       // signed
  real = 2,          // the upper 60 bits of a binary64 whose last four are 0
  datetime = 3,      // microseconds since 1970, signed
  datetime_utc = 4,  //
  bytes = 5,         // up to 7 of them: their count in the first 4 bits, then they
  string = 6,        // the same, UTF-8
  container = 7,     // an object id
  block = 8,         // the offset / 8 of a block of kind value
};
inline constexpr std::uint64_t word_text_max = 7;

// A value in 64 bits. Zero is null.
struct Word {
  std::uint64_t word = 0;
  static constexpr Word make(WordKind kind, std::uint64_t payload) {
    return {payload << 4 | static_cast<std::uint64_t>(kind)};
  }
  constexpr WordKind kind() const { return static_cast<WordKind>(word & 15); }
  constexpr std::uint64_t payload() const { return word >> 4; }
  constexpr std::int64_t signed_payload() const { return static_cast<std::int64_t>(word) >> 4; }
};

}  // namespace utan::format
