// One file of a simulated machine: its memory, and the versions of each page that the disk may hold.
//
// The bytes live in one reservation of addresses that every simulated process sees: what the engine stores through its
// mapping is a plain store, at full speed. Addresses past the end of the file cannot be touched, as past the end of a
// real file's mapping.
//
// What the disk holds is another matter. Versions of pages are found by comparing: capture() compares each page that was
// written to since it last looked with what it last saw, and records those that changed. Between two flushes the disk
// may hold any recorded version of a page, beginning with the one at the start of the last completed flush.
//
// Invariants: for every page the history begins with the oldest version that the disk may hold and ends with the last
// captured one; a page without a history has one version, which lies in `captured_`. sizes_ likewise.
// Thread safety: none; the Machine's mutex. Capturing reads memory that the engine's threads write: they must stand
// still, or a captured version is a mixture. Ownership: shared by names, descriptions and mappings.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/types.h"
#include "os/os.h"
#include "os/sim/random.h"
#include "os/sim/write_watch.h"

namespace utan::os::sim {

inline constexpr std::size_t page_bytes = 4096;
inline constexpr std::size_t sector_bytes = 512;

// A point in the order of captures and size changes of one file.
using Moment = std::uint64_t;

class DiskFile {
 public:
  // `reservation` bounds the size of the file, and every mapping.
  DiskFile(FileStatus status, ByteCount reservation);
  DiskFile(const DiskFile&) = delete;
  DiskFile& operator=(const DiskFile&) = delete;
  ~DiskFile();

  std::byte* memory() const { return memory_; }
  ByteCount reservation() const { return reservation_; }
  FileStatus& status() { return status_; }
  std::span<std::byte> content() const { return {memory_, static_cast<std::size_t>(status_.size.value)}; }

  // Makes the file longer, with zeros. False: longer than the reservation. Does nothing if it is as long.
  [[nodiscard]] bool grow(ByteCount size);

  // Records what has changed since the last capture. Cost: one comparison of each page that was written since.
  void capture();

  // The three parts of a flush: the beginning captures; success forgets the versions before it.
  Moment flush_began();
  void flush_done(Moment began);
  // A flush that failed did not make durable what was dirty, and the kernel takes the pages for clean all the same: a
  // later flush leaves them out until they change again.
  void flush_failed();
  // How many have failed. Everyone who had the file open then is told of it, at his next flush (Linux: errseq).
  std::uint64_t flush_failure_count() const { return flush_failure_count_; }

  // How many versions of page `index` the disk may hold.
  std::size_t version_count(std::size_t index) const;

  // One of the states of the disk after a power cut, durable; `file` is new.
  void fill_after_crash(DiskFile& file, Random& random) const;
  // The state now, durable; `file` is new.
  void fill_as_is(DiskFile& file) const;
  // The state now with everything that the disk may hold instead; `file` is new.
  void fill_with_history(DiskFile& file) const;
  // Replaces the whole content, durably, also by a shorter one.
  void replace_content(std::span<const std::byte> bytes);

 private:
  using Page = std::array<std::byte, page_bytes>;
  struct Version {
    Moment since;
    std::unique_ptr<Page> page;
  };
  struct History {
    std::vector<Version> versions;
    // Versions up to this moment were dirty in a flush that failed; 0: none.
    Moment failed_at = 0;
  };
  struct SizeAt {
    Moment since;
    ByteCount size;
  };

  void make_durable();
  void capture_page(std::size_t at, Moment moment);
  void choose_page(const History& history, unsigned style, Random& random, std::span<std::byte> page) const;
  static std::size_t pages_of(ByteCount size) {
    return static_cast<std::size_t>((size.value + page_bytes - 1) / page_bytes);
  }

  FileStatus status_;
  const ByteCount reservation_;
  std::byte* memory_;
  std::optional<WriteWatch> watch_;
  std::size_t usable_ = 0;  // Bytes of the reservation that may be touched.
  Moment now_ = 1;
  std::vector<std::byte> captured_;  // The memory at the last capture, in whole pages.
  std::map<std::size_t, History> histories_;
  std::vector<SizeAt> sizes_;
  std::uint64_t flush_failure_count_ = 0;
};

}  // namespace utan::os::sim
