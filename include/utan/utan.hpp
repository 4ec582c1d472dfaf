// Utan for C++20: an embedded object database in one memory-mapped file that many processes write without locks.
//
//     utan::Store store = utan::Store::open("app.utan");
//     utan::Dict birds = store.dict("birds");                               // made if it is missing
//     birds.set("auk", utan::dict({{"eggs", 1}, {"seen", utan::list()}}));  // stored deeply, in one commit
//     birds["auk"]["seen"].as_list().append("Funk Island");                 // edited in place, seen by every process
//     for (const auto& [name, bird] : birds) ...                            // one instant, whatever is written meanwhile
//
//     utan::Table words = store.table("words");                             // bytes to bytes: the fastest way
//     words.put("forest", "hutan");
//     if (utan::Value v = words.get("forest")) std::cout << v.view();       // read in place, no copy
//
// A thin, header-only layer over the C interface (utan.h), which has the details of limits and complexity. This file has
// stores and tables of bytes; <utan/value.hpp> has values, <utan/container.hpp> dicts, lists, collections and tables of
// values. Errors are thrown as utan::Error; "not found" is not an error where a result can say so.
//
// Threads and lifetimes. Store, Table and the containers are cheap shared handles: copies are the same thing, any number
// of threads may use them at once, and each keeps its store open. A Value stays on the thread that got it, is moved and
// never copied, and is let go of soon, before the last handle of its store; a container got from it may stay. An Iterator
// is used by one thread at a time, and what it shows is valid until it moves on. Input and Path, which calls are given,
// see what they were made of, and are not kept. A handle that was moved from may only be assigned or destroyed.
#pragma once

#include <utan/utan.h>
#include <utan/container.hpp>
#include <utan/value.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace utan {

// ---- Tables of bytes ------------------------------------------------------------------------------------------------

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

// A hash table of bytes to bytes that lives in the store. Values of other types that a ValueTable has put there are
// UTAN_TYPE. Cheap to copy; every copy is the same table.
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
    return detail::added(utan_table_add(handle(), key.data(), key.size(), value.data(), value.size()));
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
    detail::check(utan_table_iterate(handle(), &iterator));
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

// ---- Stores ---------------------------------------------------------------------------------------------------------

using Stats = utan_store_stats;
using Process = utan_process;

// What a check found: the fields of utan_check_report, and its problems in words.
struct CheckReport : utan_check_report {
  CheckReport() : utan_check_report{} { struct_size = sizeof(utan_check_report); }
  bool is_sound() const noexcept { return problem_count == 0; }
  std::vector<std::string> problems;  // the first 100 at most

 private:
  friend class Store;
  utan_check_options collect() noexcept {
    utan_check_options options{};
    options.struct_size = sizeof options;
    options.context = &problems;
    options.problem = [](void* context, const char* text) {
      static_cast<std::vector<std::string>*>(context)->emplace_back(text);
    };
    return options;
  }
};

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
  bool any_file_system = false;   // also on one that other machines can reach (utan_open_options)
};

// An open store, or a snapshot of one. Closed when its last handle, of whatever kind, is gone.
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
    o.any_file_system = options.any_file_system ? 1 : 0;
    utan_store* store = nullptr;
    detail::check(utan_open(path.c_str(), &o, &store));
    return Store(store);
  }

  // The container that names all others. What the calls below call `name` is a string among its keys.
  Collection root() const {
    utan_container* out = nullptr;
    detail::check(utan_root(handle(), &out));
    return Collection(Container(out, store_));
  }
  // The container called `name`, made if it is missing (in a snapshot: UTAN_NOT_FOUND). UTAN_TYPE if it is another thing.
  Dict dict(std::string_view name) const { return Dict(named(name, UTAN_DICT)); }
  List list(std::string_view name) const { return List(named(name, UTAN_LIST)); }
  Collection collection(std::string_view name) const { return Collection(named(name, UTAN_COLLECTION)); }
  ValueTable value_table(std::string_view name) const { return ValueTable(named(name, UTAN_TABLE)); }
  Table table(std::string_view name) const {
    utan_table* table = nullptr;
    detail::check(utan_table_open(handle(), name.data(), name.size(), is_snapshot() ? 0 : 1, &table));
    return Table(store_, table);
  }
  // The same, or nothing if it is missing. For other containers: root().get(name).
  std::optional<Table> find_table(std::string_view name) const {
    utan_table* table = nullptr;
    if (!detail::found(utan_table_open(handle(), name.data(), name.size(), 0, &table))) return std::nullopt;
    return Table(store_, table);
  }
  // What is under `key` of the root: store["birds"]["auk"]. Throws UTAN_NOT_FOUND, with the key, if it is absent.
  Value operator[](const Input& key) const { return root()[key]; }

  // A new container that nothing names yet, with `data`, of the same type, as its contents. It ends with its last handle
  // unless it is put somewhere.
  Dict new_dict(const Data& data = utan::dict()) const { return Dict(made(UTAN_DICT, data)); }
  List new_list(const Data& data = utan::list()) const { return List(made(UTAN_LIST, data)); }
  Collection new_collection(const Data& data = utan::collection()) const {
    return Collection(made(UTAN_COLLECTION, data));
  }
  ValueTable new_value_table(const Data& data = utan::table()) const { return ValueTable(made(UTAN_TABLE, data)); }
  // The container of this id. UTAN_GONE if it is not there, or nothing names it.
  Container container(std::uint64_t id) const {
    utan_container* out = nullptr;
    detail::check(utan_container_open(handle(), id, &out));
    return Container(out, store_);
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

  // The processes that have the store open.
  std::vector<Process> processes() const {
    std::vector<Process> out;
    const auto visit = [](void* into, const utan_process* process) {
      Process known{};  // a library of another version may tell more, or less
      std::memcpy(&known, process, std::min(process->struct_size, sizeof known));
      static_cast<std::vector<Process>*>(into)->push_back(known);
    };
    detail::check(utan_processes(handle(), visit, &out));
    return out;
  }

  // Looks at every byte of the newest commit, or of the snapshot, and says what is wrong with it, while others go on.
  // O(bytes in use); memory: up to 1/64 of the file. What is found is no error.
  CheckReport check() const {
    CheckReport out;
    const utan_check_options options = out.collect();
    detail::check(utan_check(handle(), &options, &out));
    return out;
  }
  // The same of the whole file at `path`, also of one that cannot be opened. Throws where nothing can be walked at all.
  static CheckReport check_file(const std::string& path) {
    CheckReport out;
    const utan_check_options options = out.collect();
    detail::check(utan_check_file(path.c_str(), &options, &out));
    return out;
  }

  // Lets go of the store. Its other handles keep it open until they are gone.
  void close() noexcept { store_.reset(); }

 private:
  explicit Store(utan_store* store) : store_(store, [](utan_store* s) { utan_close(s); }) {}
  utan_store* handle() const noexcept { return store_.get(); }
  Container named(std::string_view name, std::uint32_t type) const {
    utan_container* out = nullptr;
    detail::check(utan_named(handle(), name.data(), name.size(), type, is_snapshot() ? 0 : 1, &out));
    return Container(out, store_);
  }
  Container made(std::uint32_t type, const Data& data) const {
    utan_container* out = nullptr;
    detail::check(utan_new(handle(), type, data.handle(), &out));
    return Container(out, store_);
  }
  std::shared_ptr<utan_store> store_;
};

}  // namespace utan
