/* Passes over X for several outputs at once, for arrays of REAL; included by _kernels_typed.h once for each type.

   Two uses: sweeps of a dense design, and trials of a search, which need no X. What belongs to a block of rows lies by outputs,
   `lane` rows apart: so loops over rows are made of whole vectors, however few outputs there are. */

/* Of m rows: from `from`, of k numbers a row, into outputs `lane` apart, and back. */
INLINE void NAME(spread_out)(const REAL *from, Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, double *restrict to)
{
    if (k == 1) {
#pragma omp simd
        for (Py_ssize_t i = 0; i < m; i++) to[i] = from[i];
        return;
    }
    for (Py_ssize_t c = 0; c < k; c++)
        for (Py_ssize_t i = 0; i < m; i++) to[c * lane + i] = from[i * k + c];
}

INLINE void NAME(bring_in)(const double *from, Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, REAL *restrict to)
{
    if (k == 1) {
        NAME(keep)(from, m, to);
        return;
    }
    for (Py_ssize_t i = 0; i < m; i++)
        for (Py_ssize_t c = 0; c < k; c++) to[i * k + c] = (REAL)from[c * lane + i];
}

/* What a sweep makes of the predictions r of m rows from `start` on, in place; returns the sum of their losses. q is room for as many. */
static double NAME(outcome)(const struct call *c, Py_ssize_t start, Py_ssize_t m, Py_ssize_t lane, double *q, double *r)
{
    const REAL *weight = c->array['S'], *cells = c->array['C'];
    const int64_t *y = c->array['Y'];
    Py_ssize_t k = c->number['k'], kind = c->number['f'];
    double w[LANE];
    NAME(weights)(m, weight ? weight + start : NULL, w);
    if (kind == MULTINOMIAL) {
        double value = probabilities(m, k, lane, y + start, w, r);
        class_slopes(m, k, lane, y + start, w, r);
        return value;
    }
    if (kind == BINOMIAL) models_of_two(m, k, lane, y + start, w, r, c->array['V']);
    if (kind == CURVED) {
        NAME(spread_out)(cells + start * k, m, k, lane, q);
        hessian_product(m, k, lane, q, w, r);
    } else if (kind == PLAIN && weight) {
        scaled(m, k, lane, w, r);
    }
    return 0;
}

/* Columns of a block's rows that are multiplied at once: with the coefficients of ten outputs they lie in the first-level cache, those of
   float32 with their copy. */
#define COLUMNS (sizeof(REAL) == sizeof(double) ? (Py_ssize_t)128 : 64)

/* Some columns of m rows in double precision: where they are, or a copy in `room`, whose rows are then COLUMNS apart. */
INLINE const double *NAME(doubled)(const REAL *X, Py_ssize_t row, Py_ssize_t m, Py_ssize_t columns, double *room)
{
    if (sizeof(REAL) == sizeof(double)) return (const double *)(const void *)X;
    for (Py_ssize_t i = 0; i < m; i++) {
        const REAL *x = X + i * row;
        double *restrict to = room + i * COLUMNS;
#pragma omp simd
        for (Py_ssize_t j = 0; j < columns; j++) to[j] = x[j];
    }
    return room;
}

/* One read of X: predictions at W, unless NULL; what is made of them; adds their product with X' to the gradient, unless NULL, and their
   sums to totals. Cells are the probabilities of CURVED, and the slopes of GIVEN. At most CELLS / 8 outputs. */
static void NAME(outputs)(struct call *c)
{
    const REAL *X = c->rows->at, *cells = c->array['C'];
    const double *W = c->array['W'], *intercepts = c->array['A'];
    double *gradient = c->array['G'], *totals = c->array['T'];
    REAL *predictions = c->array['P'];
    double r[CELLS], q[CELLS], room[sizeof(REAL) == sizeof(double) ? 1 : LANE * COLUMNS];
    Py_ssize_t n = c->number['n'], p = c->number['p'], k = c->number['k'], row = c->rows->row, lane = lane_of(k);
    Py_ssize_t rows = p ? OUTPUT_BYTES / (p * (Py_ssize_t)sizeof(REAL)) : lane, apart = sizeof(REAL) == sizeof(double) ? row : COLUMNS;
    rows = rows < 8 ? 8 : rows > lane ? lane : rows & ~(Py_ssize_t)7;
    for (Py_ssize_t start = 0; start < n; start += rows) {
        Py_ssize_t m = n - start < rows ? n - start : rows;
        const REAL *block = X + start * row;
        if (W) {
            for (Py_ssize_t o = 0; o < k; o++)
                for (Py_ssize_t i = 0; i < lane; i++) r[o * lane + i] = intercepts[o];
            for (Py_ssize_t j = 0; j < p; j += COLUMNS) {
                Py_ssize_t columns = p - j < COLUMNS ? p - j : COLUMNS;
                predict(NAME(doubled)(block + j, row, m, columns, room), apart, m, columns, p, k, W + j * WIDTH, lane, r);
            }
            if (predictions) NAME(bring_in)(r, m, k, lane, predictions + start * k);
        } else {
            NAME(spread_out)(cells + start * k, m, k, lane, r);
        }
        if (!gradient) continue;
        c->sum[0] += NAME(outcome)(c, start, m, lane, q, r);
        for (Py_ssize_t j = 0; j < p; j += COLUMNS) {
            Py_ssize_t columns = p - j < COLUMNS ? p - j : COLUMNS;
            back(NAME(doubled)(block + j, row, m, columns, room), apart, m, columns, p, k, lane, r, gradient + j);
        }
        for (Py_ssize_t o = 0; o < k; o++)
            for (Py_ssize_t i = 0; i < m; i++) totals[o] += r[o * lane + i];
    }
}

/* The same for models of their own. */
static void NAME(models)(struct call *c)
{
    c->number['f'] = BINOMIAL;
    NAME(outputs)(c);
}

#undef COLUMNS
