#include "tree/table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>

#include "base/fetch.h"
#include "base/step.h"
#include "tree/table_find.h"

namespace utan::tree {

using format::Bucket;
using format::BucketEntry;
using format::Directory;
using format::Kind;
using format::Record;
using format::TableRoot;
using heap::Build;
using heap::Made;
using heap::View;

namespace {

constexpr std::uint64_t root_first_word = 4;
constexpr std::uint64_t first_word = 2;  // of buckets and directories
// Hash bits of a slot that may be spent on splits before the slots are made from the records again.
constexpr std::uint64_t base_level_age_max = 8;
// How many cache lines of a record are fetched ahead when a table is gone through.
constexpr std::uint64_t fetched_lines = 3;

// ceil(bucket_count / fanout^depth).
std::uint64_t top_count(std::uint64_t bucket_count, std::uint64_t depth) {
  for (; depth > 0; --depth) bucket_count = (bucket_count + format::directory_fanout - 1) / format::directory_fanout;
  return bucket_count;
}

// The root of a table, with counts that can be believed; `top` is how many entries it has.
[[gnu::always_inline]] inline const TableRoot* follow_root(const View& view, Offset offset, std::uint64_t* top) {
  const auto* root = view.follow<TableRoot>(offset, Kind::table_root);
  if (root == nullptr || root->depth() > format::table_depth_max || root->bucket_count == 0 ||
      root->bucket_count > view.size().value / 8) [[unlikely]] {
    return nullptr;
  }
  *top = top_count(root->bucket_count, root->depth());
  if (*top > format::table_top_fanout || TableRoot::size_for(*top) > view.size().value - offset.value) [[unlikely]] {
    return nullptr;
  }
  return root;
}

const TableRoot* follow_root(const View& view, Offset offset) {
  std::uint64_t top;
  return follow_root(view, offset, &top);
}

// The offset of a bucket (0: empty). False: a directory is damaged, `at` says which.
[[gnu::always_inline]] inline bool find_bucket(const View& view, const TableRoot* root, std::uint64_t bucket,
                                               Offset& at) {
  std::uint64_t height = root->depth();
  Way way;
  way.lead_to(bucket, height);
  // That it is inside the root, follow_root has checked.
  at = Offset{root->entries()[way.index[height]]};
  while (height > 0) {
    const auto* directory = view.follow_node<Directory>(at, Kind::directory);
    const std::uint64_t index = way.index[--height];
    if (directory == nullptr || index >= directory->count()) [[unlikely]]
      return false;
    at = Offset{directory->entries()[index]};
  }
  return true;
}

// --- Changing -------------------------------------------------------------------------------------------------------

// A word of a node of the build: where the offset of a bucket is kept.
struct Place {
  void* node = nullptr;
  std::uint64_t word = 0;
  Offset offset() const { return Offset{static_cast<const std::uint64_t*>(node)[word]}; }
  void set(Offset now) const {
    if (now != offset()) heap::set_word(node, word, now.value);
  }
};

// The root and the directories of a table, changed within a build.
class Editor {
 public:
  explicit Editor(Build& build) : build_(build) {}

  // Opens the table where a key was found, or found missing, and answers the place of that key's bucket. The path to it
  // is made the build's own.
  [[gnu::always_inline]] Result<Place> open(Offset offset, const FoundRecord& where) {
    // Checked again: in a damaged file a block of the path may have been handed out since the key was looked for.
    const auto* root = build_.view().follow<TableRoot>(offset, Kind::table_root);
    if (root == nullptr || root->depth() > format::table_depth_max ||
        root->bucket_count - 1 >= bucket_counts_max[root->depth()]) {
      return build_.view().damage(offset, Kind::table_root);
    }
    std::uint64_t height = root->depth();
    const std::uint64_t top = top_count(root->bucket_count, height);
    if (where.way.index[height] >= top || TableRoot::size_for(top) > build_.view().size().value - offset.value)
      return build_.view().damage(offset, Kind::table_root);
    const ByteCount size{TableRoot::size_for(top)};
    UTAN_ASSIGN(root_, build_.edit(root, offset, size, size));
    Place place{root_.at, root_first_word + where.way.index[height]};
    while (height > 0) {
      const Offset at = place.offset();
      const std::uint64_t index = where.way.index[--height];
      const auto* directory = build_.view().follow_node<Directory>(at, Kind::directory);
      if (directory == nullptr || directory->count() > format::directory_fanout || index >= directory->count())
        return damaged(at);
      const ByteCount used{Directory::size_for(directory->count())};
      UTAN_ASSIGN(const Made<Directory> made, build_.edit(directory, at, used, used));
      place.set(made.offset);
      place = Place{made.at, first_word + index};
    }
    return place;
  }

  TableRoot* root() const { return root_.at; }
  Offset offset() const { return root_.offset; }
  void add_records(std::int64_t change) {
    heap::set_word(root_.at, 2, root_.at->record_count + static_cast<std::uint64_t>(change));
  }

  // The place of an existing bucket; the path to it is made the build's own.
  Result<Place> place_of(std::uint64_t bucket) {
    std::uint64_t height = root_.at->depth();
    Way way;
    way.lead_to(bucket, height);
    Place place{root_.at, root_first_word + way.index[height]};
    while (height > 0) {
      const std::uint64_t index = way.index[--height];
      UTAN_ASSIGN(const Made<Directory> directory, edit_directory(place, 0));
      if (index >= directory.at->count()) return damaged(directory.offset);
      place = Place{directory.at, first_word + index};
    }
    return place;
  }

  // The place of a new last bucket; the directory grows by it. The place holds 0.
  Result<Place> append_place() {
    const std::uint64_t bucket = root_.at->bucket_count;
    if (bucket == bucket_counts_max[root_.at->depth()]) UTAN_TRY(deepen());
    std::uint64_t height = root_.at->depth();
    Way way;
    way.lead_to(bucket, height);
    const std::uint64_t top = top_count(bucket, height);
    Place place{root_.at, root_first_word + way.index[height]};
    if (way.index[height] == top) {
      UTAN_ASSIGN(root_, build_.edit(root_.at, root_.offset, ByteCount{TableRoot::size_for(top)},
                                     ByteCount{TableRoot::size_for(top + 1)}));
      place.node = root_.at;
      heap::add_word(root_.at, place.word, 0);
    }
    while (height > 0) {
      const std::uint64_t index = way.index[--height];
      Made<Directory> directory;
      if (!place.offset()) {
        UTAN_ASSIGN(directory, build_.make<Directory>(Kind::directory, ByteCount{Directory::size_for(1)}, 0));
        place.set(directory.offset);
      } else {
        UTAN_ASSIGN(directory, edit_directory(place, 1));
      }
      const std::uint64_t count = directory.at->count();
      if (index > count || index + 1 < count) return damaged(directory.offset);
      if (index == count) {
        heap::add_word(directory.at, first_word + index, 0);
        heap::set_aux(directory.at, static_cast<std::uint16_t>(index + 1));
      }
      place = Place{directory.at, first_word + index};
    }
    heap::set_word(root_.at, 3, bucket + 1);
    return place;
  }

  // Takes the last bucket's place away. The bucket itself has been dealt with.
  Result<void> remove_last() {
    const std::uint64_t bucket = root_.at->bucket_count - 1;
    std::array<Made<Directory>, format::table_depth_max> path;
    std::array<Place, format::table_depth_max> above;
    std::uint64_t height = root_.at->depth();
    const std::uint64_t depth = height;
    Way way;
    way.lead_to(bucket, depth);
    Place place{root_.at, root_first_word + way.index[height]};
    while (height > 0) {
      const std::uint64_t index = way.index[--height];
      above[height] = place;
      UTAN_ASSIGN(path[height], edit_directory(place, 0));
      if (index + 1 != path[height].at->count()) return damaged(path[height].offset);
      place = Place{path[height].at, first_word + index};
    }
    // From the bottom up: an entry goes, and its directory too when that was its last.
    for (height = 0; height < depth; ++height) {
      Directory* directory = path[height].at;
      heap::remove_word(directory, first_word + directory->count() - 1);
      heap::set_aux(directory, static_cast<std::uint16_t>(directory->count() - 1));
      if (directory->count() != 0) break;
      build_.drop(path[height].offset, &directory->header);
    }
    if (height == depth) heap::remove_word(root_.at, root_first_word + way.index[depth]);
    heap::set_word(root_.at, 3, bucket);
    return flatten();
  }

 private:
  Error damaged(Offset at) const { return build_.view().damage(at, Kind::directory); }

  Result<Made<Directory>> edit_directory(const Place& place, std::uint64_t room) {
    const Offset offset = place.offset();
    const auto* directory = build_.view().follow_node<Directory>(offset, Kind::directory);
    if (directory == nullptr || directory->count() > format::directory_fanout) return damaged(offset);
    const std::uint64_t count = directory->count();
    UTAN_ASSIGN(const Made<Directory> made,
                build_.edit(directory, offset, ByteCount{Directory::size_for(count)},
                            ByteCount{Directory::size_for(std::min(count + room, format::directory_fanout))}));
    place.set(made.offset);
    return made;
  }

  // One more level: the root's entries move to a directory of their own.
  Result<void> deepen() {
    const std::uint64_t depth = root_.at->depth();
    if (depth == format::table_depth_max) return Error(Code::too_large, "the table cannot grow any further");
    const std::uint64_t count = top_count(root_.at->bucket_count, depth);
    UTAN_ASSIGN(const Made<Directory> directory,
                build_.make<Directory>(Kind::directory, ByteCount{Directory::size_for(count)},
                                       static_cast<std::uint16_t>(count)));
    for (std::uint64_t i = 0; i < count; ++i) {
      heap::add_word(directory.at, first_word + i, root_.at->entries()[i]);
      heap::remove_word(root_.at, root_first_word + i);
    }
    heap::set_aux(root_.at, static_cast<std::uint16_t>(depth + 1));
    heap::add_word(root_.at, root_first_word, directory.offset.value);
    return {};
  }

  // One level less, once all buckets fit below one directory whose entries fit into the root.
  Result<void> flatten() {
    const std::uint64_t depth = root_.at->depth();
    if (depth == 0 || root_.at->bucket_count > bucket_counts_max[depth - 1]) return {};
    const Offset offset{root_.at->entries()[0]};
    const auto* directory = build_.view().follow_node<Directory>(offset, Kind::directory);
    const std::uint64_t count = top_count(root_.at->bucket_count, depth - 1);
    if (directory == nullptr || directory->count() != count) return damaged(offset);
    heap::remove_word(root_.at, root_first_word);
    UTAN_ASSIGN(root_, build_.edit(root_.at, root_.offset, ByteCount{TableRoot::size_for(0)},
                                   ByteCount{TableRoot::size_for(count)}));
    for (std::uint64_t i = 0; i < count; ++i) heap::add_word(root_.at, root_first_word + i, directory->entries()[i]);
    heap::set_aux(root_.at, static_cast<std::uint16_t>(depth - 1));
    build_.drop(offset, &directory->header);
    return {};
  }

  Build& build_;
  Made<TableRoot> root_;
};

// A bucket's slots in private memory, with one base level, ready to be written as a bucket.
class Slots {
 public:
  explicit Slots(std::uint64_t base_level) : base_level_(base_level) {}

  // Adds all slots of `bucket`; where its base level is another, they are made from the records again.
  Result<void> add(const View& view, const Bucket* bucket, std::uint64_t hash_seed) {
    if (count_ + bucket->count() > format::bucket_entries_max) return full();
    if (bucket->base_level() == base_level_) {
      std::memcpy(words_.data() + count_, bucket->entries(), bucket->count() * 8);
      count_ += bucket->count();
      return {};
    }
    for (std::uint64_t i = 0; i < bucket->count(); ++i) {
      const Offset offset = BucketEntry{bucket->entries()[i]}.record();
      const Record* record = view.follow_record(offset);
      if (record == nullptr) return view.damage(offset, Kind::record);
      const std::uint64_t hash =
          format::hash_stored_key(record->key_tag(), {record->key(), record->key_size()}, hash_seed);
      words_[count_++] = BucketEntry::make(slot_tag(hash, base_level_), offset).word;
    }
    return {};
  }
  // Moves the slots whose hash has bit `level` to `other`, which has the same base level.
  void split(std::uint64_t level, Slots& other) {
    std::uint64_t kept = 0;
    for (std::uint64_t i = 0; i < count_; ++i) {
      const bool moves = ((BucketEntry{words_[i]}.tag() >> (level - base_level_)) & 1) != 0;
      if (moves) {
        other.words_[other.count_++] = words_[i];
      } else {
        words_[kept++] = words_[i];
      }
    }
    count_ = kept;
  }
  // A new bucket of them; 0 if there are none.
  Result<Offset> write(Build& build) const {
    if (count_ == 0) return Offset{};
    UTAN_ASSIGN(const Made<Bucket> bucket, build.make<Bucket>(Kind::bucket, ByteCount{Bucket::size_for(count_)},
                                                              Bucket::make_aux(count_, base_level_)));
    std::memcpy(bucket.at->entries(), words_.data(), count_ * 8);
    bucket.at->header.checksum += format::checksum_words(bucket.at, first_word, count_);
    return bucket.offset;
  }
  static Error full() {
    return Error(Code::too_large,
                 std::to_string(format::bucket_entries_max) + " keys share a hash bucket: no more fit");
  }

 private:
  std::uint64_t base_level_;
  std::uint64_t count_ = 0;
  std::array<std::uint64_t, format::bucket_entries_max> words_;
};

[[gnu::always_inline]] inline Result<const Bucket*> checked_bucket(const View& view, Offset offset) {
  const auto* bucket = view.follow_node<Bucket>(offset, Kind::bucket);
  if (bucket == nullptr || bucket->count() > format::bucket_entries_max) return view.damage(offset, Kind::bucket);
  return bucket;
}

// Grows the table by one bucket, which takes its half of the one that is due.
Result<void> split_bucket(Build& build, Editor& editor, std::uint64_t hash_seed) {
  const std::uint64_t fresh = editor.root()->bucket_count;
  const std::uint64_t half = std::bit_floor(fresh);
  const auto level = static_cast<std::uint64_t>(std::countr_zero(half));
  UTAN_ASSIGN(const Place new_place, editor.append_place());
  UTAN_ASSIGN(const Place old_place, editor.place_of(fresh - half));
  const Offset old_offset = old_place.offset();
  if (!old_offset) return {};
  UTAN_ASSIGN(const Bucket* old, checked_bucket(build.view(), old_offset));
  std::uint64_t base_level = old->base_level();
  if (base_level > level || level + 1 - base_level > base_level_age_max) base_level = level;
  Slots stays(base_level);
  Slots moves(base_level);
  UTAN_TRY(stays.add(build.view(), old, hash_seed));
  stays.split(level, moves);
  UTAN_ASSIGN(const Offset stays_at, stays.write(build));
  UTAN_ASSIGN(const Offset moves_at, moves.write(build));
  build.drop(old_offset, &old->header);
  old_place.set(stays_at);
  new_place.set(moves_at);
  return {};
}

// Shrinks the table by its last bucket, whose slots go back to where they came from.
Result<void> merge_bucket(Build& build, Editor& editor, std::uint64_t hash_seed) {
  const std::uint64_t last = editor.root()->bucket_count - 1;
  const std::uint64_t half = std::bit_floor(last);
  const auto level = static_cast<std::uint64_t>(std::countr_zero(half));
  UTAN_ASSIGN(const Place last_place, editor.place_of(last));
  const Offset from = last_place.offset();
  if (from) {
    UTAN_ASSIGN(const Place place, editor.place_of(last - half));
    UTAN_ASSIGN(const Bucket* moved, checked_bucket(build.view(), from));
    const Offset to = place.offset();
    const Bucket* kept = nullptr;
    if (to) {
      UTAN_ASSIGN(kept, checked_bucket(build.view(), to));
    }
    const std::uint64_t base_level = std::min(level, moved->base_level());
    Slots slots(base_level);
    if (kept != nullptr) UTAN_TRY(slots.add(build.view(), kept, hash_seed));
    UTAN_TRY(slots.add(build.view(), moved, hash_seed));
    UTAN_ASSIGN(const Offset merged, slots.write(build));
    build.drop(from, &moved->header);
    if (kept != nullptr) build.drop(to, &kept->header);
    place.set(merged);
  }
  return editor.remove_last();
}

}  // namespace

bool is_respelled(const Record* record, const Key& key) {
  if (key.key_class != format::KeyClass::number && key.key_class != format::KeyClass::tuple) return false;
  const Result<format::EncodedKey> stored =
      format::stored_key(record->key_tag(), std::span(record->key(), record->key_size()));
  return stored.ok() && stored->key_class == key.key_class && std::ranges::equal(stored->order, key.bytes);
}

// With every check, at leisure.
void find_carefully(const View view, Offset root_offset, const Key& key, FoundRecord& out) {
  out.status = Status::missing;
  const auto damaged = [&out](Offset at, Kind expected) {
    out.status = Status::damaged;
    out.damaged = at;
    out.expected = expected;
  };
  std::uint64_t top;
  const TableRoot* root = follow_root(view, root_offset, &top);
  if (root == nullptr) return damaged(root_offset, Kind::table_root);
  out.bucket = bucket_of(key.hash, root->bucket_count);
  out.way.lead_to(out.bucket, root->depth());
  Offset at;
  if (!find_bucket(view, root, out.bucket, at)) return damaged(at, Kind::directory);
  if (!at) return;
  const auto* bucket = view.follow_node<Bucket>(at, Kind::bucket);
  if (bucket == nullptr) return damaged(at, Kind::bucket);
  const std::uint64_t tag = slot_tag(key.hash, bucket->base_level());
  for (out.slot = 0; out.slot < bucket->count(); ++out.slot) {
    const BucketEntry entry{bucket->entries()[out.slot]};
    if (entry.tag() != tag) continue;
    const Record* record = view.follow_record(entry.record());
    if (record == nullptr) return damaged(entry.record(), Kind::record);
    if (!is_key(record, key)) continue;
    out.status = Status::found;
    out.record = record;
    out.offset = entry.record();
    return;
  }
}

FoundRecord find_record(const View& view, Offset root, const Key& key) {
  FoundRecord out;
  find_record_here(view, root, key, out);
  return out;
}

Result<Offset> make_table(Build& build) {
  UTAN_ASSIGN(const Made<TableRoot> root,
              build.make<TableRoot>(Kind::table_root, ByteCount{TableRoot::size_for(1)}, 0));
  heap::add_word(root.at, 2, 0);
  heap::add_word(root.at, 3, 1);
  heap::add_word(root.at, root_first_word, 0);
  return root.offset;
}

Result<void> drop_empty_table(Build& build, Offset root_offset) {
  const TableRoot* root = follow_root(build.view(), root_offset);
  if (root == nullptr) return build.view().damage(root_offset, Kind::table_root);
  DCHECK(root->record_count == 0);
  // It has shrunk with its records: there are no directories and no buckets.
  DCHECK_SOUND(root->depth() == 0 && root->bucket_count == 1 && root->entries()[0] == 0);
  build.drop(root_offset, &root->header);
  return {};
}

Result<Offset> insert_record(Build& build, Offset root, std::uint64_t hash_seed, const FoundRecord& where,
                             Offset record) {
  Editor editor(build);
  UTAN_ASSIGN(const Place place, editor.open(root, where));
  const Offset old_offset = place.offset();
  if (!old_offset) {
    const auto base_level = static_cast<std::uint64_t>(std::countr_zero(std::bit_floor(editor.root()->bucket_count)));
    UTAN_ASSIGN(const Made<Bucket> bucket,
                build.make<Bucket>(Kind::bucket, ByteCount{Bucket::size_for(1)}, Bucket::make_aux(1, base_level)));
    heap::add_word(bucket.at, first_word, BucketEntry::make(slot_tag(where.hash, base_level), record).word);
    place.set(bucket.offset);
  } else {
    UTAN_ASSIGN(const Bucket* old, checked_bucket(build.view(), old_offset));
    const std::uint64_t count = old->count();
    if (count == format::bucket_entries_max) return Slots::full();
    UTAN_ASSIGN(const Made<Bucket> bucket, build.edit(old, old_offset, ByteCount{Bucket::size_for(count)},
                                                      ByteCount{Bucket::size_for(count + 1)}));
    const std::uint64_t base_level = bucket.at->base_level();
    heap::add_word(bucket.at, first_word + count, BucketEntry::make(slot_tag(where.hash, base_level), record).word);
    heap::set_aux(bucket.at, Bucket::make_aux(count + 1, base_level));
    place.set(bucket.offset);
  }
  editor.add_records(1);
  if (editor.root()->record_count > editor.root()->bucket_count * table_load) {
    UTAN_TRY(split_bucket(build, editor, hash_seed));
  }
  return editor.offset();
}

Result<Offset> replace_record(Build& build, Offset root, const FoundRecord& where, Offset record) {
  Editor editor(build);
  UTAN_ASSIGN(const Place place, editor.open(root, where));
  UTAN_ASSIGN(const Bucket* old, checked_bucket(build.view(), place.offset()));
  const ByteCount size{Bucket::size_for(old->count())};
  UTAN_ASSIGN(const Made<Bucket> bucket, build.edit(old, place.offset(), size, size));
  const BucketEntry before{bucket.at->entries()[where.slot]};
  heap::set_word(bucket.at, first_word + where.slot, BucketEntry::make(before.tag(), record).word);
  place.set(bucket.offset);
  return editor.offset();
}

Result<Offset> erase_record(Build& build, Offset root, std::uint64_t hash_seed, const FoundRecord& where) {
  Editor editor(build);
  UTAN_ASSIGN(const Place place, editor.open(root, where));
  const Offset old_offset = place.offset();
  UTAN_ASSIGN(const Bucket* old, checked_bucket(build.view(), old_offset));
  const std::uint64_t count = old->count();
  if (count == 1) {
    build.drop(old_offset, &old->header);
    place.set(Offset{});
  } else {
    const ByteCount size{Bucket::size_for(count)};
    UTAN_ASSIGN(const Made<Bucket> bucket, build.edit(old, old_offset, size, size));
    const std::uint64_t last = bucket.at->entries()[count - 1];
    heap::remove_word(bucket.at, first_word + count - 1);
    if (where.slot != count - 1) heap::set_word(bucket.at, first_word + where.slot, last);
    heap::set_aux(bucket.at, Bucket::make_aux(count - 1, bucket.at->base_level()));
    place.set(bucket.offset);
  }
  editor.add_records(-1);
  const std::uint64_t buckets = editor.root()->bucket_count;
  if (buckets > 1 && editor.root()->record_count * 2 < (buckets - 1) * table_load) {
    UTAN_TRY(merge_bucket(build, editor, hash_seed));
  }
  return editor.offset();
}

Result<Count> record_count(const View& view, Offset root) {
  const TableRoot* at = follow_root(view, root);
  // More than the file can hold is damage, too: whoever goes by it would never come to an end.
  if (at == nullptr || at->record_count > view.size().value / format::block_size_min)
    return view.damage(root, Kind::table_root);
  return Count{at->record_count};
}

Result<const Bucket*> TableWalk::next_bucket() {
  if (!root_) return static_cast<const Bucket*>(nullptr);
  const TableRoot* root = follow_root(view_, root_);
  if (root == nullptr) return view_.damage(root_, Kind::table_root);
  while (bucket_ < root->bucket_count) {
    Offset at;
    if (!find_bucket(view_, root, bucket_++, at)) return view_.damage(at, Kind::directory);
    if (at) return checked_bucket(view_, at);
  }
  return static_cast<const Bucket*>(nullptr);
}

// Finds the next bucket and lets memory begin to bring what its slots name: whatever an offset is, nothing is read by it.
// A damaged one is left for when it is due.
void TableWalk::look_ahead() {
  upcoming_ = nullptr;
  const std::uint64_t from = bucket_;
  const Result<const Bucket*> found = next_bucket();
  if (found.ok()) {
    upcoming_ = found.value();
  } else {
    bucket_ = from;
  }
  if (upcoming_ == nullptr) return;
  for (std::uint64_t i = 0; i < upcoming_->count(); ++i) {
    const std::byte* at = view_.base() + BucketEntry{upcoming_->entries()[i]}.record().value;
    for (std::uint64_t line = 0; line < fetched_lines; ++line) fetch_line(at + line * 64);
  }
}

Result<const Record*> TableWalk::next() {
  while (current_ == nullptr || slot_ == current_->count()) {
    if (upcoming_ == nullptr) {
      UTAN_ASSIGN(upcoming_, next_bucket());
    }
    current_ = upcoming_;
    slot_ = 0;
    if (current_ == nullptr) return static_cast<const Record*>(nullptr);
    // While the records of one bucket are being used, those of the next are on their way.
    look_ahead();
  }
  const Offset offset = BucketEntry{current_->entries()[slot_++]}.record();
  const Record* record = view_.follow_record(offset);
  if (record == nullptr) return view_.damage(offset, Kind::record);
  // Each of them has a block of its own, unless a damaged file names the same ones again and again.
  walked_size_ += std::max(record->size(), format::block_size_min);
  if (walked_size_ > view_.size().value) return view_.damage(root_, Kind::table_root);
  return record;
}

}  // namespace utan::tree
