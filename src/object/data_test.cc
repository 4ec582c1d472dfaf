// Shows that Data holds what it was given, in order, with numbers of containers, shared and cyclic ones too; that it owns
// its bytes; that errors name the place and change nothing; and, beside a model, that it takes exactly what makes sense.
#include "object/data.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "format/layout.h"
#include "support/store_fixture.h"

namespace utan::object {
namespace {

using format::ContainerType;
using format::Tag;
using format::Value;
using Kind = Data::Kind;

Value text(std::string_view string) { return Value::string(string); }

// The items as one line of text.
std::string shown(const Data& data) {
  std::string out;
  for (const Data::Item& item : data.items()) {
    if (!out.empty()) out += ' ';
    switch (item.kind) {
      case Kind::value:
        out += item.tag == Tag::string ? std::string(item.value().as_text()) : std::to_string(item.word);
        break;
      case Kind::begin:
        out += "begin" + std::to_string(item.number) + ":" + std::to_string(static_cast<int>(item.type));
        break;
      case Kind::end:
        out += "end" + std::to_string(item.number);
        break;
      case Kind::part:
        out += "part" + std::to_string(item.number);
        break;
    }
  }
  return out;
}

void expect_ok(const Result<void>& result) { ASSERT_TRUE(result.ok()) << result.error().message(); }
void expect_number(const Result<std::uint32_t>& result, std::uint32_t number) {
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(*result, number);
}
template <class T>
void expect_error(const Result<T>& result, Code code, const std::string& message) {
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.code(), code);
  EXPECT_EQ(result.error().message(), message);
}

TEST(Data, AValueAlone) {
  Data data;
  EXPECT_FALSE(data.complete());
  expect_ok(data.add(Value::integer(5)));
  EXPECT_TRUE(data.complete());
  EXPECT_EQ(shown(data), "5");
  expect_error(data.add(Value::null()), Code::invalid, "value at the top: there is one already");
  expect_error(data.begin(ContainerType::list), Code::invalid, "value at the top: there is one already");
  expect_error(data.end(), Code::invalid, "no container is open that could end");
  data.clear();
  EXPECT_FALSE(data.complete());
  expect_ok(data.add(text("again")));
  EXPECT_EQ(shown(data), "again");
}

TEST(Data, NestedSharedAndCyclic) {
  Data data;
  expect_number(data.begin(ContainerType::dict), 0);
  EXPECT_EQ(data.path(), "");
  expect_ok(data.add(text("birds")));
  EXPECT_EQ(data.path(), "['birds']");
  expect_number(data.begin(ContainerType::list), 1);
  EXPECT_EQ(data.path(), "['birds'][0]");
  expect_ok(data.add(Value::integer(7)));
  expect_number(data.begin(ContainerType::collection), 2);
  EXPECT_EQ(data.path(), "['birds'][1]");
  expect_ok(data.add(Value::integer(3)));
  EXPECT_EQ(data.path(), "['birds'][1][3]");
  expect_ok(data.add_part(0));  // a cycle
  EXPECT_EQ(data.path(), "['birds'][1]");
  expect_ok(data.end());
  EXPECT_EQ(data.path(), "['birds'][2]");
  expect_ok(data.add_part(2));  // shared
  expect_number(data.begin(ContainerType::table), 3);
  expect_ok(data.end());
  EXPECT_EQ(data.path(), "['birds'][4]");
  expect_ok(data.end());
  EXPECT_FALSE(data.complete());
  expect_ok(data.end());
  EXPECT_TRUE(data.complete());
  EXPECT_EQ(data.container_count(), 4U);
  EXPECT_EQ(shown(data), "begin0:1 birds begin1:2 7 begin2:3 3 part0 end2 part2 begin3:4 end3 end1 end0");
  EXPECT_EQ(data.items()[8].type, ContainerType::collection);  // of a part, too
  EXPECT_EQ(data.place_of(0), "value at the top");
  EXPECT_EQ(data.place_of(1), "key at the top");
  EXPECT_EQ(data.place_of(2), "value at ['birds']");
  EXPECT_EQ(data.place_of(5), "key at ['birds'][1]");
  EXPECT_EQ(data.place_of(6), "value at ['birds'][1][3]");
  EXPECT_EQ(data.place_of(8), "value at ['birds'][2]");
}

TEST(Data, OwnsWhatItHolds) {
  Data data;
  expect_number(data.begin(ContainerType::dict), 0);
  std::vector<std::string> expected;
  {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < 2000; ++i)
      texts.push_back(std::string(i % 97 * (i % 10 == 0 ? 50 : 1), 'a') + std::to_string(i));
    expected = texts;
    for (std::string& one : texts) {
      const Value inner[] = {text(one), Value::integer(1)};
      const Value outer[] = {Value::tuple(inner), text(one), Value::tuple({})};
      expect_ok(data.add(Value::tuple(outer)));
      expect_ok(data.add(text(one)));
      one.assign(one.size(), '!');
    }
  }
  expect_ok(data.end());
  const Data moved = std::move(data);
  ASSERT_EQ(moved.items().size(), 2 * expected.size() + 2);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const Value inner[] = {text(expected[i]), Value::integer(1)};
    const Value outer[] = {Value::tuple(inner), text(expected[i]), Value::tuple({})};
    EXPECT_TRUE(is_identical(moved.items()[1 + 2 * i].value(), Value::tuple(outer)));
    EXPECT_TRUE(is_identical(moved.items()[2 + 2 * i].value(), text(expected[i])));
  }
  // What was moved away is empty, and can be used again.
  expect_number(data.begin(ContainerType::dict), 0);  // NOLINT(bugprone-use-after-move)
  expect_ok(data.add(text("key")));
  expect_ok(data.add(text("value")));
  expect_ok(data.end());
  EXPECT_EQ(shown(data), "begin0:1 key value end0");
  EXPECT_EQ(moved.items()[2].value().as_text(), expected[0]);
}

TEST(Data, KeysThatCannotBe) {
  Data data;
  expect_number(data.begin(ContainerType::dict), 0);
  expect_ok(data.add(text("users")));
  expect_number(data.begin(ContainerType::list), 1);
  for (int i = 0; i < 3; ++i) expect_ok(data.add(Value::null()));
  expect_number(data.begin(ContainerType::collection), 2);
  const std::string at = "key at ['users'][3]: ";
  expect_error(data.add(Value::real(std::nan(""))), Code::type, at + "NaN cannot be a key: it equals nothing");
  const Value inside[] = {Value::real(std::nan(""))};
  expect_error(data.add(Value::tuple(inside)), Code::type, at + "NaN cannot be a key: it equals nothing");
  expect_error(data.add(Value::container(format::root_object)), Code::type,
               at + "a container or such a value cannot be a key");
  expect_error(data.begin(ContainerType::list), Code::type, at + "a container cannot be a key");
  expect_error(data.add_part(0), Code::type, at + "a container cannot be a key");
  const std::string long_text(format::key_size_max + 1, 'x');
  expect_error(data.add(text(long_text)), Code::too_large, at + "a key has at most 65536 bytes, not 65537");
  std::vector<Value> nested(format::key_depth_max + 2);
  for (std::size_t i = 1; i < nested.size(); ++i) nested[i] = Value::tuple({&nested[i - 1], 1});
  expect_error(data.add(nested.back()), Code::too_large, at + "a key's tuples are too deep");
  expect_ok(data.add(nested[format::key_depth_max]));
  // As a value all of that may stand, but tuples.
  expect_error(data.add(Value::tuple({})), Code::type, "value at ['users'][3][a tuple]: a tuple can only be a key");
  expect_error(data.end(), Code::invalid, "value at ['users'][3][a tuple]: the key has no value");
  expect_ok(data.add(Value::real(std::nan(""))));
  expect_ok(data.add(text("when")));
  expect_ok(data.add(Value::container(format::root_object)));
  expect_ok(data.add(Value::null()));
  expect_ok(data.add(text(long_text)));
  EXPECT_EQ(data.path(), "['users'][3]");
}

TEST(Data, ValuesThatCannotBe) {
  Data data;
  expect_number(data.begin(ContainerType::list), 0);
  expect_error(data.add(Value::uuid({})), Code::invalid, "value at [0]: a UUID has 16 bytes");
  Value odd;
  odd.tag = Tag::negative_zero;
  expect_error(data.add(odd), Code::type, "value at [0]: no value has the tag 13");
  odd.tag = Tag::bytes | Tag::large;
  expect_error(data.add(odd), Code::type, "value at [0]: no value has the tag 136");
  // Its bytes are never looked at.
  const auto* const nowhere = reinterpret_cast<const std::byte*>(4096);
  expect_error(data.add(Value::binary({nowhere, format::value_size_max + 1})), Code::too_large,
               "value at [0]: a value has at most 2147483648 bytes, not 2147483649");
  expect_error(data.begin(ContainerType::none), Code::invalid, "value at [0]: there is no such type of containers");
  expect_error(data.begin(static_cast<ContainerType>(5)), Code::invalid,
               "value at [0]: there is no such type of containers");
  expect_error(data.add_part(1), Code::invalid, "value at [0]: no container of this data has the number 1");
  EXPECT_EQ(shown(data), "begin0:2");
  expect_ok(data.end());
  expect_error(data.add_part(0), Code::invalid, "value at the top: there is one already");
}

TEST(Data, PathsShowAllKindsOfKeys) {
  const std::byte uuid[16] = {};
  const std::byte big[9] = {std::byte{1}, {}, {}, {}, {}, {}, {}, {}, std::byte{1}};
  const std::pair<Value, std::string> keys[] = {
      {Value::null(), "[null]"},
      {Value::boolean(true), "[true]"},
      {Value::integer(-5), "[-5]"},
      {Value::real(1), "[1.0]"},
      {Value::real(INFINITY), "[inf]"},
      {Value::datetime(0), "[1970-01-01T00:00:00]"},
      {Value::datetime_utc(0), "[1970-01-01T00:00:00Z]"},
      {Value::uuid(uuid), "[00000000-0000-0000-0000-000000000000]"},
      {Value::big_integer(big), "[a big integer]"},
      {Value::binary(uuid), "[bytes]"},
      {Value::tuple({}), "[a tuple]"},
      {text("it's"), "['it's']"},
      {text("0123456789012345678901234567890123456789"), "['0123456789012345678901234567890123456789']"},
      {text("012345678901234567890123456789012345678\xc3\xa9"), "['012345678901234567890123456789012345678...']"},
  };
  Data data;
  for (const auto& [key, expected] : keys) {
    data.clear();
    expect_number(data.begin(ContainerType::table), 0);
    expect_ok(data.add(key));
    EXPECT_EQ(data.path(), expected);
  }
  data.clear();
  for (std::uint32_t i = 0; i < 100; ++i) expect_number(data.begin(ContainerType::list), i);
  EXPECT_EQ(data.path(), "[0][0][0][0][0][0][0][0]...[0][0][0][0][0][0][0][0]");
}

TEST(Data, DepthHasALimit) {
  Data data;
  for (std::uint32_t i = 0; i < data_depth_max; ++i) ASSERT_TRUE(data.begin(ContainerType::list).ok());
  EXPECT_EQ(data.depth(), data_depth_max);
  EXPECT_EQ(data.begin(ContainerType::list).code(), Code::too_large);
  EXPECT_EQ(data.begin(ContainerType::list).error().message(),
            "value at [0][0][0][0][0][0][0][0]...[0][0][0][0][0][0][0][0]: containers are nested at most 10000 deep");
  while (data.depth() > 0) ASSERT_TRUE(data.end().ok());
  EXPECT_TRUE(data.complete());
}

// Random calls, most of which make sense, beside a model that says which.
TEST(Data, TakesWhatMakesSense) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  for (std::uint64_t run = test::scaled(1000, 100'000); run > 0; --run) {
    Data data;
    struct Open {
      bool list;
      std::size_t count;
    };
    std::vector<Open> open;
    std::uint32_t containers = 0;
    std::size_t items = 0;
    const auto key_due = [&] { return !open.empty() && !open.back().list && open.back().count % 2 == 0; };
    const auto done = [&] { return open.empty() && items > 0; };
    const auto count = [&] {
      if (!open.empty()) ++open.back().count;
    };
    for (int step = 0; step < 60; ++step) {
      std::optional<Code> expected;
      Code answer = Code::ok;
      const std::uint64_t choice = random() % 8;
      if (choice < 4) {
        expected = done() ? Code::invalid : Code::ok;
        answer = data.add(Value::integer(step)).code();
        if (answer == Code::ok) count();
      } else if (choice < 5) {
        expected = done() ? Code::invalid : key_due() ? Code::type : Code::ok;
        const auto type = static_cast<ContainerType>(1 + random() % 4);
        const auto number = data.begin(type);
        answer = number.code();
        if (answer == Code::ok) {
          ASSERT_EQ(*number, containers++);
          open.push_back({type == ContainerType::list, 0});
        }
      } else if (choice < 7) {
        const bool whole = !open.empty() && (open.back().list || open.back().count % 2 == 0);
        expected = whole ? Code::ok : Code::invalid;
        answer = data.end().code();
        if (answer == Code::ok) {
          open.pop_back();
          count();
        }
      } else {
        const auto number = static_cast<std::uint32_t>(random() % (containers + 1));
        expected = done() ? Code::invalid : key_due() ? Code::type : number < containers ? Code::ok : Code::invalid;
        answer = data.add_part(number).code();
        if (answer == Code::ok) count();
      }
      ASSERT_EQ(answer, *expected) << "step " << step << ", choice " << choice;
      if (answer == Code::ok) ++items;
      ASSERT_EQ(data.items().size(), items);
      ASSERT_EQ(data.depth(), open.size());
      ASSERT_EQ(data.complete(), done());
    }
  }
}

}  // namespace
}  // namespace utan::object
