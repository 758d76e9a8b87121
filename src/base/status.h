/* Status codes and the one error object of the program.
 * A function that can fail returns qz_status and takes `qz_error *err` last; the deepest cause is kept,
 * callers forward with QZ_TRY. Text: lower case, no full stop, object in quotes, problem first:
 *   <problem>: file 'x', tensor 'y', offset n: expected …, found …; <what to do>
 * Ownership: the caller owns the qz_error (zero it before use: `qz_error err = {0}`). */
#ifndef QZ_BASE_STATUS_H
#define QZ_BASE_STATUS_H
#include <stdarg.h>
#include <stddef.h>

typedef enum {
    QZ_OK = 0,
    QZ_EUSAGE, QZ_EIO, QZ_EFORMAT, QZ_EUNSUPPORTED, QZ_EMEMORY, QZ_ENUMERIC, QZ_EBUG,
    QZ_ECHECK,   /* a gate, lint or verification said no */
    QZ_ENONFINITE /* refused input, non-finite weights */
} qz_status;

typedef struct {
    qz_status code;
    char text[768];
} qz_error;

#if defined(__GNUC__)
#define QZ_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define QZ_PRINTF(a, b)
#endif

/* Stores code and text unless an earlier error is kept; err may be NULL. Returns code. */
qz_status qz_fail(qz_error *err, qz_status code, const char *fmt, ...) QZ_PRINTF(3, 4);
/* A row of errors.def: what a code means, and what to do about it. */
typedef struct { qz_status status; const char *name, *code; int exit; const char *what, *cure; } qz_error_kind;
const qz_error_kind *qz_error_kind_at(size_t i); /* NULL behind the last */
/* Exit code of the program for a status: 0, 1, 2 or 3. */
int qz_exit_code(qz_status code);
/* Short name of a code ("io", "format", ...). */
const char *qz_status_name(qz_status code);
/* As it is printed and explained: "E-IO", "E-FORMAT" … */
const char *qz_status_code(qz_status code);

#define QZ_TRY(expr)                                \
    do {                                            \
        qz_status qz_s_ = (expr);                   \
        if (qz_s_ != QZ_OK) return qz_s_;           \
    } while (0)
/* For functions with one `out:` label and a local `qz_status st`. */
#define QZ_GOTO(expr)                               \
    do {                                            \
        st = (expr);                                \
        if (st != QZ_OK) goto out;                  \
    } while (0)
#endif
