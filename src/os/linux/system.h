// The System of Linux.
//
// Thread safety: it has no state. Ownership: linux_system() makes one that lives as long as the process.
#pragma once

#include "os/os.h"

namespace utan::os::linux_os {

class LinuxSystem final : public System {
 public:
  // file.cc, names.cc
  Result<std::unique_ptr<File>> open(const std::string& path, Access access, Creation creation,
                                     std::uint32_t mode) override;
  Result<FileStatus> status(const std::string& path) override;
  Result<std::string> resolve(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> rename_new(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> flush_folder_of(const std::string& path) override;
  void match_ownership(const std::string& path, const FileStatus& like) override;

  // system.cc
  Nanoseconds monotonic_now() override;
  Nanoseconds wall_now() override;
  void sleep(Nanoseconds duration) override;
  std::optional<BootId> boot_id() override;
  std::uint32_t process_id() override;
  Result<void> random(std::span<std::byte> bytes) override;
  void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, Nanoseconds time_max) override;
  void futex_wake_all(std::atomic<std::uint32_t>& word) override;

  std::optional<std::string> environment(const char* name) override;

  // memory.cc
  Result<std::unique_ptr<Mapping>> private_memory(ByteCount size) override;

  // mapping.cc
  ByteCount address_space_max() override;

  // fork.cc
  Result<std::unique_ptr<ForkSentinel>> fork_sentinel() override;
  Result<void> at_fork_in_child(void (*in_child)()) override;
};

// names.cc: the two ways of rename_new, apart so that a test can take the second on any file system.
Result<void> rename_new_by_link(const std::string& from, const std::string& to);

}  // namespace utan::os::linux_os
