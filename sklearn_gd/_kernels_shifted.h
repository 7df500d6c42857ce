/* Cholesky's factors of as many small matrices at once as a vector holds: systems that differ in what is added to the diagonal of their
   matrix, and inverses; included by _kernels_typed.h. */

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

/* Row i of a triangle whose rows are behind each other. */
#define ROW(L, i) ((L) + (i) * ((i) + 1) / 2)

/* The factors of matrices, of which L is the lower triangle, in place, with the inverses of the pivots in place of these. `least` becomes
   the least of what is left of a diagonal entry, as a part of it; not a number where there are entries that are none. */
static void NAME(factor)(vec *restrict L, Py_ssize_t p, double *restrict least)
{
    for (Py_ssize_t l = 0; l < LANES; l++) least[l] = 1;
    for (Py_ssize_t i = 0; i < p; i++) {
        vec *row = ROW(L, i), sum = {0}, sums[4];
        for (Py_ssize_t j = 0; j < i; j += 4) {
            const vec *others[4]; /* those that are missing are the last one */
            for (Py_ssize_t k = 0; k < 4; k++) others[k] = ROW(L, j + k < i ? j + k : i - 1);
            NAME(four_products)(row, others, j, sums);
            for (Py_ssize_t k = 0; k < 4 && j + k < i; k++) {
                for (Py_ssize_t m = 0; m < k; m++) sums[k] += row[j + m] * others[k][j + m];
                row[j + k] = (row[j + k] - sums[k]) * others[k][j + k];
                sum += row[j + k] * row[j + k];
            }
        }
        double entry[LANES], left[LANES];
        memcpy(entry, row + i, sizeof entry);
        sum = row[i] - sum;
        memcpy(left, &sum, sizeof left);
        for (Py_ssize_t l = 0; l < LANES; l++) {
            double part = left[l] / entry[l];
            least[l] = part > least[l] ? least[l] : part;
            left[l] = 1 / sqrt(left[l]);
        }
        memcpy(row + i, left, sizeof left);
    }
}

/* Memory for so many vectors, each in one cache line; `memory` is what to free. */
static vec *NAME(vectors)(Py_ssize_t count, void **memory)
{
    *memory = malloc(count * sizeof(vec) + 64);
    return (vec *)(((uintptr_t)*memory + 63) & ~(uintptr_t)63);
}

/* Solutions of A + w for k numbers w, and for each the least of what a factor leaves of a diagonal entry. */
static void NAME(shifted)(struct call *c)
{
    const double *A = c->array['A'], *right = c->array['B'], *numbers = c->array['W'];
    double *out = c->array['G'], *least = c->array['H'], entry[LANES], worst[LANES];
    Py_ssize_t p = c->number['p'], k = c->number['k'], r = c->number['r'], size = p * (p + 1) / 2;
    void *memory;
    vec *L = NAME(vectors)(size + p, &memory), *x = L + size;
    c->no_memory = !memory;
    if (!memory) return;
    for (Py_ssize_t first = 0; first < k; first += LANES) {
        Py_ssize_t some = k - first < LANES ? k - first : LANES; /* those that are missing are the last one */
        for (Py_ssize_t i = 0; i < p; i++) {
            for (Py_ssize_t j = 0; j < i; j++) ROW(L, i)[j] = A[i * p + j] - (vec){0};
            for (Py_ssize_t l = 0; l < LANES; l++) {
                entry[l] = A[i * p + i] + numbers[first + (l < some ? l : some - 1)];
                if (entry[l] == 0) entry[l] = 1; /* a column of zeros, or a row without weight */
            }
            memcpy(ROW(L, i) + i, entry, sizeof entry);
        }
        NAME(factor)(L, p, worst);
        memcpy(least + first, worst, some * sizeof(double));
        for (Py_ssize_t q = 0; q < r; q++) {
            for (Py_ssize_t i = 0; i < p; i++) {
                const vec *row = ROW(L, i);
                vec sum = {0};
                for (Py_ssize_t j = 0; j < i; j++) sum += row[j] * x[j];
                x[i] = (right[i * r + q] - sum) * row[i];
            }
            for (Py_ssize_t i = p; i--;) {
                const vec *row = ROW(L, i);
                x[i] *= row[i];
                for (Py_ssize_t j = 0; j < i; j++) x[j] -= row[j] * x[i];
                memcpy(entry, x + i, sizeof entry);
                for (Py_ssize_t l = 0; l < some; l++) out[((first + l) * p + i) * r + q] = entry[l];
            }
        }
    }
    free(memory);
}

/* Inverses of k matrices, in place. */
static void NAME(inverses)(struct call *c)
{
    double *A = c->array['A'], entry[LANES];
    Py_ssize_t p = c->number['p'], k = c->number['k'], size = p * (p + 1) / 2;
    void *memory;
    vec *L = NAME(vectors)(size + p, &memory), *x = L + size;
    c->no_memory = !memory;
    if (!memory) return;
    for (Py_ssize_t first = 0; first < k; first += LANES) {
        Py_ssize_t some = k - first < LANES ? k - first : LANES;
        double *from = A + first * p * p;
        for (Py_ssize_t i = 0; i < p; i++)
            for (Py_ssize_t j = 0; j <= i; j++) {
                for (Py_ssize_t l = 0; l < LANES; l++) entry[l] = from[((l < some ? l : some - 1) * p + i) * p + j];
                memcpy(ROW(L, i) + j, entry, sizeof entry);
            }
        NAME(factor)(L, p, entry);
        /* column j of the factor's inverse, from its diagonal on, and then of the matrix's */
        for (Py_ssize_t j = 0; j < p; j++) {
            x[j] = ROW(L, j)[j];
            for (Py_ssize_t i = j + 1; i < p; i++) {
                const vec *row = ROW(L, i);
                vec sum = {0};
                for (Py_ssize_t m = j; m < i; m++) sum += row[m] * x[m];
                x[i] = -sum * row[i];
            }
            for (Py_ssize_t i = p; i-- > j;) {
                const vec *row = ROW(L, i);
                x[i] *= row[i];
                for (Py_ssize_t m = j; m < i; m++) x[m] -= row[m] * x[i];
                memcpy(entry, x + i, sizeof entry);
                for (Py_ssize_t l = 0; l < some; l++) from[(l * p + i) * p + j] = from[(l * p + j) * p + i] = entry[l];
            }
        }
    }
    free(memory);
}
#undef ROW
