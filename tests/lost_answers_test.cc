// Shows that no call answers from what is gone, when somebody makes the file of an open store shorter: each answers what it would
// have answered before, or an error. The file is cut at every page in turn. Keys, slots and numbers that lie behind the cut read
// as zeroes, which are like no key, and like null.
// Labels: small
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utan/utan.hpp>

namespace {

constexpr int key_count = 200;
constexpr int element_count = 8000;

std::string key(int number) { return std::to_string(number) + std::string(1500, 'k'); }

// What went wrong instead of UTAN_CORRUPTION; empty: that was told. `look` throws, or answers what is wrong.
template <class Look>
std::string until_told(Look look) {
  try {
    return look();
  } catch (const utan::Error& error) {
    return error.code() == UTAN_CORRUPTION ? "" : error.what();
  }
}

std::string look_for_records(const utan::Table& table) {
  for (int i = 0; i < key_count; ++i) {
    if (!table.get(key(i))) return "record " + std::to_string(i) + " is said to be missing";
  }
  return "";
}

std::string look_for_values(const utan::ValueTable& values) {
  for (int i = 0; i < key_count; ++i) {
    if (!values.get(key(i))) return "value " + std::to_string(i) + " is said to be missing";
  }
  return "";
}

std::string look_at_elements(const utan::List& list) {
  for (int i = 0; i < element_count; ++i) {
    const utan::Value element = list[i];
    if (element.type() != utan::Type::integer || element.as_integer() != i + 1)
      return "element " + std::to_string(i) + " is said to be another one";
  }
  return "";
}

class LostAnswersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "utan_lost_answers_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    const utan::Store store = utan::Store::open(whole());
    utan::Table table = store.table("table");
    utan::ValueTable values = store.value_table("values");
    for (int i = 0; i < key_count; ++i) {
      table.put(key(i), "value");
      values.set(key(i), i);
    }
    utan::Data numbers;
    numbers.begin(utan::ContainerType::list);
    for (int i = 0; i < element_count; ++i) numbers.add(i + 1);
    numbers.end();
    store.root().set("list", numbers);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string whole() const { return folder_ / "whole.utan"; }

  // `look(store)` at a copy that is cut after it was opened, for every cut.
  template <class Look>
  void cut_everywhere(Look look) {
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    const std::uint64_t size = std::filesystem::file_size(whole());
    int told = 0;
    for (std::uint64_t cut = size / page * page; cut > size / 8; cut -= page) {
      const std::string path = folder_ / ("cut at " + std::to_string(cut));
      std::filesystem::copy_file(whole(), path);
      {
        const utan::Store store = utan::Store::open(path, {.mode = utan::Mode::existing});
        look(
            store, [&] { std::filesystem::resize_file(path, cut); }, told);
      }
      std::filesystem::remove(path);
      std::filesystem::remove(path + "-lock");
      if (HasFatalFailure()) return;
    }
    EXPECT_GT(told, 20) << "cuts that were noticed";
  }

  std::filesystem::path folder_;
};

TEST_F(LostAnswersTest, NoRecordIsMissing) {
  cut_everywhere([](const utan::Store& store, auto cut, int& told) {
    const utan::Table table = store.table("table");
    cut();
    EXPECT_EQ(until_told([&] { return look_for_records(table); }), "");
    told += until_told([&] { return store.table("table"), "all is there"; }).empty();
  });
}

TEST_F(LostAnswersTest, NoRecordIsMissingFromASnapshot) {
  cut_everywhere([](const utan::Store& store, auto cut, int& told) {
    const utan::Store snapshot = store.snapshot();
    const utan::Table table = snapshot.table("table");
    cut();
    EXPECT_EQ(until_told([&] { return look_for_records(table); }), "");
    told += until_told([&] { return store.table("table"), "all is there"; }).empty();
  });
}

// One in several parts, which are copied together, by whoever reads or goes over it.
struct LargeValue {
  const char* name;
  void (*store)(const utan::Store& store, const std::string& value);
  bool (*is_there)(const utan::Store& store, const std::string& value);
};
const LargeValue large_values[] = {
    {"read", [](const utan::Store& store, const std::string& value) { store.table("large").put("k", value); },
     [](const utan::Store& store, const std::string& value) { return store.table("large").get_copy("k") == value; }},
    {"gone over", [](const utan::Store& store, const std::string& value) { store.table("large").put("k", value); },
     [](const utan::Store& store, const std::string& value) { return (*store.table("large").begin()).value == value; }},
    {"gone over in a dict",
     [](const utan::Store& store, const std::string& value) { store.dict("large").set("k", value); },
     [](const utan::Store& store, const std::string& value) {
       for (const auto& [key, found] : store.dict("large").range({})) return found.as_string() == value;
       return false;
     }},
};

TEST_F(LostAnswersTest, NoLargeValueIsZeroes) {
  const std::string value(20'000'000, 'v');
  // Shorter than the last part is: wherever that lies, a cut goes through it.
  constexpr std::uint64_t step = 3'000'000;
  for (const LargeValue& large : large_values) {
    const std::string path = folder_ / large.name;
    large.store(utan::Store::open(path), value);
    const std::uint64_t size = std::filesystem::file_size(path);
    for (std::uint64_t cut = size - step; cut > step; cut -= step) {
      const std::string copy = path + ", cut";
      std::filesystem::copy_file(path, copy);
      const utan::Store store = utan::Store::open(copy, {.mode = utan::Mode::existing});
      std::filesystem::resize_file(copy, cut);
      const auto look = [&]() -> std::string {
        return large.is_there(store, value) ? "" : "it is said to be another one";
      };
      EXPECT_EQ(until_told(look), "") << large.name << ", cut at " << cut;
      std::filesystem::remove(copy);
      std::filesystem::remove(copy + "-lock");
    }
  }
}

TEST_F(LostAnswersTest, NoValueIsMissing) {
  cut_everywhere([](const utan::Store& store, auto cut, int& told) {
    const utan::ValueTable values = store.value_table("values");
    cut();
    EXPECT_EQ(until_told([&] { return look_for_values(values); }), "");
    told += until_told([&] { return store.table("table"), "all is there"; }).empty();
  });
}

TEST_F(LostAnswersTest, NoNumberIsNull) {
  cut_everywhere([](const utan::Store& store, auto cut, int& told) {
    const utan::List list = store.root()["list"].as_container().as_list();
    cut();
    EXPECT_EQ(until_told([&] { return look_at_elements(list); }), "");
    told += until_told([&] { return store.table("table"), "all is there"; }).empty();
  });
}

}  // namespace
