/* The loops for every processor that the compiler compiles for: on x86-64 those of 2003, and all of them elsewhere. */

#include "_kernels_levels.h"

#define LEVEL level_baseline
#define LEVEL_NAME "baseline"
#include "_kernels_loops.h"
