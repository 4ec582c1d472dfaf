// Where a session has its data file in memory: the addresses that it begins with, and more of them when they are used up.
#include <algorithm>
#include <string>

#include "commit/place.h"
#include "commit/session.h"
#include "commit/thread.h"  // Session owns Threads

namespace utan::commit {

namespace {

constexpr std::uint64_t reservation_min = std::uint64_t{64} << 30;
constexpr std::uint64_t reservation_factor = 16;

}  // namespace

// `reservation`: bytes of addresses; 0: so many that they last.
Result<void> Session::map_first(ByteCount reservation, ByteCount size) {
  const std::uint64_t much = std::max(reservation_min, reservation_factor * size.value);
  const std::uint64_t wanted = reservation.value != 0 ? std::max(reservation.value, size.value) : much;
  UTAN_ASSIGN(data_map_, map_more(ByteCount{wanted}, size));
  return {};
}

void Session::map_heap() {
  incarnation_ = coordination_.fixed().header.incarnation;
  heap_.open(data_map_->data(), data_map_->reserved(), coordination_, *data_file_, sentinel_word_, this);
}

// Maps the file into `wanted` bytes of addresses, or as many as there are, at least `needed`.
Result<std::unique_ptr<os::Mapping>> Session::map_more(ByteCount wanted, ByteCount needed) {
  const auto in_regions = [](std::uint64_t size) {
    return (size + format::region_size - 1) / format::region_size * format::region_size;
  };
  const os::Access access = read_only_ ? os::Access::read_only : os::Access::read_write;
  const std::uint64_t most = system_->address_space_max().value / format::region_size * format::region_size;
  const std::uint64_t reserve = std::min(in_regions(wanted.value), most);
  if (reserve >= needed.value) {
    auto mapped = data_file_->map(ByteCount{reserve}, access);
    if (!mapped.ok()) return cannot_map(std::move(mapped).error());
    return mapped;
  }
  // Under a limit most of what is left is for others, unless the store cannot be had otherwise. On opening it is no more than
  // that, since the lock file is still to be mapped.
  const std::uint64_t more = data_map_ == nullptr ? 0 : needed.value / 4;
  for (const std::uint64_t least : {needed.value + more, needed.value}) {
    auto mapped = data_file_->map(ByteCount{in_regions(least)}, access);
    if (mapped.ok()) return mapped;
    if (mapped.code() != Code::no_space) return cannot_map(std::move(mapped).error());
  }
  return Error(Code::no_space, path_ + ": this process has no addresses left for a store of " +
                                   std::to_string(needed.value >> 20) + " MiB (ulimit -v limits them)");
}

Result<void> Session::widen(ByteCount needed) {
  const std::lock_guard lock(widening_);
  const os::Mapping& last = wider_maps_.empty() ? *data_map_ : *wider_maps_.back();
  if (needed.value <= last.reserved().value) return {};  // another thread was faster
  // Each is so much longer than the one before that there are never many.
  UTAN_ASSIGN(std::unique_ptr<os::Mapping> wider,
              map_more(ByteCount{std::max(reservation_factor * last.reserved().value, needed.value)}, needed));
  wider->watch(sentinel_word_);
  wider_maps_.push_back(std::move(wider));
  const os::Mapping& now = *wider_maps_.back();
  heap_.show_at(now.data(), now.reserved());
  return {};
}

}  // namespace utan::commit
