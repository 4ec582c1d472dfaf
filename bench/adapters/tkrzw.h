// What the adapters of Tkrzw share.
#pragma once

#include <tkrzw_dbm.h>

#include "../runner.h"

namespace bench {

inline void tkrzw_must(const tkrzw::Status& status) {
  if (!status.IsOK()) fail("tkrzw: " + tkrzw::ToString(status));
}

// Hands a value to `Use` where it lies, without the copy that Get makes.
template <class Use>
class TkrzwReader final : public tkrzw::DBM::RecordProcessor {
 public:
  explicit TkrzwReader(Use& use) : use_(use) {}
  std::string_view ProcessFull(std::string_view, std::string_view value) override {
    use_(value);
    is_found_ = true;
    return NOOP;
  }
  [[nodiscard]] bool is_found() const { return is_found_; }

 private:
  Use& use_;
  bool is_found_ = false;
};

template <class Use>
class TkrzwEachReader final : public tkrzw::DBM::RecordProcessor {
 public:
  explicit TkrzwEachReader(Use& use) : use_(use) {}
  std::string_view ProcessFull(std::string_view key, std::string_view value) override {
    use_(key, value);
    return NOOP;
  }

 private:
  Use& use_;
};

}  // namespace bench
