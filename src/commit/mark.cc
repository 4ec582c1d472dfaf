// The data file's header: reading it, writing its other copy, its settings, and marking the store as being written to.
#include <atomic>
#include <cstring>
#include <string>

#include "base/step.h"
#include "commit/session.h"
#include "commit/thread.h"  // Session owns Threads

namespace utan::commit {

using format::CheckpointSlot;
using format::FileHeader;
using format::Marked;

Result<FileHeader> Session::read_header() const {
  FileHeader copies[2];
  for (std::uint64_t i = 0; i < 2; ++i) {
    std::memcpy(&copies[i], data_map_->data() + format::header_copy_offset(i).value, sizeof copies[i]);
  }
  return format::choose_header(copies[0], copies[1], heap_.file_size());
}

// Writes the copy that does not count, word by word: others may be writing the very same at this moment. The copy that
// counts is durable: this one may come to the disk in parts.
Result<void> Session::write_header(const FileHeader& header) {
  FileHeader now = header;
  ++now.sequence;
  now.checksum = format::header_checksum(now);
  auto* words = reinterpret_cast<std::uint64_t*>(data_map_->data() + format::header_copy_offset(now.sequence).value);
  static_assert(sizeof now % 8 == 0);
  std::uint64_t values[sizeof now / 8];
  std::memcpy(values, &now, sizeof now);
  for (std::size_t i = 0; i < std::size(values); ++i) {
    if (i == std::size(values) / 2) step(Step::header_half_written);
    std::atomic_ref<std::uint64_t>(words[i]).store(values[i], std::memory_order_relaxed);
  }
  return flush();
}

// Makes the next flush write this page of the header or of a slot, whose last word means nothing: after a failed flush
// the kernel takes a page that never reached the disk for clean.
void Session::touch_page(Offset page) {
  auto* last = reinterpret_cast<std::uint64_t*>(data_map_->data() + page.value + format::page_size) - 1;
  std::atomic_ref<std::uint64_t>(*last).fetch_add(1, std::memory_order_relaxed);  // relaxed: nobody reads it
}

void Session::touch_newest_slot() {
  const std::uint64_t durable = coordination_.fixed().durable_number.load(std::memory_order_seq_cst);
  for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
    auto* slot = reinterpret_cast<CheckpointSlot*>(data_map_->data() + format::slot_offset(i).value);
    const std::atomic_ref<std::uint64_t> number(slot->number);
    if (number.load(std::memory_order_relaxed) == durable) touch_page(format::slot_offset(i));
  }
}

Result<void> Session::mark() {
  auto& fixed = coordination_.fixed();
  if (read_only_) return Error(Code::read_only, path_ + ": the store was opened read only: open it to be written");
  if (fixed.health.load(std::memory_order_acquire) != 0) return flush_has_failed();
  UTAN_ASSIGN(FileHeader header, read_header());
  // What this session stands on may be in the page cache alone, left by somebody who died before his flush or whose
  // flush failed: it is made durable before anything is changed that only it does not need. For the checkpoint that is
  // all that it replaced, for the header the other copy.
  touch_newest_slot();
  touch_page(format::header_copy_offset(header.sequence));
  UTAN_TRY(flush());
  if (header.incarnation != fixed.header.incarnation || header.clean != 0) {
    header.incarnation = fixed.header.incarnation;
    header.clean = 0;
    header.clean_number = 0;
    header.trusted_from = fixed.header.trusted_from;
    header.number_floor = fixed.header.number_floor;
    UTAN_TRY(write_header(header));
  }
  // Its name as well: whoever created it may not have come to that yet.
  UTAN_TRY(system_->flush_folder_of(path_));
  step(Step::attach_marked);
  fixed.marked.store(static_cast<std::uint64_t>(Marked::yes), std::memory_order_release);
  return {};
}

Result<void> check_options(const std::string& path, const OpenOptions& options) {
  if (options.chunk_size != 0 &&
      (options.chunk_size < format::chunk_size_min || options.chunk_size > format::chunk_size_max)) {
    return Error(Code::invalid,
                 path + ": chunk_size must be 64 KiB to 1 GiB, not " + std::to_string(options.chunk_size));
  }
  return {};
}

// In force at once, and in the header from the next clean close on, when nobody else writes it: while others do, all must write the
// same bytes, or one who was overtaken spoils the copy that counts.
Result<void> Session::apply_settings(const OpenOptions& options) {
  auto& chunk_size = coordination_.fixed().chunk_size;
  if (options.chunk_size == 0 || read_only_ || options.chunk_size == chunk_size.load(std::memory_order_relaxed))
    return {};
  // What is only marked is closed.
  UTAN_TRY(prepare_writing());
  chunk_size.store(options.chunk_size, std::memory_order_relaxed);
  return {};
}

}  // namespace utan::commit
