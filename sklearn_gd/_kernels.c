/* Passes over X and over predictions that read every number once: what NumPy's ufuncs need ten passes for.

   Three uses: the fused sweeps of a dense or sparse design (predictions, their pointwise loss, and the adjoint of its slopes while
   the rows are in cache), the symmetric product of a few columns, and the trials of a search on a binomial or multinomial loss. Here is
   what Python calls; the loops are in _kernels_loops.h, compiled for several levels of instructions, of which one is in use. */

#include "_kernels_levels.h"

/* Whether the processor, and its system, have what a level is compiled for. */
static int runs(const struct level *level)
{
#if LEVELS
    if (level == &level_baseline) return 1;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2"))
        return 0;
    if (level == &level_v3) return 1;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
    return level == &level_baseline;
#endif
}

/* The highest first. */
static const struct level *const all_levels[] = {
#if LEVELS
    &level_v4, &level_v3,
#endif
    &level_baseline};
#define N_LEVELS (int)(sizeof all_levels / sizeof *all_levels)

/* The one in use. */
static const struct level *here = &level_baseline;

/* Adds the sums of products, their lanes added up, to a symmetric matrix. */
static void add_entries(const struct products *of, const double *sum, Py_ssize_t order, double *out)
{
    Py_ssize_t t = of->tile, lanes = of->lanes;
    for (Py_ssize_t a = 0; a < order; a += t)
        for (Py_ssize_t b = 0; b <= a; b += t)
            for (Py_ssize_t i = a; i < a + t; i++)
                for (Py_ssize_t j = b; j < b + t; j++, sum += lanes) {
                    if (i >= order || j > i) continue;
                    double total = 0;
                    for (Py_ssize_t lane = 0; lane < lanes; lane++) total += sum[lane];
                    out[i * order + j] += total;
                    if (j < i) out[j * order + i] += total;
                }
}

/* ------------------------------------------------------------------------------------------------------- Python */

static void *data_or_null(Py_buffer *buffer) { return buffer->obj ? buffer->buf : NULL; }

/* A buffer of `count` numbers of `size` bytes, or None. */
static int get(PyObject *object, Py_buffer *buffer, int writable, Py_ssize_t count, Py_ssize_t size)
{
    buffer->obj = NULL;
    if (object == Py_None) return 0;
    if (PyObject_GetBuffer(object, buffer, writable ? PyBUF_WRITABLE : PyBUF_SIMPLE)) return -1;
    if (buffer->len != count * size) {
        PyErr_Format(PyExc_ValueError, "a buffer of %zd bytes, expected %zd", buffer->len, count * size);
        PyBuffer_Release(buffer);
        buffer->obj = NULL;
        return -1;
    }
    return 0;
}

/* The buffers of n arrays, of which those from `written` on are written to; a bit of `needed` is set where an array may not be None.
   Returns how many were got: fewer with an exception. */
static int get_all(PyObject **objects, Py_buffer *b, int n, int needed, int written, const Py_ssize_t *counts, const Py_ssize_t *sizes)
{
    for (int got = 0; got < n; got++) {
        if (needed >> got & 1 && objects[got] == Py_None) {
            PyErr_SetString(PyExc_ValueError, "an array that is needed is None");
            return got;
        }
        if (get(objects[got], b + got, got >= written, counts[got], sizes[got])) return got;
    }
    return n;
}

static void release(Py_buffer *b, int got)
{
    for (int k = 0; k < got; k++)
        if (b[k].obj) PyBuffer_Release(b + k);
}

static PyObject *py_sweep(PyObject *self, PyObject *args)
{
    int kind, size;
    Py_ssize_t n, p;
    double intercept;
    PyObject *objects[6]; /* X, coef, y, weight, gradient, predictions */
    if (!PyArg_ParseTuple(args, "iinnOOdOOOO", &kind, &size, &n, &p, objects, objects + 1, &intercept, objects + 2,
                          objects + 3, objects + 4, objects + 5))
        return NULL;
    Py_buffer b[6];
    Py_ssize_t counts[6] = {n * p, p, n, n, p, n};
    Py_ssize_t sizes[6] = {size, 8, size, size, 8, size};
    PyObject *result = NULL;
    int got = get_all(objects, b, 6, 19, 4, counts, sizes);
    if (got < 6) goto done;
    double value = 0, total = 0;
    Py_BEGIN_ALLOW_THREADS
#define SWEEP(RUN)                                                                                                                    \
    RUN(kind, b[0].buf, n, p, b[1].buf, intercept, data_or_null(b + 2), data_or_null(b + 3), b[4].buf, data_or_null(b + 5), &value, \
        &total)
    if (size == 8)
        SWEEP(here->f64.sweep);
    else
        SWEEP(here->f32.sweep);
    Py_END_ALLOW_THREADS
    result = Py_BuildValue("dd", value, total);
done:
    release(b, got);
    return result;
}

/* Whether some of n rows are there, and begin and end among their values. */
static int sparse_rows(const int32_t *rows, Py_ssize_t n, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t values)
{
    int there = 0 <= start && start <= stop && stop <= n && 0 <= rows[start] && rows[start] <= rows[stop] && rows[stop] <= values;
    if (!there) PyErr_SetString(PyExc_ValueError, "rows or values that are not there");
    return there;
}

static PyObject *py_sparse_sweep(PyObject *self, PyObject *args)
{
    int kind, size;
    Py_ssize_t n, p, values, start, stop;
    double intercept;
    PyObject *objects[9]; /* rows, columns, values, coef, y, weight, cells, gradient, predictions */
    if (!PyArg_ParseTuple(args, "iinnnnnOOOOdOOOOO", &kind, &size, &n, &p, &values, &start, &stop, objects, objects + 1, objects + 2,
                          objects + 3, &intercept, objects + 4, objects + 5, objects + 6, objects + 7, objects + 8))
        return NULL;
    Py_buffer b[9];
    Py_ssize_t counts[9] = {n + 1, values, values, p, n, n, n, p, n};
    Py_ssize_t sizes[9] = {4, 4, size, 8, size, size, size, 8, size};
    /* what is read whatever is asked for */
    int needed = 7 | (objects[3] == Py_None) << 6 | (kind == SQUARED || kind == BINOMIAL) << 4;
    PyObject *result = NULL;
    int got = get_all(objects, b, 9, needed, 7, counts, sizes);
    if (got < 9) goto done;
    if (!sparse_rows(b[0].buf, n, start, stop, values)) goto done;
    double value = 0, total = 0;
    Py_BEGIN_ALLOW_THREADS
#define SPARSE(RUN)                                                                                                               \
    RUN(kind, start, stop, b[0].buf, b[1].buf, b[2].buf, data_or_null(b + 3), intercept, data_or_null(b + 4), data_or_null(b + 5), \
        data_or_null(b + 6), data_or_null(b + 7), data_or_null(b + 8), &value, &total)
    if (size == 8)
        SPARSE(here->f64.sparse_sweep);
    else
        SPARSE(here->f32.sparse_sweep);
    Py_END_ALLOW_THREADS
    result = Py_BuildValue("dd", value, total);
done:
    release(b, got);
    return result;
}

static PyObject *py_sparse_columns(PyObject *self, PyObject *args)
{
    int size;
    Py_ssize_t n, p, values, start, stop;
    PyObject *objects[7]; /* rows, columns, values, weight, target, centre, sums */
    if (!PyArg_ParseTuple(args, "innnnnOOOOOOO", &size, &n, &p, &values, &start, &stop, objects, objects + 1, objects + 2, objects + 3,
                          objects + 4, objects + 5, objects + 6))
        return NULL;
    Py_buffer b[7];
    Py_ssize_t counts[7] = {n + 1, values, values, n, n, p, 4 * p};
    Py_ssize_t sizes[7] = {4, 4, size, size, 8, 8, 8};
    PyObject *result = NULL;
    int got = get_all(objects, b, 7, 71, 6, counts, sizes);
    if (got < 7) goto done;
    if (!sparse_rows(b[0].buf, n, start, stop, values)) goto done;
    Py_BEGIN_ALLOW_THREADS
#define SPARSE_COLUMNS(RUN) \
    RUN(start, stop, b[0].buf, b[1].buf, b[2].buf, data_or_null(b + 3), data_or_null(b + 4), data_or_null(b + 5), b[6].buf)
    if (size == 8)
        SPARSE_COLUMNS(here->f64.sparse_columns);
    else
        SPARSE_COLUMNS(here->f32.sparse_columns);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
done:
    release(b, got);
    return result;
}

/* The buffer of X, whose rows are contiguous, and the numbers from one row to the next; -1 where it is not such. */
static Py_ssize_t get_block(PyObject *object, Py_buffer *buffer, Py_ssize_t size)
{
    if (PyObject_GetBuffer(object, buffer, PyBUF_STRIDES)) return -1;
    if (buffer->ndim == 2 && buffer->itemsize == size && (buffer->shape[1] <= 1 || buffer->strides[1] == size) &&
        buffer->strides[0] >= 0 && buffer->strides[0] % size == 0)
        return buffer->strides[0] / size;
    PyErr_Format(PyExc_ValueError, "X must have two axes, contiguous rows and numbers of %zd bytes", size);
    PyBuffer_Release(buffer);
    return -1;
}

static PyObject *py_outputs(PyObject *self, PyObject *args)
{
    int kind, size;
    Py_ssize_t k;
    PyObject *block, *objects[8]; /* coef, intercepts, y, weight, cells, gradient, totals, predictions */
    if (!PyArg_ParseTuple(args, "iinOOOOOOOOO", &kind, &size, &k, &block, objects, objects + 1, objects + 2, objects + 3, objects + 4,
                          objects + 5, objects + 6, objects + 7))
        return NULL;
    if (k < 1 || k > CELLS / 8) return PyErr_Format(PyExc_ValueError, "%zd outputs, expected 1 to %d", k, CELLS / 8);
    Py_buffer x, b[8];
    Py_ssize_t row = get_block(block, &x, size);
    if (row < 0) return NULL;
    Py_ssize_t n = x.shape[0], p = x.shape[1];
    Py_ssize_t counts[8] = {(k + WIDTH - 1) / WIDTH * WIDTH * p, k, n, n, n * k, k * p, k, n * k};
    Py_ssize_t sizes[8] = {8, 8, 8, size, size, 8, 8, size};
    /* what is read whatever is asked for */
    int needed = objects[0] == Py_None ? 1 << 4 : 1 << 1;
    if (objects[5] != Py_None) needed |= 1 << 6 | (kind == MULTINOMIAL) << 2 | (kind == CURVED) << 4;
    PyObject *result = NULL;
    int got = get_all(objects, b, 8, needed, 5, counts, sizes);
    if (got < 8) goto done;
    double value;
    Py_BEGIN_ALLOW_THREADS
#define OUTPUTS(RUN)                                                                                                          \
    RUN(kind, x.buf, row, n, p, k, data_or_null(b), data_or_null(b + 1), data_or_null(b + 2), data_or_null(b + 3),            \
        data_or_null(b + 4), data_or_null(b + 5), data_or_null(b + 6), data_or_null(b + 7))
    value = size == 8 ? OUTPUTS(here->f64.outputs) : OUTPUTS(here->f32.outputs);
    Py_END_ALLOW_THREADS
    result = PyFloat_FromDouble(value);
done:
    release(b, got);
    PyBuffer_Release(&x);
    return result;
}

/* The arrays of a trial: y, weight, base, first and second image, raw, slope, bend. Returns how many were got, 8 if all. */
static int get_trial(PyObject **objects, Py_buffer *b, Py_ssize_t n, Py_ssize_t k, int size)
{
    Py_ssize_t m = n * k, counts[8] = {n, n, m, m, m, m, m, m};
    Py_ssize_t sizes[8] = {k > 1 ? 8 : size, size, size, size, size, size, size, size};
    return get_all(objects, b, 8, 1 | 4 | 32, 5, counts, sizes);
}

#define PLANE(NAME, s, b)                                                                                                  \
    struct NAME s = {n, k, b[0].buf, data_or_null(b + 1), b[2].buf, data_or_null(b + 3), data_or_null(b + 4), b[5].buf, \
                     data_or_null(b + 6), data_or_null(b + 7), 1, 0, {0, 0}, {0, 0, 0}}

static PyObject *py_trial(PyObject *self, PyObject *args)
{
    int size;
    Py_ssize_t n, k;
    double a[2], out[6];
    PyObject *objects[8], *result = NULL;
    if (!PyArg_ParseTuple(args, "innddOOOOOOOO", &size, &n, &k, a, a + 1, objects, objects + 1, objects + 2, objects + 3,
                          objects + 4, objects + 5, objects + 6, objects + 7))
        return NULL;
    Py_buffer b[8];
    int got = get_trial(objects, b, n, k, size);
    if (got == 8) {
        Py_BEGIN_ALLOW_THREADS
        if (size == 8) {
            PLANE(plane_f64, s, b);
            here->f64.evaluate(&s, a, out);
        } else {
            PLANE(plane_f32, s, b);
            here->f32.evaluate(&s, a, out);
        }
        Py_END_ALLOW_THREADS
        result = Py_BuildValue("dddddd", out[0], out[1], out[2], out[3], out[4], out[5]);
    }
    release(b, got);
    return result;
}

static PyObject *py_search(PyObject *self, PyObject *args)
{
    int size;
    Py_ssize_t n, k;
    double a[2], mean, constant, along[2], forms[3], origin, noise, accuracy, parallel, promised, match, out[6];
    PyObject *objects[8], *result = NULL;
    if (!PyArg_ParseTuple(args, "innddOOOOOOOO(ddddddd)(dddddd)", &size, &n, &k, a, a + 1, objects, objects + 1, objects + 2,
                          objects + 3, objects + 4, objects + 5, objects + 6, objects + 7, &mean, &constant, along, along + 1,
                          forms, forms + 1, forms + 2, &origin, &noise, &accuracy, &parallel, &promised, &match))
        return NULL;
    Py_buffer b[8];
    int got = get_trial(objects, b, n, k, size);
    if (got == 8) {
        Py_BEGIN_ALLOW_THREADS
#define SEARCH(NAME, RUN)                                                                           \
    {                                                                                               \
        PLANE(NAME, s, b);                                                                          \
        s.mean = mean;                                                                              \
        s.constant = constant;                                                                      \
        memcpy(s.along, along, sizeof along);                                                       \
        memcpy(s.forms, forms, sizeof forms);                                                       \
        RUN(&s, a, origin, noise, accuracy, parallel, &promised, &match, out);                      \
    }
        if (size == 8)
            SEARCH(plane_f64, here->f64.search)
        else
            SEARCH(plane_f32, here->f32.search)
        Py_END_ALLOW_THREADS
        result = Py_BuildValue("ddddd", a[0], a[1], out[0], promised, match);
    }
    release(b, got);
    return result;
}

static PyObject *py_plane(PyObject *self, PyObject *args)
{
    int size, m;
    Py_ssize_t n, p;
    PyObject *objects[7]; /* X, coefs, intercepts, y, weight, gradient, bend */
    if (!PyArg_ParseTuple(args, "iinnOOOOOOO", &size, &m, &n, &p, objects, objects + 1, objects + 2, objects + 3, objects + 4,
                          objects + 5, objects + 6))
        return NULL;
    if (m < 0 || m > 2) return PyErr_Format(PyExc_ValueError, "%d directions, expected 0, 1 or 2", m);
    Py_buffer b[7];
    Py_ssize_t counts[7] = {n * p, (m + 1) * p, m + 1, n, n, p, n};
    Py_ssize_t sizes[7] = {size, 8, 8, size, size, 8, size};
    PyObject *result = NULL;
    int got = get_all(objects, b, 7, 47, 5, counts, sizes);
    if (got < 7) goto done;
    double out[6] = {0, 0, 0, 0, 0, 0};
    Py_BEGIN_ALLOW_THREADS
    if (size == 8)
        here->f64.plane(b[0].buf, n, p, b[1].buf, b[2].buf, m, b[3].buf, data_or_null(b + 4), b[5].buf, data_or_null(b + 6), out);
    else
        here->f32.plane(b[0].buf, n, p, b[1].buf, b[2].buf, m, b[3].buf, data_or_null(b + 4), b[5].buf, data_or_null(b + 6), out);
    Py_END_ALLOW_THREADS
    result = Py_BuildValue("dddddd", out[0], out[1], out[2], out[3], out[4], out[5]);
done:
    release(b, got);
    return result;
}

static PyObject *py_columns(PyObject *self, PyObject *args)
{
    int size;
    Py_ssize_t n, p;
    PyObject *objects[7]; /* X, shift, weight, target, sums, squares, cross */
    if (!PyArg_ParseTuple(args, "innOOOOOOO", &size, &n, &p, objects, objects + 1, objects + 2, objects + 3, objects + 4,
                          objects + 5, objects + 6))
        return NULL;
    Py_buffer b[7];
    Py_ssize_t counts[7] = {n * p, p, n, n, p, p, p};
    Py_ssize_t sizes[7] = {size, 8, size, 8, 8, 8, 8};
    PyObject *result = NULL;
    int got = get_all(objects, b, 7, 51, 4, counts, sizes);
    if (got < 7) goto done;
    double mass;
    Py_BEGIN_ALLOW_THREADS
    if (size == 8)
        mass = here->f64.columns(b[0].buf, n, p, b[1].buf, data_or_null(b + 2), data_or_null(b + 3), b[4].buf, b[5].buf,
                           data_or_null(b + 6));
    else
        mass = here->f32.columns(b[0].buf, n, p, b[1].buf, data_or_null(b + 2), data_or_null(b + 3), b[4].buf, b[5].buf,
                           data_or_null(b + 6));
    Py_END_ALLOW_THREADS
    result = PyFloat_FromDouble(mass);
done:
    release(b, got);
    return result;
}

static PyObject *py_distances(PyObject *self, PyObject *args)
{
    int size;
    Py_ssize_t n, p;
    PyObject *objects[4]; /* X, centre, factor, out */
    if (!PyArg_ParseTuple(args, "innOOOO", &size, &n, &p, objects, objects + 1, objects + 2, objects + 3)) return NULL;
    Py_buffer b[4];
    Py_ssize_t counts[4] = {n * p, p, p, n};
    Py_ssize_t sizes[4] = {size, 8, 8, 8};
    PyObject *result = NULL;
    int got = get_all(objects, b, 4, 15, 3, counts, sizes);
    if (got < 4) goto done;
    Py_BEGIN_ALLOW_THREADS
    if (size == 8)
        here->f64.distances(b[0].buf, n, p, b[1].buf, b[2].buf, b[3].buf);
    else
        here->f32.distances(b[0].buf, n, p, b[1].buf, b[2].buf, b[3].buf);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
done:
    release(b, got);
    return result;
}

/* The columns of an array of two dimensions, or of one. */
static int get_rows(PyObject *object, Py_buffer *buffer, Py_ssize_t n, Py_ssize_t size, struct rows *rows)
{
    *rows = (struct rows){NULL, 0, 0, 0};
    buffer->obj = NULL;
    if (object == Py_None) return 0;
    if (PyObject_GetBuffer(object, buffer, PyBUF_STRIDES)) return -1;
    int two = buffer->ndim == 2;
    if ((!two && buffer->ndim != 1) || buffer->shape[0] != n || buffer->itemsize != size || buffer->strides[0] % size ||
        (two && buffer->strides[1] % size)) {
        PyErr_Format(PyExc_ValueError, "an array of %zd rows of numbers of %zd bytes is needed", n, size);
        PyBuffer_Release(buffer);
        buffer->obj = NULL;
        return -1;
    }
    *rows = (struct rows){buffer->buf, two ? buffer->shape[1] : 1, buffer->strides[0] / size, two ? buffer->strides[1] / size : 0};
    return 0;
}

/* What the next block of rows reads, or memory that is read anyway. */
static struct ahead ahead_of(const struct rows *X, const struct rows *T, Py_ssize_t n, Py_ssize_t start, Py_ssize_t size, const double *Z)
{
    struct ahead next = {{(const char *)Z, (const char *)Z}, {0, 0}, {1, 0}, 8 * size};
    start += GRAM_ROWS;
    for (int part = 0, k = 0; part < 2 && start < n; part++) {
        const struct rows *from = part ? T : X;
        if (!from->columns || (from->row != 1 && (from->column != 1 || from->row != from->columns))) continue;
        next.at[k] = (const char *)from->at + start * from->row * size;
        next.step[k] = (from->row == 1 ? from->column : GRAM_ROWS) * size;
        next.count[k++] = from->columns;
    }
    return next;
}

static PyObject *py_gram(PyObject *self, PyObject *args)
{
    int size;
    Py_ssize_t n;
    PyObject *objects[5]; /* X, T, weight, shift, out */
    if (!PyArg_ParseTuple(args, "inOOOOO", &size, &n, objects, objects + 1, objects + 2, objects + 3, objects + 4)) return NULL;
    Py_buffer b[5] = {0};
    struct rows X, T;
    PyObject *result = NULL;
    void *memory = NULL;
    if (get_rows(objects[0], b, n, size, &X) || get_rows(objects[1], b + 1, n, size, &T)) goto done;
    struct products products = here->products;
    Py_ssize_t order = X.columns + T.columns + 1, tile = products.tile, k = (order + tile - 1) / tile * tile;
    if (get(objects[2], b + 2, 0, n, size) || get(objects[3], b + 3, 0, order - 1, 8) || get(objects[4], b + 4, 1, order * order, 8))
        goto done;
    memory = PyMem_Calloc(k * GRAM_ROWS + k * (k + tile) / 2 * products.lanes + 8, sizeof(double));
    if (!memory) {
        PyErr_NoMemory();
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    double *Z = (double *)(((uintptr_t)memory + 63) & ~(uintptr_t)63); /* a vector is then in one cache line */
    double *sum = Z + k * GRAM_ROWS, *out = b[4].buf;
    for (Py_ssize_t start = 0; start < n; start += GRAM_ROWS) {
        Py_ssize_t m = n - start < GRAM_ROWS ? n - start : GRAM_ROWS;
        if (size == 8)
            here->f64.gather(&X, &T, data_or_null(b + 2), b[3].buf, start, m, Z);
        else
            here->f32.gather(&X, &T, data_or_null(b + 2), b[3].buf, start, m, Z);
        struct ahead next = ahead_of(&X, &T, n, start, size, Z);
        products.add(Z, order, (m + 7) & ~(Py_ssize_t)7, &next, sum);
    }
    add_entries(&products, sum, order, out);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
done:
    PyMem_Free(memory);
    release(b, 5);
    return result;
}

/* The mean of every step-th number of a column of n, 0 where it is not finite: that is for the pass that meets it to say. */
static double few_mean(const char *at, Py_ssize_t apart, Py_ssize_t n, Py_ssize_t step, Py_ssize_t size)
{
    double sum = 0;
    Py_ssize_t count = (n + step - 1) / step;
    for (Py_ssize_t i = 0; i < count; i++, at += step * apart) sum += size == 8 ? *(const double *)at : *(const float *)at;
    sum /= (double)count;
    return isfinite(sum) ? sum : 0;
}

static PyObject *py_middle(PyObject *self, PyObject *args)
{
    int size;
    Py_ssize_t n, step;
    PyObject *objects[3]; /* X, T, out */
    if (!PyArg_ParseTuple(args, "innOOO", &size, &n, &step, objects, objects + 1, objects + 2)) return NULL;
    if (n < 1 || step < 1) return PyErr_Format(PyExc_ValueError, "every %zdth of %zd rows", step, n);
    Py_buffer b[3] = {0};
    struct rows parts[2];
    PyObject *result = NULL;
    if (get_rows(objects[0], b, n, size, parts) || get_rows(objects[1], b + 1, n, size, parts + 1)) goto done;
    if (get(objects[2], b + 2, 1, parts[0].columns + parts[1].columns, 8)) goto done;
    double *out = b[2].buf;
    for (int part = 0; part < 2; part++)
        for (Py_ssize_t j = 0; j < parts[part].columns; j++)
            *out++ = few_mean((const char *)parts[part].at + j * parts[part].column * size, parts[part].row * size, n, step, size);
    result = Py_NewRef(Py_None);
done:
    release(b, 3);
    return result;
}

static PyObject *py_about_mean(PyObject *self, PyObject *args)
{
    PyObject *objects[2]; /* products, shift */
    if (!PyArg_ParseTuple(args, "OO", objects, objects + 1)) return NULL;
    Py_buffer b[2];
    Py_ssize_t order = PyObject_Length(objects[0]);
    if (order < 1) return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "products of no columns");
    if (get(objects[0], b, 1, order * order, 8)) return NULL;
    if (get(objects[1], b + 1, 1, order - 1, 8)) {
        PyBuffer_Release(b);
        return NULL;
    }
    double *products = b[0].buf, *shift = b[1].buf, trace = 0;
    const double *sums = products + (order - 1) * order; /* of Z; the last is that of the weights */
    double mass = sums[order - 1];
    for (Py_ssize_t i = 0; i < order - 1; i++) {
        trace += products[i * order + i];
        double offset = sums[i] / mass;
        for (Py_ssize_t j = 0; j <= i; j++) products[j * order + i] = products[i * order + j] -= offset * sums[j];
        shift[i] += offset;
    }
    PyBuffer_Release(b);
    PyBuffer_Release(b + 1);
    return Py_BuildValue("dd", mass, trace);
}

static PyObject *py_levels(PyObject *self, PyObject *none)
{
    PyObject *names = PyList_New(0);
    for (int k = 0; names && k < N_LEVELS; k++) {
        if (!runs(all_levels[k])) continue;
        PyObject *name = PyUnicode_FromString(all_levels[k]->name);
        if (!name || PyList_Append(names, name)) Py_CLEAR(names);
        Py_XDECREF(name);
    }
    PyObject *result = names ? PyList_AsTuple(names) : NULL;
    Py_XDECREF(names);
    return result;
}

static PyObject *py_level(PyObject *self, PyObject *none) { return PyUnicode_FromString(here->name); }

static PyObject *py_use(PyObject *self, PyObject *name)
{
    for (int k = 0; k < N_LEVELS; k++) {
        const struct level *level = all_levels[k];
        if (PyUnicode_CompareWithASCIIString(name, level->name) || !runs(level)) continue;
        here = level;
        return Py_NewRef(Py_None);
    }
    return PyErr_Format(PyExc_ValueError, "no level %R on this machine", name);
}

static PyObject *py_compiler(PyObject *self, PyObject *none)
{
#if defined(__VERSION__) && defined(__clang__)
    return PyUnicode_FromString(__VERSION__);
#elif defined(__VERSION__)
    return PyUnicode_FromString("GCC " __VERSION__);
#elif defined(_MSC_VER)
    return PyUnicode_FromFormat("MSVC %d", _MSC_VER);
#else
    return PyUnicode_FromString("unknown");
#endif
}

static PyObject *py_sparse_outputs(PyObject *self, PyObject *args)
{
    int kind, size;
    Py_ssize_t k, n, p, values, start, stop;
    PyObject *objects[11]; /* rows, columns, values, coef, intercepts, y, weight, cells, gradient, totals, predictions */
    if (!PyArg_ParseTuple(args, "ininnnnnOOOOOOOOOOO", &kind, &k, &size, &n, &p, &values, &start, &stop, objects, objects + 1, objects + 2,
                          objects + 3, objects + 4, objects + 5, objects + 6, objects + 7, objects + 8, objects + 9, objects + 10))
        return NULL;
    if (k < 1 || k > CELLS / 8) return PyErr_Format(PyExc_ValueError, "%zd outputs, expected 1 to %d", k, CELLS / 8);
    Py_buffer b[11];
    Py_ssize_t counts[11] = {n + 1, values, values, p * k, k, n, n, n * k, p * k, k, n * k};
    Py_ssize_t sizes[11] = {4, 4, size, 8, 8, 8, size, size, 8, 8, size};
    /* what is read whatever is asked for */
    int needed = 7 | (objects[3] == Py_None ? 1 << 7 : 1 << 4);
    if (objects[8] != Py_None) needed |= 1 << 9 | (kind == MULTINOMIAL) << 5 | (kind == CURVED) << 7;
    PyObject *result = NULL;
    int got = get_all(objects, b, 11, needed, 8, counts, sizes);
    if (got < 11) goto done;
    if (!sparse_rows(b[0].buf, n, start, stop, values)) goto done;
    double value;
    Py_BEGIN_ALLOW_THREADS
#define SPARSE_OUTPUTS(RUN)                                                                                                      \
    RUN(kind, start, stop, b[0].buf, b[1].buf, b[2].buf, k, data_or_null(b + 3), data_or_null(b + 4), data_or_null(b + 5),       \
        data_or_null(b + 6), data_or_null(b + 7), data_or_null(b + 8), data_or_null(b + 9), data_or_null(b + 10))
    value = size == 8 ? SPARSE_OUTPUTS(here->f64.sparse_outputs) : SPARSE_OUTPUTS(here->f32.sparse_outputs);
    Py_END_ALLOW_THREADS
    result = PyFloat_FromDouble(value);
done:
    release(b, got);
    return result;
}

static PyObject *py_sparse_gram(PyObject *self, PyObject *args)
{
    int size;
    Py_ssize_t n, p, values, start, stop;
    PyObject *objects[5]; /* rows, columns, values, weight, out */
    if (!PyArg_ParseTuple(args, "innnnnOOOOO", &size, &n, &p, &values, &start, &stop, objects, objects + 1, objects + 2, objects + 3,
                          objects + 4))
        return NULL;
    Py_buffer b[5];
    Py_ssize_t counts[5] = {n + 1, values, values, n, (p + 1) * (p + 1)};
    Py_ssize_t sizes[5] = {4, 4, size, size, 8};
    PyObject *result = NULL;
    int got = get_all(objects, b, 5, 23, 4, counts, sizes);
    if (got < 5) goto done;
    if (!sparse_rows(b[0].buf, n, start, stop, values)) goto done;
    Py_BEGIN_ALLOW_THREADS
    if (size == 8)
        here->f64.sparse_gram(start, stop, b[0].buf, b[1].buf, b[2].buf, p, data_or_null(b + 3), b[4].buf);
    else
        here->f32.sparse_gram(start, stop, b[0].buf, b[1].buf, b[2].buf, p, data_or_null(b + 3), b[4].buf);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
done:
    release(b, got);
    return result;
}

static PyMethodDef methods[] = {
    {"plane", py_plane, METH_VARARGS,
     "plane(itemsize, m, n, p, X, coefs, intercepts, y, weight, gradient, bend) -> (value, total, mass, h, h, h)\n\n"
     "The binomial loss at X coefs[0] + intercepts[0] and its Hessian along m more; adds X' r to gradient, fills bend."},
    {"columns", py_columns, METH_VARARGS,
     "columns(itemsize, n, p, X, shift, weight, target, sums, squares, cross) -> mass\n\n"
     "Adds the weighted sums of z = X - shift, of its squares and of its products with a target; mass is that of the weights."},
    {"distances", py_distances, METH_VARARGS,
     "distances(itemsize, n, p, X, centre, factor, out)\n\n"
     "Fills out with the rows' squared distances from the centre, each column's times its factor."},
    {"sweep", py_sweep, METH_VARARGS,
     "sweep(kind, itemsize, n, p, X, coef, intercept, y, weight, gradient, raw) -> (value, total)\n\n"
     "Adds X' r to gradient; value is the sum of the losses and total that of r, the slopes at X coef + intercept, kept in raw."},
    {"outputs", py_outputs, METH_VARARGS,
     "outputs(kind, itemsize, k, X, coef, intercepts, y, weight, cells, gradient, totals, raw) -> value\n\n"
     "A sweep for k outputs: value is the sum of the losses; adds R' X to gradient and the sums of R, the weighted slopes at "
     "X coef' + intercepts, to totals. Curved, R is the Hessian's product with them, and cells are the probabilities; without "
     "coef, R is cells. Predictions are kept in raw; without gradient there is nothing else."},
    {"sparse_sweep", py_sparse_sweep, METH_VARARGS,
     "sparse_sweep(kind, itemsize, n, p, values, start, stop, rows, columns, X, coef, intercept, y, weight, cells, gradient, raw) -> "
     "(value, total)\n\n"
     "A sweep over some of the n compressed sparse rows of X; without coef its slopes are cells, without gradient it only fills raw."},
    {"sparse_columns", py_sparse_columns, METH_VARARGS,
     "sparse_columns(itemsize, n, p, values, start, stop, rows, columns, X, weight, target, centre, sums)\n\n"
     "Adds to sums, p x 4, over the stored values of some rows: the weights, the values less the centre, their squares and their "
     "products with the target."},
    {"trial", py_trial, METH_VARARGS,
     "trial(itemsize, n, k, a, b, y, weight, base, first, second, raw, slope, bend) -> (value, g, g, h, h, h)\n\n"
     "The binomial (k = 1) or multinomial loss at base + a first + b second, its gradient and Hessian along the two; fills raw, "
     "slope, bend."},
    {"search", py_search, METH_VARARGS,
     "search(itemsize, n, k, a, b, y, weight, base, first, second, raw, slope, bend, (mean, constant, along, along, forms, forms, "
     "forms), (origin, noise, accuracy, parallel, promised, match)) -> (a, b, value, promised, match)\n\n"
     "A Newton search from a, b over both; fills raw, slope, bend at its end."},
    {"gram", py_gram, METH_VARARGS,
     "gram(itemsize, n, X, T, weight, shift, out)\n\n"
     "Adds Z'Z to out, which is symmetric, where Z = [X T 1] less the shift (none of the ones), its rows times the roots of the weights."},
    {"middle", py_middle, METH_VARARGS,
     "middle(itemsize, n, step, X, T, out)\n\nFills out with the means of every step-th row of [X T], 0 where they are not finite."},
    {"about_mean", py_about_mean, METH_VARARGS,
     "about_mean(products, shift) -> (mass, trace)\n\n"
     "From what gram fills, moments about the shift, to moments about the mean, which shift becomes; the trace is that before."},
    {"levels", py_levels, METH_NOARGS, "levels() -> tuple of str\n\nLevels of instructions that this machine runs, the highest first."},
    {"level", py_level, METH_NOARGS, "level() -> str\n\nThe level in use; at first the highest."},
    {"use", py_use, METH_O, "use(level)\n\nTake the loops of that level from now on; ValueError where this machine does not run it."},
    {"compiler", py_compiler, METH_NOARGS, "compiler() -> str\n\nWhat compiled this module."},
    {"sparse_outputs", py_sparse_outputs, METH_VARARGS,
     "sparse_outputs(kind, k, itemsize, n, p, values, start, stop, rows, columns, X, coef, intercepts, y, weight, cells, gradient, totals, "
     "raw) -> value\n\n"
     "As outputs, over some of the n compressed sparse rows of X; coef and gradient are by columns of X, k numbers each."},
    {"sparse_gram", py_sparse_gram, METH_VARARGS,
     "sparse_gram(itemsize, n, p, values, start, stop, rows, columns, X, weight, out)\n\n"
     "Adds products of the columns of X, and of ones behind them, over some of its compressed sparse rows, whose columns rise, to the "
     "lower triangle of out."},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_kernels", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernels(void)
{
    for (int k = N_LEVELS; k--;)
        if (runs(all_levels[k])) here = all_levels[k];
    return PyModule_Create(&module);
}
