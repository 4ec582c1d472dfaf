#include "object/number.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace utan::object {

using format::Tag;
using format::Value;

namespace {

using ByteVector = std::vector<std::byte>;

// Two's complement, little-endian.
ByteVector bytes_of(const Value& value) {
  if (value.tag == Tag::big_integer) return ByteVector(value.bytes.begin(), value.bytes.end());
  ByteVector out(sizeof value.bits);
  std::memcpy(out.data(), &value.bits, sizeof value.bits);
  return out;
}

bool is_negative(const ByteVector& bytes) { return !bytes.empty() && std::to_integer<unsigned>(bytes.back()) >= 0x80; }

// Turned over and one added: the opposite.
void negate(ByteVector& bytes) {
  unsigned carry = 1;
  for (std::byte& byte : bytes) {
    const unsigned sum = (std::to_integer<unsigned>(byte) ^ 0xff) + carry;
    byte = static_cast<std::byte>(sum);
    carry = sum >> 8;
  }
}

void add_bytes(const ByteVector& a, const ByteVector& b, ByteVector& out) {
  const std::size_t size = std::max(a.size(), b.size()) + 1;
  const auto at = [](const ByteVector& bytes, std::size_t i) {
    return i < bytes.size() ? std::to_integer<unsigned>(bytes[i]) : is_negative(bytes) ? 0xffu : 0u;
  };
  out.resize(size);
  unsigned carry = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const unsigned sum = at(a, i) + at(b, i) + carry;
    out[i] = static_cast<std::byte>(sum);
    carry = sum >> 8;
  }
  // As short as it can be.
  while (out.size() > 1) {
    const unsigned last = std::to_integer<unsigned>(out.back());
    const bool next_negative = std::to_integer<unsigned>(out[out.size() - 2]) >= 0x80;
    if (last != (next_negative ? 0xffu : 0u)) break;
    out.pop_back();
  }
}

// The nearest real, ties to even.
double real_of(const Value& value) {
  if (value.tag == Tag::real) return value.as_real();
  if (value.tag != Tag::big_integer) return static_cast<double>(value.as_integer());
  ByteVector magnitude = bytes_of(value);
  const bool negative = is_negative(magnitude);
  magnitude.push_back(negative ? std::byte{0xff} : std::byte{0});
  if (negative) negate(magnitude);
  while (!magnitude.empty() && magnitude.back() == std::byte{0}) magnitude.pop_back();
  // The upper 64 bits, the last of which also says whether anything below them is set: rounding needs no more.
  std::uint64_t upper = 0;
  std::size_t used = 0;
  for (; used < 8 && used < magnitude.size(); ++used)
    upper = (upper << 8) | std::to_integer<std::uint64_t>(magnitude[magnitude.size() - 1 - used]);
  const std::size_t rest = magnitude.size() - used;
  for (std::size_t i = 0; i < rest; ++i) {
    if (magnitude[i] != std::byte{0}) upper |= 1;
  }
  if (rest > 200) return negative ? -HUGE_VAL : HUGE_VAL;
  const double out = std::ldexp(static_cast<double>(upper), static_cast<int>(rest * 8));
  return negative ? -out : out;
}

}  // namespace

bool is_number(const Value& value) {
  return value.tag == Tag::boolean || value.tag == Tag::integer || value.tag == Tag::big_integer ||
         value.tag == Tag::real;
}

Result<Value> add(const Value& a, const Value& b, ByteVector& scratch) {
  if (!is_number(a) || !is_number(b)) return Error(Code::type, "only numbers can be added");
  if (a.tag == Tag::real || b.tag == Tag::real) {
    const double x = real_of(a);
    const double y = real_of(b);
    if ((a.tag == Tag::big_integer && std::isinf(x)) || (b.tag == Tag::big_integer && std::isinf(y)))
      return Error(Code::too_large, "an integer is too large to be added to a real");
    return Value::real(x + y);
  }
  if (a.tag != Tag::big_integer && b.tag != Tag::big_integer) {
    std::int64_t sum;
    if (!__builtin_add_overflow(a.as_integer(), b.as_integer(), &sum)) return Value::integer(sum);
  }
  add_bytes(bytes_of(a), bytes_of(b), scratch);
  return Value::big_integer(scratch);
}

}  // namespace utan::object
