#include "object/data.h"

#include <limits>

#include "format/layout.h"
#include "object/text_form.h"

namespace utan::object {

namespace {

using format::ContainerType;
using format::Tag;
using format::Value;

// A path shows so many steps from its beginning and from its end.
constexpr std::size_t path_steps_shown = 8;
constexpr std::size_t key_bytes_shown = 40;

bool is_mapping(ContainerType type) { return type != ContainerType::list; }

// The bytes of a string up to where it is cut, which is not within a character.
std::string_view cut(std::string_view text) {
  if (text.size() <= key_bytes_shown) return text;
  std::size_t size = key_bytes_shown;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

void append_key(std::string& out, const Value& key) {
  switch (key.tag) {
    case Tag::null:
      out += "null";
      return;
    case Tag::boolean:
      out += key.as_boolean() ? "true" : "false";
      return;
    case Tag::integer:
      out += std::to_string(key.as_integer());
      return;
    case Tag::real:
      append_real(out, key.as_real());
      return;
    case Tag::datetime:
    case Tag::datetime_utc:
      append_datetime(out, key.as_microseconds(), key.tag == Tag::datetime_utc);
      return;
    case Tag::uuid:
      append_uuid(out, key.bytes);
      return;
    case Tag::string: {
      const std::string_view shown = cut(key.as_text());
      out += '\'';
      out += shown;
      out += shown.size() < key.bytes.size() ? "...'" : "'";
      return;
    }
    case Tag::big_integer:
      out += "a big integer";
      return;
    case Tag::bytes:
      out += "bytes";
      return;
    default:
      out += "a tuple";
      return;
  }
}

}  // namespace

void Data::follow(std::vector<Open>& open, const Item& item, std::size_t index) {
  if (item.kind == Kind::begin) {
    open.push_back({.type = item.type,
                    .number = item.number,
                    .key_due = is_mapping(item.type),
                    .begin = index,
                    .key = 0,
                    .count = 0});
    return;
  }
  if (item.kind == Kind::end) open.pop_back();
  if (!open.empty()) open.back().has_item(index);
}

std::string Data::path_to(const std::vector<Open>& open) const {
  std::string out;
  for (std::size_t i = 0; i < open.size(); ++i) {
    if (i == path_steps_shown && open.size() > 2 * path_steps_shown) {
      out += "...";
      i = open.size() - path_steps_shown;
    }
    if (open[i].key_due) continue;  // only the innermost one
    out += '[';
    if (is_mapping(open[i].type)) {
      append_key(out, items_[open[i].key].value());
    } else {
      out += std::to_string(open[i].count);
    }
    out += ']';
  }
  return out;
}

std::string Data::place_in(const std::vector<Open>& open) const {
  const std::string path = path_to(open);
  const bool is_key = !open.empty() && open.back().key_due;
  return (is_key ? "key at " : "value at ") + (path.empty() ? "the top" : path);
}

std::string Data::path() const { return path_to(open_); }

std::string Data::place_of(std::size_t item) const {
  std::vector<Open> open;
  for (std::size_t i = 0; i < item; ++i) follow(open, items_[i], i);
  return place_in(open);
}

Error Data::failed(Code code, const std::string& why) const { return Error(code, why).in(place_in(open_)); }

Result<void> Data::check_room(bool container) const {
  if (open_.empty() && !items_.empty()) return failed(Code::invalid, "there is one already");
  if (container && key_due()) return failed(Code::type, "a container cannot be a key");
  return {};
}

Result<void> Data::check_value(const Value& value) {
  if (key_due()) {
    const auto key = key_buffer_.encode(value);
    if (!key.ok()) return key.error().copy().in(place_in(open_));
    return {};
  }
  switch (value.tag) {
    case Tag::null:
    case Tag::boolean:
    case Tag::integer:
    case Tag::real:
    case Tag::datetime:
    case Tag::datetime_utc:
    case Tag::container:
      return {};
    case Tag::uuid:
      if (value.bytes.size() != 16) return failed(Code::invalid, "a UUID has 16 bytes");
      return {};
    case Tag::big_integer:
    case Tag::bytes:
    case Tag::string:
    case Tag::extended:
      if (value.bytes.size() > format::value_size_max) {
        return failed(Code::too_large, "a value has at most " + std::to_string(format::value_size_max) +
                                           " bytes, not " + std::to_string(value.bytes.size()));
      }
      return {};
    case Tag::tuple:
      return failed(Code::type, "a tuple can only be a key");
    default:
      return failed(Code::type, "no value has the tag " + std::to_string(static_cast<unsigned>(value.tag)));
  }
}

void Data::put(const Item& item) {
  items_.push_back(item);
  follow(open_, item, items_.size() - 1);
}

Result<void> Data::add_carefully(const Value& value) {
  UTAN_TRY(check_room(false));
  UTAN_TRY(check_value(value));
  put_value(value);
  return {};
}

Result<std::uint32_t> Data::begin(ContainerType type) {
  UTAN_TRY(check_room(true));
  if (type < ContainerType::dict || type > ContainerType::table)
    return failed(Code::invalid, "there is no such type of containers");
  if (open_.size() == data_depth_max)
    return failed(Code::too_large, "containers are nested at most " + std::to_string(data_depth_max) + " deep");
  if (types_.size() == std::numeric_limits<std::uint32_t>::max())
    return failed(Code::too_large, "these are too many containers");
  const std::uint32_t number = container_count();
  types_.push_back(type);
  put({.kind = Kind::begin, .type = type, .number = number});
  return number;
}

Result<void> Data::end() {
  if (open_.empty()) return Error(Code::invalid, "no container is open that could end");
  const Open innermost = open_.back();
  if (is_mapping(innermost.type) && !innermost.key_due) return failed(Code::invalid, "the key has no value");
  items_[innermost.begin].size = innermost.count;
  put({.kind = Kind::end, .type = innermost.type, .number = innermost.number});
  return {};
}

Result<void> Data::add_part(std::uint32_t number) {
  UTAN_TRY(check_room(true));
  if (number >= types_.size())
    return failed(Code::invalid, "no container of this data has the number " + std::to_string(number));
  put({.kind = Kind::part, .type = types_[number], .number = number});
  return {};
}

void Data::clear() {
  items_.clear();
  open_.clear();
  types_.clear();
  arena_.clear();
}

}  // namespace utan::object
