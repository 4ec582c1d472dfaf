// The world as the engine sees it: files, mappings, locks, clocks, waiting.
//
// Everything outside the process's own memory is reached through `System`, so that a test can put another world in its
// place (os/sim) that fails any call and loses any page. `linux_system()` (os/linux) is the real one. No layer above
// makes a system call.
//
// Thread safety: every method may be called by any thread at once, except where said. Process safety: that is the
// point. Errors: Code::io with errno unless a more exact code fits (not_found, exists, permission, no_space,
// unsupported, invalid for what is no regular file); messages name the path and the system's reason. Ownership: a File
// owns its descriptor, a Mapping its address range; a Mapping may outlive the File it came from.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "base/types.h"

namespace utan::os {

enum class Access { read_only, read_write };

// How to open: `existing` must be there; `create_new` must not be there (Code::exists otherwise).
enum class Creation { existing, create_new };

enum class LockMode { shared, exclusive };

// What kind of thing a path names. Only regular files can be stores.
enum class FileKind { regular, directory, other };

// Tells files apart. Two names of one file have the same identity; a copy has another.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

struct FileStatus {
  ByteCount size;
  FileIdentity identity;
  FileKind kind = FileKind::regular;
  std::uint32_t mode = 0;  // permission bits, 0 to 07777
  std::uint32_t user = 0;
  std::uint32_t group = 0;
  std::uint64_t link_count = 0;  // 0: removed or replaced while open
};

// Where a file lies. Mappings and locks reach the processes of one kernel: a file that another machine can change
// cannot be a store in use.
struct Medium {
  bool shared_with_others = false;  // by a network, or with the host of a virtual machine; or it cannot be told
  std::string name;                 // "nfs"; empty if not shared
  // Who opens a file to write may get another one, which took its place then (overlay): those who had opened it to read still
  // see the old one.
  bool replaces_files = false;
};

using BootId = std::array<std::byte, 16>;

// A range of addresses that shows a file from its start. It is reserved once, longer than the file: addresses past the
// file's end become usable as the file grows, with no call. It never moves.
class Mapping {
 public:
  virtual ~Mapping() = default;
  std::byte* data() const { return data_; }
  ByteCount reserved() const { return reserved_; }
  // Was a part of the file that somebody looked at not to be had? Others had made it shorter, or the disk failed. There are
  // zeroes there since, in this process alone: what is read or written here has nothing to do with the file any more.
  virtual bool is_lost() const { return false; }
  // `word`, which outlives the mapping or is taken back by another call, becomes 0 when that happens, before whoever looked
  // goes on.
  virtual void watch(std::atomic<std::uint64_t>*) {}
  // As if somebody had looked at such a part: where it is known by other ways that others have made the file shorter.
  virtual void lose() {}

 protected:
  Mapping(std::byte* data, ByteCount reserved) : data_(data), reserved_(reserved) {}

 private:
  std::byte* data_;
  ByteCount reserved_;
};

// One open file description: file locks and byte locks belong to it, not to the process, and end with it. A Mapping
// does not prolong them, also not one that a forked child has inherited; an inherited descriptor would. So a child made
// by fork(3) has none: its parent's Files, also those that another thread was opening or destroying, are closed before
// any handler of at_fork_in_child runs, and all that can be done with them in the child is to destroy them. A child that
// skips the handlers (clone(2), _Fork) must destroy them itself.
class File {
 public:
  virtual ~File() = default;

  virtual Result<FileStatus> status() = 0;
  virtual Result<Medium> medium() = 0;  // for the engine to refuse where it must

  // Reads or writes exactly `bytes`. A read past the end is Code::corruption ("ends at"); a write there makes the file longer.
  // Through mappings what was written is seen as if it had been stored, in any order; a write that failed may have stored a part.
  virtual Result<void> read(Offset from, std::span<std::byte> bytes) = 0;
  virtual Result<void> write(Offset to, std::span<const std::byte> bytes) = 0;

  // Makes [0, size) of the file really allocated, growing it if it is shorter: never sparse, never a truncation, and
  // what is there stays. Idempotent; several processes may do it at once. Code::no_space if the disk or quota is full.
  virtual Result<void> allocate(ByteCount size) = 0;

  // Durable when it returns: the file's bytes, written or mapped, by any process, and its size (fdatasync).
  virtual Result<void> flush() = 0;

  // Has what changed in this part of the file written, so that a flush has less to do: by itself it makes nothing durable.
  // An error is one of a flush.
  virtual Result<void> write_back(Offset from, ByteCount size) = 0;

  // Code::no_space if so much address space is not to be had.
  virtual Result<std::unique_ptr<Mapping>> map(ByteCount reservation, Access access) = 0;

  // The whole-file lock (flock), without waiting. False: somebody else holds a conflicting one. A second call converts;
  // a conversion that comes back false has given up the lock that was held, as flock does.
  virtual Result<bool> try_lock(LockMode mode) = 0;
  virtual void unlock() = 0;

  // The liveness locks: one byte per index, far beyond the file's end, by open-file-description locks. A lock ends when
  // the description's last descriptor is closed, which is how a death shows. `exclusive` needs read_write access
  // (Code::permission). A second call converts; one that comes back false leaves the lock as it was.
  virtual Result<bool> try_lock_byte(std::uint32_t index, LockMode mode) = 0;
  virtual void unlock_byte(std::uint32_t index) = 0;
  // Does another description hold any byte of [first, first + count)?
  virtual Result<bool> others_hold_bytes(std::uint32_t first, std::uint32_t count) = 0;
  // The same of those alone that are held exclusively.
  virtual Result<bool> others_hold_bytes_exclusively(std::uint32_t first, std::uint32_t count) = 0;
};

// A word that the kernel zeroes in a child made by fork: a process that reads 0 has been forked and must attach anew.
class ForkSentinel {
 public:
  virtual ~ForkSentinel() = default;
  // Non-zero in the process that made it.
  std::atomic<std::uint64_t>& word() const { return *word_; }

 protected:
  explicit ForkSentinel(std::atomic<std::uint64_t>* word) : word_(word) {}
  std::atomic<std::uint64_t>* word_;
};

class System {
 public:
  virtual ~System() = default;

  // Code::invalid for what is no regular file; never blocks. `mode` is for a new file, less the process's umask.
  virtual Result<std::unique_ptr<File>> open(const std::string& path, Access access, Creation creation,
                                             std::uint32_t mode) = 0;
  virtual Result<FileStatus> status(const std::string& path) = 0;  // follows symbolic links
  // The path with every symbolic link resolved, absolute. The last component need not exist.
  virtual Result<std::string> resolve(const std::string& path) = 0;
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  // Gives `from` the name `to` as well, and removes `from`; Code::exists if there is a `to`. Atomic for observers of
  // `to`. A death within may leave both names.
  virtual Result<void> rename_new(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  // Makes names in the folder of `path` durable.
  virtual Result<void> flush_folder_of(const std::string& path) = 0;
  // Sets mode, user and group of `path` as far as permitted; a refusal is no error. Where the group is refused its
  // permissions are cut to those of everybody.
  virtual void match_ownership(const std::string& path, const FileStatus& like) = 0;

  virtual Nanoseconds monotonic_now() = 0;  // since some point of this boot
  virtual Nanoseconds wall_now() = 0;       // since 1970-01-01T00:00Z
  virtual void sleep(Nanoseconds duration) = 0;
  virtual std::optional<BootId> boot_id() = 0;  // empty where it cannot be read
  virtual std::uint32_t process_id() = 0;       // for messages alone, never a sign of life
  virtual Result<void> random(std::span<std::byte> bytes) = 0;
  // Zeroes of this process alone: a child made by fork has a copy. Pages cost nothing before they are written to.
  virtual Result<std::unique_ptr<Mapping>> private_memory(ByteCount size) = 0;
  // A variable of the environment.
  virtual std::optional<std::string> environment(const char* name) = 0;
  // How much address space may be reserved at once: less where it is limited.
  virtual ByteCount address_space_max() = 0;

  // Waits until `word` is no longer `expected`, a wake comes, or the time is over; may return early.
  virtual void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, Nanoseconds time_max) = 0;
  virtual void futex_wake_all(std::atomic<std::uint32_t>& word) = 0;

  virtual Result<std::unique_ptr<ForkSentinel>> fork_sentinel() = 0;
  // `in_child` runs in every child made by fork(3), before fork returns there. Registered once per call, for ever; must
  // be async-signal-safe.
  virtual Result<void> at_fork_in_child(void (*in_child)()) = 0;
};

// The real one. Lives as long as the process.
System& linux_system();

}  // namespace utan::os
