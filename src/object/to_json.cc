// A container and all below it as JSON. What is named in several places is written at each, as everybody's JSON does it. A few
// containers that each name the next one twice would make a text without end: so there is a limit to how many values are
// written (shared_value_count_max), which what is written once cannot reach.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/interruption.h"
#include "object/json.h"
#include "object/operation.h"
#include "tree/positional.h"

namespace utan::object {

using format::ObjectEntry;
using format::ObjectId;
using format::Tag;

namespace {

// So many values may be written beside those that fill the file.
constexpr std::uint64_t shared_value_count_max = 1'000'000;

// Walks from a container on, depth first, without recursion.
class JsonWalk {
 public:
  JsonWalk(const Reading& reading, JsonWriter& writer) : reading_(reading), writer_(writer) {}

  Result<void> run(ObjectId id) {
    UTAN_TRY(enter(id));
    Patience patience;
    while (!open_.empty()) {
      if (patience.is_over()) return interruption();
      UTAN_TRY(step());
    }
    return {};
  }

 private:
  // A container that is being written.
  struct Open {
    ObjectId id;
    std::optional<ItemCursor> items;
    std::optional<tree::ListCursor> elements;
    std::uint64_t values_size = 0;  // bytes of the list's values so far
  };

  Result<void> enter(ObjectId id) {
    if (std::ranges::any_of(open_, [id](const auto& open) { return open->id == id; }))
      return Error(Code::invalid, "a container that contains itself has no form in JSON");
    UTAN_ASSIGN(const ObjectEntry entry, reading_.entry_of(id));
    const Offset root{entry.root};
    auto open = std::make_unique<Open>();
    open->id = id;
    if (entry.type() == ContainerType::list) {
      UTAN_TRY(writer_.begin_list());
      open->elements.emplace(reading_.view(), root);
      UTAN_TRY(open->elements->seek(0));
    } else {
      UTAN_ASSIGN(const bool strings, has_strings_alone(Mapping{entry.type(), root}));
      UTAN_TRY(writer_.begin_mapping(strings));
      open->items.emplace(reading_.view(), Mapping{entry.type(), root});
      UTAN_TRY(open->items->seek_first());
    }
    open_.push_back(std::move(open));
    return {};
  }

  Result<bool> has_strings_alone(const Mapping& mapping) {
    ItemCursor cursor(reading_.view(), mapping);
    UTAN_TRY(cursor.seek_first());
    if (mapping.type == ContainerType::table) {
      while (cursor.valid()) {
        if (cursor.item().key_tag != Tag::string) return false;
        UTAN_TRY(cursor.next());
      }
      return true;
    }
    // Keys are in order, and strings stand together in it.
    if (!cursor.valid()) return true;
    if (cursor.item().key_tag != Tag::string) return false;
    UTAN_TRY(cursor.seek_last());
    return cursor.valid() && cursor.item().key_tag == Tag::string;
  }

  // The next value of the innermost container, or its end.
  Result<void> step() {
    Open& open = *open_.back();
    if (open.elements) {
      if (open.elements->at_end()) return leave();
      UTAN_ASSIGN(const Slot slot, slot_of(reading_.view(), open.elements->word()));
      // Each value has a block of its own, unless the words of a damaged list name the same ones again and again.
      open.values_size += slot.large() ? slot.stored.size : slot.value.bytes.size();
      if (open.values_size > reading_.view().size().value)
        return Error(Code::corruption, "the values of a list have more bytes than the file");
      UTAN_TRY(open.elements->next());
      return write(slot);
    }
    if (!open.items->valid()) return leave();
    const Item& item = open.items->item();
    UTAN_ASSIGN(const format::Value key, decoder_.decode(item.key_tag, item.key));
    UTAN_TRY(writer_.key(key));
    UTAN_ASSIGN(const Slot slot, slot_of(item.value));
    UTAN_TRY(open.items->next());
    return write(slot);
  }

  Result<void> leave() {
    open_.pop_back();
    return writer_.end();
  }

  Result<void> write(const Slot& slot) {
    // Each value that is stored takes more than one byte of the file.
    if (++value_count_ > reading_.view().size().value + shared_value_count_max)
      return Error(Code::too_large,
                   "the JSON text would have more than " + std::to_string(value_count_ - 1) +
                       " values: containers that are named in several places are written at each of them");
    if (slot.value.tag == Tag::container) return enter(slot.value.as_container());
    if (!slot.large()) return writer_.value(slot.value);
    UTAN_ASSIGN(const Loan copy, Loan::copied(reading_.view(), slot));
    return writer_.value(copy.value());
  }

  const Reading& reading_;
  JsonWriter& writer_;
  std::vector<std::unique_ptr<Open>> open_;
  format::KeyDecoder decoder_;
  std::uint64_t value_count_ = 0;
};

}  // namespace

Result<std::string> Container::to_json(const JsonOptions& options) const {
  return read([&](Reading& reading, const ObjectEntry&) -> Result<std::string> {
    std::string out;
    JsonWriter writer(out, options);
    UTAN_TRY(JsonWalk(reading, writer).run(id_));
    return out;
  });
}

}  // namespace utan::object
