// Shows that a disk, or a quota, may be full at any growth of a store's files in turn, the first, the second and so on, and
// stay full: what does not fit says so and names the file; what was committed is read by everybody as before; removing works
// and makes room; the store can be closed and opened; and where there is room again writing goes on. The same of a disk that
// takes no more flushes. At each stage the checker finds the store sound.
// Timeout: 120 s
//
// A run is a random sequence of operations, which its seed decides; it is repeated with the disk full one growth later each
// time, until it does not meet the end of the disk any more. Everything is compared with containers of the standard library.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "object/container.h"
#include "object/iterator.h"
#include "os/sim/machine.h"
#include "os/sim/random.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

using format::ContainerType;
using format::Value;
using object::Container;
using object::Data;
using object::Input;
using object::Loan;
using os::sim::Call;
using os::sim::CallKind;
using os::sim::Machine;

constexpr ByteCount reservation{std::uint64_t{256} << 20};
const std::string store_path = "/data/db";

struct Document {
  std::string text;
  std::vector<std::int64_t> numbers;
  bool operator==(const Document&) const = default;
};

// What a store holds.
struct Content {
  std::map<std::int64_t, Document> documents;   // a collection of dicts
  std::vector<std::int64_t> list;               // a list
  std::map<std::string, std::string> entries;   // a table of bytes
  std::map<std::string, std::string> settings;  // the root's own
  bool operator==(const Content&) const = default;
  std::size_t size() const { return documents.size() + list.size() + entries.size() + settings.size(); }
};

std::string text_of(std::uint64_t seed, std::uint64_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>('a' + (seed + i * i) % 26);
  return out;
}

bool is_missing(const object::Store& store, const char* name) {
  const Result<bool> there = store.root()->contains(Value::string(name));
  EXPECT_TRUE(there.ok());
  return there.ok() && !there.value();
}

// Calls `use(key, value)` for each.
template <class Use>
void each_item(const object::Container& container, Use&& use) {
  object::Iterator iterator(container);
  const Result<void> opened = iterator.open({});
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  Value key;
  Value value;
  for (;;) {
    const Result<bool> more = iterator.next(key, value);
    ASSERT_TRUE(more.ok()) << more.error().message();
    if (!*more) return;
    ASSERT_NO_FATAL_FAILURE(use(std::as_const(key), std::as_const(value)));
  }
}

void read_documents(const object::Store& store, Content& out) {
  if (is_missing(store, "documents")) return;
  const auto documents = store.container("documents", ContainerType::collection, false);
  ASSERT_TRUE(documents.ok()) << documents.error().message();
  each_item(**documents, [&](const Value& key, const Value&) {
    const std::int64_t number = key.as_integer();
    Document& document = out.documents[number];
    const Value text_path[] = {Value::integer(number), Value::string("text")};
    Loan loan;
    ASSERT_TRUE((*documents)->get_at(text_path, loan).value());
    document.text = test::text(loan.value().bytes);
    for (std::int64_t i = 0;; ++i) {
      const Value path[] = {Value::integer(number), Value::string("numbers"), Value::integer(i)};
      const Result<bool> found = (*documents)->get_at(path, loan);
      ASSERT_TRUE(found.ok()) << found.error().message();
      if (!*found) break;
      document.numbers.push_back(loan.value().as_integer());
    }
  });
}

void read_list(const object::Store& store, Content& out) {
  if (is_missing(store, "list")) return;
  const auto list = store.container("list", ContainerType::list, false);
  ASSERT_TRUE(list.ok()) << list.error().message();
  each_item(**list, [&out](const Value&, const Value& value) { out.list.push_back(value.as_integer()); });
}

void read_entries(const object::Store& store, Content& out) {
  if (is_missing(store, "table")) return;
  const auto table = store.table("table", false);
  ASSERT_TRUE(table.ok()) << table.error().message();
  const auto cursor = object::Cursor::open(**table);
  ASSERT_TRUE(cursor.ok()) << cursor.error().message();
  object::Bytes key;
  object::Bytes value;
  for (;;) {
    const Result<bool> more = (*cursor)->next(key, value);
    ASSERT_TRUE(more.ok()) << more.error().message();
    if (!*more) return;
    out.entries[test::text(key)] = test::text(value);
  }
}

void read_settings(const object::Store& store, Content& out) {
  each_item(*store.root(), [&out](const Value& key, const Value& value) {
    if (value.tag == format::Tag::string) out.settings[test::text(key.bytes)] = test::text(value.bytes);
  });
}

// All of one commit.
Content content_of(const object::Store& store) {
  Content out;
  const auto snapshot = store.snapshot();
  if (!snapshot.ok()) {
    ADD_FAILURE() << snapshot.error().message();
    return out;
  }
  read_documents(**snapshot, out);
  read_list(**snapshot, out);
  read_entries(**snapshot, out);
  read_settings(**snapshot, out);
  return out;
}

// What a user's program does to one store, and what should be in it.
class Script {
 public:
  Script(Machine& machine, std::uint64_t seed) : machine_(machine), process_(machine.start_process()), random_(seed) {
    machine.make_folder("/data");
  }

  // False: there is no room for it.
  bool open() {
    commit::OpenOptions options;
    options.chunk_size = 64 * 1024;  // the file grows in small steps, so that there are many
    Result<std::unique_ptr<object::Store>> opened = object::Store::open(process_, store_path, options);
    if (!opened.ok()) {
      expect_no_space(opened.error());
      return false;
    }
    store_ = std::move(opened).value();
    return true;
  }
  void close() {
    const Result<void> closed = object::Store::close(std::move(store_));
    EXPECT_TRUE(closed.ok()) << closed.error().message();
  }
  // Where it cannot be made durable.
  Result<void> try_to_close() { return object::Store::close(std::move(store_)); }
  const object::Store& store() const { return *store_; }
  const Content& model() const { return model_; }
  void believe(Content content) { model_ = std::move(content); }
  // What the model was after each commit since the last sync that returned, that one first.
  const std::vector<Content>& since_sync() const { return since_sync_; }

  // False: it failed. Nothing has changed then.
  bool write() {
    Content after = model_;
    Result<void> done = write_one(after);
    if (done.ok()) {
      model_ = std::move(after);
      if (remembers_) since_sync_.push_back(model_);
      return true;
    }
    failed(done.error());
    return false;
  }
  bool sync() {
    Result<void> done = store_->sync();
    if (done.ok()) {
      if (remembers_) since_sync_ = {model_};
      return true;
    }
    failed(done.error());
    return false;
  }
  // From here on every commit is remembered.
  void remember() {
    remembers_ = true;
    since_sync_ = {model_};
  }
  // Only this error is to be met from here on, besides what has no room.
  void expect_also(Code code) { also_ = code; }

  // Every single removal works.
  void remove_some(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count && model_.size() > 0 && !::testing::Test::HasFailure(); ++i) {
      Content after = model_;
      const Result<bool> removed = remove_one(after);
      ASSERT_TRUE(removed.ok()) << "removal " << i << ": " << removed.error().message();
      ASSERT_TRUE(*removed);
      model_ = std::move(after);
    }
  }
  void remove_everything_at_once() {
    ASSERT_TRUE(is_missing(*store_, "list") || (*store_->container("list", ContainerType::list, false))->clear().ok());
    ASSERT_TRUE(is_missing(*store_, "documents") ||
                (*store_->container("documents", ContainerType::collection, false))->delete_range({}).ok());
    model_.list.clear();
    model_.documents.clear();
  }

  // Everybody sees what the model says, and all is sound.
  void expect_all(const char* when) {
    SCOPED_TRACE(when);
    EXPECT_TRUE(content_of(*store_) == model_) << "in the process that writes";
    const check::Report report = test::walk(*store_);
    const commit::Session& session = **store_->attachment().session();
    if (session.coordination().fixed().header.trusted_from == 0) {
      EXPECT_LE(report.leaked_count, test::leaked_max(*store_)) << "its bitmaps are trusted";
    }
    // Somebody who was not there before.
    const auto other = object::Store::open(machine_.start_process(), store_path, {.mode = commit::OpenMode::existing});
    ASSERT_TRUE(other.ok()) << other.error().message();
    EXPECT_TRUE(content_of(**other) == model_) << "in another process";
    const auto reader =
        object::Store::open(machine_.start_process(), store_path, {.mode = commit::OpenMode::read_only});
    ASSERT_TRUE(reader.ok()) << reader.error().message();
    EXPECT_TRUE(content_of(**reader) == model_) << "in one that only reads";
  }

 private:
  void failed(const Error& error) {
    if (also_ != Code::ok && error.code() == also_) {
      EXPECT_NE(error.message().find(store_path), std::string::npos) << error.message();
    } else {
      expect_no_space(error);
    }
  }
  static void expect_no_space(const Error& error) {
    EXPECT_EQ(error.code(), Code::no_space) << error.message();
    EXPECT_NE(error.message().find(store_path), std::string::npos) << error.message();
  }

  Result<std::unique_ptr<Container>> container(const char* name, ContainerType type) {
    return store_->container(name, type, true);
  }

  Result<void> write_one(Content& after) {
    switch (random_.below(12)) {
      case 0:
      case 1:
      case 2:
        return set_document(after);
      case 3:
        return change_document(after);
      case 4:
        return append(after);
      case 5:
        return insert_many(after);
      case 6:
      case 7:
      case 8:
        return put_entry(after);
      case 9:
        return set_setting(after);
      default:
        if (after.size() < 20) return set_document(after);
        {
          const Result<bool> removed = remove_one(after);
          return removed.ok() ? Result<void>{} : Result<void>(removed.error().copy());
        }
    }
  }

  Result<void> set_document(Content& after) {
    UTAN_ASSIGN(const auto documents, container("documents", ContainerType::collection));
    const auto key = static_cast<std::int64_t>(random_.below(80));
    Document& document = after.documents[key];
    document.text = text_of(random_.next(), random_.below(random_.one_in(8) ? 30'000 : 1000));
    document.numbers.assign(random_.below(random_.one_in(8) ? 600 : 12), key);
    Data data;
    UTAN_TRY(data.begin(ContainerType::dict));
    UTAN_TRY(data.add(Value::string("text")));
    UTAN_TRY(data.add(Value::string(document.text)));
    UTAN_TRY(data.add(Value::string("numbers")));
    UTAN_TRY(data.begin(ContainerType::list));
    for (const std::int64_t number : document.numbers) UTAN_TRY(data.add(Value::integer(number)));
    UTAN_TRY(data.end());
    UTAN_TRY(data.end());
    Input input(data);
    return documents->set(Value::integer(key), input);
  }
  // Inside a document: its text.
  Result<void> change_document(Content& after) {
    if (after.documents.empty()) return set_document(after);
    auto& [key, document] = *random_of(after.documents);
    document.text = text_of(random_.next(), random_.below(3000));
    UTAN_ASSIGN(const auto documents, container("documents", ContainerType::collection));
    Input input(Value::string(document.text));
    const Value path[] = {Value::integer(key), Value::string("text")};
    return documents->set_at(path, input, true);
  }
  Result<void> append(Content& after) {
    UTAN_ASSIGN(const auto list, container("list", ContainerType::list));
    const auto value = static_cast<std::int64_t>(random_.below(1'000'000));
    after.list.push_back(value);
    Input input(Value::integer(value));
    return list->append(input);
  }
  // A piece of a big list.
  Result<void> insert_many(Content& after) {
    UTAN_ASSIGN(const auto list, container("list", ContainerType::list));
    const std::uint64_t at = random_.below(after.list.size() + 1);
    const std::vector<std::int64_t> values(random_.below(2000), static_cast<std::int64_t>(at));
    Data data;
    UTAN_TRY(data.begin(ContainerType::list));
    for (const std::int64_t value : values) UTAN_TRY(data.add(Value::integer(value)));
    UTAN_TRY(data.end());
    after.list.insert(after.list.begin() + static_cast<std::ptrdiff_t>(at), values.begin(), values.end());
    return list->splice(at, 0, data);
  }
  Result<void> put_entry(Content& after) {
    UTAN_ASSIGN(const auto table, store_->table("table", true));
    const std::string key = "k" + std::to_string(random_.below(400));
    const std::string value = text_of(random_.next(), random_.below(random_.one_in(10) ? 40'000 : 400));
    after.entries[key] = value;
    const Result<bool> put = table->put(test::bytes(key), test::bytes(value), object::Table::Put::always);
    return put.ok() ? Result<void>{} : Result<void>(put.error().copy());
  }
  Result<void> set_setting(Content& after) {
    const std::string key = "setting " + std::to_string(random_.below(10));
    const std::string value = text_of(random_.next(), random_.below(300));
    after.settings[key] = value;
    Input input(Value::string(value));
    return store_->root()->set(Value::string(key), input);
  }

  // Whatever there is: a document, an element, an entry.
  Result<bool> remove_one(Content& after) {
    for (;;) {
      switch (random_.below(4)) {
        case 0: {
          if (after.documents.empty()) continue;
          const auto one = random_of(after.documents);
          const std::int64_t key = one->first;
          after.documents.erase(one);
          UTAN_ASSIGN(const auto documents, container("documents", ContainerType::collection));
          return documents->erase(Value::integer(key));
        }
        case 1: {
          if (after.list.empty()) continue;
          const std::uint64_t index = random_.below(after.list.size());
          after.list.erase(after.list.begin() + static_cast<std::ptrdiff_t>(index));
          UTAN_ASSIGN(const auto list, container("list", ContainerType::list));
          return list->erase(Value::integer(static_cast<std::int64_t>(index)));
        }
        case 2: {
          if (after.entries.empty()) continue;
          const auto one = random_of(after.entries);
          const std::string key = one->first;
          after.entries.erase(one);
          UTAN_ASSIGN(const auto table, store_->table("table", false));
          return table->erase(test::bytes(key));
        }
        default: {
          if (after.settings.empty()) continue;
          const auto one = random_of(after.settings);
          const std::string key = one->first;
          after.settings.erase(one);
          return store_->root()->erase(Value::string(key));
        }
      }
    }
  }

  template <class Map>
  typename Map::iterator random_of(Map& map) {
    return std::next(map.begin(), static_cast<std::ptrdiff_t>(random_.below(map.size())));
  }

  Machine& machine_;
  os::sim::Process& process_;
  os::sim::Random random_;
  std::unique_ptr<object::Store> store_;
  Content model_;
  std::vector<Content> since_sync_;
  bool remembers_ = false;
  Code also_ = Code::ok;
};

std::uint64_t operations() { return ::getenv("UTAN_TORTURE") != nullptr ? 2000 : 200; }

// What is done while the disk is full, and after it. The script has met that.
void go_on_when_full(Machine& machine, Script& script, bool at_once) {
  script.expect_all("when it was met");
  for (int i = 0; i < 30; ++i) script.write();
  script.expect_all("after more that was tried");
  if (at_once) script.remove_everything_at_once();
  script.remove_some(2 * script.model().size() / 3);
  script.expect_all("after removing");
  EXPECT_TRUE(script.sync());
  script.close();
  ASSERT_TRUE(script.open()) << "closed and opened, still full";
  script.expect_all("when it was opened again");
  machine.free_disk();
  const std::uint64_t refused = machine.refused_growth_count();
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(script.write());
  EXPECT_EQ(machine.refused_growth_count(), refused);
  script.expect_all("where there is room again");
  script.close();
  ASSERT_TRUE(script.open());
  script.expect_all("at the end");
  EXPECT_EQ(test::walk(script.store()).orphan_count, 0U);
}

// One run. False: the disk was large enough.
bool fill_at(std::uint64_t growth, std::uint64_t operation_count, std::uint64_t seed, int system_error) {
  Machine machine(seed, reservation);
  Script script(machine, seed);
  machine.fill_disk_after(growth, system_error);
  if (!script.open()) {
    machine.free_disk();
    EXPECT_TRUE(script.open()) << "nothing is in the way of a new attempt";
    if (!::testing::Test::HasFailure()) script.expect_all("made at the second attempt");
    return true;
  }
  const auto met = [&] { return machine.refused_growth_count() != 0; };
  for (std::uint64_t i = 0; i < operation_count && !met(); ++i) {
    script.write();
    if (i % 50 == 25) {
      EXPECT_TRUE(script.sync());
    }
  }
  if (!met()) {
    script.expect_all("with room for all");
    return false;
  }
  go_on_when_full(machine, script, growth % 4 == 3);
  return true;
}

TEST(FullDisk, AtEveryGrowth) {
  const std::uint64_t first_seed = test::seed_of_run();
  std::printf("seed %llu\n", static_cast<unsigned long long>(first_seed));
  std::uint64_t growths = 0;
  for (std::uint64_t i = 0; i < test::scaled(1, 50); ++i) {
    const std::uint64_t seed = first_seed + i;
    bool more = true;
    for (std::uint64_t growth = 0; more && !HasFailure(); ++growth) {
      SCOPED_TRACE("replay with UTAN_SEED=" + std::to_string(seed) + ", growth " + std::to_string(growth));
      more = fill_at(growth, operations(), seed, growth % 2 == 0 ? ENOSPC : EDQUOT);
      growths += more ? 1 : 0;
    }
  }
  EXPECT_GT(growths, 5U);
  std::printf("%llu growths\n", static_cast<unsigned long long>(growths));
}

// Removing leaves containers behind for which there is no room when the store is closed, where it has lived long.
TEST(FullDisk, AfterALongLife) {
  const std::uint64_t first_seed = test::seed_of_run();
  std::printf("seed %llu\n", static_cast<unsigned long long>(first_seed));
  for (std::uint64_t seed = first_seed; seed < first_seed + test::scaled(6, 50) && !HasFailure(); ++seed) {
    SCOPED_TRACE("replay with UTAN_SEED=" + std::to_string(seed));
    EXPECT_TRUE(fill_at(seed % 2 == 0 ? 35 : 39, 2000, seed, ENOSPC));
  }
}

// The disk takes no flush from this one on. False: there were fewer.
bool refuse_flushes_from(std::uint64_t flush, std::uint64_t seed) {
  Machine machine(seed, reservation);
  Script script(machine, seed);
  std::uint64_t flushes = 0;
  std::uint64_t refused = 0;
  machine.on_call([&](const Call& call) -> Error {
    const bool is_flush = call.kind == CallKind::flush && call.path.starts_with(store_path);
    if (!is_flush || flushes++ < flush) return {};
    ++refused;
    return {Code::no_space, ENOSPC, "cannot flush " + call.path + ": the disk of this test is full"};
  });
  if (!script.open()) {
    machine.on_call({});
    EXPECT_TRUE(script.open());
    return true;
  }
  script.remember();
  script.expect_also(Code::read_only);
  for (std::uint64_t i = 0; i < 120 && refused == 0; ++i) {
    script.write();
    if (i % 20 == 10) script.sync();
  }
  if (refused == 0) {
    static_cast<void>(script.try_to_close());
    if (refused == 0) return false;
  } else {
    script.expect_all("after a flush that failed");
    for (int i = 0; i < 10; ++i) script.write();
    script.expect_all("after more that was tried");
    static_cast<void>(script.try_to_close());
  }
  machine.on_call({});
  EXPECT_TRUE(script.open());
  const Content found = content_of(script.store());
  const auto& possible = script.since_sync();
  EXPECT_TRUE(std::find(possible.begin(), possible.end(), found) != possible.end())
      << "it is not what was there at the last sync or after it";
  script.believe(found);
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(script.write());
  script.expect_all("where there is room again");
  script.close();
  return true;
}

TEST(FullDisk, AtEveryFlush) {
  const std::uint64_t first_seed = test::seed_of_run();
  std::printf("seed %llu\n", static_cast<unsigned long long>(first_seed));
  std::uint64_t flushes = 0;
  for (std::uint64_t i = 0; i < test::scaled(1, 50); ++i) {
    const std::uint64_t seed = first_seed + i;
    bool more = true;
    for (std::uint64_t flush = 0; more && !HasFailure(); ++flush) {
      SCOPED_TRACE("replay with UTAN_SEED=" + std::to_string(seed) + ", flush " + std::to_string(flush));
      more = refuse_flushes_from(flush, seed);
      flushes += more ? 1 : 0;
    }
  }
  EXPECT_GT(flushes, 5U);
  std::printf("%llu flushes\n", static_cast<unsigned long long>(flushes));
}

}  // namespace
}  // namespace utan
