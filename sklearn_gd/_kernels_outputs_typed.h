/* Passes over X for several outputs at once, for arrays of REAL; included by _kernels_typed.h once for each type.

   Two uses: sweeps of a dense design, and trials of a search, which need no X. What belongs to a block of rows lies by outputs,
   `lane` rows apart: so loops over rows are made of whole vectors, however few outputs there are. */

/* Of m rows: from `from`, of k numbers a row, into outputs `lane` apart, and back. */
INLINE void NAME(spread_out)(const REAL *from, Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, double *restrict to)
{
    for (Py_ssize_t c = 0; c < k; c++)
        for (Py_ssize_t i = 0; i < m; i++) to[c * lane + i] = from[i * k + c];
}

INLINE void NAME(bring_in)(const double *from, Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, REAL *restrict to)
{
    for (Py_ssize_t i = 0; i < m; i++)
        for (Py_ssize_t c = 0; c < k; c++) to[i * k + c] = (REAL)from[c * lane + i];
}

/* What `kind` makes of the predictions r of m rows from `start` on, in place; returns the sum of their losses. q is room for as many. */
static double NAME(outcome)(int kind, Py_ssize_t start, Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const int64_t *y,
                            const REAL *weight, const REAL *cells, double *q, double *r)
{
    double w[LANE];
    NAME(weights)(m, weight ? weight + start : NULL, w);
    if (kind == MULTINOMIAL) return class_slopes(m, k, lane, y + start, w, r);
    if (kind == CURVED) {
        NAME(spread_out)(cells + start * k, m, k, lane, q);
        bent(m, k, lane, q, w, r);
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

/* One read of X: predictions at W, unless NULL, kept in `predictions`; what `kind` makes of them; adds their product with X' to
   gradient, unless NULL, and their sums to totals. Returns the sum of the losses. `cells` holds the probabilities of CURVED, and the
   slopes of GIVEN. At most CELLS / 8 outputs. */
static double NAME(outputs)(int kind, const REAL *X, Py_ssize_t row, Py_ssize_t n, Py_ssize_t p, Py_ssize_t k, const double *W,
                            const double *intercepts, const int64_t *y, const REAL *weight, const REAL *cells,
                            double *gradient, double *totals, REAL *predictions)
{
    double r[CELLS], q[CELLS], room[sizeof(REAL) == sizeof(double) ? 1 : LANE * COLUMNS], value = 0;
    Py_ssize_t lane = lane_of(k), rows = p ? OUTPUT_BYTES / (p * (Py_ssize_t)sizeof(REAL)) : lane;
    Py_ssize_t apart = sizeof(REAL) == sizeof(double) ? row : COLUMNS;
    rows = rows < 8 ? 8 : rows > lane ? lane : rows & ~(Py_ssize_t)7;
    for (Py_ssize_t start = 0; start < n; start += rows) {
        Py_ssize_t m = n - start < rows ? n - start : rows;
        const REAL *block = X + start * row;
        if (W) {
            for (Py_ssize_t c = 0; c < k; c++)
                for (Py_ssize_t i = 0; i < lane; i++) r[c * lane + i] = intercepts[c];
            for (Py_ssize_t j = 0; j < p; j += COLUMNS) {
                Py_ssize_t columns = p - j < COLUMNS ? p - j : COLUMNS;
                predict(NAME(doubled)(block + j, row, m, columns, room), apart, m, columns, p, k, W + j * WIDTH, lane, r);
            }
            if (predictions) NAME(bring_in)(r, m, k, lane, predictions + start * k);
        } else {
            NAME(spread_out)(cells + start * k, m, k, lane, r);
        }
        if (!gradient) continue;
        value += NAME(outcome)(kind, start, m, k, lane, y, weight, cells, q, r);
        for (Py_ssize_t j = 0; j < p; j += COLUMNS) {
            Py_ssize_t columns = p - j < COLUMNS ? p - j : COLUMNS;
            back(NAME(doubled)(block + j, row, m, columns, room), apart, m, columns, p, k, lane, r, gradient + j);
        }
        for (Py_ssize_t c = 0; c < k; c++)
            for (Py_ssize_t i = 0; i < m; i++) totals[c] += r[c * lane + i];
    }
    return value;
}

#undef COLUMNS

/* The multinomial loss at base + a first + b second, as NAME(trial) has the binomial one; y holds the classes, bend gets the
   probabilities, and no row has more than CELLS entries. */
static void NAME(softmax)(Py_ssize_t n, Py_ssize_t k, const double *a, const int64_t *y, const REAL *weight, const REAL *base,
                          const REAL *first, const REAL *second, REAL *raw, REAL *slope, REAL *bend, double *out)
{
    double r[CELLS], u[CELLS], v[CELLS], w[LANE];
    Py_ssize_t lane = CELLS / k < LANE ? CELLS / k : LANE;
    for (Py_ssize_t start = 0; start < n; start += lane) {
        Py_ssize_t m = n - start < lane ? n - start : lane, at = start * k;
        NAME(spread_out)(base + at, m, k, lane, r);
        if (first) NAME(spread_out)(first + at, m, k, lane, u);
        if (second) NAME(spread_out)(second + at, m, k, lane, v);
        move(m, k, lane, a, first ? u : NULL, second ? v : NULL, r);
        NAME(bring_in)(r, m, k, lane, raw + at);
        NAME(weights)(m, weight ? weight + start : NULL, w);
        class_trial(m, k, lane, y + start, w, first ? u : NULL, second ? v : NULL, r, out);
        if (bend) NAME(bring_in)(r, m, k, lane, bend + at);
        if (!slope) continue;
        slopes_of(m, k, lane, y + start, w, r);
        NAME(bring_in)(r, m, k, lane, slope + at);
    }
}
