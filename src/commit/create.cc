#include "commit/create.h"

#include <cstring>
#include <memory>
#include <utility>

#include "commit/place.h"
#include "commit/thread.h"  // Session owns Threads
#include "format/coordination.h"
#include "format/header.h"
#include "format/layout.h"
#include "format/nodes.h"

namespace utan::commit {

using format::CheckpointSlot;
using format::CommitBlock;
using format::FileHeader;

namespace {

Result<void> fill_new(os::System& system, os::File& file, std::uint64_t chunk_size, const std::uint64_t (&random)[5]) {
  UTAN_TRY(file.allocate(ByteCount{format::file_size_min}));
  FileHeader header{};
  std::memcpy(header.magic, format::magic, sizeof header.magic);
  header.version = format::format_version;
  header.clean = 1;
  header.clean_number = 1;
  header.store_id = {{random[0], random[1]}};
  header.incarnation = random[2];
  header.hash_seed = random[3];
  header.trusted_from = 0;
  header.chunk_size = chunk_size != 0 ? chunk_size : format::chunk_size_default;
  header.durability = static_cast<std::uint32_t>(format::Durability::manual);
  header.interval_ms = 100;
  header.created_ns = system.wall_now().value;
  // Commit 1: the empty store, in the first block of a segment of commit blocks.
  const SegmentIndex segment{format::region_metadata_segments};
  CommitBlock commit{};
  commit.header.birth = 1;
  commit.header.kind = format::Kind::commit;
  commit.header.size_class = format::class_commit;
  commit.header.checksum =
      format::checksum_header(commit.header) +
      format::checksum_words(&commit, format::commit_checksum_first_word, format::commit_checksum_words);
  const std::uint64_t bits = 1;
  const std::uint64_t class_word = format::ClassWord{}.changed_to(format::class_commit, 0).word;
  CheckpointSlot slot{};
  std::memcpy(slot.magic, format::magic, sizeof slot.magic);
  slot.store_id = header.store_id;
  slot.number = 1;
  slot.offset = format::segment_start(segment).value;
  slot.file_size = format::file_size_min;
  slot.incarnation = header.incarnation;
  slot.time_ns = header.created_ns;
  slot.checksum = format::slot_checksum(slot);
  const auto write = [&file](Offset at, const auto& object) {
    return file.write(at, std::as_bytes(std::span(&object, 1)));
  };
  UTAN_TRY(write(Offset{slot.offset}, commit));
  UTAN_TRY(write(format::bitmap_offset(segment), bits));
  UTAN_TRY(write(format::descriptor_offset(segment), class_word));
  UTAN_TRY(write(format::slot_offset(0), slot));
  for (header.sequence = 0; header.sequence < 2; ++header.sequence) {
    header.checksum = format::header_checksum(header);
    UTAN_TRY(write(format::header_copy_offset(header.sequence), header));
  }
  return file.flush();
}

}  // namespace

Result<bool> still_there(os::System& system, const std::string& path, os::FileIdentity identity) {
  Result<os::FileStatus> status = system.status(path);
  if (status.code() == Code::not_found) return false;
  if (!status.ok()) return std::move(status).error();
  return status->identity == identity;
}

Result<bool> remove_store(os::System& system, const std::string& path, bool any_file_system) {
  Result<std::unique_ptr<os::File>> old = system.open(path, os::Access::read_write, os::Creation::existing, 0);
  if (!old.ok()) {
    if (old.code() == Code::not_found) return true;
    return cannot_replace(std::move(old).error(), path);
  }
  UTAN_TRY(expect_local(system, *old.value(), path, any_file_system));
  UTAN_ASSIGN(const bool alone, old.value()->try_lock(os::LockMode::exclusive));
  bool others = !alone;
  if (alone) {
    UTAN_ASSIGN(others, old.value()->others_hold_bytes(0, format::process_entry_count));
  }
  if (others)
    return Error(
        Code::in_use,
        path + ": other processes have it open: it cannot be replaced by a new store before they have closed it");
  FileHeader header{};
  UTAN_ASSIGN(const os::FileStatus status, old.value()->status());
  // Under the lock: whoever else wants to replace it needs this lock, too.
  UTAN_ASSIGN(const bool same, still_there(system, path, status.identity));
  if (!same) return false;
  if (status.size.value >= sizeof header) {
    UTAN_TRY(old.value()->read(Offset{0}, bytes_of(header)));
    if (std::memcmp(header.magic, format::magic, sizeof format::magic) != 0) {
      return Error(Code::format,
                   path + ": this is not a Utan store: it is not overwritten; remove it first, or take another name");
    }
  } else if (status.size.value != 0) {
    return Error(Code::format,
                 path + ": this is not a Utan store: it is not overwritten; remove it first, or take another name");
  }
  if (Result<void> removed = system.remove(path); !removed.ok())
    return cannot_replace(std::move(removed).error(), path);
  return true;
}

Result<void> create_store(os::System& system, const std::string& path, const OpenOptions& options) {
  std::uint64_t random[5];
  UTAN_TRY(system.random(bytes_of(random)));
  const std::string temporary = path + ".new-" + std::to_string(random[4]);
  Result<std::unique_ptr<os::File>> file =
      system.open(temporary, os::Access::read_write, os::Creation::create_new, options.permissions);
  if (!file.ok()) return cannot_create(std::move(file).error(), path);
  Result<void> filled = expect_local(system, **file, path, options.any_file_system);
  if (filled.ok()) filled = fill_new(system, **file, options.chunk_size, random);
  if (filled.ok()) filled = system.rename_new(temporary, path);
  if (!filled.ok()) {
    static_cast<void>(system.remove(temporary));
    if (filled.code() == Code::exists) return {};  // somebody else was faster
    return filled;
  }
  return system.flush_folder_of(path);
}

}  // namespace utan::commit
