// Checksums that fit again what was changed under them, so that damage made on purpose comes as deep as that of a hostile
// hand would: of headers, checkpoint slots, coordination, and blocks of every kind, however wrong their counts are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "format/block.h"
#include "format/coordination.h"
#include "format/header.h"
#include "format/nodes.h"
#include "format/ordered.h"
#include "format/positional.h"
#include "format/sorted.h"
#include "support/damage_store.h"

namespace utan::damage {

// Mends a struct with a checksum of its own at `at`.
template <class T, class Sum>
void mend_at(Bytes& file, std::uint64_t at, Sum&& sum) {
  T all;
  std::memcpy(static_cast<void*>(&all), file.data() + at, sizeof all);
  all.checksum = sum(all);
  std::memcpy(file.data() + at, static_cast<const void*>(&all), sizeof all);
}

inline void mend_header(Bytes& data, std::uint64_t at) {
  mend_at<format::FileHeader>(data, at, format::header_checksum);
}
inline void mend_slot(Bytes& data, std::uint64_t at) {
  mend_at<format::CheckpointSlot>(data, at, format::slot_checksum);
}
inline void mend_coordination(Bytes& coordination) {
  mend_at<format::CoordinationHeader>(coordination, 0, format::coordination_checksum);
}

// How many bytes of a block its own counts say that it has; no more than there are.
inline std::uint64_t said_size(const std::byte* block, std::uint64_t size_max) {
  const auto* const header = reinterpret_cast<const format::BlockHeader*>(block);
  std::uint64_t said = 0;
  switch (header->kind) {
    case format::Kind::record:
      said = reinterpret_cast<const format::Record*>(block)->size();
      break;
    case format::Kind::value:
      said = reinterpret_cast<const format::ValueBlock*>(block)->used();
      break;
    case format::Kind::sorted: {
      const auto* const sorted = reinterpret_cast<const format::Sorted*>(block);
      const std::uint64_t count = sorted->count();
      const bool fits = count != 0 && format::Sorted::slots_end(count) <= size_max;
      said = fits ? sorted->slots()[count - 1].end() : 0;
      break;
    }
    case format::Kind::bucket:
      said = format::Bucket::size_for(reinterpret_cast<const format::Bucket*>(block)->count());
      break;
    case format::Kind::directory:
    case format::Kind::object_branch:
      said = format::Directory::size_for(header->aux);
      break;
    case format::Kind::object_leaf:
      said = format::ObjectLeaf::size_for(header->aux);
      break;
    case format::Kind::table_root:
      said = format::TableRoot::size_for(format::table_top_fanout);
      break;
    case format::Kind::list_leaf:
    case format::Kind::list_branch: {
      const format::ListAux aux{header->aux};
      said = format::list_node_size(aux.count(), aux.height());
      break;
    }
    default:
      said = size_max;
      break;
  }
  return std::clamp<std::uint64_t>(said, sizeof(format::BlockHeader), size_max);
}

// Of the block that is `block`, as far as its kind says how.
inline void mend_block(Bytes& data, const Span& block) {
  std::byte* const at = data.data() + block.from;
  auto* const header = reinterpret_cast<format::BlockHeader*>(at);
  const std::uint64_t size = said_size(at, block.size);
  std::uint32_t sum = format::checksum_header(*header);
  switch (header->kind) {
    case format::Kind::commit:
      if (block.size >= sizeof(format::CommitBlock))
        sum += format::checksum_words(at, format::commit_checksum_first_word, format::commit_checksum_words);
      break;
    case format::Kind::record:
    case format::Kind::value:
    case format::Kind::sorted:
    case format::Kind::extent:
      sum += format::checksum_payload(header + 1, size - sizeof(format::BlockHeader));
      break;
    case format::Kind::ordered_leaf:
    case format::Kind::ordered_branch: {
      const bool is_leaf = header->kind == format::Kind::ordered_leaf;
      const format::OrderedShape shape = is_leaf
                                             ? format::OrderedShape::of(reinterpret_cast<format::OrderedLeaf*>(at))
                                             : format::OrderedShape::of(reinterpret_cast<format::OrderedBranch*>(at));
      if (!shape.is_sound() || shape.size() > block.size) return;
      sum += format::ordered_content_checksum(header, shape);
      break;
    }
    case format::Kind::list:
    case format::Kind::waiting:
      break;
    default:
      sum += format::checksum_words(at, 2, size / 8 - 2);
      break;
  }
  header->checksum = sum;
}

}  // namespace utan::damage
