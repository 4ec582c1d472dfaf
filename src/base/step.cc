#include "base/step.h"

namespace utan {

const char* step_name(Step step) {
  switch (step) {
#define UTAN_STEP_CASE(name) \
  case Step::name:           \
    return #name;
    UTAN_STEP_LIST(UTAN_STEP_CASE)
#undef UTAN_STEP_CASE
    case Step::count_:
      break;
  }
  return "unknown";
}

#if defined(UTAN_STEPS) && UTAN_STEPS
thread_local StepHook step_hook;
#endif

}  // namespace utan
