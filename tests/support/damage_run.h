// One damage after the other, each in a store of its own: planting it, using the store, reporting what went wrong.
//
// A batch runs in a forked child, which tells through shared memory what it is at. If it ends by a signal or takes too long,
// the damage at that moment is reported in the words by which it can be repeated, alone and in this very process:
//
//   UTAN_DAMAGE='killed data 278912 word 1152921504606846976' ctest -R damage_bytes_test
//
// and another child goes on with the next. A damage is where (which files, which of the two, at which byte) and what: the
// text above is all of it.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "capi/handles.h"
#include "check/file.h"
#include "support/damage_exercise.h"
#include "support/damage_mend.h"
#include "support/damage_store.h"

namespace utan::damage {

struct Damage {
  enum class Base : std::uint8_t { closed, killed };  // the files that are damaged
  enum class Part : std::uint8_t { data, coordination };
  enum class How : std::uint8_t {
    none,
    flip,     // the byte at `at` by exclusive or with `with`
    word,     // the eight bytes at `at` become `with`
    agreed,   // the same, and the checksum of the coordination file's header agrees with it
    zero,     // the page at `at`
    swap,     // the pages at `at` and at `with`
    older,    // the page at `at` as it was earlier
    shorten,  // the file ends at `at`
  };
  Base base = Base::closed;
  Part part = Part::data;
  std::uint64_t at = 0;
  How how = How::none;
  std::uint64_t with = 0;

  std::string text() const {
    return std::string(base_names[static_cast<std::size_t>(base)]) + " " + part_names[static_cast<std::size_t>(part)] +
           " " + std::to_string(at) + " " + how_names[static_cast<std::size_t>(how)] + " " + std::to_string(with);
  }
  // What text() wrote. False: it is none.
  static bool parse(const std::string& text, Damage& out) {
    std::istringstream words(text);
    std::string base_name;
    std::string part_name;
    std::string how_name;
    if (!(words >> base_name >> part_name >> out.at >> how_name >> out.with)) return false;
    return named(base_name, base_names, out.base) && named(part_name, part_names, out.part) &&
           named(how_name, how_names, out.how);
  }

  void apply(Files& files, const Files& older) const {
    Bytes& file = part == Part::data ? files.data : files.coordination;
    const auto page = [&](std::uint64_t from) {
      return std::span(file).subspan(from, std::min<std::uint64_t>(format::page_size, file.size() - from));
    };
    switch (how) {
      case How::none:
        break;
      case How::flip:
        file[at] ^= static_cast<std::byte>(with);
        break;
      case How::word:
      case How::agreed:
        std::memcpy(file.data() + at, &with, std::min<std::size_t>(sizeof with, file.size() - at));
        if (how == How::agreed) mend_coordination(file);
        break;
      case How::zero:
        std::ranges::fill(page(at), std::byte{0});
        break;
      case How::swap:
        std::ranges::swap_ranges(page(at), page(with));
        break;
      case How::older: {
        const Bytes& source = part == Part::data ? older.data : older.coordination;
        if (at + format::page_size <= source.size()) std::memcpy(file.data() + at, source.data() + at, page(at).size());
        break;
      }
      case How::shorten:
        file.resize(at);
        break;
    }
  }

 private:
  static constexpr const char* base_names[] = {"closed", "killed"};
  static constexpr const char* part_names[] = {"data", "coordination"};
  static constexpr const char* how_names[] = {"none", "flip", "word", "agreed", "zero", "swap", "older", "shorten"};
  template <class T, std::size_t count>
  static bool named(const std::string& name, const char* const (&names)[count], T& out) {
    for (std::size_t i = 0; i < count; ++i) {
      if (name == names[i]) {
        out = static_cast<T>(i);
        return true;
      }
    }
    return false;
  }
};

// What came of a store: why it did not open, or what its use came to.
struct Outcome {
  Code opened = Code::ok;
  Exercise::Tally tally;
};

// What is done with a store that lies there.
enum class Use : std::uint8_t {
  reading,
  everything,
  growing,  // everything, and the file becomes longer by many segments
};

// Uses the store that lies at `path`, from opening to closing, and checks its file. Whoever only reads must get along, too.
inline Outcome use(os::System& system, const std::string& path, Use how) {
  const bool read_only = how == Use::reading;
  Outcome out;
  commit::OpenOptions options = Images::options();
  options.mode = read_only ? commit::OpenMode::read_only : commit::OpenMode::existing;
  options.timeout = milliseconds(500);
  auto opened = object::Store::open(system, path, options);
  out.opened = opened.code();
  if (opened.ok()) {
    auto* const handle = new utan_store{std::move(opened).value()};
    {
      Exercise exercise(handle);
      if (how == Use::growing) exercise.grow();
      out.tally = read_only ? exercise.read() : exercise.run();
    }
    // A real file has addresses behind its end: who touches them is not killed, but has lost the file.
    if (handle->store->attachment().session().code() == Code::corruption) {
      std::fprintf(stderr, "something outside of the file was touched; the first failure: %s\n",
                   out.tally.first_failure.c_str());
      std::abort();
    }
    static_cast<void>(utan_close(handle));
  } else if (out.opened == Code::internal || out.opened == Code::memory || opened.error().message().empty()) {
    std::fprintf(stderr, "opening failed with code %d: %s\n", static_cast<int>(out.opened),
                 opened.error().message().c_str());
    std::abort();
  }
  static_cast<void>(check::check_file(system, path, {}));
  return out;
}

// The same of the store that lies on the machine.
inline Outcome use(os::sim::Machine& machine, Use how) {
  os::sim::Process& process = machine.start_process();
  Outcome out = use(process, store_path, how);
  process.kill();
  return out;
}

inline void plant(Images& images, const Damage& damage) {
  Files files = damage.base == Damage::Base::closed ? images.closed() : images.killed();
  damage.apply(files, images.older());
  images.restore(files);
}

inline Outcome use_damaged(Images& images, const Damage& damage) {
  const ExpectDamage expected;
  plant(images, damage);
  // What is read by many is not always written by them.
  return use(images.machine(), (damage.at + damage.with) % 5 == 4 ? Use::reading : Use::everything);
}

// Runs cases in children. Stops after ten failures.
class Batch {
 public:
  explicit Batch(Images& images) : images_(images) {
    void* const at = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(at, MAP_FAILED);
    shared_ = new (at) Shared{};
  }
  ~Batch() { ::munmap(shared_, sizeof(Shared)); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  void run(const std::vector<Damage>& damages) {
    run(
        damages.size(), [&](std::uint64_t i) { return use_damaged(images_, damages[i]); },
        [&](std::uint64_t i) { return "UTAN_DAMAGE='" + damages[i].text() + "'"; });
  }
  // `one(i)` for all i below `count`; `text(i)` says how it is repeated.
  void run(std::uint64_t count, const std::function<Outcome(std::uint64_t)>& one,
           const std::function<std::string(std::uint64_t)>& text) {
    shared_->opened = shared_->failed = 0;
    std::uint64_t failure_count = 0;
    for (std::uint64_t next = 0; next < count && failure_count < failure_count_max;) {
      const std::uint64_t end = std::min(next + child_case_count_max, count);
      const int status = in_child([&] {
        for (std::uint64_t i = next; i < end; ++i) {
          shared_->at.store(i);
          begin_time();
          const Outcome outcome = one(i);
          shared_->opened += outcome.opened == Code::ok ? 1 : 0;
          shared_->failed += outcome.opened != Code::ok || outcome.tally.failure_count != 0 ? 1 : 0;
        }
      });
      next = end;
      if (status == 0) continue;
      ++failure_count;
      next = shared_->at.load() + 1;
      ADD_FAILURE() << how_it_ended(status) << "; repeat with " << text(shared_->at.load());
    }
    std::printf("%llu damages: %llu stores opened, %llu gave errors\n", static_cast<unsigned long long>(count),
                static_cast<unsigned long long>(shared_->opened.load()),
                static_cast<unsigned long long>(shared_->failed.load()));
  }
  std::uint64_t opened_count() const { return shared_->opened; }
  std::uint64_t failed_count() const { return shared_->failed; }

 private:
  struct Shared {
    std::atomic<std::uint64_t> at{0};
    std::atomic<std::uint64_t> opened{0};
    std::atomic<std::uint64_t> failed{0};
  };
  static constexpr std::uint64_t failure_count_max = 10;
  // Children end now and then, so that what a case leaves in memory does not add up.
  static constexpr std::uint64_t child_case_count_max = 500;
  static constexpr int busy_max_s = 5;
  static constexpr unsigned idle_max_s = 60;

  // Five seconds of work are a hang, whatever else the machine has to do; so is a minute of waiting.
  static void begin_time() {
    const itimerval busy{{0, 0}, {busy_max_s, 0}};
    ::setitimer(ITIMER_PROF, &busy, nullptr);
    ::alarm(idle_max_s);
  }

  static int in_child(const std::function<void()>& body) {
    const pid_t child = ::fork();
    if (child < 0) std::abort();
    if (child == 0) {
      body();
      ::_exit(0);
    }
    int status = -1;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

  static std::string how_it_ended(int status) {
    if (!WIFSIGNALED(status)) return "the child ended with " + std::to_string(WEXITSTATUS(status));
    const int signal = WTERMSIG(status);
    if (signal == SIGPROF) return "it worked for more than " + std::to_string(busy_max_s) + " s";
    if (signal == SIGALRM) return "it was not done in " + std::to_string(idle_max_s) + " s";
    return std::string("the child was killed: ") + ::strsignal(signal);
  }

  Images& images_;
  Shared* shared_;
};

}  // namespace utan::damage
