#include "output.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace utan::tool {

// --- For people --------------------------------------------------------------------------------------------------------

std::string number(std::uint64_t value) {
  std::string out = std::to_string(value);
  for (std::size_t i = out.size(); i > 3; i -= 3) out.insert(i - 3, ",");
  return out;
}

std::string counted(std::uint64_t value, std::string_view one, std::string_view many) {
  return number(value) + " " + std::string(value == 1 ? one : many);
}

std::string size(std::uint64_t bytes) {
  if (bytes < 1000) return counted(bytes, "byte", "bytes");
  static constexpr std::array<const char*, 5> units = {"kB", "MB", "GB", "TB", "PB"};
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  std::array<char, 32> out;
  std::snprintf(out.data(), out.size(), "%.1f %s", value, units[unit]);
  return out.data();
}

std::string moment(std::uint64_t time_ns) {
  const auto seconds = static_cast<std::time_t>(time_ns / 1'000'000'000);
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "an unknown time";
  std::array<char, 64> out;
  std::strftime(out.data(), out.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return out.data();
}

// --- For programs ------------------------------------------------------------------------------------------------------

namespace {

// How many bytes at `at` are one character of UTF-8; 0: they are none.
std::size_t character_size(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = byte(at);
  const std::size_t count = first < 0x80   ? 1
                            : first < 0xc2 ? 0
                            : first < 0xe0 ? 2
                            : first < 0xf0 ? 3
                            : first < 0xf5 ? 4
                                           : 0;
  for (std::size_t i = 1; i < count; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  // Too long a form, a half of a pair, beyond the last character.
  const unsigned second = byte(at + 1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) || (first == 0xf0 && second < 0x90) ||
      (first == 0xf4 && second >= 0x90))
    return 0;
  return count;
}

}  // namespace

void Json::separate() {
  if (!first_) out_ += ", ";
  first_ = false;
}

Json& Json::key(std::string_view name) {
  text(name);
  out_ += ": ";
  first_ = true;
  return *this;
}

Json& Json::text(std::string_view value) {
  separate();
  out_ += '"';
  for (std::size_t i = 0; i < value.size();) {
    const std::size_t count = character_size(value, i);
    const char one = value[i];
    if (count == 0) {
      out_ += "\\ufffd";
    } else if (one == '"' || one == '\\') {
      out_ += {'\\', one};
    } else if (static_cast<unsigned char>(one) < 0x20) {
      std::array<char, 8> escaped;
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", static_cast<unsigned>(one));
      out_ += escaped.data();
    } else {
      out_ += value.substr(i, count);
    }
    i += count == 0 ? 1 : count;
  }
  out_ += '"';
  return *this;
}

Json& Json::number(std::uint64_t value) {
  separate();
  out_ += std::to_string(value);
  return *this;
}

Json& Json::boolean(bool value) {
  separate();
  out_ += value ? "true" : "false";
  return *this;
}

Json& Json::null() {
  separate();
  out_ += "null";
  return *this;
}

Json& Json::begin(char bracket) {
  separate();
  out_ += bracket;
  first_ = true;
  return *this;
}

Json& Json::end(char bracket) {
  out_ += bracket;
  first_ = false;
  return *this;
}

Json& Json::numbers(std::initializer_list<std::pair<const char*, std::uint64_t>> members) {
  begin('{');
  for (const auto& [name, value] : members) key(name).number(value);
  return end('}');
}

// --- Errors ------------------------------------------------------------------------------------------------------------

bool is_damage(utan_code code) { return code == UTAN_CORRUPTION || code == UTAN_FORMAT || code == UTAN_VERSION; }

std::string explain(const std::string& file, utan_code code) {
  std::string out = utan_last_error();
  if (out.find(file) == std::string::npos) out = file + ": " + out;
  switch (code) {
    case UTAN_NOT_FOUND:
      return out + "; look whether the name is right";
    case UTAN_PERMISSION:
      return out + "; run this as a user who may read it, and write its folder and lock file";
    case UTAN_CORRUPTION:
      return out + "; `utan check` says more; go back to a copy";
    case UTAN_IN_USE:
    case UTAN_TIMEOUT:
      return out + "; try again";
    default:
      return out;
  }
}

void write_error(Json& json, utan_code code, const std::string& text) {
  json.key("error");
  if (code == UTAN_OK) {
    json.null();
  } else {
    json.begin('{').key("code").text(utan_code_name(code)).key("message").text(text).end('}');
  }
}

}  // namespace utan::tool
