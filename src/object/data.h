// Data: plain data in one piece, as it is to be stored. A value, or dicts, lists, collections and tables of values.
//
// It is built front to back, by what a walk over the user's objects meets in turn, and read as a flat list of items in
// the same order; so nothing here or behind it needs recursion, however deep the data is:
//
//     {"name": "auk", "eggs": [1, 2]}      begin 0 dict, "name", "auk", "eggs", begin 1 list, 1, 2, end 1, end 0
//
// In a dict, a collection or a table, keys and values alternate. Each container has a number, counted from 0 in the order
// in which they begin; `add_part` says that a container stands in another place, too: it is shared, or, as long as it is
// still open, contained in itself.
//
// Ownership: everything given is copied; what items() points to lives as long as the Data, or until clear().
// Errors leave the Data as it was and name the place: "key at ['birds'][3]: NaN cannot be a key: it equals nothing".
// Thread safety: none while it is built; then any number of readers. Complexity: O(1) per call and the copy; 24 bytes an
// item beside the bytes of its value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "format/key.h"
#include "format/value.h"
#include "format/word.h"
#include "object/arena.h"

namespace utan::object {

// So many containers may be open at once.
inline constexpr std::size_t data_depth_max = 10'000;

class Data {
 public:
  enum class Kind : std::uint8_t { value, begin, end, part };
  struct Item {
    Kind kind = Kind::value;
    format::ContainerType type = format::ContainerType::none;  // of begin, end and part
    format::Tag tag = format::Tag::null;                       // of value
    std::uint32_t number = 0;                                  // of the container; of begin, end and part
    std::uint64_t word = 0;  // of value: its bits, or the address of its bytes or elements
    std::uint64_t size = 0;  // of value: how many of them; of begin: how many entries or elements there are

    // Of value: a key, an element or the value of a key.
    format::Value value() const;
  };

  // A key or its value in turn; the next element in a list; at the top, all there is.
  // Code::type: what cannot be a key where one is due (NaN, a container), or a tuple elsewhere. Code::too_large: over
  // key_size_max or value_size_max. Code::invalid: everything is there already. A value of tag container is a link to a
  // container that the store has already.
  Result<void> add(const format::Value& value) {
    // Within a container: what can be a key and a value, or where none but a value may come, what has no bytes.
    const bool is_usual = format::is_text(value.tag) ? value.bytes.size() <= format::key_size_max
                                                     : !format::has_bytes(value.tag) && !key_due();
    if (open_.empty() || !is_usual) [[unlikely]]
      return add_carefully(value);
    put_value(value);
    return {};
  }
  // A container begins here; answers its number. Code::type where a key is due; Code::too_large beyond data_depth_max;
  // Code::invalid: `type` is none, or everything is there already.
  Result<std::uint32_t> begin(format::ContainerType type);
  // The innermost open container ends. Code::invalid if there is none, or if its last key has no value.
  Result<void> end();
  // Container `number` once more. Code::type where a key is due; Code::invalid if none has that number.
  Result<void> add_part(std::uint32_t number);

  // One thing stands at the top, and everything is closed.
  bool complete() const { return open_.empty() && !items_.empty(); }
  std::span<const Item> items() const { return items_; }
  std::uint32_t container_count() const { return static_cast<std::uint32_t>(types_.size()); }
  // How many containers are open.
  std::size_t depth() const { return open_.size(); }
  // Where the next value comes, as one would write it: "['birds'][3]". Empty at the top. Where a key is due, the place
  // of its container. The middle of a very long path is left out.
  std::string path() const;
  // Where an item stands, for messages: "value at ['birds'][3]", "key at the top". O(items before it).
  std::string place_of(std::size_t item) const;

  void clear();

 private:
  struct Open {
    format::ContainerType type;
    std::uint32_t number;
    bool key_due;
    std::size_t begin;    // the item with which it begins
    std::size_t key;      // the item of the last key, unless one is due
    std::uint64_t count;  // of what is in it, values of keys as well

    // Item `index` is the next in it.
    void has_item(std::size_t index) {
      if (key_due) {
        key_due = false;
        key = index;
      } else {
        key_due = type != format::ContainerType::list;
        ++count;
      }
    }
  };

  bool key_due() const { return !open_.empty() && open_.back().key_due; }
  // What `open` is behind the item.
  static void follow(std::vector<Open>& open, const Item& item, std::size_t index);
  std::string path_to(const std::vector<Open>& open) const;
  std::string place_in(const std::vector<Open>& open) const;
  // An error about what would come next.
  Error failed(Code code, const std::string& why) const;
  // Whether anything may come next, and a container where `container` is true.
  Result<void> check_room(bool container) const;
  Result<void> check_value(const format::Value& value);
  Result<void> add_carefully(const format::Value& value);
  void put(const Item& item);
  void put_value(const format::Value& value) {
    std::uint64_t word = value.bits;
    std::uint64_t size = value.bytes.size();
    if (value.tag == format::Tag::tuple) {
      const format::Value kept = arena_.keep(value);
      word = reinterpret_cast<std::uintptr_t>(kept.elements);
      size = kept.element_count;
    } else if (size != 0) {
      word = reinterpret_cast<std::uintptr_t>(arena_.keep_bytes(value.bytes).data());
    }
    items_.push_back({.tag = value.tag, .word = word, .size = size});
    if (!open_.empty()) open_.back().has_item(items_.size() - 1);
  }

  std::vector<Item> items_;
  std::vector<Open> open_;
  std::vector<format::ContainerType> types_;  // by number
  Arena arena_;
  format::KeyBuffer key_buffer_;
};

inline format::Value Data::Item::value() const {
  format::Value out;
  out.tag = tag;
  if (tag == format::Tag::tuple) {
    out.elements = reinterpret_cast<const format::Value*>(static_cast<std::uintptr_t>(word));
    out.element_count = size;
  } else if (format::has_bytes(tag)) {
    if (size != 0) out.bytes = {reinterpret_cast<const std::byte*>(static_cast<std::uintptr_t>(word)), size};
  } else {
    out.bits = word;
  }
  return out;
}

}  // namespace utan::object
