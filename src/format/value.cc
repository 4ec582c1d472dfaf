#include "format/value.h"

#include <algorithm>
#include <cstring>

namespace utan::format {

namespace {

constexpr unsigned word_bits = 60;

bool fits(std::int64_t value) { return (value << (64 - word_bits)) >> (64 - word_bits) == value; }

Error damaged_value(const char* what) { return Error(Code::corruption, std::string("a value is damaged: ") + what); }

std::uint64_t load_64(std::span<const std::byte> bytes) {
  std::uint64_t out;
  std::memcpy(&out, bytes.data(), sizeof out);
  return out;
}

}  // namespace

bool is_identical(const Value& a, const Value& b) {
  return a.tag == b.tag && a.bits == b.bits && std::ranges::equal(a.bytes, b.bytes) &&
         std::ranges::equal(a.as_tuple(), b.as_tuple(), is_identical);
}

bool to_word(const Value& value, Word& out) {
  const auto number = [&](WordKind kind) {
    out = Word::make(kind, value.bits);
    return fits(static_cast<std::int64_t>(value.bits));
  };
  switch (value.tag) {
    case Tag::null:
      out = Word{};
      return true;
    case Tag::boolean:
      out = Word::make(WordKind::constant, value.bits != 0 ? 2 : 1);
      return true;
    case Tag::integer:
      return number(WordKind::integer);
    case Tag::real:
      out = Word::make(WordKind::real, value.bits >> 4);
      return (value.bits & 15) == 0;
    case Tag::datetime:
      return number(WordKind::datetime);
    case Tag::datetime_utc:
      return number(WordKind::datetime_utc);
    case Tag::bytes:
    case Tag::string: {
      if (value.bytes.size() > word_text_max) return false;
      std::uint64_t text = 0;
      if (!value.bytes.empty()) std::memcpy(&text, value.bytes.data(), value.bytes.size());
      out = Word::make(value.tag == Tag::bytes ? WordKind::bytes : WordKind::string, text << 4 | value.bytes.size());
      return true;
    }
    case Tag::container:
      out = Word::make(WordKind::container, value.bits);
      return true;
    default:
      return false;
  }
}

Result<Value> from_word(const Word& word) {
  switch (word.kind()) {
    case WordKind::constant:
      if (word.payload() > 2) break;
      return word.payload() == 0 ? Value::null() : Value::boolean(word.payload() == 2);
    case WordKind::integer:
      return Value::integer(word.signed_payload());
    case WordKind::real:
      return Value::real(std::bit_cast<double>(word.payload() << 4));
    case WordKind::datetime:
      return Value::datetime(word.signed_payload());
    case WordKind::datetime_utc:
      return Value::datetime_utc(word.signed_payload());
    case WordKind::bytes:
    case WordKind::string: {
      const std::uint64_t size = word.payload() & 15;
      if (size > word_text_max) break;
      return Value{word.kind() == WordKind::bytes ? Tag::bytes : Tag::string, 0,
                   std::as_bytes(std::span(&word, 1)).subspan(1, size), nullptr, 0};
    }
    case WordKind::container:
      return Value::container(ObjectId{word.payload()});
    default:
      break;
  }
  return damaged_value("a word of no known kind");
}

std::span<const std::byte> to_payload(const Value& value, std::array<std::byte, 8>& scratch) {
  switch (value.tag) {
    case Tag::null:
      return {};
    case Tag::boolean:
      scratch[0] = static_cast<std::byte>(value.bits != 0);
      return std::span(scratch).first(1);
    case Tag::integer:
    case Tag::real:
    case Tag::datetime:
    case Tag::datetime_utc:
    case Tag::container:
      std::memcpy(scratch.data(), &value.bits, sizeof value.bits);
      return scratch;
    default:
      return value.bytes;
  }
}

Result<Value> from_payload(Tag tag, std::span<const std::byte> bytes) {
  switch (tag) {
    case Tag::null:
      if (!bytes.empty()) return damaged_value("null has no bytes");
      return Value::null();
    case Tag::boolean:
      if (bytes.size() != 1 || std::to_integer<unsigned>(bytes[0]) > 1) return damaged_value("a boolean is 0 or 1");
      return Value::boolean(bytes[0] != std::byte{0});
    case Tag::integer:
    case Tag::real:
    case Tag::datetime:
    case Tag::datetime_utc:
    case Tag::container:
      if (bytes.size() != 8) return damaged_value("it does not have 8 bytes");
      return Value{tag, load_64(bytes), {}, nullptr, 0};
    case Tag::uuid:
      if (bytes.size() != 16) return damaged_value("a UUID has 16 bytes");
      return Value::uuid(bytes);
    case Tag::big_integer: {
      const Value out = Value::big_integer(bytes);
      if (out.tag != Tag::big_integer) return damaged_value("a big integer is none");
      return out;
    }
    case Tag::bytes:
    case Tag::string:
    case Tag::extended:
      return Value{tag, 0, bytes, nullptr, 0};
    default:
      return damaged_value("no value has its tag");
  }
}

}  // namespace utan::format
