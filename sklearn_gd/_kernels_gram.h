/* The symmetric product of a few columns, and what goes with it; included by _kernels_typed.h once for each type. */

/* A strip of one column less a shift, times the roots of the weights, where there are any. */
INLINE void NAME(place)(const REAL *x, Py_ssize_t row, Py_ssize_t m, double c, const double *root, double *restrict z)
{
    if (root) {
        for (Py_ssize_t i = 0; i < m; i++) z[i] = (x[i * row] - c) * root[i];
    } else {
        for (Py_ssize_t i = 0; i < m; i++) z[i] = x[i * row] - c;
    }
}

#ifdef SWAP
typedef REAL NAME(four) __attribute__((vector_size(4 * sizeof(REAL)), ANYWHERE(REAL)));

/* The same of four columns, whose rows are contiguous, four rows at a time. */
INLINE void NAME(place_four)(const REAL *x, Py_ssize_t row, const double *c, const double *root, double *restrict z)
{
    four r[4], t[4], shift;
    memcpy(&shift, c, sizeof shift);
    for (Py_ssize_t i = 0; i < STRIP; i += 4) {
        for (int k = 0; k < 4; k++) r[k] = __builtin_convertvector(*(const NAME(four) *)(x + (i + k) * row), four) - shift;
        for (int k = 0; k < 4; k += 2) {
            t[k] = SWAP(r[k], r[k + 1], 0, 4, 2, 6);
            t[k + 1] = SWAP(r[k], r[k + 1], 1, 5, 3, 7);
        }
        for (int k = 0; k < 2; k++) {
            r[k] = SWAP(t[k], t[k + 2], 0, 1, 4, 5);
            r[k + 2] = SWAP(t[k], t[k + 2], 2, 3, 6, 7);
        }
        for (int k = 0; k < 4; k++) {
            if (root) r[k] *= *(const four *)(root + i);
            memcpy(z + k * GRAM_ROWS + i, r + k, sizeof *r);
        }
    }
}
#endif

/* Rows of [X − c, T − d, 1] √w as columns of doubles, GRAM_ROWS apart; short blocks are filled up with zeros to whole vectors. */
static void NAME(gather)(const struct rows *parts, const REAL *weight, const double *shift, Py_ssize_t start, Py_ssize_t m,
                         double *restrict Z)
{
    double ones[GRAM_ROWS], *root = weight ? ones : NULL;
    Py_ssize_t full = (m + 7) & ~(Py_ssize_t)7;
    for (Py_ssize_t i = 0; i < m; i++) ones[i] = weight ? sqrt((double)weight[start + i]) : 1.0;
    for (Py_ssize_t i = m; i < full; i++) ones[i] = 0.0;
    for (int part = 0; part < 2; part++) {
        const struct rows *from = parts + part;
        const REAL *x = (const REAL *)from->at + start * from->row;
        Py_ssize_t p = from->columns;
        if (from->row == 1) { /* contiguous columns have no cache lines to share: each of them at once */
            for (Py_ssize_t j = 0; j < p; j++) {
                const REAL *column = x + j * from->column;
                NAME(place)(column, 1, m, shift[j], root, Z + j * GRAM_ROWS);
            }
        } else {
            for (Py_ssize_t i = 0; i < m; i += STRIP, x += STRIP * from->row) {
                Py_ssize_t j = 0, rows = m - i < STRIP ? m - i : STRIP;
                const double *part_root = root ? root + i : NULL;
#ifdef SWAP
                if (from->column == 1 && rows == STRIP)
                    for (; j + 4 <= p; j += 4) NAME(place_four)(x + j, from->row, shift + j, part_root, Z + j * GRAM_ROWS + i);
#endif
                for (; j < p; j++) NAME(place)(x + j * from->column, from->row, rows, shift[j], part_root, Z + j * GRAM_ROWS + i);
            }
        }
        for (Py_ssize_t j = 0; j < p; j++, Z += GRAM_ROWS)
            for (Py_ssize_t i = m; i < full; i++) Z[i] = 0.0;
        shift += p;
    }
    memcpy(Z, ones, full * sizeof(double));
}

/* What the next block of rows reads, or memory that is read anyway. */
static struct ahead NAME(ahead_of)(const struct rows *parts, Py_ssize_t n, Py_ssize_t start, const double *Z)
{
    struct ahead next = {{(const char *)Z, (const char *)Z}, {0, 0}, {1, 0}, 8 * sizeof(REAL)};
    start += GRAM_ROWS;
    for (int part = 0, k = 0; part < 2 && start < n; part++) {
        const struct rows *from = parts + part;
        if (!from->columns || (from->row != 1 && (from->column != 1 || from->row != from->columns))) continue;
        next.at[k] = (const char *)((const REAL *)from->at + start * from->row);
        next.step[k] = (from->row == 1 ? from->column : GRAM_ROWS) * (Py_ssize_t)sizeof(REAL);
        next.count[k++] = from->columns;
    }
    return next;
}

static void NAME(gram)(struct call *c)
{
    const REAL *weight = c->array['S'];
    Py_ssize_t n = c->number['n'], order = c->number['p'] + 1, k = (order + TILE - 1) / TILE * TILE;
    void *memory = calloc(k * GRAM_ROWS + k * (k + TILE) / 2 * SUM_LANES + 8, sizeof(double));
    c->no_memory = !memory;
    if (!memory) return;
    double *Z = (double *)(((uintptr_t)memory + 63) & ~(uintptr_t)63); /* a vector is then in one cache line */
    double *sum = Z + k * GRAM_ROWS;
    for (Py_ssize_t start = 0; start < n; start += GRAM_ROWS) {
        Py_ssize_t m = n - start < GRAM_ROWS ? n - start : GRAM_ROWS;
        NAME(gather)(c->rows, weight, c->array['C'], start, m, Z);
        struct ahead next = NAME(ahead_of)(c->rows, n, start, Z);
        add_products(Z, order, (m + 7) & ~(Py_ssize_t)7, &next, sum);
    }
    add_entries(sum, order, c->array['G']);
    free(memory);
}

/* The means of every step-th row, 0 where they are not finite: that is for the pass that meets it to say. */
static void NAME(middle)(struct call *c)
{
    Py_ssize_t step = c->number['j'], count = (c->number['n'] + step - 1) / step;
    double *out = c->array['G'];
    for (int part = 0; part < 2; part++) {
        const struct rows *from = c->rows + part;
        for (Py_ssize_t j = 0; j < from->columns; j++) {
            const REAL *x = (const REAL *)from->at + j * from->column;
            double sum = 0;
            for (Py_ssize_t i = 0; i < count; i++) sum += x[i * step * from->row];
            sum /= (double)count;
            *out++ = isfinite(sum) ? sum : 0;
        }
    }
}

/* Products about a shift become such about the mean. */
static void NAME(about_mean)(struct call *c)
{
    Py_ssize_t order = c->number['n'];
    double *products = c->array['X'], *shift = c->array['C'], trace = 0;
    const double *sums = products + (order - 1) * order; /* of Z; the last is that of the weights */
    double total = sums[order - 1];
    for (Py_ssize_t i = 0; i < order - 1; i++) {
        trace += products[i * order + i];
        double offset = sums[i] / total;
        for (Py_ssize_t j = 0; j <= i; j++) products[j * order + i] = products[i * order + j] -= offset * sums[j];
        shift[i] += offset;
    }
    c->sum[0] = total;
    c->sum[1] = trace;
}
