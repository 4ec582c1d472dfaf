// Shows that numbers add as Python's do: integers exactly, whatever their size, and reals rounded once.
#include "object/number.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace utan::object {
namespace {

using format::Tag;
using format::Value;

constexpr std::int64_t smallest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();

std::vector<std::byte> bytes(std::initializer_list<unsigned> list) {
  std::vector<std::byte> out;
  for (const unsigned byte : list) out.push_back(static_cast<std::byte>(byte));
  return out;
}

Value sum(const Value& a, const Value& b, std::vector<std::byte>& scratch) {
  Result<Value> out = add(a, b, scratch);
  EXPECT_TRUE(out.ok()) << out.error().message();
  return out.ok() ? *out : Value::null();
}

TEST(Number, IntegersOf64Bits) {
  std::vector<std::byte> scratch;
  EXPECT_TRUE(format::is_identical(sum(Value::integer(2), Value::integer(-5), scratch), Value::integer(-3)));
  EXPECT_TRUE(format::is_identical(sum(Value::boolean(true), Value::boolean(true), scratch), Value::integer(2)));
  EXPECT_TRUE(
      format::is_identical(sum(Value::integer(smallest), Value::integer(largest), scratch), Value::integer(-1)));
}

TEST(Number, IntegersBeyond64Bits) {
  std::vector<std::byte> scratch;
  const auto above = bytes({0, 0, 0, 0, 0, 0, 0, 0x80, 0});  // 2^63
  EXPECT_TRUE(format::is_identical(sum(Value::integer(largest), Value::integer(1), scratch),
                                   Value{Tag::big_integer, 0, above, nullptr, 0}));
  // And back.
  std::vector<std::byte> more;
  EXPECT_TRUE(format::is_identical(sum(Value::big_integer(above), Value::integer(-1), more), Value::integer(largest)));
  const auto below = bytes({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff});  // -2^63 - 1
  EXPECT_TRUE(format::is_identical(sum(Value::integer(smallest), Value::integer(-1), scratch),
                                   Value{Tag::big_integer, 0, below, nullptr, 0}));
  const auto twice = bytes({0, 0, 0, 0, 0, 0, 0, 0, 1});  // 2^64
  EXPECT_TRUE(format::is_identical(sum(Value::big_integer(above), Value::big_integer(above), scratch),
                                   Value{Tag::big_integer, 0, twice, nullptr, 0}));
}

TEST(Number, Reals) {
  std::vector<std::byte> scratch;
  EXPECT_EQ(sum(Value::integer(1), Value::real(0.5), scratch).as_real(), 1.5);
  EXPECT_EQ(sum(Value::real(0.1), Value::real(0.2), scratch).as_real(), 0.1 + 0.2);
  // 2^64 + 1, and 2^64 + 2^11 + 1, which is just above the middle of two reals.
  EXPECT_EQ(sum(Value::big_integer(bytes({1, 0, 0, 0, 0, 0, 0, 0, 1})), Value::real(0), scratch).as_real(), 0x1p64);
  EXPECT_EQ(sum(Value::big_integer(bytes({1, 8, 0, 0, 0, 0, 0, 0, 1})), Value::real(0), scratch).as_real(),
            0x1.0000000000001p64);
  EXPECT_EQ(
      sum(Value::big_integer(bytes({0xff, 0xf7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe})), Value::real(0), scratch)
          .as_real(),
      -0x1.0000000000001p64);
}

TEST(Number, WhatCannotBeAdded) {
  std::vector<std::byte> scratch;
  EXPECT_EQ(add(Value::string("1"), Value::integer(1), scratch).code(), Code::type);
  EXPECT_EQ(add(Value::integer(1), Value::null(), scratch).code(), Code::type);
  std::vector<std::byte> huge(200, std::byte{0});
  huge.push_back(std::byte{1});
  EXPECT_EQ(add(Value::big_integer(huge), Value::real(1), scratch).code(), Code::too_large);
}

}  // namespace
}  // namespace utan::object
