/* Symmetric products of bfloat16 numbers in the processor's matrix unit: what _kernels.c registers. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

/* has_tiles() -> bool */
PyObject *py_has_tiles(PyObject *self, PyObject *none);
/* pack(rows, along, shift_0, scale_0, shift_1, scale_1, ones, a, b) */
PyObject *py_pack(PyObject *self, PyObject *args);
/* multiply(a, b, steps, i0, i1, j0, j1, out) */
PyObject *py_multiply(PyObject *self, PyObject *args);
PyObject *py_grams(PyObject *self, PyObject *args);
