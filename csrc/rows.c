/* rows.c -- the physical pass: transforms along x, and all work at points.
 *
 * Rows are gathered a few at a time, because their values lie side by side in every tile of the
 * buffer; each is then transformed, worked on and transformed back while it is in cache.
 *
 * kx = 0 is stored twice in its block, as the +0 and the -0 column.  The line has one entry more
 * than the row for it: -0 is put there on the way in, and is a copy of +0 on the way out.         */
#include "engine.h"
#include <math.h>
#include <string.h>

/* What one pass does to a row, points z[0 .. px-1] at local row y.                                */
typedef void row_work(const tbl_plan *p, void *job, ptrdiff_t y, cplx *z);

/* Copies `n` of the BLOCK values of half a line.  The constant size is one load and one store.    */
static inline void copy(cplx *to, const cplx *from, ptrdiff_t n)
{
    if (n == BLOCK)
        memcpy(to, from, BLOCK * sizeof(cplx));
    else
        memcpy(to, from, (size_t)n * sizeof(cplx));
}

TBL_CLONES
static void gather(const tbl_plan *p, const cplx *buffer, ptrdiff_t y, ptrdiff_t rows, cplx *lines)
{
    const ptrdiff_t px = p->shape.px, tile = p->tile[p->shape.rank], kept = p->shape.kx_max;
    for (ptrdiff_t r = 0; r < p->shape.size; r++) {
        const cplx *from = buffer + p->row_displs[r] + y * PAIR;
        for (ptrdiff_t kx = p->kx_start[r]; kx < p->kx_start[r + 1]; kx += BLOCK, from += tile) {
            ptrdiff_t left = p->kx_start[r + 1] - kx, n = left < BLOCK ? left : BLOCK;
            for (ptrdiff_t i = 0; i < rows; i++) {
                copy(lines + i * p->line_x + kx, from + i * PAIR, n);
                copy(lines + i * p->line_x + px - kx - n + 1, from + (i + 1) * PAIR - n, n);
            }
        }
    }
    for (ptrdiff_t i = 0; i < rows; i++)
        memset(lines + i * p->line_x + kept + 1, 0, (size_t)(px - 2 * kept - 1) * sizeof(cplx));
}

TBL_CLONES
static void scatter(const tbl_plan *p, cplx *lines, ptrdiff_t y, ptrdiff_t rows, cplx *buffer)
{
    const ptrdiff_t px = p->shape.px, tile = p->tile[p->shape.rank];
    for (ptrdiff_t i = 0; i < rows; i++)
        memcpy(lines[i * p->line_x + px], lines[i * p->line_x], sizeof(cplx));
    for (ptrdiff_t r = 0; r < p->shape.size; r++) {
        cplx *to = buffer + p->row_displs[r] + y * PAIR;
        for (ptrdiff_t kx = p->kx_start[r]; kx < p->kx_start[r + 1]; kx += BLOCK, to += tile) {
            ptrdiff_t left = p->kx_start[r + 1] - kx, n = left < BLOCK ? left : BLOCK;
            for (ptrdiff_t i = 0; i < rows; i++) {
                copy(to + i * PAIR, lines + i * p->line_x + kx, n);
                copy(to + (i + 1) * PAIR - n, lines + i * p->line_x + px - kx - n + 1, n);
            }
        }
    }
}

/* Every row of this rank: gather and transform if `in`, work, transform and scatter if `out`.     */
static void sweep(const tbl_plan *p, int in, int out, row_work *work, void *job, cplx *buffer)
{
    const ptrdiff_t count = p->layout.y_count;
#pragma omp parallel for schedule(static) num_threads(p->shape.threads)
    for (ptrdiff_t y = 0; y < count; y += ROWS) {
        const ptrdiff_t rows = count - y < ROWS ? count - y : ROWS;
        cplx *lines = p->scratch + thread_number() * p->scratch_length;
        cplx *z = lines + ROWS * p->line_x;
        if (in)
            gather(p, buffer, y, rows, lines);
        for (ptrdiff_t i = 0; i < rows; i++) {
            if (in)
                TBL(transform)(p->along_x[BACKWARD], lines + i * p->line_x, z);
            work(p, job, y + i, z);
            if (out)
                TBL(transform)(p->along_x[FORWARD], z, lines + i * p->line_x);
        }
        if (out)
            scatter(p, lines, y, rows, buffer);
    }
}

/* ------------------------------------------------------------------------------------ square --- */

/* z <- z^2, and the largest abs(u) and abs(v) met so far.                                         */
TBL_CLONES
static void square(ptrdiff_t n, real *restrict z, real maxima[2])
{
    real u_max = maxima[0], v_max = maxima[1];
#pragma omp simd reduction(max : u_max, v_max)
    for (ptrdiff_t i = 0; i < n; i++) {
        real u = z[2 * i], v = z[2 * i + 1];
        real u_size = u < 0 ? -u : u, v_size = v < 0 ? -v : v;
        u_max = u_size > u_max ? u_size : u_max;
        v_max = v_size > v_max ? v_size : v_max;
        z[2 * i] = u * u - v * v;
        z[2 * i + 1] = 2 * u * v;
    }
    maxima[0] = u_max;
    maxima[1] = v_max;
}

typedef struct {
    real (*maxima)[CACHE_LINE / sizeof(real)]; /* of each thread, on a cache line of its own */
} square_job;

static void square_work(const tbl_plan *p, void *job, ptrdiff_t y, cplx *z)
{
    real *maxima = ((square_job *)job)->maxima[thread_number()];
    (void)y;
    /* A comparison drops a NaN, but after a transform one NaN in a row is NaN in all of it.       */
    int lost = z[0][0] != z[0][0] || maxima[0] != maxima[0];
    square(p->shape.px, z[0], maxima);
    if (lost)
        maxima[0] = maxima[1] = (real)NAN;
}

void TBL(rows_square)(tbl_plan *p, void *buffer, double maxima[2])
{
    real of_thread[p->shape.threads][CACHE_LINE / sizeof(real)];
    memset(of_thread, 0, sizeof of_thread);
    sweep(p, 1, 1, square_work, &(square_job){of_thread}, buffer);
    maxima[0] = maxima[1] = 0;
    for (int t = 0; t < p->shape.threads; t++)
        for (int i = 0; i < 2; i++)
            if (!(of_thread[t][i] <= maxima[i]) && maxima[i] == maxima[i])
                maxima[i] = of_thread[t][i];
}

/* ----------------------------------------------------------------------------------- modulus --- */

TBL_CLONES
static void times_modulus(ptrdiff_t n, real *restrict f)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        real re = f[2 * i], im = f[2 * i + 1];
        real modulus = TBL_SQRT(re * re + im * im);
        f[2 * i] = modulus * re;
        f[2 * i + 1] = modulus * im;
    }
}

static void modulus_work(const tbl_plan *p, void *job, ptrdiff_t y, cplx *z)
{
    (void)job, (void)y;
    times_modulus(p->shape.px, z[0]);
}

void TBL(rows_modulus)(tbl_plan *p, void *buffer)
{
    sweep(p, 1, 1, modulus_work, NULL, buffer);
}

/* --------------------------------------------------------------- two real slabs as a + i b --- */

typedef struct {
    real *a, *b;
} slabs_job;

static void read_work(const tbl_plan *p, void *job_, ptrdiff_t y, cplx *z)
{
    const slabs_job *job = job_;
    const ptrdiff_t px = p->shape.px;
    for (ptrdiff_t i = 0; i < px; i++)
        job->a[y * px + i] = z[i][0];
    for (ptrdiff_t i = 0; job->b && i < px; i++)
        job->b[y * px + i] = z[i][1];
}

void TBL(rows_read)(tbl_plan *p, const void *buffer, void *a, void *b)
{
    sweep(p, 1, 0, read_work, &(slabs_job){a, b}, (cplx *)buffer);
}

static void write_work(const tbl_plan *p, void *job_, ptrdiff_t y, cplx *z)
{
    const slabs_job *job = job_;
    const ptrdiff_t px = p->shape.px;
    for (ptrdiff_t i = 0; i < px; i++) {
        z[i][0] = job->a[y * px + i];
        z[i][1] = job->b ? job->b[y * px + i] : 0;
    }
}

void TBL(rows_write)(tbl_plan *p, const void *a, const void *b, void *buffer)
{
    sweep(p, 0, 1, write_work, &(slabs_job){(real *)a, (real *)b}, buffer);
}
