// What the adapters of Utan's containers share: handles that close themselves, and values as the C interface takes them.
#pragma once

#include <utan/utan.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "../runner.h"

namespace bench {

inline void utan_must(utan_code code) {
  if (code != UTAN_OK) [[unlikely]]
    fail(std::string("utan: ") + utan_last_error());
}

// Is it there?
inline bool utan_found(utan_code code) {
  if (code == UTAN_NOT_FOUND) return false;
  utan_must(code);
  return true;
}

inline utan_value utan_of_string(std::string_view text) {
  utan_value value{};
  value.data = text.data();
  value.size = text.size();
  value.type = UTAN_STRING;
  return value;
}

inline utan_value utan_of_bytes(std::string_view bytes) {
  utan_value value = utan_of_string(bytes);
  value.type = UTAN_BYTES;
  return value;
}

inline utan_value utan_of_integer(std::int64_t number, utan_type type = UTAN_INTEGER) {
  utan_value value{};
  value.integer = number;
  value.type = type;
  return value;
}

inline utan_value utan_of_real(double number) {
  utan_value value{};
  value.real = number;
  value.type = UTAN_REAL;
  return value;
}

inline utan_value utan_of_plain(const utan_data* data) {
  utan_value value{};
  value.plain = data;
  value.type = UTAN_DATA;
  return value;
}

inline std::string_view utan_text(const utan_value& value) {
  return {static_cast<const char*>(value.data), value.size};
}

// A value that was got, released when it goes.
struct UtanGot : utan_value {
  UtanGot() : utan_value{} {}
  ~UtanGot() { utan_value_release(this); }
  UtanGot(const UtanGot&) = delete;
  UtanGot& operator=(const UtanGot&) = delete;
};

// An iterator, closed when it goes.
class UtanWalk {
 public:
  explicit UtanWalk(utan_container* container, const utan_range* range = nullptr) {
    utan_must(utan_iterate(container, range, &iterator_));
  }
  ~UtanWalk() { utan_iterator_close(iterator_); }
  UtanWalk(const UtanWalk&) = delete;
  UtanWalk& operator=(const UtanWalk&) = delete;

  bool next(utan_value* key, utan_value* value) { return utan_found(utan_iterator_next(iterator_, key, value)); }

 private:
  utan_iterator* iterator_ = nullptr;
};

// A store with one container, called "bench". Opened and closed like an adapter.
class UtanContainer {
 public:
  explicit UtanContainer(std::uint32_t type) : type_(type) {}

  void open(const Place& place, Access access) {
    utan_open_options options{};
    options.struct_size = sizeof options;
    options.mode = access == Access::create ? UTAN_NEW : access == Access::read ? UTAN_READ_ONLY_MODE : UTAN_EXISTING;
    options.durability = access == Access::create ? UTAN_DURABILITY_MANUAL : UTAN_DURABILITY_KEEP;
    utan_must(utan_open((place.directory + "/store.utan").c_str(), &options, &store_));
    utan_must(utan_named(store_, "bench", 5, type_, access == Access::create ? 1 : 0, &container_));
  }
  void close() {
    utan_container_close(container_);
    utan_must(utan_close(store_));
  }
  [[nodiscard]] utan_container* get() const { return container_; }

 private:
  std::uint32_t type_;
  utan_store* store_ = nullptr;
  utan_container* container_ = nullptr;
};

inline constexpr const char* kUtanSettings =
    "by the C interface; durability manual, chunk size 16 MiB (default); every change is a commit of its own";

}  // namespace bench
