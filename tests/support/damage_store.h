// What tests of damage share: a small store that holds every kind of container and value, as its files lie there after a
// clean close and after a kill, and where in them something means something.
//
// Everything happens on a simulated machine: no disk is waited for, and behind a file's end, as behind all that is mapped
// there, lie addresses that nobody may touch, so that a read or write outside shows itself at once.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "format/coordination.h"
#include "format/header.h"
#include "format/layout.h"
#include "format/nodes.h"
#include "format/size_class.h"
#include "object/container.h"
#include "os/sim/machine.h"
#include "support/check_fixture.h"
#include "support/store_fixture.h"

namespace utan::damage {

using Bytes = std::vector<std::byte>;

inline const std::string store_path = "/store.utan";
inline const std::string lock_path = "/store.utan-lock";
// Files cannot be longer than this. What lies behind them, up to here, can neither be read nor written.
inline constexpr ByteCount reservation{std::uint64_t{1} << 30};

// Both files of a store at one moment.
struct Files {
  Bytes data;
  Bytes coordination;  // empty: there is none
};

// Bytes of a file that mean something.
struct Span {
  std::uint64_t from = 0;
  std::uint64_t size = 0;
};

// Fills a new store. Many entries where a container needs many to have every kind of node; few otherwise.
class Filling {
  using Value = format::Value;
  using Type = format::ContainerType;

 public:
  explicit Filling(const object::Store& store) : store_(store) {}

  void everything() {
    small_ones();
    mappings();
    lists();
    large_values();
    nested();
  }
  // Replaces part of everything, so that blocks have been freed and used again.
  void again() {
    for (const char* name : {"tree", "texts", "table"}) {
      const auto container = checking::make(store_, name, type_of(name));
      for (int i = 0; i < 40; ++i) {
        checking::set(*container, Value::integer(i * 3), Value::string("again " + std::to_string(i)));
      }
    }
    const auto list = checking::make(store_, "list", Type::list);
    for (int i = 0; i < 40; ++i) append(*list, Value::integer(i));
  }

 private:
  static Type type_of(std::string_view name) {
    return name == "table" ? Type::table : name == "texts" ? Type::dict : Type::collection;
  }
  static void append(object::Container& list, const Value& value) { checking::Everything::append(list, value); }

  void put_all_types(object::Container& container) const {
    using checking::set;
    set(container, "null", Value::null());
    set(container, "true", Value::boolean(true));
    set(container, "integer", Value::integer(-12'345'678'901));
    set(container, "real", Value::real(0.1));
    set(container, "datetime", Value::datetime(1'700'000'000'000'000));
    set(container, "utc", Value::datetime_utc(-1));
    set(container, "text", Value::string("text of some length"));
    set(container, "short", Value::string("x"));
    set(container, "bytes", Value::binary(test::bytes("some bytes")));
    set(container, "uuid", Value::uuid(test::bytes("0123456789abcdef")));
    set(container, "big", Value::big_integer(test::bytes("big integers are long")));
    set(container, Value::integer(7), Value::integer(7));
    set(container, Value::real(2.5), Value::integer(8));
    set(container, Value::null(), Value::integer(9));
    const Value parts[] = {Value::string("a"), Value::integer(1), Value::real(0.5)};
    set(container, Value::tuple(parts), Value::integer(10));
  }

  void small_ones() {
    put_all_types(*checking::make(store_, "small dict", Type::dict));
    put_all_types(*checking::make(store_, "small table", Type::table));
    const auto list = checking::make(store_, "small list", Type::list);
    append(*list, Value::integer(1));
    append(*list, Value::string("longer than a word has room for"));
    append(*list, Value::real(0.1));
    checking::make(store_, "empty", Type::collection);
    const auto bytes = test::open_table(store_, "bytes");
    for (int i = 0; i < 4; ++i) test::put(*bytes, "key " + std::to_string(i), "value " + std::to_string(i));
  }

  void mappings() {
    const auto tree = checking::make(store_, "tree", Type::collection);
    for (int i = 0; i < 150; ++i) checking::set(*tree, Value::integer(i), Value::boolean(i % 2 == 0));
    put_all_types(*tree);
    // Keys that agree in more than eight bytes: separators have tails.
    const auto texts = checking::make(store_, "texts", Type::dict);
    for (int i = 0; i < 100; ++i) {
      checking::set(*texts, std::string(1, static_cast<char>('a' + i % 10)) + "xxxxxxxxxxxx" + std::to_string(1000 + i),
                    Value::integer(i));
    }
    // Keys that agree in more bytes than a separator has.
    const auto cuts = checking::make(store_, "cuts", Type::dict);
    for (int i = 0; i < 66; ++i) {
      checking::set(*cuts, std::string(258, 'c') + std::to_string(1000 + i), Value::integer(i));
    }
    // More than sixty buckets: they have directories.
    const auto table = checking::make(store_, "table", Type::table);
    for (int i = 0; i < 630; ++i) checking::set(*table, Value::integer(i), Value::integer(i));
  }

  void lists() {
    const auto list = checking::make(store_, "list", Type::list);
    for (int i = 0; i < 300; ++i) append(*list, Value::integer(i));
    append(*list, Value::string("longer than a word has room for"));
  }

  void large_values() {
    const auto dict = checking::make(store_, "large", Type::dict);
    checking::set(*dict, "run", Value::string(std::string(20'000, 'r')));
    checking::set(*dict, "block", Value::string(std::string(700, 'b')));
    const auto list = checking::make(store_, "small list", Type::list);
    append(*list, Value::string(std::string(17'000, 'l')));
  }

  void nested() {
    const auto outer = checking::make(store_, "outer", Type::dict);
    const auto inner = checking::make(store_, "inner", Type::list);
    const auto innermost = checking::make(store_, "innermost", Type::dict);
    checking::set(*innermost, "leaf", Value::string("at the end of a path"));
    append(*inner, Value::container(innermost->id()));
    checking::set(*outer, "inner", Value::container(inner->id()));
    checking::set(*outer, "again", Value::container(innermost->id()));
  }

  const object::Store& store_;
};

// The store, made once: its files after a clean close, and as a kill leaves them; an older version of each.
class Images {
 public:
  Images() : machine_(1, reservation) {
    os::sim::Process& maker = machine_.start_process();
    {
      auto store = test::open_store(store_path, options(), maker);
      Filling(*store).everything();
      checking::expect_done(object::Store::close(std::move(store)));
    }
    older_ = files();
    {
      auto store = test::open_store(store_path, options(), maker);
      Filling(*store).again();
      checking::expect_done(object::Store::close(std::move(store)));
    }
    closed_ = {files().data, {}};
    copy_in_use();
  }

  os::sim::Machine& machine() { return machine_; }
  const Files& closed() const { return closed_; }
  const Files& killed() const { return killed_; }
  const Files& older() const { return older_; }

  static commit::OpenOptions options() { return {.chunk_size = format::chunk_size_min}; }

  // Puts these files into the place of what is there: the same two files, as far as the store can tell.
  void restore(const Files& files) {
    machine_.restore_in_place(store_path, files.data);
    if (!files.coordination.empty()) {
      machine_.restore_in_place(lock_path, files.coordination);
    } else if (machine_.exists(lock_path)) {
      // One that nobody believes is made anew in its place: the same files stay, whatever the cases before this did.
      machine_.restore_in_place(lock_path, {});
    }
  }
  Files files() const {
    return {machine_.content(store_path), machine_.exists(lock_path) ? machine_.content(lock_path) : Bytes{}};
  }

 private:
  // The files of a process in the middle of its work, which is how they would lie there if it were killed: a snapshot, blocks
  // that wait for it, an orphan that is held.
  void copy_in_use() {
    const auto store = test::open_store(store_path, options(), machine_.start_process());
    checking::expect_done(store->sync());
    const auto held = checking::make(*store, "held", format::ContainerType::dict);
    checking::set(*held, "kept by its handle", format::Value::integer(1));
    EXPECT_TRUE(store->root()->erase(format::Value::string("held")).value());
    const auto snapshot = store->snapshot();
    ASSERT_TRUE(snapshot.ok()) << snapshot.error().message();
    Filling(*store).again();
    const auto table = checking::make(*store, "table", format::ContainerType::table);
    for (int i = 0; i < 300; ++i) {
      const std::string text = "after the snapshot " + std::to_string(i);
      checking::set(*table, format::Value::integer(i), format::Value::string(text));
    }
    const auto large = checking::make(*store, "large", format::ContainerType::dict);
    checking::set(*large, "run", format::Value::string(std::string(18'000, 's')));
    // One commit that replaces more than its own block has room for.
    object::Data many;
    EXPECT_TRUE(many.begin(format::ContainerType::collection).ok());
    for (int i = 0; i < 100; ++i) {
      checking::expect_done(many.add(format::Value::integer(i)));
      checking::expect_done(many.add(format::Value::integer(-i)));
    }
    checking::expect_done(many.end());
    const auto tree = checking::make(*store, "tree", format::ContainerType::collection);
    checking::expect_done(tree->update(many));
    killed_ = files();
  }

  os::sim::Machine machine_;
  Files closed_;
  Files killed_;
  Files older_;
};

// --- Where something means something ------------------------------------------------------------------------------------

// The blocks that are handed out, by the bitmaps.
inline std::vector<Span> used_blocks(const Bytes& data) {
  std::vector<Span> out;
  const std::uint64_t segments = format::segment_count(ByteCount{data.size()});
  for (std::uint64_t i = 0; i < segments; ++i) {
    const SegmentIndex segment{i};
    if (format::describes_region(segment)) continue;
    std::uint64_t class_word;
    std::memcpy(&class_word, data.data() + format::descriptor_offset(segment).value, sizeof class_word);
    const format::ClassWord word{class_word};
    const std::uint64_t start = format::segment_start(segment).value;
    if (word.size_class() == format::class_run) out.push_back({start, word.run_length() * format::segment_size});
    if (!format::is_small_class(word.size_class())) continue;
    const auto& info = format::size_classes[word.size_class()];
    for (std::uint64_t bit = 0; bit < info.block_count; ++bit) {
      std::uint64_t bits;
      std::memcpy(&bits, data.data() + format::bitmap_offset(segment).value + bit / 64 * 8, sizeof bits);
      if ((bits >> (bit % 64) & 1) != 0) out.push_back({start + bit * info.block_size, info.block_size});
    }
  }
  return out;
}

// Header, checkpoint slots in use, descriptions of segments in use.
inline std::vector<Span> described(const Bytes& data) {
  std::vector<Span> out;
  for (std::uint64_t i = 0; i < 2; ++i)
    out.push_back({format::header_copy_offset(i).value, sizeof(format::FileHeader)});
  for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
    format::CheckpointSlot slot;
    std::memcpy(&slot, data.data() + format::slot_offset(i).value, sizeof slot);
    if (slot.number != 0) out.push_back({format::slot_offset(i).value, sizeof slot});
  }
  const std::uint64_t segments = format::segment_count(ByteCount{data.size()});
  for (std::uint64_t i = format::region_metadata_segments; i < segments; ++i) {
    out.push_back({format::bitmap_offset(SegmentIndex{i}).value, sizeof(format::Bitmap)});
    out.push_back({format::descriptor_offset(SegmentIndex{i}).value, sizeof(format::SegmentDescriptor)});
  }
  for (unsigned c = 0; c < format::class_count; ++c) out.push_back({format::hints_offset(0, c).value, 16});
  return out;
}

// The fixed part of the coordination file, its lists, the entries of processes and the lines that were used.
inline std::vector<Span> coordinated(const Bytes& coordination) {
  std::vector<Span> out;
  out.push_back({0, sizeof(format::CoordinationFixed)});
  out.push_back({format::claims_offset, format::checkpoint_slot_count * sizeof(format::CheckpointClaim)});
  out.push_back({format::waiting_lists_offset, 2 * format::waiting_list_count * 8});
  out.push_back({format::entries_offset, 4 * sizeof(format::ProcessEntry)});
  out.push_back({format::region_hints_offset, 64});
  // A fixed part is copied out, since its words are atomic.
  format::AtomicWord line_high{0};
  std::memcpy(static_cast<void*>(&line_high), coordination.data() + offsetof(format::CoordinationFixed, line_high), 8);
  for (std::uint64_t i = 0; i < line_high.load(); ++i) {
    out.push_back({format::lines_offset + i * sizeof(format::Line), sizeof(format::Line)});
  }
  return out;
}

}  // namespace utan::damage
