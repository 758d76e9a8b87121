/* Small dense systems of the closed-form refits. */
#ifndef QZ_METHODS_SOLVE_SMALL_H
#define QZ_METHODS_SOLVE_SMALL_H
#include <stdbool.h>
#include <stddef.h>

/* Solves the symmetric positive system a x = b of order n in place (b becomes x); false if it is not positive. */
bool qz_solve_small(double *a, double *b, size_t n);
#endif
