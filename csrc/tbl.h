/* tbl.h -- the whole interface of the engine.
 *
 * The engine advances the vorticity omega of a two-dimensional, doubly periodic flow through the
 * complex velocity z = u + i v.  With kappa = kx + i ky and W the transform of z^2,
 *
 *     z_hat(k) = omega_hat(k) / conj(kappa),
 *     N_hat(k) = (i/4) [ kappa^2 conj(W(-k)) - conj(kappa)^2 W(k) ],     N = -u . grad(omega),
 *
 * so that a right-hand side costs one inverse and one forward complex transform.  They are done in
 * two passes over one buffer: the column pass (transforms along y, spectral work, time step) and
 * the row pass (transforms along x, physical work).  docs/theory/engine.md derives all of it.
 *
 * Spectral slab   [kx local][ny]     complex, ky contiguous in FFT order, kx = 0 .. kx_max shared out
 * Physical slab   [y local][px]      real, rows shared out
 * Exchange buffer, column side       [rank of the rows][block of kx][y][ +kx ... | -kx ... ]
 *                  row side          [rank of the kx]  [block of kx][y][ +kx ... | -kx ... ]
 *
 * A block holds TBL_BLOCK values of kx: one cache line of +kx, one of -kx.  What goes to one rank
 * is contiguous, so that the exchange is an all-to-all of plain chunks; with one rank both sides
 * are the same memory.  The engine never communicates: the caller exchanges between passes.
 *
 * Everything that can fail, fails in plan_create.  The passes allocate nothing and cannot fail.
 * There are no globals.  Each source file is compiled twice, for float64 and for float32; the two
 * results are reached through tbl_f64 and tbl_f32.                                                */
#ifndef TBL_H
#define TBL_H

#include <stddef.h>

enum { TBL_OK = 0, TBL_NO_MEMORY, TBL_NO_PLAN };

typedef struct {
    ptrdiff_t px, py;         /* points of the grid on which products are formed       */
    ptrdiff_t ny;             /* ky entries in a column of a spectral slab             */
    ptrdiff_t kx_max, ky_max; /* largest mode numbers that are kept                    */
    double dkx, dky;          /* spacing of wavenumbers, 2 pi / lx and 2 pi / ly       */
    ptrdiff_t size, rank;     /* ranks that share the domain, and this one             */
    int threads;              /* OpenMP threads of the passes                          */
} tbl_shape;

/* How this rank's buffers are cut.  Lengths, counts and displacements in complex numbers.         */
typedef struct {
    ptrdiff_t kx_start, kx_count; /* columns of this rank                              */
    ptrdiff_t y_start, y_count;   /* rows of this rank                                 */
    ptrdiff_t column_length;      /* exchange buffer, column side                      */
    ptrdiff_t row_length;         /* exchange buffer, row side                         */
    const ptrdiff_t *column_counts, *column_displs; /* [size], chunk for each rank     */
    const ptrdiff_t *row_counts, *row_displs;       /* [size]                          */
} tbl_layout;

/* Right-hand side and one stage of a time scheme (pytbl/schemes.py holds the table):
 *
 *     omega <- [ (1 + a dt L) omega + dt (g N + s H) ] / (1 - b dt L),      H <- N + h H
 *     L(k)   = -viscosity k^(2 order) - drag + i beta kx / k^2                                    */
typedef struct {
    double dt, g, s, h, a, b;
    double viscosity, drag, beta;
    int order;
} tbl_stage;

/* What drives the flow besides itself, on the first columns of this rank only (NULL: nothing).
 * `rate` [1/time^2] is added to N; `impulse` [time^(-3/2)], times sqrt(dt) = `impulse_scale`, to
 * omega_hat itself once the stage is done, which is how white noise enters.                       */
typedef struct {
    const void *rate, *impulse;
    ptrdiff_t rate_columns, impulse_columns;
    double impulse_scale;
} tbl_sources;

typedef struct tbl_plan tbl_plan;

typedef struct {
    /* Plan transforms and cut the buffers.  `measure`: FFTW_MEASURE, else FFTW_ESTIMATE.  Planning
     * starts from `wisdom` (or from none: NULL) and from nothing else, so that equal wisdom gives
     * equal plans.  Not thread-safe, like FFTW's planner.                                         */
    int (*plan_create)(const tbl_shape *shape, int measure, const char *wisdom, tbl_plan **plan);
    void (*plan_destroy)(tbl_plan *plan);
    const tbl_layout *(*layout)(const tbl_plan *plan);
    const char *(*wisdom)(
        const tbl_plan *plan); /* that reproduces the plan                       */
    /* Shortest time of one transform along x and along y, in cache, mean of both ways [s]: for
     * benchmarks, as what the passes are measured by.                                             */
    void (*line_seconds)(tbl_plan *plan, double seconds[2]);

    /* Column passes.  `buffer`: column side.  Spectral slabs keep their masked entries zero.      */

    /* buffer <- z along y, from omega_hat                                                         */
    void (*columns_velocity)(tbl_plan *plan, const void *omega, void *buffer);
    /* buffer holds z^2 after the row pass: one stage of the scheme; buffer <- z of the new omega  */
    void (*columns_step)(tbl_plan *plan, const tbl_stage *stage, const tbl_sources *sources,
                         void *omega, void *history, void *buffer);
    /* N_hat <- from z^2 in buffer                                                                 */
    void (*columns_tendency)(tbl_plan *plan, void *buffer, void *tendency);
    /* buffer <- a + i b along y, from the spectra of two real fields (b may be NULL: zero)        */
    void (*columns_synthesize)(tbl_plan *plan, const void *a, const void *b, void *buffer);
    /* spectra of the real fields a, b (b may be NULL) <- from a + i b in buffer                   */
    void (*columns_analyze)(tbl_plan *plan, void *buffer, void *a, void *b);

    /* Row passes.  `buffer`: row side.                                                            */

    /* z <- z^2; maxima <- max abs(u), max abs(v) on this rank (NaN if any value is)               */
    void (*rows_square)(tbl_plan *plan, void *buffer, double maxima[2]);
    /* f <- abs(f) f: the local eddy viscosities of Smagorinsky and Leith, see pytbl/closures        */
    void (*rows_modulus)(tbl_plan *plan, void *buffer);
    /* real slabs a, b (b may be NULL) <- a + i b                                                  */
    void (*rows_read)(tbl_plan *plan, const void *buffer, void *a, void *b);
    /* a + i b <- real slabs a, b (b may be NULL: zero)                                            */
    void (*rows_write)(tbl_plan *plan, const void *a, const void *b, void *buffer);
} tbl_engine;

extern const tbl_engine tbl_f64, tbl_f32;

/* Zeroed memory on a cache line, in huge pages where the system has them; NULL if there is none.  */
void *tbl_alloc(size_t bytes);
void tbl_free(void *memory);

#endif
