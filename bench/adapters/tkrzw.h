// What the adapters of Tkrzw share.
#pragma once

#include <tkrzw_dbm.h>
#include <tkrzw_dbm_hash.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

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

// What the databases of Tkrzw do alike. `Dbm`: HashDBM or TreeDBM, with HashDBM's parameters among its own.
template <class Dbm>
class TkrzwStore {
 public:
  // For another thread: the database that `first` has opened.
  void join(const TkrzwStore& first) { dbm_ = first.dbm_; }
  void close() {
    tkrzw_must(dbm_->Close());
    dbm_.reset();
  }

  void put(std::string_view key, std::string_view value) { tkrzw_must(dbm_->Set(key, value)); }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    TkrzwReader<std::remove_reference_t<Use>> reader(use);
    tkrzw_must(dbm_->Process(key, &reader, false));
    return reader.is_found();
  }
  bool erase(std::string_view key) {
    const tkrzw::Status status = dbm_->Remove(key);
    if (status == tkrzw::Status::NOT_FOUND_ERROR) return false;
    tkrzw_must(status);
    return true;
  }
  template <class Use>
  void each(Use&& use) {
    TkrzwEachReader<std::remove_reference_t<Use>> reader(use);
    tkrzw_must(dbm_->ProcessEach(&reader, false));
  }

 protected:
  using Tuning = typename Dbm::TuningParameters;

  // Changed in place, without checksums, compression, or recovery after a kill.
  static Tuning plain_tuning() {
    Tuning tuning;
    tuning.update_mode = tkrzw::HashDBM::UPDATE_IN_PLACE;
    tuning.record_crc_mode = tkrzw::HashDBM::RECORD_CRC_NONE;
    tuning.record_comp_mode = tkrzw::HashDBM::RECORD_COMP_NONE;
    tuning.restore_mode = tkrzw::HashDBM::RESTORE_NOOP;
    return tuning;
  }
  void open_file(const std::string& path, Access access, const Tuning& tuning) {
    const std::int32_t options = access == Access::create ? tkrzw::File::OPEN_TRUNCATE : tkrzw::File::OPEN_NO_CREATE;
    dbm_ = std::make_shared<Dbm>();
    tkrzw_must(dbm_->OpenAdvanced(path, access != Access::read, options, tuning));
  }

  std::shared_ptr<Dbm> dbm_;
};

}  // namespace bench
