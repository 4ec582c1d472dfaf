// A simulated machine: a disk, a clock, and processes, all within one real process.
//
// A Machine is what a test holds; a Process is the os::System that it gives to an engine. A test can fail any call,
// look at every point between calls, kill processes, and take an image of what would be left if the machine or the
// processes died at that very point. The run goes on unharmed, so that many images can be drawn from one run.
//
//   sim::Machine machine{seed};
//   Result<...> store = open_store(machine.start_process(), "/store");
//   machine.on_call([&](const sim::Call& call) -> Error {
//     machine.capture();                                    // what the disk may get of the stores so far
//     if (call.number == n) image = machine.crash_image(random);
//     return {};
//   });
//
// What a crash leaves: of each page any version captured since the last flush of its file began, torn between two
// adjacent versions at sectors of 512 bytes; of each size any since then; of the operations on names a prefix that
// contains those before the last flush of their folder. See disk_file.h and names.h. Anything that was never captured
// is unknown to a crash, so capture at every point that matters.
//
// Thread safety: all methods and all calls of its processes, by any thread at once. capture() and the images read the
// memory of the files: no other thread may be storing into it then. Ownership: a Machine owns its processes and must
// outlive every object that they made except mappings. Nothing here is shared between two Machines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "os/os.h"
#include "os/sim/random.h"

namespace utan::os::sim {

class Process;
class World;

// clang-format off
#define UTAN_SIM_CALL_LIST(X)                                                                                       \
  X(open) X(status) X(resolve) X(rename) X(rename_new) X(remove) X(flush_folder) X(match_ownership)                 \
  X(sleep) X(boot_id) X(random) X(private_memory) X(futex_wait) X(futex_wake) X(fork_sentinel) X(at_fork)           \
  X(file_status) X(medium) X(read) X(write) X(allocate) X(flush) X(flush_end) X(write_back) X(map)                 \
  X(lock) X(unlock) X(lock_byte) X(unlock_byte) X(test_bytes) X(close)
// clang-format on

// The calls that are reported. A flush is reported twice: before it begins and, as flush_end, before it is complete.
// Reading a clock, the process id, the environment and address_space_max are not.
enum class CallKind : std::uint8_t {
#define UTAN_SIM_CALL_ENUM(name) name,
  UTAN_SIM_CALL_LIST(UTAN_SIM_CALL_ENUM)
#undef UTAN_SIM_CALL_ENUM
};

const char* call_name(CallKind kind);

struct Call {
  Process& process;
  CallKind kind;
  const std::string& path;  // empty where there is none; the first of two
  std::uint64_t number;     // counts the calls of the machine from 0
};

// Runs before the call, with no lock held, on the calling thread. An error becomes the call's result, and the call is
// not made; calls that have no error to return (unlock, unlock_byte, close, match_ownership, sleep, futex_*) ignore it,
// and a boot id becomes unreadable. What the hook itself calls on its thread is not reported.
using CallHook = std::function<Error(const Call&)>;

class Machine {
 public:
  static constexpr ByteCount default_reservation{std::uint64_t{256} << 20};

  // `seed` decides the boot id and all randomness. `reservation` is the size that no file can exceed, and what
  // address_space_max says.
  explicit Machine(std::uint64_t seed, ByteCount reservation = default_reservation);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine();

  Process& start_process();

  // Replaces the hook; an empty one ends it.
  void on_call(CallHook hook);
  std::uint64_t call_count() const;

  // Records the pages of all files that have changed since the last capture. Costs one comparison of all bytes.
  void capture();

  // What is left of the machine, as another one that has no processes. Each captures first and changes nothing else. A
  // disk after another boot holds one version of everything; what a killed process had not flushed can still be lost.
  std::unique_ptr<Machine> crash_image(Random& random);  // power cut: another boot, one of the possible disks
  std::unique_ptr<Machine> reboot_image();               // another boot, everything flushed first
  std::unique_ptr<Machine> kill_image();                 // the same boot, every process killed, memory as it is

  void advance(Nanoseconds duration);  // both clocks
  void set_wall(Nanoseconds now);
  void set_medium(const Medium& medium);  // of all files, as they say it
  // The disk takes `growths` more growths of files, and from then on none: no file becomes longer, by being allocated or
  // written, and who tries gets `system_error` (ENOSPC, EDQUOT). Removing a file makes no room; free_disk() does.
  void fill_disk_after(std::uint64_t growths, int system_error);
  void free_disk();
  // How many growths of files there were, and how many were refused.
  std::uint64_t growth_count() const;
  std::uint64_t refused_growth_count() const;
  void set_environment(const std::string& name, const std::string& value);  // of all processes

  // What an administrator does beside the engine: durable at once, not reported, fails by CHECK. Paths are absolute.
  void make_folder(const std::string& path);    // with those above it; "/" exists
  void make_fifo(const std::string& path);      // something that is no regular file
  bool exists(const std::string& path) const;   // a file or a folder
  std::vector<std::string> file_names() const;  // in order
  std::vector<std::byte> content(const std::string& path) const;
  void put_file(const std::string& path, std::span<const std::byte> content);  // a new file; replaces the name
  void copy_file(const std::string& from, const std::string& to);              // likewise
  void rename_file(const std::string& from, const std::string& to);
  void remove_file(const std::string& path);
  // The same file with another content, as `cp backup store` leaves it; mapped memory changes, and may get shorter.
  void restore_in_place(const std::string& path, std::span<const std::byte> content);
  // How many versions of a page the disk may hold.
  std::size_t version_count(const std::string& path, std::size_t page_index) const;

 private:
  explicit Machine(std::unique_ptr<World> world);

  std::unique_ptr<World> world_;
};

// One simulated process.
class Process final : public System {
 public:
  // By Machine::start_process.
  Process(World& world, std::uint32_t id);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() override;

  // As SIGKILL: its locks end now, and no call of its objects does anything any more but return Code::io. Code of it
  // that still runs can store into mapped memory all the same: do not run it, or use kill_and_park.
  void kill();
  // For a hook on the process's own thread: kills, and never returns. The thread stays for ever; detach it.
  [[noreturn]] void kill_and_park();
  bool alive() const { return alive_.load(std::memory_order_acquire); }

  // Lets this Process play the child of a fork: its Files' locks end, its sentinels read 0, and its fork handlers run.
  // There is no parent.
  void become_fork_child();

  Result<std::unique_ptr<File>> open(const std::string& path, Access access, Creation creation,
                                     std::uint32_t mode) override;
  Result<FileStatus> status(const std::string& path) override;
  Result<std::string> resolve(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> rename_new(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> flush_folder_of(const std::string& path) override;
  void match_ownership(const std::string& path, const FileStatus& like) override;
  Nanoseconds monotonic_now() override;
  Nanoseconds wall_now() override;
  // Advances the clocks and returns.
  void sleep(Nanoseconds duration) override;
  std::optional<BootId> boot_id() override;
  std::uint32_t process_id() override;
  Result<void> random(std::span<std::byte> bytes) override;
  Result<std::unique_ptr<Mapping>> private_memory(ByteCount size) override;
  std::optional<std::string> environment(const char* name) override;
  ByteCount address_space_max() override;
  // If the word is still `expected`, lets the whole time pass on the clocks, and other threads run: that is one of the
  // things that can happen, and it lets a test of one thread go on.
  void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, Nanoseconds time_max) override;
  void futex_wake_all(std::atomic<std::uint32_t>& word) override;
  Result<std::unique_ptr<ForkSentinel>> fork_sentinel() override;
  Result<void> at_fork_in_child(void (*in_child)()) override;

 private:
  friend class World;
  void close_all();  // under the world's mutex

  World& world_;
  const std::uint32_t id_;
  // Pairs with itself: kill() releases, whoever begins a call acquires, so that a call after it does nothing.
  std::atomic<bool> alive_{true};
  // Under the world's mutex.
  std::vector<std::weak_ptr<std::atomic<std::uint64_t>>> sentinels_;
  std::vector<void (*)()> fork_handlers_;
};

}  // namespace utan::os::sim
