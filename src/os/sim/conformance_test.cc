// Shows that the simulated system keeps the same contract (os/os.h) as the real one: each test runs on both, word for
// word, messages included.
// Labels: small
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "os/os.h"
#include "os/sim/machine.h"

namespace utan::os {
namespace {

class RealWorld {
 public:
  RealWorld() {
    std::string pattern = (std::filesystem::temp_directory_path() / "utan-conformance-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = std::filesystem::canonical(pattern).string();
  }
  RealWorld(const RealWorld&) = delete;
  RealWorld& operator=(const RealWorld&) = delete;
  ~RealWorld() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  System& system() { return linux_system(); }
  std::string in(const std::string& name) const { return path_ + "/" + name; }
  void make_fifo(const std::string& path) {
    if (::mkfifo(path.c_str(), 0600) != 0) std::abort();
  }
  void make_folder(const std::string& path) { std::filesystem::create_directory(path); }

 private:
  std::string path_;
};

class SimulatedWorld {
 public:
  SimulatedWorld() { machine_.make_folder("/folder"); }
  System& system() { return process_; }
  std::string in(const std::string& name) const { return "/folder/" + name; }
  void make_fifo(const std::string& path) { machine_.make_fifo(path); }
  void make_folder(const std::string& path) { machine_.make_folder(path); }

 private:
  sim::Machine machine_{1};
  sim::Process& process_ = machine_.start_process();
};

template <class World>
class Conformance : public ::testing::Test {
 protected:
  std::unique_ptr<File> open(const std::string& path, Access access = Access::read_write,
                             Creation creation = Creation::existing) {
    auto file = world_.system().open(path, access, creation, 0600);
    if (!file.ok()) {
      ADD_FAILURE() << file.error().message();
      std::abort();
    }
    return std::move(file).value();
  }
  std::unique_ptr<File> create(const std::string& path) { return open(path, Access::read_write, Creation::create_new); }

  World world_;
  System& system_ = world_.system();
  const std::string a_ = world_.in("a");
  const std::string b_ = world_.in("b");
  const std::string c_ = world_.in("c");
};

using Worlds = ::testing::Types<RealWorld, SimulatedWorld>;
TYPED_TEST_SUITE(Conformance, Worlds);

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto* start = reinterpret_cast<const std::byte*>(text.data());
  return {start, start + text.size()};
}

// What a test compares: the code, the errno and the text of an error.
template <class T>
std::string said(const Result<T>& result) {
  if (result.ok()) return "ok";
  const Error& error = result.error();
  return std::to_string(static_cast<int>(error.code())) + "/" + std::to_string(error.system_error()) + " " +
         error.message();
}

std::string expected(Code code, int system_error, const std::string& message) {
  return std::to_string(static_cast<int>(code)) + "/" + std::to_string(system_error) + " " + message;
}

TYPED_TEST(Conformance, OpeningAndItsRefusals) {
  const auto open = [this](const std::string& path, Creation creation) {
    return said(this->system_.open(path, Access::read_write, creation, 0600));
  };
  const std::string& a = this->a_;
  EXPECT_EQ(open(a, Creation::existing),
            expected(Code::not_found, ENOENT, "cannot open " + a + ": No such file or directory"));
  EXPECT_EQ(open(a, Creation::create_new), "ok");
  EXPECT_EQ(open(a, Creation::create_new), expected(Code::exists, EEXIST, "cannot create " + a + ": File exists"));
  const std::string below = this->world_.in("none/a");
  EXPECT_EQ(open(below, Creation::create_new),
            expected(Code::not_found, ENOENT, "cannot create " + below + ": No such file or directory"));
  EXPECT_EQ(open(a + "/b", Creation::create_new),
            expected(Code::not_found, ENOTDIR, "cannot create " + a + "/b: Not a directory"));
  this->world_.make_folder(this->b_);
  EXPECT_EQ(open(this->b_, Creation::existing),
            expected(Code::invalid, 0, "cannot open " + this->b_ + ": it is a directory, not a regular file"));
  this->world_.make_fifo(this->c_);
  EXPECT_EQ(open(this->c_, Creation::existing),
            expected(Code::invalid, 0, "cannot open " + this->c_ + ": it is a FIFO, not a regular file"));
  EXPECT_EQ(this->system_.status(this->b_)->kind, FileKind::directory);
  EXPECT_EQ(this->system_.status(this->c_)->kind, FileKind::other);
}

TYPED_TEST(Conformance, ReadingAndWriting) {
  const auto file = this->create(this->a_);
  EXPECT_EQ(said(file->write(Offset{4}, bytes_of("text"))), "ok");
  EXPECT_EQ(file->status()->size, ByteCount{8});
  std::vector<std::byte> read(8);
  EXPECT_EQ(said(file->read(Offset{0}, read)), "ok");
  EXPECT_EQ(read, bytes_of(std::string(4, '\0') + "text"));
  EXPECT_EQ(said(file->read(Offset{4}, read)),
            expected(Code::corruption, 0, this->a_ + " ends at 8, expected at least 12 bytes"));
  EXPECT_EQ(said(file->read(Offset{20}, read)),
            expected(Code::corruption, 0, this->a_ + " ends at 20, expected at least 28 bytes"));
  EXPECT_EQ(said(file->read(Offset{20}, {})), "ok");
  EXPECT_EQ(said(file->flush()), "ok");

  const auto reader = this->open(this->a_, Access::read_only);
  EXPECT_EQ(said(reader->write(Offset{0}, read)),
            expected(Code::io, EBADF, "cannot write " + this->a_ + ": Bad file descriptor"));
  EXPECT_EQ(said(reader->allocate(ByteCount{100})),
            expected(Code::io, EBADF, "cannot allocate space for " + this->a_ + ": Bad file descriptor"));
  EXPECT_EQ(said(reader->map(ByteCount{4096}, Access::read_write)),
            expected(Code::permission, 0, "cannot map " + this->a_ + " for writing: it was opened read-only"));
  EXPECT_EQ(said(reader->read(Offset{0}, read)), "ok");
}

TYPED_TEST(Conformance, AllocatingGrowsAndNeverTruncates) {
  const auto file = this->create(this->a_);
  ASSERT_TRUE(file->write(Offset{0}, bytes_of("kept")).ok());
  for (const std::uint64_t size : {10'000U, 10'000U, 5U, 0U}) {
    EXPECT_EQ(said(file->allocate(ByteCount{size})), "ok");
    EXPECT_EQ(file->status()->size, ByteCount{10'000});
  }
  std::vector<std::byte> read(10'000);
  ASSERT_TRUE(file->read(Offset{0}, read).ok());
  auto content = bytes_of("kept");
  content.resize(10'000);
  EXPECT_EQ(read, content);
}

TYPED_TEST(Conformance, MappingsShareTheFileAsItGrows) {
  auto file = this->create(this->a_);
  ASSERT_TRUE(file->allocate(ByteCount{4096}).ok());
  auto first = file->map(ByteCount{1 << 20}, Access::read_write);
  const auto second = this->open(this->a_)->map(ByteCount{1 << 20}, Access::read_write);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(first.value()->reserved(), ByteCount{1 << 20});
  first.value()->data()[4095] = std::byte{1};
  EXPECT_EQ(second.value()->data()[4095], std::byte{1});
  ASSERT_TRUE(file->allocate(ByteCount{1 << 20}).ok());
  EXPECT_EQ(first.value()->data()[(1 << 20) - 1], std::byte{0});
  second.value()->data()[(1 << 20) - 1] = std::byte{2};
  std::byte read{};
  ASSERT_TRUE(file->read(Offset{(1 << 20) - 1}, std::span(&read, 1)).ok());
  EXPECT_EQ(read, std::byte{2});
  ASSERT_TRUE(this->system_.remove(this->a_).ok());
  file.reset();
  EXPECT_EQ(first.value()->data()[(1 << 20) - 1], std::byte{2});
  EXPECT_GE(this->system_.address_space_max(), ByteCount{1 << 20});
}

TYPED_TEST(Conformance, IdentityAndLinksFollowTheFile) {
  const auto file = this->create(this->a_);
  const auto other = this->create(this->b_);
  const auto identity = file->status()->identity;
  EXPECT_EQ(this->open(this->a_)->status()->identity, identity);
  EXPECT_NE(other->status()->identity, identity);
  EXPECT_EQ(file->status()->link_count, 1U);
  EXPECT_EQ(file->status()->mode, 0600U);
  EXPECT_EQ(said(this->system_.rename(this->b_, this->a_)), "ok");
  EXPECT_EQ(file->status()->link_count, 0U);
  EXPECT_EQ(file->status()->identity, identity);
  EXPECT_EQ(this->system_.status(this->a_)->identity, other->status()->identity);
  EXPECT_EQ(other->status()->link_count, 1U);
  EXPECT_EQ(said(this->system_.remove(this->a_)), "ok");
  EXPECT_EQ(other->status()->link_count, 0U);
  EXPECT_EQ(said(other->write(Offset{0}, bytes_of("x"))), "ok");
  auto like = *other->status();
  like.mode = 0640;
  const auto third = this->create(this->a_);
  this->system_.match_ownership(this->a_, like);
  EXPECT_EQ(third->status()->mode, 0640U);
}

TYPED_TEST(Conformance, Names) {
  System& system = this->system_;
  const std::string none = ": No such file or directory";
  EXPECT_EQ(said(system.status(this->a_)), expected(Code::not_found, ENOENT, "cannot stat " + this->a_ + none));
  EXPECT_EQ(said(system.remove(this->a_)), expected(Code::not_found, ENOENT, "cannot remove " + this->a_ + none));
  EXPECT_EQ(said(system.rename(this->a_, this->b_)),
            expected(Code::not_found, ENOENT, "cannot rename " + this->a_ + " to " + this->b_ + none));
  EXPECT_EQ(said(system.rename_new(this->a_, this->b_)),
            expected(Code::not_found, ENOENT, "cannot rename " + this->a_ + " to " + this->b_ + none));
  const auto a = this->create(this->a_);
  const auto b = this->create(this->b_);
  EXPECT_EQ(said(system.rename_new(this->a_, this->b_)),
            expected(Code::exists, EEXIST, "cannot create " + this->b_ + ": File exists"));
  EXPECT_EQ(said(system.rename_new(this->a_, this->c_)), "ok");
  EXPECT_EQ(system.status(this->a_).code(), Code::not_found);
  EXPECT_EQ(system.status(this->c_)->identity, a->status()->identity);
  EXPECT_EQ(said(system.rename(this->c_, this->c_)), "ok");
  EXPECT_EQ(a->status()->link_count, 1U);
  EXPECT_EQ(said(system.flush_folder_of(this->c_)), "ok");
  const std::string nowhere = this->world_.in("none");
  EXPECT_EQ(said(system.flush_folder_of(nowhere + "/a")),
            expected(Code::not_found, ENOENT, "cannot open " + nowhere + none));
}

TYPED_TEST(Conformance, Resolving) {
  System& system = this->system_;
  const auto file = this->create(this->a_);
  this->world_.make_folder(this->c_);
  EXPECT_EQ(*system.resolve(this->world_.in("./c/../a")), this->a_);
  EXPECT_EQ(*system.resolve(this->c_ + "/"), this->c_);
  EXPECT_EQ(*system.resolve(this->b_), this->b_);
  const std::string below = this->world_.in("none/b");
  EXPECT_EQ(said(system.resolve(below)),
            expected(Code::not_found, ENOENT, "cannot resolve " + below + ": No such file or directory"));
  EXPECT_EQ(said(system.resolve(this->a_ + "/b")),
            expected(Code::not_found, ENOTDIR, "cannot resolve " + this->a_ + "/b: Not a directory"));
  EXPECT_EQ(system.resolve("").code(), Code::not_found);
}

TYPED_TEST(Conformance, WholeFileLocks) {
  auto first = this->create(this->a_);
  const auto second = this->open(this->a_, Access::read_only);
  const auto other = this->create(this->b_);
  EXPECT_TRUE(*first->try_lock(LockMode::shared));
  EXPECT_TRUE(*second->try_lock(LockMode::shared));
  EXPECT_FALSE(*first->try_lock(LockMode::exclusive));
  EXPECT_TRUE(*second->try_lock(LockMode::exclusive)) << "the failed conversion gave up what was held";
  EXPECT_FALSE(*first->try_lock(LockMode::shared));
  EXPECT_TRUE(*second->try_lock(LockMode::exclusive));
  EXPECT_TRUE(*other->try_lock(LockMode::exclusive));
  EXPECT_TRUE(*second->try_lock(LockMode::shared));
  EXPECT_TRUE(*first->try_lock(LockMode::shared));
  second->unlock();
  second->unlock();
  EXPECT_TRUE(*first->try_lock(LockMode::exclusive));
  first.reset();
  EXPECT_TRUE(*second->try_lock(LockMode::exclusive));
}

TYPED_TEST(Conformance, ByteLocks) {
  auto first = this->create(this->a_);
  const auto second = this->open(this->a_);
  const auto reader = this->open(this->a_, Access::read_only);
  const std::string refusal = "cannot lock a byte of " + this->a_ + " exclusively: it was opened read-only";
  EXPECT_EQ(said(reader->try_lock_byte(0, LockMode::exclusive)), expected(Code::permission, 0, refusal));
  EXPECT_TRUE(*first->try_lock_byte(5, LockMode::exclusive));
  EXPECT_TRUE(*first->try_lock_byte(5, LockMode::exclusive));
  EXPECT_FALSE(*second->try_lock_byte(5, LockMode::exclusive));
  EXPECT_FALSE(*reader->try_lock_byte(5, LockMode::shared));
  EXPECT_TRUE(*first->try_lock_byte(5, LockMode::shared)) << "a conversion";
  EXPECT_TRUE(*reader->try_lock_byte(5, LockMode::shared));
  EXPECT_FALSE(*first->try_lock_byte(5, LockMode::exclusive));
  EXPECT_TRUE(*reader->others_hold_bytes(5, 1)) << "the failed conversion kept what was held";
  EXPECT_TRUE(*second->try_lock_byte(0xFFFFFFFF, LockMode::exclusive));

  EXPECT_FALSE(*first->others_hold_bytes(0, 5));
  EXPECT_TRUE(*first->others_hold_bytes(0, 6)) << "the reader's";
  EXPECT_FALSE(*first->others_hold_bytes(6, 0xFFFFFFFF - 6));
  EXPECT_TRUE(*first->others_hold_bytes(6, 0xFFFFFFFF - 5));
  EXPECT_TRUE(*first->others_hold_bytes(0xFFFFFFFF, 1));
  EXPECT_FALSE(*second->others_hold_bytes(0xFFFFFFFF, 1));
  EXPECT_FALSE(*first->others_hold_bytes(5, 0));
  EXPECT_FALSE(*second->others_hold_bytes_exclusively(0, 6)) << "two hold it together";
  EXPECT_TRUE(*reader->others_hold_bytes_exclusively(0xFFFFFFFF, 1));
  EXPECT_FALSE(*second->others_hold_bytes_exclusively(0xFFFFFFFF, 1));
  EXPECT_FALSE(*first->others_hold_bytes_exclusively(6, 0xFFFFFFFF - 6));
  EXPECT_FALSE(*reader->others_hold_bytes_exclusively(0xFFFFFFFF, 0));

  reader->unlock_byte(5);
  reader->unlock_byte(6);
  EXPECT_TRUE(*first->try_lock_byte(5, LockMode::exclusive));
  const auto mapping = first->map(ByteCount{4096}, Access::read_write);
  ASSERT_TRUE(mapping.ok());
  first.reset();
  EXPECT_FALSE(*second->others_hold_bytes(0, 1000)) << "closing ends it, though there is a mapping";
}

TYPED_TEST(Conformance, ClocksWaitingAndRandomness) {
  System& system = this->system_;
  const auto monotonic = system.monotonic_now();
  const auto wall = system.wall_now();
  system.sleep(milliseconds(2));
  EXPECT_GE(system.monotonic_now() - monotonic, milliseconds(2));
  EXPECT_GT(system.wall_now(), wall);
  std::atomic<std::uint32_t> word{1};
  const auto before = system.monotonic_now();
  while (system.monotonic_now() - before < milliseconds(3)) system.futex_wait(word, 1, milliseconds(1));
  system.futex_wait(word, 2, milliseconds(3'600'000));
  EXPECT_LT(system.monotonic_now() - before, milliseconds(3'600'000));
  system.futex_wake_all(word);
  EXPECT_EQ(system.boot_id(), system.boot_id());
  std::vector<std::byte> first(32);
  std::vector<std::byte> second(32);
  EXPECT_EQ(said(system.random(first)), "ok");
  EXPECT_EQ(said(system.random(second)), "ok");
  EXPECT_NE(first, second);
  EXPECT_NE(system.process_id(), 0U);
  EXPECT_EQ(system.environment("UTAN_NO_SUCH_VARIABLE"), std::nullopt);
  const auto memory = system.private_memory(ByteCount{std::uint64_t{1} << 28});
  ASSERT_TRUE(memory.ok());
  EXPECT_EQ(memory.value()->reserved().value, std::uint64_t{1} << 28);
  memory.value()->data()[(1 << 28) - 1] = std::byte{1};
  EXPECT_EQ(memory.value()->data()[0], std::byte{0});
  const auto sentinel = system.fork_sentinel();
  ASSERT_TRUE(sentinel.ok());
  EXPECT_NE(sentinel.value()->word().load(), 0U);
}

}  // namespace
}  // namespace utan::os
