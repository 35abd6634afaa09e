/* engine.h -- what the source files of one precision share; nothing outside csrc includes it.     */
#ifndef TBL_ENGINE_H
#define TBL_ENGINE_H

#include "tbl.h"
#include <stddef.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#ifdef TBL_F32
typedef float real;
#define TBL(name) tbl_f32_##name
#define TBL_SQRT sqrtf
#else
typedef double real;
#define TBL(name) tbl_f64_##name
#define TBL_SQRT sqrt
#endif

typedef real cplx[2];

enum {
    CACHE_LINE = 64,
    BLOCK = CACHE_LINE /
        sizeof(cplx), /* kx of a block: their values at one y fill a line         */
    PAIR = 2 * BLOCK, /* + and - halves of a block at one y                       */
    ROWS = 4,         /* rows that the row pass gathers at a time                 */
};

/* Hot loops are compiled for several instruction sets, and the loader picks one.                  */
#ifndef TBL_CLONES
#define TBL_CLONES
#endif

enum direction { FORWARD, BACKWARD };

struct tbl_plan {
    tbl_shape shape;
    tbl_layout layout;
    void *along_x[2],
        *along_y[2]; /* fftw plans by direction; one contiguous line, out of place   */
    char *wisdom;
    ptrdiff_t *table;    /* the memory of the arrays below                                    */
    ptrdiff_t *kx_start; /* [size + 1] columns of each rank                                   */
    ptrdiff_t *y_start;  /* [size + 1] rows of each rank                                      */
    ptrdiff_t *tile;     /* [size] length of one block's tile of the rows of a rank           */
    ptrdiff_t
        *column_displs;    /* [size + 1]                                                        */
    ptrdiff_t *row_displs; /* [size + 1]                                                        */
    ptrdiff_t *counts[2];  /* [size] column side, row side                                      */
    real *ky;              /* [ny] wavenumbers, FFT order                                       */
    ptrdiff_t line_x,
        line_y;    /* padded length of a line in scratch                                */
    cplx *scratch; /* [threads][scratch_length]                                         */
    ptrdiff_t scratch_length;
};

static inline int thread_number(void)
{
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

static inline ptrdiff_t blocks_of(const tbl_plan *p, ptrdiff_t rank)
{
    return (p->kx_start[rank + 1] - p->kx_start[rank] + BLOCK - 1) / BLOCK;
}

/* One line of fftw: out <- transform of in, along x or y.  Destroys in.                           */
void TBL(transform)(void *fftw_plan, cplx *in, cplx *out);

void TBL(columns_velocity)(tbl_plan *, const void *, void *);
void TBL(columns_step)(tbl_plan *, const tbl_stage *, const tbl_sources *, void *, void *, void *);
void TBL(columns_tendency)(tbl_plan *, void *, void *);
void TBL(columns_synthesize)(tbl_plan *, const void *, const void *, void *);
void TBL(columns_analyze)(tbl_plan *, void *, void *, void *);
void TBL(rows_square)(tbl_plan *, void *, double[2]);
void TBL(rows_modulus)(tbl_plan *, void *);
void TBL(rows_read)(tbl_plan *, const void *, void *, void *);
void TBL(rows_write)(tbl_plan *, const void *, const void *, void *);

#endif
