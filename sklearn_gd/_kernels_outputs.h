/* Passes over X for several outputs at once, for arrays of REAL; included by _kernels.c once for each type.

   Two uses: sweeps of a dense design, and trials of a search, which need no X. What belongs to a block of rows lies by outputs,
   `lane` rows apart: so loops over rows are made of whole vectors, however few outputs there are. */

#define WIDTH (64 / (Py_ssize_t)sizeof(REAL))
#ifndef LINE
typedef struct {
    REAL at[WIDTH];
} NAME(vector);
#endif

INLINE void NAME(add_times)(NAME(vector) *sum, NAME(vector) x, REAL factor)
{
#ifdef LINE
    *sum += x * factor;
#else
    for (Py_ssize_t l = 0; l < WIDTH; l++) sum->at[l] += x.at[l] * factor;
#endif
}

INLINE REAL NAME(entry)(const NAME(vector) *from, Py_ssize_t l) { return ((const REAL *)from)[l]; }

/* Adds X W to raw; W holds as many outputs as a vector for each column, then the next ones. Vectors hold outputs: so nothing is added
   up across one, and rows of X may begin anywhere. Eight rows at once: as many sums as two units of multiplication with a latency of
   four need. */
INLINE void NAME(predict_body)(const REAL *X, Py_ssize_t row, Py_ssize_t m, Py_ssize_t p, Py_ssize_t k, const REAL *W,
                               Py_ssize_t lane, double *restrict raw)
{
    for (Py_ssize_t start = 0; start < p; start += COLUMNS) {
        Py_ssize_t end = p - start < COLUMNS ? p : start + COLUMNS;
        for (Py_ssize_t i = 0; i < m; i += 8) {
            const REAL *x[8]; /* rows that are missing are the last one, and not used */
            for (int l = 0; l < 8; l++) x[l] = X + (i + l < m ? i + l : m - 1) * row;
            for (Py_ssize_t c = 0; c < k; c += WIDTH) {
                NAME(vector) s[8];
                for (int l = 0; l < 8; l++) s[l] = (NAME(vector)){0};
                for (Py_ssize_t j = start; j < end; j++) {
                    NAME(vector) w = *(const NAME(vector) *)(W + c * p + j * WIDTH);
                    for (int l = 0; l < 8; l++) NAME(add_times)(s + l, w, x[l][j]);
                }
                Py_ssize_t most = k - c < WIDTH ? k - c : WIDTH;
                for (Py_ssize_t o = 0; o < most; o++)
                    for (int l = 0; l < 8; l++) raw[(c + o) * lane + i + l] += NAME(entry)(s + l, o);
            }
        }
    }
}

/* Adds r' X to out: vectors hold columns, `outputs` times `vectors` of them at once. */
INLINE void NAME(back_block)(const REAL *X, Py_ssize_t row, Py_ssize_t m, Py_ssize_t p, Py_ssize_t lane, const REAL *r,
                             double *restrict out, const int outputs, const int vectors)
{
    NAME(vector) s[5][4];
    for (int o = 0; o < outputs; o++)
        for (int v = 0; v < vectors; v++) s[o][v] = (NAME(vector)){0};
    for (Py_ssize_t i = 0; i < m; i++)
        for (int v = 0; v < vectors; v++) {
            NAME(vector) x = *(const NAME(vector) *)(X + i * row + v * WIDTH);
            for (int o = 0; o < outputs; o++) NAME(add_times)(&s[o][v], x, r[o * lane + i]);
        }
    for (int o = 0; o < outputs; o++)
        for (int v = 0; v < vectors; v++)
            for (Py_ssize_t l = 0; l < WIDTH; l++) out[o * p + v * WIDTH + l] += NAME(entry)(&s[o][v], l);
}

INLINE void NAME(back_columns)(const REAL *X, Py_ssize_t row, Py_ssize_t m, Py_ssize_t p, Py_ssize_t lane, const REAL *r,
                               double *restrict out, const int outputs)
{
    Py_ssize_t j = 0;
    for (; j + 4 * WIDTH <= p; j += 4 * WIDTH) NAME(back_block)(X + j, row, m, p, lane, r, out + j, outputs, 4);
    for (; j + WIDTH <= p; j += WIDTH) NAME(back_block)(X + j, row, m, p, lane, r, out + j, outputs, 1);
    for (; j < p; j++)
        for (int o = 0; o < outputs; o++) {
            REAL sum = 0;
            for (Py_ssize_t i = 0; i < m; i++) sum += r[o * lane + i] * X[i * row + j];
            out[o * p + j] += sum;
        }
}

INLINE void NAME(back_body)(const REAL *X, Py_ssize_t row, Py_ssize_t m, Py_ssize_t p, Py_ssize_t k, Py_ssize_t lane, const REAL *r,
                            double *restrict out)
{
    for (Py_ssize_t c = 0; c < k; c += 5) {
        const REAL *from = r + c * lane;
        double *to = out + c * p;
        switch (k - c < 5 ? k - c : 5) {
        case 1: NAME(back_columns)(X, row, m, p, lane, from, to, 1); break;
        case 2: NAME(back_columns)(X, row, m, p, lane, from, to, 2); break;
        case 3: NAME(back_columns)(X, row, m, p, lane, from, to, 3); break;
        case 4: NAME(back_columns)(X, row, m, p, lane, from, to, 4); break;
        default: NAME(back_columns)(X, row, m, p, lane, from, to, 5);
        }
    }
}

#define PREDICT                                                                                                             \
    (const REAL *X, Py_ssize_t row, Py_ssize_t m, Py_ssize_t p, Py_ssize_t k, const REAL *W, Py_ssize_t lane, \
     double *raw)
VECTORS static void NAME(predict_any) PREDICT { NAME(predict_body)(X, row, m, p, k, W, lane, raw); }
WIDE static void NAME(predict_wide) PREDICT { NAME(predict_body)(X, row, m, p, k, W, lane, raw); }
#undef PREDICT
#define BACK                                                                                                                \
    (const REAL *X, Py_ssize_t row, Py_ssize_t m, Py_ssize_t p, Py_ssize_t k, Py_ssize_t lane, const REAL *r, double *out)
VECTORS static void NAME(back_any) BACK { NAME(back_body)(X, row, m, p, k, lane, r, out); }
WIDE static void NAME(back_wide) BACK { NAME(back_body)(X, row, m, p, k, lane, r, out); }
#undef BACK

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

/* One read of X: predictions at W, unless NULL, kept in `predictions`; what `kind` makes of them; adds their product with X' to
   gradient, unless NULL, and their sums to totals. Returns the sum of the losses. `cells` holds the probabilities of CURVED, and the
   slopes of GIVEN. At most CELLS / 8 outputs. */
static double NAME(outputs)(int kind, const REAL *X, Py_ssize_t row, Py_ssize_t n, Py_ssize_t p, Py_ssize_t k, const REAL *W,
                            const double *intercepts, const int64_t *y, const REAL *weight, const REAL *cells,
                            double *gradient, double *totals, REAL *predictions)
{
    double r[CELLS], q[CELLS], value = 0;
    Py_ssize_t lane = CELLS / k < LANE ? CELLS / k & ~(Py_ssize_t)7 : LANE;
    Py_ssize_t rows = p ? OUTPUT_BYTES / (p * (Py_ssize_t)sizeof(REAL)) : lane;
    rows = rows < 8 ? 8 : rows > lane ? lane : rows & ~(Py_ssize_t)7;
    for (Py_ssize_t start = 0; start < n; start += rows) {
        Py_ssize_t m = n - start < rows ? n - start : rows;
        const REAL *block = X + start * row;
        if (W) {
            for (Py_ssize_t c = 0; c < k; c++)
                for (Py_ssize_t i = 0; i < lane; i++) r[c * lane + i] = intercepts[c];
            (wide() ? NAME(predict_wide) : NAME(predict_any))(block, row, m, p, k, W, lane, r);
            if (predictions) NAME(bring_in)(r, m, k, lane, predictions + start * k);
        } else {
            NAME(spread_out)(cells + start * k, m, k, lane, r);
        }
        if (!gradient) continue;
        value += NAME(outcome)(kind, start, m, k, lane, y, weight, cells, q, r);
        REAL *low = (REAL *)q;
        for (Py_ssize_t c = 0; c < k; c++)
            for (Py_ssize_t i = 0; i < m; i++) low[c * lane + i] = (REAL)r[c * lane + i];
        (wide() ? NAME(back_wide) : NAME(back_any))(block, row, m, p, k, lane, low, gradient);
        for (Py_ssize_t c = 0; c < k; c++)
            for (Py_ssize_t i = 0; i < m; i++) totals[c] += r[c * lane + i];
    }
    return value;
}

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
#undef WIDTH
