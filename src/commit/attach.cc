// Opening a store: claiming an entry, making coordination anew, recovering. create.h makes and removes its file.
//
// Everything here happens under flock(LOCK_SH) of the data file, which is taken by polling with a time-out; making
// coordination anew under LOCK_EX with nobody on the liveness bytes. Who wants that locks a byte of its own first, and who
// sees that byte locked waits without any lock: so however many come at once, and however slow they are, one is alone soon.
// A lock is always taken first and what it protects written afterwards, so that a kill leaves at most an entry that looks
// claimed, which the next to attach adopts.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <span>

#include "base/check.h"
#include "base/step.h"
#include "commit/belief.h"
#include "commit/create.h"
#include "commit/new_coordination.h"
#include "commit/place.h"
#include "commit/session.h"
#include "commit/thread.h"
#include "format/nodes.h"

namespace utan::commit {

using format::CheckpointSlot;
using format::CommitBlock;
using format::Coordination;
using format::CoordinationFixed;
using format::CoordinationHeader;
using format::FileHeader;
using format::HeadWord;
using format::Marked;

namespace {

// A recovered store numbers its commits from here on, so that what the lost ones wrote never looks like the present
// (D3).
constexpr std::uint64_t recovery_jump = std::uint64_t{1} << 40;
constexpr std::uint64_t pause_min_ns = 500'000;
constexpr std::uint64_t pause_limit_ns = 32'000'000;
// How often the lock for one alone is asked for at once, which takes about a microsecond.
constexpr int tries_awake = 1000;
// How often header and coordination are compared again because the store was growing meanwhile, whatever the time.
constexpr int looks_min = 100;
// A coordination file of more lines than these is not made anew in place: clearing it would cost more than a new one.
constexpr std::uint64_t cleared_line_count_max = 256;

// What to do where a store cannot be opened any more.
constexpr const char* take_a_copy = "; go back to a copy (`utan check` says what else is wrong)";

std::uint64_t next_unique_id() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;  // relaxed: only distinctness matters
}

}  // namespace

// What one call of Session::open does.
class Opener {
 public:
  Opener(os::System& system, std::string path, const OpenOptions& options)
      : system_(system),
        path_(std::move(path)),
        options_(options),
        deadline_(system.monotonic_now() + options.timeout),
        boot_(system.boot_id()) {}

  Result<std::shared_ptr<Session>> run() {
    if (options_.mode == OpenMode::fresh) {
      for (;;) {
        UTAN_ASSIGN(const bool removed, remove_store(system_, path_, options_.any_file_system));
        if (removed) break;
      }
    }
    for (;;) {
      session_.reset(new Session(system_, path_));
      session_->read_only_ = options_.mode == OpenMode::read_only;
      Result<bool> attached = attempt();
      if (!attached.ok()) return named(std::move(attached).error(), path_);
      if (attached.value()) break;
      if (system_.monotonic_now() > deadline_) {
        return gave_up("somebody else is creating, recovering or replacing this store",
                       "try again, or look for a process that is stopped while it does so");
      }
      // Whoever waits holds no lock: somebody needs to be alone for a moment to make what all wait for.
      session_.reset();
      UTAN_TRY(back_off());
    }
    session_->unique_id_ = next_unique_id();
    session_->quick_id_ = session_->reads_alone_ ? 0 : session_->unique_id_;
    session_->adopt_dead();
    session_->data_file_->unlock();
    return session_;
  }

 private:
  // Those who meet again and again wait for random times that grow, so that one of them finds the others asleep.
  Result<void> back_off() {
    std::uint64_t random = 0;
    UTAN_TRY(system_.random(bytes_of(random)));
    const std::uint64_t now_ns = system_.monotonic_now().value;
    const std::uint64_t rest_ns = deadline_.value > now_ns ? deadline_.value - now_ns : 0;
    system_.sleep(Nanoseconds{std::min(100'000 + random % pause_max_ns_, rest_ns + 1)});
    pause_max_ns_ = std::min(2 * pause_max_ns_, pause_limit_ns);
    return {};
  }

  Error gave_up(const char* why, const char* what_to_do) const {
    return Error(Code::timeout, path_ + ": " + why + "; gave up after " +
                                    std::to_string(options_.timeout.value / 1'000'000) + " ms: " + what_to_do);
  }

  bool writes() const { return options_.mode != OpenMode::read_only; }
  std::string lock_path() const { return path_ + "-lock"; }

  // --- Attaching

  // True: attached. False: something changed under us; try again until the deadline.
  Result<bool> attempt() {
    const os::Access access = writes() ? os::Access::read_write : os::Access::read_only;
    Result<std::unique_ptr<os::File>> opened = system_.open(path_, access, os::Creation::existing, 0);
    if (!opened.ok()) {
      if (opened.code() != Code::not_found || (options_.mode != OpenMode::create && options_.mode != OpenMode::fresh)) {
        return cannot_open(std::move(opened).error(), path_, writes());
      }
      UTAN_TRY(create_store(system_, path_, options_));
      return false;
    }
    session_->data_file_ = std::move(opened).value();
    os::File& file = *session_->data_file_;
    UTAN_TRY(expect_local(system_, file, path_, options_.any_file_system));
    if (!writes()) {
      UTAN_ASSIGN(const os::Medium medium, file.medium());
      if (medium.replaces_files && !written_once_) {
        // Opened to write once, it has been replaced if ever, and what is opened to read then is what others write to.
        written_once_ = true;
        Result<std::unique_ptr<os::File>> for_writing =
            system_.open(path_, os::Access::read_write, os::Creation::existing, 0);
        stays_behind_ = !for_writing.ok();
        return false;
      }
    }
    UTAN_ASSIGN(const bool kept_out, file.others_hold_bytes(format::alone_byte, 1));
    if (kept_out) return false;
    UTAN_ASSIGN(const bool locked, file.try_lock(os::LockMode::shared));
    if (!locked) return false;
    UTAN_ASSIGN(const os::FileStatus status, file.status());
    UTAN_ASSIGN(const bool same, still_there(system_, path_, status.identity));
    if (!same) return false;
    if (status.size.value == 0)
      return Error(Code::format, "this is an empty file, not a Utan store: remove it to create one");
    session_->identity_ = status.identity;
    UTAN_TRY(read_header(status.size));
    session_->hash_seed_ = header_.hash_seed;
    UTAN_TRY(map_data(status.size));
    // Who would go on to see the old file must not follow what others write into the new one.
    Result<bool> attached =
        stays_behind_ ? Result<bool>(Error(Code::permission, "cannot open " + path_ + " to write")) : take_part(status);
    if ((attached.code() == Code::permission || no_room_for_lock_file_) && !writes())
      attached = read_alone(std::move(attached).error());
    if (!attached.ok()) return std::move(attached).error();
    if (!attached.value()) return false;
    UTAN_TRY(session_->apply_settings(options_));
    return true;
  }

  // Takes a place among those who have the store open. Answers as attempt() does.
  Result<bool> take_part(const os::FileStatus& status) {
    UTAN_ASSIGN(bool usable, open_coordination(status));
    if (!usable) {
      // Made under the exclusive lock, used under the shared one again; claim_entry looks whether it still is the one.
      Result<bool> made = make_coordination_alone();
      no_room_for_lock_file_ = made.code() == Code::no_space;
      if (!made.ok() || !made.value()) return made;
      UTAN_ASSIGN(usable, open_coordination(status));
      if (!usable) return false;
    }
    return claim_entry();
  }

  // A reader who may not use the lock file, or make one where the disk is full, needs none as long as nobody writes: he reads
  // the newest checkpoint, with a coordination that is his alone. Nobody sees his pins. Who comes later to write may reuse
  // blocks of that checkpoint once a newer one is durable: each operation first looks whether there is one (still_current).
  Result<bool> read_alone(Error refusal) {
    os::File& file = *session_->data_file_;
    UTAN_ASSIGN(const bool others_write, file.others_hold_bytes_exclusively(0, format::process_entry_count));
    if (others_write)
      return no_room_for_lock_file_ ? std::move(refusal) : cannot_read_beside(std::move(refusal), path_);
    // It may be held exclusively now, or have been given up for that in vain.
    UTAN_ASSIGN(const bool locked, file.try_lock(os::LockMode::shared));
    if (!locked) return false;
    UTAN_ASSIGN(const os::FileStatus status, file.status());
    UTAN_TRY(read_header(status.size));
    UTAN_ASSIGN(const CheckpointSlot checkpoint, newest_checkpoint(status.size));
    session_->lock_file_.reset();
    UTAN_ASSIGN(session_->coordination_map_, system_.private_memory(ByteCount{format::coordination_size_max}));
    session_->coordination_ = Coordination(session_->coordination_map_->data());
    std::uint64_t incarnation = 0;
    UTAN_TRY(system_.random(bytes_of(incarnation)));
    UTAN_TRY(describe(session_->coordination_.fixed(), status, checkpoint, incarnation | 1, 0));
    session_->reads_alone_ = true;
    session_->owner_ = format::OwnerOfLine::make(0, 0);
    session_->coordination_.entry(0).claim.store(1, std::memory_order_relaxed);  // relaxed: nobody else sees it
    sign(session_->coordination_.entry(0));
    session_->map_heap();
    return true;
  }

  void sign(format::ProcessEntry& entry) {
    entry.process_id.store(system_.process_id(), std::memory_order_relaxed);
    entry.started_ns.store(system_.wall_now().value, std::memory_order_relaxed);
    entry.flags.store(writes() ? 0 : 1, std::memory_order_relaxed);
  }

  Result<void> read_header(ByteCount size) {
    FileHeader copies[2]{};
    if (size.value < sizeof copies[0]) return Error(Code::format, "this is not a Utan store: it is too short");
    UTAN_TRY(session_->data_file_->read(format::header_copy_offset(0), bytes_of(copies[0])));
    if (size.value >= format::header_copy_offset(1).value + sizeof copies[1]) {
      UTAN_TRY(session_->data_file_->read(format::header_copy_offset(1), bytes_of(copies[1])));
    }
    UTAN_ASSIGN(header_, format::choose_header(copies[0], copies[1], size));
    return {};
  }

  Result<void> map_data(ByteCount size) {
    UTAN_TRY(session_->map_first(ByteCount{options_.reservation}, size));
    UTAN_ASSIGN(session_->sentinel_, system_.fork_sentinel());
    session_->sentinel_word_ = &session_->sentinel_->word();
    session_->process_id_ = system_.process_id();
    session_->data_map_->watch(session_->sentinel_word_);
    return {};
  }

  // Opens what is there. False: it is missing or not to be believed, and must be made anew.
  Result<bool> open_coordination(const os::FileStatus& data) {
    closed_ = false;
    own_ = false;
    session_->lock_file_.reset();
    // Before it is mapped again: where addresses are few there are not enough for both.
    session_->coordination_ = Coordination();
    session_->coordination_map_.reset();
    Result<std::unique_ptr<os::File>> opened =
        system_.open(lock_path(), os::Access::read_write, os::Creation::existing, 0);
    if (opened.code() == Code::not_found) return false;
    if (!opened.ok()) {
      Error refusal = std::move(opened).error();
      return writes() ? cannot_use_lock_file(std::move(refusal), path_) : std::move(refusal);
    }
    session_->lock_file_ = std::move(opened).value();
    UTAN_ASSIGN(lock_status_, session_->lock_file_->status());
    if (lock_status_.size.value < format::coordination_size_min) return false;
    auto mapped = session_->lock_file_->map(ByteCount{format::coordination_size_max}, os::Access::read_write);
    if (!mapped.ok()) return cannot_map(std::move(mapped).error());
    session_->coordination_map_ = std::move(mapped).value();
    session_->coordination_map_->watch(session_->sentinel_word_);
    session_->coordination_ = Coordination(session_->coordination_map_->data());
    closed_ = session_->coordination_.fixed().marked.load(std::memory_order_acquire) ==
              static_cast<std::uint64_t>(Marked::closed);
    UTAN_ASSIGN(const bool believed, believed_now(data));
    if (!believed) return false;
    UTAN_ASSIGN(const bool others, session_->data_file_->others_hold_bytes(0, format::process_entry_count));
    const CoordinationFixed& fixed = session_->coordination_.fixed();
    if (others) return true;
    // Nobody is alive: what has written nothing holds nothing, and a failed flush ends with its users.
    if (fixed.header.incarnation == made_incarnation_) return true;
    return header_.incarnation == fixed.header.incarnation && fixed.health.load(std::memory_order_acquire) == 0;
  }

  // Those who have the store open may have marked its header, or made a file longer, since these were looked at: then they
  // are looked at again.
  Result<bool> believed_now(os::FileStatus data) {
    for (int tries = 0;; ++tries) {
      if (believed(data)) return true;
      if (closed_) return false;  // for good
      const std::uint64_t sequence = header_.sequence;
      const ByteCount lock_size = lock_status_.size;
      UTAN_ASSIGN(const os::FileStatus now, session_->data_file_->status());
      UTAN_ASSIGN(lock_status_, session_->lock_file_->status());
      UTAN_TRY(read_header(now.size));
      const bool is_same = now.size == data.size && lock_status_.size == lock_size && header_.sequence == sequence;
      if (is_same) return false;
      if (tries >= looks_min && system_.monotonic_now() > deadline_)
        return gave_up("others make this store longer faster than it can be looked at", "try again");
      data = now;
    }
  }

  bool believed(const os::FileStatus& data) {
    const CoordinationFixed& fixed = session_->coordination_.fixed();
    const CoordinationHeader& own = fixed.header;
    if (std::memcmp(own.magic, format::coordination_magic, sizeof own.magic) != 0 ||
        own.version != format::coordination_version || own.checksum != format::coordination_checksum(own)) {
      return false;
    }
    const bool known = own.boot_id_known != 0 && boot_ && std::memcmp(own.boot_id, boot_->data(), boot_->size()) == 0;
    // What this very call made is of this boot, also where nobody can read which that is.
    if (!known && (made_incarnation_ == 0 || own.incarnation != made_incarnation_)) return false;
    if (own.data_device != data.identity.device || own.data_inode != data.identity.inode ||
        own.own_inode != lock_status_.identity.inode || own.store_id != header_.store_id) {
      return false;
    }
    own_ = true;
    const auto marked = static_cast<Marked>(fixed.marked.load(std::memory_order_acquire));
    if (marked > Marked::closed) return false;
    const bool fresh = marked == Marked::no && header_.incarnation == own.incarnation_before;
    const bool running = marked != Marked::closed && header_.incarnation == own.incarnation && header_.clean == 0;
    if (!fresh && !running) return false;
    return is_believable({session_->coordination_, lock_status_.size, session_->data_map_->data(),
                          session_->data_map_->reserved(), data.size, header_.store_id});
  }

  Result<bool> claim_entry() {
    const Coordination coordination = session_->coordination_;
    const os::LockMode mode = writes() ? os::LockMode::exclusive : os::LockMode::shared;
    // First those that look free, then all: the dead are adopted by whoever gets their lock.
    for (const bool dead_too : {false, true}) {
      for (std::uint32_t i = 0; i < format::process_entry_count; ++i) {
        format::ProcessEntry& entry = coordination.entry(i);
        std::uint64_t claim = entry.claim.load(std::memory_order_acquire);
        if ((claim & 1) != 0 && (!dead_too || !writes())) continue;
        UTAN_ASSIGN(const bool locked, session_->data_file_->try_lock_byte(i, mode));
        if (!locked) continue;
        step(Step::attach_byte_locked);
        claim = entry.claim.load(std::memory_order_acquire);
        if ((claim & 1) != 0 && writes()) {
          session_->map_heap();
          session_->adopt_entry(i);
          claim = entry.claim.load(std::memory_order_acquire);
        }
        if ((claim & 1) != 0 || !entry.claim.compare_exchange_strong(claim, claim | 1, std::memory_order_acq_rel)) {
          session_->data_file_->unlock_byte(i);
          continue;
        }
        sign(entry);
        step(Step::attach_entry_claimed);
        session_->entry_ = i;
        session_->owner_ = format::OwnerOfLine::make(i, claim >> 1);
        const Result<bool> same = still_there(system_, lock_path(), lock_status_.identity);
        if (!same.ok() || !same.value()) {
          session_->owner_ = format::OwnerOfLine{};
          entry.claim.store(((claim >> 1) + 1) << 1, std::memory_order_release);
          session_->data_file_->unlock_byte(i);
          return same.ok() ? Result<bool>(false) : Result<bool>(same.error().copy());
        }
        session_->map_heap();
        return true;
      }
    }
    return Error(Code::no_space, std::to_string(format::process_entry_count) +
                                     " processes have this store open, and no more can: close it in one of them");
  }

  // --- Coordination anew

  // False: somebody else is at it, or has done it. Otherwise the lock is a shared one again.
  Result<bool> make_coordination_alone() {
    os::File& file = *session_->data_file_;
    // Those who may only read share the byte, and meet at the lock of the file.
    UTAN_ASSIGN(const bool first,
                file.try_lock_byte(format::alone_byte, writes() ? os::LockMode::exclusive : os::LockMode::shared));
    if (!first) return false;
    Result<bool> made = wait_until_alone();
    if (made.ok() && made.value()) made = make_coordination_anew();
    if (made.ok() && made.value()) made = file.try_lock(os::LockMode::shared);
    file.unlock_byte(format::alone_byte);
    return made;
  }

  // Those who have the shared lock give it up, since they cannot get the byte, and nobody takes it again.
  Result<bool> wait_until_alone() {
    for (int tries = 1;; ++tries) {
      UTAN_ASSIGN(const bool alone, session_->data_file_->try_lock(os::LockMode::exclusive));
      if (alone) break;
      // Where many come at once it takes long to be woken up: mostly there is only one, who is about to give up.
      if (tries < tries_awake) continue;
      if (system_.monotonic_now() > deadline_) return false;
      UTAN_TRY(back_off());
    }
    // Nobody kept the store from being replaced meanwhile.
    return still_there(system_, path_, session_->identity_);
  }

  // With the lock for one alone. False: somebody else has done it.
  Result<bool> make_coordination_anew() {
    os::File& file = *session_->data_file_;
    step(Step::recover_started);
    // There was no lock for a moment: look again at everything.
    UTAN_ASSIGN(const os::FileStatus status, file.status());
    UTAN_TRY(read_header(status.size));
    UTAN_ASSIGN(const bool usable, open_coordination(status));
    if (usable) return false;
    UTAN_ASSIGN(const bool others, file.others_hold_bytes(0, format::process_entry_count));
    // One who has just closed the store cleanly is about to let go of his byte.
    if (others && closed_) return false;
    if (others) return cannot_join(path_, status.link_count, boot_.has_value());
    UTAN_TRY(write_coordination(status));
    return true;
  }

  // The newest checkpoint that is whole.
  Result<CheckpointSlot> newest_checkpoint(ByteCount size) {
    const CheckpointSlot best = newest_slot(session_->data_map_->data(), header_.store_id);
    if (best.number == 0)
      return Error(Code::corruption, std::string("no checkpoint is whole: the store is damaged") + take_a_copy);
    if (best.file_size > size.value) {
      return Error(Code::corruption, "the file is truncated: " + std::to_string(size.value) +
                                         " bytes, its last checkpoint had " + std::to_string(best.file_size) +
                                         take_a_copy);
    }
    // What only older ones need has been freed since.
    if (header_.clean != 0 && best.number < header_.clean_number)
      return Error(Code::corruption, "the checkpoint that the store was closed at, number " +
                                         std::to_string(header_.clean_number) + ", is damaged" + take_a_copy);
    CommitBlock block;
    std::memcpy(static_cast<void*>(&block), session_->data_map_->data() + best.offset, sizeof block);
    if (!is_whole_commit(block, best.number)) {
      return Error(Code::corruption, "the commit of the last checkpoint, number " + std::to_string(best.number) +
                                         ", is damaged" + take_a_copy);
    }
    step(Step::recover_slot_chosen);
    object_index_high_ = block.object_index_high;
    return best;
  }

  Result<void> write_coordination(const os::FileStatus& data) {
    UTAN_ASSIGN(const CheckpointSlot checkpoint, newest_checkpoint(data.size));
    std::uint64_t incarnation = 0;
    UTAN_TRY(system_.random(bytes_of(incarnation)));
    incarnation |= 1;  // its low half is part of owner words, where all zeroes mean nobody
    if (const std::uint64_t end = clearable_end(data); end != 0)
      return write_coordination_in_place(data, checkpoint, incarnation, end);
    Result<void> made = write_new_coordination(data, checkpoint, incarnation);
    if (made.code() != Code::permission) return made;
    // This user may not make files here, or not replace those of others, but perhaps write to the one that is there.
    UTAN_ASSIGN(const std::uint64_t end, end_of_lock_file(data));
    if (end == 0) return cannot_make_lock_file(std::move(made).error(), path_);
    return write_coordination_in_place(data, checkpoint, incarnation, end);
  }

  Result<void> write_new_coordination(const os::FileStatus& data, const CheckpointSlot& checkpoint,
                                      std::uint64_t incarnation) {
    // One name for all, since one at a time is here: what a kill has left is removed by the next.
    const std::string temporary = lock_path() + ".new";
    if (Result<void> removed = system_.remove(temporary); !removed.ok() && removed.code() != Code::not_found) {
      return removed;
    }
    UTAN_ASSIGN(std::unique_ptr<os::File> file,
                system_.open(temporary, os::Access::read_write, os::Creation::create_new, data.mode | 0600));
    Result<void> made = fill_coordination(*file, data, checkpoint, incarnation);
    step(Step::attach_coordination_made);
    if (made.ok()) {
      system_.match_ownership(temporary, data);
      made = system_.rename(temporary, lock_path());
    }
    if (!made.ok()) {
      static_cast<void>(system_.remove(temporary));
      return made;
    }
    step(Step::attach_coordination_renamed);
    return {};
  }

  // What must be cleared of the lock file that is there, whoever made it; 0: it is none, may not be written, or may be in
  // use. Through a link, of either kind, something else might be reached that is not this store's.
  Result<std::uint64_t> end_of_lock_file(const os::FileStatus& data) {
    if (session_->lock_file_ == nullptr) return 0;
    os::File& file = *session_->lock_file_;
    UTAN_ASSIGN(const os::FileStatus status, file.status());
    UTAN_ASSIGN(const std::string resolved, system_.resolve(lock_path()));
    UTAN_ASSIGN(const bool same, still_there(system_, lock_path(), status.identity));
    if (resolved != lock_path() || !same || status.link_count != 1) return 0;
    CoordinationHeader header{};
    if (status.size.value != 0) {
      if (status.size.value < sizeof header) return 0;
      UTAN_TRY(file.read(Offset{0}, bytes_of(header)));
      if (!nobody_uses(header, data.identity, boot_)) return 0;
    }
    return std::max(status.size.value, format::coordination_size_min);
  }

  // What must be cleared of the lock file that is there to make coordination anew in it; 0: that cannot be done. Only in a
  // file that this boot's processes made for this very store, so that nobody else's is, and that looks as a new one would.
  // All of it: how many of its lines were used may be just what is wrong in it.
  std::uint64_t clearable_end(const os::FileStatus& data) const {
    const bool looks_new =
        lock_status_.mode == data.mode && lock_status_.user == data.user && lock_status_.group == data.group;
    const std::uint64_t size = lock_status_.size.value;
    if (!own_ || !looks_new || lock_status_.link_count != 1 || size > format::coordination_size(cleared_line_count_max))
      return 0;
    return size;
  }

  // Removing a file of this size would take longer than all the rest of opening. Nobody else has it mapped who could
  // still use it: nobody holds a byte, and whoever attaches looks at it under the lock that is held exclusively here.
  // The header goes first and comes last: a kill between leaves a file that nobody believes. It still has the mark of a lock
  // file, so that it can be made anew by those, too, who may not replace it.
  Result<void> write_coordination_in_place(const os::FileStatus& data, const CheckpointSlot& checkpoint,
                                           std::uint64_t incarnation, std::uint64_t end) {
    session_->coordination_ = Coordination();
    session_->coordination_map_.reset();  // what is mapped is not written
    os::File& file = *session_->lock_file_;
    // Piece by piece: fresh memory of that size would cost more than the writing.
    constexpr std::uint64_t piece = 16 * 1024;
    const std::byte zeroes[piece]{};
    CoordinationHeader none{};
    std::memcpy(none.magic, format::coordination_magic, sizeof none.magic);
    UTAN_TRY(file.write(Offset{0}, bytes_of(none)));
    for (std::uint64_t at = sizeof none; at < end; at += piece) {
      UTAN_TRY(file.write(Offset{at}, std::span(zeroes).first(std::min(piece, end - at))));
    }
    step(Step::attach_coordination_made);
    UTAN_TRY(fill_coordination(file, data, checkpoint, incarnation));
    step(Step::attach_coordination_renamed);
    return {};
  }

  Result<void> fill_coordination(os::File& file, const os::FileStatus& data, const CheckpointSlot& checkpoint,
                                 std::uint64_t incarnation) {
    UTAN_TRY(file.allocate(ByteCount{format::coordination_size_min}));
    UTAN_ASSIGN(const os::FileStatus own, file.status());
    const std::vector<std::uint64_t> hints = region_hints(usable_size(data.size));
    UTAN_TRY(file.write(Offset{format::region_hints_offset}, std::as_bytes(std::span(hints))));
    // Written, not mapped: the zeroes that follow need no writing at all.
    alignas(CoordinationFixed) std::byte space[sizeof(CoordinationFixed)]{};
    auto& fixed = *new (space) CoordinationFixed{};
    UTAN_TRY(describe(fixed, data, checkpoint, incarnation, own.identity.inode));
    made_incarnation_ = incarnation;
    // The header last: without it nobody believes the rest.
    const std::span<const std::byte> all(space);
    UTAN_TRY(file.write(Offset{sizeof fixed.header}, all.subspan(sizeof fixed.header)));
    return file.write(Offset{0}, all.first(sizeof fixed.header));
  }

  // What coordination that is made anew says of the store. `fixed` is all zeroes.
  Result<void> describe(CoordinationFixed& fixed, const os::FileStatus& data, const CheckpointSlot& checkpoint,
                        std::uint64_t incarnation, std::uint64_t own_inode) {
    const std::uint64_t size = usable_size(data.size);
    CoordinationHeader& header = fixed.header;
    std::memcpy(header.magic, format::coordination_magic, sizeof header.magic);
    header.version = format::coordination_version;
    if (boot_) {
      header.boot_id_known = 1;
      std::memcpy(header.boot_id, boot_->data(), boot_->size());
    }
    header.store_id = header_.store_id;
    header.data_device = data.identity.device;
    header.data_inode = data.identity.inode;
    header.own_inode = own_inode;
    header.incarnation = incarnation;
    header.incarnation_before = header_.incarnation;
    // A newer checkpoint than that of the clean close: the copy of the header that said so is damaged.
    const bool clean = header_.clean != 0 && (header_.clean_number == checkpoint.number || header_.clean_number == 0);
    header.number_floor =
        clean ? checkpoint.number + 1 : std::max(checkpoint.number, header_.number_floor) + recovery_jump;
    // It takes millions of crashes to come near it, or one who writes such a number into the file.
    if (header.number_floor >= format::commit_number_max)
      return Error(Code::corruption, "the numbers of commits are used up");
    header.opening_number = checkpoint.number;
    header.trusted_from = clean ? header_.trusted_from : first_undescribed(session_->data_map_->data(), size);
    // Only damage or a hostile hand brings these, after which what was made here would not be believed.
    if (header.trusted_from > trusted_from_max(data.size) || checkpoint.offset > size - format::commit_block_size)
      return Error(Code::corruption,
                   std::string("the header or the last checkpoint speaks of more than the file has") + take_a_copy);
    header.checksum = format::coordination_checksum(header);
    fixed.head.store(HeadWord::make(Offset{checkpoint.offset}, CommitNumber{checkpoint.number}).word);
    fixed.object_index_next.store(object_index_high_);
    fixed.file_size.store(size);
    fixed.line_count.store(format::lines_per_growth);
    fixed.chunk_size.store(header_.chunk_size);
    fixed.durable_number.store(checkpoint.number);
    fixed.leaked_count_max.store(header_.leaked_count_max);
    return {};
  }

  os::System& system_;
  std::string path_;
  OpenOptions options_;
  Nanoseconds deadline_;
  const std::optional<os::BootId> boot_;
  std::shared_ptr<Session> session_;
  FileHeader header_{};
  os::FileStatus lock_status_;
  std::uint64_t object_index_high_ = 0;
  // Of the coordination file that was looked at last:
  bool closed_ = false;                 // it ended with a clean close
  bool own_ = false;                    // processes of this boot made it for this very store
  std::uint64_t made_incarnation_ = 0;  // of the coordination that this call made
  std::uint64_t pause_max_ns_ = pause_min_ns;
  // Of a reader, where opening a file to write may replace it:
  bool written_once_ = false;  // it has been tried
  bool stays_behind_ = false;  // in vain
  bool no_room_for_lock_file_ = false;
};

Result<std::shared_ptr<Session>> Session::open(os::System& system, const std::string& path,
                                               const OpenOptions& options) {
  UTAN_TRY(check_options(path, options));
  return Opener(system, path, options).run();
}

}  // namespace utan::commit
