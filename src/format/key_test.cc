// Shows that keys of all types come back as they were spelled, that their bytes are in the order of their values, which
// is computed here in another way, that equal keys have equal bytes, and that bytes that are no key are an error.
// Labels: small
#include "format/key.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <memory>
#include <random>
#include <string>

#include "format/layout.h"

namespace utan::format {
namespace {

using Bytes = std::vector<std::byte>;

std::uint64_t seed_of_run() {
  const char* const given = std::getenv("UTAN_SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  std::cerr << "seed " << seed << " (UTAN_SEED)\n";
  return seed;
}

// Values with what they point to.
class Maker {
 public:
  explicit Maker(std::uint64_t seed) : random_(seed) {}

  Value any(unsigned depth = 0) {
    switch (below(depth < 3 ? 13 : 12)) {
      case 0:
        return Value::null();
      case 1:
        return Value::boolean(below(2) == 0);
      case 2:
      case 3:
      case 4:
        return integer();
      case 5:
        return big();
      case 6:
      case 7:
        return real();
      case 8:
        return below(2) == 0 ? Value::datetime(small_or_any()) : Value::datetime_utc(small_or_any());
      case 9:
        return Value::uuid(bytes(16));
      case 10:
        return Value::binary(bytes(below(5)));
      case 11:
        return text();
      default: {
        std::vector<Value>& elements = *tuples_.emplace_back(std::make_unique<std::vector<Value>>());
        for (std::uint64_t i = below(4); i > 0; --i) elements.push_back(any(depth + 1));
        return Value::tuple(elements);
      }
    }
  }
  Value integer() {
    switch (below(4)) {
      case 0:
        return Value::integer(static_cast<std::int64_t>(below(10)) - 5);
      case 1:
        return Value::integer(static_cast<std::int64_t>((std::uint64_t{1} << below(64)) - below(3)));
      case 2:
        return Value::integer(static_cast<std::int64_t>(below(3) - (std::uint64_t{1} << below(64))));
      default:
        return Value::integer(static_cast<std::int64_t>(random_()));
    }
  }
  Value big() {
    // As short as it can be: a last byte that only repeats the sign is left out.
    std::span<const std::byte> all = bytes(1 + below(20));
    const auto bit = [&all](std::size_t i) { return (std::to_integer<unsigned>(all[i]) & 0x80) != 0; };
    while (all.size() > 1 && all.back() == (bit(all.size() - 2) ? std::byte{0xff} : std::byte{0}))
      all = all.first(all.size() - 1);
    return Value::big_integer(all);
  }
  Value real() {
    switch (below(5)) {
      case 0:
        return Value::real(static_cast<double>(integer().as_integer()));
      case 1:
        return Value::real((static_cast<double>(below(1000)) - 500) / 8);
      case 2: {
        const double special[] = {0.0,
                                  -0.0,
                                  std::numeric_limits<double>::infinity(),
                                  -std::numeric_limits<double>::infinity(),
                                  std::numeric_limits<double>::denorm_min(),
                                  std::numeric_limits<double>::min(),
                                  std::numeric_limits<double>::max(),
                                  -std::numeric_limits<double>::denorm_min(),
                                  9007199254740993.0,
                                  0x1p63,
                                  -0x1p63,
                                  0x1p64};
        return Value::real(special[below(std::size(special))]);
      }
      case 3:
        return Value::real(std::ldexp(1.0 + static_cast<double>(below(16)) / 16, static_cast<int>(below(2098)) - 1074));
      default: {
        double out;
        do {
          out = std::bit_cast<double>(random_());
        } while (out != out);
        return Value::real(out);
      }
    }
  }
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  std::span<const std::byte> bytes(std::size_t count) {
    Bytes& out = blobs_.emplace_back(count);
    for (auto& one : out) {
      const std::uint64_t kind = below(4);
      one = static_cast<std::byte>(kind == 0 ? 0 : kind == 1 ? 0xff : kind == 2 ? 'a' + below(3) : random_());
    }
    return out;
  }

 private:
  Value text() {
    static const char* const parts[] = {"", "a", "b", "ab", "\xc3\xa9", "\xf0\x9f\xa6\xa7", "zz"};
    std::string& out = texts_.emplace_back();
    for (std::uint64_t i = below(4); i > 0; --i) {
      out += parts[below(std::size(parts))];
      if (below(5) == 0) out += '\0';
    }
    return Value::string(out);
  }
  std::int64_t small_or_any() {
    return below(2) == 0 ? static_cast<std::int64_t>(random_()) : static_cast<std::int64_t>(below(5)) - 2;
  }

  std::mt19937_64 random_;
  std::deque<Bytes> blobs_;
  std::deque<std::string> texts_;
  std::deque<std::unique_ptr<std::vector<Value>>> tuples_;
};

// --- The order, computed in another way ------------------------------------------------------------------------------

// A finite number's size in binary, with so many digits before and after the point that all numbers here have room.
constexpr int digits_before = 1100;
constexpr int digits_after = 1100;
std::string digits_of(const Value& value, bool& negative) {
  std::string out(digits_before + digits_after, '0');
  const auto set = [&out](int exponent) { out[static_cast<std::size_t>(digits_before - 1 - exponent)] = '1'; };
  if (value.tag == Tag::real) {
    negative = std::signbit(value.as_real());
    double rest = std::fabs(value.as_real());
    while (rest != 0) {
      const int exponent = std::ilogb(rest);
      set(exponent);
      rest -= std::ldexp(1.0, exponent);
    }
    return out;
  }
  Bytes bytes;
  if (value.tag == Tag::big_integer) {
    bytes.assign(value.bytes.begin(), value.bytes.end());
  } else {
    for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<std::byte>(value.bits >> (8 * i)));
    if (value.tag == Tag::boolean) bytes.assign(1, static_cast<std::byte>(value.bits != 0));
  }
  negative = (std::to_integer<int>(bytes.back()) & 0x80) != 0;
  bytes.insert(bytes.end(), 2, negative ? std::byte{0xff} : std::byte{0});
  bool borrow = negative;
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    bool bit = ((std::to_integer<int>(bytes[i / 8]) >> (i % 8)) & 1) != 0;
    if (negative) {  // opposite: up to and including the lowest one as it is, then turned over
      if (!borrow) bit = !bit;
      if (borrow && bit) borrow = false;
    }
    if (bit) set(static_cast<int>(i));
  }
  return out;
}

int sign(int order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }

int compare_numbers(const Value& a, const Value& b) {
  const auto infinite = [](const Value& v) {
    return v.tag == Tag::real && std::isinf(v.as_real()) ? (v.as_real() > 0 ? 1 : -1) : 0;
  };
  if (infinite(a) != infinite(b)) return infinite(a) < infinite(b) ? -1 : 1;
  if (infinite(a) != 0) return 0;
  bool a_negative = false;
  bool b_negative = false;
  const std::string a_digits = digits_of(a, a_negative);
  const std::string b_digits = digits_of(b, b_negative);
  const std::string zero(a_digits.size(), '0');
  if (a_digits == zero) a_negative = false;
  if (b_digits == zero) b_negative = false;
  if (a_negative != b_negative) return a_negative ? -1 : 1;
  const int order = sign(a_digits.compare(b_digits));
  return a_negative ? -order : order;
}

int rank_of(Tag tag) {
  switch (tag) {
    case Tag::null:
      return 0;
    case Tag::boolean:
    case Tag::integer:
    case Tag::big_integer:
    case Tag::real:
      return 1;
    case Tag::datetime:
      return 2;
    case Tag::datetime_utc:
      return 3;
    case Tag::uuid:
      return 4;
    case Tag::bytes:
      return 5;
    case Tag::string:
      return 6;
    default:
      return 7;
  }
}

int compare_values(const Value& a, const Value& b) {
  if (rank_of(a.tag) != rank_of(b.tag)) return rank_of(a.tag) < rank_of(b.tag) ? -1 : 1;
  switch (rank_of(a.tag)) {
    case 0:
      return 0;
    case 1:
      return compare_numbers(a, b);
    case 2:
    case 3:
      return a.as_microseconds() < b.as_microseconds() ? -1 : a.as_microseconds() > b.as_microseconds() ? 1 : 0;
    case 7:
      for (std::size_t i = 0; i < std::min(a.element_count, b.element_count); ++i) {
        const int order = compare_values(a.elements[i], b.elements[i]);
        if (order != 0) return order;
      }
      return a.element_count < b.element_count ? -1 : a.element_count > b.element_count ? 1 : 0;
    default:
      return sign(a.as_text().compare(b.as_text()));
  }
}

// --- Tests -----------------------------------------------------------------------------------------------------------

struct Stored {
  Tag tag;
  Bytes bytes;
  EncodedKey key() const { return stored_key(tag, bytes).value(); }
};
Stored stored(const Value& value) {
  KeyBuffer buffer;
  const Result<EncodedKey> key = buffer.encode(value);
  EXPECT_TRUE(key.ok()) << key.error().message();
  return {key->tag, {key->bytes.begin(), key->bytes.end()}};
}

TEST(Key, ComesBackAsItWasSpelled) {
  Maker maker(seed_of_run());
  for (int i = 0; i < 20'000; ++i) {
    const Value value = maker.any();
    const Stored key = stored(value);
    KeyDecoder decoder;
    const Result<Value> back = decoder.decode(key.tag, key.bytes);
    ASSERT_TRUE(back.ok()) << back.error().message();
    ASSERT_TRUE(is_identical(*back, value)) << "value " << i << ", tag " << static_cast<int>(value.tag);
  }
}

TEST(Key, BytesAreInTheOrderOfTheValues) {
  Maker maker(seed_of_run());
  std::vector<Value> values;
  for (int i = 0; i < 400; ++i) values.push_back(maker.any());
  for (int i = 0; i < 200; ++i) values.push_back(maker.below(2) == 0 ? maker.integer() : maker.real());
  std::vector<Stored> keys;
  for (const Value& value : values) keys.push_back(stored(value));
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = 0; j < values.size(); ++j) {
      const int order = compare_values(values[i], values[j]);
      ASSERT_EQ(sign(compare_keys(keys[i].key(), keys[j].key())), order) << i << " and " << j;
      if (order == 0) {
        ASSERT_TRUE(std::ranges::equal(keys[i].key().order, keys[j].key().order)) << i << " and " << j;
      }
    }
  }
}

TEST(Key, OneIsOneHoweverItIsSpelled) {
  const Value spellings[] = {Value::integer(1), Value::real(1.0), Value::boolean(true)};
  for (const Value& a : spellings) {
    for (const Value& b : spellings) {
      EXPECT_EQ(compare_keys(stored(a).key(), stored(b).key()), 0);
      const Value in_tuple[] = {a};
      const Value other[] = {b};
      const Stored one = stored(Value::tuple(in_tuple));
      const Stored another = stored(Value::tuple(other));
      EXPECT_EQ(compare_keys(one.key(), another.key()), 0);
      EXPECT_EQ(hash_stored_key(one.tag, one.bytes, 7), hash_stored_key(another.tag, another.bytes, 7));
    }
  }
  EXPECT_EQ(compare_keys(stored(Value::real(-0.0)).key(), stored(Value::integer(0)).key()), 0);
  KeyDecoder decoder;
  const Stored zero = stored(Value::real(-0.0));
  EXPECT_TRUE(std::signbit(decoder.decode(zero.tag, zero.bytes)->as_real()));
}

// The documented bytes of some keys, so that they never change.
TEST(Key, BytesAreThoseOfTheFormat) {
  const auto hex = [](const Value& value) {
    std::string out;
    for (const std::byte one : stored(value).bytes) {
      constexpr char digits[] = "0123456789abcdef";
      out += digits[std::to_integer<unsigned>(one) >> 4];
      out += digits[std::to_integer<unsigned>(one) & 15];
    }
    return out;
  };
  EXPECT_EQ(hex(Value::null()), "");
  EXPECT_EQ(hex(Value::integer(0)), "80");
  EXPECT_EQ(hex(Value::integer(1)), "a000");
  EXPECT_EQ(hex(Value::integer(-1)), "5fff");
  EXPECT_EQ(hex(Value::integer(5)), "a240");
  EXPECT_EQ(hex(Value::integer(1000)), "a9f4");
  EXPECT_EQ(hex(Value::real(0.5)), "9f00");
  EXPECT_EQ(hex(Value::real(std::numeric_limits<double>::infinity())), "ff");
  EXPECT_EQ(hex(Value::real(-std::numeric_limits<double>::infinity())), "00");
  EXPECT_EQ(hex(Value::datetime(0)), "8000000000000000");
  EXPECT_EQ(hex(Value::datetime(-1)), "7fffffffffffffff");
  EXPECT_EQ(hex(Value::string("ab")), "6162");
  const Value pair[] = {Value::string(std::string_view("a\0b", 3)), Value::integer(1)};
  EXPECT_EQ(hex(Value::tuple(pair)), "386100ff62000110a000");
  const Value real[] = {Value::real(1)};
  EXPECT_EQ(hex(Value::tuple(real)),
            "10a000"
            "04"
            "01000000");
}

TEST(Key, WhatCannotBeAKeyIsRefused) {
  KeyBuffer buffer;
  EXPECT_EQ(buffer.encode(Value::real(std::nan(""))).code(), Code::type);
  EXPECT_EQ(buffer.encode(Value::container(root_object)).code(), Code::type);
  const Value inside[] = {Value::integer(1), Value::real(std::nan(""))};
  EXPECT_EQ(buffer.encode(Value::tuple(inside)).code(), Code::type);
  const std::string long_text(key_size_max + 1, 'x');
  EXPECT_EQ(buffer.encode(Value::string(long_text)).code(), Code::too_large);
  const std::string longest(key_size_max, 'x');
  EXPECT_TRUE(buffer.encode(Value::string(longest)).ok());
  const Value long_element[] = {Value::string(longest)};
  EXPECT_EQ(buffer.encode(Value::tuple(long_element)).code(), Code::too_large);
  // It fits, but not with how its number is spelled.
  const std::string nearly(key_size_max - 8, 'x');
  Value spelled[] = {Value::string(nearly), Value::integer(1)};
  EXPECT_TRUE(buffer.encode(Value::tuple(spelled)).ok());
  spelled[1] = Value::real(1.0);
  EXPECT_EQ(buffer.encode(Value::tuple(spelled)).code(), Code::too_large);
  std::vector<Value> nested(40);
  for (std::size_t i = 1; i < nested.size(); ++i) nested[i] = Value::tuple({&nested[i - 1], 1});
  EXPECT_TRUE(buffer.encode(nested[key_depth_max]).ok());
  EXPECT_EQ(buffer.encode(nested[key_depth_max + 1]).code(), Code::too_large);
}

// A number of few digits is written short, however large it is: what it stands for is bounded, both ways.
TEST(Key, BigIntegersAreNoLongerThanKeys) {
  const auto power_of_256 = [](std::size_t exponent) {
    Bytes out(exponent + 1, std::byte{0});
    out[exponent] = std::byte{1};
    return out;
  };
  KeyBuffer buffer;
  const Bytes longest = power_of_256(key_size_max - 1);
  const Result<EncodedKey> key = buffer.encode(Value::big_integer(longest));
  ASSERT_TRUE(key.ok()) << key.error().message();
  EXPECT_LT(key->bytes.size(), 10U);
  KeyDecoder decoder;
  EXPECT_TRUE(is_identical(*decoder.decode(key->tag, key->bytes), Value::big_integer(longest)));
  const Bytes longer = power_of_256(key_size_max);
  EXPECT_EQ(buffer.encode(Value::big_integer(longer)).code(), Code::too_large);
  const Bytes half = power_of_256(key_size_max / 2);
  const Value two[] = {Value::big_integer(half), Value::big_integer(half)};
  EXPECT_EQ(buffer.encode(Value::tuple(two)).code(), Code::too_large);
  // A damaged key that says a number of 64 KiB eight thousand times.
  const Value one[] = {Value::big_integer(longest)};
  const Result<EncodedKey> tuple = buffer.encode(Value::tuple(one));
  ASSERT_TRUE(tuple.ok());
  ASSERT_EQ(tuple->tag, Tag::tuple);
  Bytes many;
  while (many.size() + tuple->bytes.size() <= key_size_max)
    many.insert(many.end(), tuple->bytes.begin(), tuple->bytes.end());
  EXPECT_EQ(decoder.decode(Tag::tuple, many).code(), Code::corruption);
}

// What decodes is what was encoded: there is one way of writing each key, and nothing else is taken for one.
TEST(Key, OtherBytesAreAnError) {
  Maker maker(seed_of_run());
  std::uint64_t taken = 0;
  for (int i = 0; i < 200'000; ++i) {
    Stored key;
    if (maker.below(2) == 0) {
      key = stored(maker.any());
      if (!key.bytes.empty()) {
        key.bytes[maker.below(key.bytes.size())] ^= static_cast<std::byte>(1u << maker.below(8));
        if (maker.below(4) == 0) key.bytes.resize(maker.below(key.bytes.size()));
      }
      if (maker.below(8) == 0) key.tag = static_cast<Tag>(maker.below(16));
    } else {
      const auto bytes = maker.bytes(maker.below(12));
      key = {static_cast<Tag>(maker.below(16)), {bytes.begin(), bytes.end()}};
    }
    KeyDecoder decoder;
    const Result<Value> value = decoder.decode(key.tag, key.bytes);
    if (!value.ok()) {
      ASSERT_EQ(value.code(), Code::corruption);
      continue;
    }
    ++taken;
    const Stored again = stored(*value);
    ASSERT_EQ(again.tag, key.tag);
    ASSERT_TRUE(again.bytes == key.bytes) << "case " << i << ", tag " << static_cast<int>(key.tag);
  }
  EXPECT_GT(taken, 10'000U);
}

TEST(Value, BigIntegersThatFitAreIntegers) {
  const auto bytes = [](std::initializer_list<int> list) {
    Bytes out;
    for (const int one : list) out.push_back(static_cast<std::byte>(one));
    return out;
  };
  const Bytes five = bytes({5, 0, 0});
  EXPECT_TRUE(is_identical(Value::big_integer(five), Value::integer(5)));
  const Bytes least = bytes({0, 0, 0, 0, 0, 0, 0, 0x80});
  EXPECT_TRUE(is_identical(Value::big_integer(least), Value::integer(std::numeric_limits<std::int64_t>::min())));
  const Bytes above = bytes({0, 0, 0, 0, 0, 0, 0, 0x80, 0});
  EXPECT_EQ(Value::big_integer(above).tag, Tag::big_integer);
}

}  // namespace
}  // namespace utan::format
