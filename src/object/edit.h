// One commit's changes to containers.
//
// An Edit is one attempt at one operation: on the newest commit it finds places (an entry of a mapping, an element of a
// list), puts values there, takes them away, and keeps the object table: where each container begins now, and how often
// it is named. After a lost race another Edit does it all again on the newer commit; only an Input, the value to be
// stored with everything below it, is made once.
//
// Thread safety: belongs to one thread. Ownership: refers to the build and its Ids.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "base/near_memory.h"
#include "base/result.h"
#include "base/small_list.h"
#include "base/types.h"
#include "commit/thread.h"
#include "format/key.h"
#include "format/value.h"
#include "heap/build.h"
#include "object/data.h"
#include "object/mapping.h"
#include "object/slot.h"

namespace utan::object {

// Names for the containers that an operation makes: the same ones at every attempt. Those that no commit used in the end
// are kept for the thread's next operation.
class Ids {
 public:
  explicit Ids(commit::Thread& thread) : thread_(&thread) {}
  ~Ids() {
    if (used_ != ids_.size()) [[unlikely]]
      give_back();
  }
  Ids(const Ids&) = delete;
  Ids& operator=(const Ids&) = delete;

  // Code::too_large: there are no names left.
  Result<format::ObjectId> take();
  // What was taken so far stays taken, whatever attempts follow.
  void keep() { kept_ = next_; }
  // The next attempt begins: the same names again.
  void begin_attempt() { next_ = kept_; }
  // The commit is in, with all names taken by its attempt.
  void used() { used_ = kept_ = next_; }

 private:
  void give_back() noexcept;

  commit::Thread* thread_;
  SmallList<std::uint64_t, 8> ids_;
  std::size_t used_ = 0;  // of them, by commits that are in
  std::size_t next_ = 0;
  std::size_t kept_ = 0;
};

class Edit;

// A container to be made, with what its entry is to be.
struct NewContainer {
  format::ObjectId id;
  format::ObjectEntry entry;
};

// A value to be stored: a plain one, a container by its id, or data of which containers are to be made.
class Input {
 public:
  Input() = default;
  explicit Input(const format::Value& value) { is(value); }
  explicit Input(const Data& data) { is(data); }
  ~Input() { drop_parts(); }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  // Says what it is, once, before anything else. The value's bytes must outlive it.
  void is(const format::Value& value) { payload_ = {value.tag, format::to_payload(value, scratch_)}; }
  // `data` must be complete and outlive it.
  void is(const Data& data) { data_ = &data; }

  // Makes the blocks of everything below the value, once: they outlive a lost race. Again, if the build has given them back.
  Result<void> make(Edit& edit);
  // The same, but of the data's outermost container only what is in it: `items` of a mapping, `words` of a list.
  // Code::type if it is the other of the two than what `type` is.
  Result<void> make_contents(Edit& edit, format::ContainerType type);
  // What was made becomes part of this attempt's commit, and what the value names is named once more.
  Result<void> add_to(Edit& edit) const { return parts_ == nullptr ? Result<void>{} : add_parts_to(edit); }

  // After make().
  const Payload& payload() const { return payload_; }
  // After make_contents().
  std::span<const NewItem> items() const { return parts_->items; }
  std::span<const format::Word> words() const { return parts_->words; }

 private:
  friend class InputMaker;
  // What data becomes.
  struct Parts {
    Parts() {}                // the memory is not set to zero
    NearMemory<4096> memory;  // for all of them, and for what the items refer to and the data does not have
    std::span<const NewItem> items;
    std::span<const format::Word> words;
    std::span<const NewContainer> containers;
    std::vector<format::ObjectId> links;  // to those that were there
  };

  Parts& make_parts() { return *(parts_ = new (parts_room_) Parts); }
  void drop_parts() {
    if (parts_ != nullptr) parts_->~Parts();
    parts_ = nullptr;
  }
  Result<void> add_parts_to(Edit& edit) const;
  // False: it has made everything in this build already.
  bool begin_making(const Edit& edit);

  const Data* data_ = nullptr;
  std::uint64_t made_in_ = 0;  // Build::beginning; 0: not made
  Payload payload_;
  std::array<std::byte, 8> scratch_;
  // In place, but not std::optional: GCC would set all of it to zero at first.
  Parts* parts_ = nullptr;
  alignas(Parts) std::byte parts_room_[sizeof(Parts)];
};

// Where a value is, or would be.
struct Place {
  format::ObjectId id;
  format::ObjectEntry entry;
  bool there = false;
  Slot slot;                // if it is there
  format::EncodedKey key;   // of a mapping
  FoundItem found;          //
  std::uint64_t index = 0;  // of a list
};

// The container's entry in the object table; the root's too where it is not there yet. Code::gone if there is none.
Result<format::ObjectEntry> find_entry(const heap::View& view, const tree::ObjectTable& objects, format::ObjectId id);

// The place of `key` in a container: of a mapping any key, of a list an index, from its end if negative. `buffer` must
// outlive the place's use. Code::type if this can be no key.
Result<void> find_place(const heap::View& view, format::ObjectId id, const format::ObjectEntry& entry,
                        const format::Value& key, format::KeyBuffer& buffer, std::uint64_t hash_seed, Place& out);
// The same of a mapping, for a key that is encoded already.
Result<void> find_encoded(const heap::View& view, format::ObjectId id, const format::ObjectEntry& entry,
                          const format::EncodedKey& key, std::uint64_t hash_seed, Place& out);
Error outside_list(const Place& place);

// The id in the payload of a container.
inline format::ObjectId container_in(Bytes payload) {
  format::ObjectId id;
  std::memcpy(&id.value, payload.data(), sizeof id.value);
  return id;
}

class Edit {
 public:
  Edit(heap::Build& build, commit::Draft& draft, std::uint64_t hash_seed, Ids& ids)
      : build_(&build), draft_(&draft), hash_seed_(hash_seed), ids_(&ids) {}

  heap::Build& build() const { return *build_; }
  const heap::View& view() const { return build_->view(); }
  std::uint64_t hash_seed() const { return hash_seed_; }
  Ids& ids() const { return *ids_; }

  // --- Containers
  // Code::gone if there is no such container (any more), Code::type if it is of another type than `expected`.
  Result<format::ObjectEntry> entry_of(format::ObjectId id) const;
  Result<void> set_entry(format::ObjectId id, const format::ObjectEntry& entry);
  // A new container, named by nobody yet.
  Result<void> add_container(format::ObjectId id, const format::ObjectEntry& entry);
  // It is named once more, or once less.
  Result<void> link(format::ObjectId id);
  Result<void> unlink(format::ObjectId id);
  // For who empties an orphan (object/orphans.h): its entry, also when a part of it is gone, so that entry_of answers
  // Code::gone.
  Result<format::ObjectEntry> entry_of_orphan(format::ObjectId id) const;
  // An orphan begins at `root` now, and lacks what was before that. From this commit on it is nobody else's.
  Result<void> set_emptied(format::ObjectId id, Offset root);
  // Removes an orphan with nothing in it.
  Result<void> remove_container(format::ObjectId id);
  // Containers that nobody names since this edit.
  std::vector<format::ObjectId> take_orphans() { return std::move(orphans_); }

  // What is no longer wanted, with all below it, goes to a container of its own that nobody names: emptying it may take
  // many commits.
  Result<void> leave_to_orphan(format::ContainerType type, Offset root);
  // Drops up to `budget` entries of what begins at `root`, with what they name, and answers where the rest begins.
  // `budget`, which is not 0, becomes less by their number. Code::corruption if there are none.
  Result<Offset> drop_first(format::ContainerType type, Offset root, std::uint64_t& budget);
  // The container begins at `root` now; `entry` is what was found of it.
  Result<void> set_root(format::ObjectId id, const format::ObjectEntry& entry, Offset root);

  // --- Places
  Result<void> find(format::ObjectId id, const format::Value& key, format::KeyBuffer& buffer, Place& out);
  Result<void> put(Place& place, const Payload& value);
  Result<void> erase(Place& place);
  // Is this very container there already?
  static bool holds(const Place& place, const Payload& value);

  // --- Lists
  Result<format::Word> make_word(const Payload& value);
  // What a word names besides itself is no longer part of the store.
  Result<void> drop_word(format::Word word);
  // Puts `words` into the place of `count` elements from `index` on. The old ones are dropped.
  Result<Offset> splice(Offset root, std::uint64_t index, std::uint64_t count, std::span<const format::Word> words);

 private:
  heap::Build* build_;
  commit::Draft* draft_;
  std::uint64_t hash_seed_;
  Ids* ids_;
  std::vector<format::ObjectId> orphans_;
  bool links_changed_ = false;

  Result<Offset> drop_first_of_list(Offset root, std::uint64_t& budget);
  Result<Offset> drop_first_of_table(Offset root, std::uint64_t& budget);
};

}  // namespace utan::object
