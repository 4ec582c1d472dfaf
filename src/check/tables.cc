// Tables: linear hashing over a directory of blocks.
#include <algorithm>
#include <bit>

#include "check/commit.h"

namespace utan::check {

using format::Kind;

struct CommitWalk::Table {
  std::uint64_t bucket_count = 0;
  std::uint64_t record_count = 0;
};

namespace {

// Buckets below a directory of this height.
std::uint64_t span_of(std::uint64_t height) {
  std::uint64_t span = 1;
  for (std::uint64_t i = 0; i < height; ++i) span *= format::directory_fanout;
  return span;
}

std::uint64_t bucket_of(std::uint64_t hash, std::uint64_t bucket_count) {
  const std::uint64_t mask = std::bit_ceil(bucket_count) - 1;
  return (hash & mask) < bucket_count ? hash & mask : hash & (mask >> 1);
}

}  // namespace

void CommitWalk::walk_table(Offset offset) {
  const Found block = follow(offset, Kind::table_root, "root of a table");
  if (!block) return;
  const auto* root = block.as<format::TableRoot>();
  const std::uint64_t depth = root->depth();
  Table table;
  table.bucket_count = root->bucket_count;
  // Each bucket has its offset somewhere.
  if (depth > format::table_depth_max || table.bucket_count == 0 ||
      table.bucket_count > blocks_->size().value / sizeof(std::uint64_t)) {
    problem(offset, "a table cannot have " + std::to_string(table.bucket_count) + " buckets below " +
                        std::to_string(depth) + " levels of directories");
    lost_some_ = true;
    return;
  }
  const std::uint64_t span = span_of(depth);
  const std::uint64_t top = (table.bucket_count + span - 1) / span;
  if (top > format::table_top_fanout) {
    problem(offset, "the root of a table cannot have " + std::to_string(top) + " entries");
    lost_some_ = true;
    return;
  }
  if (!check_node_sum(block, 4 + top)) return;
  for (std::uint64_t i = 0; i < top; ++i) walk_directory(Offset{root->entries()[i]}, depth, i * span, table);
  if (table.record_count != root->record_count) {
    problem(offset, "a table says that it has " + std::to_string(root->record_count) + " records, and has " +
                        std::to_string(table.record_count));
  }
}

void CommitWalk::walk_directory(Offset offset, std::uint64_t height, std::uint64_t first_bucket, Table& table) {
  if (height == 0) {
    if (offset) walk_bucket(offset, first_bucket, table);
    return;
  }
  const Found block = follow(offset, Kind::directory, "directory");
  if (!block) return;
  const auto* directory = block.as<format::Directory>();
  const std::uint64_t count = directory->count();
  const std::uint64_t span = span_of(height - 1);
  const std::uint64_t wanted =
      std::min(format::directory_fanout, (table.bucket_count - first_bucket + span - 1) / span);
  if (count != wanted) {
    problem(offset, "a directory has " + std::to_string(count) + " entries, and must have " + std::to_string(wanted));
    lost_some_ = true;
    return;
  }
  if (!check_node_sum(block, 2 + count)) return;
  for (std::uint64_t i = 0; i < count; ++i)
    walk_directory(Offset{directory->entries()[i]}, height - 1, first_bucket + i * span, table);
}

void CommitWalk::walk_bucket(Offset offset, std::uint64_t bucket, Table& table) {
  const Found block = follow(offset, Kind::bucket, "bucket");
  if (!block) return;
  const auto* slots = block.as<format::Bucket>();
  const std::uint64_t count = slots->count();
  const std::uint64_t base_level = slots->base_level();
  if (count == 0) problem(offset, "a bucket has no entries");
  if (!check_node_sum(block, 2 + count)) return;
  bucket_keys_.clear();
  for (std::uint64_t i = 0; i < count; ++i) {
    const format::BucketEntry entry{slots->entries()[i]};
    const RecordFound found = walk_record(entry.record());
    ++table.record_count;
    if (found.record == nullptr) continue;
    const std::uint64_t hash = format::hash_key(found.key.order.data(), found.key.order.size(), hash_seed_);
    if (bucket_of(hash, table.bucket_count) != bucket) {
      problem(entry.record(), "a record is in bucket " + std::to_string(bucket) + ", and its key belongs in " +
                                  std::to_string(bucket_of(hash, table.bucket_count)));
    }
    if (((hash >> base_level) & format::BucketEntry::tag_mask) != entry.tag())
      problem(offset, "entry " + std::to_string(i) + " of a bucket has another hash than its record's key");
    bucket_keys_.push_back({hash, entry.record(), found.key});
  }
  check_key_is_single(offset);
}

// The same keys have the same hash.
void CommitWalk::check_key_is_single(Offset bucket) {
  std::sort(bucket_keys_.begin(), bucket_keys_.end(), [](const TableKey& a, const TableKey& b) {
    return a.hash != b.hash ? a.hash < b.hash : format::compare_keys(a.key, b.key) < 0;
  });
  for (std::size_t i = 1; i < bucket_keys_.size(); ++i) {
    const TableKey& a = bucket_keys_[i - 1];
    const TableKey& b = bucket_keys_[i];
    if (a.hash != b.hash || format::compare_keys(a.key, b.key) != 0) continue;
    problem(bucket, "a key is in a bucket twice, in the records at " + std::to_string(a.offset.value) + " and " +
                        std::to_string(b.offset.value));
  }
}

}  // namespace utan::check
