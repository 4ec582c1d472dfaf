// Fuzzes the files of a store: whatever they hold, all that a program can do with them ends well (damage_exercise.h).
//
// The input is no file but a list of changes to the files of a small store, which is made at the start: so an input is
// short, most of what it makes is still a store, and a mutation of it is another change and not another checksum. Every
// second change is mended: the checksum over it fits again, which is what lets it come behind the look at a header, a
// checkpoint or a commit. Changes are made of what is there: words become offsets of other blocks in every form that the
// format has for them, counts a little off, blocks copies of each other.
//
//   store_fuzz -max_total_time=60 FOLDER     (libFuzzer; -help=1 says more)
//
// A change is 16 bytes: what to do, in which block, where in it, and with what. FUZZ_EXPLAIN=1 prints the changes.
#include <cstdio>
#include <cstdlib>

#include "support/damage_mend.h"
#include "support/damage_run.h"
#include "support/fuzz_bytes.h"

namespace utan::damage {
namespace {

// A place that may be changed, in either file.
struct Target {
  enum class Is : std::uint8_t { header, slot, block, description, coordination };
  Is is;
  Span span;
};

class Changes {
 public:
  Changes(Files files, bool explain) : files_(std::move(files)), explain_(explain) {
    for (const Span& span : used_blocks(files_.data)) targets_.push_back({Target::Is::block, span});
    block_count_ = targets_.size();
    for (const Span& span : described(files_.data)) {
      const Target::Is is = span.from < format::checkpoint_slots_offset ? Target::Is::header
                            : span.from < format::regions_offset        ? Target::Is::slot
                                                                        : Target::Is::description;
      targets_.push_back({is, span});
    }
    if (files_.coordination.empty()) return;
    for (const Span& span : coordinated(files_.coordination)) targets_.push_back({Target::Is::coordination, span});
  }

  void change(fuzz::FuzzBytes& bytes) {
    const auto what = static_cast<unsigned>(bytes.number(1));
    // Of the blocks three times of four: they are what most code reads.
    const bool any = bytes.number(1) % 4 == 0;
    const std::uint64_t where = bytes.number(2);
    const Target& target = targets_[where % (any ? targets_.size() : block_count_)];
    const Span other = targets_[bytes.number(2) % block_count_].span;
    const std::uint64_t at = bytes.number(2) % target.span.size;
    const std::uint64_t with = bytes.number(8);
    if (explain_) {
      std::printf("what %u at %llu + %llu (kind of target %u), other block %llu, with %llx\n", what,
                  static_cast<unsigned long long>(target.span.from), static_cast<unsigned long long>(at),
                  static_cast<unsigned>(target.is), static_cast<unsigned long long>(other.from),
                  static_cast<unsigned long long>(with));
    }
    apply(what / 2, target, at, other, with);
    if (what % 2 == 0) mend(target);
  }

  const Files& files() const { return files_; }

 private:
  Bytes& file_of(const Target& target) {
    return target.is == Target::Is::coordination ? files_.coordination : files_.data;
  }

  void apply(unsigned how, const Target& target, std::uint64_t at, const Span& other, std::uint64_t with) {
    Bytes& file = file_of(target);
    std::byte* const start = file.data() + target.span.from;
    const std::uint64_t word_at = std::min(at / 8 * 8, target.span.size - 8);
    std::uint64_t word;
    std::memcpy(&word, start + word_at, sizeof word);
    constexpr std::uint64_t low_45 = (std::uint64_t{1} << 45) - 1;
    switch (how % 12) {
      case 0:
        start[at] ^= static_cast<std::byte>(with);
        return;
      case 1:
        word = with;
        break;
      case 2:  // an offset
        word = other.from;
        break;
      case 3:  // an offset below other bits
        word = (word & ~low_45) | other.from / 8;
        break;
      case 4:  // a word of a list
        word = (word & 15) | other.from / 8 << 4;
        break;
      case 5:  // a place in a chain
        word = (other.from >> 4) << 20 | (word & 0xfffff);
        break;
      case 6:
        word += with % 32 - 16;
        break;
      case 7:  // 16 bits
        std::memcpy(start + at / 2 * 2, &with, std::min<std::uint64_t>(2, target.span.size - at / 2 * 2));
        return;
      case 8:  // the whole block becomes a copy
        std::memcpy(start, files_.data.data() + other.from, std::min(target.span.size, other.size));
        return;
      case 9:  // a word of another block
        std::memcpy(&word, files_.data.data() + other.from + std::min(word_at, other.size - 8), sizeof word);
        break;
      case 10:  // an id of a container, or a count
        word = (with & 0xff) << format::object_generation_bits | 1;
        break;
      case 11:  // one bit
        word ^= std::uint64_t{1} << (with % 64);
        break;
    }
    std::memcpy(start + word_at, &word, sizeof word);
  }

  void mend(const Target& target) {
    switch (target.is) {
      case Target::Is::header:
        return mend_header(files_.data, target.span.from);
      case Target::Is::slot:
        return mend_slot(files_.data, target.span.from);
      case Target::Is::block:
        return mend_block(files_.data, target.span);
      case Target::Is::coordination:
        return mend_coordination(files_.coordination);
      case Target::Is::description:
        break;
    }
  }

  Files files_;
  bool explain_;
  std::vector<Target> targets_;
  std::uint64_t block_count_ = 0;
};

constexpr int change_count_max = 24;

void fuzz_one(fuzz::FuzzBytes bytes) {
  static Images images;
  static const bool explain = std::getenv("FUZZ_EXPLAIN") != nullptr;
  const ExpectDamage expected;
  const auto how = static_cast<unsigned>(bytes.number(1));
  Changes changes(how % 2 == 0 ? images.closed() : images.killed(), explain);
  for (int i = 0; i < change_count_max && !bytes.empty(); ++i) changes.change(bytes);
  images.restore(changes.files());
  const Outcome outcome = use(images.machine(), how / 2 % 8 == 0 ? Use::reading : Use::everything);
  if (explain) {
    std::printf("opening: %d; %llu failures, the first one: %s\n", static_cast<int>(outcome.opened),
                static_cast<unsigned long long>(outcome.tally.failure_count), outcome.tally.first_failure.c_str());
  }
}

}  // namespace
}  // namespace utan::damage

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  utan::damage::fuzz_one(utan::fuzz::FuzzBytes(data, size));
  return 0;
}
