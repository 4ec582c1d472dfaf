// The inside of a simulated machine, which Machine, Process and SimFile share.
//
// Thread safety: everything but `enter` and `report` under `mutex`. Ownership: the Machine owns the World.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "os/sim/machine.h"
#include "os/sim/names.h"

namespace utan::os::sim {

// "cannot <doing> <path>: <reason>" as the real system says it.
Error failure(Code code, int system_error, const char* doing, const std::string& path);

class World {
 public:
  struct Description {
    Process* process;
    std::shared_ptr<Node> node;
  };

  World(std::uint64_t seed, ByteCount size_max);

  // Tells the hook of the call, with the mutex free. The error is the one that the call must return.
  Error report(Process& process, CallKind kind, const std::string& path);

  // Reports the call and takes the mutex for it. Fails if the hook says so or the process is dead.
  Result<std::unique_lock<std::mutex>> enter(Process& process, CallKind kind, const std::string& path);
  // After a report of its own.
  Result<std::unique_lock<std::mutex>> enter_reported(Process& process);

  std::shared_ptr<Node> make_node(FileKind kind, std::uint32_t mode);
  FileStatus folder_status() const;
  // Makes the file at least so long, if the disk has room; under the mutex. `doing` is what that is for, `beyond` the error
  // if no file can be so long.
  Result<void> grow(DiskFile& file, ByteCount size, const char* doing, int beyond, const std::string& path);
  void advance(Nanoseconds duration);

  // A world of the same disk without processes and hook: its clocks go on, from a new boot or not.
  std::unique_ptr<World> successor(bool same_boot, std::uint64_t seed) const;

  mutable std::mutex mutex;
  const ByteCount reservation;
  Random random;
  Random image_random;  // apart, so that taking an image does not change what the processes get
  BootId boot;
  Nanoseconds monotonic{1'000'000'000};
  Nanoseconds wall{1'700'000'000'000'000'000};
  Names names;
  Medium medium;
  std::map<std::string, std::string> environment;
  // The disk: how many growths of files it has taken, after how many it is full, and what is said then.
  std::uint64_t growth_count = 0;
  std::uint64_t refused_growth_count = 0;
  std::optional<std::uint64_t> growth_max;
  int full_error = 0;
  std::uint64_t inode_next = 2;
  std::map<DescriptionId, Description> descriptions;
  DescriptionId description_next{1};
  std::vector<std::unique_ptr<Process>> processes;
  std::shared_ptr<const CallHook> hook;
  std::uint64_t call_next = 0;
  std::set<std::thread::id> threads_in_hook;
};

// file.cc
std::unique_ptr<File> make_file(World& world, Process& process, std::shared_ptr<Node> node, DescriptionId id,
                                std::string path, Access access);

}  // namespace utan::os::sim
