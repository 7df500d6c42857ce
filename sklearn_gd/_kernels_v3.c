/* The loops for vectors of 256 bits and fused multiplications: AVX2, on most processors since 2013. */

#include "_kernels_levels.h"

#if LEVELS
#define LEVEL level_v3
#define LEVEL_NAME "x86-64-v3"
#define BYTES 32
/* behind the headers, whose own functions stay as they are; what is named here is what _kernels.c asks the processor for */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,bmi,bmi2")
#endif
#include "_kernels_loops.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
