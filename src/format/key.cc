#include "format/key.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string>

#include "format/layout.h"

namespace utan::format {

namespace {

using ByteVector = std::vector<std::byte>;
using ByteSpan = std::span<const std::byte>;

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

constexpr std::byte tuple_end{0x00};
constexpr std::byte escape{0x00};
constexpr std::byte escaped_zero{0xff};
constexpr std::byte escaped_end{0x01};

Error damaged_key(const char* what) { return Error(Code::corruption, std::string("a key is damaged: ") + what); }

// A number that is not zero, infinite or NaN: sign, exponent of the leading one, and the digits after it, from the top
// of the first byte on.
struct Number {
  bool negative = false;
  bool zero = false;
  bool infinite = false;
  std::int64_t exponent = 0;
  ByteVector digits;  // no zero byte at the end
};

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

// From two's complement, little-endian.
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
// The bytes of a whole number as a big integer.
std::uint64_t big_size(const Number& number) { return (static_cast<std::uint64_t>(number.exponent) + 1) / 8 + 1; }

// How a number is spelled if nothing else is said.
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

// Takes bytes off the front of a key, each turned over if `flip`.
class Reader {
 public:
  explicit Reader(ByteSpan bytes) : rest_(bytes) {}
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
  ByteSpan rest() const { return rest_; }

 private:
  ByteSpan rest_;
};

// False: the bytes are no number.
bool read_exponent(Reader& reader, unsigned size, bool flip, std::int64_t& exponent) {
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

bool read_number(Reader& reader, Number& out) {
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

// Two's complement, little-endian, as short as it can be.
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

bool is_negative_zero(const Value& value) { return value.tag == Tag::real && value.bits == std::uint64_t{1} << 63; }

// The number of a value that is one. False: NaN.
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

// Writes a value's order; within tuples also the tags of numbers.
class Encoder {
 public:
  Encoder(ByteVector& bytes, ByteVector& spelling) : bytes_(bytes), spelling_(spelling) {}

  // `unusual` is set if a number is spelled in another way than its value suggests.
  Result<void> put(const Value& value, unsigned depth, bool& unusual) {
    KeyClass key_class;
    if (!class_of_key(value.tag, key_class)) return Error(Code::type, "a container or such a value cannot be a key");
    const bool nested = depth > 0;
    if (nested) bytes_.push_back(static_cast<std::byte>(key_class));
    switch (key_class) {
      case KeyClass::null:
        break;
      case KeyClass::number: {
        Number number;
        if (!number_of(value, number)) return Error(Code::type, "NaN cannot be a key: it equals nothing");
        tag_ = is_negative_zero(value)                               ? Tag::negative_zero
               : value.tag == Tag::big_integer && is_integer(number) ? Tag::integer
                                                                     : value.tag;
        if (tag_ == Tag::big_integer) big_size_ += big_size(number);
        if (big_size_ > key_size_max) {
          return Error(Code::too_large,
                       "the big integers of a key have at most " + std::to_string(key_size_max) + " bytes together");
        }
        put_number(bytes_, number);
        if (nested) {
          spelling_.push_back(static_cast<std::byte>(tag_));
          unusual = unusual || tag_ != usual_spelling(number);
        }
        break;
      }
      case KeyClass::datetime:
      case KeyClass::datetime_utc:
        put_big_endian(bytes_, value.bits ^ (std::uint64_t{1} << 63), 8);
        break;
      case KeyClass::uuid:
        if (value.bytes.size() != 16) return Error(Code::invalid, "a UUID has 16 bytes");
        bytes_.insert(bytes_.end(), value.bytes.begin(), value.bytes.end());
        break;
      case KeyClass::bytes:
      case KeyClass::string:
        put_text(value.bytes);
        break;
      case KeyClass::tuple:
        if (depth == key_depth_max) return Error(Code::too_large, "a key's tuples are too deep");
        for (const Value& element : value.as_tuple()) {
          UTAN_TRY(put(element, depth + 1, unusual));
          if (bytes_.size() > key_size_max) break;
        }
        if (nested) bytes_.push_back(tuple_end);
        break;
    }
    if (bytes_.size() + spelling_.size() > key_size_max) {
      return Error(Code::too_large, "a key has at most " + std::to_string(key_size_max) + " bytes");
    }
    return {};
  }
  // Of a number that was put.
  Tag tag() const { return tag_; }

 private:
  void put_text(ByteSpan text) {
    for (const std::byte one : text) {
      bytes_.push_back(one);
      if (one == escape) bytes_.push_back(escaped_zero);
    }
    bytes_.push_back(escape);
    bytes_.push_back(escaped_end);
  }

  ByteVector& bytes_;
  ByteVector& spelling_;
  Tag tag_ = Tag::null;
  std::uint64_t big_size_ = 0;  // of all big integers so far
};

// Reads values out of a tuple's bytes.
class Decoder {
 public:
  using Blobs = std::vector<std::unique_ptr<std::byte[]>>;
  using Tuples = std::vector<std::unique_ptr<Value[]>>;
  Decoder(Blobs& blobs, Tuples& tuples, ByteSpan spelling, bool spelled)
      : blobs_(blobs), tuples_(tuples), spelling_(spelling), spelled_(spelled) {}

  Result<Value> number(const Number& number, Tag tag) {
    switch (tag) {
      case Tag::boolean:
        if (number.zero) return Value::boolean(false);
        if (number.negative || number.infinite || number.exponent != 0 || !number.digits.empty()) break;
        return Value::boolean(true);
      case Tag::integer:
        if (!is_integer(number)) break;
        return Value::integer(integer_of(number));
      case Tag::big_integer: {
        if (!is_whole(number) || is_integer(number)) break;
        // A few bytes may say a long number: those of a damaged key must not be more than a key can have.
        big_size_ += big_size(number);
        if (big_size_ > key_size_max) return damaged_key("its big integers are too long");
        return Value{Tag::big_integer, 0, keep(big_of(number)), nullptr, 0};
      }
      case Tag::real:
        if (!is_real(number)) break;
        return Value::real(real_of(number));
      case Tag::negative_zero:
        if (!number.zero) break;
        return Value::real(-0.0);
      default:
        break;
    }
    return damaged_key("its number is not of its type");
  }

  // The elements up to the end of `reader`, or to the tuple's end if it is `nested`.
  Result<Value> tuple(Reader& reader, bool nested, unsigned depth) {
    if (depth > key_depth_max) return damaged_key("its tuples are too deep");
    std::vector<Value> elements;
    for (;;) {
      const auto first = reader.byte();
      if (!first) {
        if (nested) return damaged_key("a tuple has no end");
        break;
      }
      if (static_cast<std::byte>(*first) == tuple_end) {
        if (!nested) return damaged_key("a tuple ends before its bytes");
        break;
      }
      UTAN_ASSIGN(const Value element, this->element(reader, static_cast<KeyClass>(*first), depth));
      elements.push_back(element);
    }
    const std::size_t count = elements.size();
    auto kept = std::make_unique<Value[]>(count);
    std::copy(elements.begin(), elements.end(), kept.get());
    tuples_.push_back(std::move(kept));
    return Value::tuple({tuples_.back().get(), count});
  }
  // Every number was spelled, and one of them in an unusual way.
  bool spelling_fits() const { return !spelled_ || (spelling_.empty() && unusual_); }

 private:
  Result<Value> element(Reader& reader, KeyClass key_class, unsigned depth) {
    switch (key_class) {
      case KeyClass::null:
        return Value::null();
      case KeyClass::number: {
        Number number;
        if (!read_number(reader, number)) return damaged_key("a number is none");
        Tag tag = usual_spelling(number);
        if (spelled_) {
          if (spelling_.empty()) return damaged_key("the spelling of a number is missing");
          const Tag usual = tag;
          tag = static_cast<Tag>(spelling_.front());
          spelling_ = spelling_.subspan(1);
          unusual_ = unusual_ || tag != usual;
        }
        return this->number(number, tag);
      }
      case KeyClass::datetime:
      case KeyClass::datetime_utc: {
        const auto bits = reader.big_endian(8);
        if (!bits) return damaged_key("a datetime is cut short");
        const auto microseconds = static_cast<std::int64_t>(*bits ^ (std::uint64_t{1} << 63));
        return key_class == KeyClass::datetime ? Value::datetime(microseconds) : Value::datetime_utc(microseconds);
      }
      case KeyClass::uuid: {
        const auto bytes = reader.take(16);
        if (!bytes) return damaged_key("a UUID is cut short");
        return Value::uuid(*bytes);
      }
      case KeyClass::bytes:
      case KeyClass::string: {
        ByteVector text;
        if (!read_text(reader, text)) return damaged_key("a string has no end");
        Value out = Value::binary(keep(text));
        out.tag = key_class == KeyClass::bytes ? Tag::bytes : Tag::string;
        return out;
      }
      case KeyClass::tuple:
        return tuple(reader, true, depth + 1);
    }
    return damaged_key("it has a value of no known class");
  }

  static bool read_text(Reader& reader, ByteVector& out) {
    for (;;) {
      const auto one = reader.byte();
      if (!one) return false;
      if (static_cast<std::byte>(*one) == escape) {
        const auto next = reader.byte();
        if (!next) return false;
        if (static_cast<std::byte>(*next) == escaped_end) return true;
        if (static_cast<std::byte>(*next) != escaped_zero) return false;
      }
      out.push_back(static_cast<std::byte>(*one));
    }
  }

  ByteSpan keep(const ByteVector& bytes) {
    auto kept = std::make_unique<std::byte[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), kept.get());
    blobs_.push_back(std::move(kept));
    return {blobs_.back().get(), bytes.size()};
  }

  Blobs& blobs_;
  Tuples& tuples_;
  ByteSpan spelling_;
  bool spelled_;
  bool unusual_ = false;
  std::uint64_t big_size_ = 0;  // of all big integers so far
};

}  // namespace

Value Value::big_integer(std::span<const std::byte> bytes) {
  const Number number = number_of_big(bytes);
  if (is_integer(number)) return integer(integer_of(number));
  return {Tag::big_integer, 0, bytes, nullptr, 0};
}

bool class_of_key(Tag tag, KeyClass& out) {
  switch (tag) {
    case Tag::null:
      out = KeyClass::null;
      return true;
    case Tag::boolean:
    case Tag::integer:
    case Tag::big_integer:
    case Tag::real:
    case Tag::negative_zero:
      out = KeyClass::number;
      return true;
    case Tag::datetime:
      out = KeyClass::datetime;
      return true;
    case Tag::datetime_utc:
      out = KeyClass::datetime_utc;
      return true;
    case Tag::uuid:
      out = KeyClass::uuid;
      return true;
    case Tag::bytes:
      out = KeyClass::bytes;
      return true;
    case Tag::string:
      out = KeyClass::string;
      return true;
    case Tag::tuple:
    case Tag::spelled_tuple:
      out = KeyClass::tuple;
      return true;
    default:
      return false;
  }
}

Result<EncodedKey> KeyBuffer::encode_other(const Value& key) {
  EncodedKey out;
  out.tag = key.tag;
  if (!class_of_key(key.tag, out.key_class)) return Error(Code::type, "a container or such a value cannot be a key");
  if (is_text(key.tag)) {
    return Error(Code::too_large, "a key has at most " + std::to_string(key_size_max) + " bytes, not " +
                                      std::to_string(key.bytes.size()));
  }
  bytes_.clear();
  spelling_.clear();
  bool unusual = false;
  Encoder encoder(bytes_, spelling_);
  UTAN_TRY(encoder.put(key, 0, unusual));
  if (out.key_class == KeyClass::number) out.tag = encoder.tag();
  const std::size_t order_size = bytes_.size();
  if (unusual) {
    out.tag = Tag::spelled_tuple;
    const auto count = static_cast<std::uint32_t>(spelling_.size());
    bytes_.insert(bytes_.end(), spelling_.begin(), spelling_.end());
    bytes_.resize(bytes_.size() + sizeof count);
    std::memcpy(bytes_.data() + bytes_.size() - sizeof count, &count, sizeof count);
    if (bytes_.size() > key_size_max)
      return Error(Code::too_large, "a key has at most " + std::to_string(key_size_max) + " bytes");
  }
  out.bytes = bytes_;
  out.order = out.bytes.first(order_size);
  return out;
}

Result<EncodedKey> stored_key(Tag tag, std::span<const std::byte> bytes) {
  EncodedKey out{tag, KeyClass::null, bytes, bytes};
  if (!class_of_key(tag, out.key_class)) return damaged_key("it has the tag of no key");
  if (tag == Tag::spelled_tuple) {
    std::uint32_t count;
    if (bytes.size() < sizeof count) return damaged_key("it is cut short");
    std::memcpy(&count, bytes.data() + bytes.size() - sizeof count, sizeof count);
    if (count > bytes.size() - sizeof count) return damaged_key("it is cut short");
    out.order = bytes.first(bytes.size() - sizeof count - count);
  }
  return out;
}

Result<Value> KeyDecoder::decode(Tag tag, std::span<const std::byte> bytes) {
  blobs_.clear();
  tuples_.clear();
  UTAN_ASSIGN(const EncodedKey key, stored_key(tag, bytes));
  const bool spelled = tag == Tag::spelled_tuple;
  const ByteSpan spelling =
      spelled ? bytes.subspan(key.order.size(), bytes.size() - key.order.size() - sizeof(std::uint32_t)) : ByteSpan{};
  Decoder decoder(blobs_, tuples_, spelling, spelled);
  Reader reader(key.order);
  switch (key.key_class) {
    case KeyClass::null:
      if (!bytes.empty()) return damaged_key("null has no bytes");
      return Value::null();
    case KeyClass::number: {
      Number number;
      if (!read_number(reader, number) || !reader.empty()) return damaged_key("a number is none");
      return decoder.number(number, tag);
    }
    case KeyClass::datetime:
    case KeyClass::datetime_utc: {
      if (bytes.size() != 8) return damaged_key("a datetime has 8 bytes");
      const auto microseconds = static_cast<std::int64_t>(*reader.big_endian(8) ^ (std::uint64_t{1} << 63));
      return tag == Tag::datetime ? Value::datetime(microseconds) : Value::datetime_utc(microseconds);
    }
    case KeyClass::uuid:
      if (bytes.size() != 16) return damaged_key("a UUID has 16 bytes");
      return Value::uuid(bytes);
    case KeyClass::bytes:
    case KeyClass::string:
      return Value{tag, 0, bytes, nullptr, 0};
    case KeyClass::tuple: {
      UTAN_ASSIGN(const Value out, decoder.tuple(reader, false, 1));
      if (!decoder.spelling_fits()) return damaged_key("the spelling of its numbers does not fit them");
      return out;
    }
  }
  return damaged_key("it has a value of no known class");
}

int compare_keys(const EncodedKey& a, const EncodedKey& b) {
  if (a.key_class != b.key_class) return a.key_class < b.key_class ? -1 : 1;
  const std::size_t common = std::min(a.order.size(), b.order.size());
  const int order = common == 0 ? 0 : std::memcmp(a.order.data(), b.order.data(), common);
  if (order != 0) return order;
  return a.order.size() < b.order.size() ? -1 : a.order.size() > b.order.size() ? 1 : 0;
}

}  // namespace utan::format
