#include "object/text_form.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"

namespace utan::object {

namespace {

using format::Value;

using Words = std::vector<std::uint64_t>;  // of a natural number, the lowest first
__extension__ typedef unsigned __int128 DoubleWord;
__extension__ typedef __int128 SignedDoubleWord;

// So many decimal digits are handled at once.
constexpr std::size_t chunk_digits = 18;
constexpr std::uint64_t chunk_base = 1'000'000'000'000'000'000;
// Bytes of the longest integer that has a text: log256(10) is 0.41525..., and there is a sign.
constexpr std::size_t decimal_bytes_max = decimal_digits_max * 4153 / 10'000 + 1;

constexpr std::uint64_t usual_nan = 0x7ff8'0000'0000'0000;
constexpr char hex_digits[] = "0123456789abcdef";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

Error too_many_digits() {
  return Error(Code::too_large, "an integer has at most " + std::to_string(decimal_digits_max) + " digits as text");
}

// The number of two's complement without its sign.
Words magnitude(std::span<const std::byte> bytes, bool& negative) {
  negative = !bytes.empty() && (std::to_integer<unsigned>(bytes.back()) & 0x80) != 0;
  Words out(bytes.size() / 8 + 1, negative ? ~std::uint64_t{0} : 0);
  if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  if (negative) {
    bool carry = true;
    for (std::uint64_t& word : out) {
      word = ~word + (carry ? 1 : 0);
      carry = carry && word == 0;
    }
  }
  while (!out.empty() && out.back() == 0) out.pop_back();
  return out;
}

// Divides by chunk_base and answers the remainder.
std::uint64_t take_chunk(Words& words) {
  std::uint64_t rest = 0;
  for (std::size_t i = words.size(); i > 0; --i) {
    const DoubleWord dividend = DoubleWord{rest} << 64 | words[i - 1];
    words[i - 1] = static_cast<std::uint64_t>(dividend / chunk_base);
    rest = static_cast<std::uint64_t>(dividend % chunk_base);
  }
  while (!words.empty() && words.back() == 0) words.pop_back();
  return rest;
}

// words = words * factor + chunk.
void put_chunk(Words& words, std::uint64_t factor, std::uint64_t chunk) {
  std::uint64_t carry = chunk;
  for (std::uint64_t& word : words) {
    const DoubleWord product = DoubleWord{word} * factor + carry;
    word = static_cast<std::uint64_t>(product);
    carry = static_cast<std::uint64_t>(product >> 64);
  }
  if (carry != 0) words.push_back(carry);
}

// Two's complement in as few bytes as possible.
void to_bytes(Words words, bool negative, std::vector<std::byte>& out) {
  words.push_back(0);
  if (negative) {
    bool carry = true;
    for (std::uint64_t& word : words) {
      word = ~word + (carry ? 1 : 0);
      carry = carry && word == 0;
    }
  }
  out.resize(words.size() * 8);
  std::memcpy(out.data(), words.data(), out.size());
  const std::byte sign = negative ? std::byte{0xff} : std::byte{0};
  const auto top_bit = [&](std::size_t i) { return (out[i] & std::byte{0x80}) == (sign & std::byte{0x80}); };
  while (out.size() > 1 && out.back() == sign && top_bit(out.size() - 2)) out.pop_back();
}

void append_padded(std::string& out, std::uint64_t number, std::size_t width) {
  char digits[20];
  const char* const end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  const auto count = static_cast<std::size_t>(end - digits);
  if (count < width) out.append(width - count, '0');
  out.append(digits, count);
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

// --- Integers --------------------------------------------------------------------------------------------------------

Result<void> append_decimal(std::string& out, std::span<const std::byte> bytes) {
  if (bytes.size() > decimal_bytes_max) return too_many_digits();
  bool negative = false;
  Words words = magnitude(bytes, negative);
  std::vector<std::uint64_t> chunks;
  while (!words.empty()) chunks.push_back(take_chunk(words));
  if (chunks.empty()) chunks.push_back(0);
  std::string digits = std::to_string(chunks.back());
  for (std::size_t i = chunks.size() - 1; i > 0; --i) append_padded(digits, chunks[i - 1], chunk_digits);
  if (digits.size() > decimal_digits_max) return too_many_digits();
  if (negative) out += '-';
  out += digits;
  return {};
}

Result<Value> read_integer(std::string_view text, std::vector<std::byte>& room) {
  const bool negative = !text.empty() && text.front() == '-';
  std::string_view digits = text.substr(negative ? 1 : 0);
  if (digits.empty() || !std::ranges::all_of(digits, is_digit) || (digits.size() > 1 && digits.front() == '0'))
    return Error(Code::invalid, "expected an integer in decimal digits");
  if (digits.size() > decimal_digits_max) return too_many_digits();
  std::int64_t small = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), small).ec == std::errc{}) return Value::integer(small);

  Words words;
  words.reserve(digits.size() / (chunk_digits + 1) + 1);
  std::size_t size = digits.size() % chunk_digits;
  if (size == 0) size = chunk_digits;
  for (; !digits.empty(); digits.remove_prefix(size), size = chunk_digits) {
    std::uint64_t chunk = 0;
    std::from_chars(digits.data(), digits.data() + size, chunk);
    put_chunk(words, chunk_base, chunk);
  }
  to_bytes(std::move(words), negative, room);
  return Value::big_integer(room);
}

// --- Reals -----------------------------------------------------------------------------------------------------------

void append_real(std::string& out, double value) {
  if (!std::isfinite(value)) return append_special_real(out, std::bit_cast<std::uint64_t>(value));
  char digits[32];
  const char* const end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  const std::string_view text(digits, static_cast<std::size_t>(end - digits));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

namespace {

// Whether a number other than zero is at least 1; of numbers that are far from 1, so that it says if they are large.
bool is_large(std::string_view text) {
  if (text.front() == '-') text.remove_prefix(1);
  const std::size_t exponent_at = text.find_first_of("eE");
  const std::string_view digits = text.substr(0, exponent_at);
  const std::size_t point = std::min(digits.find('.'), digits.size());
  const std::size_t first = digits.find_first_of("123456789");
  if (first == std::string_view::npos) return false;
  auto power = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  if (exponent_at == std::string_view::npos) return power > 0;
  std::string_view exponent = text.substr(exponent_at + 1);
  const bool negative = exponent.front() == '-';
  if (negative || exponent.front() == '+') exponent.remove_prefix(1);
  std::int64_t more = 0;
  if (std::from_chars(exponent.data(), exponent.data() + exponent.size(), more).ec != std::errc{}) return !negative;
  // Texts are shorter than that, so that the sum says nothing else.
  more = std::min(more, std::int64_t{1} << 62);
  power += negative ? -more : more;
  return power > 0;
}

}  // namespace

bool read_real(std::string_view text, double& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error == std::errc{}) return std::isfinite(out);
  if (error != std::errc::result_out_of_range || is_large(text)) return false;
  out = text.front() == '-' ? -0.0 : 0.0;
  return true;
}

void append_special_real(std::string& out, std::uint64_t bits) {
  constexpr std::uint64_t infinity = std::bit_cast<std::uint64_t>(std::numeric_limits<double>::infinity());
  if (bits << 1 == infinity << 1) {
    out += bits == infinity ? "inf" : "-inf";
    return;
  }
  out += "nan";
  if (bits == usual_nan) return;
  out += ':';
  for (int shift = 60; shift >= 0; shift -= 4) out += hex_digits[bits >> shift & 15];
}

bool read_special_real(std::string_view text, std::uint64_t& bits) {
  if (text == "inf" || text == "-inf") {
    bits = std::bit_cast<std::uint64_t>(std::numeric_limits<double>::infinity());
    if (text.front() == '-') bits |= std::uint64_t{1} << 63;
    return true;
  }
  bits = usual_nan;
  if (text == "nan") return true;
  constexpr std::string_view prefix = "nan:";
  if (!text.starts_with(prefix) || text.size() != prefix.size() + 16) return false;
  bits = 0;
  for (const char c : text.substr(prefix.size())) {
    if (hex_value(c) < 0) return false;
    bits = bits << 4 | static_cast<std::uint64_t>(hex_value(c));
  }
  return std::isnan(std::bit_cast<double>(bits));
}

// --- Datetimes -------------------------------------------------------------------------------------------------------

namespace {

constexpr std::int64_t microseconds_per_second = 1'000'000;
constexpr std::int64_t microseconds_per_day = 86'400 * microseconds_per_second;
// The calendar repeats itself after so many years, which have so many days. std::chrono knows the years to 32767; by
// whole periods every other year is moved there.
constexpr std::int64_t years_per_period = 400;
constexpr std::int64_t days_per_period = 146'097;

std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// Takes digits and single characters off the front of a text. After a failure everything fails.
class Taker {
 public:
  explicit Taker(std::string_view text) : rest_(text) {}
  bool failed() const { return failed_; }
  void fail() { failed_ = true; }
  bool empty() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  void take(char expected) {
    failed_ = failed_ || peek() != expected || rest_.empty();
    if (!failed_) rest_.remove_prefix(1);
  }
  std::int64_t number(std::size_t digits) {
    std::int64_t out = 0;
    failed_ = failed_ || rest_.size() < digits || !std::ranges::all_of(rest_.substr(0, digits), is_digit);
    if (failed_) return 0;
    std::from_chars(rest_.data(), rest_.data() + digits, out);
    rest_.remove_prefix(digits);
    return out;
  }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

std::int64_t take_year(Taker& text) {
  const char sign = text.peek();
  if (sign != '+' && sign != '-') return text.number(4);
  text.take(sign);
  const std::int64_t year = text.number(6);
  if (sign == '-' && year == 0) text.fail();
  return sign == '-' ? -year : year;
}

// Of a second, after its point.
std::int64_t take_fraction(Taker& text) {
  std::int64_t out = 0;
  std::int64_t unit = microseconds_per_second / 10;
  do {
    out += text.number(1) * unit;
    unit /= 10;
  } while (unit > 0 && is_digit(text.peek()));
  return out;
}

}  // namespace

void append_datetime(std::string& out, std::int64_t microseconds, bool utc) {
  const std::int64_t days = floor_divide(microseconds, microseconds_per_day);
  std::int64_t rest = microseconds % microseconds_per_day;
  if (rest < 0) rest += microseconds_per_day;
  const std::int64_t period = floor_divide(days, days_per_period);
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days - period * days_per_period}}};
  const std::int64_t year = static_cast<int>(date.year()) + period * years_per_period;
  if (year >= 1 && year <= 9999) {
    append_padded(out, static_cast<std::uint64_t>(year), 4);
  } else {
    out += year < 0 ? '-' : '+';
    append_padded(out, static_cast<std::uint64_t>(year < 0 ? -year : year), 6);
  }
  out += '-';
  append_padded(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  append_padded(out, static_cast<unsigned>(date.day()), 2);
  char before = 'T';
  for (const std::int64_t unit :
       {3600 * microseconds_per_second, 60 * microseconds_per_second, microseconds_per_second}) {
    out += before;
    append_padded(out, static_cast<std::uint64_t>(rest / unit), 2);
    rest %= unit;
    before = ':';
  }
  if (rest != 0) {
    out += '.';
    append_padded(out, static_cast<std::uint64_t>(rest), 6);
  }
  if (utc) out += 'Z';
}

bool read_datetime(std::string_view text, std::int64_t& microseconds, bool& utc) {
  Taker taker(text);
  const std::int64_t year = take_year(taker);
  taker.take('-');
  const std::int64_t month = taker.number(2);
  taker.take('-');
  const std::int64_t day = taker.number(2);
  taker.take('T');
  const std::int64_t hour = taker.number(2);
  taker.take(':');
  const std::int64_t minute = taker.number(2);
  taker.take(':');
  const std::int64_t second = taker.number(2);
  std::int64_t fraction = 0;
  if (taker.peek() == '.') {
    taker.take('.');
    fraction = take_fraction(taker);
  }
  utc = taker.peek() == 'Z';
  if (utc) taker.take('Z');
  if (taker.failed() || !taker.empty() || hour > 23 || minute > 59 || second > 59) return false;

  const std::int64_t period = floor_divide(year, years_per_period);
  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(year - period * years_per_period)},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) return false;
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count() + period * days_per_period;
  // The day alone may begin before the first microsecond that there is.
  const SignedDoubleWord total = SignedDoubleWord{days} * microseconds_per_day +
                                 ((hour * 60 + minute) * 60 + second) * microseconds_per_second + fraction;
  microseconds = static_cast<std::int64_t>(total);
  return microseconds == total;
}

// --- UUIDs, bytes ----------------------------------------------------------------------------------------------------

namespace {

bool dash_before(std::size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

constexpr char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> base64_values = [] {
  std::array<std::int8_t, 256> out{};
  out.fill(-1);
  for (int i = 0; i < 64; ++i) out[static_cast<unsigned char>(base64_digits[i])] = static_cast<std::int8_t>(i);
  return out;
}();

}  // namespace

void append_uuid(std::string& out, std::span<const std::byte> bytes) {
  DCHECK(bytes.size() == 16);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (dash_before(i)) out += '-';
    out += hex_digits[std::to_integer<unsigned>(bytes[i]) >> 4];
    out += hex_digits[std::to_integer<unsigned>(bytes[i]) & 15];
  }
}

bool read_uuid(std::string_view text, std::array<std::byte, 16>& bytes) {
  if (text.size() != 36) return false;
  std::size_t at = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (dash_before(i) && text[at++] != '-') return false;
    const int high = hex_value(text[at++]);
    const int low = hex_value(text[at++]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<std::byte>(high << 4 | low);
  }
  return true;
}

void append_base64(std::string& out, std::span<const std::byte> bytes) {
  for (; !bytes.empty(); bytes = bytes.subspan(std::min<std::size_t>(3, bytes.size()))) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < bytes.size() ? std::to_integer<std::uint32_t>(bytes[i]) : 0);
    for (std::size_t i = 0; i < 4; ++i) out += i <= bytes.size() ? base64_digits[group >> (18 - 6 * i) & 63] : '=';
  }
}

bool read_base64(std::string_view text, std::vector<std::byte>& bytes) {
  bytes.clear();
  if (text.size() % 4 != 0) return false;
  bytes.reserve(text.size() / 4 * 3);
  for (; !text.empty(); text.remove_prefix(4)) {
    // Only the last group may be padded, by one or two signs.
    const std::size_t count = text.size() > 4 || text[3] != '=' ? 4 : text[2] != '=' ? 3 : 2;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const int value = i < count ? base64_values[static_cast<unsigned char>(text[i])] : 0;
      if (value < 0) return false;
      group = group << 6 | static_cast<std::uint32_t>(value);
    }
    for (std::size_t i = 0; i + 1 < count; ++i) bytes.push_back(static_cast<std::byte>(group >> (16 - 8 * i)));
    // Bits that belong to no byte are 0.
    if (count < 4 && (group & ((1u << (8 * (4 - count))) - 1)) != 0) return false;
  }
  return true;
}

// --- Strings ---------------------------------------------------------------------------------------------------------

namespace {

// How many bytes the character at the front of `text` has, by table 3-7 of the Unicode standard; 0 if it is none.
std::size_t character_size(std::string_view text) {
  const auto byte = [&text](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const auto follows = [&byte](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4 || !follows(1)) return 0;
  if (first < 0xe0) return 2;
  if (!follows(2)) return 0;
  // Neither longer than need be, nor surrogates.
  if (first < 0xf0) return (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) ? 0 : 3;
  // Nor beyond the last character.
  return (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f) || !follows(3) ? 0 : 4;
}

void append_escape(std::string& out, char c) {
  constexpr std::string_view escaped = "\"\\\b\f\n\r\t";
  constexpr std::string_view letters = "\"\\bfnrt";
  out += '\\';
  if (const std::size_t i = escaped.find(c); i != std::string_view::npos) {
    out += letters[i];
    return;
  }
  out += "u00";
  out += hex_digits[static_cast<unsigned char>(c) >> 4];
  out += hex_digits[static_cast<unsigned char>(c) & 15];
}

}  // namespace

bool append_quoted(std::string& out, std::string_view text) {
  out += '"';
  std::size_t done = 0;  // bytes that are in `out`; what follows up to `at` can go there as it is
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (static_cast<unsigned char>(c) >= 0x80) {
      const std::size_t size = character_size(text.substr(at));
      if (size == 0) return false;
      at += size;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\') {
      out += text.substr(done, at - done);
      append_escape(out, c);
      done = ++at;
    } else {
      ++at;
    }
  }
  out += text.substr(done);
  out += '"';
  return true;
}

}  // namespace utan::object
