// Shows that whatever is wrong with a JSON text is an error that says where and what, never a crash or a dict that was meant
// to be something else; also in texts that were cut or changed at random, that are too deep, or that are too long.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "object/json.h"
#include "support/store_fixture.h"

namespace utan::object {
namespace {

bool is_same(const Data& a, const Data& b) {
  return std::ranges::equal(a.items(), b.items(), [](const Data::Item& x, const Data::Item& y) {
    return x.kind == y.kind && x.type == y.type && x.number == y.number && is_identical(x.value(), y.value());
  });
}

std::string written(const Data& data, const JsonOptions& options = {}) {
  const auto text = to_json(data, options);
  EXPECT_TRUE(text.ok()) << text.error().message();
  return text.ok() ? *text : "";
}

// The data that `text` says, written again.
std::string rewritten(std::string_view text) {
  Data data;
  const auto read = read_json(text, data);
  return read.ok() ? written(data) : read.error().message();
}

void expect_error(std::string_view text, Code code, const std::string& message) {
  Data data;
  const auto read = read_json(text, data);
  ASSERT_FALSE(read.ok()) << text.substr(0, 100) << " was read as " << written(data);
  EXPECT_EQ(read.code(), code) << text.substr(0, 100);
  EXPECT_EQ(read.error().message(), message) << text.substr(0, 100);
  EXPECT_TRUE(data.items().empty());
}
void expect_invalid(std::string_view text, const std::string& message) { expect_error(text, Code::invalid, message); }

TEST(Json, ErrorsSayWhereAndWhat) {
  using std::string_view_literals::operator""sv;
  expect_invalid("", "line 1, column 1: expected a value, found the end of the text");
  expect_invalid(" \n ", "line 2, column 2: expected a value, found the end of the text");
  expect_invalid("nul", "line 1, column 1: expected a value, found 'nul'");
  expect_invalid("[NaN]", "line 1, column 2: expected a value or ']', found 'NaN'");
  expect_invalid("[1,\n  True]", "line 2, column 3: expected a value, found 'True'");
  expect_invalid("[1,]", "line 1, column 4: expected a value, found ']'");
  expect_invalid("[,1]", "line 1, column 2: expected a value or ']', found ','");
  expect_invalid("[1 2]", "line 1, column 4: expected ',' or ']', found '2'");
  expect_invalid("[01]", "line 1, column 3: expected ',' or ']', found '1'");
  expect_invalid("[1}", "line 1, column 3: expected ',' or ']', found '}'");
  expect_invalid("[1", "line 1, column 3: expected ',' or ']', found the end of the text");
  expect_invalid("[\"a\" \"b\"]", "line 1, column 6: expected ',' or ']', found a string");
  expect_invalid("{1:2}", "line 1, column 2: expected a key in quotes or '}', found '1'");
  expect_invalid("{\"a\" 1}", "line 1, column 6: expected ':', found '1'");
  expect_invalid("{\"a\":}", "line 1, column 6: expected a value, found '}'");
  expect_invalid("{\"a\"::1}", "line 1, column 6: expected a value, found ':'");
  expect_invalid("{\"a\":1 \"b\"}", "line 1, column 8: expected ',' or '}', found a string");
  expect_invalid("{\"a\":1,}", "line 1, column 8: expected a key in quotes, found '}'");
  expect_invalid("{\"a\":1]", "line 1, column 7: expected ',' or '}', found ']'");
  expect_invalid("[] []", "line 1, column 4: expected the end of the text, found '['");
  expect_invalid("1 // no", "line 1, column 3: expected the end of the text, found '/'");
  expect_invalid("'a'", "line 1, column 1: expected a value, found '''");
  expect_invalid("[\xc3\xa9]", "line 1, column 2: expected a value or ']', found the byte 195");
  // A zero byte is not the end.
  expect_invalid("1\0"sv, "line 1, column 2: expected the end of the text, found the byte 0");
  expect_invalid("[1,\0 2]"sv, "line 1, column 4: expected a value, found the byte 0");
  expect_invalid("\0"sv, "line 1, column 1: expected a value, found the byte 0");
  // Columns are characters.
  expect_invalid("[\"\xf0\x9f\xa6\xa7\xc3\xa9\", x]", "line 1, column 8: expected a value, found 'x'");
  expect_invalid("\xef\xbb\xbf[x]", "line 1, column 2: expected a value or ']', found 'x'");
  expect_invalid("\xef\xbb[x]", "line 1, column 1: expected a value, found the byte 239");
  // Numbers
  expect_invalid("[-]", "line 1, column 3: invalid number; expected digit after '-'");
  expect_invalid("-", "line 1, column 2: invalid number; expected digit after '-'");
  expect_invalid("[1.x]", "line 1, column 4: invalid number; expected digit after '.'");
  expect_invalid("[" + std::string(400, '1') + ".]", "line 1, column 403: invalid number; expected digit after '.'");
  expect_invalid("1e", "line 1, column 3: invalid number; expected '+', '-', or digit after exponent");
  expect_invalid("[1, 1e400]", "line 1, column 5: the number is beyond the range of reals");
  expect_invalid("[1, -1e400]", "line 1, column 5: the number is beyond the range of reals");
  expect_invalid("1" + std::string(400, '0') + ".0", "line 1, column 1: the number is beyond the range of reals");
  expect_invalid("[1e" + std::string(400, '9') + "]", "line 1, column 2: the number is beyond the range of reals");
  // Strings
  expect_invalid("[\"abc", "line 1, column 6: invalid string: missing closing quote");
  expect_invalid("\"\\q\"", "line 1, column 3: invalid string: forbidden character after backslash");
  expect_invalid("\"\\u12g4\"", "line 1, column 6: invalid string: '\\u' must be followed by 4 hex digits");
  expect_invalid("\"a\nb\"",
                 "line 1, column 3: invalid string: control character U+000A (LF) must be escaped to \\u000A or \\n");
  expect_invalid("\"a\0b\""sv,
                 "line 1, column 3: invalid string: control character U+0000 (NUL) must be escaped to \\u0000");
  expect_invalid("\"\\ud800\"",
                 "line 1, column 8: invalid string: surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF");
  expect_invalid("\"\\ud800\\u0041\"",
                 "line 1, column 13: invalid string: surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF");
  expect_invalid("\"\\udc00\"",
                 "line 1, column 7: invalid string: surrogate U+DC00..U+DFFF must follow U+D800..U+DBFF");
  expect_invalid("\"\xed\xa0\x80\"", "line 1, column 3: invalid string: ill-formed UTF-8 byte");
  expect_invalid("\"; last read: '\\q\"", "line 1, column 17: invalid string: forbidden character after backslash");
}

TEST(Json, WordsOfTheWrongForm) {
  expect_invalid(R"({"$int": 5})", R"(line 1, column 10: expected a string with an integer, as "123", for $int)");
  expect_invalid(R"([1, {"$int": "five"}])",
                 R"(line 1, column 14: expected a string with an integer, as "123", for $int)");
  expect_invalid(R"({"$int": null})", R"(line 1, column 10: expected a string with an integer, as "123", for $int)");
  expect_invalid(R"({"$float": "1.5"})",
                 R"(line 1, column 12: expected "inf", "-inf", "nan" or "nan:" and 16 digits for $float)");
  const std::string date = R"(expected a date, as "2024-01-02T03:04:05.000006", with Z or without, for $date)";
  expect_invalid(R"({"$date": "2024-02-30T00:00:00"})", "line 1, column 11: " + date);
  expect_invalid(R"({"$date": {"$int": "5"}})", "line 1, column 11: " + date);
  expect_invalid(R"({"$date": [1]})", "line 1, column 11: " + date);
  expect_invalid(R"({"$uuid": ""})",
                 R"(line 1, column 11: expected a UUID, as "01234567-89ab-cdef-0123-456789abcdef", for $uuid)");
  expect_invalid("{\n  \"$bytes\":\n  \"A\"}", "line 3, column 3: expected a string in base64 for $bytes");
  const std::string items = "expected an array of pairs, as [[1, 2]], for $items";
  for (const char* wrong : {"5", "\"a\"", "{}", "null", "true"})
    expect_invalid("{\"$items\": " + std::string(wrong) + "}", "line 1, column 12: " + items);
  for (const char* wrong : {"5", "\"a\"", "{}", "{\"$int\": \"5\"}"})
    expect_invalid("{\"$items\": [" + std::string(wrong) + "]}",
                   "line 1, column 13: expected a pair, as [1, 2], in $items");
  expect_invalid("{\"$items\": [[]]}", "line 1, column 14: expected a key and a value in the pair");
  expect_invalid("{\"$items\": [[1]]}", "line 1, column 15: expected a key and a value in the pair");
  for (const char* more : {"3", "[]", "{}", "{\"$int\": \"5\"}", "\"\"", "{\"$items\": []}"})
    expect_invalid("{\"$items\": [[1, 2, " + std::string(more) + "]]}",
                   "line 1, column 20: expected ']' behind the key and the value of the pair");
  for (const char* object : {"{}", "{\"a\": 1}", "{\"$items\": []}"}) {
    expect_invalid("{\"$items\": [[" + std::string(object) + ", 2]]}", "line 1, column 14: an object cannot be a key");
    expect_invalid("{\"$items\": [[[1, " + std::string(object) + "], 2]]}",
                   "line 1, column 18: an object cannot be a key");
  }
  expect_error(R"({"a": {"$items": [[{"$float": "nan"}, 2]]}})", Code::type,
               "line 1, column 31: key at ['a']: NaN cannot be a key: it equals nothing");
  expect_error(R"({"a": {"$items": [[[{"$float": "nan"}], 2]]}})", Code::type,
               "line 1, column 20: key at ['a']: NaN cannot be a key: it equals nothing");
}

// A text that is cut anywhere is an error; changed anywhere, it is one or says something else, but nothing breaks.
TEST(Json, DamagedTexts) {
  const std::string sample =
      R"( {"a": [1, -2.5e+3, true, false, null, "x\u00e9\ud83e\udda7\n"], "$$b": {"$items": [)"
      R"([[1, ["t"], {"$int": "99"}], {"$date": "2024-01-02T03:04:05.5Z"}], [{"$bytes": "AAE="}, {}],)"
      R"( [1.5, {"$float": "nan:7ff8000000000001"}]]}, "c": {"$uuid": "01234567-89ab-cdef-0123-456789abcdef"}})";
  Data data;
  ASSERT_TRUE(read_json(sample, data).ok());
  for (std::size_t size = 0; size < sample.size(); ++size) {
    // In memory of its own, so that AddressSanitizer sees who reads too far.
    const std::vector<char> cut(sample.begin(), sample.begin() + static_cast<std::ptrdiff_t>(size));
    ASSERT_EQ(read_json({cut.data(), cut.size()}, data).code(), Code::invalid) << size;
  }
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  static constexpr char bytes[] = "[]{},:\"\\ 019.eE+-tfnu$\n\x01\x7f\x80\xc3\xff";
  for (std::uint64_t i = test::scaled(50'000, 5'000'000); i > 0; --i) {
    std::vector<char> text(sample.begin(), sample.end());
    for (std::uint64_t changes = 1 + random() % 3; changes > 0; --changes) {
      const auto at = text.begin() + static_cast<std::ptrdiff_t>(random() % text.size());
      switch (random() % 3) {
        case 0:
          *at = bytes[random() % sizeof bytes];
          break;
        case 1:
          text.erase(at, at + static_cast<std::ptrdiff_t>(random() % std::min<std::size_t>(text.end() - at, 8)));
          break;
        default:
          text.insert(at, bytes[random() % sizeof bytes]);
          break;
      }
    }
    const auto read = read_json({text.data(), text.size()}, data);
    if (read.ok()) {
      const std::string again = written(data);
      Data back;
      ASSERT_TRUE(read_json(again, back).ok()) << again;
      ASSERT_TRUE(is_same(data, back)) << again;
    } else {
      ASSERT_TRUE(read.error().message().starts_with("line ")) << read.error().message();
    }
  }
}

std::string repeated(std::string_view part, std::size_t times) {
  std::string out;
  out.reserve(part.size() * times);
  for (; times > 0; --times) out += part;
  return out;
}

TEST(Json, TextsThatAreTooDeep) {
  const std::string path = "value at [0][0][0][0][0][0][0][0]...[0][0][0][0][0][0][0][0]: ";
  const std::string why = "containers are nested at most 10000 deep";
  expect_error(repeated("[", 1'000'000), Code::too_large, "line 1, column 10001: " + path + why);
  expect_error(repeated("[", 10'001) + repeated("]", 10'001), Code::too_large, "line 1, column 10001: " + path + why);
  Data data;
  for (const char* bomb : {"{\"a\":", "{\"$items\":[[1,", "[{\"$a\":", "{\"$items\":[[1,[", "{\"$items\":[[[],{\"a\":"})
    EXPECT_EQ(read_json(repeated(bomb, 1'000'000 / std::string_view(bomb).size()), data).code(),
              std::string_view(bomb).find('$') == std::string_view::npos ? Code::too_large : Code::invalid)
        << bomb;  // with a "$" the first pass finds that it is cut
  EXPECT_EQ(read_json("{\"$items\":[[" + repeated("[", 33) + repeated("]", 33) + ",1]]}", data).code(),
            Code::too_large);
  EXPECT_EQ(read_json("{\"$items\":[[" + repeated("[", 32) + repeated("]", 32) + ",1]]}", data).code(), Code::ok);
  EXPECT_EQ(read_json("{\"$items\":[[" + repeated("[", 500'000) + repeated("]", 500'000) + ",1]]}", data).code(),
            Code::too_large);

  for (const auto& [opening, closing] : {std::pair{"[", "]"}, {"{\"a\":", "}"}, {"{\"$items\":[[1,", "]]}"}}) {
    const std::string deepest = repeated(opening, data_depth_max) + "1" + repeated(closing, data_depth_max);
    const std::string wanted = std::string(opening) == "["
                                   ? repeated("[", data_depth_max - 1) + "[1]" + repeated("]", data_depth_max - 1)
                                   : deepest;
    const auto read = read_json(wanted, data);
    ASSERT_TRUE(read.ok()) << read.error().message();
    EXPECT_EQ(written(data), wanted);
    EXPECT_EQ(
        read_json(repeated(opening, data_depth_max + 1) + "1" + repeated(closing, data_depth_max + 1), data).code(),
        Code::too_large);
  }
}

TEST(Json, TextsThatAreLong) {
  Data data;
  const std::string digits(10'000'000, '7');
  const std::string too_many = "line 1, column 1: an integer has at most 100000 digits as text";
  expect_error(digits, Code::too_large, too_many);
  expect_error("{\"$int\": \"" + digits + "\"}", Code::too_large,
               "line 1, column 10: an integer has at most 100000 digits as text");
  expect_invalid(digits + "e5", "line 1, column 1: the number is beyond the range of reals");
  EXPECT_EQ(rewritten("0." + digits), "0.7777777777777778");
  EXPECT_EQ(rewritten("\"" + digits + "\"").size(), digits.size() + 2);
  expect_error("\"" + digits, Code::invalid, "line 1, column 10000002: invalid string: missing closing quote");
  // One key that is longer than keys may be.
  expect_error("{\"" + digits + "\":1}", Code::too_large,
               "line 1, column 2: key at the top: a key has at most 65536 bytes, not 10000000");
  expect_error("{\"$items\":[[[" + repeated("1,", 1'000'000) + "1],1]]}", Code::too_large,
               "line 1, column 13: key at the top: a key has at most 65536 bytes");

  std::string records = "[";
  for (int i = 0; records.size() < 4'000'000; ++i) {
    if (i > 0) records += ',';
    records += "{\"name\":\"bird ";
    records += std::to_string(i);
    records += "\",\"mass\":12.5,\"eggs\":[1,2,3]}";
  }
  records += "]";
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(read_json(records, data).ok());
  const auto read = std::chrono::steady_clock::now();
  EXPECT_EQ(written(data), records);
  const auto end = std::chrono::steady_clock::now();
  const auto in_ms = [](auto span) { return std::chrono::duration_cast<std::chrono::milliseconds>(span).count(); };
  std::cerr << records.size() << " bytes: read in " << in_ms(read - start) << " ms, written in " << in_ms(end - read)
            << " ms\n";
}

}  // namespace
}  // namespace utan::object
