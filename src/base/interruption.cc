#include "base/interruption.h"

#include <chrono>

namespace utan {

namespace {

using Clock = std::chrono::steady_clock;

// So rarely that a question which takes an interpreter's lock costs nothing, and so often that nobody waits for an answer.
constexpr auto interval = std::chrono::milliseconds(20);

thread_local Question own_question;
thread_local Clock::time_point asked;

}  // namespace

void leave_question(Question question) {
  own_question = question;
  asked = Clock::now();
}

bool has_question() { return own_question.stop != nullptr; }

bool is_interrupted() {
  if (!has_question()) return false;
  const Clock::time_point now = Clock::now();
  if (now - asked < interval) return false;
  asked = now;
  return own_question.stop(own_question.context) != 0;
}

}  // namespace utan
