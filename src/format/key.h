// Keys: values in an order, as bytes.
//
// All keys have one order, the same on disk and in every language:
//
//     null < numbers (by exact value; booleans are 0 and 1) < datetime < datetime_utc < uuid < bytes < string (by UTF-8)
//     < tuple (by element; a shorter one first)
//
// A key is written as bytes whose order as unsigned bytes, a shorter one first, is that of the keys: within one class
// (number, string, ...), or with the class's byte in front of them over all classes. Equal keys have equal bytes, so that
// these are also what is hashed: 1, 1.0 and true are one key. How a key was spelled is its tag: from tag and bytes the
// first spelling comes back.
//
// Numbers. One byte says sign and size, then follow the binary digits after the leading one, seven in a byte from the
// top, each byte with its lowest bit set if another one follows:
//
//     00 minus infinity | 03..77 negative | 80 zero | 88 xx xx exponent below -16 | 90..fb exponent -16 to 91
//     | fc xx xx xx xx xx exponent above 91 | ff infinity
//
// where "exponent" is that of the leading one. A negative number is its opposite with every bit turned over. Numbers end
// by themselves, as do datetimes (8 bytes, big-endian, the sign bit turned over) and UUIDs. Strings and bytes are
// written as they are; inside a tuple, a zero byte as 00 ff, and then 00 01 at the end. A tuple is its elements, each
// with its class's byte in front; inside another tuple with 00 at the end.
//
// A tuple whose numbers are spelled in another way than their value suggests (an integer if it is one of 64 bits, a real
// if it is one, else a big integer) has the tag spelled_tuple: behind the bytes of its order come the tags of all its
// numbers, one byte each, and the count of these in four bytes.
//
// A number with few digits is short however large it is; so that no key stands for much more than it has bytes, the big
// integers of a key have together, as two's complement, no more than key_size_max bytes.
//
// Thread safety: pure functions; a KeyBuffer belongs to one thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "format/block.h"
#include "format/value.h"

namespace utan::format {

// The first byte of a key's order. Gaps are for types to come.
enum class KeyClass : std::uint8_t {
  null = 0x08,
  number = 0x10,
  datetime = 0x18,
  datetime_utc = 0x20,
  uuid = 0x28,
  bytes = 0x30,
  string = 0x38,
  tuple = 0x40,
};

// Tuples may be this deep, and keys this long as bytes (layout.h: key_size_max).
inline constexpr unsigned key_depth_max = 32;

// The class of a key's tag; false if no key has that tag.
bool class_of_key(Tag tag, KeyClass& out);

// A key as bytes. `order` is what is compared and hashed; `bytes`, which begins with it, is what is stored.
struct EncodedKey {
  Tag tag = Tag::null;
  KeyClass key_class = KeyClass::null;
  std::span<const std::byte> order;
  std::span<const std::byte> bytes;
};

// The key that a string or bytes are.
inline EncodedKey text_key(Tag tag, std::span<const std::byte> bytes) {
  return {tag, tag == Tag::string ? KeyClass::string : KeyClass::bytes, bytes, bytes};
}

// Room for a key while it is used; refers to the value's own bytes where these are the key's.
class KeyBuffer {
 public:
  // Code::type: a value that cannot be a key (NaN, a container, a value of a codec), also within a tuple.
  // Code::too_large: more than key_size_max bytes, or its big integers together, written out, or tuples too deep.
  // What it answers is valid until the next call, and as long as the value's bytes.
  Result<EncodedKey> encode(const Value& key) {
    if (is_text(key.tag) && key.bytes.size() <= key_size_max) [[likely]]
      return text_key(key.tag, key.bytes);
    return encode_other(key);
  }

 private:
  Result<EncodedKey> encode_other(const Value& key);
  std::vector<std::byte> bytes_;
  std::vector<std::byte> spelling_;
};

// The stored bytes of a key as EncodedKey. Code::corruption if they are none.
Result<EncodedKey> stored_key(Tag tag, std::span<const std::byte> bytes);
// The same of bytes that were made just now, by encode(), and did not come from a file.
inline EncodedKey made_key(Tag tag, std::span<const std::byte> bytes) {
  if (is_text(tag)) [[likely]]
    return text_key(tag, bytes);
  return stored_key(tag, bytes).value();
}

// The hash of a stored key: that of the bytes of its order, so that equal keys have equal ones. Of damaged bytes, any.
inline std::uint64_t hash_stored_key(Tag tag, std::span<const std::byte> bytes, std::uint64_t seed) {
  if (tag == Tag::spelled_tuple) [[unlikely]] {
    const Result<EncodedKey> key = stored_key(tag, bytes);
    if (key.ok()) return hash_key(key->order.data(), key->order.size(), seed);
  }
  return hash_key(bytes.data(), bytes.size(), seed);
}

// Values out of keys: owns what they point to that the key's bytes do not have as it is.
class KeyDecoder {
 public:
  // The key that was encoded. Valid until the next call, and as long as `bytes`. Code::corruption if they are no key.
  Result<Value> decode(Tag tag, std::span<const std::byte> bytes);

 private:
  std::vector<std::unique_ptr<std::byte[]>> blobs_;
  std::vector<std::unique_ptr<Value[]>> tuples_;
};

// The order of all keys: negative, zero or positive.
int compare_keys(const EncodedKey& a, const EncodedKey& b);
// The first of what is compared, as a number: where those of two keys differ, they are in the same order.
inline std::uint64_t head_of_key(const EncodedKey& key) {
  const std::byte* const bytes = key.order.data();
  const std::size_t size = key.order.size();
  std::uint64_t order = 0;
  if (size >= sizeof order) {
    std::memcpy(&order, bytes, sizeof order);
  } else if (size >= 4) {  // two words that overlap
    std::uint32_t words[2];
    std::memcpy(&words[0], bytes, 4);
    std::memcpy(&words[1], bytes + size - 4, 4);
    order = words[0] | std::uint64_t{words[1]} << 8 * (size - 4);
  } else if (size > 0) {
    order = std::to_integer<std::uint64_t>(bytes[0]) |
            std::to_integer<std::uint64_t>(bytes[size / 2]) << 8 * (size / 2) |
            std::to_integer<std::uint64_t>(bytes[size - 1]) << 8 * (size - 1);
  }
  return std::uint64_t{static_cast<std::uint8_t>(key.key_class)} << 56 | __builtin_bswap64(order) >> 8;
}

}  // namespace utan::format
