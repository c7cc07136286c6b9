/* The rows of bench_phy. Each group of them lives in a file phy_rows_<group>.c with a function below, which makes ready what its rows
 * need and appends them to the table. */
#ifndef TESTS_BENCH_PHY_ROWS_H
#define TESTS_BENCH_PHY_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "phy/simd.h"

struct phy_row {
    const char *name, *unit;       /* "Msps", "Mbit/s" */
    const char *peer;              /* NULL if there is none */
    double work;                   /* samples or bits that one run handles: a speed in millions a second of processor time; or 0: */
    double (*run)(void *ctx);      /* for a speed what it returns is not used; else it is the figure, in `unit` */
    double (*run_peer)(void *ctx); /* NULL if there is none */
    bool (*check)(void *ctx);      /* once at the end: did it work? NULL: nothing to ask */
    void *ctx;
};

enum { PHY_MAX_ROWS = 64 };

struct phy_rows {
    enum phy_simd simd; /* for everything of ours that can choose */
    size_t n;
    struct phy_row rows[PHY_MAX_ROWS];
};

void phy_rows_add(struct phy_rows *rows, struct phy_row row);
/* Says what failed and ends the program with exit code 3. */
_Noreturn void phy_rows_fail(const char *what);
/* 64-byte aligned, zeroed, never freed. */
void *phy_rows_memory(size_t bytes);
/* How often anything in the program has asked for memory; phy_rows_allocations.c */
size_t phy_rows_allocations(void);

void phy_rows_parts(struct phy_rows *rows); /* noise, spectra */
void phy_rows_flex(struct phy_rows *rows);
void phy_rows_air(struct phy_rows *rows);   /* the virtual air under full load */
void phy_rows_viterbi(struct phy_rows *rows);
void phy_rows_detect(struct phy_rows *rows);
void phy_rows_wifi(struct phy_rows *rows);
#endif
