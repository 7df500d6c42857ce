/* Memory maps that may be read while somebody cuts their file.

   One use: rows of X that are computed in a memory map (designs/stored.py), by compiled sweeps, NumPy and BLAS alike.

   A system sends SIGBUS to a thread that touches a page which the file does not have any more, or which its disk fails to give,
   and by default that ends the process. A handler of that signal can put zeros in place of the page, upon which the thread goes
   on, and remember that it did: whoever reads asks afterwards, and throws away what was computed of zeros. systemd's journal
   (src/basic/sigbus.c) and the shared memory of Wayland's compositors (wayland-shm.c) are read in this way. Jumping out of the
   faulting code (siglongjmp, as Firefox does around its zip files) would leave locks of BLAS and NumPy as they are.

   Zeros must not stay in the user's array, which would be silently wrong for good once the file is whole again, and at once for
   his other threads. So what is read is a mirror: a second mapping of the same pages, read-only and our own. mremap(2) makes it
   where the old size is 0, without the file's name or descriptor, of files that are deleted or replaced, too; not of
   private mappings, whose changed pages are in no file.

   A process has one handler of a signal. Ours is there only while there are mirrors, what it does not know goes to the one that it
   found, and that one is put back at the end. Where a handler was installed on top of ours in the meantime, ours has to stay
   below it, in case it is called from there; then no new mirrors are made until that handler goes, since to install ours
   again above it could make a circle of the two. Everything outside the handler runs with the interpreter's lock held. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mremap */
#endif
#include "_kernels_guard.h"
#include <errno.h>

#if defined(__linux__) && !defined(__STDC_NO_ATOMICS__)

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Mirrors at a time: one for each fit or prediction that reads a memory map. The handler looks through all of them. */
#define MOST 64

/* Addresses of a mirror, and one whose page was lost, or 0. Fixed places, so that the handler never meets memory that was given
   back: `end` is 0 where there is none, it is set last and cleared first. */
static struct {
    _Atomic(uintptr_t) begin, end, lost;
} mirrors[MOST];

static struct sigaction before; /* what was there when ours was installed */
static int users;               /* mirrors that there are */
static int below;               /* whether ours had to be left below another handler */
static uintptr_t page;
static PyObject *mirror_type;

/* As if ours had not been there. */
static void forward(int number, siginfo_t *info, void *context)
{
    /* sent by kill() or as a warning, rather than raised by an instruction, which comes again when it is returned to */
    int sent = info->si_code <= 0 || info->si_code == BUS_MCEERR_AO;
    if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(number, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(number);
    } else if (before.sa_handler == SIG_DFL || !sent) { /* the system does not let a fault be ignored */
        struct sigaction end = {.sa_handler = SIG_DFL};
        sigaction(number, &end, NULL);
        if (sent) raise(number);
    }
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    int error = errno;
    uintptr_t at = (uintptr_t)info->si_addr;
    for (int k = 0; k < MOST && info->si_code > 0; k++) {
        uintptr_t end = mirrors[k].end;
        if (!end || at < mirrors[k].begin || at >= end || end != mirrors[k].end) continue;
        mirrors[k].lost = at; /* before anybody can read a zero */
        /* and all behind it: where a file was cut, one fault is enough */
        at -= at % page;
        if (mmap((void *)at, end - at, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) break;
        errno = error;
        return;
    }
    forward(number, info, context);
    errno = error;
}

static int is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == on_fault;
}

/* Returns -1 with errno set where faults cannot be handled. */
static int install(void)
{
    struct sigaction now, ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (sigaction(SIGBUS, NULL, &now)) return -1;
    if (is_ours(&now)) {
        below = 0;
        return 0;
    }
    if (users || below) {
        errno = EBUSY;
        return -1;
    }
    before = now;
    return sigaction(SIGBUS, &ours, NULL);
}

static void uninstall(void)
{
    struct sigaction now;
    if (sigaction(SIGBUS, NULL, &now)) return;
    below = !is_ours(&now);
    if (!below) sigaction(SIGBUS, &before, NULL);
}

struct mirror {
    PyObject_HEAD
    int place;
    void *at;
    size_t size;
};

static void mirror_dealloc(PyObject *object)
{
    struct mirror *self = (struct mirror *)object;
    if (self->at) {
        mirrors[self->place].end = 0;
        munmap(self->at, self->size);
        if (--users == 0) uninstall();
    }
    PyTypeObject *type = Py_TYPE(object);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static int mirror_getbuffer(PyObject *object, Py_buffer *buffer, int flags)
{
    struct mirror *self = (struct mirror *)object;
    return PyBuffer_FillInfo(buffer, object, self->at, self->size, 1, flags);
}

static PyObject *mirror_lost(PyObject *object, void *closure)
{
    struct mirror *self = (struct mirror *)object;
    uintptr_t lost = mirrors[self->place].lost;
    return lost ? PyLong_FromSize_t(lost - (uintptr_t)self->at) : Py_NewRef(Py_None);
}

PyObject *py_mirror(PyObject *module, PyObject *mapping)
{
    Py_buffer buffer;
    if (PyObject_GetBuffer(mapping, &buffer, PyBUF_SIMPLE)) return NULL;
    page = (uintptr_t)sysconf(_SC_PAGESIZE);
    size_t size = ((size_t)buffer.len + page - 1) / page * page;
    struct mirror *self = (struct mirror *)PyType_GenericAlloc((PyTypeObject *)mirror_type, 0);
    if (!self) goto done;
    int place = 0;
    while (place < MOST && mirrors[place].end) place++;
    void *at = MAP_FAILED;
    if (place == MOST)
        errno = EAGAIN;
    else if (!install())
        at = mremap(buffer.buf, 0, size, MREMAP_MAYMOVE);
    if (at == MAP_FAILED) {
        PyErr_SetFromErrno(PyExc_OSError);
        if (!users) uninstall();
        Py_DECREF(self);
        self = NULL;
        goto done;
    }
    mprotect(at, size, PROT_READ); /* what was mapped to be written, too, is only read here */
    self->place = place;
    self->at = at;
    self->size = size;
    users++;
    mirrors[place].lost = 0;
    mirrors[place].begin = (uintptr_t)at;
    mirrors[place].end = (uintptr_t)at + size;
done:
    PyBuffer_Release(&buffer);
    return (PyObject *)self;
}

int add_mirror(void)
{
    static PyGetSetDef properties[] = {{"lost", mirror_lost, NULL, "Where a byte could not be read, or None.", NULL}, {NULL}};
    static PyType_Slot slots[] = {{Py_tp_dealloc, mirror_dealloc},
                                  {Py_bf_getbuffer, mirror_getbuffer},
                                  {Py_tp_getset, properties},
                                  {Py_tp_doc, "A second mapping of a memory map, read-only, in which lost pages are zeros."},
                                  {0, NULL}};
    static PyType_Spec spec = {"sklearn_gd._kernels.Mirror", sizeof(struct mirror), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
    mirror_type = PyType_FromSpec(&spec);
    return mirror_type ? 0 : -1;
}

#else

PyObject *py_mirror(PyObject *module, PyObject *mapping)
{
    errno = ENOSYS;
    return PyErr_SetFromErrno(PyExc_OSError);
}

int add_mirror(void) { return 0; }

#endif
