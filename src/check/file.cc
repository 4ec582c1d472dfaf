#include "check/file.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "check/walk.h"
#include "format/coordination.h"
#include "format/header.h"

namespace utan::check {

using format::CheckpointSlot;
using format::FileHeader;

namespace {

constexpr int tries_max = 3;

// The header, of which a file that is too short has less.
Result<FileHeader> read_header(os::File& file, ByteCount size) {
  FileHeader copies[2] = {};
  for (std::uint64_t i = 0; i < 2; ++i) {
    const Offset at = format::header_copy_offset(i);
    if (size.value <= at.value) continue;
    const std::uint64_t there = std::min<std::uint64_t>(sizeof copies[i], size.value - at.value);
    UTAN_TRY(file.read(at, std::as_writable_bytes(std::span(&copies[i], 1)).first(there)));
  }
  return format::choose_header(copies[0], copies[1], size);
}

// Where the walk begins: changed if somebody came and wrote.
std::vector<std::uint64_t> beginnings(const std::byte* data) {
  std::vector<std::uint64_t> out;
  for (std::uint64_t i = 0; i < 2; ++i) {
    FileHeader header;
    std::memcpy(&header, data + format::header_copy_offset(i).value, sizeof header);
    out.push_back(header.checksum);
  }
  for (const CheckpointSlot& slot : checkpoints_of(data, nullptr)) out.push_back(slot.number);
  return out;
}

Result<bool> is_in_use(os::File& file) {
  return file.others_hold_bytes(0, static_cast<std::uint32_t>(format::process_entry_count));
}

Result<Report> walk_mapped(os::File& file, std::byte* data, ByteCount size, const FileHeader& header,
                           const Progress& progress) {
  Walk walk(data, size, format::Coordination{}, header.hash_seed, progress);
  for (int i = 0;; ++i) {
    const std::vector<std::uint64_t> before = beginnings(data);
    UTAN_ASSIGN(const bool in_use, is_in_use(file));
    const std::vector<CheckpointSlot> slots = checkpoints_of(data, &header.store_id);
    Report report =
        in_use && !slots.empty() ? walk.run_commit(Offset{slots[0].offset}, CommitNumber{slots[0].number}) : walk.run();
    UTAN_ASSIGN(const bool in_use_now, is_in_use(file));
    if ((in_use == in_use_now && before == beginnings(data)) || i == tries_max) return report;
  }
}

Result<void> look_into(os::System& system, const std::string& path, const Progress& progress, FileReport& out) {
  UTAN_ASSIGN(const std::unique_ptr<os::File> file,
              system.open(path, os::Access::read_only, os::Creation::existing, 0));
  UTAN_ASSIGN(const os::FileStatus status, file->status());
  out.file_size = status.size;
  Result<FileHeader> header = read_header(*file, status.size);
  if (!header.ok()) return std::move(header).error().in(path);
  UTAN_ASSIGN(const std::unique_ptr<os::Mapping> map, file->map(status.size, os::Access::read_only));
  UTAN_ASSIGN(out.report, walk_mapped(*file, map->data(), status.size, *header, progress));
  if (out.report.number) return {};
  const std::string first = out.report.problems.empty() ? "there is nothing to walk" : out.report.problems.front();
  return Error(Code::corruption, path + ": " + first);
}

}  // namespace

FileReport check_file(os::System& system, const std::string& path, const Progress& progress) {
  FileReport out;
  Result<void> done = look_into(system, path, progress, out);
  if (done.ok()) return out;
  if (out.report.sound()) Findings(out.report).add(done.error().message());
  out.refused = std::move(done).error();
  return out;
}

}  // namespace utan::check
