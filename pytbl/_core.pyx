# cython: language_level=3, boundscheck=False, wraparound=False
"""The compiled engine seen from Python: memory, plans, passes. The only place that knows csrc."""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE,
    PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer,
)

cdef extern from "tbl.h" nogil:
    enum:
        TBL_OK
        TBL_NO_MEMORY
        TBL_NO_PLAN
    ctypedef struct tbl_shape:
        ptrdiff_t px, py, ny, kx_max, ky_max
        double dkx, dky
        ptrdiff_t size, rank
        int threads
    ctypedef struct tbl_layout:
        ptrdiff_t kx_start, kx_count, y_start, y_count, column_length, row_length
        const ptrdiff_t *column_counts
        const ptrdiff_t *column_displs
        const ptrdiff_t *row_counts
        const ptrdiff_t *row_displs
    ctypedef struct tbl_stage:
        double dt, g, s, h, a, b, viscosity, drag, beta
        int order
    ctypedef struct tbl_sources:
        const void *rate
        const void *impulse
        ptrdiff_t rate_columns, impulse_columns
        double impulse_scale
    ctypedef struct tbl_plan:
        pass
    ctypedef struct tbl_engine:
        int (*plan_create)(const tbl_shape *, int, const char *, tbl_plan **) noexcept nogil
        void (*plan_destroy)(tbl_plan *) noexcept nogil
        const tbl_layout *(*layout)(const tbl_plan *) noexcept nogil
        const char *(*wisdom)(const tbl_plan *) noexcept nogil
        void (*line_seconds)(tbl_plan *, double *) noexcept nogil
        void (*columns_velocity)(tbl_plan *, const void *, void *) noexcept nogil
        void (*columns_step)(tbl_plan *, const tbl_stage *, const tbl_sources *, void *, void *,
                             void *) noexcept nogil
        void (*columns_tendency)(tbl_plan *, void *, void *) noexcept nogil
        void (*columns_synthesize)(tbl_plan *, const void *, const void *, void *) noexcept nogil
        void (*columns_analyze)(tbl_plan *, void *, void *, void *) noexcept nogil
        void (*rows_square)(tbl_plan *, void *, double *) noexcept nogil
        void (*rows_modulus)(tbl_plan *, void *) noexcept nogil
        void (*rows_read)(tbl_plan *, const void *, void *, void *) noexcept nogil
        void (*rows_write)(tbl_plan *, const void *, const void *, void *) noexcept nogil
    const tbl_engine tbl_f64
    const tbl_engine tbl_f32
    void *tbl_alloc(size_t)
    void tbl_free(void *)


cdef class Memory:
    """Zeroed bytes on a cache line, in huge pages where the system has them."""

    cdef void *start
    cdef Py_ssize_t nbytes

    def __cinit__(self, Py_ssize_t nbytes):
        self.start = tbl_alloc(nbytes)
        self.nbytes = nbytes
        if self.start == NULL:
            raise MemoryError(f"{nbytes} bytes could not be allocated")

    def __dealloc__(self):
        tbl_free(self.start)

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.start, self.nbytes, 0, flags)


cdef void *address(object array, str form, Py_ssize_t length, bint writable) except? NULL:
    """Address of a contiguous array of `length` numbers of the given form; the caller keeps it."""
    cdef Py_buffer view
    cdef int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT
    if array is None:
        return NULL
    PyObject_GetBuffer(array, &view, flags | PyBUF_WRITABLE if writable else flags)
    try:
        got = (<bytes>view.format).decode() if view.format != NULL else "B"
        if got != form:
            raise TypeError(f"array of the wrong type: expected format {form!r}, got {got!r}")
        if view.len != length * view.itemsize:
            raise ValueError(
                f"array of the wrong size: expected {length} numbers, "
                f"got {view.len // view.itemsize}")
        return view.buf
    finally:
        PyBuffer_Release(&view)


cdef class Plan:
    """Transforms and passes on one product grid, in one precision, on one rank.

    Parameters
    ----------
    points : (int, int)
        ``(px, py)``, the grid on which products are formed.
    kept : (int, int)
        Largest mode numbers ``(kx_max, ky_max)``.
    spacing : (float, float)
        Wavenumber spacing ``(2 pi / lx, 2 pi / ly)`` [1/length].
    ny : int
        Entries of a column of a spectral slab.
    size, rank : int
        Ranks that share the domain, and this one.
    threads : int
        OpenMP threads of the passes.
    single : bool
        float32 instead of float64.
    measure : bool
        Plan with FFTW_MEASURE, else FFTW_ESTIMATE.
    wisdom : str or None
        FFTW wisdom to plan from.

    Raises
    ------
    MemoryError
        No memory for the buffers.
    RuntimeError
        FFTW makes no plan.
    """

    cdef const tbl_engine *engine
    cdef tbl_plan *plan
    cdef tbl_shape shape
    cdef const tbl_layout *cut
    cdef str real_form, complex_form
    cdef readonly Py_ssize_t slab_length, field_length

    def __cinit__(self, points, kept, spacing, *, Py_ssize_t ny, Py_ssize_t size=1,
                  Py_ssize_t rank=0, int threads=1, bint single=False, bint measure=True,
                  wisdom=None):
        cdef int status
        cdef bytes text = b"" if wisdom is None else wisdom.encode()
        self.engine = &tbl_f32 if single else &tbl_f64
        self.shape.px, self.shape.py = points
        self.shape.kx_max, self.shape.ky_max = kept
        self.shape.dkx, self.shape.dky = spacing
        self.shape.ny = ny
        self.shape.size = size
        self.shape.rank = rank
        self.shape.threads = threads
        status = self.engine.plan_create(
            &self.shape, measure, <const char *>text if wisdom is not None else NULL, &self.plan)
        if status == TBL_NO_MEMORY:
            raise MemoryError(f"no memory for transforms of {points[0]} x {points[1]} points")
        if status != TBL_OK:
            raise RuntimeError(f"FFTW has no plan for {points[0]} x {points[1]} points")
        self.cut = self.engine.layout(self.plan)
        self.real_form, self.complex_form = ("f", "Zf") if single else ("d", "Zd")
        self.slab_length = self.cut.kx_count * ny
        self.field_length = self.cut.y_count * self.shape.px

    def __dealloc__(self):
        if self.plan != NULL:
            self.engine.plan_destroy(self.plan)

    @property
    def kx_start(self):
        """First column of this rank."""
        return self.cut.kx_start

    @property
    def kx_count(self):
        """Columns of this rank."""
        return self.cut.kx_count

    @property
    def y_start(self):
        """First row of this rank."""
        return self.cut.y_start

    @property
    def y_count(self):
        """Rows of this rank."""
        return self.cut.y_count

    @property
    def column_length(self):
        """Complex numbers in the exchange buffer, column side."""
        return self.cut.column_length

    @property
    def row_length(self):
        """Complex numbers in the exchange buffer, row side."""
        return self.cut.row_length

    @property
    def column_chunks(self):
        """Counts and displacements of the chunks for each rank, column side."""
        return ([self.cut.column_counts[r] for r in range(self.shape.size)],
                [self.cut.column_displs[r] for r in range(self.shape.size)])

    @property
    def row_chunks(self):
        """Counts and displacements of the chunks for each rank, row side."""
        return ([self.cut.row_counts[r] for r in range(self.shape.size)],
                [self.cut.row_displs[r] for r in range(self.shape.size)])

    @property
    def wisdom(self):
        """FFTW wisdom from which this plan can be made again, bit for bit."""
        return self.engine.wisdom(self.plan).decode()

    def line_seconds(self):
        """Shortest time of one transform along x and along y, in cache [s]."""
        cdef double seconds[2]
        with nogil:
            self.engine.line_seconds(self.plan, seconds)
        return seconds[0], seconds[1]

    cdef void *slab(self, array, bint writable) except? NULL:
        return address(array, self.complex_form, self.slab_length, writable)

    cdef void *field(self, array, bint writable) except? NULL:
        return address(array, self.real_form, self.field_length, writable)

    cdef void *columns(self, buffer) except? NULL:
        return address(buffer, self.complex_form, self.cut.column_length, True)

    cdef void *rows(self, buffer) except? NULL:
        return address(buffer, self.complex_form, self.cut.row_length, True)

    def columns_velocity(self, omega, buffer):
        """Put ``z = u + i v`` along y into the buffer."""
        cdef void *w = self.slab(omega, False)
        cdef void *b = self.columns(buffer)
        with nogil:
            self.engine.columns_velocity(self.plan, w, b)

    def columns_step(self, stage, operator, omega, history, buffer, *, double dt, rate=None,
                     Py_ssize_t rate_columns=0, impulse=None, Py_ssize_t impulse_columns=0,
                     double impulse_scale=0.0):
        """Advance ``omega`` by one stage ``(g, s, h, a, b)``; the buffer then holds the new z.

        ``operator`` is ``(viscosity, order, drag, beta)``. The slab ``rate`` is added to N on its
        first ``rate_columns`` columns; ``impulse_scale * impulse`` to ``omega`` after the stage.
        """
        cdef tbl_stage row
        cdef tbl_sources sources
        cdef void *w = self.slab(omega, True)
        cdef void *h = self.slab(history, True)
        cdef void *b = self.columns(buffer)
        sources.rate = self.slab(rate, False)
        sources.rate_columns = rate_columns
        sources.impulse = self.slab(impulse, False)
        sources.impulse_columns = impulse_columns
        sources.impulse_scale = impulse_scale
        row.dt = dt
        row.g, row.s, row.h, row.a, row.b = stage
        row.viscosity, row.order, row.drag, row.beta = operator
        with nogil:
            self.engine.columns_step(self.plan, &row, &sources, w, h, b)

    def columns_tendency(self, buffer, tendency):
        """Read ``N_hat`` from a buffer that holds the square of z."""
        cdef void *b = self.columns(buffer)
        cdef void *n = self.slab(tendency, True)
        with nogil:
            self.engine.columns_tendency(self.plan, b, n)

    def columns_synthesize(self, a, b, buffer):
        """Put ``a + i b`` along y into the buffer, from spectra; b may be None."""
        cdef void *pa = self.slab(a, False)
        cdef void *pb = self.slab(b, False)
        cdef void *to = self.columns(buffer)
        with nogil:
            self.engine.columns_synthesize(self.plan, pa, pb, to)

    def columns_analyze(self, buffer, a, b):
        """Read the spectra of the real fields a and b (or None) from ``a + i b``."""
        cdef void *at = self.columns(buffer)
        cdef void *pa = self.slab(a, True)
        cdef void *pb = self.slab(b, True)
        with nogil:
            self.engine.columns_analyze(self.plan, at, pa, pb)

    def rows_square(self, buffer):
        """Square z at every point; returns max abs(u) and max abs(v) of this rank."""
        cdef double maxima[2]
        cdef void *b = self.rows(buffer)
        with nogil:
            self.engine.rows_square(self.plan, b, maxima)
        return maxima[0], maxima[1]

    def rows_modulus(self, buffer):
        """Multiply f by its modulus at every point."""
        cdef void *b = self.rows(buffer)
        with nogil:
            self.engine.rows_modulus(self.plan, b)

    def rows_read(self, buffer, a, b):
        """Real fields a and b (or None) from ``a + i b`` along x."""
        cdef void *at = self.rows(buffer)
        cdef void *pa = self.field(a, True)
        cdef void *pb = self.field(b, True)
        with nogil:
            self.engine.rows_read(self.plan, at, pa, pb)

    def rows_write(self, a, b, buffer):
        """Put ``a + i b`` along x into the buffer, from real fields; b may be None."""
        cdef void *pa = self.field(a, False)
        cdef void *pb = self.field(b, False)
        cdef void *to = self.rows(buffer)
        with nogil:
            self.engine.rows_write(self.plan, pa, pb, to)
