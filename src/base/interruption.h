// Giving up: how work that takes long learns that its caller wants it to end.
//
// A thread leaves a question; what works for long in it (a build of many blocks, a walk, a flush) asks is_interrupted() now
// and then and ends with interruption(), the store being as it was. Who asks holds no lock and has nothing half done that
// an error could not undo.
//
// Thread safety: each thread has a question of its own. Ownership: none. Complexity: O(1).
#pragma once

#include <cstdint>

#include "base/result.h"

namespace utan {

struct Question {
  int (*stop)(void* context) = nullptr;  // not 0: give up; null: nobody asks
  void* context = nullptr;
};

// Sets this thread's question.
void leave_question(Question question);
bool has_question();
// Is the work to end? Asks at most every 20 ms, which is why it may be called for every few thousand steps of work.
bool is_interrupted();
// What work that is_interrupted() ends with.
inline Error interruption() { return Error(Code::interrupted, "ended by the function that is asked whether to stop"); }

// Asks once for so many steps.
class Patience {
 public:
  bool is_over() {
    if (++steps_ % steps_per_question != 0) [[likely]]
      return false;
    return is_interrupted();
  }
  void begin() { steps_ = 0; }

 private:
  static constexpr std::uint32_t steps_per_question = 1024;
  std::uint32_t steps_ = 0;
};

}  // namespace utan
