// What tests of opening share: files looked at and changed from outside, neighbours, stores left behind by the dead.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include "format/coordination.h"
#include "format/header.h"
#include "os/linux/testing.h"
#include "support/store_fixture.h"

namespace utan::attaching {

using commit::OpenMode;
using format::CoordinationHeader;
using format::FileHeader;
using object::Store;
using os::testing::TestChild;
using os::testing::TestPipe;
using test::TemporaryFolder;

inline constexpr std::uint64_t recovery_jump = std::uint64_t{1} << 40;

// --- Files, from outside ---------------------------------------------------------------------------------------------

inline std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}
// As cp does it: the same inode if the file is there.
inline void overwrite(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  ASSERT_TRUE(file.good()) << path;
}
inline void copy(const std::string& from, const std::string& to) { overwrite(to, content_of(from)); }

inline void patch(const std::string& path, std::uint64_t at, const void* bytes, std::size_t size) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(::pwrite(file, bytes, size, static_cast<off_t>(at)), static_cast<ssize_t>(size)) << path;
  ::close(file);
}

template <class T>
T read_at(const std::string& path, std::uint64_t at) {
  T out{};
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  file.read(reinterpret_cast<char*>(&out), sizeof out);
  EXPECT_TRUE(file.good()) << path;
  return out;
}

inline FileHeader header_of(const std::string& path) {
  const auto first = read_at<FileHeader>(path, format::header_copy_offset(0).value);
  const auto second = read_at<FileHeader>(path, format::header_copy_offset(1).value);
  const Result<FileHeader> chosen = format::choose_header(first, second, ByteCount{std::filesystem::file_size(path)});
  EXPECT_TRUE(chosen.ok()) << chosen.error().message();
  return chosen.ok() ? chosen.value() : first;
}

// Changes both copies of the header.
inline void change_header(const std::string& path, const std::function<void(FileHeader&)>& change) {
  for (std::uint64_t i = 0; i < 2; ++i) {
    const std::uint64_t at = format::header_copy_offset(i).value;
    auto header = read_at<FileHeader>(path, at);
    change(header);
    header.checksum = format::header_checksum(header);
    patch(path, at, &header, sizeof header);
  }
}

// Changes the header of a coordination file.
inline void change_coordination(const std::string& path, const std::function<void(CoordinationHeader&)>& change) {
  auto header = read_at<CoordinationHeader>(path, 0);
  change(header);
  header.checksum = format::coordination_checksum(header);
  patch(path, 0, &header, sizeof header);
}

// The newest checkpoint in a data file.
inline format::CheckpointSlot checkpoint_of(const std::string& path) {
  format::CheckpointSlot best{};
  for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
    const auto slot = read_at<format::CheckpointSlot>(path, format::slot_offset(i).value);
    if (slot.checksum == format::slot_checksum(slot) && slot.number > best.number) best = slot;
  }
  EXPECT_NE(best.number, 0U) << path;
  return best;
}

// The walk over a data file that nobody has open: from its checkpoint, with nobody who holds or waits for anything.
inline check::Report walk_closed(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const std::uint64_t size = std::filesystem::file_size(path);
  void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  ::close(file);
  EXPECT_NE(at, MAP_FAILED);
  const check::Report report =
      check::Walk(static_cast<std::byte*>(at), ByteCount{size}, format::Coordination{}, header_of(path).hash_seed)
          .run();
  ::munmap(at, size);
  for (const std::string& problem : report.problems) ADD_FAILURE() << problem;
  return report;
}

inline timespec changed_at(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mtim;
}

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

inline std::size_t names_in(const std::string& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

// --- Stores ----------------------------------------------------------------------------------------------------------

constexpr commit::OpenOptions with_mode(OpenMode mode) { return {.mode = mode}; }

inline void close(std::unique_ptr<Store> store) {
  const Result<void> closed = Store::close(std::move(store));
  ASSERT_TRUE(closed.ok()) << closed.error().message();
}

inline void put_in(const Store& store, const std::string& key, const std::string& value) {
  const auto table = test::open_table(store, "t");
  if (table != nullptr) test::put(*table, key, value);
}
// Nothing too if there is no table.
inline std::optional<std::string> get_from(const Store& store, const std::string& key) {
  const auto table = store.table("t", false);
  if (!table.ok()) {
    EXPECT_EQ(table.code(), Code::not_found) << table.error().message();
    return std::nullopt;
  }
  return test::get(*table.value(), key);
}
inline void put_in(const std::string& path, const std::string& key, const std::string& value) {
  auto store = test::open_store(path);
  ASSERT_NE(store, nullptr);
  put_in(*store, key, value);
  close(std::move(store));
}
inline std::optional<std::string> get_from(const std::string& path, const std::string& key) {
  const auto store = test::open_store(path, with_mode(OpenMode::existing));
  return store == nullptr ? std::nullopt : get_from(*store, key);
}
inline std::uint64_t newest(const Store& store) { return store.statistics()->newest.value; }

inline void expect_refused(const std::string& path, const commit::OpenOptions& options, Code code, const char* said) {
  const auto opened = Store::open(os::linux_system(), path, options);
  ASSERT_EQ(opened.code(), code) << (opened.ok() ? "it opened" : opened.error().message());
  EXPECT_NE(opened.error().message().find(said), std::string::npos) << opened.error().message();
  EXPECT_NE(opened.error().message().find(std::filesystem::path(path).filename().string()), std::string::npos)
      << opened.error().message();
}

// Another process, which takes turns with this one. It ends when its life returns, or when this one lets go of it.
class Neighbour {
 public:
  explicit Neighbour(const std::function<void(Neighbour&)>& life)
      : child_([this, &life] {
          go_.close_writer();
          life(*this);
          return !::testing::Test::HasFailure();
        }) {
    told_.close_writer();
  }

  // In the other process: tells that it has come so far, and waits for its turn.
  void pause() {
    told_.signal();
    go_.wait();
  }
  // Here.
  bool paused() { return told_.wait(); }
  void go_on() { go_.signal(); }
  bool ended_well() { return child_.join(); }
  void kill() { child_.kill(); }

 private:
  TestPipe told_;
  TestPipe go_;
  TestChild child_;
};

// Works on a store in a process that is killed right after it, with the store open.
inline void killed_after(const std::string& path, const std::function<void(Store&)>& work) {
  Neighbour victim([&](Neighbour& self) {
    const auto store = test::open_store(path);
    if (store == nullptr) return;
    work(*store);
    if (!::testing::Test::HasFailure()) self.pause();
  });
  ASSERT_TRUE(victim.paused());
  victim.kill();
}

class Attach : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  const std::string path_ = folder_.path("s.utan");
  const std::string lock_path_ = path_ + "-lock";
};

// One synced commit, one that is not; then everybody dies.
inline void synced_then_killed(const std::string& path, std::uint64_t* synced = nullptr) {
  killed_after(path, [](Store& store) {
    put_in(store, "synced", "1");
    ASSERT_TRUE(store.sync().ok());
    put_in(store, "unsynced", "2");
  });
  if (synced != nullptr) *synced = checkpoint_of(path).number;
}

}  // namespace utan::attaching
