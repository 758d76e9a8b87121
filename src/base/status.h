/* Status codes and the one error object of the program.
 * A function that can fail returns qz_status and takes `qz_error *err` last; the deepest cause is kept,
 * callers forward with QZ_TRY. Text: lower case, no full stop, object in quotes, problem first:
 *   <problem>: file 'x', tensor 'y', offset n: expected …, found …; <what to do>
 * Ownership: the caller owns the qz_error (zero it before use: `qz_error err = {0}`). */
#ifndef QZ_BASE_STATUS_H
#define QZ_BASE_STATUS_H
#include <stdarg.h>

typedef enum {
    QZ_OK = 0,
    QZ_EUSAGE,       /* exit 2 */
    QZ_EIO,          /* exit 3 */
    QZ_EFORMAT,      /* exit 2 */
    QZ_EUNSUPPORTED, /* exit 2 */
    QZ_EMEMORY,      /* exit 3 */
    QZ_ENUMERIC,     /* exit 3 */
    QZ_EBUG,         /* exit 3 */
    QZ_ECHECK,       /* exit 1: a gate, lint or verification said no */
    QZ_ENONFINITE    /* exit 2: refused input, non-finite weights */
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
/* Exit code of the program for a status: 0, 1, 2 or 3. */
int qz_exit_code(qz_status code);
/* Short name of a code ("io", "format", ...). */
const char *qz_status_name(qz_status code);

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
