// Input: data becomes containers.
#include <algorithm>
#include <array>
#include <memory_resource>
#include <string>
#include <unordered_map>
#include <utility>

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
      ids_[i] = edit_.ids().take();
      if (ids_.size() > few) numbers_.emplace(ids_[i].value, i);
    }
    for (const Data::Item& item : data.items()) {
      switch (item.kind) {
        case Data::Kind::value:
          UTAN_TRY(take(item.value()));
          break;
        case Data::Kind::part:
          if (contents_only && item.number == 0)
            return Error(Code::invalid, "data that refers to itself can be stored whole, not merged into a container");
          UTAN_TRY(take(Value::container(ids_[item.number])));
          break;
        case Data::Kind::begin:
          open_.emplace_back(item.type, item.number, memory_);
          if (item.type == ContainerType::list) {
            open_.back().words.reserve(item.size);
          } else {
            open_.back().items.reserve(item.size);
          }
          break;
        case Data::Kind::end:
          UTAN_TRY(close());
          break;
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
    std::pmr::vector<NewItem> items;
    std::pmr::vector<format::Word> words;
    format::EncodedKey key;
    bool has_key = false;
  };

  // Bytes that stay where they are as long as the input.
  Bytes keep(Bytes bytes) { return parts_.memory.keep(bytes); }

  // The next value: the whole, an element, a key, or what belongs to a key.
  Result<void> take(const Value& value) {
    std::array<std::byte, 8> scratch;
    if (open_.empty()) {
      if (value.tag == Tag::container) count(value.as_container());
      input_.payload_ = {value.tag, keep(format::to_payload(value, scratch))};
      return {};
    }
    Open& open = open_.back();
    if (open.type == ContainerType::list) {
      if (value.tag == Tag::container) count(value.as_container());
      UTAN_ASSIGN(const format::Word word, edit_.make_word(Payload{value.tag, format::to_payload(value, scratch)}));
      open.words.push_back(word);
      return {};
    }
    if (!open.has_key) {
      UTAN_ASSIGN(open.key, keys_.encode(value));
      if (open.key.bytes.data() != value.bytes.data()) {
        const std::size_t order_size = open.key.order.size();
        open.key.bytes = keep(open.key.bytes);
        open.key.order = open.key.bytes.first(order_size);
      }
      open.has_key = true;
      return {};
    }
    const Bytes payload = format::to_payload(value, scratch);
    open.items.push_back(
        NewItem{open.key, Payload{value.tag, payload.data() == scratch.data() ? keep(payload) : payload}});
    open.has_key = false;
    return {};
  }

  // In order, and of equal keys the last value with the first spelling, as in a dict.
  void put_in_order(std::pmr::vector<NewItem>& items) {
    const auto is_before = [](const NewItem& a, const NewItem& b) { return format::compare_keys(a.key, b.key) < 0; };
    const auto is_not_before = [&is_before](const NewItem& a, const NewItem& b) { return !is_before(a, b); };
    if (std::ranges::adjacent_find(items, is_not_before) == items.end()) return;
    if (items.size() <= few) {
      sort_few(items);
    } else {
      std::ranges::stable_sort(items, is_before);
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (kept > 0 && format::compare_keys(items[kept - 1].key, items[i].key) == 0) {
        items[kept - 1].value = items[i].value;
      } else {
        items[kept++] = items[i];
      }
    }
    items.resize(kept);
  }

  // A document's fields, by insertion of the heads of their keys, which mostly tell them apart.
  void sort_few(std::pmr::vector<NewItem>& items) {
    struct Ranked {
      std::uint64_t head;
      std::size_t item;
    };
    std::array<Ranked, few> ranked;
    const auto is_after = [&items](const Ranked& a, const Ranked& b) {
      if (a.head != b.head) [[likely]]
        return a.head > b.head;
      return format::compare_keys(items[a.item].key, items[b.item].key) > 0;
    };
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Ranked next{format::head_of_key(items[i].key), i};
      std::size_t at = i;
      for (; at > 0 && is_after(ranked[at - 1], next); --at) ranked[at] = ranked[at - 1];
      ranked[at] = next;
    }
    std::pmr::vector<NewItem> sorted(memory_);
    sorted.reserve(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) sorted.push_back(items[ranked[i].item]);
    items = std::move(sorted);
  }

  Result<void> close() {
    Open open = std::move(open_.back());
    open_.pop_back();
    const bool outermost = open_.empty();
    Offset root;
    if (open.type != ContainerType::list) {
      put_in_order(open.items);
      for (const NewItem& item : open.items) {
        if (item.value.tag == Tag::container) count(container_in(item.value.bytes));
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
    return take(Value::container(id));
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
};

Result<void> Input::make(Edit& edit) {
  if (made_) return {};
  made_ = true;
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
  if (made_) return {};
  made_ = true;
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

Result<void> Input::add_to(Edit& edit) const {
  if (!parts_) return {};
  for (const auto& [id, entry] : parts_->containers) UTAN_TRY(edit.add_container(id, entry));
  for (const ObjectId id : parts_->links) UTAN_TRY(edit.link(id));
  return {};
}

}  // namespace utan::object
