/* plan.c -- shapes, buffers, FFTW plans and their wisdom: all that can fail.                      */
#include "engine.h"
#include <fftw3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef TBL_F32
#define FFTW(name) fftwf_##name
#else
#define FFTW(name) fftw_##name
#endif

/* First item of `part` when `n` items are shared by `parts`: the first n % parts get one more.    */
static ptrdiff_t share(ptrdiff_t n, ptrdiff_t parts, ptrdiff_t part)
{
    ptrdiff_t extra = n % parts;
    return part * (n / parts) + (part < extra ? part : extra);
}

/* Length of a tile of `rows` rows.  The row pass reads one y of every tile: a stride that is a
 * multiple of a large power of two would put them all in a few sets of the cache.                 */
static ptrdiff_t tile_length(ptrdiff_t rows)
{
    ptrdiff_t length = rows * PAIR, gathered = ROWS * PAIR;
    return rows > 0 && length % (2 * gathered) == 0 ? length + gathered : length;
}

/* A line padded to whole cache lines, and one more so that neighbours differ in cache set.        */
static ptrdiff_t padded(ptrdiff_t n)
{
    return (n / BLOCK + 2) * BLOCK;
}

static int cut(tbl_plan *p)
{
    const tbl_shape *s = &p->shape;
    ptrdiff_t n = s->size, me = s->rank;
    ptrdiff_t *t = p->table = calloc((size_t)(7 * n + 4), sizeof *t);
    if (!t)
        return TBL_NO_MEMORY;
    p->kx_start = t, t += n + 1;
    p->y_start = t, t += n + 1;
    p->column_displs = t, t += n + 1;
    p->row_displs = t, t += n + 1;
    p->tile = t, t += n;
    p->counts[0] = t, t += n;
    p->counts[1] = t;
    for (ptrdiff_t r = 0; r <= n; r++) {
        p->kx_start[r] = share(s->kx_max + 1, n, r);
        p->y_start[r] = share(s->py, n, r);
    }
    for (ptrdiff_t r = 0; r < n; r++)
        p->tile[r] = tile_length(p->y_start[r + 1] - p->y_start[r]);
    for (ptrdiff_t r = 0; r < n; r++) {
        p->counts[0][r] = blocks_of(p, me) * p->tile[r];
        p->counts[1][r] = blocks_of(p, r) * p->tile[me];
        p->column_displs[r + 1] = p->column_displs[r] + p->counts[0][r];
        p->row_displs[r + 1] = p->row_displs[r] + p->counts[1][r];
    }
    p->layout = (tbl_layout){
        .kx_start = p->kx_start[me],
        .kx_count = p->kx_start[me + 1] - p->kx_start[me],
        .y_start = p->y_start[me],
        .y_count = p->y_start[me + 1] - p->y_start[me],
        .column_length = p->column_displs[n],
        .row_length = p->row_displs[n],
        .column_counts = p->counts[0],
        .column_displs = p->column_displs,
        .row_counts = p->counts[1],
        .row_displs = p->row_displs,
    };
    return TBL_OK;
}

static void *plan_line(ptrdiff_t n, int sign, unsigned rigor, cplx *in, cplx *out)
{
    return FFTW(plan_dft_1d)((int)n, (FFTW(complex) *)in, (FFTW(complex) *)out, sign,
                             rigor | FFTW_DESTROY_INPUT);
}

/* Shortest of many times of one line, in cache [s].                                               */
static double time_line(void *plan, cplx *in, cplx *out)
{
    double best = 1e30;
    for (int i = 0; i < 100; i++) {
        struct timespec start, stop;
        timespec_get(&start, TIME_UTC);
        for (int repeat = 0; repeat < 4; repeat++)
            TBL(transform)(plan, in, out);
        timespec_get(&stop, TIME_UTC);
        double t =
            (double)(stop.tv_sec - start.tv_sec) + 1e-9 * (double)(stop.tv_nsec - start.tv_nsec);
        if (t < best)
            best = t;
    }
    return best / 4;
}

/* Wisdom of the fastest of a few measured plans: one measurement on a busy machine can be off by
 * half, and wisdom would make that last.                                                          */
static char *fastest(ptrdiff_t n, int sign, cplx *in, cplx *out)
{
    char *wisdom = NULL;
    double best = 1e30;
    for (int trial = 0; trial < 4; trial++) {
        FFTW(forget_wisdom)();
        void *plan = plan_line(n, sign, FFTW_MEASURE, in, out);
        if (!plan)
            break;
        double t = time_line(plan, in, out);
        if (t < best) {
            best = t;
            free(wisdom);
            wisdom = FFTW(export_wisdom_to_string)();
        }
        FFTW(destroy_plan)(plan);
    }
    return wisdom;
}

static int plan_lines(tbl_plan *p, int measure, const char *wisdom)
{
    const struct {
        ptrdiff_t n;
        int sign;
        void **plan;
    } lines[] = {
        {p->shape.px, FFTW_FORWARD, &p->along_x[FORWARD]},
        {p->shape.px, FFTW_BACKWARD, &p->along_x[BACKWARD]},
        {p->shape.py, FFTW_FORWARD, &p->along_y[FORWARD]},
        {p->shape.py, FFTW_BACKWARD, &p->along_y[BACKWARD]},
    };
    enum { LINES = sizeof lines / sizeof *lines };
    cplx *in = p->scratch, *out = p->scratch + (p->line_x > p->line_y ? p->line_x : p->line_y);
    char *learned[LINES] = {NULL};

    for (int i = 0; measure && !wisdom && i < LINES; i++)
        learned[i] = fastest(lines[i].n, lines[i].sign, in, out);
    FFTW(forget_wisdom)();
    if (wisdom)
        FFTW(import_wisdom_from_string)(wisdom); /* wisdom of another machine is ignored */
    for (int i = 0; i < LINES; i++) {
        if (learned[i])
            FFTW(import_wisdom_from_string)(learned[i]);
        free(learned[i]);
    }
    for (int i = 0; i < LINES; i++) {
        *lines[i].plan =
            plan_line(lines[i].n, lines[i].sign, measure ? FFTW_MEASURE : FFTW_ESTIMATE, in, out);
        if (!*lines[i].plan)
            return TBL_NO_PLAN;
    }
    p->wisdom = FFTW(export_wisdom_to_string)();
    return p->wisdom ? TBL_OK : TBL_NO_MEMORY;
}

static void plan_destroy(tbl_plan *p)
{
    if (!p)
        return;
    for (int d = FORWARD; d <= BACKWARD; d++) {
        if (p->along_x[d])
            FFTW(destroy_plan)(p->along_x[d]);
        if (p->along_y[d])
            FFTW(destroy_plan)(p->along_y[d]);
    }
    free(p->wisdom);
    free(p->table);
    tbl_free(p->ky);
    tbl_free(p->scratch);
    free(p);
}

static int plan_create(const tbl_shape *shape, int measure, const char *wisdom, tbl_plan **plan)
{
    tbl_plan *p = *plan = calloc(1, sizeof *p);
    if (!p)
        return TBL_NO_MEMORY;
    p->shape = *shape;
    p->line_x = padded(shape->px + 1); /* one more for the copy of kx = 0, see rows.c */
    p->line_y = padded(shape->py);
    ptrdiff_t columns = (PAIR + 3) * p->line_y, rows = (ROWS + 1) * p->line_x;
    ptrdiff_t both = 2 * (p->line_x > p->line_y ? p->line_x : p->line_y);
    p->scratch_length = columns > rows ? columns : rows;
    if (p->scratch_length < both)
        p->scratch_length = both;
    p->scratch = tbl_alloc((size_t)(p->scratch_length * shape->threads) * sizeof(cplx));
    p->ky = tbl_alloc((size_t)shape->ny * sizeof(real));

    int status = p->scratch && p->ky ? cut(p) : TBL_NO_MEMORY;
    if (!status)
        status = plan_lines(p, measure, wisdom);
    if (status) {
        plan_destroy(p);
        *plan = NULL;
        return status;
    }
    for (ptrdiff_t j = 0; j < shape->ny; j++)
        p->ky[j] = (real)(shape->dky * (double)(j <= shape->ny / 2 ? j : j - shape->ny));
    return TBL_OK;
}

static const tbl_layout *layout(const tbl_plan *p)
{
    return &p->layout;
}

static const char *wisdom_of(const tbl_plan *p)
{
    return p->wisdom;
}

static void line_seconds(tbl_plan *p, double seconds[2])
{
    ptrdiff_t longest = p->line_x > p->line_y ? p->line_x : p->line_y;
    cplx *in = p->scratch, *out = p->scratch + longest;
    memset(in, 0, (size_t)(2 * longest) * sizeof(cplx));
    seconds[0] =
        0.5 * (time_line(p->along_x[FORWARD], in, out) + time_line(p->along_x[BACKWARD], in, out));
    seconds[1] =
        0.5 * (time_line(p->along_y[FORWARD], in, out) + time_line(p->along_y[BACKWARD], in, out));
}

void TBL(transform)(void *fftw_plan, cplx *in, cplx *out)
{
    FFTW(execute_dft)(fftw_plan, (FFTW(complex) *)in, (FFTW(complex) *)out);
}

#ifdef TBL_F32
const tbl_engine tbl_f32 = {
#else
const tbl_engine tbl_f64 = {
#endif
    .plan_create = plan_create,
    .plan_destroy = plan_destroy,
    .layout = layout,
    .wisdom = wisdom_of,
    .line_seconds = line_seconds,
    .columns_velocity = TBL(columns_velocity),
    .columns_step = TBL(columns_step),
    .columns_tendency = TBL(columns_tendency),
    .columns_synthesize = TBL(columns_synthesize),
    .columns_analyze = TBL(columns_analyze),
    .rows_square = TBL(rows_square),
    .rows_modulus = TBL(rows_modulus),
    .rows_read = TBL(rows_read),
    .rows_write = TBL(rows_write),
};
