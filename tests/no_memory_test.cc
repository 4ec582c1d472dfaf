// Shows what becomes of a call for which memory runs out, at each of its allocations in turn, for once or for good: it says so,
// has changed nothing or everything, and the same call works the next time. No block is lost, no place of a thread, no file stays
// open, and what must end ends.
// Labels: plain
// Timeout: 120 s
#include <gtest/gtest.h>
#include <stdlib.h>
#include <utan/utan.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <thread>

namespace {

// How many more allocations this thread is granted before one that it is not; negative: all.
thread_local std::int64_t granted = -1;
thread_local bool for_good = false;
thread_local bool refused = false;

}  // namespace

// In the place of the standard library's. Not inlined: GCC takes what it sees of one for a mistake with the other.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (granted == 0) {
    if (!for_good) granted = -1;
    refused = true;
    throw std::bad_alloc();
  }
  if (granted > 0) --granted;
  void* const made = std::malloc(size == 0 ? 1 : size);
  if (made == nullptr) throw std::bad_alloc();
  return made;
}
[[gnu::noinline]] void operator delete(void* at) noexcept { std::free(at); }
[[gnu::noinline]] void operator delete(void* at, std::size_t) noexcept { std::free(at); }

namespace {

constexpr std::size_t large_size = 100'000;

utan_value text(const std::string& value) {
  utan_value out{};
  out.type = UTAN_STRING;
  out.data = value.data();
  out.size = value.size();
  return out;
}

class NoMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "utan-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ + "/store";
    expect_done(utan_open(path_.c_str(), nullptr, &store_));
    expect_done(utan_root(store_, &root_));
    expect_done(utan_data_new(&data_));
    const std::string json =
        R"({"list": [1, [2, {"a": "b"}], "three"], "n": 5, "name": ")" + std::string(300, 'n') + "\"}";
    expect_done(utan_data_from_json(data_, json.data(), json.size()));
    utan_value plain{};
    plain.type = UTAN_DATA;
    plain.plain = data_;
    for (const char* name : {"a", "b", "c"}) set(name, plain);
    const std::string large(large_size, 'l');
    set("large", text(large));
  }
  void TearDown() override {
    utan_data_free(data_);
    utan_container_close(root_);
    if (store_ != nullptr) expect_done(utan_close(store_));
    expect_sound();
    std::filesystem::remove_all(folder_);
  }

  static void expect_done(utan_code code) { ASSERT_EQ(code, UTAN_OK) << utan_last_error(); }
  void set(const std::string& name, const utan_value& value) {
    const utan_value key = text(name);
    expect_done(utan_set(root_, &key, &value));
  }

  // All that is in the store.
  std::string content() const {
    char* json = nullptr;
    std::size_t size = 0;
    EXPECT_EQ(utan_to_json(root_, 0, &json, &size), UTAN_OK) << utan_last_error();
    std::string out(json, size);
    utan_text_free(json);
    return out;
  }

  // Does `work` again and again, each time without the next of the allocations that it makes, or without all from there on, until
  // it has all of them. How often it failed.
  int starve(const std::function<utan_code()>& work) {
    int failed = 0;
    for (std::int64_t turn = 0;; ++turn) {
      const std::int64_t number = turn / 2;
      const std::string before = content();
      refused = false;
      for_good = turn % 2 == 1;
      granted = number;
      const utan_code code = work();
      granted = -1;
      if (!refused) {
        EXPECT_EQ(code, UTAN_OK) << utan_last_error();
        return failed;
      }
      if (code == UTAN_OK) continue;
      ++failed;
      EXPECT_EQ(code, UTAN_MEMORY) << "allocation " << number << ": " << utan_last_error();
      EXPECT_STREQ(utan_last_error(), "no memory");
      EXPECT_EQ(content(), before) << "allocation " << number;
      if (::testing::Test::HasFailure()) return failed;
    }
  }

  // Nobody has it open: everything in the file is compared.
  void expect_sound() const {
    utan_check_report report{};
    report.struct_size = sizeof report;
    ASSERT_EQ(utan_check_file(path_.c_str(), nullptr, &report), UTAN_OK) << utan_last_error();
    EXPECT_EQ(report.problem_count, 0U);
    EXPECT_EQ(report.whole, 1U);
    EXPECT_EQ(report.leaked_count, 0U);
  }

  std::string folder_;
  std::string path_;
  utan_store* store_ = nullptr;
  utan_container* root_ = nullptr;
  utan_data* data_ = nullptr;
};

TEST_F(NoMemory, Writing) {
  const std::string name = "key";
  const utan_value key = text(name);
  utan_value plain{};
  plain.type = UTAN_DATA;
  plain.plain = data_;
  EXPECT_GT(starve([&] { return utan_set(root_, &key, &plain); }), 0);
  const std::string large(large_size, 'x');
  const utan_value value = text(large);
  starve([&] { return utan_set(root_, &key, &value); });
  EXPECT_GT(starve([&] { return utan_update(root_, data_); }), 0);
  starve([&] { return utan_clear(root_); });
  EXPECT_EQ(content(), "{}");
}

TEST_F(NoMemory, Reading) {
  const std::string name = "a";
  const utan_value key = text(name);
  EXPECT_GT(starve([&] {
              utan_value found{};
              const utan_code code = utan_get(root_, &key, &found);
              if (code == UTAN_OK) utan_value_release(&found);
              EXPECT_TRUE(code == UTAN_OK || (found.type == UTAN_NULL && found.container == nullptr));
              return code;
            }),
            0);
  EXPECT_GT(starve([&] {
              utan_iterator* iterator = nullptr;
              const utan_code begun = utan_iterate(root_, nullptr, &iterator);
              if (begun != UTAN_OK) return begun;
              utan_value found{};
              utan_value value{};
              utan_code code;
              while ((code = utan_iterator_next(iterator, &found, &value)) == UTAN_OK) utan_value_release(&value);
              utan_iterator_close(iterator);
              return code == UTAN_NOT_FOUND ? UTAN_OK : code;
            }),
            0);
}

// An entry is handed over whole or not at all: both its key and its value need memory.
TEST_F(NoMemory, ReadingAnEntry) {
  const std::string name(300, 'a');
  const utan_value key = text(name);
  utan_value plain{};
  plain.type = UTAN_DATA;
  plain.plain = data_;
  expect_done(utan_clear(root_));
  expect_done(utan_set(root_, &key, &plain));
  EXPECT_GT(starve([&] {
              utan_value found{};
              utan_value value{};
              const utan_code code = utan_first(root_, &found, &value);
              if (code == UTAN_OK) {
                utan_value_release(&found);
                utan_value_release(&value);
              } else {
                EXPECT_EQ(found.type, UTAN_NULL);
                EXPECT_EQ(value.type, UTAN_NULL);
                EXPECT_EQ(found.reserved[1] | value.reserved[1], 0U);
              }
              return code;
            }),
            0);
}

// A thread's first call takes a place for it, which is given back when there is no memory to keep it.
TEST_F(NoMemory, ComingAndGoing) {
  EXPECT_GT(starve([&] {
              utan_store* snapshot = nullptr;
              const utan_code code = utan_snapshot(store_, &snapshot);
              return code == UTAN_OK ? utan_close(snapshot) : code;
            }),
            0);
  const std::string name = "n";
  const utan_value key = text(name);
  // First where there is no place for it yet, then where the last one left its own.
  for (const bool is_left : {false, true}) {
    bool had_all = false;
    for (std::int64_t number = 0; !had_all; ++number) {
      std::thread([&] {
        granted = number;
        const utan_code code = utan_contains(root_, &key);
        had_all = !refused;
        granted = -1;
        EXPECT_TRUE(code == UTAN_NOT_FOUND || (code == UTAN_MEMORY && !had_all)) << utan_last_error() << is_left;
        // It has something to give back when it ends, and no memory for that.
        for (int i = 0; i < 3; ++i) set("thread's", key);
        for_good = true;
        granted = 0;
      }).join();
    }
  }
  utan_store_stats stats{};
  stats.struct_size = sizeof stats;
  expect_done(utan_stats(store_, &stats));
  EXPECT_EQ(stats.thread_count, 2U) << "who has ended has left his place to the next";
  EXPECT_EQ(stats.pin_count, 0U);
  const std::string threads = "thread's";
  const utan_value threads_key = text(threads);
  expect_done(utan_erase(root_, &threads_key));
}

TEST_F(NoMemory, OpeningAndSyncing) {
  starve([&] { return utan_sync(store_); });
  const std::string other = folder_ + "/other";
  const utan_value key = text(other);
  utan_value plain{};
  plain.type = UTAN_DATA;
  plain.plain = data_;
  const auto open_and_close = [&] {
    utan_store* made = nullptr;
    utan_code code = utan_open(other.c_str(), nullptr, &made);
    if (code != UTAN_OK) return code;
    // What is erased is removed in closing.
    utan_container* root = nullptr;
    code = utan_root(made, &root);
    if (code == UTAN_OK) code = utan_set(root, &key, &plain);
    if (code == UTAN_OK) code = utan_erase(root, &key);
    utan_container_close(root);
    const utan_code closed = utan_close(made);
    return code != UTAN_OK ? code : closed;
  };
  EXPECT_GT(starve(open_and_close), 0) << "a new store";
  EXPECT_GT(starve(open_and_close), 0) << "one that is there";
  // Of an opening that failed nothing stays: no file, no lock, no addresses.
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) EXPECT_EQ(line.find(other), std::string::npos) << line;
  for (const auto& one : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code closed_meanwhile;
    const std::string target = std::filesystem::read_symlink(one, closed_meanwhile).string();
    EXPECT_EQ(target.find(other), std::string::npos) << target;
  }
}

}  // namespace
