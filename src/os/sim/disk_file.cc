#include "os/sim/disk_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace utan::os::sim {
namespace {

// In front of a file lie addresses that nobody may touch, as behind it.
constexpr std::size_t guard_bytes = std::size_t{1} << 20;

std::size_t round_up(std::uint64_t bytes, std::uint64_t unit) {
  return static_cast<std::size_t>((bytes + unit - 1) / unit * unit);
}

// How a crash chooses among the versions of pages. Each alone would rarely meet some states: chosen evenly, a file of
// many pages is never wholly old but for one page.
enum Style : unsigned { evenly, mostly_oldest, mostly_newest, often_torn, style_count };

}  // namespace

DiskFile::DiskFile(FileStatus status, ByteCount reservation) : status_(status), reservation_(reservation) {
  status_.size = ByteCount{0};
  void* address = ::mmap(nullptr, guard_bytes + static_cast<std::size_t>(reservation.value), PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(address != MAP_FAILED);
  memory_ = static_cast<std::byte*>(address) + guard_bytes;
  watch_.emplace(memory_, static_cast<std::size_t>(reservation.value));
  sizes_.push_back({0, ByteCount{0}});
}

DiskFile::~DiskFile() {
  watch_.reset();
  ::munmap(memory_ - guard_bytes, guard_bytes + static_cast<std::size_t>(reservation_.value));
}

bool DiskFile::grow(ByteCount size) {
  if (size <= status_.size) return true;
  if (size > reservation_) return false;
  // The end of the last page is usable, as in a real mapping.
  const std::size_t needed = round_up(size.value, static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  if (needed > usable_) {
    watch_->open(usable_, needed);
    usable_ = needed;
  }
  captured_.resize(pages_of(size) * page_bytes);
  status_.size = size;
  sizes_.push_back({now_++, size});
  return true;
}

void DiskFile::capture() {
  const Moment moment = now_;
  watch_->take(captured_.size(), [&](std::size_t from, std::size_t to) {
    for (std::size_t at = from; at < std::min(to, captured_.size()); at += page_bytes) capture_page(at, moment);
  });
  now_ = moment + 1;
}

void DiskFile::capture_page(std::size_t at, Moment moment) {
  std::byte* last = captured_.data() + at;
  if (std::memcmp(last, memory_ + at, page_bytes) == 0) return;
  History& history = histories_[at / page_bytes];
  if (history.versions.empty()) {
    history.versions.push_back({0, std::make_unique<Page>()});
    std::memcpy(history.versions.back().page->data(), last, page_bytes);
  }
  std::memcpy(last, memory_ + at, page_bytes);
  history.versions.push_back({moment, std::make_unique<Page>()});
  std::memcpy(history.versions.back().page->data(), last, page_bytes);
}

Moment DiskFile::flush_began() {
  capture();
  return now_++;
}

void DiskFile::flush_done(Moment began) {
  // What was so before the flush began is overwritten by what was so when it began.
  const auto outdated = [began](const auto& all) {
    const auto later = std::find_if(all.begin() + 1, all.end(), [began](const auto& one) { return one.since > began; });
    return later - 1;
  };
  for (auto i = histories_.begin(); i != histories_.end();) {
    auto& [versions, failed_at] = i->second;
    const auto keep = outdated(versions);
    const bool left_out = failed_at != 0 && keep->since <= failed_at;
    if (!left_out) {
      versions.erase(versions.begin(), keep);
      failed_at = 0;
    }
    i = versions.size() == 1 ? histories_.erase(i) : std::next(i);
  }
  sizes_.erase(sizes_.begin(), outdated(sizes_));
}

void DiskFile::flush_failed() {
  ++flush_failure_count_;
  capture();
  for (auto& [index, history] : histories_) history.failed_at = now_;
  ++now_;
}

std::size_t DiskFile::version_count(std::size_t index) const {
  const auto found = histories_.find(index);
  return found == histories_.end() ? 1 : found->second.versions.size();
}

void DiskFile::choose_page(const History& history, unsigned style, Random& random, std::span<std::byte> page) const {
  const std::size_t count = history.versions.size();
  auto chosen = static_cast<std::size_t>(random.below(count));
  if (style == mostly_oldest && !random.one_in(8)) chosen = 0;
  if (style == mostly_newest && !random.one_in(8)) chosen = count - 1;
  std::memcpy(page.data(), history.versions[chosen].page->data(), page.size());
  if (chosen + 1 == count || !random.one_in(style == often_torn ? 2 : 8)) return;
  // Torn: a write of the next version got some of its sectors onto the disk, in any order.
  const auto& next = *history.versions[chosen + 1].page;
  for (std::size_t at = 0; at < page.size(); at += sector_bytes) {
    if (random.one_in(2)) {
      std::memcpy(page.data() + at, next.data() + at, std::min(sector_bytes, page.size() - at));
    }
  }
}

void DiskFile::fill_after_crash(DiskFile& file, Random& random) const {
  const auto style = static_cast<unsigned>(random.below(style_count));
  const ByteCount size = sizes_[static_cast<std::size_t>(random.below(sizes_.size()))].size;
  CHECK(file.grow(size));
  const std::span<std::byte> content = file.content();
  if (!content.empty()) std::memcpy(content.data(), captured_.data(), content.size());
  for (const auto& [index, history] : histories_) {
    const std::size_t at = index * page_bytes;
    if (at >= content.size()) break;
    choose_page(history, style, random, content.subspan(at, std::min(page_bytes, content.size() - at)));
  }
  file.make_durable();
}

void DiskFile::fill_as_is(DiskFile& file) const {
  CHECK(file.grow(status_.size));
  if (status_.size.value != 0) std::memcpy(file.memory_, memory_, static_cast<std::size_t>(status_.size.value));
  file.make_durable();
}

void DiskFile::fill_with_history(DiskFile& file) const {
  fill_as_is(file);
  file.now_ = now_;
  file.captured_ = captured_;
  file.sizes_ = sizes_;
  for (const auto& [index, history] : histories_) {
    History& copy = file.histories_[index];
    copy.failed_at = history.failed_at;
    for (const Version& one : history.versions) copy.versions.push_back({one.since, std::make_unique<Page>(*one.page)});
  }
}

void DiskFile::replace_content(std::span<const std::byte> bytes) {
  const ByteCount size{bytes.size()};
  CHECK(grow(size));
  status_.size = size;
  if (!bytes.empty()) std::memcpy(memory_, bytes.data(), bytes.size());
  std::memset(memory_ + bytes.size(), 0, usable_ - bytes.size());
  const std::size_t needed = round_up(size.value, static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  watch_->close(needed, usable_);
  usable_ = needed;
  captured_.resize(pages_of(size) * page_bytes);
  make_durable();
}

void DiskFile::make_durable() {
  if (!captured_.empty()) std::memcpy(captured_.data(), memory_, captured_.size());
  histories_.clear();
  sizes_.assign(1, {now_++, status_.size});
}

}  // namespace utan::os::sim
