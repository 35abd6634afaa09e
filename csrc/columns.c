/* columns.c -- the spectral pass: transforms along y, and all work on (kx, ky).
 *
 * Columns come in pairs, +kx and -kx.  The -kx column is transformed with the opposite sign, so
 * that entry j of one holds k and entry j of the other holds -k: what N_hat needs side by side
 * stands side by side, and every loop runs forward over contiguous memory.
 *
 * The pair of kx = 0 is that one column twice (rows.c makes the copy).  There omega_hat is
 * Hermitian in ky; rounding must not break that, so ky > 0 is computed and ky < 0 mirrored.       */
#include "engine.h"
#include <string.h>

/* Kept ky >= 0 are entries 0 .. ky_max of a column; kept ky < 0 its last ky_max entries.          */
typedef struct {
    ptrdiff_t count;
    ptrdiff_t slab;    /* first entry in a column of a spectral slab */
    ptrdiff_t product; /* first entry in a column of the product grid */
} segment;

static segment segment_of(const tbl_plan *p, int negative, ptrdiff_t kx)
{
    const tbl_shape *s = &p->shape;
    if (negative)
        return (segment){s->ky_max, s->ny - s->ky_max, s->py - s->ky_max};
    if (kx == 0) /* k = 0 has no velocity and no tendency: it is set apart */
        return (segment){s->ky_max, 1, 1};
    return (segment){s->ky_max + 1, 0, 0};
}

/* What one pass does to a pair of columns.  plus, minus: transforms along y of the pair, in or
 * out or both; column: its index on this rank; spare: a line of scratch.                          */
typedef void pair_work(const tbl_plan *p, const void *job, ptrdiff_t column, cplx *plus,
                       cplx *minus, real *spare);

/* ------------------------------------------------------------- buffer <-> contiguous columns --- */

/* lines[c] is column c of +kx for c < BLOCK, and of -kx after that.  The -kx half of a tile is
 * stored with kx falling, the order in which the row pass wants it.                               */
TBL_CLONES
static void load_tile(const tbl_plan *p, const cplx *buffer, ptrdiff_t block, cplx *restrict lines)
{
    for (ptrdiff_t r = 0; r < p->shape.size; r++) {
        const cplx *tile = buffer + p->column_displs[r] + block * p->tile[r];
        for (ptrdiff_t y = p->y_start[r]; y < p->y_start[r + 1]; y++, tile += PAIR)
            for (int c = 0; c < BLOCK; c++) {
                memcpy(lines[c * p->line_y + y], tile[c], sizeof(cplx));
                memcpy(lines[(BLOCK + c) * p->line_y + y], tile[PAIR - 1 - c], sizeof(cplx));
            }
    }
}

TBL_CLONES
static void store_tile(const tbl_plan *p, const cplx *restrict lines, ptrdiff_t block, cplx *buffer)
{
    for (ptrdiff_t r = 0; r < p->shape.size; r++) {
        cplx *tile = buffer + p->column_displs[r] + block * p->tile[r];
        for (ptrdiff_t y = p->y_start[r]; y < p->y_start[r + 1]; y++, tile += PAIR)
            for (int c = 0; c < BLOCK; c++) {
                memcpy(tile[c], lines[c * p->line_y + y], sizeof(cplx));
                memcpy(tile[PAIR - 1 - c], lines[(BLOCK + c) * p->line_y + y], sizeof(cplx));
            }
    }
}

/* Every pair of columns of this rank: load and transform if `in`, work, transform and store if
 * `out`.                                                                                          */
static void sweep(const tbl_plan *p, int in, int out, pair_work *work, const void *job,
                  cplx *buffer)
{
    const ptrdiff_t line = p->line_y, columns = p->layout.kx_count;
    const ptrdiff_t cut = p->shape.py - 2 * p->shape.ky_max - 1;
#pragma omp parallel for schedule(static) num_threads(p->shape.threads)
    for (ptrdiff_t block = 0; block < blocks_of(p, p->shape.rank); block++) {
        cplx *lines = p->scratch + thread_number() * p->scratch_length;
        cplx *plus = lines + PAIR * line, *minus = plus + line;
        real *spare = (real *)(minus + line);
        if (in)
            load_tile(p, buffer, block, lines);
        for (ptrdiff_t c = 0; c < BLOCK && block * BLOCK + c < columns; c++) {
            cplx *line_plus = lines + c * line, *line_minus = lines + (BLOCK + c) * line;
            if (in) {
                TBL(transform)(p->along_y[FORWARD], line_plus, plus);
                TBL(transform)(p->along_y[BACKWARD], line_minus, minus);
            }
            work(p, job, block * BLOCK + c, plus, minus, spare);
            if (out) {
                memset(plus + p->shape.ky_max + 1, 0, (size_t)cut * sizeof(cplx));
                memset(minus + p->shape.ky_max + 1, 0, (size_t)cut * sizeof(cplx));
                TBL(transform)(p->along_y[BACKWARD], plus, line_plus);
                TBL(transform)(p->along_y[FORWARD], minus, line_minus);
            }
        }
        if (out)
            store_tile(p, lines, block, buffer);
    }
}

static real wavenumber_x(const tbl_plan *p, ptrdiff_t column)
{
    return (real)(p->shape.dkx * (double)(p->layout.kx_start + column));
}

static void mirror(const tbl_plan *p, cplx *column)
{
    for (ptrdiff_t j = 1; j <= p->shape.ky_max; j++) {
        column[p->shape.ny - j][0] = column[j][0];
        column[p->shape.ny - j][1] = -column[j][1];
    }
}

static void clear_cut(const tbl_plan *p, cplx *column)
{
    ptrdiff_t cut = p->shape.ny - 2 * p->shape.ky_max - 1;
    memset(column + p->shape.ky_max + 1, 0, (size_t)cut * sizeof(cplx));
}

/* ---------------------------------------------------------------------------------- velocity --- */

/* z_hat(k) = omega_hat / conj(kappa) and z_hat(-k) = -conj(omega_hat) / conj(kappa).              */
TBL_CLONES
static void velocity(ptrdiff_t n, real kx, const real *restrict ky, const real *restrict omega,
                     real *restrict plus, real *restrict minus)
{
    for (ptrdiff_t j = 0; j < n; j++) {
        real inverse_k2 = 1 / (kx * kx + ky[j] * ky[j]);
        real x = kx * inverse_k2, y = ky[j] * inverse_k2;
        real re = omega[2 * j], im = omega[2 * j + 1];
        plus[2 * j] = x * re - y * im;
        plus[2 * j + 1] = x * im + y * re;
        minus[2 * j] = -(x * re + y * im);
        minus[2 * j + 1] = x * im - y * re;
    }
}

static void velocity_pair(const tbl_plan *p, const cplx *omega, ptrdiff_t column, cplx *plus,
                          cplx *minus)
{
    ptrdiff_t kx = p->layout.kx_start + column;
    for (int negative = 0; negative < 2; negative++) {
        segment s = segment_of(p, negative, kx);
        velocity(s.count, wavenumber_x(p, column), p->ky + s.slab, omega[s.slab], plus[s.product],
                 minus[s.product]);
    }
    if (kx == 0)
        plus[0][0] = plus[0][1] = minus[0][0] = minus[0][1] = 0;
}

static void velocity_work(const tbl_plan *p, const void *job, ptrdiff_t column, cplx *plus,
                          cplx *minus, real *spare)
{
    (void)spare;
    velocity_pair(p, (const cplx *)job + column * p->shape.ny, column, plus, minus);
}

void TBL(columns_velocity)(tbl_plan *p, const void *omega, void *buffer)
{
    sweep(p, 0, 1, velocity_work, omega, buffer);
}

/* ---------------------------------------------------------------------------------- tendency --- */

/* N_hat = scale * (i/4) [ kappa^2 conj(W(-k)) - conj(kappa)^2 W(k) ], scale the transform's norm. */
#define TENDENCY(kx, ky, scale, plus, minus, j, re, im)                                            \
    do {                                                                                           \
        real a = (scale) * ((kx) * (kx) - (ky) * (ky)), b = 2 * (scale) * (kx) * (ky);             \
        re = a * ((minus)[2 * (j) + 1] + (plus)[2 * (j) + 1]) -                                    \
             b * ((minus)[2 * (j)] + (plus)[2 * (j)]);                                             \
        im = a * ((minus)[2 * (j)] - (plus)[2 * (j)]) +                                            \
             b * ((minus)[2 * (j) + 1] - (plus)[2 * (j) + 1]);                                     \
    } while (0)

static real tendency_scale(const tbl_plan *p)
{
    return (real)(0.25 / ((double)p->shape.px * (double)p->shape.py));
}

TBL_CLONES
static void tendency(ptrdiff_t n, real kx, const real *restrict ky, real scale,
                     const real *restrict plus, const real *restrict minus, real *restrict out)
{
    for (ptrdiff_t j = 0; j < n; j++) {
        real re, im;
        TENDENCY(kx, ky[j], scale, plus, minus, j, re, im);
        out[2 * j] = re;
        out[2 * j + 1] = im;
    }
}

static void tendency_work(const tbl_plan *p, const void *job, ptrdiff_t column, cplx *plus,
                          cplx *minus, real *spare)
{
    cplx *out = *(cplx *const *)job + column * p->shape.ny;
    ptrdiff_t kx = p->layout.kx_start + column;
    (void)spare;
    clear_cut(p, out);
    for (int negative = 0; negative < 2; negative++) {
        segment s = segment_of(p, negative, kx);
        tendency(s.count, wavenumber_x(p, column), p->ky + s.slab, tendency_scale(p),
                 plus[s.product], minus[s.product], out[s.slab]);
    }
    if (kx == 0) {
        out[0][0] = out[0][1] = 0;
        mirror(p, out);
    }
}

void TBL(columns_tendency)(tbl_plan *p, void *buffer, void *out)
{
    sweep(p, 1, 0, tendency_work, &out, buffer);
}

/* -------------------------------------------------------------------------------------- step --- */

typedef struct {
    const tbl_stage *stage;
    const tbl_sources *sources;
    cplx *omega, *history;
} step_job;

/* The real part of L(k), -viscosity k^(2 order) - drag, for one column.                           */
TBL_CLONES
static void damping(ptrdiff_t n, real kx, const real *restrict ky, const tbl_stage *stage,
                    real *restrict out)
{
    const real viscosity = (real)stage->viscosity, drag = (real)stage->drag;
    for (ptrdiff_t j = 0; j < n; j++)
        out[j] = -viscosity * (kx * kx + ky[j] * ky[j]);
    for (int power = 1; power < stage->order; power++)
        for (ptrdiff_t j = 0; j < n; j++)
            out[j] *= kx * kx + ky[j] * ky[j];
    for (ptrdiff_t j = 0; j < n; j++)
        out[j] -= drag;
}

/* One stage of the scheme on one segment of a column.  `source` may be NULL.                      */
TBL_CLONES
static void update(ptrdiff_t n, real kx, const real *restrict ky, real scale,
                   const tbl_stage *stage, const real *restrict plus, const real *restrict minus,
                   const real *restrict damp, const real *restrict source, real *restrict omega,
                   real *restrict history)
{
    const real a = (real)(stage->a * stage->dt), b = (real)(stage->b * stage->dt);
    const real g = (real)(stage->g * stage->dt), s = (real)(stage->s * stage->dt);
    const real h = (real)stage->h, rossby = (real)stage->beta * kx;

#define UPDATE(SOURCE_RE, SOURCE_IM)                                                               \
    for (ptrdiff_t j = 0; j < n; j++) {                                                            \
        real n_re, n_im;                                                                           \
        TENDENCY(kx, ky[j], scale, plus, minus, j, n_re, n_im);                                    \
        n_re += (SOURCE_RE);                                                                       \
        n_im += (SOURCE_IM);                                                                       \
        real l_re = damp[j], l_im = rossby / (kx * kx + ky[j] * ky[j]);                            \
        real w_re = omega[2 * j], w_im = omega[2 * j + 1];                                         \
        real h_re = history[2 * j], h_im = history[2 * j + 1];                                     \
        real up_re = w_re + a * (l_re * w_re - l_im * w_im) + g * n_re + s * h_re;                 \
        real up_im = w_im + a * (l_re * w_im + l_im * w_re) + g * n_im + s * h_im;                 \
        real down_re = 1 - b * l_re, down_im = -b * l_im;                                          \
        real inverse = 1 / (down_re * down_re + down_im * down_im);                                \
        omega[2 * j] = inverse * (up_re * down_re + up_im * down_im);                              \
        omega[2 * j + 1] = inverse * (up_im * down_re - up_re * down_im);                          \
        history[2 * j] = n_re + h * h_re;                                                          \
        history[2 * j + 1] = n_im + h * h_im;                                                      \
    }
    if (source)
        UPDATE(source[2 * j], source[2 * j + 1])
    else
        UPDATE(0, 0)
#undef UPDATE
}

static const cplx *leading(const void *slab, ptrdiff_t columns, ptrdiff_t column, ptrdiff_t offset)
{
    return slab && column < columns ? (const cplx *)slab + offset : NULL;
}

static void step_work(const tbl_plan *p, const void *job_, ptrdiff_t column, cplx *plus,
                      cplx *minus, real *spare)
{
    const step_job *job = job_;
    const ptrdiff_t kx = p->layout.kx_start + column, offset = column * p->shape.ny;
    cplx *omega = job->omega + offset, *history = job->history + offset;
    const cplx *rate = leading(job->sources->rate, job->sources->rate_columns, column, offset);
    const cplx *impulse =
        leading(job->sources->impulse, job->sources->impulse_columns, column, offset);
    const real scale = (real)job->sources->impulse_scale;
    for (int negative = 0; negative < (kx == 0 ? 1 : 2); negative++) {
        segment s = segment_of(p, negative, kx);
        const real *ky = p->ky + s.slab;
        damping(s.count, wavenumber_x(p, column), ky, job->stage, spare);
        update(s.count, wavenumber_x(p, column), ky, tendency_scale(p), job->stage, plus[s.product],
               minus[s.product], spare, rate ? rate[s.slab] : NULL, omega[s.slab], history[s.slab]);
        for (ptrdiff_t j = s.slab; impulse && j < s.slab + s.count; j++) {
            omega[j][0] += scale * impulse[j][0];
            omega[j][1] += scale * impulse[j][1];
        }
    }
    if (kx == 0) {
        mirror(p, omega);
        mirror(p, history);
    }
    velocity_pair(p, omega, column, plus, minus);
}

void TBL(columns_step)(tbl_plan *p, const tbl_stage *stage, const tbl_sources *sources, void *omega,
                       void *history, void *buffer)
{
    step_job job = {stage, sources, omega, history};
    sweep(p, 1, 1, step_work, &job, buffer);
}

/* ------------------------------------------------------------------ two real fields as a + i b --- */

typedef struct {
    cplx *a, *b;
} fields_job;

static void analyze_work(const tbl_plan *p, const void *job_, ptrdiff_t column, cplx *plus,
                         cplx *minus, real *spare)
{
    const fields_job *job = job_;
    const real half = (real)(0.5 / ((double)p->shape.px * (double)p->shape.py));
    const ptrdiff_t kx = p->layout.kx_start + column;
    (void)spare;
    for (int field = 0; field < 2; field++) {
        cplx *out = field ? job->b : job->a;
        if (!out)
            continue;
        out += column * p->shape.ny;
        clear_cut(p, out);
        for (int negative = 0; negative < 2; negative++) {
            segment s = segment_of(p, negative, kx);
            for (ptrdiff_t j = 0; j < s.count; j++) {
                const real *z = plus[s.product + j], *zc = minus[s.product + j];
                real *to = out[s.slab + j];
                if (field) { /* (Z(k) - conj Z(-k)) / 2i */
                    to[0] = half * (z[1] + zc[1]);
                    to[1] = half * (zc[0] - z[0]);
                } else { /* (Z(k) + conj Z(-k)) / 2 */
                    to[0] = half * (z[0] + zc[0]);
                    to[1] = half * (z[1] - zc[1]);
                }
            }
        }
        if (kx == 0) {
            out[0][0] = 2 * half * plus[0][field];
            out[0][1] = 0;
            mirror(p, out);
        }
    }
}

void TBL(columns_analyze)(tbl_plan *p, void *buffer, void *a, void *b)
{
    sweep(p, 1, 0, analyze_work, &(fields_job){a, b}, buffer);
}

static void synthesize_work(const tbl_plan *p, const void *job_, ptrdiff_t column, cplx *plus,
                            cplx *minus, real *spare)
{
    const fields_job *job = job_;
    const cplx *a = job->a + column * p->shape.ny;
    const cplx *b = job->b ? job->b + column * p->shape.ny : NULL;
    (void)spare;
    for (int negative = 0; negative < 2; negative++) {
        segment s = segment_of(p, negative, -1); /* k = 0 as any other */
        for (ptrdiff_t j = 0; j < s.count; j++) {
            const ptrdiff_t k = s.slab + j;
            real b_re = b ? b[k][0] : 0, b_im = b ? b[k][1] : 0;
            real *z = plus[s.product + j], *zc = minus[s.product + j];
            z[0] = a[k][0] - b_im;
            z[1] = a[k][1] + b_re;
            zc[0] = a[k][0] + b_im;
            zc[1] = b_re - a[k][1];
        }
    }
}

void TBL(columns_synthesize)(tbl_plan *p, const void *a, const void *b, void *buffer)
{
    sweep(p, 0, 1, synthesize_work, &(fields_job){(cplx *)a, (cplx *)b}, buffer);
}
