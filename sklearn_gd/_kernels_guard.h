/* A second mapping of a memory map, safe to read whatever becomes of its file: what _kernels.c registers. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

/* mirror(mapping) -> Mirror */
PyObject *py_mirror(PyObject *self, PyObject *mapping);
/* Makes the type of mirrors; -1 with an exception set where that fails. */
int add_mirror(void);
