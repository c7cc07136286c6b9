/* Counts what the program allocates, libraries included: the C library's functions, replaced. */
#include <stdatomic.h>

#include "tests/bench/phy_rows.h"

static atomic_size_t n_allocations;

size_t phy_rows_allocations(void)
{
    return atomic_load(&n_allocations);
}

/* A sanitizer has functions of its own in their place. */
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
extern void *__libc_malloc(size_t len);
extern void *__libc_calloc(size_t n, size_t len);
extern void *__libc_realloc(void *old, size_t len);
extern void *__libc_memalign(size_t alignment, size_t len);

void *malloc(size_t len)
{
    atomic_fetch_add(&n_allocations, 1);
    return __libc_malloc(len);
}

void *calloc(size_t n, size_t len)
{
    atomic_fetch_add(&n_allocations, 1);
    return __libc_calloc(n, len);
}

void *realloc(void *old, size_t len)
{
    atomic_fetch_add(&n_allocations, 1);
    return __libc_realloc(old, len);
}

void *aligned_alloc(size_t alignment, size_t len)
{
    atomic_fetch_add(&n_allocations, 1);
    return __libc_memalign(alignment, len);
}
#endif
