// Everything that a program can do with a store, done once, in bounded time, whatever the store holds: reading, iterating
// both ways, ranges, neighbours, paths, JSON, writing of every kind, snapshots, reuse, sync, checks.
//
// Of a damaged store any call may fail, but with a code that says so. UTAN_INTERNAL is a fault of the library, and so are
// UTAN_MEMORY, since no file may make it ask for more memory than there is in the file, and a code without a message.
// Such a fault ends the process: whoever runs this looks at how it ended.
#pragma once

#include <utan/utan.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace utan::damage {

// A value that was got, or is given; released at its end.
class GotValue {
 public:
  GotValue() = default;
  GotValue(const GotValue&) = delete;
  GotValue& operator=(const GotValue&) = delete;
  ~GotValue() { utan_value_release(&value_); }
  utan_value* out() {
    utan_value_release(&value_);
    value_ = {};
    return &value_;
  }
  const utan_value& operator*() const { return value_; }
  const utan_value* operator->() const { return &value_; }

 private:
  utan_value value_{};
};

inline utan_value text_value(std::string_view text) {
  utan_value out{};
  out.type = UTAN_STRING;
  out.data = text.data();
  out.size = text.size();
  return out;
}
inline utan_value integer_value(std::int64_t integer) {
  utan_value out{};
  out.type = UTAN_INTEGER;
  out.integer = integer;
  return out;
}

inline utan_range whole_range() {
  utan_range out{};
  out.struct_size = sizeof out;
  return out;
}

// A key or a value that outlives the call that handed it out.
struct Kept {
  utan_value value{};
  std::string bytes;
  std::vector<Kept> elements;
  std::vector<utan_value> element_values;

  static bool has_bytes(const utan_value& value) {
    return value.type == UTAN_STRING || value.type == UTAN_BYTES || value.type == UTAN_UUID ||
           value.type == UTAN_BIG_INTEGER || value.type == UTAN_EXTENDED;
  }
  static Kept of(const utan_value& value) {
    Kept out;
    out.value.type = value.type;
    if (has_bytes(value)) {
      if (value.size != 0) out.bytes.assign(static_cast<const char*>(value.data), value.size);
    } else if (value.type == UTAN_TUPLE) {
      for (std::size_t i = 0; i < value.size; ++i) out.elements.push_back(of(value.elements[i]));
    } else {
      out.value.integer = value.integer;
    }
    return out;
  }
  // As it is to be given to a call; valid until this moves.
  const utan_value* given() {
    if (has_bytes(value)) {
      value.data = bytes.data();
      value.size = bytes.size();
    } else if (value.type == UTAN_TUPLE) {
      element_values.clear();
      for (Kept& element : elements) element_values.push_back(*element.given());
      value.elements = element_values.data();
      value.size = element_values.size();
    }
    return &value;
  }
};

class Exercise {
 public:
  // What it came to: of an undamaged store it is known.
  struct Tally {
    std::uint64_t call_count = 0;
    std::uint64_t failure_count = 0;  // neither UTAN_OK nor what says that something is there or is not
    std::uint64_t entry_count = 0;    // that iterating handed out
    std::uint64_t container_count = 0;
    std::uint64_t problem_count = 0;  // that the check found at the end
    std::string first_failure;
  };

  explicit Exercise(utan_store* store) : store_(store) {}
  ~Exercise() { close_all(); }
  Exercise(const Exercise&) = delete;
  Exercise& operator=(const Exercise&) = delete;

  const Tally& run() {
    read_all(store_);
    use_paths(true);
    check();
    utan_store* snapshot = nullptr;
    const bool has_snapshot = done(utan_snapshot(store_, &snapshot)) == UTAN_OK;
    write_all();
    if (has_snapshot) read_all(snapshot);
    close_all();
    if (has_snapshot) done(utan_close(snapshot));
    make_and_remove();
    reclaim();
    done(utan_sync(store_));
    read_all(store_);
    close_all();
    check();
    return tally_;
  }
  // Before the rest: values that need many segments, in a row and one by one, of which half are left.
  void grow() {
    utan_container* root = nullptr;
    if (done(utan_root(store_, &root)) != UTAN_OK) return;
    const std::string run(40'000, 'g');
    const std::string block(3'000, 'g');
    for (std::int64_t i = 0; i < growing_count; ++i) {
      const utan_value key = integer_value(i);
      const utan_value value = text_value(i % 4 == 0 ? run : block);
      done(utan_set(root, &key, &value));
    }
    for (std::int64_t i = 0; i < growing_count; i += 2) {
      const utan_value key = integer_value(i);
      done(utan_erase(root, &key));
    }
    utan_container_close(root);
  }
  // The part of it that writes nothing.
  const Tally& read() {
    read_all(store_);
    use_paths(false);
    check();
    close_all();
    return tally_;
  }

 private:
  static constexpr std::size_t container_count_max = 40;
  static constexpr std::uint64_t entry_count_max = 1500;
  static constexpr std::int64_t growing_count = 120;

  struct Open {
    utan_container* container = nullptr;
    std::uint32_t type = 0;
    std::vector<Kept> keys;  // some of those that are in it
  };

  utan_code done(utan_code code) {
    ++tally_.call_count;
    if (code == UTAN_OK || code == UTAN_NOT_FOUND || code == UTAN_EXISTS) return code;
    const char* const said = utan_last_error();
    if (code < UTAN_OK || code > UTAN_INTERRUPTED || code == UTAN_INTERNAL || code == UTAN_MEMORY || said[0] == '\0') {
      std::fprintf(stderr, "a call answered %s (%d): %s\n", utan_code_name(code), code, said);
      std::abort();
    }
    if (tally_.failure_count++ == 0) tally_.first_failure = said;
    return code;
  }

  // Reads every byte of a value, so that one that lies outside of the file shows.
  void touch(const utan_value& value) {
    if (value.type == UTAN_TUPLE) {
      for (std::size_t i = 0; i < value.size; ++i) touch(value.elements[i]);
    } else if (Kept::has_bytes(value)) {
      const auto* const bytes = static_cast<const unsigned char*>(value.data);
      for (std::size_t i = 0; i < value.size; ++i) sum_ = sum_ + bytes[i];
    }
  }

  // --- Reading

  // The root and what can be reached from it.
  void read_all(utan_store* store) {
    close_all();
    utan_container* root = nullptr;
    if (done(utan_root(store, &root)) != UTAN_OK) return;
    add(root);
    for (std::size_t i = 0; i < open_.size(); ++i) read_container(i);
    ++turn_;
    tally_.container_count = open_.size();
  }
  void add(utan_container* container) {
    const std::uint64_t id = utan_container_id(container);
    if (open_.size() == container_count_max || !ids_.emplace(id, open_.size()).second) {
      utan_container_close(container);
      return;
    }
    open_.push_back({container, utan_container_type(container), {}});
  }
  void close_all() {
    for (const Open& open : open_) utan_container_close(open.container);
    open_.clear();
    ids_.clear();
  }
  bool is_ordered(const Open& open) const { return open.type == UTAN_DICT || open.type == UTAN_COLLECTION; }

  void read_container(std::size_t index) {
    std::uint64_t count = 0;
    done(utan_count(open_[index].container, &count));
    utan_range range = whole_range();
    iterate(index, range);
    range.reverse = 1;
    range.skip = 1;
    if (open_[index].type != UTAN_TABLE && turn_ == 0) iterate(index, range);
    look_up(open_[index]);
    if (is_ordered(open_[index])) read_order(open_[index]);
    if (open_[index].type == UTAN_LIST) {
      for (const auto at : {std::int64_t{0}, std::int64_t{-1}, static_cast<std::int64_t>(count / 2),
                            static_cast<std::int64_t>(count)}) {
        const utan_value key = integer_value(at);
        GotValue value;
        if (done(utan_get(open_[index].container, &key, value.out())) == UTAN_OK) touch(*value);
      }
    }
    if (index == 0 || index % 4 == turn_) write_json(open_[index].container);
  }
  void write_json(utan_container* container) {
    char* text = nullptr;
    std::size_t size = 0;
    if (done(utan_to_json(container, 0, &text, &size)) == UTAN_OK) sum_ = sum_ + size;
    utan_text_free(text);
  }

  void iterate(std::size_t index, utan_range range) {
    utan_iterator* iterator = nullptr;
    if (done(utan_iterate(open_[index].container, &range, &iterator)) != UTAN_OK) return;
    for (std::uint64_t i = 0; i < entry_count_max; ++i) {
      utan_value key{};
      GotValue value;
      if (done(utan_iterator_next(iterator, &key, value.out())) != UTAN_OK) break;
      ++tally_.entry_count;
      touch(key);
      touch(*value);
      if (i % 16 == 0 && open_[index].keys.size() < 12) open_[index].keys.push_back(Kept::of(key));
      if (value->type == UTAN_CONTAINER) {
        // In the store itself, also when a snapshot is read: what that has alone is gone there.
        utan_container* again = nullptr;
        const utan_code code = utan_container_open(store_, utan_container_id(value->container), &again);
        if (code == UTAN_OK) add(again);
        if (code != UTAN_OK && code != UTAN_GONE) done(code);
      }
    }
    utan_iterator_close(iterator);
  }
  void look_up(Open& open) {
    for (Kept& key : open.keys) {
      GotValue value;
      if (done(utan_get(open.container, key.given(), value.out())) == UTAN_OK) touch(*value);
      done(utan_contains(open.container, key.given()));
    }
    if (open.type == UTAN_LIST) return;
    for (const char* absent : {"", "absent", "cccccccccccccccccccccccccccccccc"}) {
      const utan_value key = text_value(absent);
      GotValue value;
      done(utan_get(open.container, &key, value.out()));
    }
    const utan_value number = integer_value(17);
    done(utan_contains(open.container, &number));
  }

  void read_order(Open& open) {
    GotValue key;
    GotValue value;
    if (done(utan_first(open.container, key.out(), value.out())) == UTAN_OK) touch(*value);
    if (done(utan_last(open.container, key.out(), value.out())) == UTAN_OK) touch(*value);
    for (std::size_t i = 0; i < open.keys.size(); i += 3) {
      if (done(utan_floor(open.container, open.keys[i].given(), key.out(), value.out())) == UTAN_OK) touch(*key);
      if (done(utan_ceiling(open.container, open.keys[i].given(), key.out(), value.out())) == UTAN_OK) touch(*key);
    }
    if (open.keys.size() < 3) return;
    utan_range range = whole_range();
    range.low = open.keys[open.keys.size() / 3].given();
    range.high = open.keys[open.keys.size() - 1].given();
    range.high_inclusive = 1;
    std::uint64_t count = 0;
    done(utan_count_range(open.container, &range, &count));
    const utan_value prefix = text_value("c");
    range = whole_range();
    range.prefix = &prefix;
    done(utan_count_range(open.container, &range, &count));
  }

  void use_paths(bool writes) {
    utan_container* root = nullptr;
    if (done(utan_root(store_, &root)) != UTAN_OK) return;
    const utan_value path[] = {text_value("outer"), text_value("inner"), integer_value(0), text_value("leaf")};
    for (std::size_t size = 0; size <= 4; ++size) {
      GotValue value;
      if (done(utan_get_at(root, path, size, value.out())) == UTAN_OK) touch(*value);
    }
    utan_container_close(root);
    utan_table* table = nullptr;
    if (done(utan_table_open(store_, "bytes", 5, 0, &table)) != UTAN_OK) return;
    GotValue value;
    for (const std::string_view key : {"key 1", "key 2", "absent"}) {
      if (done(utan_table_get(table, key.data(), key.size(), value.out())) == UTAN_OK) touch(*value);
    }
    utan_iterator* iterator = nullptr;
    if (done(utan_table_iterate(table, &iterator)) == UTAN_OK) {
      utan_value key{};
      GotValue one;
      if (done(utan_iterator_next(iterator, &key, one.out())) == UTAN_OK) touch(*one);
      utan_iterator_close(iterator);
    }
    if (writes) {
      done(utan_table_put(table, "key 3", 5, "value", 5));
      done(utan_table_erase(table, "key 1", 5));
    }
    utan_table_close(table);
  }

  // --- Writing

  void write_all() {
    for (Open& open : open_) {
      if (open.type == UTAN_LIST) {
        write_list(open);
      } else {
        write_mapping(open);
      }
    }
  }

  void write_mapping(Open& open) {
    const utan_value fresh = text_value("zz new");
    const utan_value other = text_value("zz another that is longer than the others are");
    const utan_value one = integer_value(1);
    const std::string medium(300, 'm');
    const utan_value long_text = text_value(medium);
    GotValue out;
    done(utan_set(open.container, &fresh, &one));
    done(utan_set(open.container, &fresh, &long_text));
    done(utan_increase(open.container, &other, &one, out.out()));
    done(utan_replace(open.container, &other, &one, &long_text));
    done(utan_add(open.container, &other, &one));
    int added = 0;
    const utan_value missing = text_value("aa missing");
    done(utan_set_default(open.container, &missing, &one, out.out(), &added));
    for (std::size_t i = 0; i < open.keys.size(); ++i) {
      const utan_value* const key = open.keys[i].given();
      if (i % 4 == 0) done(utan_set(open.container, key, &long_text));
      if (i % 4 == 1) done(utan_erase(open.container, key));
      if (i % 4 == 2) done(utan_pop(open.container, key, out.out()));
    }
    done(utan_pop(open.container, &other, out.out()));
    utan_data* data = nullptr;
    if (done(utan_data_new(&data)) == UTAN_OK) {
      done(utan_data_begin(data, open.type, nullptr));
      for (std::int64_t i = 1'000; i < 1'012; ++i) {
        const utan_value key = integer_value(i);
        done(utan_data_add(data, &key));
        done(utan_data_add(data, i % 3 == 0 ? &long_text : &key));
      }
      done(utan_data_end(data));
      done(utan_update(open.container, data));
      utan_data_free(data);
    }
    GotValue key;
    done(utan_pop_last(open.container, key.out(), out.out()));
    if (!is_ordered(open) || open.keys.size() < 5) return;
    utan_range range = whole_range();
    range.low = open.keys[1].given();
    range.high = open.keys[open.keys.size() - 2].given();
    std::uint64_t count = 0;
    done(utan_delete_range(open.container, &range, &count));
  }

  void write_list(Open& open) {
    const utan_value one = integer_value(1);
    const utan_value long_text = text_value("longer than a word in a list has room for");
    done(utan_append(open.container, &one));
    done(utan_append(open.container, &long_text));
    done(utan_insert(open.container, 0, &long_text));
    for (Kept& key : open.keys) done(utan_set(open.container, key.given(), &one));
    std::uint64_t count = 0;
    done(utan_count(open.container, &count));
    utan_data* data = nullptr;
    if (done(utan_data_new(&data)) == UTAN_OK) {
      done(utan_data_begin(data, UTAN_LIST, nullptr));
      for (int i = 0; i < 20; ++i) done(utan_data_add(data, i % 5 == 0 ? &long_text : &one));
      done(utan_data_end(data));
      done(utan_splice(open.container, count / 2, 3, data));
      done(utan_splice(open.container, count / 3, count / 2, nullptr));
      utan_data_free(data);
    }
    for (const std::int64_t at : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{2}}) {
      const utan_value index = integer_value(at);
      GotValue out;
      done(utan_pop(open.container, &index, out.out()));
      done(utan_erase(open.container, &index));
    }
  }

  // Containers come, are named, and go with all that is in them.
  void make_and_remove() {
    utan_container* root = nullptr;
    if (done(utan_root(store_, &root)) != UTAN_OK) return;
    const utan_value path[] = {text_value("made"), text_value("on"), text_value("the way")};
    const utan_value one = integer_value(1);
    done(utan_set_at(root, path, 3, &one, 1));
    utan_container* made = nullptr;
    if (done(utan_new(store_, UTAN_LIST, nullptr, &made)) == UTAN_OK) {
      done(utan_append(made, &one));
      utan_value named{};
      named.type = UTAN_CONTAINER;
      named.container = made;
      const utan_value name = text_value("made list");
      done(utan_set(root, &name, &named));
      utan_container_close(made);
    }
    utan_data* data = nullptr;
    if (done(utan_data_new(&data)) == UTAN_OK) {
      static constexpr std::string_view json = R"({"a": [1, 2, {"b": "text"}], "c": {}})";
      done(utan_data_from_json(data, json.data(), json.size()));
      utan_value plain{};
      plain.type = UTAN_DATA;
      plain.plain = data;
      const utan_value name = text_value("small dict");
      done(utan_set(root, &name, &plain));
      utan_data_free(data);
    }
    clear_named(root, "texts");
    clear_named(root, "list");
    for (const char* name : {"tree", "cuts", "table", "outer", "inner", "innermost", "large", "small table", "list",
                             "texts", "small list"}) {
      const utan_value key = text_value(name);
      done(utan_erase(root, &key));
    }
    utan_container_close(root);
  }
  void clear_named(utan_container* root, const char* name) {
    const utan_value key = text_value(name);
    GotValue found;
    if (done(utan_get(root, &key, found.out())) == UTAN_OK && found->type == UTAN_CONTAINER)
      done(utan_clear(found->container));
  }

  // Commits enough for what was replaced to be freed and used again, and for orphans to be emptied.
  void reclaim() {
    utan_container* root = nullptr;
    if (done(utan_root(store_, &root)) != UTAN_OK) return;
    const utan_value key = text_value("counter");
    const utan_value one = integer_value(1);
    for (int i = 0; i < 80; ++i) done(utan_increase(root, &key, &one, nullptr));
    utan_container_close(root);
  }

  // --- Looking after

  void check() {
    utan_check_report report{};
    report.struct_size = sizeof report;
    if (done(utan_check(store_, nullptr, &report)) == UTAN_OK) tally_.problem_count = report.problem_count;
    utan_store_stats stats{};
    stats.struct_size = sizeof stats;
    done(utan_stats(store_, &stats));
    const auto visit = [](void*, const utan_process*) {};
    done(utan_processes(store_, visit, nullptr));
  }

  utan_store* store_;
  Tally tally_;
  std::vector<Open> open_;
  std::map<std::uint64_t, std::size_t> ids_;
  std::size_t turn_ = 0;  // of reading everything
  volatile std::uint64_t sum_ = 0;
};

}  // namespace utan::damage
