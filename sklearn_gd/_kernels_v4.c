/* The loops for vectors of 512 bits: AVX-512. */

#include "_kernels_levels.h"

#if LEVELS
#define LEVEL level_v4
#define LEVEL_NAME "x86-64-v4"
/* There are registers for the sums of a tile. */
#define TILES 1
#define BYTES 64
/* behind the headers, whose own functions stay as they are; what is named here is what _kernels.c asks the processor for */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2,avx512f,avx512bw,avx512cd,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,bmi,bmi2,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,prefer-vector-width=512")
#endif
#include "_kernels_loops.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
