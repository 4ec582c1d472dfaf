// The empty control: no store at all. What it takes is the cost of the loop, of making keys and values, and of touching
// a value that is in the first-level cache; the report subtracts it from every system.
#include "../systems.h"

namespace bench {
namespace {

// Tells the compiler that the bytes are used.
inline void consume(std::string_view bytes) { asm volatile("" : : "r"(bytes.data()) : "memory"); }

class Control {
 public:
  void open(const Place&, Access) {}
  void close() {}
  void answer(bool is_found, std::uint64_t count) {
    is_found_ = is_found;
    count_ = count;
  }

  void put(std::string_view key, std::string_view value) {
    consume(key);
    consume(value);
  }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    consume(key);
    if (!is_found_) return false;
    consume(value_.view());
    use(value_.view());
    return true;
  }
  bool erase(std::string_view key) {
    consume(key);
    return true;
  }
  template <class Use>
  void each(Use&& use) {
    for (std::uint64_t i = 0; i < count_; ++i) {
      consume(value_.view());
      use(key_.view(), value_.view());
    }
  }
  template <class Use>
  void range(std::string_view low, std::uint64_t, Use&& use) {
    consume(low);
    each(use);
  }
  void batch_begin() {}
  void batch_add(std::string_view key, std::string_view value) { put(key, value); }
  void batch_end() {}

 private:
  Key key_{};
  Value value_{};
  bool is_found_ = true;
  std::uint64_t count_ = 0;
};

class NoList {
 public:
  void open(const Place&, Access) {}
  void close() {}
  void answer(std::uint64_t count) { count_ = count; }

  void append(std::int64_t element) { consume(element); }
  std::int64_t get(std::uint64_t index) {
    consume(static_cast<std::int64_t>(index));
    return 0;
  }
  void insert(std::uint64_t, std::int64_t element) { consume(element); }
  template <class Use>
  void each(Use&& use) {
    for (std::uint64_t i = 0; i < count_; ++i) {
      auto element = static_cast<std::int64_t>(i);
      asm volatile("" : "+r"(element));
      use(element);
    }
  }

 private:
  static void consume(std::int64_t number) { asm volatile("" : : "r"(number) : "memory"); }
  std::uint64_t count_ = 0;
};

class NoDocuments {
 public:
  void open(const Place&, Access) {}
  void close() {}
  void answer() {}

  void put(std::string_view key, const Document& document) {
    consume(key);
    asm volatile("" : : "r"(&document) : "memory");
  }
  template <class Use>
  void field(std::string_view key, Field field, Use&& use) {
    consume(key);
    asm volatile("" : : : "memory");
    use(field_value(document_, field));
  }
  bool get(std::string_view key, Document& document) {
    consume(key);
    asm volatile("" : : "r"(&document) : "memory");
    return true;
  }
  void set_visits(std::string_view key, std::int64_t visits) {
    consume(key);
    asm volatile("" : : "r"(visits));
  }

 private:
  Document document_;
};

constexpr const char* kControlSettings = "no store: loop, key and value generation only; subtracted from the others";

}  // namespace

System control_system() {
  return {.name = "control",
          .version = "",
          .settings = kControlSettings,
          .kind = System::Kind::control,
          .make = make_runner<Control>};
}

OrderedSystem control_ordered_system() {
  return {.name = "control",
          .version = "",
          .settings = kControlSettings,
          .kind = System::Kind::control,
          .make = make_ordered_runner<Control>};
}

ListSystem control_list_system() {
  return {.name = "control",
          .version = "",
          .settings = kControlSettings,
          .kind = System::Kind::control,
          .make = make_list_runner<NoList>};
}

DocumentSystem control_document_system() {
  return {.name = "control",
          .version = "",
          .settings = kControlSettings,
          .kind = System::Kind::control,
          .make = make_document_runner<NoDocuments>};
}

}  // namespace bench
