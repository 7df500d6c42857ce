/* The loops for every processor that the compiler compiles for: on x86-64 those of 2003, and all of them elsewhere. */

#include "_kernels_levels.h"

#define LEVEL level_baseline
/* Bytes of a register of vectors: NEON, SSE2 and others; none where the compiler has no vectors in C. */
#ifndef BYTES
#if (defined(__GNUC__) && __GNUC__ >= 9) || defined(__clang__)
#define BYTES 16
#else
#define BYTES 8
#endif
#endif
#define LEVEL_NAME "baseline"
#include "_kernels_loops.h"
