/* Systems that differ in what is added to the diagonal of their matrix, as many at once as a vector holds; included by
   _kernels_typed.h. */

/* Products of a row so far by four others. */
INLINE void NAME(four_products)(const vec *row, const vec *const *others, Py_ssize_t m, vec *restrict sums)
{
    const vec *a = others[0], *b = others[1], *c = others[2], *d = others[3];
    vec s = {0}, t = {0}, u = {0}, v = {0};
    for (Py_ssize_t i = 0; i < m; i++) {
        s += row[i] * a[i];
        t += row[i] * b[i];
        u += row[i] * c[i];
        v += row[i] * d[i];
    }
    sums[0] = s, sums[1] = t, sums[2] = u, sums[3] = v;
}

/* Cholesky's factor of A + w for each w of `added`, its rows behind each other, with the inverses of the pivots in place of these. `least`
   becomes the least of what is left of a diagonal entry, as a part of it; not a number where A has some that are none. */
static void NAME(factor)(const double *A, Py_ssize_t p, const double *added, vec *restrict L, double *restrict least)
{
    for (Py_ssize_t l = 0; l < LANES; l++) least[l] = 1;
    for (Py_ssize_t i = 0; i < p; i++, A += p) {
        vec *row = L + i * (i + 1) / 2, sum = {0}, sums[4];
        for (Py_ssize_t j = 0; j < i; j += 4) {
            const vec *others[4]; /* those that are missing are the last one */
            for (Py_ssize_t k = 0; k < 4; k++) others[k] = L + (j + k < i ? j + k : i - 1) * ((j + k < i ? j + k : i - 1) + 1) / 2;
            NAME(four_products)(row, others, j, sums);
            for (Py_ssize_t k = 0; k < 4 && j + k < i; k++) {
                for (Py_ssize_t m = 0; m < k; m++) sums[k] += row[j + m] * others[k][j + m];
                row[j + k] = (A[j + k] - sums[k]) * others[k][j + k];
                sum += row[j + k] * row[j + k];
            }
        }
        double left[LANES], products[LANES];
        memcpy(products, &sum, sizeof sum);
        for (Py_ssize_t l = 0; l < LANES; l++) {
            double entry = A[i] + added[l];
            if (entry == 0) entry = 1; /* a column of zeros, or a row without weight */
            double part = (entry - products[l]) / entry;
            least[l] = part > least[l] ? least[l] : part;
            left[l] = 1 / sqrt(entry - products[l]);
        }
        memcpy(row + i, left, sizeof left);
    }
}

/* Solutions of A + w for k numbers w, and for each the least of what a factor leaves of a diagonal entry. */
static void NAME(shifted)(struct call *c)
{
    const double *A = c->array['A'], *right = c->array['B'], *numbers = c->array['W'];
    double *out = c->array['G'], *least = c->array['H'], added[LANES], worst[LANES];
    Py_ssize_t p = c->number['p'], k = c->number['k'], r = c->number['r'], size = p * (p + 1) / 2;
    void *memory = malloc((size + p) * sizeof(vec) + 64);
    c->no_memory = !memory;
    if (!memory) return;
    vec *L = (vec *)(((uintptr_t)memory + 63) & ~(uintptr_t)63), *x = L + size;
    for (Py_ssize_t first = 0; first < k; first += LANES) {
        Py_ssize_t some = k - first < LANES ? k - first : LANES; /* those that are missing are the last one */
        for (Py_ssize_t l = 0; l < LANES; l++) added[l] = numbers[first + (l < some ? l : some - 1)];
        NAME(factor)(A, p, added, L, worst);
        memcpy(least + first, worst, some * sizeof(double));
        for (Py_ssize_t q = 0; q < r; q++) {
            const vec *row = L;
            for (Py_ssize_t i = 0; i < p; row += ++i) {
                vec sum = {0};
                for (Py_ssize_t j = 0; j < i; j++) sum += row[j] * x[j];
                x[i] = (right[i * r + q] - sum) * row[i];
            }
            for (Py_ssize_t i = p; i--;) {
                row = L + i * (i + 1) / 2;
                x[i] *= row[i];
                for (Py_ssize_t j = 0; j < i; j++) x[j] -= row[j] * x[i];
                double values[LANES];
                memcpy(values, x + i, sizeof values);
                for (Py_ssize_t l = 0; l < some; l++) out[((first + l) * p + i) * r + q] = values[l];
            }
        }
    }
    free(memory);
}
