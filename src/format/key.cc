#include "format/key.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "format/key_number.h"
#include "format/layout.h"

namespace utan::format {

namespace {

constexpr std::byte tuple_end{0x00};
constexpr std::byte escape{0x00};
constexpr std::byte escaped_zero{0xff};
constexpr std::byte escaped_end{0x01};

Error damaged_key(const char* what) { return Error(Code::corruption, std::string("a key is damaged: ") + what); }

bool is_negative_zero(const Value& value) { return value.tag == Tag::real && value.bits == std::uint64_t{1} << 63; }

// Writes a value's order; within tuples also the tags of numbers.
class Encoder {
 public:
  Encoder(ByteVector& bytes, ByteVector& spelling) : bytes_(bytes), spelling_(spelling) {}

  // `unusual` is set if a number is spelled in another way than its value suggests.
  Result<void> put(const Value& value, unsigned depth, bool& unusual) {
    KeyClass key_class;
    if (!class_of_key(value.tag, key_class)) return Error(Code::type, "a container or such a value cannot be a key");
    const bool nested = depth > 0;
    if (nested) bytes_.push_back(static_cast<std::byte>(key_class));
    switch (key_class) {
      case KeyClass::null:
        break;
      case KeyClass::number: {
        Number number;
        if (!number_of(value, number)) return Error(Code::type, "NaN cannot be a key: it equals nothing");
        tag_ = is_negative_zero(value)                               ? Tag::negative_zero
               : value.tag == Tag::big_integer && is_integer(number) ? Tag::integer
                                                                     : value.tag;
        if (tag_ == Tag::big_integer) big_size_ += big_size(number);
        if (big_size_ > key_size_max) {
          return Error(Code::too_large,
                       "the big integers of a key have at most " + std::to_string(key_size_max) + " bytes together");
        }
        put_number(bytes_, number);
        if (nested) {
          spelling_.push_back(static_cast<std::byte>(tag_));
          unusual = unusual || tag_ != usual_spelling(number);
        }
        break;
      }
      case KeyClass::datetime:
      case KeyClass::datetime_utc:
        put_big_endian(bytes_, value.bits ^ (std::uint64_t{1} << 63), 8);
        break;
      case KeyClass::uuid:
        if (value.bytes.size() != 16) return Error(Code::invalid, "a UUID has 16 bytes");
        bytes_.insert(bytes_.end(), value.bytes.begin(), value.bytes.end());
        break;
      case KeyClass::bytes:
      case KeyClass::string:
        put_text(value.bytes);
        break;
      case KeyClass::tuple:
        if (depth == key_depth_max) return Error(Code::too_large, "a key's tuples are too deep");
        for (const Value& element : value.as_tuple()) {
          UTAN_TRY(put(element, depth + 1, unusual));
          if (bytes_.size() > key_size_max) break;
        }
        if (nested) bytes_.push_back(tuple_end);
        break;
    }
    if (bytes_.size() + spelling_.size() > key_size_max) {
      return Error(Code::too_large, "a key has at most " + std::to_string(key_size_max) + " bytes");
    }
    return {};
  }
  // Of a number that was put.
  Tag tag() const { return tag_; }

 private:
  void put_text(ByteSpan text) {
    for (const std::byte one : text) {
      bytes_.push_back(one);
      if (one == escape) bytes_.push_back(escaped_zero);
    }
    bytes_.push_back(escape);
    bytes_.push_back(escaped_end);
  }

  ByteVector& bytes_;
  ByteVector& spelling_;
  Tag tag_ = Tag::null;
  std::uint64_t big_size_ = 0;  // of all big integers so far
};

// Reads values out of a tuple's bytes.
class Decoder {
 public:
  using Blobs = std::vector<std::unique_ptr<std::byte[]>>;
  using Tuples = std::vector<std::unique_ptr<Value[]>>;
  Decoder(Blobs& blobs, Tuples& tuples, ByteSpan spelling, bool spelled)
      : blobs_(blobs), tuples_(tuples), spelling_(spelling), spelled_(spelled) {}

  Result<Value> number(const Number& number, Tag tag) {
    switch (tag) {
      case Tag::boolean:
        if (number.zero) return Value::boolean(false);
        if (number.negative || number.infinite || number.exponent != 0 || !number.digits.empty()) break;
        return Value::boolean(true);
      case Tag::integer:
        if (!is_integer(number)) break;
        return Value::integer(integer_of(number));
      case Tag::big_integer: {
        if (!is_whole(number) || is_integer(number)) break;
        // A few bytes may say a long number: those of a damaged key must not be more than a key can have.
        big_size_ += big_size(number);
        if (big_size_ > key_size_max) return damaged_key("its big integers are too long");
        return Value{Tag::big_integer, 0, keep(big_of(number)), nullptr, 0};
      }
      case Tag::real:
        if (!is_real(number)) break;
        return Value::real(real_of(number));
      case Tag::negative_zero:
        if (!number.zero) break;
        return Value::real(-0.0);
      default:
        break;
    }
    return damaged_key("its number is not of its type");
  }

  // The elements up to the end of `reader`, or to the tuple's end if it is `nested`.
  Result<Value> tuple(KeyReader& reader, bool nested, unsigned depth) {
    if (depth > key_depth_max) return damaged_key("its tuples are too deep");
    std::vector<Value> elements;
    for (;;) {
      const auto first = reader.byte();
      if (!first) {
        if (nested) return damaged_key("a tuple has no end");
        break;
      }
      if (static_cast<std::byte>(*first) == tuple_end) {
        if (!nested) return damaged_key("a tuple ends before its bytes");
        break;
      }
      UTAN_ASSIGN(const Value element, this->element(reader, static_cast<KeyClass>(*first), depth));
      elements.push_back(element);
    }
    const std::size_t count = elements.size();
    auto kept = std::make_unique<Value[]>(count);
    std::copy(elements.begin(), elements.end(), kept.get());
    tuples_.push_back(std::move(kept));
    return Value::tuple({tuples_.back().get(), count});
  }
  // Every number was spelled, and one of them in an unusual way.
  bool spelling_fits() const { return !spelled_ || (spelling_.empty() && unusual_); }

 private:
  Result<Value> element(KeyReader& reader, KeyClass key_class, unsigned depth) {
    switch (key_class) {
      case KeyClass::null:
        return Value::null();
      case KeyClass::number: {
        Number number;
        if (!read_number(reader, number)) return damaged_key("a number is none");
        Tag tag = usual_spelling(number);
        if (spelled_) {
          if (spelling_.empty()) return damaged_key("the spelling of a number is missing");
          const Tag usual = tag;
          tag = static_cast<Tag>(spelling_.front());
          spelling_ = spelling_.subspan(1);
          unusual_ = unusual_ || tag != usual;
        }
        return this->number(number, tag);
      }
      case KeyClass::datetime:
      case KeyClass::datetime_utc: {
        const auto bits = reader.big_endian(8);
        if (!bits) return damaged_key("a datetime is cut short");
        const auto microseconds = static_cast<std::int64_t>(*bits ^ (std::uint64_t{1} << 63));
        return key_class == KeyClass::datetime ? Value::datetime(microseconds) : Value::datetime_utc(microseconds);
      }
      case KeyClass::uuid: {
        const auto bytes = reader.take(16);
        if (!bytes) return damaged_key("a UUID is cut short");
        return Value::uuid(*bytes);
      }
      case KeyClass::bytes:
      case KeyClass::string: {
        ByteVector text;
        if (!read_text(reader, text)) return damaged_key("a string has no end");
        Value out = Value::binary(keep(text));
        out.tag = key_class == KeyClass::bytes ? Tag::bytes : Tag::string;
        return out;
      }
      case KeyClass::tuple:
        return tuple(reader, true, depth + 1);
    }
    return damaged_key("it has a value of no known class");
  }

  static bool read_text(KeyReader& reader, ByteVector& out) {
    for (;;) {
      const auto one = reader.byte();
      if (!one) return false;
      if (static_cast<std::byte>(*one) == escape) {
        const auto next = reader.byte();
        if (!next) return false;
        if (static_cast<std::byte>(*next) == escaped_end) return true;
        if (static_cast<std::byte>(*next) != escaped_zero) return false;
      }
      out.push_back(static_cast<std::byte>(*one));
    }
  }

  ByteSpan keep(const ByteVector& bytes) {
    auto kept = std::make_unique<std::byte[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), kept.get());
    blobs_.push_back(std::move(kept));
    return {blobs_.back().get(), bytes.size()};
  }

  Blobs& blobs_;
  Tuples& tuples_;
  ByteSpan spelling_;
  bool spelled_;
  bool unusual_ = false;
  std::uint64_t big_size_ = 0;  // of all big integers so far
};

}  // namespace

Value Value::big_integer(std::span<const std::byte> bytes) {
  const Number number = number_of_big(bytes);
  if (is_integer(number)) return integer(integer_of(number));
  return {Tag::big_integer, 0, bytes, nullptr, 0};
}

bool class_of_key(Tag tag, KeyClass& out) {
  switch (tag) {
    case Tag::null:
      out = KeyClass::null;
      return true;
    case Tag::boolean:
    case Tag::integer:
    case Tag::big_integer:
    case Tag::real:
    case Tag::negative_zero:
      out = KeyClass::number;
      return true;
    case Tag::datetime:
      out = KeyClass::datetime;
      return true;
    case Tag::datetime_utc:
      out = KeyClass::datetime_utc;
      return true;
    case Tag::uuid:
      out = KeyClass::uuid;
      return true;
    case Tag::bytes:
      out = KeyClass::bytes;
      return true;
    case Tag::string:
      out = KeyClass::string;
      return true;
    case Tag::tuple:
    case Tag::spelled_tuple:
      out = KeyClass::tuple;
      return true;
    default:
      return false;
  }
}

Result<EncodedKey> KeyBuffer::encode_other(const Value& key) {
  EncodedKey out;
  out.tag = key.tag;
  if (!class_of_key(key.tag, out.key_class)) return Error(Code::type, "a container or such a value cannot be a key");
  if (is_text(key.tag)) {
    return Error(Code::too_large, "a key has at most " + std::to_string(key_size_max) + " bytes, not " +
                                      std::to_string(key.bytes.size()));
  }
  bytes_.clear();
  spelling_.clear();
  bool unusual = false;
  Encoder encoder(bytes_, spelling_);
  UTAN_TRY(encoder.put(key, 0, unusual));
  if (out.key_class == KeyClass::number) out.tag = encoder.tag();
  const std::size_t order_size = bytes_.size();
  if (unusual) {
    out.tag = Tag::spelled_tuple;
    const auto count = static_cast<std::uint32_t>(spelling_.size());
    bytes_.insert(bytes_.end(), spelling_.begin(), spelling_.end());
    bytes_.resize(bytes_.size() + sizeof count);
    std::memcpy(bytes_.data() + bytes_.size() - sizeof count, &count, sizeof count);
    if (bytes_.size() > key_size_max)
      return Error(Code::too_large, "a key has at most " + std::to_string(key_size_max) + " bytes");
  }
  out.bytes = bytes_;
  out.order = out.bytes.first(order_size);
  return out;
}

Result<EncodedKey> stored_key(Tag tag, std::span<const std::byte> bytes) {
  EncodedKey out{tag, KeyClass::null, bytes, bytes};
  if (!class_of_key(tag, out.key_class)) return damaged_key("it has the tag of no key");
  if (tag == Tag::spelled_tuple) {
    std::uint32_t count;
    if (bytes.size() < sizeof count) return damaged_key("it is cut short");
    std::memcpy(&count, bytes.data() + bytes.size() - sizeof count, sizeof count);
    if (count > bytes.size() - sizeof count) return damaged_key("it is cut short");
    out.order = bytes.first(bytes.size() - sizeof count - count);
  }
  return out;
}

Result<Value> KeyDecoder::decode(Tag tag, std::span<const std::byte> bytes) {
  blobs_.clear();
  tuples_.clear();
  UTAN_ASSIGN(const EncodedKey key, stored_key(tag, bytes));
  const bool spelled = tag == Tag::spelled_tuple;
  const ByteSpan spelling =
      spelled ? bytes.subspan(key.order.size(), bytes.size() - key.order.size() - sizeof(std::uint32_t)) : ByteSpan{};
  Decoder decoder(blobs_, tuples_, spelling, spelled);
  KeyReader reader(key.order);
  switch (key.key_class) {
    case KeyClass::null:
      if (!bytes.empty()) return damaged_key("null has no bytes");
      return Value::null();
    case KeyClass::number: {
      Number number;
      if (!read_number(reader, number) || !reader.empty()) return damaged_key("a number is none");
      return decoder.number(number, tag);
    }
    case KeyClass::datetime:
    case KeyClass::datetime_utc: {
      if (bytes.size() != 8) return damaged_key("a datetime has 8 bytes");
      const auto microseconds = static_cast<std::int64_t>(*reader.big_endian(8) ^ (std::uint64_t{1} << 63));
      return tag == Tag::datetime ? Value::datetime(microseconds) : Value::datetime_utc(microseconds);
    }
    case KeyClass::uuid:
      if (bytes.size() != 16) return damaged_key("a UUID has 16 bytes");
      return Value::uuid(bytes);
    case KeyClass::bytes:
    case KeyClass::string:
      return Value{tag, 0, bytes, nullptr, 0};
    case KeyClass::tuple:
      break;
  }
  UTAN_ASSIGN(const Value out, decoder.tuple(reader, false, 1));
  if (!decoder.spelling_fits()) return damaged_key("the spelling of its numbers does not fit them");
  return out;
}

int compare_keys(const EncodedKey& a, const EncodedKey& b) {
  if (a.key_class != b.key_class) return a.key_class < b.key_class ? -1 : 1;
  const std::size_t common = std::min(a.order.size(), b.order.size());
  const int order = common == 0 ? 0 : std::memcmp(a.order.data(), b.order.data(), common);
  if (order != 0) return order;
  return a.order.size() < b.order.size() ? -1 : a.order.size() > b.order.size() ? 1 : 0;
}

}  // namespace utan::format
