// Values in and out of the C interface.
#include <cstdlib>
#include <optional>

#include "capi/handles.h"
#include "object/quick.h"
#include "object/table_get.h"

using utan::capi::fail;
using utan::format::Tag;
using utan::format::Value;
using utan::object::Loan;

static_assert(UTAN_NULL == static_cast<int>(Tag::null) && UTAN_BOOLEAN == static_cast<int>(Tag::boolean) &&
              UTAN_INTEGER == static_cast<int>(Tag::integer) &&
              UTAN_BIG_INTEGER == static_cast<int>(Tag::big_integer) && UTAN_REAL == static_cast<int>(Tag::real) &&
              UTAN_DATETIME == static_cast<int>(Tag::datetime) &&
              UTAN_DATETIME_UTC == static_cast<int>(Tag::datetime_utc) && UTAN_UUID == static_cast<int>(Tag::uuid) &&
              UTAN_BYTES == static_cast<int>(Tag::bytes) && UTAN_STRING == static_cast<int>(Tag::string) &&
              UTAN_TUPLE == static_cast<int>(Tag::tuple) && UTAN_CONTAINER == static_cast<int>(Tag::container) &&
              UTAN_EXTENDED == static_cast<int>(Tag::extended));

namespace utan::capi {

namespace {

// How the library's part of a utan_value is used.
enum ValueKind : std::uint64_t { value_free = 0, value_pinned = 1, value_copied = 2, value_lent = 3, value_handle = 4 };

// A value with parts of its own.
struct Lent {
  Loan loan;
  Tuples tuples;
};

constexpr std::size_t tuple_depth_max = 64;

using ValueTuples = std::vector<std::unique_ptr<Value[]>>;

Result<Value> tuple_of(const utan_value* given, std::size_t depth, ValueTuples& tuples);

Result<Value> plain_of(const utan_value* given, std::size_t depth, ValueTuples& tuples) {
  Value quick;
  if (plain_quickly(*given, quick)) return quick;
  switch (given->type) {
    case UTAN_BIG_INTEGER:
      if (given->size == 0) return Error(Code::invalid, "a big integer has at least one byte");
      return Value::big_integer(bytes(given->data, given->size));
    case UTAN_UUID:
      if (given->size != 16) return Error(Code::invalid, "a UUID has 16 bytes, not " + std::to_string(given->size));
      return Value::uuid(bytes(given->data, given->size));
    case UTAN_TUPLE:
      return tuple_of(given, depth, tuples);
    case UTAN_EXTENDED:
      return Value{Tag::extended, 0, bytes(given->data, given->size), nullptr, 0};
    default:
      return Error(Code::invalid, "a value has type " + std::to_string(given->type) + ", which there is not here");
  }
}

Result<Value> tuple_of(const utan_value* given, std::size_t depth, ValueTuples& tuples) {
  if (depth == tuple_depth_max) return Error(Code::too_large, "tuples are nested too deeply for a key");
  auto elements = std::make_unique<Value[]>(given->size);
  for (std::size_t i = 0; i < given->size; ++i) {
    UTAN_ASSIGN(elements[i], plain_of(given->elements + i, depth + 1, tuples));
  }
  return Value::tuple({tuples.emplace_back(std::move(elements)).get(), given->size});
}

}  // namespace

Result<Value> Given::value_of_other(const utan_value* given, const commit::Attachment* attachment) {
  if (given == nullptr) return Error(Code::invalid, "a value is missing: null was passed");
  if (given->type == UTAN_CONTAINER) {
    if (given->container == nullptr) return Error(Code::invalid, "a value is a container, but there is none");
    const object::Container& container = given->container->container;
    if (attachment != nullptr && &container.attachment() != attachment)
      return Error(Code::invalid, "a container of " + container.attachment().path() +
                                      " cannot be named in another store: copy its contents");
    return Value::container(container.id());
  }
  return plain_of(given, 0, tuples_);
}

Result<void> check_store(const utan_data& data, const commit::Attachment& attachment) {
  if (data.attachment == nullptr || data.attachment == &attachment) return {};
  return Error(Code::invalid, "the data names containers of another store than " + attachment.path());
}

Result<object::Input*> GivenInput::input(const utan_value* given, const commit::Attachment& attachment) {
  if (given != nullptr && given->type == UTAN_DATA) {
    if (given->plain == nullptr) return Error(Code::invalid, "a value is data, but there is none");
    UTAN_TRY(check_store(*given->plain, attachment));
    input_.is(given->plain->data);
  } else {
    UTAN_ASSIGN(const Value value, given_.value(given, &attachment));
    input_.is(value);
  }
  return &input_;
}

namespace {

// The value at the end of a path of usual keys.
[[gnu::always_inline]] inline tree::Quick find_quickly(const utan_container* container, const utan_value* keys,
                                                       std::size_t key_count, object::QuickValue& found) {
  constexpr std::size_t keys_max = 4;
  if (key_count - 1 >= keys_max || keys == nullptr) return tree::Quick::unusual;
  Value path[keys_max];
  for (std::size_t i = 0; i < key_count; ++i) {
    const utan_value& given = keys[i];
    if (given.type == UTAN_STRING || given.type == UTAN_BYTES) {
      path[i].tag = static_cast<Tag>(given.type);
      path[i].bytes = bytes(given.data, given.size);
    } else if (given.type == UTAN_INTEGER) {
      path[i] = Value::integer(given.integer);
    } else {
      return tree::Quick::unusual;
    }
  }
  return container->container.get_quickly({path, key_count}, found);
}

// A handle of its own for a container; `hold` empty: a snapshot protects it.
void hand_over_container(commit::Attachment& attachment, const std::shared_ptr<object::SnapshotPin>& snapshot,
                         format::ObjectId id, format::ContainerType type, object::Hold hold, utan_value* out) {
  auto* const handle = new utan_container{object::Container(attachment, snapshot, id, type, std::move(hold))};
  *out = utan_value{};
  out->container = handle;
  out->type = UTAN_CONTAINER;
  out->reserved[1] = value_handle;
}

// A handle for the container that was found, whose pin is let go of. What does not go well is unusual.
[[gnu::noinline]] utan_code lend_container(const object::Container& from, const object::QuickValue& found,
                                           utan_value* value) {
  class Unpin {
   public:
    explicit Unpin(commit::Thread* thread) : thread_(thread) {}
    ~Unpin() { thread_->unpin(0); }
    Unpin(const Unpin&) = delete;
    Unpin& operator=(const Unpin&) = delete;

   private:
    commit::Thread* thread_;
  };
  return guarded([&]() -> utan_code {
    const Unpin unpin(found.thread);
    const format::ObjectId id = found.value.as_container();
    Result<object::Hold> hold = object::Hold::take(from.attachment(), id);
    if (!hold.ok()) return unusual;
    hand_over_container(from.attachment(), nullptr, id, found.type, std::move(hold).value(), value);
    return UTAN_OK;
  });
}

}  // namespace

utan_code get_quickly(const utan_container* container, const utan_value* keys, std::size_t key_count,
                      utan_value* value) {
  object::QuickValue found;
  if (value == nullptr) return unusual;
  switch (find_quickly(container, keys, key_count, found)) {
    case tree::Quick::unusual:
      return unusual;
    case tree::Quick::missing:
      *value = utan_value{};
      return not_found();
    case tree::Quick::found:
      break;
  }
  if (found.value.tag == Tag::container) return lend_container(container->container, found, value);
  if (format::is_text(found.value.tag) || !object::has_bytes(found.value)) [[likely]] {
    show_usual(found.value, value);
  } else {
    Tuples none;
    show_other(found.value, none, value);
  }
  if (found.thread != nullptr) {
    value->reserved[0] = reinterpret_cast<std::uint64_t>(found.thread);
    value->reserved[1] = value_pinned;
  }
  return UTAN_OK;
}

utan_code contains_quickly(const utan_container* container, const utan_value* key) {
  object::QuickValue found;
  switch (find_quickly(container, key, 1, found)) {
    case tree::Quick::unusual:
      return unusual;
    case tree::Quick::missing:
      return not_found();
    case tree::Quick::found:
      break;
  }
  if (found.thread != nullptr) found.thread->unpin(0);
  return UTAN_OK;
}

void show_other(const Value& value, Tuples& tuples, utan_value* out) {
  *out = utan_value{};
  out->type = static_cast<utan_type>(value.tag);
  switch (value.tag) {
    case Tag::real:
      out->real = value.as_real();
      break;
    case Tag::tuple: {
      auto elements = std::make_unique<utan_value[]>(value.element_count);
      for (std::size_t i = 0; i < value.element_count; ++i) show(value.elements[i], tuples, &elements[i]);
      out->size = value.element_count;
      out->elements = tuples.emplace_back(std::move(elements)).get();
      break;
    }
    default:
      if (object::has_bytes(value)) {
        out->data = value.bytes.data();
        out->size = value.bytes.size();
      } else {
        out->integer = value.as_integer();
      }
  }
}

void hand_over(Loan loan, const object::Container& from, utan_value* out) {
  hand_over(std::move(loan), from.attachment(), from.snapshot(), out);
}

void hand_over(Loan loan, commit::Attachment& attachment, const std::shared_ptr<object::SnapshotPin>& snapshot,
               utan_value* out) {
  if (loan.value().tag == Tag::container)
    return hand_over_container(attachment, snapshot, loan.value().as_container(), loan.type(), loan.take_hold(), out);
  // Whole or not at all: there may be no memory.
  utan_value shown;
  Tuples tuples;
  show(loan.value(), tuples, &shown);
  unsigned pin;
  if (commit::Thread* const thread = loan.take_pin(pin); thread != nullptr) {
    shown.reserved[0] = reinterpret_cast<std::uint64_t>(thread);
    shown.reserved[1] = value_pinned | (std::uint64_t{pin} << 8);
  } else if (loan.owns()) {
    shown.reserved[0] = reinterpret_cast<std::uint64_t>(new Lent{std::move(loan), std::move(tuples)});
    shown.reserved[1] = value_lent;
  }
  *out = shown;
}

void hand_over(const object::Value& value, utan_value* out) {
  out->data = value.data;
  out->size = value.size;
  out->type = UTAN_BYTES;
  out->reserved0 = 0;
  if (value.copy != nullptr) {
    out->reserved[0] = reinterpret_cast<std::uint64_t>(value.copy);
    out->reserved[1] = value_copied;
  } else if (value.thread != nullptr) {
    out->reserved[0] = reinterpret_cast<std::uint64_t>(value.thread);
    out->reserved[1] = value_pinned | (std::uint64_t{value.pin} << 8);
  } else {
    out->reserved[0] = 0;
    out->reserved[1] = value_free;
  }
}

format::ContainerType type_of(std::uint32_t type) {
  return type >= UTAN_DICT && type <= UTAN_TABLE ? static_cast<format::ContainerType>(type)
                                                 : format::ContainerType::none;
}

}  // namespace utan::capi

using utan::capi::bytes;
using utan::capi::guarded;
using utan::capi::hand_over;
using utan::capi::not_found;
using utan::capi::ValueKind;
using utan::tree::Quick;

namespace {

[[gnu::noinline]] utan_code get_slowly(utan_table* table, const void* key, std::size_t key_size, utan_value* value) {
  return guarded([&]() -> utan_code {
    utan::object::Value found;
    const utan::Result<bool> got = table->table->get(bytes(key, key_size), found);
    if (!got.ok()) [[unlikely]]
      return fail(got.error());
    if (!got.value()) {
      *value = utan_value{};
      return not_found();
    }
    hand_over(found, value);
    return UTAN_OK;
  });
}

// What is not a pin is let go of.
[[gnu::noinline]] void release_slowly(utan_value* value) {
  switch (static_cast<ValueKind>(value->reserved[1] & 0xff)) {
    case ValueKind::value_copied:
      std::free(reinterpret_cast<void*>(value->reserved[0]));
      break;
    case ValueKind::value_lent:
      delete reinterpret_cast<utan::capi::Lent*>(value->reserved[0]);
      break;
    case ValueKind::value_handle:
      delete value->container;
      value->container = nullptr;
      break;
    default:
      break;
  }
}

}  // namespace

extern "C" {

utan_code utan_table_get(utan_table* table, const void* key, size_t key_size, utan_value* value) {
  utan::object::Value found;
  const Quick quick = table->table->get_quickly(bytes(key, key_size), found);
  if (quick == Quick::found) [[likely]] {
    hand_over(found, value);
    return UTAN_OK;
  }
  if (quick == Quick::unusual) return get_slowly(table, key, key_size, value);
  *value = utan_value{};
  return not_found();
}

void utan_value_release(utan_value* value) {
  if ((value->reserved[1] & 0xff) == ValueKind::value_pinned) [[likely]] {
    utan::object::Value pinned;
    pinned.thread = reinterpret_cast<utan::commit::Thread*>(value->reserved[0]);
    pinned.pin = static_cast<unsigned>(value->reserved[1] >> 8);
    pinned.release();
  } else if (value->reserved[1] != 0) {
    release_slowly(value);
  }
  value->reserved[1] = 0;
}

}  // extern "C"
