// The walk of one commit: every block that it reaches, each by one way alone.
//
// First the object table is read, into a vector of containers; then each container by itself, so that nothing recurses but
// by the height of a tree, which is bounded. What containers name is noted as places in that vector, and counted at the end.
// A block is entered once: the work is bounded by the blocks of the file, whatever is in them. Every count is compared with
// the room of its block before it is used.
//
// A commit that is pinned may be walked while others write: of what they may change meanwhile, only bits and classes of
// its own blocks are read, which stay as they are (I4, I5 of docs/FORMAT.md).
// Thread safety: used by one thread. Complexity: O(blocks of the commit), and O(c log c) for c containers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"
#include "check/blocks.h"
#include "check/report.h"
#include "format/key.h"
#include "format/nodes.h"
#include "format/ordered.h"
#include "format/word.h"

namespace utan::check {

class CommitWalk {
 public:
  CommitWalk(const Blocks& blocks, std::uint64_t hash_seed, Findings& findings, const Progress& progress)
      : blocks_(&blocks),
        hash_seed_(hash_seed),
        findings_(&findings),
        progress_(progress),
        seen_(blocks.region_count()) {}

  // The commit whose block is at `offset`; `newest` is where what there is in it is counted, or null.
  void run(Offset offset, CommitNumber number, Report* newest);

  // The blocks of the commit that was walked last.
  const BlockSet& seen() const { return seen_; }

 private:
  using Bytes = std::span<const std::byte>;

  // A block that may be read.
  struct Found {
    const format::BlockHeader* header = nullptr;
    Offset offset;
    std::uint64_t room = 0;
    explicit operator bool() const { return header != nullptr; }
    template <class T>
    const T* as() const {
      return reinterpret_cast<const T*>(header);
    }
  };
  struct Container {
    std::uint64_t index = 0;
    std::uint64_t root = 0;
    std::uint32_t what = 0;
    std::uint32_t link_count = 0;
    std::uint64_t found_count = 0;  // how often it is named
    std::uint64_t links_begin = 0;  // what it names, in `links_`
    std::uint64_t links_end = 0;
    bool reached = false;

    format::ContainerType type() const { return format::ObjectEntry{root, what, link_count}.type(); }
    std::uint64_t generation() const { return format::ObjectEntry{root, what, link_count}.generation(); }
  };
  struct RecordFound {
    const format::Record* record = nullptr;
    format::EncodedKey key;
  };
  struct Table;
  struct TableKey {
    std::uint64_t hash;
    Offset offset;
    format::EncodedKey key;
  };
  struct Ordered;
  struct Sequence;
  struct Separator;
  struct Bounds;

  // --- Blocks (commit.cc)
  void problem(Offset offset, const std::string& text);
  // The block, if it is what it must be and no other way leads to it; `what` says it in words.
  Found follow(Offset offset, format::Kind kind, const char* what);
  bool check_node_sum(const Found& block, std::uint64_t words);
  bool check_payload_sum(const Found& block, std::uint64_t bytes);
  ByteCount& size_of(format::Kind kind);

  // --- Object table and links (commit.cc)
  void walk_objects(Offset offset, std::uint64_t depth, std::uint64_t first_index);
  void note_container(Offset leaf, std::uint64_t index, format::ObjectEntry entry);
  void walk_container(Container& container);
  void note_link(Offset from, format::ObjectId to);
  void compare_links();
  void reach_from(std::uint64_t container);
  void count_containers(Report& report);
  std::string name_of(const Container& container) const;

  // --- Values (values.cc)
  bool check_key(Offset offset, format::Tag tag, Bytes bytes, format::EncodedKey& out);
  void check_value(Offset offset, format::Tag tag, Bytes bytes);
  RecordFound walk_record(Offset offset);
  void walk_value_block(Offset offset, bool any_tag, format::Tag base);
  void walk_extents(Offset from, format::Tag tag, Offset offset, std::uint64_t size);
  void walk_word(Offset leaf, format::Word word);

  // --- Containers, each in its file
  void walk_sorted(Offset root);  // lists.cc
  std::uint64_t walk_list(Offset root);
  std::uint64_t walk_list_node(Offset offset, std::uint64_t height, bool is_first, bool is_last, bool is_top);
  void walk_table(Offset offset);
  void walk_directory(Offset offset, std::uint64_t height, std::uint64_t first_bucket, Table& table);
  void walk_bucket(Offset offset, std::uint64_t bucket, Table& table);
  void check_key_is_single(Offset bucket);
  void walk_ordered(Offset root);
  std::uint64_t walk_ordered_node(Offset offset, std::uint64_t height, bool is_top, const Bounds& bounds,
                                  Ordered& tree);
  std::uint64_t walk_ordered_leaf(const Found& block, const format::OrderedShape& shape, const Bounds& bounds,
                                  Ordered& tree);
  std::uint64_t walk_ordered_branch(const Found& block, const format::OrderedShape& shape, const Bounds& bounds,
                                    Ordered& tree);
  void check_ordered_key(const Found& leaf, const format::OrderedShape& shape, std::uint64_t index,
                         const Bounds& bounds, Ordered& tree);
  bool read_separator(const Found& block, const format::OrderedShape& shape, std::uint64_t index, Separator& out);

  const Blocks* blocks_;
  std::uint64_t hash_seed_;
  Findings* findings_;
  Progress progress_;
  bool stopped_ = false;  // nobody wants to know any more
  std::uint64_t number_ = 0;
  std::uint64_t object_index_high_ = 0;
  BlockSet seen_;
  std::vector<Container> containers_;   // by index
  std::vector<std::uint64_t> links_;    // places in `containers_`
  const Container* present_ = nullptr;  // the one that is walked; null: the object table
  bool lost_some_ = false;              // something could not be entered: links in it are missing
  std::uint64_t entry_count_ = 0;
  std::uint64_t element_count_ = 0;
  ByteCount record_size_;
  ByteCount value_size_;
  ByteCount node_size_;
  ByteCount commit_size_;
  format::KeyDecoder decoder_;
  std::vector<TableKey> bucket_keys_;
};

}  // namespace utan::check
