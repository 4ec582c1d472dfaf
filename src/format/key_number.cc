#include "format/key_number.h"

#include <bit>

#include "format/layout.h"

namespace utan::format {

namespace {

constexpr std::uint8_t zero_byte = 0x80;
constexpr std::uint8_t infinity_byte = 0xff;
constexpr std::uint8_t tiny_byte = 0x88;   // then the exponent + tiny_bias in 2 bytes
constexpr std::uint8_t usual_byte = 0x90;  // + exponent + usual_bias
constexpr std::uint8_t usual_last = 0xfb;
constexpr std::uint8_t large_byte = 0xfc;  // then the exponent in 5 bytes
constexpr std::int64_t usual_bias = 16;
constexpr std::int64_t usual_exponent_max = usual_last - usual_byte - usual_bias;
constexpr std::int64_t tiny_bias = 1100;
constexpr std::int64_t big_exponent_max =
    std::int64_t{8} * key_size_max - 2;  // of one that alone is as long as it may be

void trim(ByteVector& digits) {
  while (!digits.empty() && digits.back() == std::byte{0}) digits.pop_back();
}
void set_digits(Number& number, std::uint64_t fraction) {
  number.digits.resize(8);
  for (unsigned i = 0; i < 8; ++i) number.digits[i] = static_cast<std::byte>(fraction >> (56 - 8 * i));
  trim(number.digits);
}
// The first 64 digits.
std::uint64_t fraction_of(const Number& number) {
  std::uint64_t fraction = 0;
  for (std::size_t i = 0; i < 8 && i < number.digits.size(); ++i)
    fraction |= std::to_integer<std::uint64_t>(number.digits[i]) << (56 - 8 * i);
  return fraction;
}

// False: the bytes are no number.
bool read_exponent(KeyReader& reader, unsigned size, bool flip, std::int64_t& exponent) {
  if (size == tiny_byte) {
    const auto biased = reader.big_endian(2, flip);
    if (!biased) return false;
    exponent = static_cast<std::int64_t>(*biased) - tiny_bias;
    return exponent < -usual_bias && exponent >= -1074;
  }
  if (size >= usual_byte && size <= usual_last) {
    exponent = static_cast<std::int64_t>(size) - usual_byte - usual_bias;
    return true;
  }
  if (size != large_byte) return false;
  const auto value = reader.big_endian(5, flip);
  if (!value) return false;
  exponent = static_cast<std::int64_t>(*value);
  return exponent > usual_exponent_max && exponent <= big_exponent_max;
}

}  // namespace

Number number_of_integer(std::int64_t value) {
  Number out;
  out.negative = value < 0;
  out.zero = value == 0;
  if (out.zero) return out;
  const std::uint64_t size = value < 0 ? -static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  const int leading = std::countl_zero(size);
  out.exponent = 63 - leading;
  set_digits(out, leading == 63 ? 0 : size << (leading + 1));
  return out;
}

Number number_of_real(double value) {
  Number out;
  const auto bits = std::bit_cast<std::uint64_t>(value);
  out.negative = (bits >> 63) != 0;
  const auto field = static_cast<std::int64_t>((bits >> 52) & 0x7ff);
  std::uint64_t fraction = bits << 12;
  if (field == 0x7ff) {
    out.infinite = true;
    return out;
  }
  if (field == 0 && fraction == 0) {
    out.zero = true;
    out.negative = false;
    return out;
  }
  out.exponent = field - 1023;
  if (field == 0) {
    const int leading = std::countl_zero(fraction);
    out.exponent = -1023 - leading;
    fraction = leading == 63 ? 0 : fraction << (leading + 1);
  }
  set_digits(out, fraction);
  return out;
}

Number number_of_big(ByteSpan bytes) {
  Number out;
  out.negative = !bytes.empty() && (std::to_integer<unsigned>(bytes.back()) & 0x80) != 0;
  // The size, big-endian.
  ByteVector size(bytes.rbegin(), bytes.rend());
  if (out.negative) {
    unsigned carry = 1;
    for (std::size_t i = size.size(); i > 0; --i) {
      const unsigned sum = (~std::to_integer<unsigned>(size[i - 1]) & 0xff) + carry;
      size[i - 1] = static_cast<std::byte>(sum & 0xff);
      carry = sum >> 8;
    }
    if (carry != 0) size.insert(size.begin(), std::byte{1});
  }
  std::size_t first = 0;
  while (first < size.size() && size[first] == std::byte{0}) ++first;
  out.zero = first == size.size();
  if (out.zero) {
    out.negative = false;
    return out;
  }
  const auto leading = static_cast<unsigned>(std::countl_zero(std::to_integer<std::uint8_t>(size[first])));
  out.exponent = static_cast<std::int64_t>((size.size() - first) * 8 - leading) - 1;
  // Moves the digits to the left until the leading one is gone.
  const unsigned shift = leading + 1;
  for (std::size_t i = first; i < size.size(); ++i) {
    const unsigned here = std::to_integer<unsigned>(size[i]);
    const unsigned next = i + 1 < size.size() ? std::to_integer<unsigned>(size[i + 1]) : 0;
    out.digits.push_back(static_cast<std::byte>((((here << 8) | next) << shift >> 8) & 0xff));
  }
  trim(out.digits);
  return out;
}

bool is_whole(const Number& number) {
  if (number.zero) return true;
  if (number.infinite || number.exponent < 0) return false;
  // The last digit that is a one must not be beyond the point.
  if (number.digits.empty()) return true;
  const auto last = static_cast<unsigned>(std::countr_zero(std::to_integer<std::uint8_t>(number.digits.back())));
  return static_cast<std::int64_t>(number.digits.size() * 8 - last) <= number.exponent;
}
bool is_integer(const Number& number) {
  if (!is_whole(number)) return false;
  return number.zero || number.exponent < 63 || (number.exponent == 63 && number.negative && number.digits.empty());
}
bool is_real(const Number& number) {
  if (number.zero || number.infinite) return true;
  if (number.exponent > 1023 || number.exponent < -1074) return false;
  const std::int64_t digit_max = number.exponent >= -1022 ? 52 : 52 - (-1022 - number.exponent);
  if (number.digits.empty()) return true;
  const auto last = static_cast<unsigned>(std::countr_zero(std::to_integer<std::uint8_t>(number.digits.back())));
  return static_cast<std::int64_t>(number.digits.size() * 8 - last) <= digit_max;
}
Tag usual_spelling(const Number& number) {
  return is_integer(number) ? Tag::integer : is_real(number) ? Tag::real : Tag::big_integer;
}

void put_big_endian(ByteVector& out, std::uint64_t value, unsigned bytes) {
  for (unsigned i = bytes; i > 0; --i) out.push_back(static_cast<std::byte>(value >> (8 * (i - 1))));
}

void put_number(ByteVector& out, const Number& number) {
  const std::size_t start = out.size();
  if (number.zero) {
    out.push_back(std::byte{zero_byte});
    return;
  }
  if (number.infinite) {
    out.push_back(std::byte{infinity_byte});
  } else {
    if (number.exponent < -usual_bias) {
      out.push_back(std::byte{tiny_byte});
      put_big_endian(out, static_cast<std::uint64_t>(number.exponent + tiny_bias), 2);
    } else if (number.exponent <= usual_exponent_max) {
      out.push_back(static_cast<std::byte>(usual_byte + number.exponent + usual_bias));
    } else {
      out.push_back(std::byte{large_byte});
      put_big_endian(out, static_cast<std::uint64_t>(number.exponent), 5);
    }
    // Seven digits a byte.
    const ByteVector& digits = number.digits;
    const std::size_t last =
        digits.empty() ? 0 : static_cast<std::size_t>(std::countr_zero(std::to_integer<std::uint8_t>(digits.back())));
    const std::size_t count = digits.empty() ? 0 : digits.size() * 8 - last;
    std::size_t at = 0;
    do {
      const std::size_t byte = at / 8;
      const unsigned here = byte < digits.size() ? std::to_integer<unsigned>(digits[byte]) : 0;
      const unsigned next = byte + 1 < digits.size() ? std::to_integer<unsigned>(digits[byte + 1]) : 0;
      const unsigned seven = (((here << 8) | next) >> (9 - at % 8)) & 0x7f;
      at += 7;
      out.push_back(static_cast<std::byte>((seven << 1) | (at < count ? 1u : 0u)));
    } while (at < count);
  }
  if (number.negative) {
    for (std::size_t i = start; i < out.size(); ++i) out[i] = ~out[i];
  }
}

bool read_number(KeyReader& reader, Number& out) {
  const auto first = reader.byte();
  if (!first) return false;
  out = Number{};
  if (*first == zero_byte) {
    out.zero = true;
    return true;
  }
  out.negative = *first < zero_byte;
  const unsigned size = out.negative ? ~*first & 0xff : *first;
  if (size == infinity_byte) {
    out.infinite = true;
    return true;
  }
  if (!read_exponent(reader, size, out.negative, out.exponent)) return false;
  unsigned pending = 0;  // digits that do not fill a byte yet
  unsigned pending_count = 0;
  for (bool first_group = true;; first_group = false) {
    const auto group = reader.byte(out.negative);
    if (!group) return false;
    pending = pending << 7 | *group >> 1;
    pending_count += 7;
    if (pending_count >= 8) {
      pending_count -= 8;
      out.digits.push_back(static_cast<std::byte>((pending >> pending_count) & 0xff));
      pending &= (1u << pending_count) - 1;
    }
    if ((*group & 1) != 0) continue;
    // Only the one way of writing it: no zeros at the end.
    if (*group == 0 && !first_group) return false;
    break;
  }
  if (pending_count > 0) out.digits.push_back(static_cast<std::byte>((pending << (8 - pending_count)) & 0xff));
  trim(out.digits);
  return true;
}

double real_of(const Number& number) {
  const std::uint64_t sign = number.negative ? std::uint64_t{1} << 63 : 0;
  if (number.zero) return 0.0;
  if (number.infinite) return std::bit_cast<double>(sign | std::uint64_t{0x7ff} << 52);
  const std::uint64_t fraction = fraction_of(number);
  if (number.exponent >= -1022) {
    return std::bit_cast<double>(sign | static_cast<std::uint64_t>(number.exponent + 1023) << 52 | fraction >> 12);
  }
  // The leading one is written out, as far to the right as the exponent is below the least.
  const std::uint64_t with_one = std::uint64_t{1} << 63 | fraction >> 1;
  return std::bit_cast<double>(sign | with_one >> (11 + (-1022 - number.exponent)));
}

std::int64_t integer_of(const Number& number) {
  if (number.zero) return 0;
  const std::uint64_t with_one = std::uint64_t{1} << 63 | fraction_of(number) >> 1;
  const std::uint64_t size = with_one >> (63 - number.exponent);
  return static_cast<std::int64_t>(number.negative ? -size : size);
}

ByteVector big_of(const Number& number) {
  const auto bit_count = static_cast<std::size_t>(number.exponent) + 1;
  ByteVector out(big_size(number), std::byte{0});  // with room for a sign
  const auto set = [&out](std::size_t bit) { out[bit / 8] |= static_cast<std::byte>(1u << (bit % 8)); };
  set(bit_count - 1);
  for (std::size_t i = 0; i < number.digits.size() * 8 && i + 1 < bit_count; ++i) {
    if (((std::to_integer<unsigned>(number.digits[i / 8]) >> (7 - i % 8)) & 1) != 0) set(bit_count - 2 - i);
  }
  if (number.negative) {
    unsigned carry = 1;
    for (auto& byte : out) {
      const unsigned sum = (~std::to_integer<unsigned>(byte) & 0xff) + carry;
      byte = static_cast<std::byte>(sum & 0xff);
      carry = sum >> 8;
    }
  }
  while (out.size() > 1) {
    const auto last = std::to_integer<unsigned>(out.back());
    const bool sign = (std::to_integer<unsigned>(out[out.size() - 2]) & 0x80) != 0;
    if (!(last == 0 && !sign) && !(last == 0xff && sign)) break;
    out.pop_back();
  }
  return out;
}

bool number_of(const Value& value, Number& out) {
  switch (value.tag) {
    case Tag::boolean:
      out = number_of_integer(value.bits != 0 ? 1 : 0);
      return true;
    case Tag::integer:
      out = number_of_integer(value.as_integer());
      return true;
    case Tag::big_integer:
      out = number_of_big(value.bytes);
      return true;
    default: {
      const double real = value.as_real();
      if (real != real) return false;
      out = number_of_real(real);
      return true;
    }
  }
}

}  // namespace utan::format
