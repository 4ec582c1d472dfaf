// Values for C++20: what is given to a store and what is got from it. Included by <utan/utan.hpp>, which says how threads
// may use them.
//
//     Input     any value on its way in: made silently of what a call is given, and for that call only
//     Value     a value that was got, read in place
//     Literal   nested plain data as it is written in a program: utan::dict({{"name", "auk"}, {"eggs", utan::list({1, 2})}})
//     Data      nested plain data, built step by step or read from JSON
//
// An Input sees what it was made of and copies nothing; a Literal and a Data own what is in them. Integers may have any
// size: beyond 64 bits they are given and got as bytes. Strings are UTF-8, which is not checked.
#pragma once

#include <utan/utan.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace utan {

// What a call could not do. what() says what happened, to which file, and what to do.
class Error : public std::runtime_error {
 public:
  Error(utan_code code, const std::string& message) : std::runtime_error(message), code_(code) {}
  utan_code code() const noexcept { return code_; }

 private:
  utan_code code_;
};

class Container;
class Dict;
class List;
class Collection;
class ValueTable;
class Literal;
class Data;
class Value;

namespace detail {
inline void check(utan_code code) {
  if (code != UTAN_OK) [[unlikely]]
    throw Error(code, utan_last_error());
}
inline bool found(utan_code code) {
  if (code == UTAN_OK) return true;
  if (code == UTAN_NOT_FOUND) return false;
  throw Error(code, utan_last_error());
}
// Of an operation that adds what is absent.
inline bool added(utan_code code) {
  if (code == UTAN_EXISTS) return false;
  check(code);
  return true;
}

// A container's handle and the store that it needs, which is closed after it.
struct Handle {
  Handle(std::shared_ptr<utan_store> of, utan_container* handle) noexcept : store(std::move(of)), container(handle) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { utan_container_close(container); }
  std::shared_ptr<utan_store> store;
  utan_container* container;
};
// Takes the handle over, also where there is no memory to keep it.
inline std::shared_ptr<const Handle> keep(std::shared_ptr<utan_store> store, utan_container* container) {
  struct Close {
    void operator()(utan_container* handle) const noexcept { utan_container_close(handle); }
  };
  std::unique_ptr<utan_container, Close> owned(container);
  auto out = std::make_shared<Handle>(std::move(store), nullptr);
  out->container = owned.release();
  return out;
}

template <class T>
concept character = std::same_as<T, char> || std::same_as<T, signed char> || std::same_as<T, wchar_t> ||
    std::same_as<T, char8_t> || std::same_as<T, char16_t> || std::same_as<T, char32_t>;
template <class T>
concept whole_number = std::integral<T> && !std::same_as<T, bool> && !character<T> && sizeof(T) <= 8;
}  // namespace detail

enum class Type : std::uint32_t {
  null = UTAN_NULL,
  boolean = UTAN_BOOLEAN,
  integer = UTAN_INTEGER,
  big_integer = UTAN_BIG_INTEGER,
  real = UTAN_REAL,
  datetime = UTAN_DATETIME,
  datetime_utc = UTAN_DATETIME_UTC,
  uuid = UTAN_UUID,
  bytes = UTAN_BYTES,
  string = UTAN_STRING,
  tuple = UTAN_TUPLE,  // of keys alone
  container = UTAN_CONTAINER,
  extended = UTAN_EXTENDED  // bytes that a codec of some language understands; never a key
};
enum class ContainerType : std::uint32_t {
  dict = UTAN_DICT,
  list = UTAN_LIST,
  collection = UTAN_COLLECTION,
  table = UTAN_TABLE
};

// "an integer", for messages.
inline const char* name_of(Type type) noexcept {
  constexpr const char* names[] = {
      "null",   "a boolean", "an integer", "a big integer", "a real",      "a datetime",        "a datetime in UTC",
      "a UUID", "bytes",     "a string",   "a tuple",       "a container", "a value of a codec"};
  const auto index = static_cast<std::size_t>(type);
  return index < std::size(names) ? names[index] : "of a type that this version does not know";
}
inline const char* name_of(ContainerType type) noexcept {
  constexpr const char* names[] = {"nothing", "a dict", "a list", "a collection", "a table"};
  const auto index = static_cast<std::size_t>(type);
  return index < std::size(names) ? names[index] : "a container of a type that this version does not know";
}

using Uuid = std::array<std::byte, 16>;
using Datetime = std::chrono::local_time<std::chrono::microseconds>;   // of a clock on the wall, without a zone
using DatetimeUtc = std::chrono::sys_time<std::chrono::microseconds>;  // what std::chrono::system_clock gives

// The bytes of a text, to be stored as bytes and not as a string.
inline std::span<const std::byte> bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

// ---- Given ----------------------------------------------------------------------------------------------------------

// A value, or a key, that a call is given: null, boolean, integer, real, string, bytes, datetime, UUID, tuple, a container
// of the same store (it is linked), a Value that was got, a Literal or Data. It sees what it was made of: use it within
// the same expression, or keep that alive. 16 std::bytes in an array are a UUID; a span of them is bytes.
class Input {
 public:
  Input(std::nullptr_t) noexcept {}
  Input(std::same_as<bool> auto value) noexcept : Input(UTAN_BOOLEAN) { value_.integer = value ? 1 : 0; }
  template <detail::whole_number T>
  Input(T value) : Input(UTAN_INTEGER) {
    value_.integer = static_cast<std::int64_t>(value);
    if constexpr (std::is_unsigned_v<T>) {
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) make_big(value);
    }
  }
  template <std::floating_point T>
  Input(T value) noexcept : Input(UTAN_REAL) {
    value_.real = static_cast<double>(value);
  }
  Input(const char* text) noexcept : Input(std::string_view(text)) {}
  Input(const std::string& text) noexcept : Input(std::string_view(text)) {}
  Input(std::string_view text) noexcept : Input(UTAN_STRING, text.data(), text.size()) {}
  template <class T>
  requires std::convertible_to<const T&, std::span<const std::byte>> Input(const T& range)
  noexcept : Input(UTAN_BYTES) {
    const std::span<const std::byte> view = range;
    value_.data = view.data();
    value_.size = view.size();
  }
  Input(const Uuid& uuid) noexcept : Input(UTAN_UUID, uuid.data(), uuid.size()) {}
  // Cut to whole microseconds.
  template <class Duration>
  Input(std::chrono::sys_time<Duration> time) noexcept : Input(UTAN_DATETIME_UTC) {
    value_.integer = std::chrono::floor<std::chrono::microseconds>(time).time_since_epoch().count();
  }
  template <class Duration>
  Input(std::chrono::local_time<Duration> time) noexcept : Input(UTAN_DATETIME) {
    value_.integer = std::chrono::floor<std::chrono::microseconds>(time).time_since_epoch().count();
  }
  Input(const Container& container);
  Input(const Value& value);  // throws UTAN_NOT_FOUND if it is empty
  // Templates, so that nothing else is made a Literal or Data on its way to an Input.
  template <std::same_as<Literal> T>
  Input(const T& literal);
  template <std::same_as<Data> T>
  Input(const T& data) noexcept : Input(UTAN_DATA) {
    value_.plain = data.handle();
  }

  // An integer of any size: two's complement, little-endian, at least one byte.
  static Input big_integer(std::span<const std::byte> digits) noexcept {
    return Input(UTAN_BIG_INTEGER, digits.data(), digits.size());
  }

  // What a codec made of a value of another type.
  static Input extended(std::span<const std::byte> bytes) noexcept {
    return Input(UTAN_EXTENDED, bytes.data(), bytes.size());
  }

  // What the C interface takes; valid as long as this.
  const utan_value* raw() const noexcept { return &value_; }

 private:
  friend class Literal;
  friend Input tuple(std::initializer_list<Input> elements);
  explicit Input(utan_type type) noexcept { value_.type = type; }
  Input(utan_type type, const void* data, std::size_t size) noexcept : Input(type) {
    value_.data = data;
    value_.size = size;
  }
  void make_big(std::uint64_t value) {
    auto digits = std::make_shared<std::array<unsigned char, 9>>();  // the last one is the sign
    for (std::size_t i = 0; i < 8; ++i) (*digits)[i] = static_cast<unsigned char>(value >> (8 * i));
    *this = Input(UTAN_BIG_INTEGER, digits->data(), digits->size());
    kept_ = std::move(digits);
  }

  utan_value value_{};
  std::shared_ptr<const void> kept_;  // what had to be made for it; otherwise nothing
};

// A tuple, which is a key: utan::tuple({"auk", 1844}).
inline Input tuple(std::initializer_list<Input> elements) {
  struct Elements {
    std::vector<Input> inputs;
    std::vector<utan_value> values;
  };
  auto made = std::make_shared<Elements>(Elements{elements, {}});
  for (const Input& element : made->inputs) made->values.push_back(*element.raw());
  Input out(UTAN_TUPLE);
  out.value_.elements = made->values.data();
  out.value_.size = made->values.size();
  out.kept_ = std::move(made);
  return out;
}

// ---- Got ------------------------------------------------------------------------------------------------------------

// A value read in place, without a copy: its bytes stay valid and unchanged for as long as it lives, whatever is written
// meanwhile. Empty (false) if there was none. Let go of it soon, on the thread that got it: what it sees cannot be
// reused. as_...() throw UTAN_TYPE if it is of another type, and UTAN_NOT_FOUND if it is empty.
class Value {
 public:
  Value() noexcept = default;
  // Takes over what the C interface handed out of `store`.
  Value(utan_value value, const std::shared_ptr<utan_store>& store) : value_(value), found_(true) {
    if (value.type != UTAN_CONTAINER) return;
    value_.container = nullptr;  // the handle below closes it
    value_.reserved[1] = 0;
    container_ = detail::keep(store, value.container);
  }
  Value(Value&& other) noexcept
      : value_(std::exchange(other.value_, utan_value{})),
        found_(std::exchange(other.found_, false)),
        container_(std::move(other.container_)) {}
  Value& operator=(Value&& other) noexcept {
    if (this != &other) {
      reset();
      value_ = std::exchange(other.value_, utan_value{});
      found_ = std::exchange(other.found_, false);
      container_ = std::move(other.container_);
    }
    return *this;
  }
  Value(const Value&) = delete;
  Value& operator=(const Value&) = delete;
  ~Value() { reset(); }

  explicit operator bool() const noexcept { return found_; }
  bool has_value() const noexcept { return found_; }

  // An empty one is of type null, too.
  Type type() const noexcept { return static_cast<Type>(value_.type); }
  bool is_null() const noexcept { return found_ && type() == Type::null; }
  bool is_number() const noexcept { return value_.type >= UTAN_BOOLEAN && value_.type <= UTAN_REAL; }
  bool is_string() const noexcept { return type() == Type::string; }
  bool is_bytes() const noexcept { return type() == Type::bytes; }
  bool is_container() const noexcept { return type() == Type::container; }

  bool as_boolean() const { return expect(Type::boolean).integer != 0; }
  std::int64_t as_integer() const { return expect(Type::integer).integer; }
  // Two's complement, little-endian, as short as can be; integers of 64 bits are no big ones.
  std::span<const std::byte> as_big_integer() const {
    expect(Type::big_integer);
    return raw_bytes();
  }
  // Of an integer the nearest real.
  double as_real() const {
    if (type() == Type::integer) return static_cast<double>(value_.integer);
    return expect(Type::real).real;
  }
  Datetime as_datetime() const { return Datetime(std::chrono::microseconds(expect(Type::datetime).integer)); }
  DatetimeUtc as_datetime_utc() const {
    return DatetimeUtc(std::chrono::microseconds(expect(Type::datetime_utc).integer));
  }
  Uuid as_uuid() const {
    expect(Type::uuid);
    Uuid out;
    std::copy_n(raw_bytes().begin(), out.size(), out.begin());
    return out;
  }
  std::string_view as_string() const {
    expect(Type::string);
    return view();
  }
  std::span<const std::byte> as_bytes() const {
    expect(Type::bytes);
    return raw_bytes();
  }
  std::span<const std::byte> as_extended() const {
    expect(Type::extended);
    return raw_bytes();
  }

  // Of a tuple: how many elements, and one of them, which is valid as long as the tuple.
  std::size_t tuple_size() const { return expect(Type::tuple).size; }
  Value element(std::size_t index) const {
    if (index >= tuple_size())
      throw Error(UTAN_INVALID, "the tuple has only " + std::to_string(value_.size) + " elements");
    return Value(value_.elements[index], nullptr);
  }

  Container as_container() const;
  Dict as_dict() const;  // these throw UTAN_TYPE also if it is a container of another type
  List as_list() const;
  Collection as_collection() const;
  ValueTable as_value_table() const;
  // What is under `key` of the container that this is: store["birds"]["auk"]["eggs"][0]. Throws UTAN_NOT_FOUND.
  Value operator[](const Input& key) const;

  // The bytes of a string or of bytes; nothing of others. As a copy: str().
  std::string_view view() const noexcept {
    if (!has_bytes()) return {};
    return {static_cast<const char*>(value_.data), value_.size};
  }
  std::string_view operator*() const noexcept { return view(); }
  std::span<const std::byte> bytes() const noexcept {
    if (!has_bytes()) return {};
    return raw_bytes();
  }
  std::string str() const { return std::string(view()); }
  std::size_t size() const noexcept { return has_bytes() ? value_.size : 0; }

  // Lets go of it now.
  void reset() noexcept {
    if (found_) utan_value_release(&value_);
    found_ = false;
    value_ = utan_value{};
    container_.reset();
  }

 private:
  friend class Table;
  friend class Input;
  bool has_bytes() const noexcept { return value_.type == UTAN_BYTES || value_.type == UTAN_STRING; }
  std::span<const std::byte> raw_bytes() const noexcept {
    return {static_cast<const std::byte*>(value_.data), value_.size};
  }
  const utan_value& expect(Type wanted) const {
    if (!found_) throw Error(UTAN_NOT_FOUND, std::string("there is no value that could be ") + name_of(wanted));
    if (type() != wanted)
      throw Error(UTAN_TYPE, std::string("the value is ") + name_of(type()) + ", not " + name_of(wanted));
    return value_;
  }

  utan_value value_{};
  bool found_ = false;
  std::shared_ptr<const detail::Handle> container_;
};

inline Input::Input(const Value& value) : value_(value.value_) {
  if (!value.found_) throw Error(UTAN_NOT_FOUND, "there is no value that could be given");
  value_.reserved[0] = value_.reserved[1] = 0;
  if (!value.is_container()) return;
  value_.container = value.container_->container;
  kept_ = value.container_;
}

// ---- Plain data -----------------------------------------------------------------------------------------------------

// Plain data as it is written in a program; made of whatever an Input is made of, and by dict(), list(), collection() and
// table(). Owns a copy of everything in it; copies of a Literal share that.
class Literal {
 public:
  template <class T>
  requires(!std::same_as<std::remove_cvref_t<T>, Literal> && !std::same_as<std::remove_cvref_t<T>, Data> &&
           std::convertible_to<T, Input>) Literal(T&& value)
      : Literal(Input(std::forward<T>(value)), 0) {}

 private:
  friend class Data;
  friend class Input;
  using Entries = std::initializer_list<std::pair<Literal, Literal>>;
  friend Literal dict(Entries entries);
  friend Literal list(std::initializer_list<Literal> elements);
  friend Literal collection(Entries entries);
  friend Literal table(Entries entries);

  Literal(const Input& input, int) : value_(*input.raw()), kept_(input.kept_) {
    if (value_.type == UTAN_TUPLE) {
      copy_elements();
    } else if (value_.type == UTAN_BIG_INTEGER || value_.type == UTAN_EXTENDED ||
               (value_.type >= UTAN_UUID && value_.type <= UTAN_STRING)) {
      copy_bytes();
    }
  }
  Literal(ContainerType type, Entries entries) : type_(type) {
    auto parts = std::make_shared<std::vector<Literal>>();
    for (const auto& [key, value] : entries) {
      parts->push_back(key);
      parts->push_back(value);
    }
    parts_ = std::move(parts);
  }
  explicit Literal(std::initializer_list<Literal> elements)
      : type_(ContainerType::list), parts_(std::make_shared<std::vector<Literal>>(elements)) {}

  void copy_bytes() {
    const auto copy = std::make_shared<std::string>(static_cast<const char*>(value_.data), value_.size);
    value_.data = copy->data();
    kept_ = copy;
  }
  void copy_elements() {
    struct Elements {
      std::vector<Literal> literals;
      std::vector<utan_value> values;
    };
    auto copy = std::make_shared<Elements>();
    for (std::size_t i = 0; i < value_.size; ++i) {
      Input element(nullptr);
      element.value_ = value_.elements[i];
      copy->literals.push_back(Literal(element, 0));
      copy->values.push_back(copy->literals.back().value_);
    }
    value_.elements = copy->values.data();
    kept_ = std::move(copy);
  }

  utan_value value_{};                                 // unless it is a container
  std::shared_ptr<const void> kept_;                   // what the value points to
  ContainerType type_{};                               // of a container
  std::shared_ptr<const std::vector<Literal>> parts_;  // its elements, or keys and values in turn
};

// Containers to be: dict({{"name", "auk"}, {2, nullptr}}), list({1, 2.5, "three"}). An empty one: dict(), list().
inline Literal dict(Literal::Entries entries = {}) { return Literal(ContainerType::dict, entries); }
inline Literal list(std::initializer_list<Literal> elements = {}) { return Literal(elements); }
inline Literal collection(Literal::Entries entries = {}) { return Literal(ContainerType::collection, entries); }
inline Literal table(Literal::Entries entries = {}) { return Literal(ContainerType::table, entries); }

// Plain data that is built front to back: in a dict, a collection or a table keys and values in turn. Stored in one
// commit, as often as one likes. A step that fails changes nothing and names the place: "key at ['birds'][3]: ...".
class Data {
 public:
  Data() {
    utan_data* made = nullptr;
    detail::check(utan_data_new(&made));
    data_.reset(made);
  }
  Data(const Literal& literal) : Data() { append(literal); }
  // Throws UTAN_INVALID with line and column. Objects become dicts, arrays lists; utan.h has the forms of the other types.
  static Data from_json(std::string_view text) {
    Data out;
    detail::check(utan_data_from_json(out.handle(), text.data(), text.size()));
    return out;
  }

  // A key, a value, an element, or all there is. Throws UTAN_TYPE if it cannot be what is due.
  Data& add(const Input& value) {
    detail::check(utan_data_add(handle(), value.raw()));
    return *this;
  }
  template <std::same_as<Literal> T>
  Data& add(const T& literal) {
    append(literal);
    return *this;
  }
  // A container begins, and the innermost open one ends. `begin` returns its number, from 0.
  std::uint32_t begin(ContainerType type) {
    std::uint32_t number = 0;
    detail::check(utan_data_begin(handle(), static_cast<std::uint32_t>(type), &number));
    return number;
  }
  Data& end() {
    detail::check(utan_data_end(handle()));
    return *this;
  }
  // The container of this number stands here, too: it is shared or, as long as it is open, within itself.
  Data& part(std::uint32_t number) {
    detail::check(utan_data_part(handle(), number));
    return *this;
  }
  // Where the next value comes: "['birds'][3]".
  std::string path() const { return utan_data_path(handle()); }
  void clear() noexcept { utan_data_clear(handle()); }
  utan_data* handle() const noexcept { return data_.get(); }

 private:
  struct Free {
    void operator()(utan_data* data) const noexcept { utan_data_free(data); }
  };
  void append(const Literal& literal) {
    if (literal.parts_ == nullptr) return detail::check(utan_data_add(handle(), &literal.value_));
    begin(literal.type_);
    for (const Literal& part : *literal.parts_) append(part);
    end();
  }
  std::unique_ptr<utan_data, Free> data_;
};

template <std::same_as<Literal> T>
Input::Input(const T& literal) : value_(literal.value_), kept_(literal.kept_) {
  if (literal.parts_ == nullptr) return;
  value_.type = UTAN_DATA;
  auto data = std::make_shared<Data>(literal);
  value_.plain = data->handle();
  kept_ = std::move(data);
}

}  // namespace utan
