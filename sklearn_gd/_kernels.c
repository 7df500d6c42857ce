/* Passes over X and over predictions that read every number once: what NumPy's ufuncs need ten passes for.

   Three uses: the fused sweeps of a dense or sparse design (predictions, their pointwise loss, and the adjoint of its slopes while
   the rows are in cache), the symmetric product of a few columns, and the trials of a search on a loss. Here arguments are taken, as
   _kernels_table.h has them; the loops are in _kernels_loops.h, compiled for several levels of instructions, of which one is in use. */

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

/* ----------------------------------------------------------------------------------------------------- arguments */

#define MOST_ARRAYS 12
/* Arrays of a call that are held until it is done. */
struct held {
    Py_buffer buffers[MOST_ARRAYS];
    int count;
};

/* How many numbers an array has, by the factors of its description; `at` comes to stand behind them. */
static Py_ssize_t count_of(const char **at, const struct call *c)
{
    Py_ssize_t count = 1;
    while (**at && !strchr(" ?!", **at)) {
        char factor = *(*at)++;
        Py_ssize_t number = factor <= '9' ? factor - '0' : c->number[(int)factor];
        if (**at == '+') number += 1;
        if (**at == '-') number -= 1;
        if (**at == '^') number = (number + WIDTH - 1) / WIDTH * WIDTH;
        if (**at && strchr("+-^", **at)) ++*at;
        count *= number;
    }
    return count;
}

/* Whether the rows from b to e are there, and begin and end among their values. */
static int sparse_rows(const int32_t *ends, const struct call *c)
{
    Py_ssize_t start = c->number['b'], stop = c->number['e'];
    if (0 <= start && start <= stop && stop <= c->number['n'] && 0 <= ends[start] && ends[start] <= ends[stop] &&
        ends[stop] <= c->number['v'])
        return 1;
    PyErr_SetString(PyExc_ValueError, "rows or values that are not there");
    return 0;
}

/* An array of two dimensions, or of one. */
static int take_rows(const Py_buffer *buffer, struct call *c)
{
    Py_ssize_t *n = &c->number['n'], size = c->number['s'] ? c->number['s'] : (Py_ssize_t)sizeof(double);
    int two = buffer->ndim == 2;
    if (*n < 0 && buffer->ndim) *n = buffer->shape[0];
    if ((!two && buffer->ndim != 1) || buffer->shape[0] != *n || buffer->itemsize != size || buffer->strides[0] % size ||
        (two && buffer->strides[1] % size)) {
        PyErr_Format(PyExc_ValueError, "an array of %zd rows of numbers of %zd bytes is needed", *n, size);
        return 0;
    }
    struct rows rows = {buffer->buf, two ? buffer->shape[1] : 1, buffer->strides[0] / size, two ? buffer->strides[1] / size : 0};
    c->rows[c->parts - 1] = rows;
    c->number['p'] += rows.columns;
    return 1;
}

/* The array that is described at `at`, which comes to stand behind its description. */
static int take_array(const char **at, PyObject *object, struct call *c, struct held *held)
{
    char name = **at, type = (*at)[2];
    *at += 3;
    Py_ssize_t size = c->number['s'], count = count_of(at, c);
    int optional = **at == '?', written = (*at)[optional] == '!';
    *at += optional + written;
    if (type == 'I' || type == 'O') size = sizeof(int32_t);
    if (type == 'D' || type == 'L' || (type == 'T' && c->number['k'] > 1)) size = sizeof(double);
    if (type == 'S') c->parts++;
    if (object == Py_None) {
        if (!optional) PyErr_SetString(PyExc_ValueError, "an array that is needed is None");
        return optional;
    }
    Py_buffer *buffer = held->buffers + held->count;
    if (PyObject_GetBuffer(object, buffer, (written ? PyBUF_WRITABLE : 0) | (type == 'S' ? PyBUF_STRIDES : 0))) return 0;
    held->count++;
    c->array[(int)name] = buffer->buf;
    if (type == 'S') return take_rows(buffer, c);
    if (buffer->len != count * size) {
        PyErr_Format(PyExc_ValueError, "a buffer of %zd bytes, expected %zd", buffer->len, count * size);
        return 0;
    }
    return type != 'O' || sparse_rows(buffer->buf, c);
}

/* All arguments, as they are described. */
static int take(const char *at, PyObject *const *args, Py_ssize_t given, struct call *c, struct held *held)
{
    const char *all = at;
    for (; *at && given; args++, given--) {
        if (*at == '.')
            c->real[c->reals++] = PyFloat_AsDouble(*args), at++;
        else if (at[1] != ':')
            c->number[(int)*at++] = PyNumber_AsSsize_t(*args, PyExc_OverflowError);
        else if (!take_array(&at, *args, c, held))
            return 0;
        if (PyErr_Occurred()) return 0;
        at += *at == ' ';
    }
    if (!*at && !given) return 1;
    PyErr_Format(PyExc_TypeError, "the arguments are %s", all);
    return 0;
}

/* Whether numbers are in their ranges, and there is what the loops read whatever is asked for. */
static int makes_sense(enum kernel which, const struct call *c)
{
    const Py_ssize_t *number = c->number, kind = number['f'], k = number['k'], size = number['s'];
    void *const *array = c->array;
    const struct rows *rows = c->rows;
    int models = which == models_kernel || which == sparse_models_kernel;
    int sparse = which == sparse_sweep_kernel || which == sparse_outputs_kernel || which == sparse_models_kernel;
    int several = which == outputs_kernel || which == sparse_outputs_kernel || models;
    int trial = which == trial_kernel || which == search_kernel;
    Py_ssize_t most = trial ? CELLS / 2 : CELLS / 8;
    if (kind < PLAIN || kind > GIVEN || (trial && (k > 1 ? kind != MULTINOMIAL : kind < SQUARED || kind >= MULTINOMIAL)))
        PyErr_Format(PyExc_ValueError, "no loss of kind %zd", kind);
    else if (size != sizeof(double) && size != sizeof(float) && which != about_mean_kernel)
        PyErr_Format(PyExc_ValueError, "numbers of %zd bytes, expected 4 or 8", size);
    else if ((several || trial) && (k < 1 || k > most))
        PyErr_Format(PyExc_ValueError, "%zd outputs, expected 1 to %zd", k, most);
    else if (number['m'] < 0 || number['m'] > 2)
        PyErr_Format(PyExc_ValueError, "%zd directions, expected 0, 1 or 2", number['m']);
    else if (which == middle_kernel && (number['n'] < 1 || number['j'] < 1))
        PyErr_Format(PyExc_ValueError, "every %zdth of %zd rows", number['j'], number['n']);
    else if ((which == outputs_kernel || which == models_kernel) && ((rows->columns > 1 && rows->column != 1) || rows->row < 0))
        PyErr_Format(PyExc_ValueError, "X must have contiguous rows and numbers of %zd bytes", size);
    else if (which == about_mean_kernel && (rows->columns != number['n'] || rows->column != 1 || rows->row != rows->columns))
        PyErr_SetString(PyExc_ValueError, "products must be square and contiguous");
    else if ((sparse || several) && !(array['W'] ? !several || array['A'] : array['C'] != NULL))
        PyErr_SetString(PyExc_ValueError, "an array that is needed is None: coefficients with intercepts, or cells");
    else if ((SQUARED <= kind && kind <= MULTINOMIAL && !array['Y']) || (kind >= CURVED && !array['C']))
        PyErr_SetString(PyExc_ValueError, "an array that is needed is None: targets of a loss, or cells");
    else if ((kind == HUBER || kind == POISSON) && !array['L'])
        PyErr_SetString(PyExc_ValueError, "an array that is needed is None: a loss's own numbers");
    else if (several && array['G'] && !array['T'])
        PyErr_SetString(PyExc_ValueError, "an array that is needed is None: totals beside a gradient");
    else
        return 1;
    return 0;
}

static PyObject *sums_of(const struct call *c, int results)
{
    if (c->no_memory) return PyErr_NoMemory();
    if (!results) return Py_NewRef(Py_None);
    if (results == 1) return PyFloat_FromDouble(c->sum[0]);
    PyObject *sums = PyTuple_New(results);
    for (int k = 0; sums && k < results; k++) {
        PyObject *sum = PyFloat_FromDouble(c->sum[k]);
        if (!sum || PyTuple_SetItem(sums, k, sum)) Py_CLEAR(sums);
    }
    return sums;
}

/* One kernel, called by Python. */
static PyObject *call(enum kernel which, const char *arguments, int results, PyObject *const *args, Py_ssize_t given)
{
    struct call c = {0};
    struct held held;
    PyObject *result = NULL;
    held.count = 0;
    c.number['n'] = -1; /* not known */
    if (take(arguments, args, given, &c, &held) && makes_sense(which, &c)) {
        Py_BEGIN_ALLOW_THREADS
        here->loops[c.number['s'] == sizeof(float)][which](&c);
        Py_END_ALLOW_THREADS
        result = sums_of(&c, results);
    }
    while (held.count--) PyBuffer_Release(held.buffers + held.count);
    return result;
}

#define FUNCTION(name, arguments, results)                                              \
    static PyObject *py_##name(PyObject *self, PyObject *const *args, Py_ssize_t given) \
    {                                                                                   \
        return call(name##_kernel, arguments, results, args, given);                    \
    }
KERNELS(FUNCTION)

/* -------------------------------------------------------------------------------------------------------- levels */

static PyObject *py_levels(PyObject *self, PyObject *none)
{
    PyObject *names = PyList_New(0);
    for (int k = 0; names && k < N_LEVELS; k++) {
        if (!runs(all_levels[k])) continue;
        PyObject *name = PyUnicode_FromString(all_levels[k]->name);
        if (!name || PyList_Append(names, name)) Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
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

#define METHOD(name, arguments, results) {#name, (PyCFunction)(void (*)(void))py_##name, METH_FASTCALL, NULL},

static PyMethodDef methods[] = {
    KERNELS(METHOD)
    {"levels", py_levels, METH_NOARGS, "levels() -> list of str\n\nLevels of instructions that this machine runs, the highest first."},
    {"level", py_level, METH_NOARGS, "level() -> str\n\nThe level in use; at first the highest."},
    {"use", py_use, METH_O, "use(level)\n\nTake the loops of that level from now on; ValueError where this machine does not run it."},
    {"compiler", py_compiler, METH_NOARGS, "compiler() -> str\n\nWhat compiled this module."},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_kernels", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernels(void)
{
    for (int k = N_LEVELS; k--;)
        if (runs(all_levels[k])) here = all_levels[k];
    return PyModule_Create(&module);
}
