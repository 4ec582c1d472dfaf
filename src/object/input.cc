// Input: data becomes containers.
#include <algorithm>
#include <array>
#include <memory_resource>
#include <string>
#include <unordered_map>
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
  InputMaker(Input& input, Edit& edit)
      : input_(input), parts_(input.make_parts()), edit_(edit), memory_(parts_.memory.resource()) {}

  Result<void> run(const Data& data, bool contents_only) {
    contents_only_ = contents_only;
    ids_.resize(data.container_count());
    counts_.resize(ids_.size());
    parts_.containers.reserve(ids_.size());
    roots_.reserve(ids_.size());
    open_.reserve(std::min<std::size_t>(ids_.size(), few));
    // The outermost one has no name if only what is in it is wanted.
    for (std::size_t i = contents_only ? 1 : 0; i < ids_.size(); ++i) {
      UTAN_ASSIGN(ids_[i], edit_.ids().take());
      if (ids_.size() > few) numbers_.emplace(ids_[i].value, i);
    }
    for (const Data::Item& item : data.items()) {
      if (patience_.is_over()) [[unlikely]]
        return interruption();
      if (item.kind == Data::Kind::value && !open_.empty()) [[likely]] {
        UTAN_TRY(take(item));
      } else {
        UTAN_TRY(take_other(item));
      }
    }
    for (const auto& [number, entry] : roots_) {
      ObjectEntry counted = entry;
      counted.links = counts_[number];
      parts_.containers.emplace_back(ids_[number], counted);
    }
    return {};
  }

 private:
  struct Open {
    Open(ContainerType type_given, std::uint32_t number_given, std::pmr::memory_resource* memory)
        : type(type_given), number(number_given), items(memory), words(memory) {}
    ContainerType type;
    std::uint32_t number;
    bool has_key = false;  // the last item lacks its value
    std::pmr::vector<NewItem> items;
    std::pmr::vector<format::Word> words;
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

  static void set_value(NewItem& item, const Payload& payload) {
    item.value_tag = payload.tag;
    item.value = payload.bytes;
  }

  // The next element, key, or value of a key.
  Result<void> take(const Data::Item& item) {
    Open& open = open_.back();
    if (open.type == ContainerType::list) return take_element(open, payload_of(item));
    if (open.has_key) {
      open.has_key = false;
      set_value(open.items.back(), payload_of(item));
      return {};
    }
    open.has_key = true;
    NewItem& next = open.items.emplace_back();
    if (format::is_text(item.tag)) [[likely]] {
      next.key_tag = item.tag;
      next.key = payload_of(item).bytes;
      return {};
    }
    const Value value = item.value();
    UTAN_ASSIGN(const format::EncodedKey key, keys_.encode(value));
    next.key_tag = key.tag;
    next.key = key.bytes.data() == value.bytes.data() ? key.bytes : parts_.memory.keep(key.bytes);
    return {};
  }

  Result<void> take_element(Open& open, const Payload& payload) {
    if (payload.tag == Tag::container) count(container_in(payload.bytes));
    UTAN_ASSIGN(const format::Word word, edit_.make_word(payload));
    open.words.push_back(word);
    return {};
  }

  // A container begins or ends, stands here once more, or a single value is all there is.
  Result<void> take_other(const Data::Item& item) {
    switch (item.kind) {
      case Data::Kind::begin: {
        Open& open = open_.emplace_back(item.type, item.number, memory_);
        if (item.type == ContainerType::list) {
          open.words.reserve(item.size);
        } else {
          open.items.reserve(item.size);
        }
        return {};
      }
      case Data::Kind::end:
        return close();
      case Data::Kind::part:
        if (contents_only_ && item.number == 0)
          return Error(Code::invalid, "data that refers to itself can be stored whole, not merged into a container");
        return take_container(ids_[item.number]);
      default:
        if (item.tag == Tag::container) return take_container(format::ObjectId{item.word});
        input_.payload_ = payload_of(item);
        return {};
    }
  }

  // A container that is an element, the value of a key, or the whole.
  Result<void> take_container(ObjectId id) {
    const Payload payload{Tag::container, parts_.memory.keep(std::as_bytes(std::span(&id.value, 1)))};
    if (!open_.empty()) {
      Open& open = open_.back();
      if (open.type == ContainerType::list) return take_element(open, payload);
      open.has_key = false;
      set_value(open.items.back(), payload);
      return {};
    }
    count(id);
    input_.payload_ = payload;
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
  Result<void> put_in_order(std::pmr::vector<NewItem>& items) {
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
  Result<void> sort(std::pmr::vector<NewItem>& items) {
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
    std::pmr::vector<NewItem> sorted(memory_);
    sorted.reserve(items.size());
    for (const Ranked& one : ranked) {
      if (patience_.is_over()) [[unlikely]]
        return interruption();
      sorted.push_back(*one.item);
    }
    items = std::move(sorted);
    merge_equal(items);
    return {};
  }

  // A document's fields, by insertion.
  void put_few_in_order(std::pmr::vector<NewItem>& items) {
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
      std::pmr::vector<NewItem> sorted(memory_);
      sorted.reserve(items.size());
      for (std::size_t i = 0; i < items.size(); ++i) sorted.push_back(*ranked[i].item);
      items = std::move(sorted);
    }
    if (has_equal) merge_equal(items);
  }

  static void merge_equal(std::pmr::vector<NewItem>& items) {
    std::size_t kept = 0;
    for (const NewItem& item : items) {
      if (kept > 0 && rank(items[kept - 1]).compare(rank(item)) == 0) {
        items[kept - 1].value_tag = item.value_tag;
        items[kept - 1].value = item.value;
      } else {
        items[kept++] = item;
      }
    }
    items.resize(kept);
  }

  Result<void> close() {
    Open open = std::move(open_.back());
    open_.pop_back();
    const bool outermost = open_.empty();
    Offset root;
    if (open.type != ContainerType::list) {
      UTAN_TRY(put_in_order(open.items));
      for (const NewItem& item : open.items) {
        if (item.value_tag == Tag::container) count(container_in(item.value));
      }
    }
    if (outermost && contents_only_) {
      parts_.items = std::move(open.items);
      parts_.words = std::move(open.words);
      return {};
    }
    if (open.type == ContainerType::list) {
      UTAN_ASSIGN(root, tree::list_load(edit_.build(), open.words));
    } else {
      UTAN_ASSIGN(root, load_mapping(edit_.build(), open.type, open.items, edit_.hash_seed()));
    }
    const ObjectId id = ids_[open.number];
    roots_.emplace_back(open.number, ObjectEntry{root.value, ObjectEntry::make_what(id.generation(), open.type), 0});
    return take_container(id);
  }

  // Somebody names the container: one of those that are made, or one that was there.
  void count(ObjectId id) {
    std::size_t number = ids_.size();
    if (ids_.size() <= few) {
      number = static_cast<std::size_t>(std::ranges::find(ids_, id) - ids_.begin());
    } else if (const auto known = numbers_.find(id.value); known != numbers_.end()) {
      number = known->second;
    }
    if (number < ids_.size()) {
      ++counts_[number];
    } else {
      parts_.links.push_back(id);
    }
  }

  static constexpr std::size_t few = 16;

  Input& input_;
  Input::Parts& parts_;
  Edit& edit_;
  std::pmr::memory_resource* memory_;
  bool contents_only_ = false;
  std::pmr::vector<ObjectId> ids_{memory_};  // by number
  std::pmr::vector<Open> open_{memory_};
  std::pmr::vector<std::pair<std::uint32_t, ObjectEntry>> roots_{memory_};
  std::pmr::vector<std::uint32_t> counts_{memory_};         // by number: how often each new one is named
  std::unordered_map<std::uint64_t, std::size_t> numbers_;  // by id, if there are many
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
