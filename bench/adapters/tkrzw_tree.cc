// Tkrzw TreeDBM: a B+ tree whose pages are records of a HashDBM; and a list emulated on it.
#include <tkrzw_dbm_tree.h>

#include <cstring>
#include <utility>

#include "../systems.h"
#include "tkrzw.h"

namespace bench {
namespace {

class TkrzwTree : public TkrzwStore<tkrzw::TreeDBM> {
 public:
  void open(const Place& place, Access access) {
    Tuning tuning = plain_tuning();
    // Every page stays in the cache, so that none is written out and parsed again while it is measured.
    tuning.max_cached_pages = static_cast<std::int32_t>(10'000 + place.record_count_max / 16);
    open_file(place.directory + "/store.tkt", access, tuning);
  }
  template <class Use>
  void range(std::string_view low, std::uint64_t count, Use&& use) {
    TkrzwEachReader<std::remove_reference_t<Use>> reader(use);
    walk(low, count, &reader, false);
  }

  // There is no commit of several records: each is its own.
  void batch_begin() {}
  void batch_add(std::string_view key, std::string_view value) { put(key, value); }
  void batch_end() {}

  // `processor` gets `count` records from `low` on, or all that there are.
  void walk(std::string_view low, std::uint64_t count, tkrzw::DBM::RecordProcessor* processor, bool is_writing) {
    const auto iterator = dbm_->MakeIterator();
    tkrzw_must(iterator->Jump(low));
    for (; count > 0; --count) {
      const tkrzw::Status status = iterator->Process(processor, is_writing);
      if (status == tkrzw::Status::NOT_FOUND_ERROR) return;
      tkrzw_must(status);
      tkrzw_must(iterator->Next());
    }
  }
};

// A number as eight bytes that sort like it.
class SortedNumber {
 public:
  explicit SortedNumber(std::uint64_t number) : bytes_(__builtin_bswap64(number)) {}
  [[nodiscard]] std::string_view view() const { return {reinterpret_cast<const char*>(&bytes_), sizeof bytes_}; }

 private:
  std::uint64_t bytes_;
};

std::string_view view_of(const std::int64_t& element) {
  return {reinterpret_cast<const char*>(&element), sizeof element};
}

std::int64_t element_of(std::string_view bytes) {
  std::int64_t element = 0;
  if (bytes.size() != sizeof element) fail("tkrzw: an element of a wrong size");
  std::memcpy(&element, bytes.data(), sizeof element);
  return element;
}

// Writes to each record what was in the one before it.
class Shifter final : public tkrzw::DBM::RecordProcessor {
 public:
  explicit Shifter(std::int64_t first) : carried_(first) {}
  std::string_view ProcessFull(std::string_view, std::string_view value) override {
    written_ = std::exchange(carried_, element_of(value));
    return view_of(written_);
  }
  [[nodiscard]] std::int64_t carried() const { return carried_; }

 private:
  std::int64_t carried_;
  std::int64_t written_ = 0;
};

class TkrzwList {
 public:
  void open(const Place& place, Access access) { tree_.open(place, access); }
  void close() { tree_.close(); }
  void append(std::int64_t element) { tree_.put(SortedNumber(count_++).view(), view_of(element)); }
  std::int64_t get(std::uint64_t index) {
    std::int64_t element = 0;
    const auto use = [&element](std::string_view bytes) { element = element_of(bytes); };
    if (!tree_.get(SortedNumber(index).view(), use)) fail("tkrzw: no such element");
    return element;
  }
  void insert(std::uint64_t index, std::int64_t element) {
    if (index == count_) return append(element);
    Shifter shifter(element);
    tree_.walk(SortedNumber(index).view(), count_, &shifter, true);
    append(shifter.carried());
  }
  template <class Use>
  void each(Use&& use) {
    tree_.each([&use](std::string_view, std::string_view bytes) { use(element_of(bytes)); });
  }

 private:
  TkrzwTree tree_;
  std::uint64_t count_ = 0;  // the benchmark opens a list once
};

}  // namespace

OrderedSystem tkrzw_ordered_system() {
  return {
      .name = "tkrzw",
      .version = tkrzw::PACKAGE_VERSION,
      .settings =
          "TreeDBM, pages of 8,130 bytes (default), all of them cached in memory and written when closed, update in "
          "place, no CRC, no compression, restore mode NOOP; sorted records are set one by one",
      .kind = System::Kind::store,
      .shares_threads = true,
      .make = make_ordered_runner<TkrzwTree>};
}

ListSystem tkrzw_list_system() {
  return {.name = "tkrzw",
          .version = tkrzw::PACKAGE_VERSION,
          .settings =
              "no lists: TreeDBM as in section ordered, keyed by position, big-endian; an insertion moves every later "
              "element by one, not atomically",
          .kind = System::Kind::store,
          .make = make_list_runner<TkrzwList>};
}

}  // namespace bench
