// Containers in the C interface.
#include <array>
#include <cstdlib>
#include <limits>
#include <span>
#include <vector>

#include "capi/handles.h"

using utan::Code;
using utan::Count;
using utan::Error;
using utan::Result;
using utan::capi::done;
using utan::capi::fail;
using utan::capi::found;
using utan::capi::Given;
using utan::capi::GivenInput;
using utan::capi::guarded;
using utan::capi::hand_over;
using utan::capi::not_found;
using utan::capi::type_of;
using utan::format::ContainerType;
using utan::format::Value;
using utan::object::Container;
using utan::object::Input;
using utan::object::Iterator;
using utan::object::Loan;

namespace {

// Nothing that was got before is left in a value that a call could not fill.
void clear(utan_value* value) {
  if (value != nullptr) *value = utan_value{};
}

// Hands over what was found: `ok` if it was.
utan_code hand_over_found(const Result<bool>& result, Loan loan, const utan_container* from, utan_value* out) {
  if (!result.ok()) return fail(result.error());
  if (!result.value()) return not_found();
  if (out != nullptr) hand_over(std::move(loan), from->container, out);
  return UTAN_OK;
}

// Hands over an entry. If there is no memory for both, neither is.
void hand_over_entry(Loan key_loan, Loan value_loan, const Container& from, utan_value* key, utan_value* value) {
  if (key != nullptr) hand_over(std::move(key_loan), from, key);
  try {
    if (value != nullptr) hand_over(std::move(value_loan), from, value);
  } catch (...) {
    if (key != nullptr) utan_value_release(key);
    clear(key);
    clear(value);
    throw;
  }
}

// What was handed over, until the end of a call.
struct Handed {
  utan_value value{};
  Handed() = default;
  Handed(const Handed&) = delete;
  Handed& operator=(const Handed&) = delete;
  ~Handed() { utan_value_release(&value); }
};

utan_code give(Result<std::unique_ptr<Container>> opened, utan_container** out) {
  if (!opened.ok()) return fail(opened.error());
  *out = new utan_container{std::move(*opened.value())};
  return UTAN_OK;
}

utan_code no_type(std::uint32_t type) {
  const std::string message = "there is no type " + std::to_string(type) + " of containers";
  return fail(Code::invalid, message.c_str());
}

// Runs `body(Container&, const Value& key)`.
template <class Body>
utan_code with_key(utan_container* container, const utan_value* key, Body&& body) {
  return guarded([&]() -> utan_code {
    Given given;
    const Result<Value> value = given.value(key, nullptr);
    if (!value.ok()) return fail(value.error());
    return body(container->container, value.value());
  });
}

// Runs `body(Container&, const Value& key, Input&)`.
template <class Body>
utan_code with_key_and_value(utan_container* container, const utan_value* key, const utan_value* value, Body&& body) {
  return with_key(container, key, [&](Container& at, const Value& plain_key) -> utan_code {
    GivenInput given;
    Result<Input*> input = given.input(value, at.attachment());
    if (!input.ok()) return fail(input.error());
    return body(at, plain_key, *input.value());
  });
}

template <class Body>
utan_code with_value(utan_container* container, const utan_value* value, Body&& body) {
  return guarded([&]() -> utan_code {
    GivenInput given;
    Result<Input*> input = given.input(value, container->container.attachment());
    if (!input.ok()) return fail(input.error());
    return body(container->container, *input.value());
  });
}

// The keys of a path.
class GivenPath {
 public:
  Result<std::span<const Value>> path(const utan_value* keys, std::size_t count) {
    if (count > near_.size()) far_.resize(count);
    const std::span<Value> path = count > near_.size() ? std::span<Value>(far_) : std::span(near_).first(count);
    for (std::size_t i = 0; i < count; ++i) {
      UTAN_ASSIGN(path[i], given_.value(keys + i, nullptr));
    }
    return std::span<const Value>(path);
  }

 private:
  Given given_;
  std::array<Value, 4> near_;  // of a short path, as most are
  std::vector<Value> far_;
};

class GivenRange {
 public:
  Result<utan::object::IteratorOptions> options(const utan_range* range) {
    utan::object::IteratorOptions out;
    if (range == nullptr) return out;
    if (range->struct_size < sizeof(std::size_t)) return Error(Code::invalid, "range.struct_size is not set");
    utan_range given{};
    std::memcpy(&given, range, std::min(range->struct_size, sizeof given));
    UTAN_TRY(bound(given.low, out.range.low));
    UTAN_TRY(bound(given.high, out.range.high));
    UTAN_TRY(bound(given.prefix, out.range.prefix));
    out.range.low_inclusive = given.low_exclusive == 0;
    out.range.high_inclusive = given.high_inclusive != 0;
    out.reverse = given.reverse != 0;
    out.skip = given.skip;
    if (given.limit != 0) out.limit = given.limit;
    return out;
  }

 private:
  Result<void> bound(const utan_value* key, std::optional<Value>& out) {
    if (key == nullptr) return {};
    UTAN_ASSIGN(out, given_.value(key, nullptr));
    return {};
  }
  Given given_;
};

utan_code nearest(utan_container* container, Container::Where where, const Value* key, utan_value* found_key,
                  utan_value* value) {
  Loan key_loan;
  Loan value_loan;
  const Result<bool> there = container->container.nearest(where, key, key_loan, value_loan);
  clear(found_key);
  clear(value);
  if (!there.ok() || !there.value()) return found(there);
  hand_over_entry(std::move(key_loan), std::move(value_loan), container->container, found_key, value);
  return UTAN_OK;
}

}  // namespace

extern "C" {

utan_code utan_root(utan_store* store, utan_container** container) {
  return guarded([&]() -> utan_code {
    *container = nullptr;
    *container = new utan_container{std::move(*store->store->root())};
    return UTAN_OK;
  });
}

utan_code utan_named(utan_store* store, const void* name, size_t name_size, uint32_t type, int create,
                     utan_container** container) {
  return guarded([&]() -> utan_code {
    *container = nullptr;
    const ContainerType wanted = type_of(type);
    if (wanted == ContainerType::none) return no_type(type);
    return give(store->store->container({static_cast<const char*>(name), name_size}, wanted, create != 0), container);
  });
}

utan_code utan_new(utan_store* store, uint32_t type, const utan_data* data, utan_container** container) {
  return guarded([&]() -> utan_code {
    *container = nullptr;
    const ContainerType wanted = type_of(type);
    if (wanted == ContainerType::none) return no_type(type);
    if (data != nullptr) {
      const Result<void> checked = utan::capi::check_store(*data, store->store->attachment());
      if (!checked.ok()) return fail(checked.error());
    }
    return give(store->store->create_container(wanted, data == nullptr ? nullptr : &data->data), container);
  });
}

utan_code utan_container_open(utan_store* store, uint64_t id, utan_container** container) {
  return guarded([&]() -> utan_code {
    *container = nullptr;
    return give(store->store->open_container(utan::format::ObjectId{id}), container);
  });
}

void utan_container_close(utan_container* container) { delete container; }

utan_code utan_container_in(utan_container* container, utan_store* store, utan_container** out) {
  return guarded([&]() -> utan_code {
    *out = nullptr;
    return give(store->store->view_of(container->container), out);
  });
}

uint64_t utan_container_id(const utan_container* container) { return container->container.id().value; }

uint32_t utan_container_type(const utan_container* container) {
  return static_cast<std::uint32_t>(container->container.type());
}

utan_code utan_get(utan_container* container, const utan_value* key, utan_value* value) {
  if (const utan_code quick = utan::capi::get_quickly(container, key, 1, value); quick != utan::capi::unusual)
      [[likely]]
    return quick;
  return with_key(container, key, [&](Container& at, const Value& plain_key) -> utan_code {
    clear(value);
    Loan loan;
    const Result<bool> there = at.get(plain_key, loan);
    return hand_over_found(there, std::move(loan), container, value);
  });
}

utan_code utan_contains(utan_container* container, const utan_value* key) {
  if (const utan_code quick = utan::capi::contains_quickly(container, key); quick != utan::capi::unusual) [[likely]]
    return quick;
  return with_key(container, key,
                  [&](Container& at, const Value& plain_key) -> utan_code { return found(at.contains(plain_key)); });
}

utan_code utan_count(utan_container* container, uint64_t* count) {
  return guarded([&]() -> utan_code {
    const Result<Count> counted = container->container.count();
    if (!counted.ok()) return fail(counted.error());
    *count = counted->value;
    return UTAN_OK;
  });
}

utan_code utan_set(utan_container* container, const utan_value* key, const utan_value* value) {
  return with_key_and_value(container, key, value, [](Container& at, const Value& plain_key, Input& input) {
    return done(at.set(plain_key, input));
  });
}

utan_code utan_add(utan_container* container, const utan_value* key, const utan_value* value) {
  return with_key_and_value(container, key, value, [](Container& at, const Value& plain_key, Input& input) {
    const Result<bool> added = at.add(plain_key, input);
    if (!added.ok()) return fail(added.error());
    return added.value() ? UTAN_OK : fail(Code::exists, "the key is there already");
  });
}

utan_code utan_replace(utan_container* container, const utan_value* key, const utan_value* expected,
                       const utan_value* value) {
  return with_key_and_value(container, key, value, [&](Container& at, const Value& plain_key, Input& input) {
    Given given;
    const Result<Value> before = given.value(expected, &at.attachment());
    if (!before.ok()) return fail(before.error());
    return found(at.replace(plain_key, before.value(), input));
  });
}

utan_code utan_erase(utan_container* container, const utan_value* key) {
  return with_key(container, key,
                  [&](Container& at, const Value& plain_key) -> utan_code { return found(at.erase(plain_key)); });
}

utan_code utan_pop(utan_container* container, const utan_value* key, utan_value* value) {
  return with_key(container, key, [&](Container& at, const Value& plain_key) -> utan_code {
    clear(value);
    Loan loan;
    const Result<bool> there = at.pop(plain_key, loan);
    return hand_over_found(there, std::move(loan), container, value);
  });
}

utan_code utan_set_default(utan_container* container, const utan_value* key, const utan_value* value, utan_value* out,
                           int* added) {
  return with_key_and_value(container, key, value, [&](Container& at, const Value& plain_key, Input& input) {
    clear(out);
    Loan loan;
    const Result<bool> set = at.set_default(plain_key, input, loan);
    if (!set.ok()) return fail(set.error());
    if (added != nullptr) *added = set.value() ? 1 : 0;
    if (out != nullptr) hand_over(std::move(loan), at, out);
    return utan_code{UTAN_OK};
  });
}

utan_code utan_increase(utan_container* container, const utan_value* key, const utan_value* by, utan_value* sum) {
  return with_key(container, key, [&](Container& at, const Value& plain_key) -> utan_code {
    clear(sum);
    Given given;
    const Result<Value> addend = given.value(by, nullptr);
    if (!addend.ok()) return fail(addend.error());
    Loan loan;
    const Result<void> increased = at.increase(plain_key, addend.value(), loan);
    if (!increased.ok()) return fail(increased.error());
    if (sum != nullptr) hand_over(std::move(loan), at, sum);
    return UTAN_OK;
  });
}

utan_code utan_alter(utan_container* container, const utan_value* key, utan_change change, void* context,
                     utan_value* out) {
  return with_key(container, key, [&](Container& at, const Value& plain_key) -> utan_code {
    clear(out);
    for (;;) {
      Handed old;
      Loan loan;
      const Result<bool> there = at.get(plain_key, loan);
      if (!there.ok()) return fail(there.error());
      if (!there.value() && at.type() == ContainerType::list)
        return fail(Code::invalid, "the index is outside the list");
      if (there.value()) hand_over(std::move(loan), at, &old.value);
      utan_value now{};
      const utan_code answer = change(context, there.value() ? &old.value : nullptr, &now);
      if (answer != UTAN_OK) return answer;
      GivenInput given;
      Result<Input*> input = given.input(&now, at.attachment());
      if (!input.ok()) return fail(input.error());
      Given given_old;
      Loan put;
      const Result<bool> done = [&]() -> Result<bool> {
        if (!there.value()) return at.add(plain_key, *input.value(), &put);
        UTAN_ASSIGN(const Value expected, given_old.value(&old.value, &at.attachment()));
        return at.replace(plain_key, expected, *input.value(), &put);
      }();
      if (!done.ok()) return fail(done.error());
      if (!done.value()) continue;  // somebody was faster
      if (out != nullptr) hand_over(std::move(put), at, out);
      return UTAN_OK;
    }
  });
}

utan_code utan_clear(utan_container* container) {
  return guarded([&] { return done(container->container.clear()); });
}

utan_code utan_update(utan_container* container, const utan_data* data) {
  return guarded([&]() -> utan_code {
    const Result<void> checked = utan::capi::check_store(*data, container->container.attachment());
    return checked.ok() ? done(container->container.update(data->data)) : fail(checked.error());
  });
}

utan_code utan_assign(utan_container* container, const utan_data* data) {
  return guarded([&]() -> utan_code {
    const Result<void> checked = utan::capi::check_store(*data, container->container.attachment());
    return checked.ok() ? done(container->container.assign(data->data)) : fail(checked.error());
  });
}

utan_code utan_first(utan_container* container, utan_value* found_key, utan_value* value) {
  return guarded([&] { return nearest(container, Container::Where::first, nullptr, found_key, value); });
}

utan_code utan_last(utan_container* container, utan_value* found_key, utan_value* value) {
  return guarded([&] { return nearest(container, Container::Where::last, nullptr, found_key, value); });
}

utan_code utan_floor(utan_container* container, const utan_value* key, utan_value* found_key, utan_value* value) {
  return with_key(container, key, [&](Container&, const Value& plain_key) {
    return nearest(container, Container::Where::floor, &plain_key, found_key, value);
  });
}

utan_code utan_ceiling(utan_container* container, const utan_value* key, utan_value* found_key, utan_value* value) {
  return with_key(container, key, [&](Container&, const Value& plain_key) {
    return nearest(container, Container::Where::ceiling, &plain_key, found_key, value);
  });
}

utan_code utan_pop_last(utan_container* container, utan_value* key, utan_value* value) {
  return guarded([&]() -> utan_code {
    clear(key);
    clear(value);
    Loan key_loan;
    Loan value_loan;
    const Result<bool> there = container->container.pop_last(key_loan, value_loan);
    if (!there.ok() || !there.value()) return found(there);
    hand_over_entry(std::move(key_loan), std::move(value_loan), container->container, key, value);
    return UTAN_OK;
  });
}

utan_code utan_count_range(utan_container* container, const utan_range* range, uint64_t* count) {
  return guarded([&]() -> utan_code {
    GivenRange given;
    const Result<utan::object::IteratorOptions> options = given.options(range);
    if (!options.ok()) return fail(options.error());
    const Result<Count> counted = container->container.count_range(options->range);
    if (!counted.ok()) return fail(counted.error());
    *count = counted->value;
    return UTAN_OK;
  });
}

utan_code utan_delete_range(utan_container* container, const utan_range* range, uint64_t* count) {
  return guarded([&]() -> utan_code {
    GivenRange given;
    const Result<utan::object::IteratorOptions> options = given.options(range);
    if (!options.ok()) return fail(options.error());
    const Result<Count> deleted = container->container.delete_range(options->range);
    if (!deleted.ok()) return fail(deleted.error());
    if (count != nullptr) *count = deleted->value;
    return UTAN_OK;
  });
}

utan_code utan_insert(utan_container* list, int64_t index, const utan_value* value) {
  return with_value(list, value, [&](Container& at, Input& input) { return done(at.insert(index, input)); });
}

utan_code utan_append(utan_container* list, const utan_value* value) {
  return with_value(list, value, [](Container& at, Input& input) { return done(at.append(input)); });
}

utan_code utan_splice(utan_container* list, uint64_t index, uint64_t count, const utan_data* data) {
  return guarded([&]() -> utan_code {
    if (data != nullptr) {
      const Result<void> checked = utan::capi::check_store(*data, list->container.attachment());
      return checked.ok() ? done(list->container.splice(index, count, data->data)) : fail(checked.error());
    }
    utan::object::Data none;
    if (!none.begin(ContainerType::list).ok() || !none.end().ok()) return fail(Code::internal, "an empty list");
    return done(list->container.splice(index, count, none));
  });
}

utan_code utan_splice_unchanged(utan_container* list, const utan_container* seen, uint64_t index, uint64_t count,
                                const utan_data* data) {
  return guarded([&]() -> utan_code {
    const Result<void> checked = utan::capi::check_store(*data, list->container.attachment());
    if (!checked.ok()) return fail(checked.error());
    return found(list->container.splice_unchanged(seen->container, index, count, data->data));
  });
}

utan_code utan_get_at(utan_container* container, const utan_value* keys, size_t key_count, utan_value* value) {
  if (const utan_code quick = utan::capi::get_quickly(container, keys, key_count, value); quick != utan::capi::unusual)
      [[likely]]
    return quick;
  return guarded([&]() -> utan_code {
    clear(value);
    GivenPath given;
    const Result<std::span<const Value>> path = given.path(keys, key_count);
    if (!path.ok()) return fail(path.error());
    Loan loan;
    const Result<bool> there = container->container.get_at(path.value(), loan);
    return hand_over_found(there, std::move(loan), container, value);
  });
}

utan_code utan_set_at(utan_container* container, const utan_value* keys, size_t key_count, const utan_value* value,
                      int exist_ok) {
  return with_value(container, value, [&](Container& at, Input& input) -> utan_code {
    GivenPath given;
    const Result<std::span<const Value>> path = given.path(keys, key_count);
    if (!path.ok()) return fail(path.error());
    return done(at.set_at(path.value(), input, exist_ok != 0));
  });
}

utan_code utan_iterate(utan_container* container, const utan_range* range, utan_iterator** iterator) {
  return guarded([&]() -> utan_code {
    *iterator = nullptr;
    GivenRange given;
    const Result<utan::object::IteratorOptions> options = given.options(range);
    if (!options.ok()) return fail(options.error());
    auto out = std::make_unique<utan_iterator>();
    const Result<void> opened = out->over.emplace<Iterator>(container->container).open(options.value());
    if (!opened.ok()) return fail(opened.error());
    *iterator = out.release();
    return UTAN_OK;
  });
}

// All but the usual case.
[[gnu::noinline]] static utan_code next_slowly(utan_iterator* iterator, utan_value* key, utan_value* value) {
  return guarded([&]() -> utan_code {
    if (auto* const cursor = std::get_if<std::unique_ptr<utan::object::Cursor>>(&iterator->over)) {
      utan::object::Bytes found_key;
      utan::object::Bytes found_value;
      const Result<bool> more = (*cursor)->next(found_key, found_value);
      if (!more.ok() || !more.value()) {
        clear(key);
        clear(value);
        return found(more);
      }
      utan::capi::Tuples none;
      if (key != nullptr) utan::capi::show(Value::binary(found_key), none, key);
      if (value != nullptr) utan::capi::show(Value::binary(found_value), none, value);
      return UTAN_OK;
    }
    auto& over = std::get<Iterator>(iterator->over);
    Value found_key;
    Value found_value;
    const Result<bool> more = over.next(found_key, found_value);
    if (!more.ok() || !more.value()) [[unlikely]] {
      clear(key);
      clear(value);
      return found(more);
    }
    if (!iterator->tuples.empty()) iterator->tuples.clear();
    if (key != nullptr) utan::capi::show(found_key, iterator->tuples, key);
    if (value == nullptr) return UTAN_OK;
    if (found_value.tag != utan::format::Tag::container) {
      utan::capi::show(found_value, iterator->tuples, value);
      return UTAN_OK;
    }
    Result<Loan> lent = over.lend(found_value.as_container());
    if (!lent.ok()) return fail(lent.error());
    utan::capi::hand_over(std::move(lent).value(), over.attachment(), over.own_snapshot(), value);
    return UTAN_OK;
  });
}

utan_code utan_iterator_next(utan_iterator* iterator, utan_value* key, utan_value* value) {
  if (auto* const usual = std::get_if<Iterator>(&iterator->over); usual != nullptr && iterator->tuples.empty())
      [[likely]] {
    Value found_key;
    Value found_value;
    if (usual->next_quickly(found_key, found_value)) [[likely]] {
      if (key != nullptr) utan::capi::show_usual(found_key, key);
      if (value != nullptr) utan::capi::show_usual(found_value, value);
      return UTAN_OK;
    }
    if (usual->at_end()) {
      clear(key);
      clear(value);
      return not_found();
    }
  }
  return next_slowly(iterator, key, value);
}

void utan_iterator_close(utan_iterator* iterator) { delete iterator; }

utan_code utan_to_json(utan_container* container, uint32_t indent, char** text, size_t* size) {
  return guarded([&]() -> utan_code {
    *text = nullptr;
    utan::object::JsonOptions options;
    options.indent = indent;
    const Result<std::string> written = container->container.to_json(options);
    if (!written.ok()) return fail(written.error());
    auto* const copy = static_cast<char*>(std::malloc(written->size() + 1));
    if (copy == nullptr) return fail(Code::memory, "no memory for the text");
    std::memcpy(copy, written->c_str(), written->size() + 1);
    *text = copy;
    if (size != nullptr) *size = written->size();
    return UTAN_OK;
  });
}

void utan_text_free(char* text) { std::free(text); }

}  // extern "C"
