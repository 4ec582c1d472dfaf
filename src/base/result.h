// Operating errors as values.
//
// `Error` is one pointer: null when all is well, so that a `Result<void>` is a register and passing one up costs a
// test. `Result<T>` holds a T or an Error. Programmer errors are not reported here: they assert (base/check.h). Thread
// safety: values. Ownership: an Error owns its message.
#pragma once

#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "base/check.h"

namespace utan {

// What went wrong. The numbers are those of `utan_code` in utan.h; a test compares them.
enum class Code : int {
  ok = 0,
  not_found = 1,     // no such key, file or object
  exists = 2,        // there is one already
  invalid = 3,       // an argument outside its range
  type = 4,          // the name holds another kind of thing
  too_large = 5,     // a key or value over its limit
  corruption = 6,    // the bytes of the store contradict each other
  format = 7,        // not a Utan store
  version = 8,       // a store of a version that this build does not read
  no_space = 9,      // the disk, a quota or the address space is full
  read_only = 10,    // the store may not be written
  closed = 11,       // the store, snapshot or iterator is closed
  timeout = 12,      // waited for as long as was allowed
  in_use = 13,       // other processes use it
  permission = 14,   // the operating system says no
  unsupported = 15,  // this file system or kernel lacks what is needed
  io = 16,           // a system call failed
  memory = 17,       // no memory
  internal = 18,     // a fault of ours
  gone = 19,         // the container is not there any more
  interrupted = 20,  // the caller wanted it to end
};

class [[nodiscard]] Error {
 public:
  Error() = default;
  Error(Code code, std::string message) : info_(new Info{code, 0, std::move(message)}) { DCHECK(code != Code::ok); }
  // `system_error` is the errno that caused it.
  Error(Code code, int system_error, std::string message) : info_(new Info{code, system_error, std::move(message)}) {
    DCHECK(code != Code::ok);
  }

  bool ok() const { return info_ == nullptr; }
  Code code() const { return info_ == nullptr ? Code::ok : info_->code; }
  int system_error() const { return info_ == nullptr ? 0 : info_->system_error; }
  const std::string& message() const {
    static const std::string none;
    return info_ == nullptr ? none : info_->message;
  }

  // The same error with `context` and a colon before its message.
  Error in(const std::string& context) && {
    if (info_ != nullptr) info_->message = context + ": " + info_->message;
    return std::move(*this);
  }
  Error copy() const { return ok() ? Error{} : Error{info_->code, info_->system_error, info_->message}; }

 private:
  struct Info {
    Code code;
    int system_error;
    std::string message;
  };
  std::unique_ptr<Info> info_;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)), has_value_(true) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : error_(std::move(error)), has_value_(false) {  // NOLINT(google-explicit-constructor)
    DCHECK(!error_.ok());
  }
  Result(Result&& other) noexcept : has_value_(other.has_value_) {
    if (has_value_) {
      new (&value_) T(std::move(other.value_));
    } else {
      new (&error_) Error(std::move(other.error_));
    }
  }
  Result& operator=(Result&& other) noexcept {
    if (this != &other) {
      this->~Result();
      new (this) Result(std::move(other));
    }
    return *this;
  }
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  ~Result() {
    if (has_value_) {
      value_.~T();
    } else {
      error_.~Error();
    }
  }

  bool ok() const { return has_value_; }
  Code code() const { return has_value_ ? Code::ok : error_.code(); }
  T& value() & {
    DCHECK(has_value_);
    return value_;
  }
  const T& value() const& {
    DCHECK(has_value_);
    return value_;
  }
  T&& value() && {
    DCHECK(has_value_);
    return std::move(value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    DCHECK(!has_value_);
    return error_;
  }
  Error error() && {
    DCHECK(!has_value_);
    return std::move(error_);
  }

 private:
  union {
    T value_;
    Error error_;
  };
  bool has_value_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  bool ok() const { return error_.ok(); }
  Code code() const { return error_.code(); }
  const Error& error() const& { return error_; }
  Error error() && { return std::move(error_); }

 private:
  Error error_;
};

}  // namespace utan

#define UTAN_CONCAT_INNER(a, b) a##b
#define UTAN_CONCAT(a, b) UTAN_CONCAT_INNER(a, b)

// Returns the error of `expression` from the enclosing function, if it has one.
#define UTAN_TRY(expression) UTAN_TRY_INNER(UTAN_CONCAT(utan_tried_, __COUNTER__), expression)
#define UTAN_TRY_INNER(name, expression) \
  do {                                   \
    auto name = (expression);            \
    if (!name.ok()) [[unlikely]]         \
      return std::move(name).error();    \
  } while (false)

// Assigns the value of `expression` to `target` (a declaration or an lvalue), or returns its error.
#define UTAN_ASSIGN(target, expression) UTAN_ASSIGN_INNER(UTAN_CONCAT(utan_result_, __COUNTER__), target, expression)
#define UTAN_ASSIGN_INNER(name, target, expression) \
  auto name = (expression);                         \
  if (!name.ok()) [[unlikely]]                      \
    return std::move(name).error();                 \
  target = std::move(name).value()
