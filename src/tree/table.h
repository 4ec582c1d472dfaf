// The table: linear hashing over a copy-on-write directory.
//
// Litwin, "Linear hashing: a new tool for file and table addressing" (VLDB 1980): the table grows by one bucket
// whenever it holds more than `table_load` records per bucket; that bucket takes its half of the one bucket that is
// due. Departures: buckets are blocks as long as their slots need (no overflow chains), reached through a radix
// directory, and every change copies the path. A slot carries 19 bits of the hash, from which a split is decided
// without reading the records, but once per eight doublings.
//
// A read touches the directory, the bucket and the record. The hash is keyed by the store's seed.
// Complexity: find, insert, erase O(1) expected; the directory has ceil(log62(n / (60 * table_load))) levels.
// Thread safety: reading by anyone under a pin; writing within one Build.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "base/types.h"
#include "format/key.h"
#include "format/nodes.h"
#include "heap/build.h"
#include "heap/view.h"
#include "tree/object_table.h"

namespace utan::tree {

// Records per bucket at which the table grows; it shrinks below half of that.
inline constexpr std::uint64_t table_load = 10;

struct Key {
  std::span<const std::byte> bytes;  // what is hashed: EncodedKey::order
  format::Tag tag = format::Tag::bytes;
  std::uint64_t hash = 0;
  format::KeyClass key_class = format::KeyClass::bytes;
};

// The way from a table's root to a bucket: which entry of the node at each height, the root's last. By repeated division
// by a constant, which costs a multiplication.
struct Way {
  std::array<std::uint64_t, format::table_depth_max + 1> index;
  [[gnu::always_inline]] void lead_to(std::uint64_t bucket, std::uint64_t depth) {
    std::uint64_t rest = bucket;
    for (std::uint64_t height = 0; height < depth; ++height) {
      index[height] = rest % format::directory_fanout;
      rest /= format::directory_fanout;
    }
    index[depth] = rest;
  }
};

// Where a key is, or would be. Pointers are valid while the commit is pinned.
struct FoundRecord {
  Status status = Status::missing;
  const format::Record* record = nullptr;
  Offset offset;             // of the record
  std::uint64_t hash = 0;    // of the key
  std::uint64_t bucket = 0;  // index of the bucket
  std::uint64_t slot = 0;    // of the record in it
  Way way;                   // to the bucket
  Offset damaged;            // where, if damaged
  format::Kind expected = format::Kind::record;

  FoundRecord() {}  // NOLINT(modernize-use-equals-default): leaves `way` as it is
};

// What a short way found: `unusual` is for the long way to say.
enum class Quick : std::uint8_t { found, missing, unusual };

FoundRecord find_record(const heap::View& view, Offset root, const Key& key);

// An empty table.
Result<Offset> make_table(heap::Build& build);

// Drops a table without records.
Result<void> drop_empty_table(heap::Build& build, Offset root);

// Each takes what find_record answered in the same build's view, and answers the table's new root.
Result<Offset> insert_record(heap::Build& build, Offset root, std::uint64_t hash_seed, const FoundRecord& where,
                             Offset record);
Result<Offset> replace_record(heap::Build& build, Offset root, const FoundRecord& where, Offset record);
Result<Offset> erase_record(heap::Build& build, Offset root, std::uint64_t hash_seed, const FoundRecord& where);

Result<Count> record_count(const heap::View& view, Offset root);

// Goes over all records of one commit, bucket by bucket.
class TableWalk {
 public:
  TableWalk(const heap::View& view, Offset root) : view_(view), root_(root) {}
  // The next record, null at the end.
  Result<const format::Record*> next();

 private:
  Result<const format::Bucket*> next_bucket();
  void look_ahead();

  heap::View view_;
  Offset root_;
  std::uint64_t bucket_ = 0;  // index of the next bucket
  const format::Bucket* current_ = nullptr;
  const format::Bucket* upcoming_ = nullptr;  // the one after it
  std::uint64_t slot_ = 0;
  std::uint64_t walked_size_ = 0;  // bytes of the records so far
};

}  // namespace utan::tree
