#include "os/sim/world.h"

#include <cerrno>
#include <system_error>

namespace utan::os::sim {
namespace {

constexpr std::uint64_t device_number = 7;

BootId draw_boot_id(Random& random) {
  BootId id;
  for (std::byte& one : id) one = static_cast<std::byte>(random.next());
  return id;
}

// A hook may throw: a test's way out of an engine that it gives up.
struct Leaving {
  World& world;
  std::thread::id thread;
  ~Leaving() {
    const std::lock_guard lock(world.mutex);
    world.threads_in_hook.erase(thread);
  }
};

}  // namespace

Error failure(Code code, int system_error, const char* doing, const std::string& path) {
  return Error{code, system_error,
               std::string("cannot ") + doing + " " + path + ": " + std::generic_category().message(system_error)};
}

World::World(std::uint64_t seed, ByteCount size_max)
    : reservation(size_max), random(seed), image_random(~seed), boot(draw_boot_id(random)) {}

Error World::report(Process& process, CallKind kind, const std::string& path) {
  std::shared_ptr<const CallHook> called;
  std::uint64_t number = 0;
  const auto thread = std::this_thread::get_id();
  {
    const std::lock_guard lock(mutex);
    if (!hook || !process.alive() || threads_in_hook.contains(thread)) return {};
    called = hook;
    number = call_next++;
    threads_in_hook.insert(thread);
  }
  const Leaving leaving{*this, thread};
  return (*called)(Call{process, kind, path, number});
}

Result<std::unique_lock<std::mutex>> World::enter(Process& process, CallKind kind, const std::string& path) {
  if (Error error = report(process, kind, path); !error.ok()) return error;
  return enter_reported(process);
}

Result<std::unique_lock<std::mutex>> World::enter_reported(Process& process) {
  std::unique_lock lock(mutex);
  if (!process.alive()) return Error{Code::io, ESRCH, "this simulated process is dead"};
  return lock;
}

std::shared_ptr<Node> World::make_node(FileKind kind, std::uint32_t mode) {
  FileStatus status;
  status.identity = FileIdentity{.device = device_number, .inode = inode_next++};
  status.kind = kind;
  status.mode = mode;
  status.user = 1000;
  status.group = 1000;
  return std::make_shared<Node>(status, reservation);
}

FileStatus World::folder_status() const {
  FileStatus status;
  status.identity = FileIdentity{.device = device_number, .inode = 1};
  status.kind = FileKind::directory;
  status.mode = 0755;
  status.link_count = 2;
  return status;
}

Result<void> World::grow(DiskFile& file, ByteCount size, const char* doing, int beyond, const std::string& path) {
  if (size <= file.status().size) return {};
  if (growth_max && growth_count >= *growth_max) {
    ++refused_growth_count;
    return failure(Code::no_space, full_error, doing, path);
  }
  if (!file.grow(size)) return failure(Code::no_space, beyond, doing, path);
  ++growth_count;
  return {};
}

void World::advance(Nanoseconds duration) {
  monotonic = monotonic + duration;
  wall = wall + duration;
}

std::unique_ptr<World> World::successor(bool same_boot, std::uint64_t seed) const {
  auto next = std::make_unique<World>(seed, reservation);
  next->inode_next = inode_next;
  next->wall = wall;
  next->medium = medium;
  next->environment = environment;
  if (same_boot) {
    next->boot = boot;
    next->monotonic = monotonic;
  }
  for (const std::string& folder : names.folders()) next->names.make_folder(folder);
  return next;
}

}  // namespace utan::os::sim
