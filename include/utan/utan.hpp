// Utan for C++20: an embedded object database in one memory-mapped file that many processes write without locks.
//
//     utan::Store store = utan::Store::open("app.utan");
//     utan::Table words = store.table("words");
//     words.put("forest", "hutan");
//     if (utan::Value v = words.get("forest")) std::cout << v.view();      // read in place, no copy
//     for (auto [key, value] : words) ...                                  // one instant, whatever is written meanwhile
//
// A thin, header-only layer over the C interface (utan.h), which has the details of limits, threads and complexity.
// Errors are thrown as utan::Error; "not found" is not an error where a result can say so. Stores and tables may be used
// by any number of threads at once; a Value stays on its thread; an Iterator is used by one thread at a time.
// Handles are moved, never copied, except Table, which is a cheap shared handle and keeps its store open.
#pragma once

#include <utan/utan.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace utan {

// What a call could not do. what() says what happened, to which file, and what to do.
class Error : public std::runtime_error {
 public:
  Error(utan_code code, const std::string& message) : std::runtime_error(message), code_(code) {}
  utan_code code() const noexcept { return code_; }

 private:
  utan_code code_;
};

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
}  // namespace detail

// A value read in place, without a copy: the bytes stay valid and unchanged for as long as it lives, whatever is written
// meanwhile. Empty (false) if the key was not there. Let go of it soon, on the thread that got it: what it sees cannot
// be reused.
class Value {
 public:
  Value() noexcept = default;
  Value(Value&& other) noexcept
      : value_(std::exchange(other.value_, utan_value{})), found_(std::exchange(other.found_, false)) {}
  Value& operator=(Value&& other) noexcept {
    if (this != &other) {
      reset();
      value_ = std::exchange(other.value_, utan_value{});
      found_ = std::exchange(other.found_, false);
    }
    return *this;
  }
  Value(const Value&) = delete;
  Value& operator=(const Value&) = delete;
  ~Value() { reset(); }

  explicit operator bool() const noexcept { return found_; }
  bool has_value() const noexcept { return found_; }
  std::string_view view() const noexcept { return {static_cast<const char*>(value_.data), value_.size}; }
  std::string_view operator*() const noexcept { return view(); }
  std::span<const std::byte> bytes() const noexcept {
    return {static_cast<const std::byte*>(value_.data), value_.size};
  }
  std::string str() const { return std::string(view()); }
  std::size_t size() const noexcept { return value_.size; }

  // Lets go of it now.
  void reset() noexcept {
    if (found_) utan_value_release(&value_);
    found_ = false;
    value_ = utan_value{};
  }

 private:
  friend class Table;
  utan_value value_{};
  bool found_ = false;
};

// A key and its value during iteration; both are valid until the iterator moves on.
struct Entry {
  std::string_view key;
  std::string_view value;
};

// Goes over all entries of a table as they were when it was made. A C++20 input iterator.
class Iterator {
 public:
  using value_type = Entry;
  using difference_type = std::ptrdiff_t;
  using iterator_concept = std::input_iterator_tag;

  Iterator() noexcept = default;
  explicit Iterator(utan_iterator* iterator) : iterator_(iterator) { ++*this; }
  Iterator(Iterator&& other) noexcept : iterator_(std::exchange(other.iterator_, nullptr)), entry_(other.entry_) {}
  Iterator& operator=(Iterator&& other) noexcept {
    if (this != &other) {
      utan_iterator_close(iterator_);
      iterator_ = std::exchange(other.iterator_, nullptr);
      entry_ = other.entry_;
    }
    return *this;
  }
  Iterator(const Iterator&) = delete;
  Iterator& operator=(const Iterator&) = delete;
  ~Iterator() { utan_iterator_close(iterator_); }

  const Entry& operator*() const noexcept { return entry_; }
  const Entry* operator->() const noexcept { return &entry_; }
  Iterator& operator++() {
    utan_value key{};
    utan_value value{};
    const utan_code code = utan_iterator_next(iterator_, &key, &value);
    if (code == UTAN_OK) {
      entry_ = {{static_cast<const char*>(key.data), key.size}, {static_cast<const char*>(value.data), value.size}};
      return *this;
    }
    utan_iterator_close(std::exchange(iterator_, nullptr));
    if (code != UTAN_NOT_FOUND) throw Error(code, utan_last_error());
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const Iterator& it, std::default_sentinel_t) noexcept { return it.iterator_ == nullptr; }

 private:
  utan_iterator* iterator_ = nullptr;
  Entry entry_{};
};

// A hash table of bytes to bytes that lives in the store. Cheap to copy; every copy is the same table.
class Table {
 public:
  // The value of `key`, in place, or an empty Value.
  Value get(std::string_view key) const {
    Value out;
    out.found_ = detail::found(utan_table_get(handle(), key.data(), key.size(), &out.value_));
    return out;
  }
  // The value of `key`, copied.
  std::optional<std::string> get_copy(std::string_view key) const {
    const Value value = get(key);
    if (!value) return std::nullopt;
    return value.str();
  }
  bool contains(std::string_view key) const {
    return detail::found(utan_table_contains(handle(), key.data(), key.size()));
  }

  // Sets `key`, whether it was there or not. One commit: seen by every process when it returns.
  void put(std::string_view key, std::string_view value) {
    detail::check(utan_table_put(handle(), key.data(), key.size(), value.data(), value.size()));
  }
  // Sets `key` only if it is absent. True: it was.
  bool add(std::string_view key, std::string_view value) {
    const utan_code code = utan_table_add(handle(), key.data(), key.size(), value.data(), value.size());
    if (code == UTAN_EXISTS) return false;
    detail::check(code);
    return true;
  }
  // Compare and replace. True: `key` had exactly `expected` and has `value` now.
  bool replace(std::string_view key, std::string_view expected, std::string_view value) {
    return detail::found(utan_table_replace(handle(), key.data(), key.size(), expected.data(), expected.size(),
                                            value.data(), value.size()));
  }
  // Sets `key` to what `change(old)` returns, atomically; `old` is an std::optional<std::string_view>, empty if the key
  // is absent, and `change` may run several times. Returning std::nullopt leaves everything as it is. Returns the new value.
  template <class Change>
  std::optional<std::string> alter(std::string_view key, Change&& change) {
    for (;;) {
      std::optional<std::string> old = get_copy(key);
      std::optional<std::string> now = change(old ? std::optional<std::string_view>(*old) : std::nullopt);
      if (!now) return std::nullopt;
      if (old ? replace(key, *old, *now) : add(key, *now)) return now;
    }
  }
  // Removes `key`. True: it was there.
  bool erase(std::string_view key) { return detail::found(utan_table_erase(handle(), key.data(), key.size())); }

  // How many keys there are. O(1).
  std::uint64_t count() const {
    std::uint64_t n = 0;
    detail::check(utan_table_count(handle(), &n));
    return n;
  }

  // All entries as they are now, in no order.
  Iterator begin() const {
    utan_iterator* iterator = nullptr;
    detail::check(utan_iterate(handle(), &iterator));
    return Iterator(iterator);
  }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  friend class Store;
  Table(std::shared_ptr<utan_store> store, utan_table* table) : table_(table, Closer{std::move(store)}) {}
  utan_table* handle() const noexcept { return table_.get(); }

  // Keeps the store open until its last table is gone.
  struct Closer {
    std::shared_ptr<utan_store> store;
    void operator()(utan_table* table) const noexcept { utan_table_close(table); }
  };
  std::shared_ptr<utan_table> table_;
};

using Stats = utan_store_stats;

enum class Mode : std::uint32_t {
  create = UTAN_CREATE,      // open it, or create it if it is missing
  existing = UTAN_EXISTING,  // it must be there
  read_only = UTAN_READ_ONLY_MODE,
  fresh = UTAN_NEW  // a new, empty one in its place
};

enum class Durability : std::uint32_t { keep = UTAN_DURABILITY_KEEP, manual = UTAN_DURABILITY_MANUAL };

struct Options {
  Mode mode = Mode::create;
  Durability durability = Durability::keep;
  std::uint64_t chunk_size = 0;   // most bytes the file grows by at once; 0: what the store has (16 MiB)
  std::uint32_t permissions = 0;  // of a new file, before umask; 0: 0666
  std::uint32_t timeout_ms = 0;   // how long to wait for one who creates or recovers it; 0: 10,000
};

// An open store, or a snapshot of one. Closed when it and its tables are gone, or by close().
class Store {
 public:
  // Beside the file lies `path`-lock: leave it there while anybody has the store open (utan_open).
  static Store open(const std::string& path, const Options& options = {}) {
    utan_open_options o{};
    o.struct_size = sizeof o;
    o.mode = static_cast<std::uint32_t>(options.mode);
    o.durability = static_cast<std::uint32_t>(options.durability);
    o.chunk_size = options.chunk_size;
    o.permissions = options.permissions;
    o.timeout_ms = options.timeout_ms;
    utan_store* store = nullptr;
    detail::check(utan_open(path.c_str(), &o, &store));
    return Store(store);
  }

  // The table called `name`, made if it is missing (in a snapshot: UTAN_NOT_FOUND).
  Table table(std::string_view name) const {
    utan_table* table = nullptr;
    detail::check(utan_table_open(handle(), name.data(), name.size(), utan_is_snapshot(handle()) == 0 ? 1 : 0, &table));
    return Table(store_, table);
  }
  // The same, or nothing if it is missing.
  std::optional<Table> find_table(std::string_view name) const {
    utan_table* table = nullptr;
    if (!detail::found(utan_table_open(handle(), name.data(), name.size(), 0, &table))) return std::nullopt;
    return Table(store_, table);
  }

  // The whole store at this instant, read only, while others go on.
  Store snapshot() const {
    utan_store* out = nullptr;
    detail::check(utan_snapshot(handle(), &out));
    return Store(out);
  }
  bool is_snapshot() const noexcept { return utan_is_snapshot(handle()) != 0; }

  // Makes every commit so far survive a power cut.
  void sync() { detail::check(utan_sync(handle())); }

  Stats stats() const {
    Stats out{};
    out.struct_size = sizeof out;
    detail::check(utan_stats(handle(), &out));
    return out;
  }

  // Lets go of the store. Its tables keep it open until they are gone.
  void close() noexcept { store_.reset(); }

 private:
  explicit Store(utan_store* store) : store_(store, [](utan_store* s) { utan_close(s); }) {}
  utan_store* handle() const noexcept { return store_.get(); }
  std::shared_ptr<utan_store> store_;
};

}  // namespace utan
