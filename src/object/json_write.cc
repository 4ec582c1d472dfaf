// The writing half of json.h.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "format/key.h"
#include "object/json.h"
#include "object/text_form.h"

namespace utan::object {

namespace {

using format::Tag;
using format::Value;

// The largest magnitude of integers that are written as numbers: every reader of JSON keeps these.
constexpr std::int64_t plain_integer_max = std::int64_t{1} << 53;

// An indentation beyond this would only make the text long.
constexpr unsigned indent_max = 16;

}  // namespace

JsonWriter::JsonWriter(std::string& out, const JsonOptions& options)
    : out_(out), options_(options), start_(out.size()) {
  options_.indent = std::min(options_.indent, indent_max);
}

// --- Order and layout ------------------------------------------------------------------------------------------------

Result<void> JsonWriter::check_size() const {
  if (out_.size() - start_ > options_.size_max.value)
    return Error(Code::too_large, "the JSON text has more than " + std::to_string(options_.size_max.value) + " bytes");
  return {};
}

void JsonWriter::new_line(std::size_t depth) {
  if (options_.indent == 0) return;
  out_ += '\n';
  out_.append(depth * options_.indent, ' ');
}

void JsonWriter::begin_element() {
  if (!levels_.back().empty) out_ += ',';
  levels_.back().empty = false;
  new_line(depth_);
}

void JsonWriter::begin_value() {
  DCHECK(!complete());
  started_ = true;
  if (levels_.empty()) return;
  DCHECK(value_due_ == (levels_.back().level != Level::list));
  if (levels_.back().level == Level::list) begin_element();
}

Result<void> JsonWriter::finish_value() {
  value_due_ = false;
  if (!levels_.empty() && levels_.back().level == Level::items) out_ += ']';
  return check_size();
}

Result<void> JsonWriter::begin(Level level, std::string_view opening) {
  begin_value();
  if (levels_.size() == data_depth_max)
    return Error(Code::too_large, "containers are nested at most " + std::to_string(data_depth_max) + " deep");
  out_ += opening;
  levels_.push_back({level, true});
  ++depth_;
  value_due_ = false;
  return check_size();
}

Result<void> JsonWriter::begin_mapping(bool all_keys_are_strings) {
  if (all_keys_are_strings) return begin(Level::object, "{");
  UTAN_TRY(begin(Level::items, "{"));
  new_line(depth_);
  out_ += options_.indent == 0 ? "\"$items\":[" : "\"$items\": [";
  ++depth_;
  return {};
}

Result<void> JsonWriter::begin_list() { return begin(Level::list, "["); }

Result<void> JsonWriter::end() {
  DCHECK(!levels_.empty() && !value_due_);
  const Open innermost = levels_.back();
  levels_.pop_back();
  --depth_;
  if (!innermost.empty) new_line(depth_);
  if (innermost.level == Level::items) {
    out_ += ']';
    new_line(--depth_);
  }
  out_ += innermost.level == Level::list ? ']' : '}';
  return finish_value();
}

// --- Keys ------------------------------------------------------------------------------------------------------------

Result<void> JsonWriter::key(const Value& key) {
  DCHECK(!levels_.empty() && levels_.back().level != Level::list && !value_due_);
  value_due_ = true;
  begin_element();
  if (levels_.back().level == Level::items) {
    out_ += '[';
    UTAN_TRY(put_key(key, 0));
    out_ += ',';
    if (options_.indent != 0) out_ += ' ';
    return check_size();
  }
  if (key.tag != Tag::string) return Error(Code::type, "the key is not a string, as all should be");
  const bool escaped = key.as_text().starts_with('$');
  UTAN_TRY(escaped ? put_string('$' + std::string(key.as_text())) : put_string(key.as_text()));
  out_ += options_.indent == 0 ? ":" : ": ";
  return check_size();
}

// Recursive for tuples, which are not deeper than key_depth_max.
Result<void> JsonWriter::put_key(const Value& key, unsigned depth) {
  format::KeyClass key_class;
  if (!format::class_of_key(key.tag, key_class)) return Error(Code::type, "such a value cannot be a key");
  if (key.tag != Tag::tuple) return put(key);
  if (depth == format::key_depth_max) return Error(Code::too_large, "a key's tuples are too deep");
  out_ += '[';
  const char* separator = "";
  for (const Value& element : key.as_tuple()) {
    out_ += separator;
    UTAN_TRY(put_key(element, depth + 1));
    separator = options_.indent == 0 ? "," : ", ";
  }
  out_ += ']';
  return {};
}

// --- Values ----------------------------------------------------------------------------------------------------------

Result<void> JsonWriter::value(const Value& value) {
  begin_value();
  UTAN_TRY(put(value));
  return finish_value();
}

Result<void> JsonWriter::put_string(std::string_view text) {
  if (!append_quoted(out_, text)) return Error(Code::invalid, "a string is not UTF-8");
  return {};
}

void JsonWriter::open_word(std::string_view word) {
  out_ += "{\"";
  out_ += word;
  out_ += options_.indent == 0 ? "\":\"" : "\": \"";
}

void JsonWriter::close_word() { out_ += "\"}"; }

Result<void> JsonWriter::put_integer(const Value& value) {
  if (value.tag == Tag::integer) {
    const std::int64_t number = value.as_integer();
    const bool plain = number >= -plain_integer_max && number <= plain_integer_max;
    if (!plain) open_word("$int");
    out_ += std::to_string(number);
    if (!plain) close_word();
    return {};
  }
  open_word("$int");
  UTAN_TRY(append_decimal(out_, value.bytes));
  close_word();
  return {};
}

Result<void> JsonWriter::put(const Value& value) {
  switch (value.tag) {
    case Tag::null:
      out_ += "null";
      return {};
    case Tag::boolean:
      out_ += value.as_boolean() ? "true" : "false";
      return {};
    case Tag::integer:
    case Tag::big_integer:
      return put_integer(value);
    case Tag::real:
      if (std::isfinite(value.as_real())) {
        append_real(out_, value.as_real());
        return {};
      }
      open_word("$float");
      append_special_real(out_, value.bits);
      break;
    case Tag::datetime:
    case Tag::datetime_utc:
      open_word("$date");
      append_datetime(out_, value.as_microseconds(), value.tag == Tag::datetime_utc);
      break;
    case Tag::uuid:
      if (value.bytes.size() != 16) return Error(Code::invalid, "a UUID has 16 bytes");
      open_word("$uuid");
      append_uuid(out_, value.bytes);
      break;
    case Tag::bytes:
      open_word("$bytes");
      append_base64(out_, value.bytes);
      break;
    case Tag::string:
      return put_string(value.as_text());
    case Tag::tuple:
      return Error(Code::type, "a tuple can only be a key");
    case Tag::container:
      return Error(Code::type, "a link to a container has no form in JSON");
    default:
      return Error(Code::type, "a value of a codec has no form in JSON");
  }
  close_word();
  return {};
}

// --- Data ------------------------------------------------------------------------------------------------------------

namespace {

bool is_mapping(format::ContainerType type) { return type != format::ContainerType::list; }

// What must be known of a container before it is written.
struct Part {
  std::size_t begin = 0;  // its first item
  bool all_keys_are_strings = true;
  bool open = false;  // it is being written
};

std::vector<Part> find_parts(const Data& data) {
  struct Open {
    std::uint32_t number;
    bool mapping;
    bool key_due;
  };
  std::vector<Part> parts(data.container_count());
  std::vector<Open> open;
  const auto items = data.items();
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Data::Item& item = items[i];
    if (item.kind == Data::Kind::begin) {
      parts[item.number].begin = i;
      open.push_back({item.number, is_mapping(item.type), is_mapping(item.type)});
      continue;
    }
    if (item.kind == Data::Kind::end) open.pop_back();
    if (open.empty()) continue;
    Open& innermost = open.back();
    if (innermost.key_due && item.tag != Tag::string) parts[innermost.number].all_keys_are_strings = false;
    innermost.key_due = innermost.mapping && !innermost.key_due;
  }
  return parts;
}

// Goes over the items; for a part, over those of the container that it stands for, and then on behind it.
class Walk {
 public:
  Walk(const Data& data, JsonWriter& writer)
      : data_(data), items_(data.items()), parts_(find_parts(data)), writer_(writer) {}

  Result<void> run() {
    do {
      const std::size_t item = at_;
      Result<void> done = step();
      if (!done.ok()) return std::move(done).error().in(data_.place_of(item));
    } while (!open_.empty());
    return {};
  }

 private:
  struct Open {
    std::uint32_t number;
    bool mapping;
    bool key_due;
    std::size_t behind;  // where to go on if it was a part; none: behind its end
  };
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

  Result<void> step() {
    const Data::Item& item = items_[at_];
    switch (item.kind) {
      case Data::Kind::value: {
        const bool is_key = !open_.empty() && open_.back().key_due;
        UTAN_TRY(is_key ? writer_.key(item.value()) : writer_.value(item.value()));
        ++at_;
        if (!open_.empty()) open_.back().key_due = open_.back().mapping && !is_key;
        return {};
      }
      case Data::Kind::begin:
        return begin(item, none);
      case Data::Kind::part:
        return begin(item, at_ + 1);
      case Data::Kind::end:
        break;
    }
    at_ = open_.back().behind == none ? at_ + 1 : open_.back().behind;
    parts_[item.number].open = false;
    open_.pop_back();
    if (!open_.empty()) open_.back().key_due = open_.back().mapping;
    return writer_.end();
  }

  Result<void> begin(const Data::Item& item, std::size_t behind) {
    Part& part = parts_[item.number];
    if (part.open) return Error(Code::invalid, "a container refers to itself, which JSON cannot say");
    part.open = true;
    const bool mapping = is_mapping(item.type);
    open_.push_back({item.number, mapping, mapping, behind});
    at_ = part.begin + 1;
    return mapping ? writer_.begin_mapping(part.all_keys_are_strings) : writer_.begin_list();
  }

  const Data& data_;
  std::span<const Data::Item> items_;
  std::vector<Part> parts_;
  JsonWriter& writer_;
  std::vector<Open> open_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::string> to_json(const Data& data, const JsonOptions& options) {
  if (!data.complete()) return Error(Code::invalid, "the data is not complete");
  std::string out;
  JsonWriter writer(out, options);
  UTAN_TRY(Walk(data, writer).run());
  return out;
}

}  // namespace utan::object
