#include "base/step.h"

namespace utan {

const char* step_name(Step step) {
  static constexpr const char* names[] = {
#define UTAN_STEP_NAME(name) #name,
      UTAN_STEP_LIST(UTAN_STEP_NAME)
#undef UTAN_STEP_NAME
  };
  return names[static_cast<unsigned>(step)];
}

#if defined(UTAN_STEPS) && UTAN_STEPS
thread_local StepHook step_hook;
#endif

}  // namespace utan
