/* Products of a block of rows with several outputs, and back, in double precision; included by _kernels_loops.h. */

#ifdef LINE
typedef eight outputs_vector;
#else
typedef struct {
    double at[WIDTH];
} outputs_vector;
#endif

INLINE void add_times(outputs_vector *sum, const outputs_vector *x, double factor)
{
#ifdef LINE
    *sum += *x * factor;
#else
    for (Py_ssize_t l = 0; l < WIDTH; l++) sum->at[l] += x->at[l] * factor;
#endif
}

INLINE double entry_of(const outputs_vector *from, Py_ssize_t l) { return ((const double *)from)[l]; }

/* Adds X W to raw; W holds as many outputs as a vector for each column, then the next ones. Vectors hold outputs: so nothing is added
   up across one, and rows of X may begin anywhere. Eight rows at once: as many sums as two units of multiplication with a latency of
   four need. */
static void predict(const double *X, Py_ssize_t row, Py_ssize_t m, Py_ssize_t p, Py_ssize_t k, const double *W,
                               Py_ssize_t lane, double *restrict raw)
{
    for (Py_ssize_t start = 0; start < p; start += COLUMNS) {
        Py_ssize_t end = p - start < COLUMNS ? p : start + COLUMNS;
        for (Py_ssize_t i = 0; i < m; i += 8) {
            const double *x[8]; /* rows that are missing are the last one, and not used */
            for (int l = 0; l < 8; l++) x[l] = X + (i + l < m ? i + l : m - 1) * row;
            for (Py_ssize_t c = 0; c < k; c += WIDTH) {
                outputs_vector s[8];
                for (int l = 0; l < 8; l++) s[l] = (outputs_vector){0};
                for (Py_ssize_t j = start; j < end; j++) {
                    outputs_vector w = *(const outputs_vector *)(W + c * p + j * WIDTH);
                    for (int l = 0; l < 8; l++) add_times(s + l, &w, x[l][j]);
                }
                Py_ssize_t most = k - c < WIDTH ? k - c : WIDTH;
                for (Py_ssize_t o = 0; o < most; o++)
                    for (int l = 0; l < 8; l++) raw[(c + o) * lane + i + l] += entry_of(s + l, o);
            }
        }
    }
}

/* Adds r' X to out: vectors hold columns, `outputs` times `vectors` of them at once. */
INLINE void back_block(const double *X, Py_ssize_t row, Py_ssize_t m, Py_ssize_t p, Py_ssize_t lane, const double *r,
                             double *restrict out, const int outputs, const int vectors)
{
    outputs_vector s[5][4];
    for (int o = 0; o < outputs; o++)
        for (int v = 0; v < vectors; v++) s[o][v] = (outputs_vector){0};
    for (Py_ssize_t i = 0; i < m; i++)
        for (int v = 0; v < vectors; v++) {
            outputs_vector x = *(const outputs_vector *)(X + i * row + v * WIDTH);
            for (int o = 0; o < outputs; o++) add_times(&s[o][v], &x, r[o * lane + i]);
        }
    for (int o = 0; o < outputs; o++)
        for (int v = 0; v < vectors; v++)
            for (Py_ssize_t l = 0; l < WIDTH; l++) out[o * p + v * WIDTH + l] += entry_of(&s[o][v], l);
}

INLINE void back_columns(const double *X, Py_ssize_t row, Py_ssize_t m, Py_ssize_t p, Py_ssize_t lane, const double *r,
                               double *restrict out, const int outputs)
{
    Py_ssize_t j = 0;
    for (; j + 4 * WIDTH <= p; j += 4 * WIDTH) back_block(X + j, row, m, p, lane, r, out + j, outputs, 4);
    for (; j + WIDTH <= p; j += WIDTH) back_block(X + j, row, m, p, lane, r, out + j, outputs, 1);
    for (; j < p; j++)
        for (int o = 0; o < outputs; o++) {
            double sum = 0;
            for (Py_ssize_t i = 0; i < m; i++) sum += r[o * lane + i] * X[i * row + j];
            out[o * p + j] += sum;
        }
}

static void back(const double *X, Py_ssize_t row, Py_ssize_t m, Py_ssize_t p, Py_ssize_t k, Py_ssize_t lane, const double *r,
                            double *restrict out)
{
    for (Py_ssize_t c = 0; c < k; c += 5) {
        const double *from = r + c * lane;
        double *to = out + c * p;
        switch (k - c < 5 ? k - c : 5) {
        case 1: back_columns(X, row, m, p, lane, from, to, 1); break;
        case 2: back_columns(X, row, m, p, lane, from, to, 2); break;
        case 3: back_columns(X, row, m, p, lane, from, to, 3); break;
        case 4: back_columns(X, row, m, p, lane, from, to, 4); break;
        default: back_columns(X, row, m, p, lane, from, to, 5);
        }
    }
}
