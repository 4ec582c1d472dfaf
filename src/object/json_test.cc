// Shows that JSON loses nothing of data, to the limits of every type, and that anybody's JSON is read as one expects.
#include "object/json.h"

#include <gtest/gtest.h>

#include <bit>
#include <clocale>
#include <cmath>
#include <deque>
#include <limits>

#include "support/store_fixture.h"

namespace utan::object {
namespace {

using format::ContainerType;
using format::Tag;
using format::Value;
using Kind = Data::Kind;

using ByteVector = std::vector<std::byte>;

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

Data data_of(const Value& value) {
  Data out;
  EXPECT_TRUE(out.add(value).ok());
  return out;
}

void expect_both_ways(const Data& data, const std::string& text) {
  EXPECT_EQ(written(data), text);
  for (const JsonOptions& options : {JsonOptions{}, JsonOptions{.indent = 2}}) {
    Data back;
    const auto read = read_json(written(data, options), back);
    ASSERT_TRUE(read.ok()) << read.error().message() << " in " << text;
    EXPECT_TRUE(is_same(data, back)) << text;
  }
}

// The data that `text` says, written again.
std::string rewritten(std::string_view text) {
  Data data;
  const auto read = read_json(text, data);
  return read.ok() ? written(data) : read.error().message();
}

// --- Round trips -----------------------------------------------------------------------------------------------------

TEST(Json, PlainValues) {
  expect_both_ways(data_of(Value::null()), "null");
  expect_both_ways(data_of(Value::boolean(true)), "true");
  expect_both_ways(data_of(Value::boolean(false)), "false");
  expect_both_ways(data_of(Value::string("")), "\"\"");
  expect_both_ways(data_of(Value::string(std::string_view("a\0b", 3))), "\"a\\u0000b\"");
  expect_both_ways(data_of(Value::string("\xf0\x9f\xa6\xa7 \"\\/\x7f")), "\"\xf0\x9f\xa6\xa7 \\\"\\\\/\x7f\"");
  expect_both_ways(data_of(Value::string("$uuid")), "\"$uuid\"");
}

TEST(Json, Integers) {
  constexpr std::int64_t plain = std::int64_t{1} << 53;
  for (const std::int64_t one : {std::int64_t{0}, std::int64_t{-1}, plain, -plain, plain - 1, 1 - plain})
    expect_both_ways(data_of(Value::integer(one)), std::to_string(one));
  for (const std::int64_t one :
       {plain + 1, -plain - 1, std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    expect_both_ways(data_of(Value::integer(one)), "{\"$int\":\"" + std::to_string(one) + "\"}");
    // Anybody's number is the same.
    EXPECT_EQ(rewritten(std::to_string(one)), "{\"$int\":\"" + std::to_string(one) + "\"}");
  }
  ByteVector bytes(8);
  bytes.push_back(std::byte{1});
  expect_both_ways(data_of(Value::big_integer(bytes)), "{\"$int\":\"18446744073709551616\"}");
  for (std::size_t digits = 19; digits <= 700; ++digits) {
    for (const char* sign : {"", "-"}) {
      const std::string number = sign + std::string(digits, '9');
      EXPECT_EQ(rewritten(number), "{\"$int\":\"" + number + "\"}");
      EXPECT_EQ(rewritten("[ " + number + ",1]"), "[{\"$int\":\"" + number + "\"},1]");
    }
  }
  EXPECT_EQ(rewritten("{\"$int\": \"5\"}"), "5");
  EXPECT_EQ(rewritten("-0"), "0");
}

TEST(Json, Reals) {
  const double reals[] = {0.0, -0.0, 1.0, -1.5, 0.1, 1e300, 5e-324, 1.7976931348623157e308, 0x1p53, 0x1p80};
  const char* const texts[] = {"0.0",
                               "-0.0",
                               "1.0",
                               "-1.5",
                               "0.1",
                               "1e+300",
                               "5e-324",
                               "1.7976931348623157e+308",
                               "9007199254740992.0",
                               "1.2089258196146292e+24"};
  for (std::size_t i = 0; i < std::size(reals); ++i) expect_both_ways(data_of(Value::real(reals[i])), texts[i]);
  expect_both_ways(data_of(Value::real(INFINITY)), "{\"$float\":\"inf\"}");
  expect_both_ways(data_of(Value::real(-INFINITY)), "{\"$float\":\"-inf\"}");
  for (const auto& [bits, text] : {std::pair{0x7ff8000000000000, "nan"},
                                   {0x7ff0000000000001, "nan:7ff0000000000001"},
                                   {0x7ff8000000000abc, "nan:7ff8000000000abc"}}) {
    Value nan = Value::real(0);
    nan.bits = static_cast<std::uint64_t>(bits);
    expect_both_ways(data_of(nan), "{\"$float\":\"" + std::string(text) + "\"}");
  }
  EXPECT_EQ(rewritten("1e5"), "1e+05");
  EXPECT_EQ(rewritten("1E+2"), "100.0");
  EXPECT_EQ(rewritten("1e-400"), "0.0");
  EXPECT_EQ(rewritten("-1e-400"), "-0.0");
  EXPECT_EQ(rewritten("1" + std::string(1000, '0') + "e-1000"), "1.0");
  EXPECT_EQ(rewritten("0." + std::string(1000, '0') + "1e1001"), "1.0");
  EXPECT_EQ(rewritten("1e" + std::string(1000, '0') + "1"), "10.0");
  EXPECT_EQ(rewritten("[1e-" + std::string(1000, '0') + "1,2]"), "[0.1,2]");
}

TEST(Json, DatesUuidsAndBytes) {
  expect_both_ways(data_of(Value::datetime(1704164645000006)), "{\"$date\":\"2024-01-02T03:04:05.000006\"}");
  expect_both_ways(data_of(Value::datetime_utc(0)), "{\"$date\":\"1970-01-01T00:00:00Z\"}");
  for (const std::int64_t limit : {std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min(),
                                   std::int64_t{-62135596800000000}, std::int64_t{253402300799999999}}) {
    const std::string text = written(data_of(Value::datetime_utc(limit)));
    expect_both_ways(data_of(Value::datetime_utc(limit)), text);
  }
  expect_both_ways(data_of(Value::datetime(std::numeric_limits<std::int64_t>::max())),
                   "{\"$date\":\"+294247-01-10T04:00:54.775807\"}");
  ByteVector bytes;
  for (unsigned size = 0; size <= 66; ++size) {
    expect_both_ways(data_of(Value::binary(bytes)), written(data_of(Value::binary(bytes))));
    bytes.push_back(static_cast<std::byte>(size * 37));
  }
  bytes.resize(16);
  expect_both_ways(data_of(Value::uuid(bytes)), "{\"$uuid\":\"00254a6f-94b9-de03-284d-7297bce1062b\"}");
  bytes.resize(3);
  expect_both_ways(data_of(Value::binary(bytes)), "{\"$bytes\":\"ACVK\"}");
}

TEST(Json, ContainersAndKeys) {
  Data data;
  const auto add = [&](const Value& value) { ASSERT_TRUE(data.add(value).ok()); };
  const auto begin = [&](ContainerType type) { ASSERT_TRUE(data.begin(type).ok()); };
  const auto end = [&] { ASSERT_TRUE(data.end().ok()); };
  begin(ContainerType::dict);
  for (const char* key : {"a", "", "$", "$a", "$$", "$uuid", "$items", "\xc3\xa9"}) {
    add(Value::string(key));
    add(Value::integer(1));
  }
  add(Value::string("nested"));
  begin(ContainerType::list);
  begin(ContainerType::list);
  end();
  begin(ContainerType::dict);
  end();
  end();
  end();
  expect_both_ways(data,
                   "{\"a\":1,\"\":1,\"$$\":1,\"$$a\":1,\"$$$\":1,\"$$uuid\":1,\"$$items\":1,\"\xc3\xa9\":1,"
                   "\"nested\":[[],{}]}");

  data.clear();
  begin(ContainerType::dict);
  add(Value::string("$uuid"));
  add(Value::string("not one"));
  end();
  expect_both_ways(data, "{\"$$uuid\":\"not one\"}");

  data.clear();
  const ByteVector bytes(16);
  const Value inner[] = {Value::null(), Value::datetime(0)};
  const Value outer[] = {Value::integer(1), Value::tuple(inner), Value::tuple({}), Value::string("$a"),
                         Value::uuid(bytes)};
  begin(ContainerType::dict);
  for (const Value& key :
       {Value::null(), Value::boolean(true), Value::integer(std::numeric_limits<std::int64_t>::min()),
        Value::real(-0.0), Value::real(INFINITY), Value::datetime_utc(1), Value::uuid(bytes), Value::binary(bytes),
        Value::string("$a"), Value::tuple({}), Value::tuple(outer)}) {
    add(key);
    begin(ContainerType::dict);
    add(key);
    begin(ContainerType::list);
    end();
    end();
  }
  end();
  expect_both_ways(data, written(data));
  EXPECT_TRUE(written(data).starts_with("{\"$items\":[[null,{\"$items\":[[null,[]]]}],[true,"));
  EXPECT_NE(written(data).find("[[1,[null,{\"$date\":\"1970-01-01T00:00:00\"}],[],\"$a\",{\"$uuid\":"),
            std::string::npos);
}

TEST(Json, OtherMappingsAreWrittenAsDicts) {
  Data data;
  ASSERT_TRUE(data.begin(ContainerType::collection).ok());
  ASSERT_TRUE(data.add(Value::string("a")).ok());
  ASSERT_TRUE(data.begin(ContainerType::table).ok());
  ASSERT_TRUE(data.add(Value::integer(1)).ok());
  ASSERT_TRUE(data.add(Value::integer(2)).ok());
  ASSERT_TRUE(data.end().ok());
  ASSERT_TRUE(data.end().ok());
  EXPECT_EQ(written(data), "{\"a\":{\"$items\":[[1,2]]}}");
}

TEST(Json, Indented) {
  EXPECT_EQ(rewritten(R"({ "a" : [ 1 , { "$items" : [ [ 1 , [ ] ] ] } ] } )"), R"({"a":[1,{"$items":[[1,[]]]}]})");
  Data data;
  ASSERT_TRUE(
      read_json(R"({"a":[1,{"$items":[[[1,2],{"b":null}],[2,[]]]},{"$items":[]}],"c":{"$bytes":"AAAA"}})", data).ok());
  EXPECT_EQ(written(data, {.indent = 2}), R"({
  "a": [
    1,
    {
      "$items": [
        [[1, 2], {
          "b": null
        }],
        [2, []]
      ]
    },
    {}
  ],
  "c": {"$bytes": "AAAA"}
})");
}

TEST(Json, SharedAndCyclicParts) {
  Data data;
  ASSERT_TRUE(data.begin(ContainerType::list).ok());
  ASSERT_TRUE(data.begin(ContainerType::dict).ok());
  ASSERT_TRUE(data.add(Value::string("a")).ok());
  ASSERT_TRUE(data.begin(ContainerType::list).ok());
  ASSERT_TRUE(data.end().ok());
  ASSERT_TRUE(data.end().ok());
  ASSERT_TRUE(data.add_part(1).ok());
  ASSERT_TRUE(data.add_part(2).ok());
  EXPECT_EQ(to_json(data).code(), Code::invalid);  // not complete
  ASSERT_TRUE(data.end().ok());
  EXPECT_EQ(written(data), "[{\"a\":[]},{\"a\":[]},[]]");

  data.clear();
  ASSERT_TRUE(data.begin(ContainerType::list).ok());
  ASSERT_TRUE(data.begin(ContainerType::dict).ok());
  ASSERT_TRUE(data.add(Value::string("a")).ok());
  ASSERT_TRUE(data.add_part(0).ok());
  ASSERT_TRUE(data.end().ok());
  ASSERT_TRUE(data.end().ok());
  EXPECT_EQ(to_json(data).code(), Code::invalid);
  EXPECT_EQ(to_json(data).error().message(), "value at [0]['a']: a container refers to itself, which JSON cannot say");
}

// Each list holds the one before it twice.
TEST(Json, WhatIsSharedTooOftenIsTooLarge) {
  Data data;
  ASSERT_TRUE(data.begin(ContainerType::list).ok());
  for (std::uint32_t i = 1; i < 60; ++i) {
    ASSERT_TRUE(data.begin(ContainerType::list).ok());
    if (i > 1) {
      ASSERT_TRUE(data.add_part(i - 1).ok());
      ASSERT_TRUE(data.add_part(i - 1).ok());
    }
    ASSERT_TRUE(data.end().ok());
  }
  ASSERT_TRUE(data.end().ok());
  EXPECT_EQ(to_json(data, {.size_max = ByteCount{100'000}}).code(), Code::too_large);
}

TEST(Json, WhatHasNoForm) {
  EXPECT_EQ(to_json(data_of(Value::container(format::root_object))).code(), Code::type);
  EXPECT_EQ(to_json(data_of(Value::string("\xff"))).error().message(), "value at the top: a string is not UTF-8");
  Data data;
  ASSERT_TRUE(data.begin(ContainerType::dict).ok());
  ASSERT_TRUE(data.add(Value::string("a")).ok());
  ASSERT_TRUE(data.begin(ContainerType::dict).ok());
  ASSERT_TRUE(data.add(Value::string("\xff")).ok());
  ASSERT_TRUE(data.add(Value::null()).ok());
  ASSERT_TRUE(data.end().ok());
  ASSERT_TRUE(data.end().ok());
  EXPECT_EQ(to_json(data).code(), Code::invalid);
  EXPECT_EQ(to_json(data).error().message(), "key at ['a']: a string is not UTF-8");
  Value extended = Value::binary({});
  extended.tag = Tag::extended;
  EXPECT_EQ(to_json(data_of(extended)).code(), Code::type);
  ByteVector big(100'000, std::byte{1});
  EXPECT_EQ(to_json(data_of(Value::big_integer(big))).code(), Code::too_large);
  std::string out = "before ";
  JsonWriter writer(out);
  EXPECT_TRUE(writer.begin_mapping(true).ok());
  EXPECT_EQ(writer.key(Value::integer(1)).code(), Code::type);
  EXPECT_TRUE(out.starts_with("before {"));
  const Value part[] = {Value::integer(1)};
  EXPECT_EQ(writer.value(Value::tuple(part)).code(), Code::type) << "but as a key";
}

TEST(Json, TheWriterGoesOnlySoDeep) {
  std::string out;
  JsonWriter writer(out);
  for (std::size_t i = 0; i < data_depth_max; ++i) ASSERT_TRUE(writer.begin_list().ok()) << i;
  EXPECT_EQ(writer.begin_list().code(), Code::too_large);
  EXPECT_TRUE(out == std::string(data_depth_max, '['));  // not by EXPECT_EQ, which would print them
}

TEST(Json, WriterByEvents) {
  std::string out = "x = ";
  JsonWriter writer(out);
  EXPECT_FALSE(writer.complete());
  ASSERT_TRUE(writer.begin_mapping(false).ok());
  ASSERT_TRUE(writer.key(Value::integer(1)).ok());
  ASSERT_TRUE(writer.begin_list().ok());
  ASSERT_TRUE(writer.value(Value::null()).ok());
  ASSERT_TRUE(writer.end().ok());
  ASSERT_TRUE(writer.key(Value::integer(2)).ok());
  ASSERT_TRUE(writer.value(Value::integer(3)).ok());
  EXPECT_FALSE(writer.complete());
  ASSERT_TRUE(writer.end().ok());
  EXPECT_TRUE(writer.complete());
  EXPECT_EQ(out, "x = {\"$items\":[[1,[null]],[2,3]]}");
}

// --- Random data -----------------------------------------------------------------------------------------------------

class Maker {
 public:
  explicit Maker(std::uint64_t seed) : random_(seed) {}

  void fill(Data& data) {
    kept_.clear();
    tuples_.clear();
    const std::uint64_t size = below(60);
    add(data, size);
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

  // Without recursion of the data: opens and closes by chance.
  void add(Data& data, std::uint64_t size) {
    std::vector<bool> lists;
    do {
      const bool room = size > 0 && lists.size() < 40;
      if (room && below(3) == 0) {
        lists.push_back(below(2) == 0);
        ASSERT_TRUE(data.begin(lists.back() ? ContainerType::list : ContainerType::dict).ok());
        string_keys_ = below(2) == 0;
      } else {
        ASSERT_TRUE(data.add(value(false)).ok());
      }
      size -= size > 0 ? 1 : 0;
      while (!lists.empty() && (size == 0 || below(3) == 0)) {
        ASSERT_TRUE(data.end().ok());
        lists.pop_back();
      }
      if (!lists.empty() && !lists.back()) {
        ASSERT_TRUE(data.add(string_keys_ ? text() : value(true)).ok());
      }
    } while (!lists.empty());
  }

  Value value(bool key, unsigned depth = 0) {
    switch (below(key && depth < 3 ? 11 : 10)) {
      case 0:
        return Value::null();
      case 1:
        return Value::boolean(below(2) == 0);
      case 2:
        return Value::integer(static_cast<std::int64_t>(random_()) >> below(64));
      case 3:
        return big();
      case 4:
      case 5: {
        Value real = Value::real(static_cast<double>(below(1000)) / 8);
        if (below(2) == 0) real.bits = random_() | (below(4) == 0 ? 0x7ff0000000000000 : 0);
        if (key && std::isnan(real.as_real())) real.bits = below(2) << 63;
        return real;
      }
      case 6:
        return below(2) == 0 ? Value::datetime(static_cast<std::int64_t>(random_()) >> below(30))
                             : Value::datetime_utc(static_cast<std::int64_t>(random_()) >> below(30));
      case 7:
        return Value::uuid(bytes(16));
      case 8:
        return Value::binary(bytes(below(20)));
      case 9:
        return text();
      default: {
        std::vector<Value>& elements = tuples_.emplace_back();
        for (std::uint64_t i = below(4); i > 0; --i) {
          const Value one = value(true, depth + 1);
          elements.push_back(one);
        }
        return Value::tuple(elements);
      }
    }
  }
  Value big() {
    std::span<const std::byte> all = bytes(9 + below(60));
    const auto bit = [&all](std::size_t i) { return (std::to_integer<unsigned>(all[i]) & 0x80) != 0; };
    while (all.size() > 1 && all.back() == (bit(all.size() - 2) ? std::byte{0xff} : std::byte{0}))
      all = all.first(all.size() - 1);
    return Value::big_integer(all);
  }
  Value text() {
    static const std::string parts[] = {"a",
                                        "$",
                                        "$$",
                                        "$items",
                                        "\"",
                                        "\\",
                                        "\n",
                                        "\x01",
                                        "\xc3\xa9",
                                        "\xe2\x82\xac",
                                        "u0041",
                                        "/",
                                        "\xf0\x9f\xa6\xa7",
                                        std::string(1, '\0')};
    std::string& out = texts_.emplace_back();
    for (std::uint64_t i = below(6); i > 0; --i) out += parts[below(std::size(parts))];
    return Value::string(out);
  }
  std::span<const std::byte> bytes(std::size_t count) {
    ByteVector& out = kept_.emplace_back(count);
    for (auto& one : out) one = static_cast<std::byte>(random_());
    return out;
  }

  std::mt19937_64 random_;
  bool string_keys_ = false;
  std::deque<ByteVector> kept_;
  std::deque<std::string> texts_;
  std::deque<std::vector<Value>> tuples_;
};

TEST(Json, RandomDataComesBack) {
  UTAN_SEEDED(seed);
  Maker maker(seed);
  for (std::uint64_t i = test::scaled(5000, 1'000'000); i > 0; --i) {
    Data data;
    maker.fill(data);
    ASSERT_TRUE(data.complete());
    for (const JsonOptions& options : {JsonOptions{}, JsonOptions{.indent = 3}}) {
      const std::string text = written(data, options);
      Data back;
      const auto read = read_json(text, back);
      ASSERT_TRUE(read.ok()) << read.error().message() << "\n" << text;
      ASSERT_TRUE(is_same(data, back)) << text << "\n" << written(back, options);
    }
  }
}

// --- Anybody's JSON --------------------------------------------------------------------------------------------------

TEST(Json, AnybodysText) {
  EXPECT_EQ(rewritten(" \t\r\n{ \"a\" : [ 1 , 2.5e3 , true , null , \"x\" ] } \n"),
            "{\"a\":[1,2500.0,true,null,\"x\"]}");
  EXPECT_EQ(rewritten("\xef\xbb\xbf[1, 22]"), "[1,22]");
  EXPECT_EQ(rewritten("\xef\xbb\xbf"
                      "22"),
            "22");
  EXPECT_EQ(rewritten(R"("\u0041\u00e9\ud83e\udda7\/\b\f\n\r\t\"\\\u0000")"),
            "\"A\xc3\xa9\xf0\x9f\xa6\xa7/\\b\\f\\n\\r\\t\\\"\\\\\\u0000\"");
  EXPECT_EQ(rewritten(R"({"a":1,"a":2})"), R"({"a":1,"a":2})");
  EXPECT_EQ(rewritten("\"" + std::string(5000, '7') + "\""), "\"" + std::string(5000, '7') + "\"");
  EXPECT_EQ(rewritten(R"("\\" )"), R"("\\")");
  EXPECT_EQ(rewritten(R"(["\"111", "a\\", 5])"), R"(["\"111","a\\",5])");
}

TEST(Json, WordsAmongOtherKeysAreKeys) {
  EXPECT_EQ(rewritten(R"({"$ref": "#/a"})"), R"({"$$ref":"#/a"})");
  EXPECT_EQ(rewritten(R"({"$uuid": 5, "a": 1})"), R"({"$$uuid":5,"a":1})");
  EXPECT_EQ(rewritten(R"({"a": 1, "$uuid": 5})"), R"({"a":1,"$$uuid":5})");
  EXPECT_EQ(rewritten(R"({"$items": [[1]], "$items": {}})"), R"({"$$items":[[1]],"$$items":{}})");
  EXPECT_EQ(rewritten(R"([{"$items": [{"$int": "7"}], "x": {"$items": []}}, {"$float": "inf"}])"),
            R"([{"$$items":[7],"x":{}},{"$float":"inf"}])");
  // Escapes make no difference.
  EXPECT_EQ(rewritten(R"({"\u0024int": "\u0037"})"), "7");
  EXPECT_EQ(rewritten(R"({"\u0024\u0024int": 7})"), R"({"$$int":7})");
  EXPECT_EQ(rewritten(R"({"$Int": "7"})"), R"({"$$Int":"7"})");
}

TEST(Json, TheLocaleMakesNoDifference) {
  const std::string before = std::setlocale(LC_NUMERIC, nullptr);
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "ps_AF.UTF-8", "C"}) {
    if (std::setlocale(LC_NUMERIC, name) == nullptr) continue;
    EXPECT_EQ(rewritten("[1.5,-2.25e-3,1e5]"), "[1.5,-0.00225,1e+05]") << name;
  }
  std::setlocale(LC_NUMERIC, before.c_str());
}

}  // namespace
}  // namespace utan::object
