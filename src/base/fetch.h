// Asking memory for what is needed soon.
//
// Thread safety: reads and writes nothing; any address may be given.
#pragma once

namespace utan {

enum class FetchFor { reading, writing };

// Brings the cache line at `address` near, without waiting for it. An address that is not mapped is ignored.
//
// For GCC a prefetch is no effect, so it drops calls of functions that do nothing else. The empty instruction is one.
template <FetchFor purpose = FetchFor::reading>
[[gnu::always_inline]] inline void fetch_line(const void* address) {
  __builtin_prefetch(address, purpose == FetchFor::writing ? 1 : 0);
  asm volatile("");
}

}  // namespace utan
