// Shows every function of the C++ interface in use, as a program outside uses it: values of all types there and back,
// containers nested and edited in place, order, lists, paths, data, JSON, snapshots; that limits hold; and that errors
// say what is wrong and where.
// Labels: small
#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <utan/utan.hpp>
#include <vector>

namespace {

using utan::ContainerType;
using utan::Type;
using namespace std::chrono_literals;

// Runs `body`, which must throw this code with all of `words` in its message.
template <class Body>
void expect_error(utan_code code, const std::vector<std::string>& words, Body&& body) {
  try {
    body();
    ADD_FAILURE() << "no error, not even " << utan_code_name(code);
  } catch (const utan::Error& error) {
    EXPECT_STREQ(utan_code_name(error.code()), utan_code_name(code)) << error.what();
    for (const std::string& word : words)
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
  }
}

class CppApi : public ::testing::Test {
 protected:
  CppApi() {
    std::string name = (std::filesystem::temp_directory_path() / "utan_cpp_api.XXXXXX").native();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    folder_ = name;
    store_.emplace(utan::Store::open(path()));
  }
  ~CppApi() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  std::string path() const { return (folder_ / "s.utan").native(); }
  utan::Store& store() { return *store_; }

  // The keys of what is gone over, in one line.
  template <class Entries>
  static std::string keys(Entries&& entries) {
    std::string out;
    for (const auto& [key, value] : entries) out += (out.empty() ? "" : " ") + text(key);
    return out;
  }
  static std::string text(const utan::Value& value) {
    return value.type() == Type::integer ? std::to_string(value.as_integer()) : value.str();
  }
  static std::string elements(const utan::List& list) {
    std::string out;
    for (const utan::Value& value : list) out += (out.empty() ? "" : " ") + text(value);
    return out;
  }

  std::filesystem::path folder_;
  std::optional<utan::Store> store_;
};

// ---- Values

TEST_F(CppApi, ValuesOfAllTypesComeBack) {
  utan::Dict d = store().dict("values");
  const utan::Uuid uuid{std::byte{1}, std::byte{2}, std::byte{255}};
  const auto utc = std::chrono::sys_days(2026y / 2 / 28) + 13h + 5us;
  const utan::Datetime naive(std::chrono::microseconds(-1));
  const std::vector<std::byte> vector{std::byte{0}, std::byte{7}};

  d.set("null", nullptr);
  EXPECT_TRUE(d.get("null").is_null());
  EXPECT_EQ(d.get("null").type(), Type::null);
  d.set("boolean", true);
  EXPECT_TRUE(d.get("boolean").as_boolean());
  for (const std::int64_t n : {std::int64_t{0}, std::int64_t{-1}, INT64_MAX, INT64_MIN}) {
    d.set("integer", n);
    EXPECT_EQ(d.get("integer").as_integer(), n);
    EXPECT_TRUE(d.get("integer").is_number());
  }
  d.set("small", static_cast<std::uint8_t>(200));
  EXPECT_EQ(d.get("small").as_integer(), 200);
  EXPECT_EQ(d.get("small").as_real(), 200.0);
  d.set("real", 2.5F);
  EXPECT_EQ(d.get("real").as_real(), 2.5);
  d.set("nan", std::nan(""));
  EXPECT_TRUE(std::isnan(d.get("nan").as_real()));
  d.set("utc", utc);
  EXPECT_EQ(d.get("utc").as_datetime_utc(), utc);
  d.set("now", std::chrono::system_clock::now());
  EXPECT_EQ(d.get("now").type(), Type::datetime_utc);
  d.set("naive", naive);
  EXPECT_EQ(d.get("naive").as_datetime(), naive);
  d.set("uuid", uuid);
  EXPECT_EQ(d.get("uuid").as_uuid(), uuid);
  d.set("bytes", utan::bytes(std::string_view("\0\xff", 2)));
  EXPECT_EQ(d.get("bytes").as_bytes().size(), 2U);
  EXPECT_TRUE(d.get("bytes").is_bytes());
  d.set("vector", vector);
  EXPECT_EQ(d.get("vector").as_bytes()[1], std::byte{7});
  d.set("string", std::string("orang \xc3\xbc\0x", 10));
  EXPECT_EQ(d.get("string").as_string(), std::string_view("orang \xc3\xbc\0x", 10));
  EXPECT_TRUE(d.get("string").is_string());
  d.set("list", utan::list());
  EXPECT_TRUE(d.get("list").is_container());
  const std::array<std::byte, 3> coded{std::byte{1}, std::byte{0}, std::byte{255}};
  d.set("extended", utan::Input::extended(coded));
  EXPECT_EQ(d.get("extended").type(), Type::extended);
  EXPECT_TRUE(std::ranges::equal(d.get("extended").as_extended(), coded));
  expect_error(UTAN_TYPE, {"the value is a value of a codec, not bytes"}, [&] { d.get("extended").as_bytes(); });
  expect_error(UTAN_TYPE, {}, [&] { d.set(utan::Input::extended(coded), 1); });
  d.set("deep", utan::dict({{"extended", utan::Input::extended(coded)}}));
  EXPECT_TRUE(std::ranges::equal(d["deep"]["extended"].as_extended(), coded));
  d.set("again", d.get("string"));
  EXPECT_EQ(d.get("again").view(), d.get("string").view());
}

TEST_F(CppApi, IntegersAreAsLargeAsNeedBe) {
  utan::Dict d = store().dict("numbers");
  d.set("n", UINT64_MAX);
  utan::Value big = d.get("n");
  ASSERT_EQ(big.as_big_integer().size(), 9U);
  EXPECT_EQ(big.as_big_integer()[0], std::byte{255});
  EXPECT_EQ(big.as_big_integer()[8], std::byte{0});
  expect_error(UTAN_TYPE, {"the value is a big integer, not an integer"}, [&] { big.as_integer(); });
  EXPECT_TRUE(d.contains("n"));
  EXPECT_EQ(d.increase("n", -1).type(), Type::big_integer);
  EXPECT_EQ(d.increase("n", utan::Input(d.get("n"))).as_big_integer().size(), 9U);
  const std::array<std::byte, 1> minus_two{std::byte{0xfe}};
  d.set("n", utan::Input::big_integer(minus_two));
  EXPECT_EQ(d.get("n").as_integer(), -2);
  d.set(UINT64_MAX, "as a key");
  EXPECT_EQ(d.get(UINT64_MAX).as_string(), "as a key");
}

TEST_F(CppApi, AValueIsOfOneTypeAndStaysAsItWas) {
  utan::Dict d = store().dict("d");
  d.set("k", "before");
  const utan::Value held = d.get("k");
  for (int i = 0; i < 300; ++i) d.set("k", std::string(100, 'x'));
  EXPECT_EQ(held.as_string(), "before");
  EXPECT_EQ(*held, "before");
  EXPECT_EQ(held.size(), 6U);
  expect_error(UTAN_TYPE, {"the value is a string, not an integer"}, [&] { held.as_integer(); });
  expect_error(UTAN_TYPE, {"the value is a string, not bytes"}, [&] { held.as_bytes(); });
  expect_error(UTAN_TYPE, {"the value is a string, not a container"}, [&] { held.as_dict(); });

  utan::Value none = d.get("absent");
  EXPECT_FALSE(none);
  EXPECT_FALSE(none.is_null());
  EXPECT_EQ(none.view(), "");
  expect_error(UTAN_NOT_FOUND, {"no value"}, [&] { none.as_boolean(); });
  expect_error(UTAN_NOT_FOUND, {"no value"}, [&] { d.set("x", none); });
  utan::Value moved = d.get("k");
  none = std::move(moved);
  EXPECT_EQ(none.as_string().size(), 100U);
  none.reset();
  EXPECT_FALSE(none.has_value());
}

TEST_F(CppApi, KeysHaveOneOrder) {
  utan::Collection c = store().collection("keys");
  const utan::Uuid uuid{};
  c.set(utan::tuple({1, utan::tuple({"x", 2.5}), nullptr}), "tuple");
  c.set("string", "string");
  c.set(utan::bytes("bytes"), "bytes");
  c.set(uuid, "uuid");
  c.set(utan::DatetimeUtc(1us), "utc");
  c.set(utan::Datetime(1us), "naive");
  c.set(2.5, "real");
  c.set(1, "integer");
  c.set(nullptr, "null");
  c.set(true, "one key");  // 1, 1.0 and true are one
  std::string values;
  for (const auto& [key, value] : c) values += value.str() + " ";
  EXPECT_EQ(values, "null one key real naive utc uuid bytes string tuple ");
  EXPECT_EQ(c.get(1.0).as_string(), "one key");

  const std::optional<utan::Item> last = c.last();
  ASSERT_TRUE(last);
  ASSERT_EQ(last->key.tuple_size(), 3U);
  EXPECT_EQ(last->key.element(0).as_integer(), 1);
  EXPECT_EQ(last->key.element(1).element(1).as_real(), 2.5);
  EXPECT_TRUE(last->key.element(2).is_null());
  expect_error(UTAN_INVALID, {"only 3 elements"}, [&] { last->key.element(3); });
  EXPECT_EQ(c.get(last->key).as_string(), "tuple");
}

// ---- Containers

TEST_F(CppApi, NestedContainersAreEditedInPlace) {
  store().root().set("x", utan::dict({{"a", utan::list({1, 2.5, nullptr})}}));
  store()["x"]["a"].as_list().append("edited in place");
  EXPECT_EQ(store()["x"].as_dict().to_json(), R"({"a":[1,2.5,null,"edited in place"]})");
  EXPECT_EQ(store()["x"]["a"][-1].as_string(), "edited in place");
  EXPECT_EQ(store()["x"].as_container().type(), ContainerType::dict);
  expect_error(UTAN_NOT_FOUND, {"a dict has nothing at ['b']"}, [&] { store()["x"]["b"]; });
  expect_error(UTAN_NOT_FOUND, {"a list has nothing at [9]"}, [&] { store()["x"]["a"][9]; });
  expect_error(UTAN_TYPE, {"the container is a list, not a dict"}, [&] { store()["x"]["a"].as_dict(); });
  expect_error(UTAN_TYPE, {"s.utan", "'x'"}, [&] { store().list("x"); });
}

TEST_F(CppApi, DictsDoWhatMapsDo) {
  utan::Dict d = store().dict("d");
  EXPECT_TRUE(d.empty());
  EXPECT_TRUE(d.add("a", 1));
  EXPECT_FALSE(d.add("a", 2));
  EXPECT_TRUE(d.replace("a", 1.0, 3));
  EXPECT_FALSE(d.replace("a", 1, 4));
  EXPECT_FALSE(d.replace("absent", nullptr, 4));
  EXPECT_EQ(d.increase("a").as_integer(), 4);
  EXPECT_EQ(d.increase("a", 0.5).as_real(), 4.5);
  EXPECT_EQ(d.increase("new", -1).as_integer(), -1);
  EXPECT_EQ(d.set_default("a", 9).as_real(), 4.5);
  d.set_default("list", utan::list()).as_list().append(1);
  d.set_default("list", utan::list()).as_list().append(2);
  EXPECT_EQ(d["list"].as_list().size(), 2U);
  d.update(utan::dict({{"b", "B"}, {"c", "C"}}));
  EXPECT_EQ(keys(d), "a b c list new");
  EXPECT_TRUE(d.erase("b"));
  EXPECT_FALSE(d.erase("b"));
  EXPECT_EQ(d.pop("c").as_string(), "C");
  EXPECT_FALSE(d.pop("c"));
  EXPECT_TRUE(d.contains("new"));
  const std::optional<utan::Item> popped = d.pop_last();
  ASSERT_TRUE(popped);
  EXPECT_EQ(popped->key.as_string(), "new");
  EXPECT_EQ(d.size(), 2U);
  d.clear();
  EXPECT_FALSE(d.pop_last());
  expect_error(UTAN_TYPE, {"s.utan"}, [&] {
    d.set("s", "text");
    d.increase("s");
  });
}

TEST_F(CppApi, AlterIsAtomic) {
  utan::Dict d = store().dict("d");
  const auto add_one = [](const utan::Value& old) -> std::optional<utan::Literal> {
    return old ? old.as_integer() + 1 : std::int64_t{1};
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(d.alter("altered", add_one));
        d.increase("increased");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(d["altered"].as_integer(), 300);
  EXPECT_EQ(d["increased"].as_integer(), 300);
  EXPECT_FALSE(d.alter("altered", [](const utan::Value&) { return std::optional<utan::Literal>(); }));
  // NaN equals nothing, but is what was read.
  d.set("nan", std::nan(""));
  EXPECT_TRUE(d.alter("nan", [](const utan::Value& old) -> std::optional<utan::Literal> {
    return std::isnan(old.as_real()) ? 2.5 : 0.0;
  }));
  EXPECT_EQ(d["nan"].as_real(), 2.5);
}

TEST_F(CppApi, OrderIsThatOfTheKeys) {
  utan::Collection c = store().collection("c");
  for (int i = 0; i < 100; ++i) c.set(i * 10, i);
  EXPECT_EQ(c.first()->key.as_integer(), 0);
  EXPECT_EQ(c.last()->value.as_integer(), 99);
  EXPECT_EQ(c.floor(55)->key.as_integer(), 50);
  EXPECT_EQ(c.ceiling(55)->key.as_integer(), 60);
  EXPECT_EQ(c.ceiling(60)->key.as_integer(), 60);
  EXPECT_FALSE(c.floor(-1));
  EXPECT_FALSE(c.ceiling(991));

  EXPECT_EQ(keys(c.range({.low = 20, .high = 50})), "20 30 40");
  EXPECT_EQ(keys(c.range({.low = 20, .high = 50, .low_inclusive = false, .high_inclusive = true})), "30 40 50");
  EXPECT_EQ(keys(c.range({.high = 50, .reverse = true, .skip = 1, .limit = 2})), "30 20");
  EXPECT_EQ(keys(c.range({.limit = 0})), "");
  EXPECT_EQ(c.count_range({.low = 500}), 50U);
  EXPECT_EQ(c.delete_range({.low = 10, .high = 980}), 97U);
  EXPECT_EQ(keys(c), "0 980 990");
  for (const char* path : {"src/a", "src/b", "test/c", "src"}) c.set(path, nullptr);
  EXPECT_EQ(keys(c.range({.prefix = "src/"})), "src/a src/b");
  EXPECT_EQ(keys(c.range({.prefix = std::string("src/") + "b"})), "src/b");
  EXPECT_EQ(c.count_range({.prefix = "src"}), 3U);
  expect_error(UTAN_TYPE, {"s.utan"}, [&] { c.range({.prefix = 1}); });
}

TEST_F(CppApi, IterationSeesOneInstant) {
  utan::Collection c = store().collection("c");
  for (int i = 0; i < 50; ++i) c.set(i, utan::dict({{"n", i}}));
  int seen = 0;
  for (const auto& [key, value] : c) {
    EXPECT_EQ(key.as_integer(), seen);
    value.as_dict().increase("n", 1000);
    c.set(1000 + seen, nullptr);
    ++seen;
  }
  EXPECT_EQ(seen, 50);
  EXPECT_EQ(c.size(), 100U);
  EXPECT_EQ(c.at({7, "n"}).as_integer(), 1007);
  auto it = c.begin();
  EXPECT_EQ(it->key.as_integer(), 0);
  auto moved = std::move(it);
  moved++;
  EXPECT_EQ(moved->key.as_integer(), 1);
  EXPECT_TRUE(moved != std::default_sentinel);
}

// First, last and in between: each is found by a way of its own.
TEST_F(CppApi, IterationMeetsEachTypeAtEachPlace) {
  const utan::Literal empty = utan::list();
  const std::vector<utan::Input> values = {nullptr, false, true, 7, 2.5, "text", empty};
  const std::vector<std::string> names = {"null", "false", "true", "7", "2.5", "text", "list"};
  const auto name_of = [](const utan::Value& value) -> std::string {
    if (value.is_null()) return "null";
    if (value.type() == Type::boolean) return value.as_boolean() ? "true" : "false";
    if (value.type() == Type::real) return value.as_real() == 2.5 ? "2.5" : "another real";
    return value.is_container() ? "list" : text(value);
  };
  for (std::size_t first = 0; first < values.size(); ++first) {
    for (std::size_t count = 0; count <= values.size(); ++count) {
      utan::Dict dict = store().dict("d");
      dict.clear();
      utan::List list = store().list("l");
      list.clear();
      std::string expected;
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t which = (first + i) % values.size();
        const std::string key(1, static_cast<char>('a' + i));
        dict.set(key, values[which]);
        list.append(values[which]);
        expected += key + " " + names[which] + " ";
      }
      std::string found;
      for (const auto& [key, value] : dict) found += key.str() + " " + name_of(value) + " ";
      EXPECT_EQ(found, expected);
      found.clear();
      char key = 'a';
      for (const utan::Value& value : list) found += key++ + (" " + name_of(value) + " ");
      EXPECT_EQ(found, expected);
    }
  }
}

TEST_F(CppApi, TablesOfValues) {
  utan::ValueTable t = store().value_table("t");
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(t.add(i, utan::list({i})));
  EXPECT_EQ(t.size(), 1000U);
  EXPECT_EQ(t[999][0].as_integer(), 999);
  t.set(utan::bytes("raw"), utan::bytes("bytes"));
  EXPECT_EQ(store().table("t").get("raw").view(), "bytes");  // the same container, the short way
  store().table("t").put("short", "way");
  EXPECT_EQ(t[utan::bytes("short")].view(), "way");
  int count = 0;
  for (const auto& [key, value] : t) count += key.type() == Type::integer ? 1 : 0;
  EXPECT_EQ(count, 1000);
  EXPECT_TRUE(t.pop_last());
  EXPECT_EQ(t.size(), 1001U);
}

TEST_F(CppApi, ListsDoWhatVectorsDo) {
  utan::List l = store().list("l");
  l.append(1);
  l.insert(0, 0);
  l.insert(-1, "before the last");
  l.extend(utan::list({2, 3, 4}));
  EXPECT_EQ(elements(l), "0 before the last 1 2 3 4");
  l.splice(1, 1, utan::list({"a", "b"}));
  EXPECT_EQ(elements(l), "0 a b 1 2 3 4");
  l.splice(5, 100);
  EXPECT_EQ(elements(l), "0 a b 1 2");
  l.set(-1, "end");
  EXPECT_EQ(l[-1].as_string(), "end");
  EXPECT_EQ(l.pop().as_string(), "end");
  EXPECT_EQ(l.pop(0).as_integer(), 0);
  EXPECT_TRUE(l.erase(0));
  EXPECT_EQ(l.increase(-1, 10).as_integer(), 11);
  EXPECT_TRUE(l.replace(0, "b", "c"));
  EXPECT_EQ(elements(l), "c 11");
  std::string backwards;
  for (const utan::Value& value : l.range({.reverse = true, .limit = 1})) backwards += text(value);
  EXPECT_EQ(backwards, "11");
  EXPECT_FALSE(l.get(2));
  EXPECT_TRUE(l.contains(-2));
  expect_error(UTAN_INVALID, {"s.utan", "2"}, [&] { l.set(2, 0); });
  expect_error(UTAN_TYPE, {"s.utan"}, [&] { l.get("word"); });
  l.clear();
  EXPECT_FALSE(l.pop());
}

TEST_F(CppApi, PathsLeadThroughContainers) {
  utan::Dict d = store().dict("d");
  d.set_at("a.b.list", utan::list({10, utan::dict({{"0", "string key"}})}));
  EXPECT_EQ(d.to_json(), R"({"a":{"b":{"list":[10,{"0":"string key"}]}}})");
  EXPECT_EQ(d.at("a.b.list.0").as_integer(), 10);
  EXPECT_EQ(d.at("a.b.list.1.0").as_string(), "string key");
  EXPECT_EQ(d.at({"a", "b", "list", -2}).as_integer(), 10);
  EXPECT_EQ(d.at(utan::Path("a/b/list/0", '/')).as_integer(), 10);
  const std::vector<utan::Input> keys{"a", "b"};
  EXPECT_EQ(d.at(utan::Path::of(keys)).as_dict().size(), 1U);
  EXPECT_EQ(d.at(utan::Path::of({})).as_dict().id(), d.id());
  EXPECT_FALSE(d.at("a.x.y"));
  d.set_at({"a", 7}, "seven");
  EXPECT_EQ(d["a"][7].as_string(), "seven");
  expect_error(UTAN_EXISTS, {"s.utan"}, [&] { d.set_at({"a", 7}, "eight", false); });
  expect_error(UTAN_TYPE, {"s.utan"}, [&] { d.set_at({"a", 7, "below"}, 1); });
}

TEST_F(CppApi, ContainersAreLinkedAndLive) {
  utan::List l = store().new_list(utan::list({1, 2}));
  const std::uint64_t id = l.id();
  EXPECT_NE(id, 0U);
  utan::Dict d = store().dict("d");
  d.set("one", l);
  d.set("two", d.get("one"));
  d.set("both", utan::list({l, l}));
  l.append(3);
  EXPECT_EQ(d["two"].as_list().size(), 3U);
  EXPECT_EQ(d["both"][1].as_list().id(), id);
  EXPECT_EQ(store().container(id).as_list().size(), 3U);
  d.set("itself", d);
  expect_error(UTAN_INVALID, {"s.utan"}, [&] { d.to_json(); });
  d.clear();
  l.append(4);  // nothing names it, and it is there
  EXPECT_EQ(l.size(), 4U);
  expect_error(UTAN_GONE, {"s.utan"}, [&] { store().container(UINT64_MAX / 2); });

  EXPECT_EQ(store().new_dict().size(), 0U);
  EXPECT_EQ(store().new_collection(utan::collection({{1, 2}})).first()->value.as_integer(), 2);
  EXPECT_EQ(store().new_value_table(utan::table({{"k", "v"}}))["k"].as_string(), "v");
  utan::Container any = store().new_collection();
  EXPECT_EQ(any.as_collection().id(), any.id());
  expect_error(UTAN_TYPE, {"the container is a collection, not a table"}, [&] { any.as_value_table(); });
}

TEST_F(CppApi, HandlesKeepTheStoreOpen) {
  utan::Store own = utan::Store::open(path());
  utan::List l = own.list("l");
  l.append(utan::dict());
  utan::Dict inner = l[0].as_dict();
  own.close();
  inner.set("still", "open");
  utan::Value value = inner.get("still");
  EXPECT_EQ(value.as_string(), "open");
  value.reset();
  store_.reset();
  EXPECT_EQ(inner.size(), 1U);
}

// ---- Data and JSON

TEST_F(CppApi, LiteralsOwnWhatIsInThem) {
  const utan::Uuid uuid{std::byte{9}};
  const auto make = [&] {
    const std::string text(40, 't');
    const std::string key("key");
    return utan::dict({{key, text},
                       {"numbers", utan::list({1, 2.5, UINT64_MAX, true, nullptr})},
                       {utan::tuple({key, 1}), utan::bytes(text)},
                       {uuid, utan::table({{1, utan::collection({{"deep", utan::list()}})}})}});
  };
  const utan::Literal literal = make();
  utan::Dict d = store().dict("d");
  d.set("first", literal);
  d.set("second", literal);
  EXPECT_NE(d["first"].as_dict().id(), d["second"].as_dict().id());
  EXPECT_EQ(d["first"]["key"].as_string(), std::string(40, 't'));
  EXPECT_EQ(d["first"]["numbers"][2].type(), Type::big_integer);
  EXPECT_EQ(d["second"][utan::tuple({"key", 1})].as_bytes().size(), 40U);
  EXPECT_EQ(d["second"][uuid][1]["deep"].as_list().size(), 0U);
  const utan::Literal scalar = std::string("a literal may be one value");
  d.set("scalar", scalar);
  EXPECT_TRUE(d.replace("scalar", scalar, 1));
  expect_error(UTAN_TYPE, {"value at ['k'][1]", "tuple"}, [&] {
    d.set("x", utan::dict({{"k", utan::list({1, utan::tuple({1})})}}));
  });
  expect_error(UTAN_TYPE, {"key at ['k']", "NaN"}, [&] {
    d.set("x", utan::dict({{"k", utan::dict({{std::nan(""), 1}})}}));
  });
  EXPECT_FALSE(d.contains("x"));
}

TEST_F(CppApi, DataIsBuiltStepByStep) {
  utan::Data data;
  const std::uint32_t whole = data.begin(ContainerType::dict);
  data.add("shared");
  const std::uint32_t shared = data.begin(ContainerType::list);
  data.add(1).add(store().new_list(utan::list({"linked"})));
  EXPECT_EQ(data.path(), "['shared'][2]");
  data.end().add("again").part(shared).add("whole").part(whole).add("literal").add(utan::dict({{"x", 1}}));
  expect_error(UTAN_TYPE, {"a container cannot be a key"}, [&] { data.begin(ContainerType::list); });
  data.end();
  expect_error(UTAN_INVALID, {"value at the top"}, [&] { data.add(1); });

  utan::Dict d = store().dict("d");
  d.set("data", data);
  EXPECT_EQ(d["data"]["shared"].as_list().id(), d["data"]["again"].as_list().id());
  EXPECT_EQ(d["data"]["whole"].as_dict().id(), d["data"].as_dict().id());
  EXPECT_EQ(d.at("data.shared.1.0").as_string(), "linked");
  d["data"].as_dict().erase("whole");
  data.clear();
  data.add("now a single value");
  d.set("single", data);
  EXPECT_EQ(d["single"].as_string(), "now a single value");
  data.clear();
  data.begin(ContainerType::list);
  expect_error(UTAN_INVALID, {"not complete"}, [&] { d.set("half", data); });
}

TEST_F(CppApi, JsonThereAndBack) {
  const std::string text = R"({"a":[1,2.5,null,true,{"$bytes":"AP8="}],"b":{"$int":"123456789012345678901"}})";
  utan::Dict d = store().new_dict(utan::Data::from_json(text));
  EXPECT_EQ(d.to_json(), text);
  EXPECT_EQ(d["a"][4].as_bytes().size(), 2U);
  EXPECT_NE(d.to_json(2).find("\n  \"a\""), std::string::npos);
  expect_error(UTAN_INVALID, {"line 2", "column"}, [&] { utan::Data::from_json("[1,\n oops]"); });
}

// ---- Stores, limits

TEST_F(CppApi, SnapshotsStayAndAreOnlyRead) {
  utan::Dict d = store().dict("d");
  d.set("k", utan::list({"before"}));
  const utan::Store before = store().snapshot();
  d["k"].as_list().set(0, "after");
  EXPECT_TRUE(before.is_snapshot());
  utan::Dict seen = before.dict("d");
  EXPECT_EQ(seen["k"][0].as_string(), "before");
  for (const auto& [key, value] : seen) EXPECT_EQ(value[0].as_string(), "before");
  EXPECT_EQ(d["k"][0].as_string(), "after");
  expect_error(UTAN_READ_ONLY, {"s.utan"}, [&] { seen.set("k", 1); });
  expect_error(UTAN_NOT_FOUND, {"'missing'"}, [&] { before.dict("missing"); });
  EXPECT_FALSE(before.find_table("missing"));
  ASSERT_EQ(store().processes().size(), 1U);
  EXPECT_EQ(store().processes()[0].is_caller, 1U);
  store().sync();
  EXPECT_EQ(store().stats().durable_number, store().stats().commit_number);

  const utan::Store reader = utan::Store::open(path(), {.mode = utan::Mode::read_only});
  EXPECT_EQ(reader["d"]["k"][0].as_string(), "after");
  expect_error(UTAN_READ_ONLY, {"s.utan"}, [&] { reader.dict("d").erase("k"); });
}

TEST_F(CppApi, LimitsHold) {
  utan::Dict d = store().dict("d");
  const std::string large(UTAN_KEY_SIZE_MAX + 1, 'k');
  expect_error(UTAN_TOO_LARGE, {"65536"}, [&] { d.set(large, 1); });
  expect_error(UTAN_TYPE, {"NaN"}, [&] { d.set(std::nan(""), 1); });
  expect_error(UTAN_TYPE, {"tuple"}, [&] { d.set("k", utan::tuple({1})); });
  expect_error(UTAN_TYPE, {}, [&] { d.get(d); });
  EXPECT_TRUE(d.empty());
  const std::string half(UTAN_KEY_SIZE_MAX / 2, 'k');
  d.set(half, large);
  EXPECT_EQ(d[half].as_string(), large);
  const std::string name(4097, 'n');
  expect_error(UTAN_TOO_LARGE, {"4096"}, [&] { store().dict(name); });
  utan::Store other = utan::Store::open(path() + ".other", {.mode = utan::Mode::fresh});
  expect_error(UTAN_INVALID, {"another store"}, [&] { other.dict("d").set("foreign", d); });
}

TEST_F(CppApi, AStoreIsChecked) {
  store().dict("d").update(utan::dict({{"a", utan::list({1, 2})}, {"b", utan::dict()}}));
  const utan::CheckReport here = store().check();
  EXPECT_TRUE(here.is_sound());
  EXPECT_EQ(here.dict_count, 2U);
  EXPECT_EQ(here.element_count, 2U);
  EXPECT_TRUE(here.problems.empty());
  store_.reset();
  EXPECT_EQ(utan::Store::check_file(path()).whole, 1U);
  {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(128 << 10);
    file << std::string(256 << 10, '\xff');
  }
  const utan::CheckReport damaged = utan::Store::check_file(path());
  EXPECT_FALSE(damaged.is_sound());
  EXPECT_FALSE(damaged.problems.empty());
  std::filesystem::resize_file(path(), 8192);
  expect_error(UTAN_CORRUPTION, {"s.utan", "truncated"}, [&] { utan::Store::check_file(path()); });
}

TEST_F(CppApi, TablesOfBytes) {
  utan::Table t = store().table("t");
  t.put("k", "1");
  EXPECT_EQ(t.get("k").view(), "1");
  EXPECT_EQ(t.get("k").as_bytes().size(), 1U);
  EXPECT_EQ(t.get_copy("k"), "1");
  EXPECT_EQ(t.get_copy("absent"), std::nullopt);
  EXPECT_FALSE(t.add("k", "2"));
  EXPECT_TRUE(t.add("l", "2"));
  EXPECT_TRUE(t.replace("k", "1", "3"));
  EXPECT_FALSE(t.replace("k", "1", "4"));
  const auto longer = [](std::optional<std::string_view> old) -> std::optional<std::string> {
    return std::string(old.value_or("")) + "+";
  };
  EXPECT_EQ(t.alter("k", longer), "3+");
  EXPECT_TRUE(t.contains("k"));
  EXPECT_TRUE(t.erase("k"));
  EXPECT_EQ(t.count(), 1U);
  for (const auto& [key, value] : t) EXPECT_EQ(std::string(key) + std::string(value), "l2");
  EXPECT_TRUE(store().find_table("t"));
}

}  // namespace
