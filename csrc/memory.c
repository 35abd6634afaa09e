/* memory.c -- large, aligned, zeroed memory.                                                      */
#define _DEFAULT_SOURCE
#include "tbl.h"
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

enum { CACHE_LINE = 64, HUGE_PAGE = 2 << 20 };

void *tbl_alloc(size_t bytes)
{
    size_t page = bytes >= 2 * HUGE_PAGE ? HUGE_PAGE : CACHE_LINE;
    size_t whole = (bytes + page - 1) / page * page;
    void *memory = aligned_alloc(page, whole ? whole : page);
    if (!memory)
        return NULL;
#ifdef MADV_HUGEPAGE
    /* Both passes touch memory in short runs: small pages would cost a TLB miss for each.         */
    if (page == HUGE_PAGE)
        (void)madvise(memory, whole, MADV_HUGEPAGE);
#endif
    return memset(memory, 0, whole);
}

void tbl_free(void *memory)
{
    free(memory);
}
