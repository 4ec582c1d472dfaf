// What tests of whole stores share: a folder of their own, opening, walking, printed seeds.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "check/walk.h"
#include "commit/attachment.h"
#include "object/store.h"
#include "os/os.h"

namespace utan::test {

// A new folder, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "utan-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// The seed of a random test: UTAN_SEED if it is set, so that a failure can be replayed; printed with every failure.
inline std::uint64_t seed_of_run() {
  if (const char* given = ::getenv("UTAN_SEED"); given != nullptr) return std::strtoull(given, nullptr, 10);
  return (std::uint64_t{std::random_device{}()} << 32) | std::random_device{}();
}
#define UTAN_SEEDED(seed)                                 \
  const std::uint64_t seed = ::utan::test::seed_of_run(); \
  SCOPED_TRACE("replay with UTAN_SEED=" + std::to_string(seed))

// Long runs (make torture) multiply the numbers of the ordinary ones. AddressSanitizer makes everything several times
// slower, and looks for what the first runs show as well as the last.
inline std::uint64_t scaled(std::uint64_t ordinary, std::uint64_t torture) {
  if (::getenv("UTAN_TORTURE") != nullptr) return torture;
#if defined(__SANITIZE_ADDRESS__)
  return ordinary < 10 ? 1 : ordinary / 10;
#else
  return ordinary;
#endif
}

inline object::Bytes bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string text(object::Bytes bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

inline std::unique_ptr<object::Store> open_store(const std::string& path, commit::OpenOptions options = {},
                                                 os::System& system = os::linux_system()) {
  Result<std::unique_ptr<object::Store>> store = object::Store::open(system, path, options);
  if (!store.ok()) {
    ADD_FAILURE() << "open " << path << ": " << store.error().message();
    return nullptr;
  }
  return std::move(store).value();
}

inline std::unique_ptr<object::Table> open_table(const object::Store& store, std::string_view name) {
  Result<std::unique_ptr<object::Table>> table = store.table(name, true);
  if (!table.ok()) {
    ADD_FAILURE() << "table " << name << ": " << table.error().message();
    return nullptr;
  }
  return std::move(table).value();
}

inline void put(object::Table& table, std::string_view key, std::string_view value) {
  const Result<bool> done = table.put(bytes(key), bytes(value), object::Table::Put::always);
  ASSERT_TRUE(done.ok()) << done.error().message();
}
inline std::optional<std::string> get(const object::Table& table, std::string_view key) {
  object::Value value;
  const Result<bool> found = table.get(bytes(key), value);
  if (!found.ok()) {
    ADD_FAILURE() << found.error().message();
    return std::nullopt;
  }
  if (!found.value()) return std::nullopt;
  std::string out = text({value.data, value.size});
  value.release();
  return out;
}
inline bool erase(object::Table& table, std::string_view key) {
  const Result<bool> done = table.erase(bytes(key));
  EXPECT_TRUE(done.ok()) << done.error().message();
  return done.ok() && done.value();
}

// Walks a store at rest.
inline check::Report walk(const object::Store& store) {
  Result<commit::Session*> session = store.attachment().session();
  const auto& heap = session.value()->heap();
  check::Report report =
      check::Walk(heap.base(), heap.file_size(), heap.coordination(), session.value()->hash_seed()).run();
  for (const std::string& problem : report.problems) ADD_FAILURE() << problem;
  return report;
}
inline std::uint64_t leaked_max(const object::Store& store) { return store.statistics()->leaked_max.value; }

}  // namespace utan::test
