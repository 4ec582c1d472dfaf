#include "object/slot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>

namespace utan::object {

using format::Tag;
using format::Value;
using format::Word;
using format::WordKind;

Result<Slot> slot_of_other(const Stored& stored) {
  Slot out;
  if (format::is_large(stored.tag)) {
    out.value.tag = format::base_tag(stored.tag);
    out.stored = stored;
    return out;
  }
  UTAN_ASSIGN(out.value, format::from_payload(stored.tag, stored.bytes));
  return out;
}

Result<Slot> slot_of(const heap::View& view, const Word& word) {
  if (word.kind() == WordKind::block) {
    UTAN_ASSIGN(const Stored stored, stored_at(view, Offset{word.payload() * 8}));
    return slot_of(stored);
  }
  Slot out;
  UTAN_ASSIGN(out.value, format::from_word(word));
  return out;
}

// --- Loans -------------------------------------------------------------------------------------------------------------

void Loan::release() {
  // In a child made by fork the pin is its parent's.
  if (thread_ != nullptr && !thread_->session().forked()) thread_->unpin(pin_);
  thread_ = nullptr;
  std::free(copy_);
  copy_ = nullptr;
  decoder_.reset();
  hold_.release();
  value_ = {};
}

Loan Loan::pinned(const Value& value, commit::Thread* thread, unsigned pin) {
  Loan out;
  out.value_ = value;
  out.thread_ = thread;
  out.pin_ = pin;
  return out;
}

Result<Loan> Loan::copied(const heap::View& view, const Slot& slot) {
  if (!slot.large()) return copied(slot.value);
  Loan out;
  UTAN_ASSIGN(out.copy_, copy_of(view, slot.stored));
  UTAN_ASSIGN(out.value_, format::from_payload(slot.value.tag, Bytes(out.copy_, slot.stored.size)));
  return out;
}

Result<Loan> Loan::copied(const Value& value) {
  DCHECK(value.tag != Tag::tuple);
  Loan out;
  out.value_ = value;
  if (!has_bytes(value)) return out;
  out.copy_ = static_cast<std::byte*>(std::malloc(std::max<std::size_t>(value.bytes.size(), 1)));
  if (out.copy_ == nullptr)
    return Error(Code::memory, "no memory for a value of " + std::to_string(value.bytes.size()) + " bytes");
  if (!value.bytes.empty()) std::memcpy(out.copy_, value.bytes.data(), value.bytes.size());
  out.value_.bytes = Bytes(out.copy_, value.bytes.size());
  return out;
}

Loan Loan::container(format::ObjectId id, format::ContainerType type, Hold hold) {
  Loan out;
  out.value_ = Value::container(id);
  out.type_ = type;
  out.hold_ = std::move(hold);
  return out;
}

Result<Loan> Loan::key(Tag tag, Bytes bytes) {
  Loan out;
  out.copy_ = static_cast<std::byte*>(std::malloc(std::max<std::size_t>(bytes.size(), 1)));
  if (out.copy_ == nullptr) return Error(Code::memory, "no memory for a key");
  if (!bytes.empty()) std::memcpy(out.copy_, bytes.data(), bytes.size());
  out.decoder_ = std::make_unique<format::KeyDecoder>();
  UTAN_ASSIGN(out.value_, out.decoder_->decode(tag, Bytes(out.copy_, bytes.size())));
  return out;
}

// --- Equality ----------------------------------------------------------------------------------------------------------

namespace {

bool is_nan(const Value& value) { return value.tag == Tag::real && std::isnan(value.as_real()); }

}  // namespace

Result<bool> are_equal(const heap::View& view, const Slot& slot, const Value& other) {
  if (slot.large()) {
    std::array<std::byte, 8> scratch;
    if (slot.value.tag != other.tag) return false;
    return is_same(view, slot.stored, Payload{other.tag, format::to_payload(other, scratch)});
  }
  const Value& value = slot.value;
  // What was read and is still there must be found to be the same: NaN, too, of whatever bits.
  if (is_nan(value) && is_nan(other)) return true;
  if (value.tag == other.tag && value.tag != Tag::real)
    return value.bits == other.bits && std::ranges::equal(value.bytes, other.bytes);
  // What is left are numbers, spelled in two ways; as keys they are compared by value. NaN is no key.
  format::KeyClass value_class;
  format::KeyClass other_class;
  if (!format::class_of_key(value.tag, value_class) || !format::class_of_key(other.tag, other_class) ||
      value_class != format::KeyClass::number || other_class != format::KeyClass::number)
    return false;
  format::KeyBuffer value_buffer;
  format::KeyBuffer other_buffer;
  const Result<format::EncodedKey> a = value_buffer.encode(value);
  const Result<format::EncodedKey> b = other_buffer.encode(other);
  if (!a.ok() || !b.ok()) return false;
  return format::compare_keys(a.value(), b.value()) == 0;
}

}  // namespace utan::object
