// A store as a fuzzer of calls keeps it beside the real one: containers of the standard library, keys and values that are
// easily compared.
#pragma once

#include <utan/utan.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "support/fuzz_bytes.h"

namespace utan::fuzz {

// Null, an integer, bytes or a string, in the order of keys.
struct Plain {
  enum class Type : std::uint8_t { null, integer, bytes, string };
  Type type = Type::null;
  std::int64_t integer = 0;
  std::string text;

  auto operator<=>(const Plain&) const = default;

  utan_value given() const {
    utan_value out{};
    switch (type) {
      case Type::null:
        break;
      case Type::integer:
        out.type = UTAN_INTEGER;
        out.integer = integer;
        break;
      case Type::bytes:
      case Type::string:
        out.type = type == Type::bytes ? UTAN_BYTES : UTAN_STRING;
        out.data = text.data();
        out.size = text.size();
        break;
    }
    return out;
  }
  bool is(const utan_value& value) const {
    switch (type) {
      case Type::null:
        return value.type == UTAN_NULL;
      case Type::integer:
        return value.type == UTAN_INTEGER && value.integer == integer;
      default:
        return value.type == (type == Type::bytes ? UTAN_BYTES : UTAN_STRING) && value.size == text.size() &&
               (text.empty() || std::memcmp(value.data, text.data(), text.size()) == 0);
    }
  }

  static Plain number(std::int64_t value) { return {Type::integer, value, {}}; }
  // Few enough that many are met again; with long beginnings in common, and of all sizes.
  static Plain key(FuzzBytes& bytes) {
    const std::uint64_t how = bytes.number(1);
    const std::uint64_t which = bytes.number(2);
    const std::string name = std::to_string(which);
    switch (how % 8) {
      case 0:
        return {};
      case 1:
        return {Type::bytes, 0, name};
      case 2:
        return {Type::string, 0, std::string(12 + which % 3, 'p') + name};
      case 3:
        return {Type::string, 0, std::string(250 + which % 20, 'q') + name};
      case 4:
        return {Type::string, 0, name};
      default:
        return number(static_cast<std::int64_t>(which % 512) - 8);
    }
  }
  static Plain value(FuzzBytes& bytes) {
    const std::uint64_t how = bytes.number(1);
    const auto size = static_cast<std::size_t>(bytes.number(1));
    switch (how % 8) {
      case 0:
        return {};
      case 1:
        return {Type::string, 0, std::string(size * 4, 'v')};
      case 2:
        return {Type::bytes, 0, std::string(size * 80, 'w')};
      case 3:
        return {Type::string, 0, std::string(size % 10, 'x')};
      default:
        return number(static_cast<std::int64_t>(size));
    }
  }
};

// One container: by key, or by position.
struct Modelled {
  std::uint32_t type = UTAN_DICT;
  std::map<Plain, Plain> entries;
  std::vector<Plain> elements;

  bool is_list() const { return type == UTAN_LIST; }
  bool is_ordered() const { return type == UTAN_DICT || type == UTAN_COLLECTION; }
  std::uint64_t size() const { return is_list() ? elements.size() : entries.size(); }
};

}  // namespace utan::fuzz
