// An open file description of a simulated process.
#include <cerrno>
#include <cstring>

#include "os/sim/world.h"

namespace utan::os::sim {
namespace {

// Keeps the file's memory, which all mappings of it share, and nothing else of the world.
class SimMapping final : public Mapping {
 public:
  SimMapping(std::shared_ptr<Node> node, ByteCount reserved)
      : Mapping(node->file.memory(), reserved), node_(std::move(node)) {}

 private:
  const std::shared_ptr<Node> node_;
};

class SimFile final : public File {
 public:
  SimFile(World& world, Process& process, std::shared_ptr<Node> node, DescriptionId id, std::string path, Access access)
      : world_(world),
        process_(process),
        node_(std::move(node)),
        id_(id),
        path_(std::move(path)),
        access_(access),
        failures_seen_(node_->file.flush_failure_count()) {}
  ~SimFile() override;

  Result<FileStatus> status() override;
  Result<Medium> medium() override;
  Result<void> read(Offset from, std::span<std::byte> bytes) override;
  Result<void> write(Offset to, std::span<const std::byte> bytes) override;
  Result<void> allocate(ByteCount size) override;
  Result<void> flush() override;
  Result<void> write_back(Offset from, ByteCount size) override;
  Result<std::unique_ptr<Mapping>> map(ByteCount reservation, Access access) override;
  Result<bool> try_lock(LockMode mode) override;
  void unlock() override;
  Result<bool> try_lock_byte(std::uint32_t index, LockMode mode) override;
  void unlock_byte(std::uint32_t index) override;
  Result<bool> others_hold_bytes(std::uint32_t first, std::uint32_t count) override;
  Result<bool> others_hold_bytes_exclusively(std::uint32_t first, std::uint32_t count) override;

 private:
  auto enter(CallKind kind) { return world_.enter(process_, kind, path_); }
  Result<Moment> begin_flush();
  Error fail_flush(Error error);

  World& world_;
  Process& process_;
  const std::shared_ptr<Node> node_;
  const DescriptionId id_;
  const std::string path_;
  const Access access_;
  std::uint64_t failures_seen_;  // flushes of the file that failed before, or were told of here
};

SimFile::~SimFile() {
  // Reported for tests that look at every point; the kernel closes whatever a hook says.
  (void)world_.report(process_, CallKind::close, path_);
  const std::lock_guard lock(world_.mutex);
  world_.descriptions.erase(id_);
  node_->locks.release(id_);
}

Result<FileStatus> SimFile::status() {
  UTAN_ASSIGN(const auto lock, enter(CallKind::file_status));
  return node_->file.status();
}

Result<Medium> SimFile::medium() {
  UTAN_ASSIGN(const auto lock, enter(CallKind::medium));
  return world_.medium;
}

Result<void> SimFile::read(Offset from, std::span<std::byte> bytes) {
  UTAN_ASSIGN(const auto lock, enter(CallKind::read));
  const auto content = node_->file.content();
  const std::uint64_t end = from.value + bytes.size();
  if (bytes.empty()) return {};
  if (end > content.size()) {
    // As much as there is arrives, and the position where nothing more came is named: as the real system does it.
    const std::uint64_t stop = std::max(from.value, std::uint64_t{content.size()});
    return Error{Code::corruption,
                 path_ + " ends at " + std::to_string(stop) + ", expected at least " + std::to_string(end) + " bytes"};
  }
  std::memcpy(bytes.data(), content.data() + from.value, bytes.size());
  return {};
}

Result<void> SimFile::write(Offset to, std::span<const std::byte> bytes) {
  UTAN_ASSIGN(const auto lock, enter(CallKind::write));
  if (access_ == Access::read_only) return failure(Code::io, EBADF, "write", path_);
  if (bytes.empty()) return {};
  UTAN_TRY(world_.grow(node_->file, ByteCount{to.value + bytes.size()}, "write", EFBIG, path_));
  std::memcpy(node_->file.memory() + to.value, bytes.data(), bytes.size());
  return {};
}

Result<void> SimFile::allocate(ByteCount size) {
  UTAN_ASSIGN(const auto lock, enter(CallKind::allocate));
  if (size.value == 0) return {};
  if (access_ == Access::read_only) return failure(Code::io, EBADF, "allocate space for", path_);
  return world_.grow(node_->file, size, "allocate space for", ENOSPC, path_);
}

Result<Moment> SimFile::begin_flush() {
  UTAN_ASSIGN(const auto lock, world_.enter_reported(process_));
  return node_->file.flush_began();
}

Error SimFile::fail_flush(Error error) {
  const std::lock_guard lock(world_.mutex);
  node_->file.flush_failed();
  failures_seen_ = node_->file.flush_failure_count();
  return error;
}

Result<void> SimFile::flush() {
  if (Error error = world_.report(process_, CallKind::flush, path_); !error.ok()) return fail_flush(std::move(error));
  UTAN_ASSIGN(const Moment began, begin_flush());
  // While the disk works, others store, and the power may fail.
  if (Error error = world_.report(process_, CallKind::flush_end, path_); !error.ok()) {
    return fail_flush(std::move(error));
  }
  UTAN_ASSIGN(const auto lock, world_.enter_reported(process_));
  node_->file.flush_done(began);
  if (failures_seen_ != node_->file.flush_failure_count()) {
    failures_seen_ = node_->file.flush_failure_count();
    return failure(Code::io, EIO, "flush", path_);
  }
  return {};
}

// Nothing needs to have been written.
Result<void> SimFile::write_back(Offset, ByteCount) {
  if (Error error = world_.report(process_, CallKind::write_back, path_); !error.ok())
    return fail_flush(std::move(error));
  UTAN_ASSIGN(const auto lock, world_.enter_reported(process_));
  return {};
}

Result<std::unique_ptr<Mapping>> SimFile::map(ByteCount reservation, Access access) {
  UTAN_ASSIGN(const auto lock, enter(CallKind::map));
  if (access == Access::read_write && access_ == Access::read_only) {
    return Error{Code::permission, "cannot map " + path_ + " for writing: it was opened read-only"};
  }
  if (reservation > node_->file.reservation()) return failure(Code::no_space, ENOMEM, "map", path_);
  return std::unique_ptr<Mapping>(std::make_unique<SimMapping>(node_, reservation));
}

Result<bool> SimFile::try_lock(LockMode mode) {
  UTAN_ASSIGN(const auto lock, enter(CallKind::lock));
  return node_->locks.try_lock(id_, mode);
}

void SimFile::unlock() {
  (void)world_.report(process_, CallKind::unlock, path_);
  if (const auto lock = world_.enter_reported(process_); lock.ok()) node_->locks.unlock(id_);
}

Result<bool> SimFile::try_lock_byte(std::uint32_t index, LockMode mode) {
  UTAN_ASSIGN(const auto lock, enter(CallKind::lock_byte));
  if (mode == LockMode::exclusive && access_ == Access::read_only) {
    return Error{Code::permission, "cannot lock a byte of " + path_ + " exclusively: it was opened read-only"};
  }
  return node_->locks.try_lock_byte(id_, index, mode);
}

void SimFile::unlock_byte(std::uint32_t index) {
  (void)world_.report(process_, CallKind::unlock_byte, path_);
  if (const auto lock = world_.enter_reported(process_); lock.ok()) node_->locks.unlock_byte(id_, index);
}

Result<bool> SimFile::others_hold_bytes(std::uint32_t first, std::uint32_t count) {
  UTAN_ASSIGN(const auto lock, enter(CallKind::test_bytes));
  return node_->locks.others_hold_bytes(id_, first, count);
}

Result<bool> SimFile::others_hold_bytes_exclusively(std::uint32_t first, std::uint32_t count) {
  UTAN_ASSIGN(const auto lock, enter(CallKind::test_bytes));
  return node_->locks.others_hold_bytes_exclusively(id_, first, count);
}

}  // namespace

std::unique_ptr<File> make_file(World& world, Process& process, std::shared_ptr<Node> node, DescriptionId id,
                                std::string path, Access access) {
  return std::make_unique<SimFile>(world, process, std::move(node), id, std::move(path), access);
}

}  // namespace utan::os::sim
