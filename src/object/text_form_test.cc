// Shows that values as text come back bit for bit, up to their limits, and that nothing else is taken for their text.
// The expected texts and bytes of large integers, of dates and of base64 were computed with Python.
#include "object/text_form.h"

#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <limits>

#include "support/store_fixture.h"

namespace utan::object {
namespace {

using format::Tag;
using format::Value;

using ByteVector = std::vector<std::byte>;
constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

// FNV-1a: stands for texts that are too long to be written here.
std::uint64_t fingerprint(std::span<const std::byte> bytes) {
  std::uint64_t out = 0xcbf29ce484222325;
  for (const std::byte one : bytes) out = (out ^ std::to_integer<std::uint64_t>(one)) * 0x100000001b3;
  return out;
}
std::uint64_t fingerprint(std::string_view text) { return fingerprint(std::as_bytes(std::span(text))); }

ByteVector from_hex(std::string_view hex) {
  ByteVector out;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    out.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return out;
}

void expect_integer(std::string_view text, std::span<const std::byte> bytes) {
  std::string out;
  const auto written = append_decimal(out, bytes);
  ASSERT_TRUE(written.ok()) << written.error().message();
  EXPECT_EQ(out, text);
  ByteVector room;
  const auto read = read_integer(text, room);
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_TRUE(is_identical(*read, Value::big_integer(bytes))) << text;
}

TEST(TextForm, IntegersOfKnownBytes) {
  const std::pair<const char*, const char*> known[] = {
      {"0", "00"},
      {"-1", "ff"},
      {"127", "7f"},
      {"-128", "80"},
      {"9223372036854775807", "ffffffffffffff7f"},
      {"-9223372036854775808", "0000000000000080"},
      {"9223372036854775808", "000000000000008000"},
      {"-9223372036854775809", "ffffffffffffff7fff"},
      {"18446744073709551616", "000000000000000001"},
      {"-18446744073709551616", "0000000000000000ff"},
      {"170141183460469231731687303715884105727", "ffffffffffffffffffffffffffffff7f"},
      {"-170141183460469231731687303715884105728", "00000000000000000000000000000080"},
      {"170141183460469231731687303715884105728", "0000000000000000000000000000008000"},
      {"1000000000000000000", "000064a7b3b6e00d"},
      {"1000000000000000000000000000000000000", "00000000109f4bb31507c97bce97c000"},
      {"9999999999999999999999999999999999999999", "ffffffffff60f5b9abbfa45cc3f129631d"},
      {"-1000000000000000000000000000000000000000000000000000000", "000000000000c06d82099af4f666e63a199bf53b3c8ff5"},
  };
  for (const auto& [text, hex] : known) expect_integer(text, from_hex(hex));
}

// Powers of 7: their digits, and the fingerprints of their texts and bytes.
TEST(TextForm, IntegersOfManyDigits) {
  struct Known {
    unsigned power;
    std::size_t digits;
    std::uint64_t text, negative_text, bytes, negative_bytes;
  };
  const Known known[] = {
      {1, 1, 0xaf63aa4c86019796, 0x7d01107b497db5d, 0xaf63ba4c8601b2c6, 0xaf64744c8602eed4},
      {22, 19, 0x353b7c24bf0dfe68, 0xd9299ace767b635f, 0x7e89ecff8eafa5b9, 0xb207317e1995ebfc},
      {23, 20, 0x6e4bbda90c50b1e4, 0x999172417b862f59, 0xd73919b9eaf2c189, 0x620844857121de3b},
      {45, 39, 0x603badac47799e64, 0xa0d4b9ac308f593, 0x58dba8474a810e5d, 0xc4ff22fc22d8c534},
      {68, 58, 0x7063fe4a59cf75b1, 0x299465bf7ffa2628, 0xbacd040482ebc956, 0x15800a22fa41e87b},
      {500, 423, 0x25abc6d4bf05ce77, 0xbf149c3e374e814c, 0xfa6cceb9f090b1b4, 0xb63db25ad94e034d},
      {1183, 1000, 0x368773e4770eb557, 0x225f4da4390650c6, 0x536de51c24536d6f, 0xb92827e87414ec36},
      {5916, 5000, 0x278ce964698c0fe, 0xbdc3e9f87e4a9b, 0x1150345cf6765bcb, 0x2dfd7dc4e204fb89},
      {11832, 10'000, 0xc298af7ffb712d58, 0x961ddae5fbad2fd9, 0x489685672aaaf9d0, 0xb4fcf993de294b82},
  };
  ByteVector bytes{std::byte{1}};
  unsigned power = 0;
  for (const Known& one : known) {
    for (; power < one.power; ++power) {
      unsigned carry = 0;
      for (std::byte& byte : bytes) {
        carry += std::to_integer<unsigned>(byte) * 7;
        byte = static_cast<std::byte>(carry & 0xff);
        carry >>= 8;
      }
      if (carry != 0 || (bytes.back() & std::byte{0x80}) != std::byte{0})
        bytes.push_back(static_cast<std::byte>(carry));
      while (bytes.size() > 1 && bytes.back() == std::byte{0} &&
             (bytes[bytes.size() - 2] & std::byte{0x80}) == std::byte{0})
        bytes.pop_back();
    }
    ASSERT_EQ(fingerprint(bytes), one.bytes) << "7^" << power;
    std::string text;
    ASSERT_TRUE(append_decimal(text, bytes).ok());
    EXPECT_EQ(text.size(), one.digits);
    EXPECT_EQ(fingerprint(text), one.text) << "7^" << power;
    expect_integer(text, bytes);

    text.insert(0, 1, '-');
    EXPECT_EQ(fingerprint(text), one.negative_text);
    ByteVector room;
    const auto negative = read_integer(text, room);
    ASSERT_TRUE(negative.ok());
    std::array<std::byte, 8> scratch;
    if (negative->tag == Tag::big_integer) {
      EXPECT_EQ(fingerprint(room), one.negative_bytes) << "-7^" << power;
      expect_integer(text, room);
    } else {
      EXPECT_EQ(format::to_payload(*negative, scratch).size(), 8U);
    }
  }
}

TEST(TextForm, IntegersOverTheLimitAreRefused) {
  std::string text(decimal_digits_max, '0');
  text[0] = '1';
  ByteVector room;
  const auto start = std::chrono::steady_clock::now();
  const auto longest = read_integer(text, room);
  const auto read = std::chrono::steady_clock::now();
  ASSERT_TRUE(longest.ok());
  std::string back;
  ASSERT_TRUE(append_decimal(back, longest->bytes).ok());
  const auto written = std::chrono::steady_clock::now();
  EXPECT_EQ(back, text);
  const auto in_ms = [](auto span) { return std::chrono::duration_cast<std::chrono::milliseconds>(span).count(); };
  std::cerr << decimal_digits_max << " digits: read in " << in_ms(read - start) << " ms, written in "
            << in_ms(written - read) << " ms\n";
  // Ten times as much has a digit more, and is as long as bytes, or nearly.
  text += '0';
  EXPECT_EQ(read_integer(text, room).code(), Code::too_large);
  text[0] = '9';
  EXPECT_EQ(read_integer(std::string_view(text).substr(0, decimal_digits_max), room).code(), Code::ok);
  ByteVector more = room;
  more.insert(more.begin(), std::byte{0});
  EXPECT_EQ(append_decimal(back, more).code(), Code::too_large);
  more.resize(50'000'000);
  EXPECT_EQ(append_decimal(back, more).code(), Code::too_large);
  EXPECT_EQ(read_integer(std::string(10'000'000, '7'), room).code(), Code::too_large);
}

TEST(TextForm, OtherTextsAreNoIntegers) {
  ByteVector room;
  for (const char* text : {"", "-", "+1", "01", "-01", "00", "1.0", "1e5", " 1", "1 ", "0x10", "--1", "1-", "one"})
    EXPECT_EQ(read_integer(text, room).code(), Code::invalid) << text;
  EXPECT_TRUE(is_identical(*read_integer("-0", room), Value::integer(0)));
  std::string out;
  EXPECT_TRUE(append_decimal(out, {}).ok());  // what a damaged store may have
  EXPECT_EQ(out, "0");
}

TEST(TextForm, RealsBitForBit) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  std::vector<double> reals = {0.0,
                               -0.0,
                               1.0,
                               -1.0,
                               0.1,
                               1e22,
                               1e23,
                               5e-324,
                               -5e-324,
                               2.2250738585072011e-308,
                               2.2250738585072014e-308,
                               1.7976931348623157e308,
                               -1.7976931348623157e308,
                               9007199254740993.0,
                               0x1p63,
                               123456789012345680.0};
  for (std::uint64_t i = test::scaled(100'000, 10'000'000); i > 0; --i) {
    const double one = std::bit_cast<double>(random());
    if (std::isfinite(one)) reals.push_back(one);
  }
  std::string text;
  for (const double real : reals) {
    text.clear();
    append_real(text, real);
    double back = 0;
    ASSERT_TRUE(read_real(text, back)) << text;
    ASSERT_EQ(std::bit_cast<std::uint64_t>(back), std::bit_cast<std::uint64_t>(real)) << text;
    ASSERT_NE(text.find_first_of(".e"), std::string::npos) << text;
  }
  const std::pair<double, const char*> spelled[] = {{1.0, "1.0"},      {-0.0, "-0.0"},     {0.1, "0.1"},
                                                    {1e300, "1e+300"}, {5e-324, "5e-324"}, {-2.5, "-2.5"}};
  for (const auto& [real, expected] : spelled) {
    text.clear();
    append_real(text, real);
    EXPECT_EQ(text, expected);
  }
}

TEST(TextForm, RealsAreRoundedOrBeyond) {
  double real = 1;
  const std::string zeros(400, '0');
  for (const std::string& text :
       std::vector<std::string>{"1e400", "-1e400", "1e99999999999999999999", "1" + zeros + ".0", "0." + zeros + "1e900",
                                "1.7976931348623159e308"}) {
    EXPECT_FALSE(read_real(text, real)) << text;
  }
  for (const std::string& text : std::vector<std::string>{"1e-400", "1e-99999999999999999999", "0." + zeros + "1",
                                                          "1" + zeros + "e-900", "0e99999999999999"}) {
    ASSERT_TRUE(read_real(text, real)) << text;
    EXPECT_EQ(std::bit_cast<std::uint64_t>(real), 0U) << text;
    ASSERT_TRUE(read_real("-" + text, real)) << text;
    EXPECT_EQ(std::bit_cast<std::uint64_t>(real), std::bit_cast<std::uint64_t>(-0.0)) << text;
  }
  ASSERT_TRUE(read_real("1" + zeros + "e-400", real));
  EXPECT_EQ(real, 1.0);
  ASSERT_TRUE(read_real("9007199254740993.0", real));
  EXPECT_EQ(real, 9007199254740992.0);
}

TEST(TextForm, SpecialRealsKeepTheirBits) {
  const std::pair<std::uint64_t, const char*> known[] = {{0x7ff0000000000000, "inf"},
                                                         {0xfff0000000000000, "-inf"},
                                                         {0x7ff8000000000000, "nan"},
                                                         {0xfff8000000000000, "nan:fff8000000000000"},
                                                         {0x7ff0000000000001, "nan:7ff0000000000001"},
                                                         {0xffffffffffffffff, "nan:ffffffffffffffff"}};
  for (const auto& [bits, text] : known) {
    std::string out;
    append_special_real(out, bits);
    EXPECT_EQ(out, text);
    std::uint64_t back = 0;
    ASSERT_TRUE(read_special_real(text, back));
    EXPECT_EQ(back, bits);
  }
  std::uint64_t bits = 0;
  for (const char* text : {"", "Inf", "NaN", "nan:", "nan:7ff0000000000000", "nan:3ff0000000000000",
                           "nan:7ff80000000000000", "nan:7ff800000000000g", "+inf", "1.0", "-nan"}) {
    EXPECT_FALSE(read_special_real(text, bits)) << text;
  }
}

TEST(TextForm, DatetimesToTheirLimits) {
  const std::pair<std::int64_t, const char*> known[] = {
      {0, "1970-01-01T00:00:00"},
      {-1, "1969-12-31T23:59:59.999999"},
      {1, "1970-01-01T00:00:00.000001"},
      {1704164645000006, "2024-01-02T03:04:05.000006"},
      {1709208000000001, "2024-02-29T12:00:00.000001"},
      {-2203891200000000, "1900-03-01T00:00:00"},
      {-62135596800000000, "0001-01-01T00:00:00"},
      {-62135596800000001, "+000000-12-31T23:59:59.999999"},
      {-62135596800000000 - 366 * 86'400'000'000, "+000000-01-01T00:00:00"},
      {-62135596800000001 - 366 * 86'400'000'000, "-000001-12-31T23:59:59.999999"},
      {253402300799999999, "9999-12-31T23:59:59.999999"},
      {253402300800000000, "+010000-01-01T00:00:00"},
      {most, "+294247-01-10T04:00:54.775807"},
      {least, "-290308-12-21T19:59:05.224192"},
  };
  for (const auto& [microseconds, text] : known) {
    for (const bool utc : {false, true}) {
      const std::string expected = std::string(text) + (utc ? "Z" : "");
      std::string out;
      append_datetime(out, microseconds, utc);
      EXPECT_EQ(out, expected);
      std::int64_t back = 0;
      bool utc_back = !utc;
      ASSERT_TRUE(read_datetime(expected, back, utc_back)) << expected;
      EXPECT_EQ(back, microseconds);
      EXPECT_EQ(utc_back, utc);
    }
  }
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  for (std::uint64_t i = test::scaled(100'000, 10'000'000); i > 0; --i) {
    const auto microseconds = static_cast<std::int64_t>(random()) >> random() % 60;
    std::string text;
    append_datetime(text, microseconds, false);
    std::int64_t back = 0;
    bool utc = true;
    ASSERT_TRUE(read_datetime(text, back, utc)) << text;
    ASSERT_EQ(back, microseconds) << text;
  }
}

TEST(TextForm, OtherTextsAreNoDatetimes) {
  std::int64_t microseconds = 0;
  bool utc = false;
  ASSERT_TRUE(read_datetime("2024-01-02T03:04:05.5", microseconds, utc));
  EXPECT_EQ(microseconds, 1704164645500000);
  using std::string_view_literals::operator""sv;
  for (const std::string_view text : {""sv,
                                      "2024"sv,
                                      "2024-01-02"sv,
                                      "2024-01-02T03:04"sv,
                                      "2024-01-02 03:04:05"sv,
                                      "2024-1-2T03:04:05"sv,
                                      "2023-02-29T00:00:00"sv,
                                      "1900-02-29T00:00:00"sv,
                                      "2024-00-01T00:00:00"sv,
                                      "2024-13-01T00:00:00"sv,
                                      "2024-01-00T00:00:00"sv,
                                      "2024-01-32T00:00:00"sv,
                                      "2024-01-02T24:00:00"sv,
                                      "2024-01-02T00:60:00"sv,
                                      "2024-01-02T00:00:60"sv,
                                      "2024-01-02T03:04:05."sv,
                                      "2024-01-02T03:04:05.0000001"sv,
                                      "2024-01-02T03:04:05z"sv,
                                      "2024-01-02T03:04:05+00:00"sv,
                                      "2024-01-02T03:04:05ZZ"sv,
                                      "12024-01-02T03:04:05"sv,
                                      "+2024-01-02T03:04:05"sv,
                                      "-000000-01-01T00:00:00"sv,
                                      "-000000\0-01-01T00:00:00"sv,
                                      "+294247-01-10T04:00:54.775808"sv,
                                      "-290308-12-21T19:59:05.224191"sv,
                                      "+999999-12-31T23:59:59"sv,
                                      "-999999-01-01T00:00:00"sv,
                                      "2024-01-02T03:04:05\0"sv}) {
    EXPECT_FALSE(read_datetime(text, microseconds, utc)) << text;
  }
}

TEST(TextForm, Uuids) {
  const ByteVector bytes = from_hex("0123456789abcdef0123456789abcdef");
  std::string text;
  append_uuid(text, bytes);
  EXPECT_EQ(text, "01234567-89ab-cdef-0123-456789abcdef");
  std::array<std::byte, 16> back{};
  ASSERT_TRUE(read_uuid(text, back));
  EXPECT_TRUE(std::ranges::equal(back, bytes));
  ASSERT_TRUE(read_uuid("01234567-89AB-CDEF-0123-456789ABCDEF", back));
  EXPECT_TRUE(std::ranges::equal(back, bytes));
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] = other[i] == '-' ? '0' : 'g';
    EXPECT_FALSE(read_uuid(other, back)) << other;
    EXPECT_FALSE(read_uuid(text.substr(0, i), back));
  }
  EXPECT_FALSE(read_uuid(text + "0", back));
}

TEST(TextForm, Base64OfEveryLength) {
  ByteVector bytes;
  std::string all;
  for (unsigned size = 0; size <= 66; ++size) {
    std::string text;
    append_base64(text, bytes);
    ByteVector back;
    ASSERT_TRUE(read_base64(text, back));
    EXPECT_EQ(back, bytes);
    all += text + "\n";
    bytes.push_back(static_cast<std::byte>((size * 37 + 11) & 255));
  }
  EXPECT_EQ(fingerprint(all), 0xaa7abe816240d0b3);
}

TEST(TextForm, OtherTextsAreNoBase64) {
  ByteVector bytes;
  for (const char* text : {"A", "AA", "AAA", "AAAAA", "=", "====", "A===", "AA=A", "AB==", "AAB=", "AA==AAAA",
                           "AAA=AA==", "AA-_", "AA A", "AAA\n", "AAA\xc3", "AAAAAAA*"}) {
    EXPECT_FALSE(read_base64(text, bytes)) << text;
  }
}

TEST(TextForm, StringsAreEscapedWhereTheyMust) {
  const std::pair<std::string, const char*> known[] = {
      {"", "\"\""},
      {"plain", "\"plain\""},
      {std::string("a\0b", 3), "\"a\\u0000b\""},
      {"\"\\\b\f\n\r\t/", "\"\\\"\\\\\\b\\f\\n\\r\\t/\""},
      {"\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\""},
      {"\xc3\xa9\xe2\x82\xac\xf0\x9f\xa6\xa7", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\xa6\xa7\""},
      {"\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf",
       "\"\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\""},
  };
  for (const auto& [text, expected] : known) {
    std::string out;
    EXPECT_TRUE(append_quoted(out, text));
    EXPECT_EQ(out, expected);
  }
  // Cut, too long, surrogates, beyond the last character, bytes that begin nothing.
  for (const char* text : {"\x80", "\xc3", "\xc3(", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe2\x82",
                           "\xe2(\x82", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x9f\xa6",
                           "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xfe"}) {
    std::string out;
    EXPECT_FALSE(append_quoted(out, text)) << out;
  }
}

}  // namespace
}  // namespace utan::object
