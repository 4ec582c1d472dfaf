#include "tree/sorted.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace utan::tree {

using format::BlockHeader;
using format::EncodedKey;
using format::Kind;
using format::Sorted;
using format::SortedSlot;
using format::Tag;
using heap::Build;
using heap::Made;
using heap::View;

namespace {

// How many slots are compared before the first match is looked at.
constexpr std::uint64_t slots_at_once = 64;
// Slots are compared in groups of so many, also behind the last one. That far they are inside any sound block, since no
// item takes less than its slot and a byte, and no block less than 32.
constexpr std::uint64_t slot_group = 4;
constexpr std::uint64_t slots_compared(std::uint64_t count) {
  return (count + slot_group - 1) / slot_group * slot_group;
}

static_assert([] {
  for (std::uint64_t count = 1; count <= format::sorted_count_max; ++count) {
    const ByteCount size{sizeof(Sorted) + count * format::sorted_item_size(0, 0)};
    if (Sorted::slots_end(slots_compared(count)) > format::size_classes[format::class_for(size)].block_size)
      return false;
  }
  return true;
}());

using Block = SortedBlock;

[[gnu::always_inline]] inline Block follow_block(const View& view, Offset root) {
  Block block;
  const auto* at = view.follow<Sorted>(root, Kind::sorted);
  if (at == nullptr) [[unlikely]]
    return block;
  block.count = at->count();
  block.room = ByteCount{std::min(format::sorted_size_max, view.size().value - root.value)};
  if (block.count - 1 >= format::sorted_count_max || Sorted::slots_end(slots_compared(block.count)) > block.room.value)
      [[unlikely]]
    return block;
  block.at = at;
  return block;
}

// The bytes in use, which are whole inside the block.
Result<ByteCount> used_of(const View& view, Offset root, const Block& block) {
  if (block.at == nullptr) return view.damage(root, Kind::sorted);
  const std::uint64_t used = block.start(block.count);
  if (used < block.slots_end() || used > block.room.value) return view.damage(root, Kind::sorted);
  return ByteCount{used};
}

// Are `size` bytes the same? Names of fields mostly are of 4 to 16, which two words that overlap cover.
[[gnu::always_inline]] inline bool is_same(const std::byte* a, const std::byte* b, std::size_t size) {
  if (size - 8 <= 8) {
    std::uint64_t x[2];
    std::uint64_t y[2];
    std::memcpy(&x[0], a, 8);
    std::memcpy(&y[0], b, 8);
    std::memcpy(&x[1], a + size - 8, 8);
    std::memcpy(&y[1], b + size - 8, 8);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
  }
  if (size - 4 < 4) {
    std::uint32_t x[2];
    std::uint32_t y[2];
    std::memcpy(&x[0], a, 4);
    std::memcpy(&y[0], b, 4);
    std::memcpy(&x[1], a + size - 4, 4);
    std::memcpy(&y[1], b + size - 4, 4);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
  }
  return size == 0 || std::memcmp(a, b, size) == 0;
}

// Copies them, mostly names of fields and numbers.
[[gnu::always_inline]] inline void copy_few(std::byte* to, const std::byte* from, std::size_t size) {
  if (size - 8 <= 8) {
    std::uint64_t words[2];
    std::memcpy(&words[0], from, 8);
    std::memcpy(&words[1], from + size - 8, 8);
    std::memcpy(to, &words[0], 8);
    std::memcpy(to + size - 8, &words[1], 8);
  } else if (size - 4 < 4) {
    std::uint32_t words[2];
    std::memcpy(&words[0], from, 4);
    std::memcpy(&words[1], from + size - 4, 4);
    std::memcpy(to, &words[0], 4);
    std::memcpy(to + size - 4, &words[1], 4);
  } else if (size != 0) {
    std::memcpy(to, from, size);
  }
}

// How `key` compares with the key of `item`. False: that one is damaged.
bool compare(const EncodedKey& key, const SortedItem& item, int& order) {
  if (key.tag == Tag::string && item.key_tag == Tag::string) {
    order = format::compare_keys(key, {Tag::string, key.key_class, item.key, item.key});
    return true;
  }
  const Result<EncodedKey> stored = format::stored_key(item.key_tag, item.key);
  if (!stored.ok()) return false;
  order = format::compare_keys(key, stored.value());
  return true;
}

// Which of `count` slots are as `wanted` where `mask` has ones, a bit each. Without branches: where a match is cannot be
// predicted.
[[gnu::always_inline]] inline std::uint64_t match_slots(const SortedSlot* slots, std::uint64_t count, SortedSlot mask,
                                                        SortedSlot wanted) {
  std::uint64_t matches = 0;
#if defined(__SSE2__)
  const __m128i masks = _mm_set1_epi32(static_cast<int>(mask.word));
  const __m128i words = _mm_set1_epi32(static_cast<int>(wanted.word));
  for (std::uint64_t i = 0; i < count; i += slot_group) {
    const __m128i group = _mm_and_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(slots + i)), masks);
    const int bits = _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(group, words)));
    matches |= static_cast<std::uint64_t>(bits) << i;
  }
  return matches & (~std::uint64_t{0} >> (slots_at_once - count));
#else
  for (std::uint64_t i = 0; i < count; ++i) matches |= std::uint64_t{(slots[i].word & mask.word) == wanted.word} << i;
  return matches;
#endif
}

// By its hash. Damaged: where is not said.
[[gnu::always_inline]] inline void look_up(const Block& block, const EncodedKey& key, FoundSorted& out) {
  const std::size_t size = key.bytes.size();
  if (key.order.size() > format::sorted_key_size_max) return;
  const std::uint64_t hash = format::sorted_hash(key.order);
  // A string is spelled in one way alone. Of others the tag may be another one, and the size with it.
  const bool is_string = key.tag == Tag::string;
  const SortedSlot wanted =
      is_string ? SortedSlot::make(0, Tag::string, size, hash) : SortedSlot::make(0, Tag::null, 0, hash);
  const SortedSlot mask = is_string ? SortedSlot{~SortedSlot::end_mask} : SortedSlot::make(0, Tag::null, 0, 255);
  const SortedSlot* slots = block.at->slots();
  for (std::uint64_t from = 0; from < block.count; from += slots_at_once) {
    const std::uint64_t here = std::min(block.count - from, slots_at_once);
    for (std::uint64_t matches = match_slots(slots + from, here, mask, wanted); matches != 0; matches &= matches - 1) {
      const std::uint64_t index = from + static_cast<std::uint64_t>(std::countr_zero(matches));
      int order = 0;
      if (!block.read(index, out.item) || (!is_string && !compare(key, out.item, order))) [[unlikely]] {
        out.status = Status::damaged;
        return;
      }
      if (is_string && (out.item.key.size() != size || !is_same(out.item.key.data(), key.bytes.data(), size))) continue;
      if (order != 0) continue;
      out.status = Status::found;
      out.index = index;
      return;
    }
  }
}

// By halving.
void find_ordered(const Block& block, const EncodedKey& key, FoundSorted& out) {
  std::uint64_t low = 0;
  std::uint64_t high = block.count;
  while (low < high) {
    const std::uint64_t middle = (low + high) / 2;
    SortedItem item;
    int order;
    if (!block.read(middle, item) || !compare(key, item, order)) {
      out.status = Status::damaged;
      return;
    }
    if (order == 0) {
      out.status = Status::found;
      out.index = middle;
      out.item = item;
      return;
    }
    if (order < 0) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  out.status = Status::missing;
  out.index = low;
}

// Writes items one after another into a block that is not in the file yet.
class Image {
 public:
  // Of a block with `count` items.
  explicit Image(std::uint64_t count) : count_(count), size_(Sorted::slots_end(count)) {}

  ByteCount size() const { return ByteCount{size_}; }
  bool is_empty() const { return slot_count_ == 0; }

  void add(const SortedItem& item, std::uint64_t hash) {
    DCHECK(size_ + format::sorted_item_size(item.key.size(), item.value.size()) - sizeof(SortedSlot) <= bytes_.size());
    bytes_[size_++] = static_cast<std::byte>(item.value_tag);
    add_bytes(item.key);
    add_bytes(item.value);
    add_slot(SortedSlot::make(size_, item.key_tag, item.key.size(), hash));
  }
  // Items [first, end) of a block, as they lie there, from byte `start` to byte `stop`.
  void add(const Block& block, std::uint64_t first, std::uint64_t end, std::uint64_t start, std::uint64_t stop) {
    const std::uint64_t moved = size_ - start;  // modulo 2^64
    add_bytes({reinterpret_cast<const std::byte*>(block.at) + start, stop - start});
    for (std::uint64_t i = first; i < end; ++i) {
      const SortedSlot slot = block.at->slots()[i];
      add_slot(slot.with_end(slot.end() + moved));
    }
  }

  // Puts what was added into a block of the build.
  void write(Sorted* block) const {
    std::memcpy(block->slots(), bytes_.data() + sizeof(BlockHeader), size_ - sizeof(BlockHeader));
    BlockHeader& header = block->header;
    header.aux = static_cast<std::uint16_t>(count_);
    header.checksum =
        format::checksum_header(header) + format::checksum_payload(block->slots(), size_ - sizeof(BlockHeader));
  }

 private:
  void add_bytes(std::span<const std::byte> bytes) {
    copy_few(bytes_.data() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void add_slot(SortedSlot slot) {
    std::memcpy(bytes_.data() + Sorted::slots_end(slot_count_), &slot, sizeof slot);
    ++slot_count_;
  }

  std::uint64_t count_;
  std::uint64_t slot_count_ = 0;
  std::uint64_t size_;
  std::array<std::byte, format::sorted_size_max> bytes_;  // the header's place is left out
};

Error too_large() { return Error(Code::too_large, "it does not fit into a sorted block"); }

bool is_small(const SortedItem& item) {
  return item.key.size() <= format::sorted_key_size_max && item.value.size() <= format::sorted_value_size_max;
}

// The block with `item`, whose key has this hash, at `index`, in the place of `removed_count` items (0 or 1); `item` null:
// with nothing there.
Result<Offset> rewrite(Build& build, Offset root, std::uint64_t index, std::uint64_t removed_count,
                       const SortedItem* item, std::uint64_t hash) {
  const Block block = follow_block(build.view(), root);
  UTAN_ASSIGN(const ByteCount used, used_of(build.view(), root, block));
  if (index + removed_count > block.count) return build.view().damage(root, Kind::sorted);
  // Where what stays on either side ends and begins.
  const std::uint64_t stop = block.start(index);
  const std::uint64_t start = block.start(index + removed_count);
  if (stop < block.slots_end() || start < stop || start > used.value) return build.view().damage(root, Kind::sorted);
  const std::uint64_t count = block.count - removed_count + (item == nullptr ? 0 : 1);
  if (count == 0) {
    build.drop(root, &block.at->header);
    return Offset{};
  }
  const std::uint64_t removed_size = start - stop + removed_count * sizeof(SortedSlot);
  const std::uint64_t added_size = item == nullptr ? 0 : format::sorted_item_size(item->key.size(), item->value.size());
  if (used.value - removed_size + added_size > format::sorted_size_max) return too_large();
  Image image(count);
  image.add(block, 0, index, block.slots_end(), stop);
  if (item != nullptr) image.add(*item, hash);
  image.add(block, index + removed_count, block.count, start, used.value);
  // Only the header comes from the old block, or is that of the old block, if this build has made it and there is room.
  UTAN_ASSIGN(const Made<Sorted> made, build.edit(block.at, root, ByteCount{sizeof(Sorted)}, image.size()));
  image.write(made.at);
  return made.offset;
}

}  // namespace

FoundSorted look_up_sorted(const View& view, Offset root, const EncodedKey& key) {
  FoundSorted out;
  if (!root) return out;
  const Block block = follow_block(view, root);
  if (block.at == nullptr) [[unlikely]] {
    out.status = Status::damaged;
  } else {
    look_up(block, key, out);
  }
  if (out.status == Status::damaged) [[unlikely]]
    out.damaged = root;
  return out;
}

FoundSorted find_sorted(const View& view, Offset root, const EncodedKey& key) {
  FoundSorted out = look_up_sorted(view, root, key);
  if (out.status != Status::missing || !root) return out;
  find_ordered(follow_block(view, root), key, out);
  if (out.status == Status::damaged) out.damaged = root;
  return out;
}

Result<SortedBlock> sorted_block(const View& view, Offset root) {
  if (!root) return SortedBlock{};
  const SortedBlock block = follow_block(view, root);
  if (block.at == nullptr) return view.damage(root, Kind::sorted);
  return block;
}

Result<SortedItem> sorted_item(const View& view, Offset root, std::uint64_t index) {
  UTAN_ASSIGN(const SortedBlock block, sorted_block(view, root));
  if (index >= block.count) return Error(Code::invalid, "there is no item " + std::to_string(index));
  SortedItem item;
  if (!block.read(index, item)) return view.damage(root, Kind::sorted);
  return item;
}

Result<Count> sorted_count(const View& view, Offset root) {
  UTAN_ASSIGN(const SortedBlock block, sorted_block(view, root));
  return Count{block.count};
}

Result<ByteCount> sorted_size(const View& view, Offset root) {
  if (!root) return ByteCount{sizeof(Sorted)};
  return used_of(view, root, follow_block(view, root));
}

Result<bool> sorted_fits(const View& view, Offset root, ByteCount key_size, ByteCount value_size,
                         const SortedItem* replaced) {
  if (key_size.value > format::sorted_key_size_max || value_size.value > format::sorted_value_size_max) return false;
  UTAN_ASSIGN(const ByteCount used, sorted_size(view, root));
  const std::uint64_t removed_size =
      replaced == nullptr ? 0 : format::sorted_item_size(replaced->key.size(), replaced->value.size());
  // In this order it cannot become negative, whatever a damaged file says.
  return used.value + format::sorted_item_size(key_size.value, value_size.value) <=
         format::sorted_size_max + removed_size;
}

Result<Offset> insert_sorted(Build& build, Offset root, const FoundSorted& where, const EncodedKey& key, Tag value_tag,
                             std::span<const std::byte> value) {
  DCHECK(where.status == Status::missing);
  const SortedItem item{key.tag, key.bytes, value_tag, value};
  if (!root) return make_sorted(build, {&item, 1});
  if (!is_small(item)) return too_large();
  return rewrite(build, root, where.index, 0, &item, format::sorted_hash(key.order));
}

Result<Offset> replace_sorted(Build& build, Offset root, const FoundSorted& where, Tag value_tag,
                              std::span<const std::byte> value) {
  DCHECK(where.status == Status::found);
  const SortedItem item{where.item.key_tag, where.item.key, value_tag, value};
  if (!is_small(item)) return too_large();
  UTAN_ASSIGN(const EncodedKey key, format::stored_key(item.key_tag, item.key));
  return rewrite(build, root, where.index, 1, &item, format::sorted_hash(key.order));
}

Result<Offset> erase_sorted(Build& build, Offset root, const FoundSorted& where) {
  DCHECK(where.status == Status::found);
  return rewrite(build, root, where.index, 1, nullptr, 0);
}

Result<Offset> make_sorted(Build& build, std::span<const SortedItem> items) {
  if (items.empty()) return Offset{};
  std::uint64_t size = sizeof(Sorted);
  for (const SortedItem& item : items) {
    size += format::sorted_item_size(item.key.size(), item.value.size());
    if (!is_small(item) || size > format::sorted_size_max) return too_large();
  }
  Image image(items.size());
  EncodedKey before;
  for (const SortedItem& item : items) {
    EncodedKey key = format::text_key(item.key_tag, item.key);
    if (!format::is_text(item.key_tag)) {
      UTAN_ASSIGN(key, format::stored_key(item.key_tag, item.key));
    }
    DCHECK_SOUND(image.is_empty() || format::compare_keys(before, key) < 0);
    before = key;
    image.add(item, format::sorted_hash(key.order));
  }
  UTAN_ASSIGN(const Made<Sorted> made, build.make<Sorted>(Kind::sorted, image.size(), 0));
  image.write(made.at);
  return made.offset;
}

void drop_sorted(Build& build, Offset root, const SortedBlock& block) {
  if (block.at != nullptr) build.drop(root, &block.at->header);
}

}  // namespace utan::tree
