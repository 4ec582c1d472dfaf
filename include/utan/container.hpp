// Containers for C++20: dicts, lists, collections and tables of values, nested to any depth and edited in place. Included
// by <utan/utan.hpp>, which says how threads and lifetimes go.
//
//     utan::Dict birds = store.dict("birds");
//     birds.set("auk", utan::dict({{"eggs", 1}, {"extinct", 1844}}));      // one commit, whatever is in it
//     birds["auk"].as_dict().increase("eggs");
//     for (const auto& [name, bird] : birds.range({.low = "a", .high = "c"})) ...
//
// Each call that changes something is one commit, seen by every process when it returns; it repeats itself inside until it
// is in, and if it fails nothing is changed. Each call that reads sees one commit. All throw Error: UTAN_TYPE (this cannot
// be a key, or such a container has no such operation), UTAN_GONE, UTAN_TOO_LARGE, UTAN_CORRUPTION; those that write also
// UTAN_READ_ONLY and UTAN_NO_SPACE. Reading or writing one value is O(log n), in a table O(1).
#pragma once

#include <utan/value.hpp>

#include <optional>

namespace utan {

// An entry during iteration; both are valid until the iterator moves on. The key of a list's element is its index.
struct Item {
  Value key;
  Value value;
};

// Which entries: all of them, in order, unless something is set.
//     {.low = 10, .high = 20}   {.prefix = "src/"}   {.reverse = true, .limit = 10}
struct Range {
  std::optional<Input> low = {};     // keys from here on
  std::optional<Input> high = {};    // keys up to here
  std::optional<Input> prefix = {};  // a string, or bytes: only keys of its type that begin so
  bool low_inclusive = true;
  bool high_inclusive = false;
  bool reverse = false;                     // from the last one on; for range() alone, as are these:
  std::uint64_t skip = 0;                   // this many are left out first
  std::optional<std::uint64_t> limit = {};  // so many at most
};

// A path: keys, each in the container that the one before it leads to. {"birds", "auk", 0}, or a text of parts: "birds.auk.0",
// in which digits are an index where they meet a list, and a string elsewhere. Sees what it was made of.
class Path {
 public:
  Path(std::initializer_list<Input> keys) : keys_(keys) {}
  Path(const char* text) : Path(std::string_view(text)) {}
  Path(const std::string& text) : Path(std::string_view(text)) {}
  Path(std::string_view text, char separator = '.') {
    for (std::size_t end = text.find(separator); end != std::string_view::npos; end = text.find(separator)) {
      keys_.push_back(text.substr(0, end));
      text.remove_prefix(end + 1);
    }
    keys_.push_back(text);
  }
  static Path of(std::span<const Input> keys) {
    Path out({});
    out.keys_.assign(keys.begin(), keys.end());
    return out;
  }
  std::vector<utan_value> raw() const {
    std::vector<utan_value> out;
    for (const Input& key : keys_) out.push_back(*key.raw());
    return out;
  }

 private:
  std::vector<Input> keys_;
};

// Goes over a container as it was when this was made; T is Item, or Value for the elements of a list alone. A C++20 input
// iterator, moved and never copied, used by one thread at a time. Holds its commit readable until it is at its end or gone.
// Containers that it comes to are those of the store as it is now.
template <class T>
class ItemIterator {
 public:
  using value_type = T;
  using difference_type = std::ptrdiff_t;
  using iterator_concept = std::input_iterator_tag;

  ItemIterator() noexcept = default;
  ItemIterator(std::shared_ptr<const detail::Handle> over, const utan_range* range) {
    utan_iterator* opened = nullptr;
    detail::check(utan_iterate(over->container, range, &opened));
    iterator_ = {opened, Close{std::move(over)}};
    ++*this;
  }

  const T& operator*() const noexcept {
    if constexpr (std::same_as<T, Item>) {
      return item_;
    } else {
      return item_.value;
    }
  }
  const T* operator->() const noexcept { return &**this; }
  ItemIterator& operator++() {
    item_ = Item{};
    utan_value key{};
    utan_value value{};
    const utan_code code = utan_iterator_next(iterator_.get(), &key, &value);
    if (code == UTAN_OK) {
      const std::shared_ptr<utan_store>& store = iterator_.get_deleter().over->store;
      item_.key = Value(key, store);
      item_.value = Value(value, store);
      return *this;
    }
    if (code != UTAN_NOT_FOUND) {
      const Error failed(code, utan_last_error());  // before another call takes its message's place
      iterator_.reset();
      throw failed;
    }
    iterator_.reset();
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const ItemIterator& it, std::default_sentinel_t) noexcept { return it.iterator_ == nullptr; }

 private:
  struct Close {
    std::shared_ptr<const detail::Handle> over;  // keeps the store open until the iterator is closed
    void operator()(utan_iterator* iterator) const noexcept { utan_iterator_close(iterator); }
  };
  std::unique_ptr<utan_iterator, Close> iterator_;
  Item item_;
};

// What range() returns: entries or elements of one instant, to be gone over once, each fetched when it is reached.
template <class T>
class Items {
 public:
  explicit Items(ItemIterator<T> first) noexcept : first_(std::move(first)) {}
  ItemIterator<T> begin() noexcept { return std::move(first_); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  ItemIterator<T> first_;
};

// ---- All containers -------------------------------------------------------------------------------------------------

// A container of any type: a cheap shared handle, which keeps the container there even if nothing names it any more, and
// keeps its store open.
class Container {
 public:
  // Takes over what the C interface handed out of `store`.
  Container(utan_container* container, std::shared_ptr<utan_store> store)
      : handle_(detail::keep(std::move(store), container)) {}

  // Names it for ever, in every process: Store::container opens it again. Equal ids of one store: the same container.
  std::uint64_t id() const noexcept { return utan_container_id(raw()); }
  ContainerType type() const noexcept { return static_cast<ContainerType>(utan_container_type(raw())); }
  Dict as_dict() const;  // these throw UTAN_TYPE if it is a container of another type
  List as_list() const;
  Collection as_collection() const;
  ValueTable as_value_table() const;

  // How many entries or elements there are. O(1).
  std::uint64_t size() const {
    std::uint64_t out = 0;
    detail::check(utan_count(raw(), &out));
    return out;
  }
  bool empty() const { return size() == 0; }
  // Removes everything, in one commit. O(1).
  void clear() { detail::check(utan_clear(raw())); }

  // In the calls below a list takes an index for a key: an integer, from its end if it is negative.

  // What is under `key`, or an empty Value.
  Value get(const Input& key) const {
    utan_value out{};
    return lend(utan_get(raw(), key.raw(), &out), out);
  }
  // The same, but throws UTAN_NOT_FOUND, with the key, if it is absent.
  Value operator[](const Input& key) const {
    Value out = get(key);
    if (!out) throw Error(UTAN_NOT_FOUND, name_of(type()) + std::string(" has nothing at ") + text_of(key));
    return out;
  }
  bool contains(const Input& key) const { return detail::found(utan_contains(raw(), key.raw())); }
  // Sets `key`, whether it was there or not; the index of a list must be there (UTAN_INVALID).
  void set(const Input& key, const Input& value) { detail::check(utan_set(raw(), key.raw(), value.raw())); }
  // Compare and replace. True: `key` had `expected` (numbers by value, containers by identity, NaN as NaN) and has `value` now.
  bool replace(const Input& key, const Input& expected, const Input& value) {
    return detail::found(utan_replace(raw(), key.raw(), expected.raw(), value.raw()));
  }
  // Removes `key`. True: it was there.
  bool erase(const Input& key) { return detail::found(utan_erase(raw(), key.raw())); }
  // Removes `key` and returns what was there, or an empty Value.
  Value pop(const Input& key) {
    utan_value out{};
    return lend(utan_pop(raw(), key.raw(), &out), out);
  }
  // Adds a number to the one that is there, or to 0, and returns the sum. Exact whoever else adds; integers grow as large
  // as need be. Throws UTAN_TYPE if there is something else.
  Value increase(const Input& key, const Input& by = 1) {
    utan_value out{};
    return lend(utan_increase(raw(), key.raw(), by.raw(), &out), out);
  }

  // What is at the path, or an empty Value.
  Value at(const Path& path) const {
    const std::vector<utan_value> keys = path.raw();
    utan_value out{};
    return lend(utan_get_at(raw(), keys.data(), keys.size(), &out), out);
  }
  // Sets it, and makes the dicts that are missing on the way, in one commit. Throws UTAN_TYPE if a value that is no
  // container is on the way; unless `exist_ok`, UTAN_EXISTS if there is a value.
  void set_at(const Path& path, const Input& value, bool exist_ok = true) {
    const std::vector<utan_value> keys = path.raw();
    detail::check(utan_set_at(raw(), keys.data(), keys.size(), value.raw(), exist_ok ? 1 : 0));
  }

  // It and all below it, of one commit, in the lossless form of JSON (utan.h); `indent` in spaces, 0: in one line. Throws
  // UTAN_INVALID if it contains itself.
  std::string to_json(std::uint32_t indent = 0) const {
    struct Free {
      void operator()(char* text) const noexcept { utan_text_free(text); }
    };
    char* text = nullptr;
    std::size_t size = 0;
    detail::check(utan_to_json(raw(), indent, &text, &size));
    const std::unique_ptr<char, Free> owned(text);
    return std::string(text, size);
  }

  // All entries as they are now: in the order of the keys, of a table in none.
  ItemIterator<Item> begin() const { return ItemIterator<Item>(handle_, nullptr); }
  std::default_sentinel_t end() const noexcept { return {}; }

  // What the C interface takes.
  utan_container* raw() const noexcept { return handle_->container; }

 protected:
  friend class Value;
  friend class Input;
  explicit Container(std::shared_ptr<const detail::Handle> handle) noexcept : handle_(std::move(handle)) {}
  // The same container, which must be of type `wanted`.
  Container(const Container& other, ContainerType wanted) : handle_(other.handle_) {
    if (type() != wanted)
      throw Error(UTAN_TYPE, std::string("the container is ") + name_of(type()) + ", not " + name_of(wanted));
  }

  // What was handed out, if it was.
  Value lend(utan_code code, utan_value& value) const {
    if (!detail::found(code)) return {};
    return Value(value, handle_->store);
  }
  template <class T>
  Items<T> items(const Range& range) const {
    if (range.limit == 0) return Items<T>({});
    const utan_range plain = raw(range);
    return Items<T>(ItemIterator<T>(handle_, &plain));
  }
  static utan_range raw(const Range& range) noexcept {
    utan_range out{};
    out.struct_size = sizeof out;
    out.low = range.low ? range.low->raw() : nullptr;
    out.high = range.high ? range.high->raw() : nullptr;
    out.prefix = range.prefix ? range.prefix->raw() : nullptr;
    out.low_exclusive = range.low_inclusive ? 0 : 1;
    out.high_inclusive = range.high_inclusive ? 1 : 0;
    out.reverse = range.reverse ? 1 : 0;
    out.skip = range.skip;
    out.limit = range.limit.value_or(0);
    return out;
  }
  // A key as a message shows it: "['auk']".
  static std::string text_of(const Input& key) {
    Data place;
    place.begin(ContainerType::dict);
    return place.add(key).path();
  }

 private:
  std::shared_ptr<const detail::Handle> handle_;
};

// ---- Dicts, collections and tables ----------------------------------------------------------------------------------

// What all containers with keys can do.
class Mapping : public Container {
 public:
  // Sets `key` only if it is absent. True: it was.
  bool add(const Input& key, const Input& value) { return detail::added(utan_add(raw(), key.raw(), value.raw())); }
  // What is there; or sets `key` to `value` and returns that: set_default("eggs", utan::list()).as_list().
  Value set_default(const Input& key, const Input& value) {
    utan_value out{};
    return lend(utan_set_default(raw(), key.raw(), value.raw(), &out, nullptr), out);
  }
  // Sets every key of `data`, a mapping, in one commit.
  void update(const Data& data) { detail::check(utan_update(raw(), data.handle())); }
  // Sets `key` to what `change(old)` returns, a std::optional<Literal> or what makes one, atomically: `old` is a const
  // Value&, empty if the key is absent, and `change` may run several times. False: it returned std::nullopt, and nothing
  // was changed.
  template <class Change>
  bool alter(const Input& key, Change&& change) {
    for (;;) {
      const Value old = get(key);
      const std::optional<Literal> now = change(old);
      if (!now) return false;
      if (old ? replace(key, old, *now) : add(key, *now)) return true;
    }
  }
  // Removes the last entry (of a table any) and returns it, or nothing if there is none.
  std::optional<Item> pop_last() {
    return nearest([&](utan_value* key, utan_value* value) { return utan_pop_last(raw(), key, value); });
  }

 protected:
  using Container::Container;
  Mapping(const Container& container, ContainerType wanted) : Container(container, wanted) {}

  template <class Find>
  std::optional<Item> nearest(Find&& find) const {
    utan_value key{};
    utan_value value{};
    const utan_code code = find(&key, &value);
    Value found_key = lend(code, key);
    if (!found_key) return std::nullopt;
    return Item{std::move(found_key), lend(code, value)};
  }
};

// A mapping in the order of its keys: null < numbers < datetimes < datetimes in UTC < UUIDs < bytes < strings < tuples.
class Sorted : public Mapping {
 public:
  // Each nothing if there is no such entry.
  std::optional<Item> first() const {
    return nearest([&](utan_value* key, utan_value* value) { return utan_first(raw(), key, value); });
  }
  std::optional<Item> last() const {
    return nearest([&](utan_value* key, utan_value* value) { return utan_last(raw(), key, value); });
  }
  // The last entry not above `bound`.
  std::optional<Item> floor(const Input& bound) const {
    return nearest([&](utan_value* key, utan_value* value) { return utan_floor(raw(), bound.raw(), key, value); });
  }
  // The first entry not below `bound`.
  std::optional<Item> ceiling(const Input& bound) const {
    return nearest([&](utan_value* key, utan_value* value) { return utan_ceiling(raw(), bound.raw(), key, value); });
  }

  // The entries of the range as they are now.
  Items<Item> range(const Range& range) const { return items<Item>(range); }
  // How many there are. O(log n).
  std::uint64_t count_range(const Range& range) const {
    const utan_range plain = Container::raw(range);
    std::uint64_t out = 0;
    detail::check(utan_count_range(raw(), &plain, &out));
    return out;
  }
  // Removes them, in one commit, and returns how many there were. O(log n).
  std::uint64_t delete_range(const Range& range) {
    const utan_range plain = Container::raw(range);
    std::uint64_t out = 0;
    detail::check(utan_delete_range(raw(), &plain, &out));
    return out;
  }

 protected:
  using Mapping::Mapping;
};

// A sorted mapping for the fields of a thing.
class Dict : public Sorted {
 public:
  explicit Dict(const Container& container) : Sorted(container, ContainerType::dict) {}
};

// A sorted mapping for many things.
class Collection : public Sorted {
 public:
  explicit Collection(const Container& container) : Sorted(container, ContainerType::collection) {}
};

// A hash table of values of all types: fastest by single key, in no order. (utan::Table is the same for bytes alone, and
// faster: a Table and a ValueTable of one name are one container.)
class ValueTable : public Mapping {
 public:
  explicit ValueTable(const Container& container) : Mapping(container, ContainerType::table) {}
};

// ---- Lists ----------------------------------------------------------------------------------------------------------

// Values by position. Keys are indexes, from the end if they are negative.
class List : public Container {
 public:
  explicit List(const Container& container) : Container(container, ContainerType::list) {}

  void append(const Input& value) { detail::check(utan_append(raw(), value.raw())); }
  // Before the element `index`; beyond either end: at that end.
  void insert(std::int64_t index, const Input& value) { detail::check(utan_insert(raw(), index, value.raw())); }
  // The elements of `data`, a list, behind all others, in one commit.
  void extend(const Data& data) { splice(std::numeric_limits<std::uint64_t>::max(), 0, data); }
  // Puts the elements of `data`, a list, into the place of the `count` elements from `index` on, in one commit. Both are
  // cut to what is there. O(log n + elements).
  void splice(std::uint64_t index, std::uint64_t count, const Data& data) {
    detail::check(utan_splice(raw(), index, count, data.handle()));
  }
  // Removes them.
  void splice(std::uint64_t index, std::uint64_t count) { detail::check(utan_splice(raw(), index, count, nullptr)); }
  // The element `index`, taken out, or an empty Value.
  Value pop(const Input& index = -1) { return Container::pop(index); }

  // The elements as they are now; in parts or backwards: range({.reverse = true, .skip = 10, .limit = 5}).
  ItemIterator<Value> begin() const { return items<Value>({}).begin(); }
  Items<Value> range(const Range& range) const { return items<Value>(range); }
};

// ---- What is said above, with these types ---------------------------------------------------------------------------

inline Input::Input(const Container& container) : Input(UTAN_CONTAINER) {
  value_.container = container.raw();
  kept_ = container.handle_;
}
inline Container Value::as_container() const {
  expect(Type::container);
  return Container(container_);
}
inline Dict Value::as_dict() const { return Dict(as_container()); }
inline List Value::as_list() const { return List(as_container()); }
inline Collection Value::as_collection() const { return Collection(as_container()); }
inline ValueTable Value::as_value_table() const { return ValueTable(as_container()); }
inline Value Value::operator[](const Input& key) const { return as_container()[key]; }
inline Dict Container::as_dict() const { return Dict(*this); }
inline List Container::as_list() const { return List(*this); }
inline Collection Container::as_collection() const { return Collection(*this); }
inline ValueTable Container::as_value_table() const { return ValueTable(*this); }

}  // namespace utan
