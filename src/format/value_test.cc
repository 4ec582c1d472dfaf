// Shows that every value comes back from its bytes, and from its word where it has one, bit for bit, and that what is no
// value is an error.
// Labels: small
#include "format/value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace utan::format {
namespace {

constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t word_most = (std::int64_t{1} << 59) - 1;

void expect_payload_round_trip(const Value& value) {
  std::array<std::byte, 8> scratch;
  const auto bytes = to_payload(value, scratch);
  const Result<Value> back = from_payload(value.tag, bytes);
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_TRUE(is_identical(*back, value));
}
void expect_in_word(const Value& value, bool expected) {
  Word word;
  EXPECT_EQ(to_word(value, word), expected);
  if (!expected) return;
  const Result<Value> back = from_word(word);
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_TRUE(is_identical(*back, value));
}
void expect_both(const Value& value, bool in_word) {
  expect_payload_round_trip(value);
  expect_in_word(value, in_word);
}

TEST(Value, NullAndBooleans) {
  expect_both(Value::null(), true);
  expect_both(Value::boolean(false), true);
  expect_both(Value::boolean(true), true);
  Word word;
  ASSERT_TRUE(to_word(Value::null(), word));
  EXPECT_EQ(word.word, 0U);
}

TEST(Value, IntegersToTheirLimits) {
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1}, word_most, -word_most - 1})
    expect_both(Value::integer(value), true);
  for (const std::int64_t value : {word_most + 1, -word_most - 2, most, least})
    expect_both(Value::integer(value), false);
}

TEST(Value, RealsBitForBit) {
  for (const double value : {0.0, -0.0, 1.0, -2.5, 1e300 * 1e300, -1e300 * 1e300})
    expect_both(Value::real(value), true);
  expect_both(Value::real(0.1), false);
  expect_both(Value::real(std::numeric_limits<double>::denorm_min()), false);
  expect_payload_round_trip(Value::real(std::nan("")));
  expect_payload_round_trip(Value{Tag::real, 0x7ff0000000000001u, {}, nullptr, 0});  // a NaN that signals
  expect_in_word(Value::real(std::nan("")), true);
}

TEST(Value, DatetimesToTheirLimits) {
  const std::int64_t year_1 = -62'135'596'800'000'000;
  const std::int64_t year_9999 = 253'402'300'799'999'999;
  for (const std::int64_t value : {std::int64_t{0}, year_1, year_9999}) {
    expect_both(Value::datetime(value), true);
    expect_both(Value::datetime_utc(value), true);
  }
  expect_both(Value::datetime(least), false);
}

TEST(Value, TextAndBytes) {
  for (const std::size_t size : {0, 1, 6, 7}) {
    const std::string text(size, '\0');
    expect_both(Value::string(text), true);
    expect_both(Value::binary(std::as_bytes(std::span(text))), true);
  }
  const std::string orangutan = "\xf0\x9f\xa6\xa7";
  expect_both(Value::string(orangutan), true);
  expect_both(Value::string("eight by"), false);
  expect_both(Value::uuid(std::as_bytes(std::span("0123456789abcdef", 16))), false);
  const std::string big(100, '\x55');
  expect_both(Value::big_integer(std::as_bytes(std::span(big))), false);
  expect_both(Value::container(ObjectId::make(object_index_max, 0xffffff)), true);
}

TEST(Value, WhatIsNoneIsAnError) {
  EXPECT_EQ(from_word(Word::make(WordKind::constant, 3)).code(), Code::corruption);
  EXPECT_EQ(from_word(Word::make(WordKind::string, 8)).code(), Code::corruption);
  EXPECT_EQ(from_word(Word::make(WordKind::block, 8)).code(), Code::corruption);
  EXPECT_EQ(from_word(Word{15}).code(), Code::corruption);
  const std::string text = "0123456789abcdefg";
  const auto bytes = std::as_bytes(std::span(text));
  for (unsigned tag = 0; tag < 256; ++tag) {
    for (const std::size_t size : {0, 1, 7, 8, 9, 15, 16, 17}) {
      const Result<Value> value = from_payload(static_cast<Tag>(tag), bytes.first(size));
      if (!value.ok()) {
        EXPECT_EQ(value.code(), Code::corruption);
      } else {
        expect_payload_round_trip(*value);
      }
    }
  }
  EXPECT_EQ(from_payload(Tag::boolean, bytes.first(1)).code(), Code::corruption);
  EXPECT_EQ(from_payload(Tag::integer, bytes.first(7)).code(), Code::corruption);
  EXPECT_EQ(from_payload(Tag::tuple, bytes.first(8)).code(), Code::corruption);
}

}  // namespace
}  // namespace utan::format
