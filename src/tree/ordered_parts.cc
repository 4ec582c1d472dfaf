#include "tree/ordered_parts.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace utan::tree {

using format::Kind;
using format::ordered_entries_max;
using format::ordered_head_size;
using format::ordered_prefix_max;
using format::ordered_separator_max;
using format::OrderedAux;
using format::OrderedBranch;
using format::OrderedChild;
using format::OrderedEnd;
using format::OrderedEntry;
using format::OrderedLeaf;
using format::OrderedShape;
using heap::Build;
using heap::Made;
using heap::View;

namespace {

// Heads that agree in so many leading bytes are soon used up.
constexpr std::uint64_t agreeing_bytes_max = 5;

// The first eight bytes of `size` bytes and then `head`.
std::uint64_t head_behind(const std::byte* bytes, std::uint64_t size, std::uint64_t head) {
  std::uint64_t out = 0;
  for (std::uint64_t i = 0; i < std::min(size, ordered_head_size); ++i)
    out |= std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << (56 - 8 * i);
  return size < ordered_head_size ? out | head >> (8 * size) : out;
}

// The same of bytes alone, and how many of them count.
std::uint64_t head_of(std::span<const std::byte> bytes) { return head_behind(bytes.data(), bytes.size(), 0); }

// May head and prefix alone decide about a separator, of which this is what is behind the prefix?
bool is_plain(std::span<const std::byte> rest, std::uint64_t prefix_size) {
  return rest.size() <= ordered_head_size && (rest.empty() || rest.back() != std::byte{0}) &&
         prefix_size + rest.size() < ordered_separator_max;
}

std::span<const std::byte> behind(std::span<const std::byte> bytes, std::uint64_t count) {
  return bytes.subspan(std::min<std::uint64_t>(count, bytes.size()));
}

void copy_prefix(void* node, const OrderedShape& shape, const std::byte* prefix) {
  auto* at = static_cast<std::byte*>(node) + shape.prefix_at();
  // Padded with zeros, which are part of no sum.
  if (shape.prefix_size != 0) std::memset(at + ((shape.prefix_size - 1) & ~std::uint64_t{7}), 0, 8);
  if (shape.prefix_size != 0) std::memcpy(at, prefix, shape.prefix_size);
}

}  // namespace

Separator separator_between(const Sequence& low, const Sequence& high) {
  Separator out;
  const std::uint64_t most = std::min(high.size(), ordered_separator_max);
  out.size = std::min(common_size(low, high) + 1, most);
  high.copy(0, most, out.bytes.data());
  // One that ends with a byte of 0 looks like a shorter one in a head.
  while (out.size < most && out.bytes[out.size - 1] == std::byte{0}) ++out.size;
  return out;
}

Separator read_separator(const OrderedNode& branch, std::uint64_t index) {
  Separator out;
  const std::uint64_t head = branch.entries()[index].head;
  std::uint64_t head_size = head == 0 ? 0 : ordered_head_size - static_cast<std::uint64_t>(std::countr_zero(head)) / 8;
  format::OrderedTail tail;
  if (branch.shape.text_size != 0) {
    tail = format::ordered_tail(branch.header, branch.shape, index);
    head_size = std::min(tail.head_size, ordered_head_size);
  }
  std::memcpy(out.bytes.data(), branch.prefix(), branch.shape.prefix_size);
  out.size = branch.shape.prefix_size;
  const auto add = [&out](const void* bytes, std::uint64_t size) {
    // A sound one is not longer.
    size = std::min(size, ordered_separator_max - out.size);
    if (size != 0) std::memcpy(out.bytes.data() + out.size, bytes, size);
    out.size += size;
  };
  const std::uint64_t head_bytes = __builtin_bswap64(head);
  add(&head_bytes, head_size);
  add(tail.bytes, tail.size);
  return out;
}

namespace {

// How many entries off the middle one byte less is worth, that neighbours have in common or a separator is long.
constexpr std::uint64_t distance_of_byte = 3;

// The place in the middle third of `count` that costs least. `bytes_at(i)` is what dividing before `i` costs.
template <class BytesAt>
std::uint64_t cheapest_middle(std::uint64_t count, BytesAt&& bytes_at) {
  const std::uint64_t center = count / 2;
  std::uint64_t best = center;
  std::uint64_t least = ~std::uint64_t{0};
  for (std::uint64_t i = (count + 2) / 3; i <= count - (count + 2) / 3; ++i) {
    const std::uint64_t distance = i < center ? center - i : i - center;
    const std::uint64_t cost = bytes_at(i) * distance_of_byte + distance;
    if (cost < least) {
      least = cost;
      best = i;
    }
  }
  return best;
}

}  // namespace

// --- Leaves ------------------------------------------------------------------------------------------------------------

void LeafParts::shorten_to(std::uint64_t prefix_size) {
  if (prefix_size >= prefix_size_) return;
  for (std::uint64_t i = 0; i < count_; ++i)
    entries_[i].head = head_behind(prefix_.data() + prefix_size, prefix_size_ - prefix_size, entries_[i].head);
  prefix_size_ = prefix_size;
}

void LeafParts::add(const OrderedNode& leaf, std::uint64_t from, std::uint64_t to) {
  DCHECK(from <= to && to <= leaf.shape.count && count_ + (to - from) < entries_.size());
  if (from == to) return;
  const std::uint64_t leaf_prefix_size = leaf.shape.prefix_size;
  if (count_ == 0) {
    std::memcpy(prefix_.data(), leaf.prefix(), leaf_prefix_size);
    prefix_size_ = leaf_prefix_size;
  }
  shorten_to(common_size(prefix_.data(), leaf.prefix(), std::min(prefix_size_, leaf_prefix_size)));
  const OrderedEntry* entries = leaf.entries();
  const std::uint64_t more = leaf_prefix_size - prefix_size_;
  for (std::uint64_t i = from; i < to; ++i) {
    entries_[count_] = entries[i];
    if (more != 0) entries_[count_].head = head_behind(leaf.prefix() + prefix_size_, more, entries[i].head);
    ++count_;
  }
}

void LeafParts::insert(std::uint64_t position, const Sequence& key, Offset record) {
  DCHECK(position <= count_ && count_ < entries_.size());
  if (count_ == 0) {
    prefix_size_ = std::min(key.size(), ordered_prefix_max);
    key.copy(0, prefix_size_, prefix_.data());
  } else {
    shorten_to(common_size(key, prefix_.data(), prefix_size_));
  }
  std::memmove(&entries_[position + 1], &entries_[position], (count_ - position) * sizeof(OrderedEntry));
  entries_[position] = {key.head_at(prefix_size_), record.value};
  ++count_;
}

void LeafParts::set(std::span<const Offset> records) {
  DCHECK(records.size() <= entries_.size());
  for (std::size_t i = 0; i < records.size(); ++i) entries_[i] = {0, records[i].value};
  count_ = records.size();
  prefix_size_ = 0;
  heads_known_ = false;
}

Result<Separator> LeafParts::separator_before(const View& view, std::uint64_t position) const {
  const OrderedEntry& low = entries_[position - 1];
  const OrderedEntry& high = entries_[position];
  if (low.head < high.head && heads_known_) {
    // The head's first byte that differs is none of the zeros behind a key's end: it is above another one.
    Separator out;
    std::memcpy(out.bytes.data(), prefix_.data(), prefix_size_);
    const auto size = static_cast<std::uint64_t>(std::countl_zero(low.head ^ high.head)) / 8 + 1;
    const std::uint64_t head_bytes = __builtin_bswap64(high.head);
    std::memcpy(out.bytes.data() + prefix_size_, &head_bytes, size);
    out.size = prefix_size_ + size;
    return out;
  }
  UTAN_ASSIGN(const Sequence before, record_sequence(view, Offset{low.word}));
  UTAN_ASSIGN(const Sequence after, record_sequence(view, Offset{high.word}));
  return separator_between(before, after);
}

std::uint64_t LeafParts::best_middle() const {
  return cheapest_middle(count_, [&](std::uint64_t i) {
    return static_cast<std::uint64_t>(std::countl_zero(entries_[i - 1].head ^ entries_[i].head)) / 8;
  });
}

// Entries whose heads are equal, or agree in most of their bytes, while a longer prefix would tell more of them.
bool LeafParts::tells_badly(std::uint64_t from, std::uint64_t to) const {
  if (!heads_known_) return true;
  if (to - from < 2 || prefix_size_ >= ordered_prefix_max) return false;
  const auto agreeing = static_cast<std::uint64_t>(std::countl_zero(entries_[from].head ^ entries_[to - 1].head)) / 8;
  if (agreeing > agreeing_bytes_max) return true;
  if (agreeing == 0) return false;
  for (std::uint64_t i = from + 1; i < to; ++i) {
    if (entries_[i].head == entries_[i - 1].head) return true;
  }
  return false;
}

Result<void> LeafParts::read_heads(const View& view, std::uint64_t from, std::uint64_t to, Prefix& prefix,
                                   std::uint64_t& prefix_size) {
  for (std::uint64_t i = from; i < to; ++i) fetch_lines(view, entries_[i].word, 0, 1);
  UTAN_ASSIGN(const Sequence first, record_sequence(view, Offset{entries_[from].word}));
  UTAN_ASSIGN(const Sequence last, record_sequence(view, Offset{entries_[to - 1].word}));
  prefix_size = std::min(common_size(first, last), ordered_prefix_max);
  first.copy(0, prefix_size, prefix.data());
  for (std::uint64_t i = from; i < to; ++i) {
    UTAN_ASSIGN(const Sequence key, record_sequence(view, Offset{entries_[i].word}));
    entries_[i].head = key.head_at(prefix_size);
  }
  return {};
}

Result<Child> LeafParts::write(Build& build, std::uint64_t from, std::uint64_t to) {
  DCHECK(from < to && to <= count_ && to - from <= ordered_entries_max);
  Prefix anew;
  const std::byte* prefix = prefix_.data();
  std::uint64_t prefix_size = prefix_size_;
  if (tells_badly(from, to)) {
    UTAN_TRY(read_heads(build.view(), from, to, anew, prefix_size));
    prefix = anew.data();
  }
  const OrderedShape shape{to - from, prefix_size, 0, 0};
  UTAN_ASSIGN(const Made<OrderedLeaf> leaf, build.make<OrderedLeaf>(Kind::ordered_leaf, ByteCount{shape.size()},
                                                                    OrderedAux::make(shape.count, prefix_size).word));
  copy_prefix(leaf.at, shape, prefix);
  std::memcpy(reinterpret_cast<std::byte*>(leaf.at) + shape.entries_at(), &entries_[from],
              shape.count * sizeof(OrderedEntry));
  leaf.at->header.checksum += format::ordered_content_checksum(leaf.at, shape);
  return Child{leaf.offset, shape.count};
}

Result<void> LeafParts::write_one(Build& build, NewChildren& out) {
  UTAN_ASSIGN(const Child child, write(build, 0, count_));
  out.add(child, Separator());
  return {};
}

Result<void> LeafParts::write_two(Build& build, std::uint64_t middle, NewChildren& out) {
  UTAN_ASSIGN(const Separator separator, separator_before(build.view(), middle));
  UTAN_ASSIGN(const Child low, write(build, 0, middle));
  UTAN_ASSIGN(const Child high, write(build, middle, count_));
  out.add(low, Separator());
  out.add(high, separator);
  return {};
}

// --- Branches ----------------------------------------------------------------------------------------------------------

void BranchParts::set_separator(std::uint64_t index, std::span<const std::byte> separator) {
  DCHECK(separator.size() <= ordered_separator_max);
  parts_[index].separator_at = static_cast<std::uint32_t>(text_.size());
  parts_[index].separator_size = static_cast<std::uint32_t>(separator.size());
  text_.insert(text_.end(), separator.begin(), separator.end());
}

void BranchParts::add(const Child& child, std::span<const std::byte> separator) {
  DCHECK(count_ < parts_.size());
  parts_[count_].child = child;
  set_separator(count_++, separator);
}

void BranchParts::add(const OrderedNode& branch, std::uint64_t from, std::uint64_t to, const Separator& before) {
  DCHECK(from <= to && to <= branch.shape.count && branch.shape.height == height_);
  for (std::uint64_t i = from; i < to; ++i) {
    const Separator separator = i == from ? before : read_separator(branch, i);
    add(Child{branch.child(i), branch.count_below(i)}, {separator.bytes.data(), separator.size});
  }
}

void BranchParts::add(const BranchParts& other, const Separator& before) {
  for (std::uint64_t i = 0; i < other.count_; ++i)
    add(other.child(i), i == 0 ? std::span<const std::byte>{before.bytes.data(), before.size} : other.separator(i));
}

void BranchParts::replace(std::uint64_t first, std::uint64_t removed, const NewChildren& children) {
  DCHECK(first + removed <= count_ && children.count != 0 && count_ + children.count - removed <= parts_.size());
  const Part old = parts_[first];
  std::memmove(&parts_[first + children.count], &parts_[first + removed], (count_ - first - removed) * sizeof(Part));
  count_ += children.count - removed;
  for (std::uint64_t i = 0; i < children.count; ++i) {
    Part& part = parts_[first + i];
    part = old;
    part.child = children.child[i];
    const Separator& before = children.separator[i];
    if (i != 0) set_separator(first + i, {before.bytes.data(), before.size});
  }
}

OrderedShape BranchParts::shape_of(std::uint64_t from, std::uint64_t to) const {
  OrderedShape shape{to - from, 0, height_, 0};
  if (shape.count < 2) return shape;
  const std::span<const std::byte> low = separator(from + 1);
  const std::span<const std::byte> high = separator(to - 1);
  const std::uint64_t most = std::min({std::uint64_t{low.size()}, std::uint64_t{high.size()}, ordered_prefix_max});
  shape.prefix_size = common_size(low.data(), high.data(), most);
  std::uint64_t tails_size = 0;
  bool plain = true;
  for (std::uint64_t i = from + 1; i < to; ++i) {
    const std::span<const std::byte> rest = behind(separator(i), shape.prefix_size);
    plain = plain && is_plain(rest, shape.prefix_size);
    tails_size += behind(rest, ordered_head_size).size();
  }
  if (!plain) shape.text_size = shape.count * sizeof(OrderedEnd) + tails_size;
  return shape;
}

bool BranchParts::fits_well() const {
  return count_ <= ordered_merged_max && shape_of(0, count_).size() <= ordered_merged_size_max;
}

std::uint64_t BranchParts::best_middle() const {
  return cheapest_middle(count_, [&](std::uint64_t i) { return std::uint64_t{parts_[i].separator_size}; });
}

Result<Child> BranchParts::write(Build& build, std::uint64_t from, const OrderedShape& shape) const {
  UTAN_ASSIGN(const Made<OrderedBranch> branch,
              build.make<OrderedBranch>(Kind::ordered_branch, ByteCount{shape.size()},
                                        OrderedAux::make(shape.count, shape.prefix_size).word));
  branch.at->height = static_cast<std::uint16_t>(height_);
  branch.at->text_size = static_cast<std::uint16_t>(shape.text_size);
  branch.at->reserved = 0;
  copy_prefix(branch.at, shape, shape.prefix_size == 0 ? nullptr : separator(from + 1).data());
  auto* bytes = reinterpret_cast<std::byte*>(branch.at);
  auto* entries = reinterpret_cast<OrderedEntry*>(bytes + shape.entries_at());
  auto* counts = reinterpret_cast<std::uint64_t*>(bytes + shape.counts_at());
  auto* ends = reinterpret_cast<OrderedEnd*>(bytes + shape.text_at());
  std::byte* tails = bytes + shape.text_at() + shape.count * sizeof(OrderedEnd);
  std::uint64_t tail_end = 0;
  Child out{branch.offset, 0};
  for (std::uint64_t i = 0; i < shape.count; ++i) {
    const Child& child = parts_[from + i].child;
    const std::span<const std::byte> rest =
        i == 0 ? std::span<const std::byte>{} : behind(separator(from + i), shape.prefix_size);
    entries[i] = {head_of(rest), OrderedChild::make(child.offset, shape.has_counts() ? 0 : child.count).word};
    if (shape.has_counts()) counts[i] = child.count;
    if (shape.text_size != 0) {
      const std::span<const std::byte> tail = behind(rest, ordered_head_size);
      if (!tail.empty()) std::memcpy(tails + tail_end, tail.data(), tail.size());
      tail_end += tail.size();
      ends[i] = OrderedEnd::make(std::min<std::uint64_t>(rest.size(), ordered_head_size), tail_end);
    }
    out.count += child.count;
  }
  branch.at->header.checksum += format::ordered_content_checksum(branch.at, shape);
  return out;
}

Result<void> BranchParts::write_range(Build& build, std::uint64_t from, std::uint64_t to, NewChildren& out) const {
  const OrderedShape shape = shape_of(from, to);
  if (!fits(shape)) {
    const std::uint64_t middle = from + (to - from) / 2;
    UTAN_TRY(write_range(build, from, middle, out));
    return write_range(build, middle, to, out);
  }
  UTAN_ASSIGN(const Child child, write(build, from, shape));
  Separator before;
  const std::span<const std::byte> bytes = separator(from);
  before.size = bytes.size();
  if (!bytes.empty()) std::memcpy(before.bytes.data(), bytes.data(), bytes.size());
  out.add(child, before);
  return {};
}

Result<void> BranchParts::write_all(Build& build, std::uint64_t middle, NewChildren& out) const {
  if (middle == 0 || middle >= count_ || !fits(0, middle) || !fits(middle, count_))
    return write_range(build, 0, count_, out);
  UTAN_TRY(write_range(build, 0, middle, out));
  return write_range(build, middle, count_, out);
}

}  // namespace utan::tree
