// Values where they lie in a pinned commit, and values that are lent to the caller.
//
// A Slot is a value found beside a key or in a list's word. A Loan hands one out: its bytes stay where they are, and the
// pin that protects them belongs to the loan until it is given back; only large values are copied. Thread safety: a Loan
// is given back by the thread that got it.
#pragma once

#include <cstdlib>
#include <memory>
#include <utility>

#include "base/result.h"
#include "commit/thread.h"
#include "format/key.h"
#include "format/value.h"
#include "heap/view.h"
#include "object/hold.h"
#include "object/record.h"

namespace utan::object {

struct Slot {
  format::Value value;  // whole, unless `stored` is large: then its tag alone
  Stored stored;        // of a large value: where its extents are named
  bool large() const { return format::is_large(stored.tag); }
};

Result<Slot> slot_of_other(const Stored& stored);
// `out` is new.
inline Result<void> read_slot(const Stored& stored, Slot& out) {
  if (format::is_text(stored.tag)) [[likely]] {
    out.value.tag = stored.tag;
    out.value.bytes = stored.bytes;
    return {};
  }
  UTAN_ASSIGN(out, slot_of_other(stored));
  return {};
}
inline Result<Slot> slot_of(const Stored& stored) {
  Slot out;
  UTAN_TRY(read_slot(stored, out));
  return out;
}
// `word` must stay where it is: short text lies in it.
Result<Slot> slot_of(const heap::View& view, const format::Word& word);

// A value that belongs to the caller until it is released.
class Loan {
 public:
  Loan() = default;
  Loan(Loan&& other) noexcept
      : value_(std::exchange(other.value_, {})),
        thread_(std::exchange(other.thread_, nullptr)),
        pin_(other.pin_),
        copy_(std::exchange(other.copy_, nullptr)),
        decoder_(std::move(other.decoder_)),
        hold_(std::move(other.hold_)),
        type_(other.type_) {}
  Loan& operator=(Loan&& other) noexcept {
    if (this != &other) {
      release();
      value_ = std::exchange(other.value_, {});
      thread_ = std::exchange(other.thread_, nullptr);
      pin_ = other.pin_;
      copy_ = std::exchange(other.copy_, nullptr);
      decoder_ = std::move(other.decoder_);
      hold_ = std::move(other.hold_);
      type_ = other.type_;
    }
    return *this;
  }
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;
  ~Loan() { release(); }

  const format::Value& value() const { return value_; }
  // Of a container: what it is, and what keeps it alive.
  format::ContainerType type() const { return type_; }
  Hold take_hold() { return std::move(hold_); }
  // Of a value that is pinned and nothing else: whose pin it is, which the caller releases now.
  commit::Thread* take_pin(unsigned& pin) {
    pin = pin_;
    return copy_ == nullptr && decoder_ == nullptr ? std::exchange(thread_, nullptr) : nullptr;
  }
  // Does it protect anything? If not, it may be forgotten.
  bool owns() const { return thread_ != nullptr || copy_ != nullptr || decoder_ != nullptr || hold_; }
  void release();

  // Lends what lies under `pin` of `thread`, which becomes the loan's; thread null: a snapshot protects it.
  static Loan pinned(const format::Value& value, commit::Thread* thread, unsigned pin);
  // A copy of its own.
  static Result<Loan> copied(const heap::View& view, const Slot& slot);
  static Result<Loan> copied(const format::Value& value);
  // A container; `hold` empty: a snapshot protects it.
  static Loan container(format::ObjectId id, format::ContainerType type, Hold hold);
  // A key, out of its stored form: a copy of its own.
  static Result<Loan> key(format::Tag tag, Bytes bytes);

 private:
  format::Value value_;
  commit::Thread* thread_ = nullptr;
  unsigned pin_ = 0;
  std::byte* copy_ = nullptr;                    // from std::malloc
  std::unique_ptr<format::KeyDecoder> decoder_;  // has the parts of a key that its bytes do not have as they are
  Hold hold_;
  format::ContainerType type_ = format::ContainerType::none;
};

// Does the value lie elsewhere than in itself?
inline bool has_bytes(const format::Value& value) { return format::has_bytes(value.tag); }

// Is it what somebody has read there? Numbers by their exact value, as Python's == says, containers by identity; and NaN is
// the same as NaN, which == denies, since who compares and replaces would otherwise never find it again.
Result<bool> are_equal(const heap::View& view, const Slot& slot, const format::Value& other);

}  // namespace utan::object
