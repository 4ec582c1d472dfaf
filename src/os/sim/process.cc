// The calls of a simulated process that are not about an open file.
#include <sys/mman.h>

#include <cerrno>
#include <latch>
#include <thread>

#include "base/check.h"
#include "os/sim/world.h"

namespace utan::os::sim {
namespace {

const std::string no_path;

class SimForkSentinel final : public ForkSentinel {
 public:
  explicit SimForkSentinel(std::shared_ptr<std::atomic<std::uint64_t>> word)
      : ForkSentinel(word.get()), owned_(std::move(word)) {}

 private:
  const std::shared_ptr<std::atomic<std::uint64_t>> owned_;
};

class SimMemory final : public Mapping {
 public:
  SimMemory(void* address, ByteCount size) : Mapping(static_cast<std::byte*>(address), size) {}
  ~SimMemory() override { ::munmap(data(), static_cast<std::size_t>(reserved().value)); }
};

// The folder of a name that is to be made or removed.
Result<void> folder_must_exist(const World& world, const std::string& name, const char* doing,
                               const std::string& path) {
  if (world.names.is_folder(folder_of(name))) return {};
  return failure(Code::not_found, world.names.find(folder_of(name)) ? ENOTDIR : ENOENT, doing, path);
}

Error not_regular(const std::string& path, const char* kind) {
  return Error{Code::invalid, "cannot open " + path + ": it is " + kind + ", not a regular file"};
}

}  // namespace

Process::Process(World& world, std::uint32_t id) : world_(world), id_(id) {}

Process::~Process() = default;

void Process::kill() {
  const std::lock_guard lock(world_.mutex);
  alive_.store(false, std::memory_order_release);
  close_all();
}

void Process::close_all() {
  for (auto i = world_.descriptions.begin(); i != world_.descriptions.end();) {
    auto& [id, description] = *i;
    if (description.process == this) {
      description.node->locks.release(id);
      i = world_.descriptions.erase(i);
    } else {
      ++i;
    }
  }
}

void Process::kill_and_park() {
  kill();
  std::latch never(1);
  for (;;) never.wait();
}

void Process::become_fork_child() {
  std::vector<void (*)()> handlers;
  {
    const std::lock_guard lock(world_.mutex);
    close_all();
    for (const auto& sentinel : sentinels_) {
      if (const auto word = sentinel.lock()) word->store(0);
    }
    handlers = fork_handlers_;
  }
  for (const auto handler : handlers) handler();
}

Result<std::unique_ptr<File>> Process::open(const std::string& path, Access access, Creation creation,
                                            std::uint32_t mode) {
  UTAN_ASSIGN(const auto lock, world_.enter(*this, CallKind::open, path));
  const std::string name = normalized(path);
  auto node = world_.names.find(name);
  if (creation == Creation::create_new) {
    if (node || world_.names.is_folder(name)) return failure(Code::exists, EEXIST, "create", path);
    UTAN_TRY(folder_must_exist(world_, name, "create", path));
    node = world_.make_node(FileKind::regular, mode);
    world_.names.create(name, node);
  } else {
    if (world_.names.is_folder(name)) return not_regular(path, "a directory");
    if (!node) return failure(Code::not_found, ENOENT, "open", path);
    if (node->file.status().kind != FileKind::regular) return not_regular(path, "a FIFO");
  }
  const DescriptionId id = world_.description_next;
  world_.description_next = DescriptionId{static_cast<std::uint64_t>(id) + 1};
  world_.descriptions.emplace(id, World::Description{.process = this, .node = node});
  return make_file(world_, *this, std::move(node), id, path, access);
}

Result<FileStatus> Process::status(const std::string& path) {
  UTAN_ASSIGN(const auto lock, world_.enter(*this, CallKind::status, path));
  const std::string name = normalized(path);
  if (world_.names.is_folder(name)) return world_.folder_status();
  const auto node = world_.names.find(name);
  if (!node) return failure(Code::not_found, ENOENT, "stat", path);
  return node->file.status();
}

Result<std::string> Process::resolve(const std::string& path) {
  UTAN_ASSIGN(const auto lock, world_.enter(*this, CallKind::resolve, path));
  if (path.empty()) return failure(Code::not_found, ENOENT, "resolve", path);
  std::string name = normalized(path);
  if (world_.names.is_folder(name)) return name;
  if (path.back() == '/') return failure(Code::not_found, ENOENT, "resolve", path);
  UTAN_TRY(folder_must_exist(world_, name, "resolve", path));
  return name;
}

Result<void> Process::rename(const std::string& from, const std::string& to) {
  UTAN_ASSIGN(const auto lock, world_.enter(*this, CallKind::rename, from));
  const std::string target = normalized(to);
  const std::string both = from + " to " + to;
  if (!world_.names.find(normalized(from))) return failure(Code::not_found, ENOENT, "rename", both);
  UTAN_TRY(folder_must_exist(world_, target, "rename", both));
  if (world_.names.is_folder(target)) return failure(Code::invalid, EISDIR, "rename", both);
  world_.names.rename(normalized(from), target);
  return {};
}

Result<void> Process::rename_new(const std::string& from, const std::string& to) {
  UTAN_ASSIGN(const auto lock, world_.enter(*this, CallKind::rename_new, from));
  const std::string target = normalized(to);
  if (!world_.names.find(normalized(from))) {
    return failure(Code::not_found, ENOENT, "rename", from + " to " + to);
  }
  UTAN_TRY(folder_must_exist(world_, target, "create", to));
  if (world_.names.is_folder(target) || world_.names.find(target)) return failure(Code::exists, EEXIST, "create", to);
  world_.names.rename(normalized(from), target);
  return {};
}

Result<void> Process::remove(const std::string& path) {
  UTAN_ASSIGN(const auto lock, world_.enter(*this, CallKind::remove, path));
  const std::string name = normalized(path);
  if (world_.names.is_folder(name)) return failure(Code::invalid, EISDIR, "remove", path);
  if (!world_.names.find(name)) return failure(Code::not_found, ENOENT, "remove", path);
  world_.names.remove(name);
  return {};
}

Result<void> Process::flush_folder_of(const std::string& path) {
  UTAN_ASSIGN(const auto lock, world_.enter(*this, CallKind::flush_folder, path));
  const std::string name = normalized(path);
  UTAN_TRY(folder_must_exist(world_, name, "open", folder_of(name)));
  world_.names.flush_folder(folder_of(name));
  return {};
}

void Process::match_ownership(const std::string& path, const FileStatus& like) {
  const auto lock = world_.enter(*this, CallKind::match_ownership, path);
  if (!lock.ok()) return;
  const auto node = world_.names.find(normalized(path));
  if (!node) return;
  node->file.status().mode = like.mode;
  node->file.status().user = like.user;
  node->file.status().group = like.group;
}

Nanoseconds Process::monotonic_now() {
  const std::lock_guard lock(world_.mutex);
  return world_.monotonic;
}

Nanoseconds Process::wall_now() {
  const std::lock_guard lock(world_.mutex);
  return world_.wall;
}

void Process::sleep(Nanoseconds duration) {
  {
    const auto lock = world_.enter(*this, CallKind::sleep, no_path);
    if (lock.ok()) world_.advance(duration);
  }
  std::this_thread::yield();
}

std::optional<BootId> Process::boot_id() {
  const auto lock = world_.enter(*this, CallKind::boot_id, no_path);
  if (!lock.ok()) return std::nullopt;
  return world_.boot;
}

std::uint32_t Process::process_id() { return id_; }

Result<void> Process::random(std::span<std::byte> bytes) {
  UTAN_ASSIGN(const auto lock, world_.enter(*this, CallKind::random, no_path));
  for (std::byte& one : bytes) one = static_cast<std::byte>(world_.random.next() >> 56);
  return {};
}

Result<std::unique_ptr<Mapping>> Process::private_memory(ByteCount size) {
  UTAN_ASSIGN(const auto lock, world_.enter(*this, CallKind::private_memory, no_path));
  void* address = ::mmap(nullptr, static_cast<std::size_t>(size.value), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(address != MAP_FAILED);
  return std::unique_ptr<Mapping>(std::make_unique<SimMemory>(address, size));
}

std::optional<std::string> Process::environment(const char* name) {
  const std::lock_guard lock(world_.mutex);
  const auto found = world_.environment.find(name);
  return found == world_.environment.end() ? std::nullopt : std::optional<std::string>(found->second);
}

ByteCount Process::address_space_max() { return world_.reservation; }

void Process::futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, Nanoseconds time_max) {
  {
    const auto lock = world_.enter(*this, CallKind::futex_wait, no_path);
    if (lock.ok() && word.load(std::memory_order_acquire) == expected) world_.advance(time_max);
  }
  std::this_thread::yield();
}

void Process::futex_wake_all(std::atomic<std::uint32_t>& /*word*/) {
  (void)world_.report(*this, CallKind::futex_wake, no_path);
}

Result<std::unique_ptr<ForkSentinel>> Process::fork_sentinel() {
  UTAN_ASSIGN(const auto lock, world_.enter(*this, CallKind::fork_sentinel, no_path));
  auto word = std::make_shared<std::atomic<std::uint64_t>>(1);
  sentinels_.push_back(word);
  return std::unique_ptr<ForkSentinel>(std::make_unique<SimForkSentinel>(std::move(word)));
}

Result<void> Process::at_fork_in_child(void (*in_child)()) {
  UTAN_ASSIGN(const auto lock, world_.enter(*this, CallKind::at_fork, no_path));
  fork_handlers_.push_back(in_child);
  return {};
}

}  // namespace utan::os::sim
