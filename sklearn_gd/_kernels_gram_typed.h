/* Packing for blocks of REAL; included by _kernels_gram.c once for each type. */

/* A block of n samples by p columns, (z - shift_n - shift_p) scale_n scale_p rounded to bfloat16, into tiles; behind the columns, where
   `ones`, one of scale_n, which gives column sums. What is beyond the block is zero. Panels of 16 columns, in them steps of 32 samples. */
TARGET static void NAME(pack)(const REAL *x, Py_ssize_t n, Py_ssize_t p, Py_ssize_t down, Py_ssize_t across, const REAL *shift_n,
                              const REAL *scale_n, const REAL *shift_p, const REAL *scale_p, int ones, uint16_t *a, uint16_t *b)
{
    const __m512i pairs = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3,
                                           18, 2, 17, 1, 16, 0);
    const Py_ssize_t steps = (n + 31) / 32, pitch = PITCH(steps), panels = (p + ones + 31) / 32 * 2;
    /* along what is contiguous in X */
    const Py_ssize_t outer = across == 1 ? steps : panels, inner = across == 1 ? panels : steps;
    for (Py_ssize_t o = 0; o < outer; o++)
        for (Py_ssize_t l = 0; l < inner; l++) {
            Py_ssize_t k = across == 1 ? o : l, panel = across == 1 ? l : o, row = 32 * k, column = 16 * panel;
            uint16_t *to_a = a + (panel * pitch + k) * TILE, *to_b = b + (panel * pitch + k) * TILE;
            __m512i r[16];
            if (across == 1) { /* pairs of rows, each of 16 columns: B */
                __mmask16 mask = first(p - column);
                __mmask16 one = ones && column <= p && p < column + 16 ? (__mmask16)(1u << (p - column)) : 0;
                for (int i = 0; i < 16; i++) {
                    __m512 z[2];
                    for (int h = 0; h < 2; h++) {
                        Py_ssize_t s = row + 2 * i + h;
                        if (s < n) {
                            fetch(x + (s + 32) * down + column, 16 * sizeof(REAL));
                            z[h] = NAME(scaled)(x + s * down + column, mask, shift_p + column, scale_p + column, shift_n[s], scale_n[s]);
                            z[h] = _mm512_mask_mov_ps(z[h], one, _mm512_set1_ps((float)scale_n[s]));
                        } else {
                            z[h] = _mm512_setzero_ps();
                        }
                    }
                    r[i] = _mm512_permutexvar_epi16(pairs, (__m512i)_mm512_cvtne2ps_pbh(z[1], z[0]));
                }
                store(to_b, r);
                transpose(r);
                store(to_a, r);
            } else { /* columns, each of 32 samples: A */
                __mmask16 low = first(n - row), high = first(n - row - 16);
                for (int i = 0; i < 16; i++) {
                    Py_ssize_t c = column + i;
                    __m512 z[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
                    if (c < p) {
                        const REAL *at = x + c * across + row;
                        fetch(at + 64, 32 * sizeof(REAL));
                        z[0] = NAME(scaled)(at, low, shift_n + row, scale_n + row, shift_p[c], scale_p[c]);
                        z[1] = NAME(scaled)(at + 16, high, shift_n + row + 16, scale_n + row + 16, shift_p[c], scale_p[c]);
                    } else if (ones && c == p) {
                        REAL padded[32] = {0};
                        for (Py_ssize_t s = row; s < n && s < row + 32; s++) padded[s - row] = scale_n[s];
                        REAL zero[32] = {0}, unit[32];
                        for (int s = 0; s < 32; s++) unit[s] = 1;
                        z[0] = NAME(scaled)(padded, 0xffff, zero, unit, 0, 1);
                        z[1] = NAME(scaled)(padded + 16, 0xffff, zero, unit, 0, 1);
                    }
                    r[i] = (__m512i)_mm512_cvtne2ps_pbh(z[1], z[0]);
                }
                store(to_a, r);
                transpose(r);
                store(to_b, r);
            }
        }
}

/* Rows about a shift, scaled, in single precision, a one behind each; `side` numbers apart. */
TARGET static void NAME(centre)(const REAL *x, Py_ssize_t m, Py_ssize_t p, Py_ssize_t down, Py_ssize_t across, const REAL *shift,
                                const REAL *scale, Py_ssize_t side, float *z)
{
    for (Py_ssize_t i = 0; i < m; i++, z += side) {
        const REAL *row = x + i * down;
        if (across == 1) {
            for (Py_ssize_t j = 0; j < p; j++) z[j] = (float)((row[j] - shift[j]) * scale[j]);
        } else {
            for (Py_ssize_t j = 0; j < p; j++) z[j] = (float)((row[j * across] - shift[j]) * scale[j]);
        }
        z[p] = 1;
    }
}
