// Numbers inside keys: exact values of any type of number, and their bytes, whose order is that of the values. key.h says
// how they are written.
//
// Thread safety: pure functions; a KeyReader belongs to one thread. What is read is of a file and may be anything: no bytes
// make these fail, they are only no number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "format/value.h"

namespace utan::format {

using ByteVector = std::vector<std::byte>;
using ByteSpan = std::span<const std::byte>;

// A number that is not NaN. If it is neither zero nor infinite: sign, exponent of the leading one, and the digits after it,
// from the top of the first byte on.
struct Number {
  bool negative = false;
  bool zero = false;
  bool infinite = false;
  std::int64_t exponent = 0;
  ByteVector digits;  // no zero byte at the end
};

// Takes bytes off the front of a key, each turned over if `flip`.
class KeyReader {
 public:
  explicit KeyReader(ByteSpan bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  std::optional<unsigned> peek() const {
    if (rest_.empty()) return std::nullopt;
    return std::to_integer<unsigned>(rest_.front());
  }
  std::optional<unsigned> byte(bool flip = false) {
    const auto out = peek();
    if (!out) return out;
    rest_ = rest_.subspan(1);
    return flip ? ~*out & 0xff : *out;
  }
  std::optional<std::uint64_t> big_endian(unsigned bytes, bool flip = false) {
    std::uint64_t out = 0;
    for (unsigned i = 0; i < bytes; ++i) {
      const auto one = byte(flip);
      if (!one) return std::nullopt;
      out = out << 8 | *one;
    }
    return out;
  }
  std::optional<ByteSpan> take(std::size_t count) {
    if (count > rest_.size()) return std::nullopt;
    const ByteSpan out = rest_.first(count);
    rest_ = rest_.subspan(count);
    return out;
  }

 private:
  ByteSpan rest_;
};

Number number_of_integer(std::int64_t value);
Number number_of_real(double value);
// From two's complement, little-endian.
Number number_of_big(ByteSpan bytes);
// The number of a value that is one. False: NaN.
bool number_of(const Value& value, Number& out);

bool is_whole(const Number& number);
bool is_integer(const Number& number);  // of 64 bits
bool is_real(const Number& number);     // exactly
// How a number is spelled if nothing else is said.
Tag usual_spelling(const Number& number);

// The value, of a number that is an integer, a real, or whole.
std::int64_t integer_of(const Number& number);
double real_of(const Number& number);
// The bytes of a whole number as a big integer.
inline std::uint64_t big_size(const Number& number) {
  return (static_cast<std::uint64_t>(number.exponent) + 1) / 8 + 1;
}
// Two's complement, little-endian, as short as it can be.
ByteVector big_of(const Number& number);

void put_big_endian(ByteVector& out, std::uint64_t value, unsigned bytes);
void put_number(ByteVector& out, const Number& number);
// False: the bytes are no number.
bool read_number(KeyReader& reader, Number& out);

}  // namespace utan::format
