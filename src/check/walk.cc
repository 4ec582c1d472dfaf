#include "check/walk.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "check/blocks.h"
#include "check/commit.h"
#include "check/rest.h"
#include "format/nodes.h"

namespace utan::check {

using format::CheckpointSlot;
using format::CommitBlock;

namespace {

// Can the walk begin here?
bool is_commit(const Blocks& blocks, Offset offset, CommitNumber number) {
  const Place place = blocks.place_of(offset);
  if (!place || place.room < sizeof(CommitBlock)) return false;
  const auto* commit = blocks.at<CommitBlock>(offset);
  return commit->header.kind == format::Kind::commit && commit->header.birth == number.value &&
         commit->header.checksum ==
             format::checksum_header(commit->header) +
                 format::checksum_words(commit, format::commit_checksum_first_word, format::commit_checksum_words);
}

}  // namespace

std::vector<CheckpointSlot> checkpoints_of(const std::byte* data, const format::StoreId* store) {
  std::vector<CheckpointSlot> out;
  for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
    CheckpointSlot slot;
    std::memcpy(&slot, data + format::slot_offset(i).value, sizeof slot);
    if (format::valid_slot(slot, store == nullptr ? slot.store_id : *store)) out.push_back(slot);
  }
  std::sort(out.begin(), out.end(),
            [](const CheckpointSlot& a, const CheckpointSlot& b) { return a.number > b.number; });
  return out;
}

// --- Closed ------------------------------------------------------------------------------------------------------------

// Of a file that nobody has open: nobody pins, holds or waits.
void Walk::run_closed(Report& report) {
  Findings findings(report);
  const Blocks blocks(data_, size_);
  format::FileHeader copies[2];
  for (std::uint64_t i = 0; i < 2; ++i)
    std::memcpy(&copies[i], data_ + format::header_copy_offset(i).value, sizeof copies[i]);
  const Result<format::FileHeader> header = format::choose_header(copies[0], copies[1], size_);
  if (!header.ok()) findings.add(header.error().message());
  const std::vector<CheckpointSlot> slots = checkpoints_of(data_, header.ok() ? &header->store_id : nullptr);
  if (slots.empty()) findings.add("no checkpoint slot is whole: there is no commit to begin with");
  for (const CheckpointSlot& slot : slots) {
    const std::string name = "the checkpoint of commit " + std::to_string(slot.number);
    if (slot.file_size > size_.value) {
      findings.add("the file is truncated: it has " + std::to_string(size_.value) + " bytes, and " + name +
                   " was made when it had " + std::to_string(slot.file_size));
    }
    if (!is_commit(blocks, Offset{slot.offset}, CommitNumber{slot.number})) {
      findings.add(Offset{slot.offset}, name + ": its commit block is damaged");
      continue;
    }
    RestWalk rest(blocks, findings);
    rest.walk_segments();
    CommitWalk walk(blocks, hash_seed_, findings, progress_);
    walk.run(Offset{slot.offset}, CommitNumber{slot.number}, &report);
    rest.walk_bitmaps(walk.seen(), report);
    return;
  }
}

// --- At rest -----------------------------------------------------------------------------------------------------------

std::vector<Walk::Kept> Walk::pinned_commits(CommitNumber newest) const {
  std::vector<Kept> out;
  const auto add = [&](Offset block, std::uint64_t number) {
    if (number != format::pin_free && number != format::pin_open && number != newest.value)
      out.push_back({block, CommitNumber{number}});
  };
  const auto add_pin = [&](const format::PinSlot& pin) {
    add(Offset{pin.offset.load(std::memory_order_relaxed)}, pin.number.load(std::memory_order_relaxed));
  };
  const auto& fixed = coordination_.fixed();
  const std::uint64_t lines = std::min({fixed.line_high.load(std::memory_order_relaxed),
                                        fixed.line_count.load(std::memory_order_relaxed), format::line_count_max});
  for (std::uint64_t i = 0; i < lines; ++i) {
    const format::Line& line = coordination_.line(i);
    for (const auto& pin : line.pins) add_pin(pin);
    for (const auto& extra : line.extra_pins) {
      for (const auto& pin : extra.pins) add_pin(pin);
    }
  }
  const std::uint64_t durable = fixed.durable_number.load(std::memory_order_relaxed);
  for (const CheckpointSlot& slot : checkpoints_of(data_, &fixed.header.store_id)) {
    if (slot.number == durable) add(Offset{slot.offset}, slot.number);
  }
  const auto key = [](const Kept& kept) { return std::pair(kept.number, kept.block); };
  std::sort(out.begin(), out.end(), [&](const Kept& a, const Kept& b) { return key(a) < key(b); });
  out.erase(std::unique(out.begin(), out.end(), [&](const Kept& a, const Kept& b) { return key(a) == key(b); }),
            out.end());
  return out;
}

void Walk::run_with_coordination(Report& report) {
  Findings findings(report);
  const Blocks blocks(data_, size_);
  const format::HeadWord head{coordination_.fixed().head.load(std::memory_order_relaxed)};
  const Place place = blocks.place_of(head.block());
  if (!place || place.room < sizeof(CommitBlock)) {
    findings.add(head.block(), "head: no commit block is there");
    return;
  }
  const CommitNumber number{blocks.at<CommitBlock>(head.block())->header.birth};
  if (!head.matches(number.value)) findings.add(head.block(), "head: has another commit's number");
  RestWalk rest(blocks, findings);
  rest.walk_segments();
  CommitWalk walk(blocks, hash_seed_, findings, progress_);
  walk.run(head.block(), number, &report);
  rest.walk_lines(coordination_);
  rest.compare_with_head(walk.seen(), head.block());
  BlockSet reachable(blocks.region_count());
  reachable.add_all(walk.seen());
  std::vector<Kept> kept = pinned_commits(number);
  const bool all = kept.size() <= kept_count_max;
  if (!all) kept.resize(kept_count_max);
  for (const Kept& commit : kept) {
    walk.run(commit.block, commit.number, nullptr);
    reachable.add_all(walk.seen());
  }
  rest.walk_bitmaps(reachable, report);
  if (!all) {
    report.whole = false;
    report.leaked_count = 0;
    report.leaked_size = ByteCount{};
  }
}

Report Walk::run() {
  Report report;
  if (size_.value < format::regions_offset) {
    Findings(report).add("the file ends at " + std::to_string(size_.value) + " bytes, inside its description");
  } else if (coordination_) {
    run_with_coordination(report);
  } else {
    run_closed(report);
  }
  return report;
}

// --- One commit --------------------------------------------------------------------------------------------------------

Report Walk::run_commit(Offset block, CommitNumber number) {
  Report report;
  Findings findings(report);
  const Blocks blocks(data_, size_);
  CommitWalk walk(blocks, hash_seed_, findings, progress_);
  walk.run(block, number, &report);
  report.reachable_count = walk.seen().count();
  return report;
}

}  // namespace utan::check
