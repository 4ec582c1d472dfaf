// Input: data becomes containers.
#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/interruption.h"
#include "object/container.h"
#include "object/edit.h"
#include "tree/positional.h"

namespace utan::object {

using format::ContainerType;
using format::ObjectEntry;
using format::ObjectId;
using format::Tag;
using format::Value;

// Goes over data once, front to back: a container is built when it ends, from what was collected since it began.
class InputMaker {
 public:
  InputMaker(Input& input, Edit& edit) : input_(input), parts_(input.make_parts()), edit_(edit) {}

  Result<void> run(const Data& data, bool contents_only) {
    contents_only_ = contents_only;
    made_ = {parts_.memory.room_for<NewContainer>(data.container_count()), data.container_count()};
    for (NewContainer& container : made_) {
      std::construct_at(&container);
      // The outermost one has no name if only what is in it is wanted.
      if (contents_only && &container == made_.data()) continue;
      UTAN_ASSIGN(container.id, edit_.ids().take());
    }
    for (std::span<const Data::Item> rest = data.items(); !rest.empty();) {
      const std::span<const Data::Item> next = rest.first(std::min(rest.size(), items_per_question));
      for (const Data::Item& item : next) {
        if (item.kind == Data::Kind::value && top_ != nullptr) [[likely]] {
          UTAN_TRY(take(item));
        } else {
          UTAN_TRY(take_other(item));
        }
      }
      rest = rest.subspan(next.size());
      if (!rest.empty() && is_interrupted()) return interruption();
    }
    parts_.containers = made_.subspan(contents_only ? 1 : 0);
    return {};
  }

 private:
  // A container that has begun: as many entries or elements as it is said to have find room.
  struct Open {
    Open* outer;
    ContainerType type;
    std::uint32_t number;
    bool has_key = false;         // the last item lacks its value
    bool has_containers = false;  // among the values of keys
    NewItem* items = nullptr;
    format::Word* words = nullptr;
    std::size_t count = 0;
  };

  // The payload of a value that is no tuple. It lies where the data has it.
  static Payload payload_of(const Data::Item& item) {
    static constexpr std::array truth{std::byte{0}, std::byte{1}};
    if (format::has_bytes(item.tag)) {
      return {item.tag, Bytes(reinterpret_cast<const std::byte*>(static_cast<std::uintptr_t>(item.word)), item.size)};
    }
    if (item.tag == Tag::null) return {item.tag, {}};
    if (item.tag == Tag::boolean) return {item.tag, Bytes(&truth[item.word != 0 ? 1 : 0], 1)};
    return {item.tag, std::as_bytes(std::span(&item.word, 1))};
  }

  static Payload payload_of(const ObjectId& id) { return {Tag::container, std::as_bytes(std::span(&id.value, 1))}; }

  // The next element, key, or value of a key.
  Result<void> take(const Data::Item& item) {
    Open& open = *top_;
    if (open.type == ContainerType::list) {
      const format::Word word = format::Word::make(format::WordKind::integer, item.word);
      if (item.tag != Tag::integer || word.signed_payload() != static_cast<std::int64_t>(item.word))
        return take_element(payload_of(item));
      std::construct_at(&open.words[open.count++], word);
      return {};
    }
    if (open.has_key) {
      set_value(payload_of(item));
      return {};
    }
    open.has_key = true;
    if (format::is_text(item.tag)) [[likely]] {
      std::construct_at(&open.items[open.count++], NewItem{item.tag, payload_of(item).bytes, Tag::null, {}});
      return {};
    }
    const Value value = item.value();
    UTAN_ASSIGN(const format::EncodedKey key, keys_.encode(value));
    Bytes bytes = key.bytes;
    if (bytes.data() != value.bytes.data()) {
      auto* const kept = parts_.memory.room_for<std::byte>(bytes.size());
      std::ranges::copy(bytes, kept);
      bytes = {kept, bytes.size()};
    }
    std::construct_at(&open.items[open.count++], NewItem{key.tag, bytes, Tag::null, {}});
    return {};
  }

  // The value of the last key.
  void set_value(const Payload& payload) {
    top_->has_key = false;
    top_->has_containers = top_->has_containers || payload.tag == Tag::container;
    NewItem& item = top_->items[top_->count - 1];
    item.value_tag = payload.tag;
    item.value = payload.bytes;
  }

  Result<void> take_element(const Payload& payload) {
    if (payload.tag == Tag::container) count(payload);
    UTAN_ASSIGN(const format::Word word, edit_.make_word(payload));
    std::construct_at(&top_->words[top_->count++], word);
    return {};
  }

  // A container begins or ends, stands here once more, or a single value is all there is.
  Result<void> take_other(const Data::Item& item) {
    switch (item.kind) {
      case Data::Kind::begin:
        top_ = std::construct_at(parts_.memory.room_for<Open>(1), Open{top_, item.type, item.number});
        if (item.type == ContainerType::list) {
          top_->words = parts_.memory.room_for<format::Word>(item.size);
        } else {
          top_->items = parts_.memory.room_for<NewItem>(item.size);
        }
        return {};
      case Data::Kind::end:
        return close();
      case Data::Kind::part:
        if (contents_only_ && item.number == 0)
          return Error(Code::invalid, "data that refers to itself can be stored whole, not merged into a container");
        return take_container(payload_of(made_[item.number].id));
      default:
        if (item.tag == Tag::container) return take_container(payload_of(item));
        input_.payload_ = payload_of(item);
        return {};
    }
  }

  // A container that is an element, the value of a key, or the whole.
  Result<void> take_container(const Payload& payload) {
    if (top_ == nullptr) {
      count(payload);
      input_.payload_ = payload;
      return {};
    }
    if (top_->type == ContainerType::list) return take_element(payload);
    set_value(payload);
    return {};
  }

  static format::EncodedKey key_of(const NewItem& item) { return format::made_key(item.key_tag, item.key); }

  // A key with the first of what is compared, which mostly tells it from others.
  struct Ranked {
    std::uint64_t head;
    const NewItem* item;

    // Negative, zero or positive.
    int compare(const Ranked& other) const {
      if (head != other.head) [[likely]]
        return head < other.head ? -1 : 1;
      return format::compare_keys(key_of(*item), key_of(*other.item));
    }
  };
  static Ranked rank(const NewItem& item) { return {format::head_of_key(key_of(item)), &item}; }

  // In order, and of equal keys the last value with the first spelling, as in a dict.
  Result<void> put_in_order(std::span<NewItem>& items) {
    if (items.size() <= few) {
      put_few_in_order(items);
      return {};
    }
    Ranked before = rank(items.front());
    bool in_order = true;
    for (std::size_t i = 1; i < items.size() && in_order; ++i) {
      const Ranked next = rank(items[i]);
      in_order = before.compare(next) < 0;
      before = next;
    }
    return in_order ? Result<void>{} : sort(items);
  }

  // Sorts parts that lie in the processor's cache, and merges them, so that one may give up in between. Ranks are moved, which
  // are a quarter of an item; of equal keys the earlier item is first.
  Result<void> sort(std::span<NewItem>& items) {
    constexpr std::size_t part_size = 1 << 14;
    const auto is_before = [](const Ranked& a, const Ranked& b) {
      const int order = a.compare(b);
      return order != 0 ? order < 0 : a.item < b.item;
    };
    std::vector<Ranked> ranked;
    ranked.reserve(items.size());
    for (const NewItem& item : items) ranked.push_back(rank(item));
    const auto at = [&ranked](std::size_t index) {
      return ranked.begin() + static_cast<std::ptrdiff_t>(std::min(index, ranked.size()));
    };
    for (std::size_t begin = 0; begin < ranked.size(); begin += part_size) {
      if (is_interrupted()) return interruption();
      std::sort(at(begin), at(begin + part_size), is_before);
    }
    for (std::size_t size = part_size; size < ranked.size(); size *= 2) {
      for (std::size_t begin = 0; begin + size < ranked.size(); begin += 2 * size) {
        if (is_interrupted()) return interruption();
        std::inplace_merge(at(begin), at(begin + size), at(begin + 2 * size), is_before);
      }
    }
    auto* const sorted = parts_.memory.room_for<NewItem>(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (patience_.is_over()) [[unlikely]]
        return interruption();
      std::construct_at(sorted + i, *ranked[i].item);
    }
    items = {sorted, items.size()};
    merge_equal(items);
    return {};
  }

  // A document's fields, by insertion.
  void put_few_in_order(std::span<NewItem>& items) {
    std::array<Ranked, few> ranked;
    bool in_order = true;
    bool has_equal = false;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Ranked next = rank(items[i]);
      std::size_t at = i;
      for (; at > 0; --at) {
        const int order = ranked[at - 1].compare(next);
        has_equal = has_equal || order == 0;
        if (order <= 0) break;
        ranked[at] = ranked[at - 1];
      }
      in_order = in_order && at == i;
      ranked[at] = next;
    }
    if (!in_order) {
      auto* const sorted = parts_.memory.room_for<NewItem>(items.size());
      for (std::size_t i = 0; i < items.size(); ++i) std::construct_at(sorted + i, *ranked[i].item);
      items = {sorted, items.size()};
    }
    if (has_equal) merge_equal(items);
  }

  static void merge_equal(std::span<NewItem>& items) {
    std::size_t kept = 0;
    for (const NewItem& item : items) {
      if (kept > 0 && rank(items[kept - 1]).compare(rank(item)) == 0) {
        items[kept - 1].value_tag = item.value_tag;
        items[kept - 1].value = item.value;
      } else {
        items[kept++] = item;
      }
    }
    items = items.first(kept);
  }

  Result<void> close() {
    const Open& open = *top_;
    const bool is_list = open.type == ContainerType::list;
    std::span<NewItem> items(open.items, is_list ? 0 : open.count);
    const std::span<const format::Word> words(open.words, is_list ? open.count : 0);
    UTAN_TRY(put_in_order(items));
    if (open.has_containers) {
      for (const NewItem& item : items) {
        if (item.value_tag == Tag::container) count({item.value_tag, item.value});
      }
    }
    top_ = open.outer;
    if (top_ == nullptr && contents_only_) {
      parts_.items = items;
      parts_.words = words;
      return {};
    }
    Offset root;
    if (is_list) {
      UTAN_ASSIGN(root, tree::list_load(edit_.build(), words));
    } else {
      UTAN_ASSIGN(root, load_mapping(edit_.build(), open.type, items, edit_.hash_seed()));
    }
    NewContainer& made = made_[open.number];
    made.entry.root = root.value;
    made.entry.what = ObjectEntry::make_what(made.id.generation(), open.type);
    return take_container(payload_of(made.id));
  }

  // Somebody names the container: one of those that are made, whose id lies among them, or one that was there.
  void count(const Payload& payload) {
    const auto begin = reinterpret_cast<std::uintptr_t>(made_.data());
    const auto distance = reinterpret_cast<std::uintptr_t>(payload.bytes.data()) - begin;
    if (distance < made_.size_bytes()) {
      ++made_[distance / sizeof(NewContainer)].entry.links;
    } else {
      parts_.links.push_back(container_in(payload.bytes));
    }
  }

  static constexpr std::size_t few = 16;
  static constexpr std::size_t items_per_question = 1024;

  Input& input_;
  Input::Parts& parts_;
  Edit& edit_;
  bool contents_only_ = false;
  std::span<NewContainer> made_;  // by number
  Open* top_ = nullptr;           // the innermost that has not ended
  format::KeyBuffer keys_;
  Patience patience_;
};

bool Input::begin_making(const Edit& edit) {
  const std::uint64_t now = edit.build().beginning();
  if (std::exchange(made_in_, now) == now) return false;
  drop_parts();
  return true;
}

Result<void> Input::make(Edit& edit) {
  if (!begin_making(edit)) return {};
  if (data_ != nullptr) {
    if (!data_->complete()) return Error(Code::invalid, "the data is not complete: something in it has not ended");
    UTAN_TRY(InputMaker(*this, edit).run(*data_, false));
    edit.build().keep_made();
    edit.ids().keep();
  }
  UTAN_TRY(check_size(payload_));
  if (data_ != nullptr) return {};
  if (payload_.tag == Tag::container) {
    make_parts().links.push_back(container_in(payload_.bytes));
  } else if (payload_.tag == Tag::tuple) {
    return Error(Code::type, "a tuple can be a key, not a value");
  }
  return {};
}

Result<void> Input::make_contents(Edit& edit, ContainerType type) {
  if (!begin_making(edit)) return {};
  if (!data_->complete() || data_->items().front().kind != Data::Kind::begin)
    return Error(Code::invalid, "the data is not a whole container");
  const ContainerType given = data_->items().front().type;
  if ((given == ContainerType::list) != (type == ContainerType::list))
    return Error(Code::type,
                 std::string("the data is a ") + name_of(given) + ", which does not go into a " + name_of(type));
  UTAN_TRY(InputMaker(*this, edit).run(*data_, true));
  edit.build().keep_made();
  edit.ids().keep();
  return {};
}

Result<void> Input::add_parts_to(Edit& edit) const {
  for (const auto& [id, entry] : parts_->containers) UTAN_TRY(edit.add_container(id, entry));
  for (const ObjectId id : parts_->links) UTAN_TRY(edit.link(id));
  return {};
}

}  // namespace utan::object
