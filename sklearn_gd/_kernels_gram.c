/* Symmetric products of numbers rounded to bfloat16, added up in single precision, in the processor's matrix unit (Intel's
   AMX: Sapphire Rapids and later, on Linux). For a metric only: eight bits of a number are left.

   Two uses: the Gram matrix of X's columns, and that of its rows. `pack` rounds a block of X, about a centre and scaled, into
   tiles; `multiply` adds products of tiles to a matrix. Which blocks and on which thread is decided in Python
   (designs/low.py), which has float32 BLAS where this processor or compiler has no tiles.

   A tile holds 16 rows of 64 bytes. The instruction multiplies an A tile, whose row i is column i of X at 32 successive
   samples, by a B tile, whose row k holds samples 2k and 2k + 1 of 16 columns, in pairs; as 32-bit units one is the transpose of the
   other. From rows of X that are contiguous pairs of rows make B, from contiguous columns comes A.

   Intel, "Intel Architecture Instruction Set Extensions Programming Reference", chapter on AMX; Intel, "Optimization
   Reference Manual", on its blocking. */

#include "_kernels_gram.h"

#if defined(__x86_64__) && defined(__linux__) && ((defined(__clang__) && __clang_major__ >= 12) || (!defined(__clang__) && defined(__GNUC__) && __GNUC__ >= 11))
#define TILES 1
#else
#define TILES 0
#endif

#if TILES

#include <cpuid.h>
#include <immintrin.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TARGET __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define TARGET_INLINE static inline __attribute__((always_inline, target("amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))

/* Numbers of a tile: 16 x 32 of bfloat16. */
#define TILE 512
/* Steps of 32 samples whose A tiles of 32 columns fit in half of the first-level cache (32 KB). */
#define DEPTH 16
/* Tiles from a panel of 16 columns to the next: odd, or they would meet in a few sets of the caches. */
#define PITCH(steps) ((steps) | 1)

/* ------------------------------------------------------------------------------------------------ is it there? */

/* The instructions, the system's consent to save their state, and the consent to use them, which Linux gives on request. */
static int find_tiles(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid_count(1, 0, &a, &b, &c, &d) || !(c >> 27 & 1)) return 0; /* OSXSAVE */
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    /* AVX512F, DQ, BW, VL; AMX-BF16, AMX-TILE */
    if (!(b >> 16 & 1) || !(b >> 17 & 1) || !(b >> 30 & 1) || !(b >> 31 & 1) || !(d >> 22 & 1) || !(d >> 24 & 1)) return 0;
    if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a >> 5 & 1)) return 0; /* AVX512_BF16 */
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    const unsigned state = 1u << 1 | 1u << 2 | 7u << 5 | 3u << 17; /* SSE, AVX, AVX-512, tiles */
    if ((low & state) != state) return 0;
    return syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* XFEATURE_XTILEDATA */) == 0;
}

/* Found once; the instructions are illegal before. -1: not asked yet. */
static int tiles = -1;

/* ----------------------------------------------------------------------------------------------------- packing */

/* Sixteen numbers, less a shift and times a scale each, in double precision until they are rounded. */
TARGET_INLINE __m512 scaled_f64(const double *x, __mmask16 mask, const double *shift, const double *scale, double less, double times)
{
    __m512d low = _mm512_maskz_loadu_pd((__mmask8)mask, x), high = _mm512_maskz_loadu_pd((__mmask8)(mask >> 8), x + 8);
    low = _mm512_sub_pd(low, _mm512_maskz_loadu_pd((__mmask8)mask, shift));
    high = _mm512_sub_pd(high, _mm512_maskz_loadu_pd((__mmask8)(mask >> 8), shift + 8));
    __m512d s = _mm512_set1_pd(less), t = _mm512_set1_pd(times);
    low = _mm512_mul_pd(_mm512_sub_pd(low, s), _mm512_mul_pd(t, _mm512_maskz_loadu_pd((__mmask8)mask, scale)));
    high = _mm512_mul_pd(_mm512_sub_pd(high, s), _mm512_mul_pd(t, _mm512_maskz_loadu_pd((__mmask8)(mask >> 8), scale + 8)));
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high), 1);
}

/* The same of single precision. */
TARGET_INLINE __m512 scaled_f32(const float *x, __mmask16 mask, const float *shift, const float *scale, float less, float times)
{
    __m512 z = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x), _mm512_maskz_loadu_ps(mask, shift));
    z = _mm512_sub_ps(z, _mm512_set1_ps(less));
    return _mm512_mul_ps(z, _mm512_mul_ps(_mm512_set1_ps(times), _mm512_maskz_loadu_ps(mask, scale)));
}

/* 16 x 16 units of 32 bits, transposed in place. */
TARGET_INLINE void transpose(__m512i *r)
{
    __m512i t[16];
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 4; i++) {
        r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x88);
        t[4 + i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xdd);
        t[8 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x88);
        t[12 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88);
        r[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd);
        r[4 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0x88);
        r[12 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0xdd);
    }
}

TARGET_INLINE void store(uint16_t *tile, const __m512i *r)
{
    for (int i = 0; i < 16; i++) _mm512_storeu_si512(tile + 32 * i, r[i]);
}

/* The first so many of sixteen. */
TARGET_INLINE __mmask16 first(Py_ssize_t count) { return count >= 16 ? 0xffff : count <= 0 ? 0 : (__mmask16)((1u << count) - 1); }

/* Asks for memory that the next steps read, which the processor's own prefetching does not foresee: so packing runs at the
   speed of memory (20,000 x 2,000, a core: 24 ms instead of 78 from columns, 160,000 x 224: 29 instead of 52 from rows). */
TARGET_INLINE void fetch(const void *at, int bytes)
{
    for (int b = 0; b < bytes; b += 64) _mm_prefetch((const char *)at + b, _MM_HINT_T1);
}

#define REAL double
#define NAME(x) x##_f64
#include "_kernels_gram_typed.h"
#undef REAL
#undef NAME
#define REAL float
#define NAME(x) x##_f32
#include "_kernels_gram_typed.h"

/* -------------------------------------------------------------------------------------------------- multiplying */

/* Adds products of blocks of 32 columns, i of [i0, i1) by j of [j0, j1) with j >= i, to a row-major matrix. Tile t of block i
   at step k is at ((2 i + t) pitch + k) TILE. */
TARGET static void multiply(const uint16_t *a, const uint16_t *b, Py_ssize_t steps, Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0,
                            Py_ssize_t j1, float *out, Py_ssize_t stride)
{
    const Py_ssize_t pitch = PITCH(steps);
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } shape;
    memset(&shape, 0, sizeof shape);
    shape.palette = 1;
    for (int t = 0; t < 8; t++) {
        shape.bytes[t] = 64;
        shape.rows[t] = 16;
    }
    _tile_loadconfig(&shape);
    size_t down = (size_t)stride * sizeof(float);
    for (Py_ssize_t k0 = 0; k0 < steps; k0 += DEPTH) {
        Py_ssize_t k1 = steps - k0 < DEPTH ? steps : k0 + DEPTH;
        for (Py_ssize_t i = i0; i < i1; i++)
            for (Py_ssize_t j = i > j0 ? i : j0; j < j1; j++) {
                float *c = out + 32 * (i * stride + j);
                const uint16_t *left = a + (2 * i * pitch + k0) * TILE, *right = b + (2 * j * pitch + k0) * TILE;
                _tile_loadd(0, c, down);
                _tile_loadd(1, c + 16, down);
                _tile_loadd(2, c + 16 * stride, down);
                _tile_loadd(3, c + 16 * stride + 16, down);
                for (Py_ssize_t k = k0; k < k1; k++, left += TILE, right += TILE) {
                    _tile_loadd(4, left, 64);
                    _tile_loadd(6, right, 64);
                    _tile_dpbf16ps(0, 4, 6);
                    _tile_loadd(7, right + pitch * TILE, 64);
                    _tile_dpbf16ps(1, 4, 7);
                    _tile_loadd(5, left + pitch * TILE, 64);
                    _tile_dpbf16ps(2, 5, 6);
                    _tile_dpbf16ps(3, 5, 7);
                }
                _tile_stored(0, c, down);
                _tile_stored(1, c + 16, down);
                _tile_stored(2, c + 16 * stride, down);
                _tile_stored(3, c + 16 * stride + 16, down);
            }
    }
    _tile_release();
}

/* Rows of m by `side` numbers, each row times its factor, rounded into tiles. */
TARGET static void pack_scaled(const float *z, Py_ssize_t m, Py_ssize_t side, const float *factor, uint16_t *a, uint16_t *b)
{
    const __m512i pairs = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3,
                                           18, 2, 17, 1, 16, 0);
    const Py_ssize_t steps = (m + 31) / 32, pitch = PITCH(steps);
    for (Py_ssize_t k = 0; k < steps; k++)
        for (Py_ssize_t panel = 0; panel < side / 16; panel++) {
            const float *from = z + 32 * k * side + 16 * panel;
            __m512i r[16];
            for (int i = 0; i < 16; i++) {
                Py_ssize_t s = 32 * k + 2 * i;
                __m512 z0 = _mm512_mul_ps(_mm512_load_ps(from + 2 * i * side), _mm512_set1_ps(factor[s]));
                __m512 z1 = _mm512_mul_ps(_mm512_load_ps(from + (2 * i + 1) * side), _mm512_set1_ps(factor[s + 1]));
                r[i] = _mm512_permutexvar_epi16(pairs, (__m512i)_mm512_cvtne2ps_pbh(z1, z0));
            }
            store(b + (panel * pitch + k) * TILE, r);
            transpose(r);
            store(a + (panel * pitch + k) * TILE, r);
        }
}

#endif

/* ------------------------------------------------------------------------------------------------------- Python */

PyObject *py_has_tiles(PyObject *self, PyObject *none)
{
#if TILES
    if (tiles < 0) tiles = find_tiles();
    return PyBool_FromLong(tiles);
#else
    return PyBool_FromLong(0);
#endif
}

#if TILES

static PyObject *not_there(void)
{
    PyErr_SetString(PyExc_RuntimeError, "no matrix unit that has_tiles() has found");
    return NULL;
}

/* A contiguous buffer of so many bytes. */
static int get(PyObject *object, Py_buffer *buffer, int writable, Py_ssize_t bytes)
{
    if (PyObject_GetBuffer(object, buffer, writable ? PyBUF_WRITABLE : PyBUF_SIMPLE)) return -1;
    if (buffer->len == bytes) return 0;
    PyErr_Format(PyExc_ValueError, "a buffer of %zd bytes, expected %zd", buffer->len, bytes);
    PyBuffer_Release(buffer);
    return -1;
}

/* Bytes of n samples by p columns in tiles. */
static Py_ssize_t packed(Py_ssize_t n, Py_ssize_t p) { return (p + 31) / 32 * 2 * PITCH((n + 31) / 32) * TILE * 2; }

PyObject *py_pack(PyObject *self, PyObject *args)
{
    if (tiles <= 0) return not_there();
    int along, ones;
    PyObject *objects[7]; /* block, shift and scale along its axes, A, B */
    if (!PyArg_ParseTuple(args, "OiOOOOpOO", objects, &along, objects + 1, objects + 2, objects + 3, objects + 4, &ones, objects + 5,
                          objects + 6))
        return NULL;
    Py_buffer block, b[6];
    if (PyObject_GetBuffer(objects[0], &block, PyBUF_STRIDES)) return NULL;
    PyObject *result = NULL;
    int got = 0;
    Py_ssize_t size = block.itemsize;
    if (block.ndim != 2 || (along != 0 && along != 1) || (size != 8 && size != 4)) {
        PyErr_SetString(PyExc_ValueError, "a block of X must have two axes and hold float64 or float32 numbers");
        goto done;
    }
    /* the axis that is summed over, and that of the matrix */
    Py_ssize_t n = block.shape[along], p = block.shape[1 - along];
    Py_ssize_t down = block.strides[along] / size, across = block.strides[1 - along] / size;
    if ((across != 1 && down != 1) || block.strides[along] % size || block.strides[1 - along] % size) {
        PyErr_SetString(PyExc_ValueError, "one axis of a block of X must be contiguous");
        goto done;
    }
    Py_ssize_t all = packed(n, p + ones);
    Py_ssize_t bytes[6] = {block.shape[0] * size, block.shape[0] * size, block.shape[1] * size, block.shape[1] * size, all, all};
    for (; got < 6; got++)
        if (get(objects[got + 1], b + got, got >= 4, bytes[got])) goto done;
    Py_BEGIN_ALLOW_THREADS
    /* what overflows is found from its result: NumPy would report the flag in whatever it does next on this thread */
    unsigned flags = _mm_getcsr();
    void *shift = b[along ? 2 : 0].buf, *scale = b[along ? 3 : 1].buf;
    void *shift_p = b[along ? 0 : 2].buf, *scale_p = b[along ? 1 : 3].buf;
    if (size == 8)
        pack_f64(block.buf, n, p, down, across, shift, scale, shift_p, scale_p, ones, b[4].buf, b[5].buf);
    else
        pack_f32(block.buf, n, p, down, across, shift, scale, shift_p, scale_p, ones, b[4].buf, b[5].buf);
    _mm_setcsr(flags);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
done:
    while (got--) PyBuffer_Release(b + got);
    PyBuffer_Release(&block);
    return result;
}

PyObject *py_multiply(PyObject *self, PyObject *args)
{
    if (tiles <= 0) return not_there();
    Py_ssize_t steps, i0, i1, j0, j1;
    PyObject *objects[3];
    if (!PyArg_ParseTuple(args, "OOnnnnnO", objects, objects + 1, &steps, &i0, &i1, &j0, &j1, objects + 2)) return NULL;
    Py_buffer a, b, out;
    if (PyObject_GetBuffer(objects[2], &out, PyBUF_WRITABLE | PyBUF_STRIDES)) return NULL;
    PyObject *result = NULL;
    if (out.ndim != 2 || out.itemsize != 4 || out.strides[1] != 4 || out.shape[0] % 32 || out.shape[0] > out.shape[1] || i0 < 0 ||
        j0 < 0 || i1 > out.shape[0] / 32 || j1 > out.shape[0] / 32) {
        PyErr_SetString(PyExc_ValueError, "the sum of products must be a square of whole blocks of float32 numbers");
        goto done;
    }
    Py_ssize_t bytes = packed(32 * steps, out.shape[0]);
    if (get(objects[0], &a, 0, bytes)) goto done;
    if (get(objects[1], &b, 0, bytes)) {
        PyBuffer_Release(&a);
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    multiply(a.buf, b.buf, steps, i0, i1, j0, j1, out.buf, out.strides[0] / 4);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&a);
    PyBuffer_Release(&b);
    result = Py_NewRef(Py_None);
done:
    PyBuffer_Release(&out);
    return result;
}

/* Rows at a time of products with many weights: centred in single precision, and for one of the weights in both layouts, they lie in
   the second-level cache (400 KB at 255 columns). */
#define TOGETHER 256

PyObject *py_grams(PyObject *self, PyObject *args)
{
    if (tiles <= 0) return not_there();
    PyObject *objects[5]; /* X, shift and scale of its columns, roots, sums */
    if (!PyArg_ParseTuple(args, "OOOOO", objects, objects + 1, objects + 2, objects + 3, objects + 4)) return NULL;
    Py_buffer x, sums, b[3];
    PyObject *result = NULL;
    void *memory = NULL;
    int got = 0;
    if (PyObject_GetBuffer(objects[0], &x, PyBUF_STRIDES)) return NULL;
    if (PyObject_GetBuffer(objects[4], &sums, PyBUF_WRITABLE | PyBUF_STRIDES)) {
        PyBuffer_Release(&x);
        return NULL;
    }
    Py_ssize_t size = x.itemsize;
    if (x.ndim != 2 || (size != 8 && size != 4) || x.strides[0] % size || x.strides[1] % size) {
        PyErr_SetString(PyExc_ValueError, "a block of X must have two axes and hold float64 or float32 numbers");
        goto done;
    }
    Py_ssize_t n = x.shape[0], p = x.shape[1], down = x.strides[0] / size, across = x.strides[1] / size;
    if (sums.ndim != 3 || sums.itemsize != 4 || sums.strides[2] != 4 || sums.shape[1] % 32 || sums.shape[1] <= p ||
        sums.shape[1] > sums.shape[2]) {
        PyErr_SetString(PyExc_ValueError, "the sums of products must be squares of whole blocks of float32 numbers, wider than X");
        goto done;
    }
    Py_ssize_t k = sums.shape[0], side = sums.shape[1], bytes[3] = {p * size, p * size, n * k * 4};
    for (; got < 3; got++)
        if (get(objects[got + 1], b + got, 0, bytes[got])) goto done;
    Py_ssize_t part = packed(TOGETHER, side);
    memory = PyMem_Malloc(TOGETHER * (side + 1) * sizeof(float) + 2 * part + 64);
    if (!memory) {
        PyErr_NoMemory();
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    unsigned flags = _mm_getcsr();
    float *z = (float *)(((uintptr_t)memory + 63) & ~(uintptr_t)63), *factor = z + TOGETHER * side;
    uint16_t *tiles_a = (uint16_t *)(factor + TOGETHER), *tiles_b = tiles_a + part / 2;
    for (Py_ssize_t start = 0; start < n; start += TOGETHER) {
        Py_ssize_t m = n - start < TOGETHER ? n - start : TOGETHER, steps = (m + 31) / 32;
        memset(z, 0, 32 * steps * side * sizeof(float));
        if (size == 8)
            centre_f64((const double *)x.buf + start * down, m, p, down, across, b[0].buf, b[1].buf, side, z);
        else
            centre_f32((const float *)x.buf + start * down, m, p, down, across, b[0].buf, b[1].buf, side, z);
        for (Py_ssize_t c = 0; c < k; c++) {
            const float *roots = (const float *)b[2].buf + start * k + c;
            for (Py_ssize_t i = 0; i < 32 * steps; i++) factor[i] = i < m ? roots[i * k] : 0;
            pack_scaled(z, m, side, factor, tiles_a, tiles_b);
            multiply(tiles_a, tiles_b, steps, 0, side / 32, 0, side / 32, (float *)((char *)sums.buf + c * sums.strides[0]),
                     sums.strides[1] / 4);
        }
    }
    _mm_setcsr(flags);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
done:
    PyMem_Free(memory);
    while (got--) PyBuffer_Release(b + got);
    PyBuffer_Release(&sums);
    PyBuffer_Release(&x);
    return result;
}

#else

static PyObject *not_there(void)
{
    PyErr_SetString(PyExc_RuntimeError, "compiled without the matrix unit's instructions");
    return NULL;
}

PyObject *py_pack(PyObject *self, PyObject *args) { return not_there(); }
PyObject *py_multiply(PyObject *self, PyObject *args) { return not_there(); }
PyObject *py_grams(PyObject *self, PyObject *args) { return not_there(); }

#endif
